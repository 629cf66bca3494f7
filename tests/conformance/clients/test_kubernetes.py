"""The official client `kubernetes`: the calls of its README and examples folder."""

import time

import pytest

from .conftest import pod_of

kubernetes = pytest.importorskip("kubernetes")
from kubernetes import client, config, dynamic, utils, watch  # noqa: E402
from kubernetes.stream import portforward, stream  # noqa: E402

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def core(served):
    config.load_kube_config(str(served.kubeconfig))
    return client.CoreV1Api()


def _running(core, name):
    for _ in range(200):
        pod = core.read_namespaced_pod(name, "default")
        if pod.status.phase == "Running" and all(c.ready for c in pod.status.container_statuses or ()):
            return pod
        time.sleep(0.05)
    raise AssertionError(pod.status)


@pytest.fixture(scope="module")
def pod(core, port):
    core.create_namespaced_pod("default", pod_of("busy", port))
    return _running(core, "busy")


def test_lists_of_everything_parse_into_models(core, pod):
    assert "busy" in [item.metadata.name for item in core.list_pod_for_all_namespaces(watch=False).items]
    assert [item.metadata.name for item in core.list_node().items] == ["node1"]
    assert core.list_namespaced_event("default").items
    assert core.list_namespaced_service("default").items[0].spec.cluster_ip
    assert client.StorageV1Api().list_storage_class().items is not None
    assert client.CoordinationV1Api().list_lease_for_all_namespaces().items
    assert client.VersionApi().get_code().minor == "34"
    assert "batch" in [group.name for group in client.ApisApi().get_api_versions().groups]


def test_a_watch_tells_of_what_happens(core):
    watcher = watch.Watch()
    seen = []
    core.create_namespaced_config_map("default", {"metadata": {"name": "watched"}})
    for event in watcher.stream(core.list_namespaced_config_map, "default", timeout_seconds=5):
        seen.append((event["type"], event["object"].metadata.name))
        if ("ADDED", "watched") in seen and event["type"] == "ADDED":
            core.delete_namespaced_config_map("watched", "default")
        if event["type"] == "DELETED":
            watcher.stop()
    assert seen[-1] == ("DELETED", "watched")


def test_logs_and_exec(core, pod):
    assert core.read_namespaced_pod_log("busy", "default") == "hello\n"
    said = stream(
        core.connect_get_namespaced_pod_exec,
        "busy",
        "default",
        command=["/bin/sh", "-c", "echo this goes to stderr >&2; echo out"],
        stderr=True,
        stdin=False,
        stdout=True,
        tty=False,
    )
    assert sorted(said.split("\n")) == ["", "out", "this goes to stderr"]


def test_an_interactive_exec_with_its_exit_code(core, pod):
    shell = stream(
        core.connect_get_namespaced_pod_exec,
        "busy",
        "default",
        command=["/bin/sh"],
        stderr=True,
        stdin=True,
        stdout=True,
        tty=False,
        _preload_content=False,
    )
    shell.write_stdin("echo one\n")
    assert shell.readline_stdout(timeout=5) == "one"
    shell.write_stdin("exit 3\n")
    shell.run_forever(timeout=5)
    assert shell.returncode == 3


def test_port_forward(core, pod, port):
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, "busy", "default", ports=str(port))
    socket = forwarded.socket(port)
    socket.setblocking(True)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = socket.recv(20)
    assert answer.startswith(b"HTTP/1.0 200")
    assert forwarded.error(port) is None


