"""kr8s: what its pages show: client, objects, the examples (listing, inspecting, creating, modifying, pods) and asyncio."""

import asyncio
import threading
import time
import urllib.request
from base64 import b64encode

import pytest

from .conftest import free_port, pod_of
from .eventually import eventually

kr8s = pytest.importorskip("kr8s")
from kr8s.objects import (  # noqa: E402
    ConfigMap,
    Deployment,
    Ingress,
    Job,
    Node,
    Pod,
    Secret,
    Service,
    new_class,
    object_from_spec,
    objects_from_files,
)

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def api(served):
    return kr8s.api(kubeconfig=str(served.kubeconfig))


@pytest.fixture(scope="module")
def pod(api, port):
    made = Pod(pod_of("kr8s", port, tier="web"), api=api)
    made.create()
    made.wait("condition=Ready", timeout=20)
    return made


def template(name):
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "60"]}],
        },
    }


def deployment(name):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template(name)},
    }


# ------------------------------------------------------------------------------------------------ the client


def test_version_whoami_and_what_is_served(api):
    assert api.version()["minor"] == "34"
    assert api.whoami()
    names = {resource["name"]: resource for resource in api.api_resources()}
    assert names["deployments"]["shortNames"] == ["deploy"]
    assert "apps/v1" in list(api.api_versions())
    assert api.lookup_kind("deploy") == ("deployment.apps/v1", "deployments", True)


def test_clients_are_cached_by_their_arguments(served, api):
    assert kr8s.api(kubeconfig=str(served.kubeconfig)) is api
    assert kr8s.Api(kubeconfig=str(served.kubeconfig), bypass_factory=True) is not api


def test_low_level_calls(served):
    async def use():
        client = await kr8s.asyncio.api(kubeconfig=str(served.kubeconfig))
        async with client.call_api("GET", url="pods", namespace="default") as answer:
            assert answer.json()["kind"] == "PodList"
        async with client.call_api("GET", base="/version", version="") as answer:
            assert answer.json()["minor"] == "34"
        client.timeout = 10

    asyncio.run(use())


# ------------------------------------------------------------------------------------------------ listing


def test_listing_pods_and_nodes(api, pod):
    assert [node.name for node in api.get("nodes")] == ["node1"]
    assert "kr8s" in [found.name for found in api.get("pods", namespace=kr8s.ALL)]
    assert "kr8s" in [found.name for found in api.get("pods", namespace="default") if found.ready()]
    assert [found.name for found in api.get("pods", namespace=kr8s.ALL, label_selector={"tier": "web"})] == ["kr8s"]
    running = api.get("pods", namespace="default", field_selector="status.phase=Running")
    assert "kr8s" in [found.name for found in running]
    raw = list(api.get("pods", namespace="default", raw=True))
    assert {"kr8s"} <= {found["metadata"]["name"] for found in raw}
    counts = [found.status.containerStatuses[0].restartCount for found in api.get("pods", "kr8s", namespace="default")]
    assert counts == [0]


@pytest.mark.parametrize("kind", ["ing", "ingress", "ingresses", "Ingress", "ingress.networking.k8s.io", "ingress.v1.networking.k8s.io", "ingress.networking.k8s.io/v1", Ingress])  # fmt: skip
def test_every_way_to_name_a_kind(api, kind):
    assert list(api.get(kind)) == []


# ------------------------------------------------------------------------------------------------ pods


def test_logs_and_followed_logs_until_a_timeout(pod):
    assert next(pod.logs()) == "hello"
    lines = []
    with pytest.raises(kr8s.APITimeoutError):
        lines.extend(pod.logs(follow=True, timeout=0.5))
    assert lines[0] == "hello"
    assert len(list(pod.logs(container="main", tail_lines=1))) == 1


