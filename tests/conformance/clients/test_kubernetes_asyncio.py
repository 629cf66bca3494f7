"""kubernetes_asyncio: what its README and the scripts of its `examples` folder do."""

import asyncio
import functools

import pytest

from .conftest import pod_of
from .eventually import eventually_async

kubernetes_asyncio = pytest.importorskip("kubernetes_asyncio")
from kubernetes_asyncio import client, config, utils, watch  # noqa: E402
from kubernetes_asyncio.client.api_client import ApiClient  # noqa: E402
from kubernetes_asyncio.dynamic import DynamicClient  # noqa: E402
from kubernetes_asyncio.stream import WsApiClient  # noqa: E402

pytestmark = pytest.mark.clients


def with_client(test):
    """Run an async test in a loop of its own, with a client of the server."""

    @functools.wraps(test)
    def run(served):
        async def inside():
            await config.load_kube_config(str(served.kubeconfig))
            async with ApiClient() as api:
                await test(api)

        asyncio.run(inside())

    del run.__wrapped__
    return run


async def _running(core, name):
    body = pod_of(name)
    try:
        await core.create_namespaced_pod("default", body)
    except client.ApiException as exc:
        if exc.status != 409:
            raise

    async def look():
        return (await core.read_namespaced_pod(name, "default")).status.phase == "Running"

    await eventually_async(look)


@with_client
async def test_list_pods(api):
    core = client.CoreV1Api(api)
    await _running(core, "listed")
    assert "listed" in [each.metadata.name for each in (await core.list_pod_for_all_namespaces()).items]
    raw = await core.list_pod_for_all_namespaces(_preload_content=False)
    assert (await raw.json())["kind"] == "PodList"


@with_client
async def test_pod_exec_waits_or_talks(api):
    core = client.CoreV1Api(api)
    await _running(core, "execs")
    async with WsApiClient() as sockets:
        talking = client.CoreV1Api(api_client=sockets)
        said = await talking.connect_get_namespaced_pod_exec(
            "execs",
            "default",
            command=["/bin/sh", "-c", "echo out; echo err >&2"],
            stderr=True,
            stdin=False,
            stdout=True,
            tty=False,
        )
        assert sorted(said.split()) == ["err", "out"]
        opened = await talking.connect_get_namespaced_pod_exec(
            "execs",
            "default",
            command=["/bin/sh", "-c", "exit 3"],
            stderr=True,
            stdin=False,
            stdout=True,
            tty=False,
            _preload_content=False,
        )
        async with opened as websocket:
            ends = [message async for message in websocket]
        assert sockets.parse_error_data(ends[-1].data[1:].decode()) == 3


@with_client
async def test_the_three_patches_and_apply(api):
    core = client.CoreV1Api(api)
    await core.create_namespaced_config_map("default", {"metadata": {"name": "patched"}, "data": {"a": "1"}})
    kinds = {
        "application/json-patch+json": [{"op": "add", "path": "/data/b", "value": "2"}],
        "application/merge-patch+json": {"data": {"a": None}},
        "application/strategic-merge-patch+json": {"data": {"c": "3"}},
    }
    for content_type, body in kinds.items():
        patched = await core.patch_namespaced_config_map("patched", "default", body, _content_type=content_type)
    assert patched.data == {"b": "2", "c": "3"}
    applied = await core.patch_namespaced_config_map(
        "applied",
        "default",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"d": "4"}},
        field_manager="example",
        _content_type="application/apply-patch+yaml",
    )
    assert applied.data == {"d": "4"}


@with_client
async def test_tail_follows_the_logs_of_pods(api):
    core = client.CoreV1Api(api)
    await _running(core, "tailed")
    followed = await core.read_namespaced_pod_log("tailed", "default", follow=True, _preload_content=False)
    assert await asyncio.wait_for(followed.content.readline(), 5) == b"hello\n"
    followed.close()
    async with watch.Watch().stream(core.read_namespaced_pod_log, "tailed", "default") as lines:
        async for line in lines:
            assert line.rstrip() == "hello"
            break


@with_client
async def test_watches_of_namespaces_and_of_pods_side_by_side(api):
    core = client.CoreV1Api(api)

    async def names(of, *args):
        async with watch.Watch().stream(of, *args, timeout_seconds=1) as stream:
            return [event["object"].metadata.name async for event in stream]

    await _running(core, "watched")
    namespaces, pods = await asyncio.gather(names(core.list_namespace), names(core.list_namespaced_pod, "default"))
    assert "kube-system" in namespaces
    assert "watched" in pods