def test_deployments_are_created_patched_restarted_and_deleted(served):
    config.load_kube_config(str(served.kubeconfig))
    apps = client.AppsV1Api()
    container = client.V1Container(name="nginx", image="busybox", command=["sleep", "60"])
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "nginx"}), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(
        replicas=0, template=template, selector=client.V1LabelSelector(match_labels={"app": "nginx"})
    )
    body = client.V1Deployment(metadata=client.V1ObjectMeta(name="nginx"), spec=spec)
    apps.create_namespaced_deployment("default", body)
    body.spec.template.spec.containers[0].image = "busybox:1.36"
    patched = apps.patch_namespaced_deployment("nginx", "default", body)
    assert patched.spec.template.spec.containers[0].image == "busybox:1.36"
    scaled = apps.patch_namespaced_deployment_scale("nginx", "default", {"spec": {"replicas": 0}})
    assert scaled.spec.replicas in (0, None)
    apps.delete_namespaced_deployment(
        "nginx", "default", body=client.V1DeleteOptions(propagation_policy="Foreground", grace_period_seconds=0)
    )
    for _ in range(100):
        if not apps.list_namespaced_deployment("default").items:
            break
        time.sleep(0.05)
    assert apps.list_namespaced_deployment("default").items == []


def test_jobs_run_to_their_end(core):
    batch = client.BatchV1Api()
    container = client.V1Container(name="pi", image="busybox", command=["sh", "-c", "echo 3.14"])
    template = client.V1PodTemplateSpec(spec=client.V1PodSpec(restart_policy="Never", containers=[container]))
    batch.create_namespaced_job(
        "default",
        client.V1Job(
            metadata=client.V1ObjectMeta(name="pi"), spec=client.V1JobSpec(template=template, backoff_limit=4)
        ),
    )
    for _ in range(200):
        status = batch.read_namespaced_job_status("pi", "default").status
        if status.succeeded:
            break
        time.sleep(0.05)
    assert status.succeeded == 1
    batch.delete_namespaced_job("pi", "default", propagation_policy="Background")


def test_refusals_are_api_exceptions(core):
    with pytest.raises(client.exceptions.ApiException) as missing:
        core.read_namespaced_pod("nosuch", "default")
    assert (missing.value.status, missing.value.reason) == (404, "Not Found")
    with pytest.raises(client.exceptions.ApiException) as twice:
        core.create_namespace({"metadata": {"name": "default"}})
    assert twice.value.status == 409


def test_the_dynamic_client_and_server_side_apply(served, core):
    dynamic_client = dynamic.DynamicClient(client.ApiClient())
    maps = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    made = maps.server_side_apply(body=body, name="applied", namespace="default", field_manager="test")
    assert made.data.a == "1"
    maps.patch(
        body={"data": {"b": "2"}}, name="applied", namespace="default", content_type="application/merge-patch+json"
    )
    assert maps.get(name="applied", namespace="default").data.to_dict() == {"a": "1", "b": "2"}
    assert [item.metadata.name for item in maps.get(namespace="default", label_selector="no=such").items] == []
    maps.delete(name="applied", namespace="default")


def test_yaml_files_are_created(served, core, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y1}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: y2}\nstringData: {k: v}\n"
    )
    utils.create_from_yaml(client.ApiClient(), str(path), namespace="default")
    assert core.read_namespaced_secret("y2", "default").data == {"k": "dg=="}
    core.delete_collection_namespaced_secret("default", label_selector="none=of-them")
    core.delete_namespaced_config_map("y1", "default")


def test_custom_objects(core):
    extensions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "shirts", "singular": "shirt", "kind": "Shirt"}
    extensions.create_custom_resource_definition(
        {
            "metadata": {"name": "shirts.stable.example.com"},
            "spec": {"group": "stable.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
        }
    )
    at = ("stable.example.com", "v1", "default", "shirts")
    custom.create_namespaced_custom_object(
        *at,
        {"apiVersion": "stable.example.com/v1", "kind": "Shirt", "metadata": {"name": "s"}, "spec": {"color": "blue"}},
    )
    patched = custom.patch_namespaced_custom_object(*at, "s", {"spec": {"size": "M"}})
    assert patched["spec"] == {"color": "blue", "size": "M"}
    assert custom.list_namespaced_custom_object(*at)["items"][0]["kind"] == "Shirt"
    custom.delete_namespaced_custom_object(*at, "s")


def test_leader_election_takes_its_lock(core):
    pytest.importorskip("kubernetes.leaderelection")
    from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

    lock = ConfigMapLock("leader", "default", "me")
    found, _ = lock.get("leader", "default")
    assert found is False
