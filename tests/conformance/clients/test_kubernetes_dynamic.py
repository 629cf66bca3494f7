"""The official client's dynamic client and its `utils`: what `examples/dynamic-client` and the apply examples do."""

import datetime
import itertools

import pytest

from .eventually import eventually

kubernetes = pytest.importorskip("kubernetes")
from kubernetes import client, config, utils  # noqa: E402
from kubernetes.dynamic import DynamicClient, exceptions  # noqa: E402

pytestmark = pytest.mark.clients
_numbers = itertools.count()


@pytest.fixture(scope="module")
def loaded(served):
    config.load_kube_config(str(served.kubeconfig))
    return client.ApiClient()


@pytest.fixture(scope="module")
def dynamic(loaded, tmp_path_factory):
    return DynamicClient(loaded, cache_file=str(tmp_path_factory.mktemp("cache") / "discovered"))


MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"a": "1"}}


def test_a_config_map_from_create_to_delete(dynamic):
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    made = maps.create(body=MAP, namespace="default")
    assert made.metadata.name == "map"
    assert "map" in [each.metadata.name for each in maps.get(namespace="default").items]
    patched = maps.patch(
        name="map", namespace="default", body={"data": {"a": "2"}}, content_type="application/merge-patch+json"
    )
    assert patched.data.a == "2"
    patched = maps.patch(
        name="map",
        namespace="default",
        body=[{"op": "add", "path": "/data/b", "value": "3"}],
        content_type="application/json-patch+json",
    )
    assert patched.data.to_dict() == {"a": "2", "b": "3"}
    whole = maps.get(name="map", namespace="default").to_dict()
    whole["data"] = {"only": "this"}
    assert maps.replace(body=whole, namespace="default").data.to_dict() == {"only": "this"}
    assert maps.delete(name="map", namespace="default").status == "Success"
    with pytest.raises(exceptions.NotFoundError):
        maps.get(name="map", namespace="default")


def test_an_accept_header_asks_for_the_table(dynamic):
    nodes = dynamic.resources.get(api_version="v1", kind="Node")
    table = nodes.get(header_params={"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"})
    assert table.kind == "PartialObjectMetadataList"
    assert table.items[0].spec is None
    rows = nodes.get(header_params={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    assert [column["name"] for column in rows.to_dict()["columnDefinitions"]][:2] == ["Name", "Status"]


def test_nodes_have_their_conditions(dynamic):
    (node,) = dynamic.resources.get(api_version="v1", kind="Node").get().items
    assert {c.type: c.status for c in node.status.conditions}["Ready"] == "True"
    assert node.status.nodeInfo.kubeletVersion


def test_a_service_and_its_patched_selector(dynamic):
    services = dynamic.resources.get(api_version="v1", kind="Service")
    body = {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"labels": {"name": "front"}, "name": "front"},
        "spec": {
            "ports": [{"name": "port", "port": 80, "protocol": "TCP", "targetPort": 80}],
            "selector": {"name": "front"},
        },
    }
    assert services.create(body=body, namespace="default").spec.clusterIP
    body["spec"]["ports"] = [{"name": "new", "port": 8080, "protocol": "TCP", "targetPort": 8080}]
    patched = services.patch(body=body, name="front", namespace="default")
    assert len(patched.spec.ports) == 2
    assert services.delete(name="front", body={}, namespace="default").kind == "Service"


def test_a_replication_controller(dynamic):
    controllers = dynamic.resources.get(api_version="v1", kind="ReplicationController")
    template = {
        "metadata": {"labels": {"name": "rc"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sleep", "60"]}],
        },
    }
    body = {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"labels": {"name": "rc"}, "name": "rc"},
        "spec": {"replicas": 2, "selector": {"name": "rc"}, "template": template},
    }
    controllers.create(body=body, namespace="default")
    pods = dynamic.resources.get(api_version="v1", kind="Pod")
    eventually(lambda: len(pods.get(namespace="default", label_selector="name=rc").items) == 2)
    assert controllers.get(name="rc", namespace="default").spec.replicas == 2
    controllers.delete(name="rc", body={"propagationPolicy": "Background"}, namespace="default")
    eventually(lambda: not pods.get(namespace="default", label_selector="name=rc").items)


def test_a_deployments_rolling_restart(dynamic):
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    template = {
        "metadata": {"labels": {"app": "roll"}},
        "spec": {"containers": [{"name": "c", "image": "busybox:1.36", "command": ["sleep", "60"]}]},
    }
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "roll"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "roll"}}, "template": template},
    }
    deployments.create(body=body, namespace="default")
    eventually(lambda: deployments.get(name="roll", namespace="default").status.readyReplicas == 1)
    at = datetime.datetime.now(tz=datetime.UTC).isoformat()
    template["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": at}
    patched = deployments.patch(body=body, name="roll", namespace="default")
    assert patched.metadata.generation == 2
    sets = dynamic.resources.get(api_version="apps/v1", kind="ReplicaSet")
    eventually(lambda: len(sets.get(namespace="default", label_selector="app=roll").items) == 2)
    eventually(
        lambda: (s := deployments.get(name="roll", namespace="default").status).updatedReplicas == s.readyReplicas == 1
    )
    scaled = deployments.scale.patch(
        body={"spec": {"replicas": 0}},
        name="roll",
        namespace="default",
        content_type="application/merge-patch+json",
    )
    assert scaled.kind == "Scale"
    deployments.delete(name="roll", namespace="default")


