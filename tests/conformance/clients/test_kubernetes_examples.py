"""The official client `kubernetes`: what the scripts and notebooks of its `examples` folder do, one test a script.

`test_kubernetes.py` has what its README shows: lists, watches, logs, exec, port-forward, deployments, jobs.
"""

import base64
import datetime
import socket
import threading
import urllib.request

import pytest

from .conftest import pod_of
from .eventually import eventually

kubernetes = pytest.importorskip("kubernetes")
from kubernetes import client, config, utils, watch  # noqa: E402
from kubernetes.stream import portforward  # noqa: E402

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def core(served):
    config.load_kube_config(str(served.kubeconfig))
    return client.CoreV1Api()


@pytest.fixture(scope="module")
def pod(core, port):
    core.create_namespaced_pod("default", pod_of("busy", port))

    def running():
        found = core.read_namespaced_pod("busy", "default")
        statuses = found.status.container_statuses
        return found if found.status.phase == "Running" and statuses and all(c.ready for c in statuses) else None

    return eventually(running)


def _template(name):
    container = client.V1Container(
        name=name,
        image="busybox:1.36",
        command=["sleep", "60"],
        ports=[client.V1ContainerPort(container_port=80)],
        resources=client.V1ResourceRequirements(requests={"cpu": "10m", "memory": "20Mi"}),
    )
    return client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": name}), spec=client.V1PodSpec(containers=[container])
    )


def _deployment(name, replicas=0):
    spec = client.V1DeploymentSpec(
        replicas=replicas, template=_template(name), selector=client.V1LabelSelector(match_labels={"app": name})
    )
    return client.V1Deployment(
        api_version="apps/v1", kind="Deployment", metadata=client.V1ObjectMeta(name=name), spec=spec
    )


def test_annotate_deployment(core):
    apps = client.AppsV1Api()
    apps.create_namespaced_deployment("default", _deployment("annotated"))
    patched = apps.patch_namespaced_deployment(
        "annotated", "default", {"metadata": {"annotations": {"a": "1", "b": "2"}}}
    )
    assert patched.metadata.annotations.items() >= {"a": "1", "b": "2"}.items()
    patched = apps.patch_namespaced_deployment("annotated", "default", {"metadata": {"annotations": {"a": None}}})
    assert "a" not in patched.metadata.annotations
    apps.delete_namespaced_deployment("annotated", "default")


def test_api_discovery(core):
    assert client.CoreApi().get_api_versions().versions == ["v1"]
    groups = {group.name: group for group in client.ApisApi().get_api_versions().groups}
    assert groups["apps"].preferred_version.group_version == "apps/v1"
    assert [version.version for version in groups["autoscaling"].versions] == ["v2", "v1"]
    assert client.CoreV1Api().get_api_resources().resources


def test_deployment_crud_restarts_and_replaces(core):
    apps = client.AppsV1Api()
    mine = _deployment("crud")
    apps.create_namespaced_deployment("default", mine)
    mine.spec.template.spec.containers[0].image = "busybox:1.37"
    patched = apps.patch_namespaced_deployment("crud", "default", mine)
    assert patched.metadata.generation == 2
    at = datetime.datetime.now(tz=datetime.UTC).isoformat()
    mine.spec.template.metadata.annotations = {"kubectl.kubernetes.io/restartedAt": at}
    patched = apps.patch_namespaced_deployment("crud", "default", mine)
    assert patched.spec.template.metadata.annotations == {"kubectl.kubernetes.io/restartedAt": at}
    mine.metadata.labels = {"replaced": "yes"}
    assert apps.replace_namespaced_deployment("crud", "default", mine).metadata.labels == {"replaced": "yes"}
    options = client.V1DeleteOptions(propagation_policy="Foreground", grace_period_seconds=5)
    apps.delete_namespaced_deployment("crud", "default", body=options)
    eventually(lambda: not [d for d in apps.list_namespaced_deployment("default").items if d.metadata.name == "crud"])