def test_exec_with_its_outputs_and_its_exit_code(pod, tmp_path):
    assert pod.exec(["echo", "said"]).stdout == b"said\n"
    done = pod.exec(["sh", "-c", "echo no >&2; exit 3"], check=False)
    assert (done.returncode, done.stderr) == (3, b"no\n")
    with pytest.raises((kr8s._exceptions.ExecError, ExceptionGroup)):  # a group with httpx-ws from 0.9 on
        pod.exec(["false"])
    with (tmp_path / "out").open("wb+") as out:
        pod.exec(["echo", "kept"], stdout=out, capture_output=False)
    assert (tmp_path / "out").read_bytes() == b"kept\n"


def test_port_forward_as_a_context_and_by_hand(pod, port):
    with pod.portforward(remote_port=port, local_port=free_port()) as local:
        assert urllib.request.urlopen(f"http://127.0.0.1:{local}/").status == 200
    forward = pod.portforward(remote_port=port, local_port=free_port())
    forward.start()
    assert eventually(lambda: _answer(forward.local_port)) == 200
    forward.stop()


def _answer(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/").status
    except OSError:  # it does not listen yet
        return None


def test_a_service_leads_to_its_ready_pods(api, pod, port):
    service = Service(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "front", "namespace": "default"},
            "spec": {"selector": {"tier": "web"}, "ports": [{"port": port, "targetPort": port}]},
        },
        api=api,
    )
    service.create()
    eventually(service.ready)
    assert [found.name for found in service.ready_pods()] == ["kr8s"]
    assert "Directory listing" in eventually(lambda: _proxied(service, port))
    with service.portforward(remote_port=port, local_port=free_port()) as local:
        assert urllib.request.urlopen(f"http://127.0.0.1:{local}/").status == 200
    service.delete()


def _proxied(service, port):
    try:
        return service.proxy_http_get("/", port=port).text
    except Exception:  # whichever library it uses: the Service has no endpoints yet
        return ""


# ------------------------------------------------------------------------------------------------ creating


def test_a_job_is_waited_for_by_either_end(api):
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["true"]}]}
    job = Job(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "done", "namespace": "default"},
            "spec": {"template": {"spec": spec}},
        },
        api=api,
    )
    job.create()
    job.wait(["condition=Complete", "condition=Failed"], timeout=20)
    assert job.status.succeeded == 1
    job.delete(propagation_policy="Background")


def test_a_secret_and_an_object_from_any_spec(api):
    data = {"password": b64encode(b"s33msi4").decode()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": data}
    secret = Secret(body, api=api)
    secret.create()
    assert secret.exists()
    assert object_from_spec(body, api=api) == secret
    secret.delete()
    eventually(lambda: not secret.exists())


def test_objects_of_a_file_are_created_and_generated_ones_too(api, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f1}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: f2}\nspec: {ports: [{port: 80}]}\n"
    )
    made = objects_from_files(path, api=api)
    for each in made:
        each.create()
    assert [each.exists() for each in made] == [True, True]
    generated = Pod.gen(generate_name="gen-", image="busybox", command=["sleep", "60"])
    generated.create()
    assert generated.name.startswith("gen-")
    generated.delete(grace_period=0)


def test_what_is_refused_is_a_server_error(api):
    with pytest.raises(kr8s.ServerError) as refused:
        Pod(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad"}, "spec": {"containers": []}}, api=api
        ).create()
    assert "spec.containers: Required value" in str(refused.value)
    with pytest.raises(kr8s.NotFoundError):
        Pod.get("nosuch", api=api)


# ------------------------------------------------------------------------------------------------ modifying


def test_labels_annotations_and_patches(pod):
    pod.label({"foo": "bar"})
    pod.annotate({"note": "1"})
    assert (pod.labels["foo"], pod.annotations["note"]) == ("bar", "1")
    pod.label(foo="baz")
    pod.patch([{"op": "replace", "path": "/metadata/labels/foo", "value": "json"}], type="json")
    assert pod.labels["foo"] == "json"
    pod.refresh()
    assert pod.labels["foo"] == "json"


