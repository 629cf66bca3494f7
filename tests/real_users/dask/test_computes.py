"""dask computes: its operator in a pod of its own, a scheduler and workers, and `KubeCluster` outside, all of it real and unmodified."""

import sys

import pytest

pytest.importorskip("dask_kubernetes")

from pathlib import Path

import dask_kubernetes
from dask.distributed import Client
from dask_kubernetes.operator import KubeCluster, make_cluster_spec

DEFINITIONS = Path(dask_kubernetes.__file__).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
PYTHON = sorted({sys.prefix, sys.base_prefix})
OPERATOR = ["-m", "kopf", "run", "-m", "dask_kubernetes.operator.controller", "--standalone", "--all-namespaces"]

pytestmark = pytest.mark.sandbox


def with_this_python(pod, *arguments):
    """No image is pulled: this environment's folders are mounted instead, and its Python is the command."""
    (container,) = pod["containers"]
    container["command"], container["args"] = [sys.executable], list(arguments)
    container["volumeMounts"] = [{"name": f"python{n}", "mountPath": path} for n, path in enumerate(PYTHON)]
    pod["volumes"] = [{"name": f"python{n}", "hostPath": {"path": path}} for n, path in enumerate(PYTHON)]
    return pod


def operator():
    pod = with_this_python(
        {"containers": [{"name": "operator", "image": "ghcr.io/dask/dask-kubernetes-operator"}]}, *OPERATOR
    )
    pod["serviceAccountName"] = "operator"
    labels = {"app": "operator"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "operator"}, "spec": spec}


def access():
    """The operator's account and what it may do, as its chart gives it."""

    def rule(group, resources, verbs="get list watch patch create delete update"):
        return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}

    api = "rbac.authorization.k8s.io"
    kinds = "daskclusters daskworkergroups daskjobs daskautoscalers"
    rules = [
        rule("apiextensions.k8s.io", "customresourcedefinitions", "list watch"),
        rule("", "namespaces", "list watch"),
        rule("", "pods pods/status pods/portforward services services/status events"),
        rule("apps", "deployments deployments/status"),
        rule("kubernetes.dask.org", " ".join(f"{kind} {kind}/status" for kind in kinds.split())),
        rule("kubernetes.dask.org", "daskworkergroups/scale"),
    ]
    subjects = [{"kind": "ServiceAccount", "name": "operator", "namespace": "default"}]
    role = {"apiGroup": api, "kind": "ClusterRole", "name": "operator"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}},
        {"apiVersion": f"{api}/v1", "kind": "ClusterRole", "metadata": {"name": "operator"}, "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "operator"},
            "roleRef": role,
            "subjects": subjects,
        },
    ]


def cluster(workers):
    """What `make_cluster_spec` makes, with this Python instead of the image's entrypoint."""
    made = make_cluster_spec("simple", n_workers=workers)
    for role in ("scheduler", "worker"):
        pod = made["spec"][role]["spec"]
        program, *arguments = pod["containers"][0]["args"]
        with_this_python(pod, "-m", f"distributed.cli.{program.replace('-', '_')}", *arguments)
    return made


def workers(kube):
    return kube.list("pods", selector="dask.org/component=worker")


def test_a_kube_cluster_computes_loses_a_worker_and_is_scaled(kube_real):
    """None of this is there in a mock: the operator in its pod finds the API by its service account and the scheduler by the cluster's
    DNS, the workers find it by the Service's address, the client by a port that is forwarded, and the scheduler itself says which workers to
    retire. A worker that is deleted takes its results along; they are computed again where its Deployment's next pod has the same name.
    """
    kube_real.apply(DEFINITIONS)
    kube_real.apply(*access())
    kube_real.apply(operator())
    options = {"namespace": "default", "resource_timeout": 60, "port_forward_cluster_ip": True, "quiet": True}
    with KubeCluster(custom_cluster_spec=cluster(2), **options) as dask, Client(dask) as client:
        client.wait_for_workers(2, timeout=60)
        squares = client.map(lambda x: x * x, range(100))
        assert client.submit(sum, squares).result(timeout=60) == 328350
        lost = workers(kube_real)[0]["metadata"]["name"]
        kube_real.delete("pods", lost, grace_seconds=0)
        assert kube_real.run_until(lambda: lost not in [pod["metadata"]["name"] for pod in workers(kube_real)])
        assert client.submit(sum, squares, pure=False).result(timeout=60) == 328350
        dask.scale(3)
        client.wait_for_workers(3, timeout=60)
        dask.scale(1)
        assert kube_real.run_until(lambda: len(workers(kube_real)) == 1, timeout="90s")
        assert kube_real.run_until(lambda: len(client.scheduler_info()["workers"]) == 1, timeout="60s")
    assert kube_real.run_until(lambda: not kube_real.list("daskclusters") and not workers(kube_real))