def test_cronjob_crud(core):
    batch = client.BatchV1Api()
    job = client.V1JobTemplateSpec(
        spec=client.V1JobSpec(
            template=client.V1PodTemplateSpec(
                spec=client.V1PodSpec(
                    restart_policy="Never",
                    containers=[client.V1Container(name="c", image="busybox", command=["true"])],
                )
            )
        )
    )
    spec = client.V1CronJobSpec(schedule="0 0 1 1 *", job_template=job)
    made = batch.create_namespaced_cron_job(
        "default", client.V1CronJob(metadata=client.V1ObjectMeta(name="cron"), spec=spec)
    )
    assert (made.spec.concurrency_policy, made.spec.suspend) == ("Allow", False)
    made.spec.suspend = True
    assert batch.patch_namespaced_cron_job("cron", "default", made).spec.suspend is True
    assert [each.metadata.name for each in batch.list_namespaced_cron_job("default").items] == ["cron"]
    status = batch.delete_namespaced_cron_job("cron", "default", propagation_policy="Background")
    assert getattr(status, "status", None) == "Success" or status["status"] == "Success"


def test_ingress_create(core):
    ports = [client.V1ServicePort(port=5678, target_port=5678)]
    core.create_namespaced_service(
        "default",
        client.V1Service(
            metadata=client.V1ObjectMeta(name="backend"),
            spec=client.V1ServiceSpec(selector={"app": "deployment"}, ports=ports),
        ),
    )
    backend = client.V1IngressBackend(
        service=client.V1IngressServiceBackend(name="backend", port=client.V1ServiceBackendPort(number=5678))
    )
    path = client.V1HTTPIngressPath(path="/", path_type="Exact", backend=backend)
    rule = client.V1IngressRule(host="example.com", http=client.V1HTTPIngressRuleValue(paths=[path]))
    networking = client.NetworkingV1Api()
    made = networking.create_namespaced_ingress(
        "default",
        client.V1Ingress(
            metadata=client.V1ObjectMeta(
                name="ingress", annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/"}
            ),
            spec=client.V1IngressSpec(rules=[rule]),
        ),
    )
    assert made.spec.rules[0].http.paths[0].backend.service.port.number == 5678
    networking.delete_namespaced_ingress("ingress", "default")
    assert core.delete_namespaced_service("backend", "default").spec.ports[0].port == 5678


def test_node_labels_are_set_and_taken_away(core):
    for node in core.list_node().items:
        core.patch_node(node.metadata.name, {"metadata": {"labels": {"foo": "bar", "baz": "1"}}})
        patched = core.patch_node(node.metadata.name, {"metadata": {"labels": {"foo": "bar", "baz": None}}})
        assert patched.metadata.labels["foo"] == "bar"
        assert "baz" not in patched.metadata.labels


def test_contexts_are_listed_picked_and_used_side_by_side(served, pod):
    contexts, active = config.list_kube_config_contexts(str(served.kubeconfig))
    names = [context["name"] for context in contexts]
    assert active["name"] in names
    first, second = (config.new_client_from_config(str(served.kubeconfig), context=names[0]) for _ in range(2))
    for each in (first, second):
        assert "busy" in [item.metadata.name for item in client.CoreV1Api(each).list_pod_for_all_namespaces().items]


def test_out_of_cluster_config_from_a_dictionary_with_certificates_on_disk(served):
    import orjson

    config.load_kube_config_from_dict(orjson.loads(served.kubeconfig.read_bytes()))
    assert client.CoreV1Api().list_namespace().items


def _token(core, name):
    core.create_namespaced_service_account("default", {"metadata": {"name": name}})
    client.RbacAuthorizationV1Api().create_cluster_role_binding(
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        }
    )
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    return core.create_namespaced_service_account_token(name, "default", request).status.token


def test_remote_cluster_by_bearer_token(core, pod):
    wanted = client.Configuration()
    wanted.host, wanted.verify_ssl = client.Configuration.get_default_copy().host, False
    wanted.api_key = {"authorization": "Bearer " + _token(core, "remote")}
    with client.ApiClient(wanted) as remote:
        listed = client.CoreV1Api(remote).list_pod_for_all_namespaces(watch=False)
        assert "busy" in [item.metadata.name for item in listed.items]
        with pytest.raises(client.exceptions.ApiException) as refused:
            client.CoreV1Api(remote).delete_namespaced_pod("busy", "default")
    assert refused.value.status == 403


