"""lightkube: what its pages show: usage, selectors, list and watch, generic and custom resources, codecs, exec."""

import asyncio

import pytest

from .conftest import pod_of
from .eventually import eventually

lightkube = pytest.importorskip("lightkube")
from lightkube import ApiError, AsyncClient, Client, KubeConfig, codecs  # noqa: E402
from lightkube import operators as op  # noqa: E402
from lightkube.core.exceptions import LoadResourceError  # noqa: E402
from lightkube.generic_resource import (  # noqa: E402
    create_namespaced_resource,
    create_resources_from_crd,
    load_in_cluster_generic_resources,
)
from lightkube.models.autoscaling_v1 import ScaleSpec  # noqa: E402
from lightkube.models.meta_v1 import ObjectMeta  # noqa: E402
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition  # noqa: E402
from lightkube.resources.apps_v1 import Deployment  # noqa: E402
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod  # noqa: E402
from lightkube.types import CascadeType, PatchType  # noqa: E402

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def config(served):
    return KubeConfig.from_file(str(served.kubeconfig))


@pytest.fixture(scope="module")
def client(config):
    return Client(config=config, field_manager="lightkube-test")


@pytest.fixture(scope="module")
def pod(client):
    client.create(Pod.from_dict(pod_of("light", tier="front")))
    return client.wait(Pod, "light", for_conditions=["Ready"], namespace="default")


def config_map(name, **data):
    return ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name=name, namespace="default"), data=data)


def test_read_list_and_wait(client, pod):
    assert client.get(Pod, name="light", namespace="default").metadata.uid == pod.metadata.uid
    assert [node.metadata.name for node in client.list(Node)] == ["node1"]
    client.wait(Node, "node1", for_conditions=["Ready"])


def test_create_replace_patch_and_set(client):
    made = client.create(config_map("made", key1="value1"))
    made.data["key1"] = "new value"
    assert client.replace(made).data == {"key1": "new value"}
    patched = client.patch(ConfigMap, name="made", obj={"data": {"key3": "value3"}}, namespace="default")
    assert patched.data == {"key1": "new value", "key3": "value3"}
    where = {"name": "made", "namespace": "default"}
    merged = client.patch(ConfigMap, obj={"data": {"key3": None}}, patch_type=PatchType.MERGE, **where)
    assert merged.data == {"key1": "new value"}
    listed = [{"op": "add", "path": "/data/j", "value": "1"}]
    assert client.patch(ConfigMap, obj=listed, patch_type=PatchType.JSON, **where).data["j"] == "1"
    assert client.set(ConfigMap, labels={"env": "prod"}, **where).metadata.labels == {"env": "prod"}
    assert client.set(ConfigMap, labels={"env": None}, **where).metadata.labels is None
    client.delete(ConfigMap, **where)
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, **where)
    assert (missing.value.status.code, missing.value.status.reason) == (404, "NotFound")


def test_a_stale_replace_is_a_conflict(client):
    made = client.create(config_map("stale", a="1"))
    client.patch(ConfigMap, "stale", {"data": {"a": "2"}}, namespace="default")
    with pytest.raises(ApiError) as refused:
        client.replace(made)
    assert refused.value.status.reason == "Conflict"


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: lk, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: lk}}
  template:
    metadata: {labels: {app: lk}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "{{image}}", command: [sleep, "60"]}]}