def test_a_request_timeout_of_the_client(dynamic):
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    assert maps.get(namespace="default", _request_timeout=(5, 10)).kind == "ConfigMapList"


def _definition(scope):
    group = f"test{next(_numbers)}.example.com"
    keeps = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"ingressroutes.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {
                "plural": "ingressroutes",
                "listKind": "IngressRouteList",
                "singular": "ingressroute",
                "kind": "IngressRoute",
                "shortNames": ["ir"],
            },
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": keeps}}],
        },
    }


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
def test_a_kind_defined_found_by_discovery_and_used(dynamic, scope):
    definitions = dynamic.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    definition = _definition(scope)
    made = definitions.create(definition)
    assert made.spec.scope == scope
    api_version = f"{definition['spec']['group']}/v1"
    routes = eventually(lambda: _found(dynamic, api_version))
    where = {"namespace": "default"} if scope == "Namespaced" else {}
    body = {
        "apiVersion": api_version,
        "kind": "IngressRoute",
        "metadata": {"name": "r", **where},
        "spec": {"strategy": "RoundRobin"},
    }
    routes.create(body=body, **where)
    body["spec"]["strategy"] = "Random"
    patched = routes.patch(body=body, content_type="application/merge-patch+json", **where)
    assert patched.spec.strategy == "Random"
    listed = client.CustomObjectsApi().list_cluster_custom_object(definition["spec"]["group"], "v1", "ingressroutes")
    assert [each["spec"]["strategy"] for each in listed["items"]] == ["Random"]
    assert routes.delete(name="r", **where).status == "Success"
    definitions.delete(name=definition["metadata"]["name"])
    eventually(lambda: not [d for d in definitions.get().items if d.metadata.name == definition["metadata"]["name"]])


def _found(dynamic, api_version):
    try:
        dynamic.resources.invalidate_cache()
        return dynamic.resources.get(api_version=api_version, kind="IngressRoute")
    except exceptions.ResourceNotFoundError:
        return None


def test_a_watch_recovers_from_where_it_was(dynamic):
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    seen = maps.get(namespace="default").metadata.resourceVersion
    maps.create(body={**MAP, "metadata": {"name": "recovered"}}, namespace="default")
    for event in maps.watch(namespace="default", resource_version=seen, timeout=5, allow_watch_bookmarks=True):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "recovered")
        seen = event["object"].metadata.resourceVersion
        break
    maps.delete(name="recovered", namespace="default")
    kinds = [event["type"] for event in maps.watch(namespace="default", resource_version=seen, timeout=1)]
    assert kinds == ["DELETED"]


def test_server_side_apply_conflicts_and_force(dynamic):
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    body = {**MAP, "metadata": {"name": "owned"}}
    maps.server_side_apply(body=body, name="owned", namespace="default", field_manager="one")
    other = {**body, "data": {"a": "2"}}
    with pytest.raises(exceptions.ConflictError):
        maps.server_side_apply(body=other, name="owned", namespace="default", field_manager="two")
    taken = maps.server_side_apply(
        body=other, name="owned", namespace="default", field_manager="two", force_conflicts=True
    )
    assert taken.data.a == "2"


# ------------------------------------------------------------------------------------------------ utils

YAML = """apiVersion: v1
kind: ConfigMap
metadata: {name: NAME-a}
data: {k: v}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: NAME-b}, spec: {ports: [{port: 80}]}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: NAME-c}, spec: {replicas: 0, selector: {matchLabels: {a: NAME}},
   template: {metadata: {labels: {a: NAME}}, spec: {containers: [{name: c, image: busybox}]}}}}
"""


def test_create_from_a_directory_of_files(loaded, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(YAML.replace("NAME", name))
    utils.create_from_directory(loaded, str(tmp_path), namespace="default")
    for name in ("one", "two"):
        assert client.CoreV1Api(loaded).read_namespaced_config_map(f"{name}-a", "default").data == {"k": "v"}
        assert client.AppsV1Api(loaded).read_namespaced_deployment(f"{name}-c", "default").spec.replicas == 0


def test_create_from_a_dictionary_twice_is_a_conflict(loaded):
    body = {**MAP, "metadata": {"name": "twice"}}
    utils.create_from_dict(loaded, body, namespace="default")
    with pytest.raises(utils.FailToCreateError) as refused:
        utils.create_from_dict(loaded, body, namespace="default")
    assert refused.value.api_exceptions[0].status == 409


def test_apply_of_a_file_can_be_repeated(loaded, tmp_path):
    path = tmp_path / "all.yaml"
    path.write_text(YAML.replace("NAME", "applied"))
    try:
        utils.create_from_yaml(loaded, str(path), namespace="default", apply=True)
    except TypeError:
        pytest.skip("this version of the client does not apply")
    utils.create_from_yaml(loaded, str(path), namespace="default", apply=True)
    assert client.CoreV1Api(loaded).read_namespaced_config_map("applied-a", "default").data == {"k": "v"}