def test_in_cluster_config_of_a_service_account(core, pod, tmp_path, monkeypatch):
    from urllib.parse import urlsplit

    from kubernetes.config import incluster_config

    mine = client.Configuration.get_default_copy()
    where = urlsplit(mine.host)
    (tmp_path / "token").write_text(_token(core, "inside"))
    authority = tmp_path / "ca.crt"
    with open(mine.ssl_ca_cert) as file:
        authority.write_text(file.read())
    environ = {"KUBERNETES_SERVICE_HOST": where.hostname, "KUBERNETES_SERVICE_PORT": str(where.port)}
    loader = incluster_config.InClusterConfigLoader(str(tmp_path / "token"), str(authority), environ=environ)
    wanted = client.Configuration()
    loader.load_and_set(wanted)
    with client.ApiClient(wanted) as inside:
        assert "busy" in [item.metadata.name for item in client.CoreV1Api(inside).list_namespaced_pod("default").items]


def test_pod_logs_of_each_container(core, pod):
    for found in core.list_namespaced_pod("default", field_selector="metadata.name=busy").items:
        for container in found.spec.containers:
            log = core.read_namespaced_pod_log("busy", "default", container=container.name, tail_lines=5)
            assert log == "hello\n"
    assert core.read_namespaced_pod_log("busy", "default", timestamps=True)[:2] == "20"


def test_pod_logs_non_blocking(core, pod):
    followed = core.read_namespaced_pod_log("busy", "default", follow=True, _preload_content=False)
    assert followed.readline() == b"hello\n"
    stopped = threading.Event()
    reader = threading.Thread(target=lambda: (followed.read(1024), stopped.set()))
    reader.start()
    assert not stopped.wait(0.2)  # the container goes on, and so does its log
    followed._connection.sock.shutdown(socket.SHUT_RDWR)
    reader.join(5)
    assert not reader.is_alive()


def test_pod_portforward_under_urllib(core, pod, port, monkeypatch):
    usual = socket.create_connection

    def connect(address, *args, **kwargs):
        name = address[0].split(".")
        if name[-1] != "kubernetes":
            return usual(address, *args, **kwargs)
        forwarded = portforward(core.connect_get_namespaced_pod_portforward, name[0], name[1], ports=str(address[1]))
        return forwarded.socket(address[1])

    monkeypatch.setattr(socket, "create_connection", connect)
    with urllib.request.urlopen(f"http://busy.default.kubernetes:{port}/") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("kind", ["daemon_set", "stateful_set"])
def test_rollouts_to_an_earlier_revision(core, kind):
    apps = client.AppsV1Api()
    template, selector = _template(kind.replace("_", "")), {"matchLabels": {"app": kind.replace("_", "")}}
    spec = {"selector": selector, "template": client.ApiClient().sanitize_for_serialization(template)}
    if kind == "stateful_set":
        spec |= {"serviceName": "none", "replicas": 0}
        name, create, patch = "sts", apps.create_namespaced_stateful_set, apps.patch_namespaced_stateful_set
    else:
        spec["template"]["spec"]["nodeSelector"] = {"no": "node"}
        name, create, patch = "ds", apps.create_namespaced_daemon_set, apps.patch_namespaced_daemon_set
    create("default", {"metadata": {"name": name}, "spec": spec})
    changed = {"spec": {"template": {"spec": {"containers": [{"name": spec_name(spec), "image": "busybox:1.37"}]}}}}
    eventually(lambda: len(_revisions(apps, name)) == 1)
    patch(name, "default", changed)
    eventually(lambda: len(_revisions(apps, name)) == 2)
    first = min(_revisions(apps, name), key=lambda each: each.revision)
    back = patch(name, "default", apps.read_namespaced_controller_revision(first.metadata.name, "default").data)
    assert back.spec.template.spec.containers[0].image == "busybox:1.36"


def spec_name(spec):
    return spec["template"]["spec"]["containers"][0]["name"]


def _revisions(apps, owner):
    revisions = apps.list_namespaced_controller_revision("default").items
    return [each for each in revisions if each.metadata.owner_references[0].name == owner]


