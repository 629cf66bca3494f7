"""The fixture `kube` over HTTPS: unmodified clients in other threads and in other processes."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

import lifepod
from lifepod.assembly import virtual_clock

from .manifests import pod

START = datetime(2025, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS = 15.0
kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def in_a_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE_SECONDS)
    return not thread.is_alive()


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ------------------------------------------------------------------------------------------------ clients


def test_kubernetes_polls_in_a_thread_and_hours_go_by(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    phases: list[str] = []

    def work() -> None:
        kubernetes.config.load_kube_config()
        api = kubernetes.client.CoreV1Api()
        api.create_namespaced_pod("default", pod("web", "sleep", "7200"))
        while not phases or phases[-1] != "Succeeded":
            phases.append(api.read_namespaced_pod("web", "default").status.phase)

    assert ended(in_a_thread(work))
    assert list(dict.fromkeys(phases)) == ["Pending", "Running", "Succeeded"]
    assert kube.clock.now() - START >= timedelta(hours=2)


def test_kubernetes_finds_the_cluster_by_the_in_cluster_configuration(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    kubernetes.config.load_incluster_config()
    assert [node.metadata.name for node in kubernetes.client.CoreV1Api().list_node().items] == ["node1"]


def test_a_watch_with_a_timeout_ends_in_the_clusters_time(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    kube.apply(pod("web", "sleep", "600"))
    api = kubernetes.client.CoreV1Api(kube.client())
    seen: list[str] = []

    def work() -> None:
        events = kubernetes.watch.Watch().stream(api.list_namespaced_pod, "default", timeout_seconds=900)
        seen.extend(event["object"].status.phase for event in events)

    assert ended(in_a_thread(work))
    assert list(dict.fromkeys(seen)) == ["Pending", "Running", "Succeeded"]
    assert timedelta(minutes=15) <= kube.clock.now() - START < timedelta(minutes=16)


def test_kubernetes_asyncio(kube: lifepod.Kube) -> None:
    pytest.importorskip("kubernetes_asyncio")

    async def work() -> str:
        from kubernetes_asyncio import client, config

        config.load_incluster_config()
        async with await kube.asyncio_client() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_pod("default", pod())
            while (await core.read_namespaced_pod("web", "default")).status.phase != "Running":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with client.ApiClient() as api:
            return str((await client.CoreV1Api(api).read_namespaced_pod("web", "default")).spec.node_name)

    assert asyncio.run(work()) == "node1"


def test_kr8s_waits(kube: lifepod.Kube) -> None:
    pytest.importorskip("kr8s")
    from kr8s.objects import Pod

    web = Pod(pod(), api=kube.kr8s_client())
    web.create()
    web.wait("condition=Ready", timeout=20)
    assert web.ready()


def test_lightkube_waits(kube: lifepod.Kube) -> None:
    lightkube = pytest.importorskip("lightkube")
    from lightkube.resources.core_v1 import Node, Pod

    kube.apply(pod())
    ready = kube.lightkube_client().wait(Pod, "web", for_conditions=["Ready"], namespace="default")
    assert ready.status.phase == "Running"
    assert [node.metadata.name for node in lightkube.Client().list(Node)] == ["node1"]


@kubectl
def test_kubectl_in_a_child_process(kube: lifepod.Kube) -> None:
    run("kubectl", "run", "web", "--image=busybox", "--restart=Never", "--", "sh", "-c", "echo hello; sleep 600")
    run("kubectl", "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/web", "--timeout=20s")
    assert run("kubectl", "logs", "web") == "hello\n"
    assert "Completed" in run("kubectl", "get", "pods")
    assert kube.clock.now() - START >= timedelta(minutes=10)


@kubectl
def test_kubectl_exec_and_follow(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 60; done"))
    kube.run_until(lambda: kube.pod("web").phase == "Running")
    assert run("kubectl", "exec", "web", "--", "echo", "here") == "here\n"
    assert run("kubectl", "logs", "-f", "web") == "1\n2\n3\n"


@kubectl
def test_kubectl_exec_feeds_a_shell(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sh", "-c", "trap 'exit 5' INT; while true; do sleep 1; done"))
    kube.run_until(lambda: kube.pod("web").phase == "Running")
    shell = ("kubectl", "exec", "-i", "web", "--", "sh")
    assert run(*shell, stdin="echo $((6 * 7))\nread word\nlast\necho $word\n") == "42\nlast\n"
    assert run("kubectl", "exec", "-i", "web", "--", "cat", stdin="through and out") == "through and out"
    assert run(*shell, stdin="pgrep -u $(id -u) -f 'while true'\n") == "1\n"
    killed = subprocess.run(shell, input="kill -2 1; sleep 60; echo still here\n", capture_output=True, text=True)
    assert (killed.returncode, killed.stdout) == (137, ""), "with its first process a container's others end"
    kube.advance("1s")
    kube.pod("web").went("Running", "Failed")
    assert kube.get("pod", "web")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 5


def test_a_python_child_process(kube: lifepod.Kube) -> None:
    pytest.importorskip("kubernetes")
    script = (
        "import kubernetes\n"
        "kubernetes.config.load_kube_config()\n"
        "core = kubernetes.client.CoreV1Api()\n"
        f"core.create_namespaced_pod('default', {pod('web', 'sleep', '3600')!r})\n"
        "while core.read_namespaced_pod('web', 'default').status.phase != 'Succeeded': pass\n"
    )
    run(sys.executable, "-c", script)
    kube.pod("web").went("Pending", "Running", "Succeeded")


# ------------------------------------------------------------------------------------------------ what must not happen


def test_reading_twice_at_leisure_moves_no_time_in_manual(kube: lifepod.Kube) -> None:
    kube.clock.mode = "manual"
    kube.apply(pod("web", "sleep", "600"))
    for _ in range(5):
        assert request(kube, "/api/v1/namespaces/default/pods/web")["status"]["phase"] == "Pending"
    assert kube.clock.now() == START


def test_who_polls_a_clock_that_only_a_hand_turns_is_told_so_once(
    kube: lifepod.Kube, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(virtual_clock, "VAIN_SECONDS", 0.0)
    kube.apply(pod("web", "sleep", "600"))
    kube.clock.mode = "auto"
    for _ in range(3):
        request(kube, "/api/v1/nodes/node1")
    assert caplog.messages == []
    kube.clock.mode = "manual"
    for _ in range(3):
        request(kube, "/api/v1/nodes/node1")
    assert len(caplog.messages) == 1
    assert "GET /api/v1/nodes/node1 has been answered with the same for 0 s" in caplog.messages[0]
    assert 'kube.clock.mode = "auto"' in caplog.messages[0]


def test_a_client_left_over_from_another_test_is_refused() -> None:
    with lifepod.cluster() as kube:
        url, token, ca = kube.url, kube.token, kube.ca_pem.decode()
    with lifepod.cluster() as kube:
        assert kube.url == url, "the listener is the same"
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(f"{url}/api/v1/nodes", token, ca)
        assert refused.value.code == 401
        assert fetch(f"{url}/api/v1/nodes", kube.token, ca)["items"]


def test_clusters_open_at_once_have_listeners_of_their_own(kube: lifepod.Kube) -> None:
    with lifepod.cluster(nodes=2) as other:
        assert other.url != kube.url
        assert len(request(other, "/api/v1/nodes")["items"]) == 2
    assert len(request(kube, "/api/v1/nodes")["items"]) == 1


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with lifepod.cluster() as kube:
        assert os.environ["KUBECONFIG"] == str(kube.kubeconfig)
        kubeconfig = kube.kubeconfig
    assert os.environ["KUBECONFIG"] == "/nowhere"
    assert "KUBERNETES_SERVICE_HOST" not in os.environ
    assert not kubeconfig.exists()


def test_what_kubespawner_loaded_for_one_cluster_is_not_kept_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str | None] = []
    module = ModuleType("kubespawner.clients")
    module.load_config = functools.lru_cache(lambda: loaded.append(os.environ.get("KUBECONFIG")))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kubespawner.clients", module)
    for _ in range(2):
        with lifepod.cluster():
            module.load_config()
            module.load_config()
    module.load_config()
    assert len(loaded) == len(set(loaded)) == 3


def test_restore_ends_open_watches_with_410(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    kube.apply(pod())
    kube.advance("5s")
    before = kube.snapshot()
    api = kubernetes.client.CoreV1Api(kube.client())
    watch = api.list_namespaced_pod("default", watch=True, _preload_content=False)
    kube.delete("pod", "web", grace_seconds=0)
    kube.restore(before)
    events = [json.loads(line) for line in watch.data.splitlines()]
    assert events[-1]["type"] == "ERROR"
    assert events[-1]["object"]["code"] == 410
    assert request(kube, "/api/v1/namespaces/default/pods/web")["status"]["phase"] == "Running"


def test_a_fork_has_a_listener_of_its_own_once_it_is_asked_for(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "60"))
    kube.advance("5s")
    fork = kube.fork()
    fork.advance("10m")
    path = "/api/v1/namespaces/default/pods/web"
    assert request(fork, path)["status"]["phase"] == "Succeeded"
    assert request(kube, path)["status"]["phase"] == "Running"
    assert fork.url != kube.url


def test_watchers_see_everything_that_happens_in_an_advance(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    kube.apply(pod("web", "false", restart="Always"))
    api = kubernetes.client.CoreV1Api(kube.client())
    counts: list[int] = []

    def work() -> None:
        for event in kubernetes.watch.Watch().stream(api.list_namespaced_pod, "default"):
            statuses = event["object"].status.container_statuses or []
            counts.extend(status.restart_count for status in statuses)
            if event["type"] == "DELETED":
                return

    thread = in_a_thread(work)
    kube.clock.mode = "manual"
    while not kube.sim.plane.resources.hub.owes and len(kube.sim.plane.resources.hub) == 0:
        pass
    kube.advance("6h")
    kube.delete("pod", "web", grace_seconds=0)
    kube.advance("5s")
    assert ended(thread)
    assert sorted(set(counts)) == list(range(kube.pod("web").restarts + 1))


# ------------------------------------------------------------------------------------------------ the clock over HTTP


def test_the_clock_over_http(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "600"))
    assert request(kube, "/lifepod/clock")["now"] == "2025-01-01T00:00:00.000000Z"
    assert request(kube, "/lifepod/clock", {"advance": "10s"})["now"] == "2025-01-01T00:00:10.000000Z"
    assert request(kube, "/lifepod/clock", {"step": True})["mode"] == "manual"
    until = {"path": "/api/v1/namespaces/default/pods/web", "jsonPath": "{.status.phase}", "value": "Succeeded"}
    told = request(kube, "/lifepod/clock", {"until": until, "timeout": "1h"})
    assert told["reached"]
    assert told["now"].startswith("2025-01-01T00:10:00.0")
    assert not request(kube, "/lifepod/clock", {"until": {**until, "value": "Failed"}, "timeout": "1m"})["reached"]
    assert request(kube, "/lifepod/clock", {"mode": "60x"})["mode"] == "60x"


@pytest.mark.parametrize(
    "wish", [{}, {"advance": "soon"}, {"mode": "odd"}, {"advance": "1s", "step": True}, []], ids=str
)
def test_wishes_that_are_not_understood_are_refused(kube: lifepod.Kube, wish: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        request(kube, "/lifepod/clock", wish)
    assert refused.value.code == 400


def test_a_factor_runs_with_the_wall(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "600"))
    kube.clock.mode = "36000x"
    assert kube.run_until(lambda: kube.pod("web").phase == "Succeeded", timeout="1h")


def fetch(url: str, token: str, ca: str, body: Any = None) -> Any:
    import ssl

    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, context=ssl.create_default_context(cadata=ca)) as answer:
        return json.load(answer)


def request(kube: lifepod.Kube, path: str, body: Any = None) -> Any:
    return fetch(kube.url + path, kube.token, kube.ca_pem.decode(), body)