def test_a_deployment_is_scaled_and_waited_for(api):
    made = Deployment(deployment("krd"), api=api)
    made.create()
    made.scale(1)
    made.wait("condition=Available", timeout=20)
    eventually(lambda: (made.refresh(), made.ready())[1])
    assert [found.metadata.labels["app"] for found in made.pods()] == ["krd"]
    made.scale(0)
    assert made.replicas == 0
    made.delete()


def test_a_node_is_cordoned(api):
    node = Node.get("node1", api=api)
    node.cordon()
    node.refresh()
    assert node.unschedulable
    node.uncordon()
    node.refresh()
    assert not node.unschedulable


def test_an_adopted_object_goes_with_its_owner(api):
    owner, child = (ConfigMap({"metadata": {"name": name}}, api=api) for name in ("owner", "child"))
    owner.create()
    child.create()
    owner.adopt(child)
    owner.delete()
    eventually(lambda: not child.exists())


# ------------------------------------------------------------------------------------------------ own kinds, watches


def test_a_class_of_ones_own_with_scale(api):
    keeps = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": keeps}}}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"scale": scale}}
    names = {"plural": "shirts", "singular": "shirt", "kind": "Shirt"}
    definition = object_from_spec(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "shirts.kr8s.example.com"},
            "spec": {"group": "kr8s.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
        },
        api=api,
    )
    definition.create()
    definition.wait("condition=Established", timeout=10)
    shirt = new_class("Shirt", version="kr8s.example.com/v1", namespaced=True, scalable=True, scalable_spec="replicas")
    made = shirt({"metadata": {"name": "s", "namespace": "default"}, "spec": {"replicas": 1}}, api=api)
    made.create()
    made.scale(3)
    assert made.replicas == 3
    assert [found.name for found in api.get("shirts.kr8s.example.com", namespace="default")] == ["s"]
    definition.delete()


def test_a_watch_as_the_labelling_operator_does(api):
    heard = []

    def listen():
        for event, found in api.watch("configmaps", namespace="default", label_selector={"heard": "yes"}):
            heard.append((event, found.name))
            if event == "DELETED":
                return

    listening = threading.Thread(target=listen)
    listening.start()
    made = ConfigMap({"metadata": {"name": "heard", "labels": {"heard": "yes"}}}, api=api)
    made.create()
    eventually(lambda: ("ADDED", "heard") in heard)
    made.patch({"data": {"a": "b"}})
    made.delete()
    listening.join(10)
    assert heard == [("ADDED", "heard"), ("MODIFIED", "heard"), ("DELETED", "heard")]


def test_the_async_api_says_the_same(served, pod):
    from kr8s.asyncio.objects import ConfigMap as AsyncConfigMap
    from kr8s.asyncio.objects import Pod as AsyncPod

    async def use():
        client = await kr8s.asyncio.api(kubeconfig=str(served.kubeconfig))
        assert "kr8s" in [found.name async for found in client.get("pods", namespace=kr8s.ALL)]
        found = await AsyncPod.get("kr8s", namespace="default", api=client)
        assert await found.ready()
        assert "hello" in [line async for line in found.logs()]
        assert (await found.exec(["echo", "said"])).stdout == b"said\n"
        made = AsyncConfigMap({"metadata": {"name": "async"}}, api=client)
        await made.create()
        await made.wait("jsonpath='{.metadata.name}'=async", timeout=5)
        async for event, seen in client.watch("configmaps", namespace="default", field_selector="metadata.name=async"):
            assert (event, seen.name) == ("ADDED", "async")
            break
        await made.delete()
        assert not await made.exists()

    asyncio.run(use())


def test_a_pod_is_deleted_and_waited_for(api):
    made = Pod(pod_of("short-lived"), api=api)
    made.create()
    made.wait("condition=Ready", timeout=20)
    started = time.monotonic()
    made.delete()
    made.wait("delete", timeout=20)
    assert time.monotonic() - started < 20
    assert not made.exists()