def test_patch_namespaced_config_map(core):
    core.create_namespaced_config_map("default", {"metadata": {"name": "patched"}, "data": {"kept": "1"}})
    body = client.V1ConfigMap(
        api_version="v1", kind="ConfigMap", metadata=client.V1ObjectMeta(name="patched"), data={"test_key": "v"}
    )
    patched = core.patch_namespaced_config_map(name="patched", namespace="default", body=body)
    assert patched.data == {"kept": "1", "test_key": "v"}


def test_the_notebooks_secret_config_map_service_and_pod(core):
    secret = client.V1Secret(
        metadata=client.V1ObjectMeta(name="note"), type="Opaque", string_data={"username": "Elijah"}
    )
    assert base64.b64decode(core.create_namespaced_secret("default", secret).data["username"]) == b"Elijah"
    reference = client.V1EnvVar(
        name="WHO",
        value_from=client.V1EnvVarSource(secret_key_ref=client.V1SecretKeySelector(name="note", key="username")),
    )
    container = client.V1Container(
        name="c", image="busybox:1.36", command=["sh", "-c", 'echo "I am $WHO"'], env=[reference]
    )
    core.create_namespaced_pod(
        "default",
        client.V1Pod(
            metadata=client.V1ObjectMeta(name="note"),
            spec=client.V1PodSpec(containers=[container], restart_policy="Never"),
        ),
    )
    eventually(lambda: core.read_namespaced_pod("note", "default").status.phase == "Succeeded")
    assert core.read_namespaced_pod_log("note", "default") == "I am Elijah\n"
    assert core.delete_namespaced_pod("note", "default").metadata.name == "note"
    deleted = core.delete_namespaced_secret("note", "default")
    assert getattr(deleted, "status", None) == "Success" or deleted["status"] == "Success"


def test_pod_namespace_watch_of_two_kinds(core, pod):
    watcher = watch.Watch()
    names = set()
    for event in watcher.stream(core.list_namespace, timeout_seconds=5):
        names.add(event["object"].metadata.name)
        if "kube-system" in names and "default" in names:
            watcher.stop()
    for event in watcher.stream(core.list_pod_for_all_namespaces, timeout_seconds=5):
        if event["object"].metadata.name == "busy":
            assert event["object"].kind == "Pod"
            watcher.stop()


def test_watch_timeouts_of_the_server_and_of_the_client(core):
    from urllib3.exceptions import ReadTimeoutError

    started = datetime.datetime.now(tz=datetime.UTC)
    list(watch.Watch().stream(core.list_namespace, timeout_seconds=1))
    assert datetime.timedelta(seconds=0.9) < datetime.datetime.now(tz=datetime.UTC) - started < datetime.timedelta(0, 4)
    with pytest.raises(ReadTimeoutError):
        for _ in watch.Watch().stream(core.list_namespace, timeout_seconds=30, _request_timeout=0.3):
            pass


def test_metrics_example(core, pod):
    utils_metrics = pytest.importorskip("kubernetes.utils.metrics")
    api = client.ApiClient()
    assert utils_metrics.get_nodes_metrics(api)["items"][0]["usage"]["cpu"]
    eventually(lambda: [p for p in utils_metrics.get_pods_metrics(api, "default")["items"] if p["containers"]])
    assert utils_metrics.get_pods_metrics(api, "default", "no=such")["items"] == []
    assert set(utils_metrics.get_pods_metrics_in_all_namespaces(api, ["default", "kube-system"])) == {
        "default",
        "kube-system",
    }


