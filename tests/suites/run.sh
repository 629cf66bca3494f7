#!/usr/bin/env bash
# The clients' own test suites, unmodified, against one lifepod: `tests/suites/run.sh [NAME…]`. Each runs in an environment of its own.
# kopf and kr8s bring their tests in their PyPI archives; the others are cloned, or taken from $LIFEPOD_SUITES/NAME where that folder
# has them already. What is left out stands below beside its reason. Needs busybox-static, bubblewrap, git, kubectl.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
ABSENT=64
export XDG_CACHE_HOME=$work/cache KUBECONFIG=$work/kubeconfig PIP_DISABLE_PIP_VERSION_CHECK=1

environment() { # NAME PACKAGE…: a virtual environment; its python is $python
  python3 -m venv "$work/venv-$1" && python=$work/venv-$1/bin/python && "$python" -m pip install --quiet pytest pytest-timeout "${@:2}"
}
archive() { # NAME==VERSION: the unpacked source archive from PyPI, with its tests
  "$python" -m pip download --quiet --no-binary :all: --no-deps -d "$work/sources" "$1" && (cd "$work/sources" && tar xf "${1/==/-}.tar.gz")
}
checkout() { # NAME URL TAG: a clone, or what $LIFEPOD_SUITES has
  if [ -d "${LIFEPOD_SUITES:-/nowhere}/$1" ]; then
    mkdir -p "$work/sources" && cp -r "$LIFEPOD_SUITES/$1" "$work/sources/$1"
  else
    git clone --quiet --depth 1 --branch "$3" "$2" "$work/sources/$1"
  fi
}
tests() { "$python" -m pytest -q -p no:cacheprovider -p no:lifepod --timeout 90 "$@"; }

# Left out: test_portforward_raw runs `python` in its image; stand-ins have this machine's, if it is at /usr/bin or /usr/local/bin.
suite_kubernetes() {
  environment kubernetes 'kubernetes==37.0.2' && checkout kubernetes https://github.com/kubernetes-client/python v37.0.2 || return $ABSENT
  local packages skipped=()
  packages=$("$python" -c 'import kubernetes, os; print(os.path.dirname(os.path.dirname(kubernetes.__file__)))')
  cp -r "$work/sources/kubernetes/kubernetes/e2e_test" "$packages/kubernetes/"
  [ -x /usr/bin/python ] || [ -x /usr/local/bin/python ] || skipped=(--deselect kubernetes/e2e_test/test_client.py::TestClient::test_portforward_raw)
  (cd "$packages" && tests kubernetes/e2e_test "${skipped[@]}")
}

suite_kubernetes_asyncio() {
  environment asyncio 'kubernetes_asyncio==36.1.0' && checkout kubernetes_asyncio https://github.com/tomplus/kubernetes_asyncio 36.1.0 || return $ABSENT
  local packages
  packages=$("$python" -c 'import kubernetes_asyncio, os; print(os.path.dirname(os.path.dirname(kubernetes_asyncio.__file__)))')
  cp -r "$work/sources/kubernetes_asyncio/kubernetes_asyncio/e2e_test" "$packages/kubernetes_asyncio/"
  (cd "$packages" && tests kubernetes_asyncio/e2e_test)
}

# Left out: test_load_in_cluster_generic_resources*: its fixture sets an attribute that the models of lightkube-models do not have.
suite_lightkube() {
  environment lightkube 'lightkube==1.0.1' lightkube-models pytest-asyncio && checkout lightkube https://github.com/gtsystem/lightkube v1.0.1 || return $ABSENT
  (cd "$work/sources/lightkube/e2e-tests" && tests --asyncio-mode=auto . -k 'not load_in_cluster')
}

# Left out: test_api_resources expects one kind of the name `pods` (lifepod serves metrics.k8s.io, a bare kind cluster does not);
# test_api_timeout expects that no answer comes within its shortest timeout; test_cast_to_from_kubernetes is for kubernetes before 37.
suite_kr8s() {
  environment kr8s 'httpx-ws<0.9' pytest-asyncio pytest-kind pytest-rerunfailures pytest-cov trio lightkube lightkube-models kubernetes \
    pykube-ng kubernetes_asyncio kubernetes-validate && archive kr8s==0.20.15 || return $ABSENT
  "$python" -m pip install --quiet "$work/sources/kr8s-0.20.15" || return $ABSENT
  # pytest-kind starts a cluster by these two programs: the cluster is there.
  local kind=$work/sources/kr8s-0.20.15/.pytest-kind/pytest-kind
  mkdir -p "$kind" && cp "$KUBECONFIG" "$kind/kubeconfig" && ln -s "$(command -v kubectl)" "$kind/kubectl-v1.25.3"
  printf '#!/bin/sh\n[ "$1" = get ] && echo pytest-kind\nexit 0\n' >"$kind/kind-v0.17.0" && chmod +x "$kind/kind-v0.17.0"
  (cd "$work/sources/kr8s-0.20.15" && tests --no-cov --reruns 2 kr8s --deselect kr8s/tests/test_api.py::test_api_resources \
    --deselect kr8s/tests/test_api.py::test_api_timeout --deselect kr8s/tests/test_objects.py::test_cast_to_from_kubernetes)
}

# Left out: 17-admission makes its certificate with oscrypto, which does not know OpenSSL from 3.0.10 on
# (`tests/conformance/clients/test_kopf.py` runs such an operator with a certificate of its own). A connection that aiohttp still closes when
# the operator's loop ends is a ResourceWarning, which the suite would take for a failure of the example.
suite_kopf() {
  environment kopf 'kopf==1.45.2' pytest-asyncio pytest-mock pytest-aiohttp looptime freezegun aresponses astpath lxml certvalidator certbuilder \
    pyngrok kubernetes pykube-ng && archive kopf==1.45.2 || return $ABSENT
  (cd "$work/sources/kopf-1.45.2" && tests --asyncio-mode=auto --only-e2e -p no:unraisableexception -W ignore::ResourceWarning tests/e2e -k 'not 17-admission')
}

stop() { [ -n "${cluster:-}" ] && kill "$cluster" 2>/dev/null && wait "$cluster" 2>/dev/null; rm -rf "$work"; }
trap stop EXIT
python3 -m venv "$work/venv-lifepod" && "$work/venv-lifepod/bin/pip" install --quiet -e "$root" || exit
lifepod=$work/venv-lifepod/bin/lifepod
python3 "$here/stand_in_images.py" "$work/images.tar" && "$lifepod" image import "$work/images.tar" >/dev/null || exit
"$lifepod" up --name "suites-$$" --kubeconfig "$KUBECONFIG" >"$work/up.log" 2>&1 &
cluster=$!
for _ in $(seq 100); do [ -s "$KUBECONFIG" ] && break || sleep 0.1; done
# The suites look for pods of kube-system, as the clusters have them that they are run on.
for name in coredns metrics-server; do
  kubectl run "$name" --namespace kube-system --image registry.k8s.io/pause:3.9 >/dev/null || { cat "$work/up.log"; exit 1; }
done

suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(kubernetes kubernetes_asyncio lightkube kr8s kopf)
failed=()
for name in "${suites[@]}"; do
  printf '\n== suites: %s (%s s)\n' "$name" "$SECONDS"
  "suite_$name"
  case $? in
    0) ;;
    "$ABSENT") echo "$name is not to be had here: not run" ;;
    *) failed+=("$name") ;;
  esac
done
printf '\n== suites: done; failed: %s\n' "${failed[*]:-none}"
[ ${#failed[@]} -eq 0 ]
