"""kubernetes_asyncio and kr8s: the calls of their READMEs and guides."""

import asyncio
import urllib.request

import pytest

from .conftest import pod_of

pytestmark = pytest.mark.clients


async def _until_running(read):
    for _ in range(200):
        pod = await read()
        if pod.status.phase == "Running":
            return pod
        await asyncio.sleep(0.05)
    raise AssertionError("the pod does not run")


def test_kubernetes_asyncio(served):
    pytest.importorskip("kubernetes_asyncio")
    from kubernetes_asyncio import client, config, watch
    from kubernetes_asyncio.client.api_client import ApiClient
    from kubernetes_asyncio.stream import WsApiClient

    async def use():
        await config.load_kube_config(str(served.kubeconfig))
        async with ApiClient() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_pod("default", pod_of("async"))
            await _until_running(lambda: core.read_namespaced_pod("async", "default"))
            listed = await core.list_pod_for_all_namespaces()
            assert "async" in [item.metadata.name for item in listed.items]
            assert await core.read_namespaced_pod_log("async", "default") == "hello\n"
            seen = []
            async with watch.Watch().stream(core.list_namespaced_pod, "default", timeout_seconds=1) as stream:
                seen += [event["type"] async for event in stream]
            assert "ADDED" in seen
        async with WsApiClient() as sockets:
            said = await client.CoreV1Api(api_client=sockets).connect_get_namespaced_pod_exec(
                "async", "default", command=["echo", "said"], stderr=True, stdin=False, stdout=True, tty=False
            )
            assert said == "said\n"
        async with ApiClient() as api:
            core = client.CoreV1Api(api)
            await core.delete_namespaced_pod("async", "default", grace_period_seconds=0)
            maps = await core.list_namespaced_config_map("default", limit=1)
            assert maps.items[0].metadata.name

    asyncio.run(use())


def test_kr8s(served, port, monkeypatch):
    kr8s = pytest.importorskip("kr8s")
    from kr8s.objects import ConfigMap, Deployment, Pod

    monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
    api = kr8s.api(kubeconfig=str(served.kubeconfig))
    assert api.version()["minor"] == "34"
    pod = Pod(pod_of("kr8s", port, k="r8s"), api=api)
    pod.create()
    pod.wait("condition=Ready", timeout=10)
    assert [found.name for found in api.get("pods", label_selector={"k": "r8s"})] == ["kr8s"]
    assert list(pod.logs()) == ["hello"]
    assert pod.exec(["echo", "said"]).stdout == b"said\n"
    with pod.portforward(remote_port=port, local_port="auto") as local:
        assert urllib.request.urlopen(f"http://127.0.0.1:{local}/").status == 200
    pod.label({"new": "label"})
    pod.annotate({"new": "note"})
    assert pod.labels["new"] == "label"
    made = ConfigMap({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kr"}, "data": {"a": "1"}}, api=api)
    made.create()
    made.patch({"data": {"a": "2"}})
    made.refresh()
    assert made.data.a == "2"
    assert made.exists()
    made.delete()
    deployment = Deployment(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "krd"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "60"]}]},
                },
            },
        },
        api=api,
    )
    deployment.create()
    deployment.scale(1)
    assert deployment.replicas == 1
    deployment.delete()
    pod.delete()
    assert [node.name for node in api.get("nodes")] == ["node1"]
    assert api.whoami()