CRONTABS = {
    "metadata": {"name": "crontabs.stable.example.com"},
    "spec": {
        "group": "stable.example.com",
        "scope": "Cluster",
        "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"cronSpec": {"type": "string"}, "replicas": {"type": "integer"}}},
                            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}  # fmt: skip


def test_cluster_scoped_custom_objects(core):
    extensions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    extensions.create_custom_resource_definition(CRONTABS)
    at = ("stable.example.com", "v1", "crontabs")
    body = {
        "apiVersion": "stable.example.com/v1",
        "kind": "CronTab",
        "metadata": {"name": "c"},
        "spec": {"cronSpec": "* * * * */5"},
    }
    custom.create_cluster_custom_object(*at, body)
    patched = custom.patch_cluster_custom_object(*at, "c", {"spec": {"cronSpec": "* * * * */15", "replicas": 2}})
    assert patched["spec"] == {"cronSpec": "* * * * */15", "replicas": 2}
    assert custom.get_cluster_custom_object(*at, "c")["metadata"]["generation"] == 2
    custom.patch_cluster_custom_object_status(*at, "c", {"status": {"replicas": 1}})
    scale = custom.get_cluster_custom_object_scale(*at, "c")
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 1)
    patched["spec"]["replicas"] = 3
    patched["metadata"].pop("resourceVersion")
    with pytest.raises(client.exceptions.ApiException) as refused:
        custom.replace_cluster_custom_object(*at, "c", patched)
    assert "metadata.resourceVersion" in refused.value.body
    assert [each["metadata"]["name"] for each in custom.list_cluster_custom_object(*at)["items"]] == ["c"]
    custom.delete_cluster_custom_object(*at, "c")
    with pytest.raises(client.exceptions.ApiException) as missing:
        custom.get_cluster_custom_object(*at, "c")
    assert missing.value.status == 404
    extensions.delete_custom_resource_definition("crontabs.stable.example.com")


def test_an_informer_keeps_its_cache(core):
    informer = pytest.importorskip("kubernetes.informer")
    heard = []
    watched = informer.SharedInformer(
        list_func=core.list_namespaced_config_map, namespace="default", label_selector="informed=yes"
    )
    for kind in (informer.ADDED, informer.MODIFIED, informer.DELETED):
        watched.add_event_handler(kind, lambda obj, kind=kind: heard.append((kind, obj.metadata.name)))
    watched.start()
    try:
        core.create_namespaced_config_map("default", {"metadata": {"name": "inf", "labels": {"informed": "yes"}}})
        eventually(lambda: watched.cache.get_by_key("default/inf"))
        core.patch_namespaced_config_map("inf", "default", {"data": {"a": "b"}})
        eventually(lambda: (watched.cache.get_by_key("default/inf").data or {}) == {"a": "b"})
        core.delete_namespaced_config_map("inf", "default")
        eventually(lambda: watched.cache.list() == [] and len(heard) == 3)
    finally:
        watched.stop()
    assert heard == [(kind, "inf") for kind in (informer.ADDED, informer.MODIFIED, informer.DELETED)]


@pytest.mark.parametrize("lock", ["configmaplock.ConfigMapLock", "leaselock.LeaseLock"])
def test_leader_election(core, lock):
    import importlib

    module, _, name = lock.partition(".")
    locks = pytest.importorskip(f"kubernetes.leaderelection.resourcelock.{module}")
    election = importlib.import_module("kubernetes.leaderelection.leaderelection")
    electionconfig = importlib.import_module("kubernetes.leaderelection.electionconfig")
    name_of_lock = f"leader-{module}"
    kind = getattr(locks, name)
    led = []

    class LosesIt(kind):
        """A lock whose holder cannot renew it any more once it has led."""

        def update(self, *args):
            return False if led else super().update(*args)

    def candidate(identity):
        wanted = electionconfig.Config(
            LosesIt(name_of_lock, "default", identity), 3, 2, 1, lambda *_: led.append(identity), lambda: None
        )
        election.LeaderElection(wanted).run()

    candidate("one")
    assert led == ["one"]
    found, record = kind(name_of_lock, "default", "two").get(name_of_lock, "default")
    assert (found, record.holder_identity) == (True, "one")


def test_utils_quantities_and_durations():
    assert utils.parse_quantity("512Mi") == 512 * 1024**2
    if hasattr(utils, "parse_duration"):
        assert utils.parse_duration("1h30m") == datetime.timedelta(minutes=90)


def test_debug_logging_tells_of_requests(core, capfd):
    import http.client

    wanted = client.Configuration.get_default_copy()
    wanted.debug = True
    try:
        client.CoreV1Api(client.ApiClient(wanted)).list_namespace()
    finally:
        wanted.debug = False
        http.client.HTTPConnection.debuglevel = 0
    assert "GET /api/v1/namespaces" in capfd.readouterr().out