@with_client
async def test_create_from_yaml_and_from_a_dictionary(api):
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "y"}},
        "template": {
            "metadata": {"labels": {"app": "y"}},
            "spec": {"containers": [{"name": "c", "image": "busybox"}]},
        },
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "from-dict"}, "spec": spec}
    await utils.create_from_dict(api, body, namespace="default")
    assert (await client.AppsV1Api(api).read_namespaced_deployment("from-dict", "default")).spec.replicas == 0
    with pytest.raises(utils.FailToCreateError):
        await utils.create_from_dict(api, body, namespace="default")


@with_client
async def test_the_dynamic_client(api):
    dynamic = await DynamicClient(api)
    maps = await dynamic.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dyn"}, "data": {"a": "1"}}
    await maps.create(body=body, namespace="default")
    patched = await maps.patch(
        name="dyn", namespace="default", body={"data": {"a": "2"}}, content_type="application/merge-patch+json"
    )
    assert patched.data.a == "2"
    applied = await maps.server_side_apply(
        body={**body, "data": {"b": "3"}}, name="dyn", namespace="default", field_manager="example"
    )
    assert applied.data.to_dict() == {"a": "2", "b": "3"}
    nodes = await dynamic.resources.get(api_version="v1", kind="Node")
    table = await nodes.get(
        header_params={"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    )
    assert table.kind == "PartialObjectMetadataList"
    assert (await maps.delete(name="dyn", namespace="default")).status == "Success"


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
def test_custom_resources_of_the_dynamic_client(served, scope):
    group = f"{scope.lower()}.aio.example.com"
    keeps = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"routes.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": "routes", "singular": "route", "kind": "Route"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": keeps}}],
        },
    }

    @with_client
    async def story(api):
        dynamic = await DynamicClient(api)
        definitions = await dynamic.resources.get(
            api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
        )
        await definitions.create(body=definition)
        custom = client.CustomObjectsApi(api)

        async def served_now():
            try:
                return await custom.list_cluster_custom_object(group, "v1", "routes")
            except client.ApiException:
                return None

        await eventually_async(served_now)
        body = {"apiVersion": f"{group}/v1", "kind": "Route", "metadata": {"name": "r"}, "spec": {"a": 1}}
        if scope == "Cluster":
            await custom.create_cluster_custom_object(group, "v1", "routes", body)
        else:
            await custom.create_namespaced_custom_object(group, "v1", "default", "routes", body)
        listed = await custom.list_cluster_custom_object(group, "v1", "routes")
        assert [each["spec"] for each in listed["items"]] == [{"a": 1}]
        await definitions.delete(name=f"routes.{group}")

    story(served)


@with_client
async def test_leader_election_takes_a_lease(api):
    leaderelection = pytest.importorskip("kubernetes_asyncio.leaderelection.leaderelection")
    electionconfig = pytest.importorskip("kubernetes_asyncio.leaderelection.electionconfig")
    leaselock = pytest.importorskip("kubernetes_asyncio.leaderelection.resourcelock.leaselock")
    led = asyncio.Event()

    async def lead():
        led.set()

    async def stop():
        return

    wanted = electionconfig.Config(
        leaselock.LeaseLock("leader", "default", "one", api),
        lease_duration=17,
        renew_deadline=15,
        retry_period=5,
        onstarted_leading=lead,
        onstopped_leading=stop,
    )
    running = asyncio.ensure_future(leaderelection.LeaderElection(wanted).run())
    await asyncio.wait_for(led.wait(), 10)
    running.cancel()
    lease = await client.CoordinationV1Api(api).read_namespaced_lease("leader", "default")
    assert lease.spec.holder_identity == "one"


@with_client
async def test_errors_are_api_exceptions(api):
    with pytest.raises(client.ApiException) as missing:
        await client.CoreV1Api(api).read_namespaced_pod("nosuch", "default")
    assert missing.value.status == 404


@with_client
async def test_lists_in_pieces_and_deletions(api):
    core = client.CoreV1Api(api)
    for number in range(3):
        labels = {"metadata": {"name": f"p{number}", "labels": {"p": "p"}}}
        await core.create_namespaced_config_map("default", labels)
    first = await core.list_namespaced_config_map("default", label_selector="p=p", limit=2)
    rest = await core.list_namespaced_config_map(
        "default", label_selector="p=p", limit=2, _continue=first.metadata._continue
    )
    assert [each.metadata.name for each in [*first.items, *rest.items]] == ["p0", "p1", "p2"]
    await core.delete_collection_namespaced_config_map("default", label_selector="p=p")
    assert (await core.list_namespaced_config_map("default", label_selector="p=p")).items == []
