"""pykube-ng: what its README and how-tos show."""

import subprocess
import sys

import pytest

from .conftest import pod_of
from .eventually import eventually

pykube = pytest.importorskip("pykube")

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def api(served):
    return pykube.HTTPClient(pykube.KubeConfig.from_file(str(served.kubeconfig)))


@pytest.fixture(scope="module")
def pod(api, port):
    pykube.Pod(api, pod_of("pykube", port, tier="web")).create()
    found = pykube.Pod.objects(api).filter(namespace="default").get(name="pykube")

    def ready():
        found.reload()
        return found.ready

    eventually(ready)
    return found


def deployment(name, **labels):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "60"]}]},
            },
        },
    }


def test_version_and_what_is_served(api):
    assert api.version == ("1", "34")
    names = [resource["name"] for resource in api.resource_list("apps/v1")["resources"]]
    assert {"deployments", "deployments/scale"} <= set(names)
    assert pykube.object_factory(api, "apps/v1", "Deployment").endpoint == "deployments"


def test_ready_pods_of_a_namespace_and_any_attribute(api, pod):
    assert "pykube" in [found.name for found in pykube.Pod.objects(api).filter(namespace="default") if found.ready]
    found = pykube.Pod.objects(api).filter(namespace="default").get(name="pykube")
    assert found.obj["spec"]["containers"][0]["image"] == "busybox:1.36"


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ({"selector": {"tier": "web"}}, True),
        ({"selector": {"tier__in": {"web", "worker"}}}, True),
        ({"selector": {"tier__neq": "web"}}, False),
        ({"selector": {"tier__notin": {"web", "worker"}}}, False),
        ({"field_selector": {"status.phase": "Pending"}}, False),
        ({"field_selector": {"metadata.name": "pykube"}}, True),
    ],
)
def test_selectors(api, pod, asked, is_found):
    found = [each.name for each in pykube.Pod.objects(api).filter(namespace=pykube.all, **asked)]
    assert ("pykube" in found) is is_found


def test_a_watch_of_one_job(api):
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "watched", "namespace": "default"},
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "c", "image": "busybox", "command": ["true"]}],
                }
            }
        },
    }
    pykube.Job(api, job).create()
    watch = pykube.Job.objects(api, namespace="default").filter(field_selector={"metadata.name": "watched"}).watch()
    for event in watch:
        assert isinstance(event.object, pykube.Job)
        if event.object.obj.get("status", {}).get("succeeded"):
            break
    event.object.delete(propagation_policy="Foreground")
    eventually(lambda: not event.object.exists())


def test_a_deployment_created_changed_scaled_rolled_back_and_deleted(api):
    made = pykube.Deployment(api, deployment("pyk"))
    made.create()
    found = pykube.Deployment.objects(api).get(name="pyk")
    found.labels["foo"] = "bar"
    found.obj["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:1.37"
    eventually(lambda: _updated(found))
    assert pykube.Deployment.objects(api).get(name="pyk").labels == {"foo": "bar"}
    found.scale(0)
    assert found.replicas == 0
    found.delete()
    eventually(lambda: not found.exists())


def _updated(found):
    try:
        found.update()
    except pykube.exceptions.HTTPError as conflict:
        assert conflict.code == 409, conflict  # noqa: PT017 - the controller wrote its status meanwhile
        changed = found.obj["spec"], dict(found.labels)
        found.reload()
        found.obj["spec"], found.obj["metadata"]["labels"] = changed
        return False
    return True


def test_logs_of_every_container_in_order_of_time(pod):
    lines = []
    for container in pod.obj["spec"]["containers"]:
        lines += pod.logs(container=container["name"], timestamps=True, tail_lines=100).splitlines()
    assert [line.split(" ", 1)[1] for line in sorted(lines)] == ["hello"]


def test_a_service_is_reached_by_the_servers_proxy(api, pod, port):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "behind", "namespace": "default"},
        "spec": {"selector": {"tier": "web"}, "ports": [{"port": 80, "targetPort": port}]},
    }
    pykube.Service(api, service).create()
    found = pykube.Service.objects(api).filter(namespace="default").get(name="behind")

    def answered():
        answer = found.proxy_http_get("/")
        return answer if answer.status_code == 200 else None

    assert b"Directory listing" in eventually(answered).content
    found.delete()


def test_annotations_labels_and_patches(pod):
    pod.annotations["a"] = "b"
    pod.update()
    pod.reload()
    assert pod.annotations["a"] == "b"
    pod.patch({"metadata": {"labels": {"n": "1"}}})
    assert pod.labels["n"] == "1"


def test_nodes_are_cordoned_and_uncordoned(api):
    node = pykube.Node.objects(api).get(name="node1")
    node.cordon()
    assert pykube.Node.objects(api).get(name="node1").unschedulable
    eventually(lambda: (node.reload(), [taint["key"] for taint in node.obj["spec"].get("taints", ())])[1])
    node.uncordon()
    assert not pykube.Node.objects(api).get(name="node1").unschedulable


@pytest.mark.parametrize("kind", ["ConfigMap", "CronJob", "DaemonSet", "Endpoint", "Event", "HorizontalPodAutoscaler", "Ingress", "Job", "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "PodDisruptionBudget", "ReplicaSet", "ReplicationController", "ResourceQuota", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret", "Service", "ServiceAccount", "StatefulSet", "CustomResourceDefinition"])  # fmt: skip
def test_every_kind_is_listed(api, kind):
    asked = getattr(pykube, kind, None) or getattr(pykube.objects, kind)
    group_version = asked.version
    if group_version in ("v1beta1", "v2beta1") or group_version.endswith(("/v1beta1", "/v2beta1")):
        pytest.skip(f"{group_version} is no longer served")
    assert isinstance(list(asked.objects(api)), list)


def test_the_operator_of_the_how_to(api):
    pykube.Deployment(api, deployment("marked")).create()
    found = pykube.Deployment.objects(api).get(name="marked")
    found.patch({"metadata": {"annotations": {"pykube-test-operator": "true"}}})
    for each in pykube.Deployment.objects(api, namespace=pykube.all):
        if "pykube-test-operator" in each.annotations:
            each.patch({"metadata": {"labels": {"foo": "bar"}}})
    assert pykube.Deployment.objects(api).get(name="marked").labels["foo"] == "bar"
    found.delete()


def test_the_console_runs_a_command(served, tmp_path):
    command = "print(sorted(n.name for n in Node.objects(api)))"
    env = {"KUBECONFIG": str(served.kubeconfig), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "pykube", "-c", command], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "['node1']\n"


def test_what_is_missing_raises(api):
    with pytest.raises(pykube.exceptions.ObjectDoesNotExist):
        pykube.Pod.objects(api).get(name="nosuch")
    with pytest.raises(pykube.exceptions.HTTPError) as refused:
        pykube.ConfigMap(api, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "A_B"}}).create()
    assert refused.value.code == 422
