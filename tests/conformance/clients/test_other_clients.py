"""lightkube, pykube-ng and kopf: the calls of their own documentation."""

import subprocess
import sys
import time

import pytest

from .conftest import pod_of

pytestmark = pytest.mark.clients


def test_lightkube(served):
    pytest.importorskip("lightkube")
    from lightkube import ApiError, Client, KubeConfig
    from lightkube.generic_resource import create_namespaced_resource
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import ConfigMap, Node, Pod
    from lightkube.types import PatchType

    client = Client(config=KubeConfig.from_file(str(served.kubeconfig)), field_manager="lightkube-test")
    client.create(Pod.from_dict(pod_of("light")))
    client.wait(Pod, "light", for_conditions=["Ready"], namespace="default")
    assert "light" in [pod.metadata.name for pod in client.list(Pod, namespace="default")]
    assert [node.metadata.name for node in client.list(Node)] == ["node1"]
    assert list(client.log("light", namespace="default")) == ["hello\n"]
    made = client.create(ConfigMap(metadata=ObjectMeta(name="lk", namespace="default"), data={"k": "v"}))
    made.data = {"k": "w"}
    assert client.replace(made).data == {"k": "w"}
    assert client.patch(ConfigMap, "lk", {"data": {"n": "1"}}, namespace="default").data == {"k": "w", "n": "1"}
    patched = client.patch(
        ConfigMap, "lk", [{"op": "remove", "path": "/data/n"}], patch_type=PatchType.JSON, namespace="default"
    )
    assert patched.data == {"k": "w"}
    applied = ConfigMap(metadata=ObjectMeta(name="ap", namespace="default"), data={"a": "1"})
    assert client.apply(applied).data == {"a": "1"}
    for event, each in client.watch(ConfigMap, namespace="default", fields={"metadata.name": "ap"}):
        assert (event, each.metadata.name) == ("ADDED", "ap")
        break
    client.delete(ConfigMap, "lk", namespace="default")
    with pytest.raises(ApiError) as missing:
        client.get(Deployment, "nosuch", namespace="default")
    assert missing.value.status.code == 404
    generic = create_namespaced_resource("apps", "v1", "Deployment", "deployments")
    assert list(client.list(generic, namespace="default")) == []
    client.deletecollection(ConfigMap, namespace="default")
    assert list(client.list(ConfigMap, namespace="default", labels={"no": "such"})) == []


def test_pykube(served):
    pykube = pytest.importorskip("pykube")
    api = pykube.HTTPClient(pykube.KubeConfig.from_file(str(served.kubeconfig)))
    assert api.version[0] == "1"
    pykube.Pod(api, pod_of("pykube", p="k")).create()
    pod = pykube.Pod.objects(api).filter(namespace="default", selector={"p": "k"}).get(name="pykube")
    for _ in range(200):
        pod.reload()
        if pod.ready:
            break
        time.sleep(0.05)
    assert pod.ready
    assert pod.logs() == "hello\n"
    pod.annotations["a"] = "b"
    pod.update()
    pod.reload()
    assert pod.annotations["a"] == "b"
    pod.patch({"metadata": {"labels": {"n": "1"}}})
    assert pod.labels["n"] == "1"
    assert [node.name for node in pykube.Node.objects(api)] == ["node1"]
    pod.delete(propagation_policy="Background")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "pyk", "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "p"}},
            "template": {
                "metadata": {"labels": {"a": "p"}},
                "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "60"]}]},
            },
        },
    }
    pykube.Deployment(api, deployment).create()
    found = pykube.Deployment.objects(api).get_by_name("pyk")
    found.scale(0)
    assert found.replicas == 0
    found.delete()


OPERATOR = """
import kopf

@kopf.on.startup()
def configure(settings, **_):
    settings.posting.enabled = True

@kopf.on.create("kopfexamples")
def create_fn(spec, name, logger, patch, **_):
    logger.info("made %s", name)
    kopf.info({"kind": "KopfExample", "apiVersion": "kopf.dev/v1", "metadata": {"name": name, "namespace": "default"}}, reason="Seen", message="seen")
    return {"size": spec.get("size")}

@kopf.on.update("kopfexamples", field="spec.size")
def resized(old, new, patch, **_):
    patch.status["resized"] = f"{old} to {new}"

@kopf.on.delete("kopfexamples")
def gone(name, **_):
    pass
"""


def test_a_kopf_operator_from_start_to_end(served, tmp_path):
    pytest.importorskip("kopf")
    pytest.importorskip("kubernetes")
    from kubernetes import client, config

    config.load_kube_config(str(served.kubeconfig))
    extensions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    keeps = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": keeps, "status": keeps}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "kopfexamples", "singular": "kopfexample", "kind": "KopfExample"}
    extensions.create_custom_resource_definition(
        {
            "metadata": {"name": "kopfexamples.kopf.dev"},
            "spec": {"group": "kopf.dev", "scope": "Namespaced", "names": names, "versions": [version]},
        }
    )
    path = tmp_path / "operator.py"
    path.write_text(OPERATOR)
    log = (tmp_path / "log").open("w+")
    env = {"KUBECONFIG": str(served.kubeconfig), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    running = subprocess.Popen(
        [sys.executable, "-m", "kopf", "run", "--standalone", "-n", "default", str(path)],
        env=env,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    at = ("kopf.dev", "v1", "default", "kopfexamples")

    def until(holds):
        for _ in range(300):
            found = custom.get_namespaced_custom_object(*at, "obj")
            if holds(found):
                return found
            time.sleep(0.05)
        log.seek(0)
        raise AssertionError(f"{found}\n{log.read()[-3000:]}")

    try:
        body = {"apiVersion": "kopf.dev/v1", "kind": "KopfExample", "metadata": {"name": "obj"}, "spec": {"size": 1}}
        custom.create_namespaced_custom_object(*at, body)
        made = until(lambda obj: (obj.get("status") or {}).get("create_fn"))
        assert made["status"]["create_fn"] == {"size": 1}
        assert made["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
        custom.patch_namespaced_custom_object(*at, "obj", {"spec": {"size": 2}})
        until(lambda obj: (obj.get("status") or {}).get("resized") == "1 to 2")
        custom.delete_namespaced_custom_object(*at, "obj")
        for _ in range(200):
            if not custom.list_namespaced_custom_object(*at)["items"]:
                break
            time.sleep(0.05)
        assert custom.list_namespaced_custom_object(*at)["items"] == []
        assert any(e.reason == "Seen" for e in client.CoreV1Api().list_namespaced_event("default").items)
    finally:
        running.terminate()
        running.wait(20)
        log.close()