"""


def test_a_file_is_loaded_created_scaled_and_its_status_applied(client, tmp_path):
    path = tmp_path / "deployment.yaml"
    path.write_text(DEPLOYMENT.replace("{{image}}", "busybox:1.36"))
    with path.open() as file:
        for obj in codecs.load_all_yaml(file):
            client.create(obj)
    scale = Deployment.Scale(metadata=ObjectMeta(name="lk", namespace="default"), spec=ScaleSpec(replicas=1))
    assert client.replace(scale).spec.replicas == 1
    assert client.get(Deployment.Scale, "lk", namespace="default").spec.replicas == 1
    spec = client.get(Deployment, "lk", namespace="default").to_dict()["spec"]  # the model insists on one
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec, "status": {"collisionCount": 9}}
    status = Deployment.Status.from_dict(body)
    applied = client.apply(status, name="lk", namespace="default", force=True)
    assert applied.status.collisionCount == 9
    text = codecs.dump_all_yaml([client.get(Deployment, "lk", namespace="default")])
    assert "name: lk" in text
    client.delete(Deployment, "lk", namespace="default", cascade=CascadeType.FOREGROUND)
    eventually(lambda: not list(client.list(Deployment, namespace="default")))


def test_server_side_apply_owns_what_it_says(client):
    wanted = config_map("applied", key1="value1", key2="value2")
    assert client.apply(wanted).data == {"key1": "value1", "key2": "value2"}
    del wanted.data["key1"]
    wanted.data["key3"] = "value3"
    assert client.apply(wanted).data == {"key2": "value2", "key3": "value3"}
    with pytest.raises(ApiError) as refused:
        client.apply(config_map("applied", key3="other"), field_manager="somebody")
    assert refused.value.status.code == 409
    forced = client.apply(config_map("applied", key3="other"), field_manager="somebody", force=True)
    assert forced.data == {"key2": "value2", "key3": "other"}


def test_a_watch_after_a_list_misses_nothing(client):
    listed = client.list(ConfigMap, namespace="default")
    names = [found.metadata.name for found in listed]
    client.create(config_map("watched", a="1"))
    client.delete(ConfigMap, "watched", namespace="default")
    seen = []
    for event, found in client.watch(ConfigMap, namespace="default", resource_version=listed.resourceVersion):
        seen.append((event, found.metadata.name))
        if event == "DELETED":
            break
    assert "watched" not in names
    assert seen == [("ADDED", "watched"), ("DELETED", "watched")]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"tier": "front"}, True),
        ({"tier": "front", "app": None}, True),
        ({"tier": ("front", "back")}, True),
        ({"tier": op.not_exists()}, False),
        ({"tier": op.not_equal("front")}, False),
        ({"tier": op.not_in(["front", "back"])}, False),
        ({"no": op.not_equal("front")}, True),
    ],
)
def test_label_selectors(client, pod, labels, found):
    assert bool(list(client.list(Pod, namespace="default", labels=labels))) is found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"metadata.name": "light"}, True),
        ({"status.phase": "Pending"}, False),
        ({"status.phase": "Running"}, True),
        ({"metadata.namespace": op.not_equal("default")}, False),
        ({"metadata.name": op.not_in(["light", "other"])}, False),
    ],
)
def test_field_selectors_in_all_namespaces(client, pod, fields, found):
    assert bool(list(client.list(Pod, namespace="*", fields=fields))) is found


def test_lists_in_pieces(client):
    for number in range(5):
        client.create(ConfigMap(metadata=ObjectMeta(name=f"piece-{number}", namespace="default", labels={"p": "p"})))
    listed = client.list(ConfigMap, namespace="default", labels={"p": "p"}, chunk_size=2)
    assert [found.metadata.name for found in listed] == [f"piece-{number}" for number in range(5)]
    client.deletecollection(ConfigMap, namespace="default")
    assert list(client.list(ConfigMap, namespace="default", labels={"p": "p"})) == []


def test_logs(client, pod):
    assert list(client.log("light", namespace="default")) == ["hello\n"]
    followed = client.log("light", namespace="default", follow=True)
    assert next(followed) == "hello\n"
    assert list(client.log("light", namespace="default", tail_lines=1, since=60)) == ["hello\n"]


def test_exec(client, pod):
    if not hasattr(client, "exec"):
        pytest.skip("this version of lightkube has no exec")
    said = client.exec("light", namespace="default", command=["sh", "-c", "echo out; echo err >&2; exit 3"], stdout=True, stderr=True)  # fmt: skip
    assert (said.stdout, said.stderr, said.exit_code) == ("out\n", "err\n", 3)
    answered = client.exec("light", namespace="default", command=["cat"], stdin="typed", stdout=True)
    assert answered.stdout == "typed"


def _definition(group, *versions):
    keeps = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": keeps, "status": keeps}}}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    return CustomResourceDefinition.from_dict(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"crontabs.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"},
                "versions": [
                    {
                        "name": version,
                        "served": True,
                        "storage": version == versions[0],
                        "schema": schema,
                        "subresources": {"status": {}, "scale": scale},
                    }
                    for version in versions
                ],
            },
        }
    )


def test_generic_resources_with_status_and_scale(client):
    client.create(_definition("stable.example.com", "v1"))
    client.wait(CustomResourceDefinition, "crontabs.stable.example.com", for_conditions=["Established"])
    cron_tab = create_namespaced_resource("stable.example.com", "v1", "CronTab", "crontabs")
    client.create(cron_tab(metadata={"name": "job", "namespace": "default"}, spec={"replicas": 2}))
    found = client.get(cron_tab, name="job", namespace="default")
    assert (found["spec"], found.metadata.name, found.kind) == ({"replicas": 2}, "job", "CronTab")
    status = {"status": {"replicas": 1}}
    patched = client.patch(cron_tab.Status, "job", status, namespace="default", patch_type=PatchType.MERGE)
    assert patched.status == {"replicas": 1}
    assert client.get(cron_tab.Scale, "job", namespace="default").spec.replicas == 2
    client.delete(cron_tab, "job", namespace="default")


def test_generic_resources_are_loaded_from_the_cluster(client):
    definition = _definition("loaded.example.com", "v1", "v2")
    client.create(definition)
    text = "{apiVersion: loaded.example.com/v2, kind: CronTab, metadata: {name: c, namespace: default}, spec: {a: 1}}"
    with pytest.raises(LoadResourceError):
        codecs.load_all_yaml(text)
    load_in_cluster_generic_resources(client)
    (obj,) = codecs.load_all_yaml(text)
    assert client.create(obj)["spec"] == {"a": 1}
    create_resources_from_crd(definition)
    assert client.get(create_namespaced_resource("loaded.example.com", "v1", "CronTab", "crontabs"), "c", namespace="default")["spec"] == {"a": 1}  # fmt: skip


def test_the_async_client_says_the_same(config, pod):
    async def use():
        client = AsyncClient(config=config, field_manager="lightkube-async")
        assert (await client.get(Pod, name="light", namespace="default")).metadata.name == "light"
        assert [node.metadata.name async for node in client.list(Node)] == ["node1"]
        made = await client.create(config_map("async", a="1"))
        made.data["a"] = "2"
        assert (await client.replace(made)).data == {"a": "2"}
        assert (await client.apply(config_map("async-applied", b="1"))).data == {"b": "1"}
        async for event, found in client.watch(ConfigMap, namespace="default", fields={"metadata.name": "async"}):
            assert (event, found.data) == ("ADDED", {"a": "2"})
            break
        assert [line async for line in client.log("light", namespace="default")] == ["hello\n"]
        await client.wait(Pod, "light", for_conditions=["Ready"], namespace="default")
        await client.delete(ConfigMap, "async", namespace="default")
        with pytest.raises(ApiError):
            await client.get(ConfigMap, "async", namespace="default")
        await client.close()

    asyncio.run(use())


def test_a_namespace_is_gone_when_its_contents_are(client):
    client.create(Namespace(metadata=ObjectMeta(name="short")))
    client.create(ConfigMap(metadata=ObjectMeta(name="in-it", namespace="short")))
    client.delete(Namespace, "short")
    eventually(lambda: "short" not in [found.metadata.name for found in client.list(Namespace)])
