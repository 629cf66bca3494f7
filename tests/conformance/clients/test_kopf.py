"""kopf: operators as its walkthrough, its pages and its examples write them, each run by `kopf run` against one server."""

import datetime
import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from .eventually import eventually

pytest.importorskip("kopf")
kubernetes = pytest.importorskip("kubernetes")
from kubernetes import client, config  # noqa: E402

pytestmark = pytest.mark.clients
AT = ("kopf.dev", "v1", "default", "kopfexamples")
KEEPS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_numbers = itertools.count()


def definition(group, plural, kind, **names):
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": KEEPS, "status": KEEPS}}}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, **names},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module")
def custom(served):
    config.load_kube_config(str(served.kubeconfig))
    definitions = client.ApiextensionsV1Api()
    definitions.create_custom_resource_definition(
        definition("kopf.dev", "kopfexamples", "KopfExample", shortNames=["kex", "kexes"])
    )
    definitions.create_custom_resource_definition(definition("kopf.dev", "kopfpeerings", "KopfPeering"))
    return client.CustomObjectsApi()


class Operator:
    """A running operator: what it logged, and the one object of the test."""

    def __init__(self, custom, process, log):
        self.custom, self.process, self.name = custom, process, f"example-{next(_numbers)}"
        self._log = log

    @property
    def log(self):
        return self._log.read_text()

    def until(self, look):
        """As `eventually`, but an operator that died is not waited for."""

        def alive():
            found = look()
            assert found or self.process.poll() is None, self.log[-3000:]
            return found

        return eventually(alive)

    def says(self, text):
        self.until(lambda: text in self.log)

    def create(self, labels=None, annotations=None, **spec):
        metadata = {"name": self.name}
        metadata |= {"labels": labels} if labels else {}
        metadata |= {"annotations": annotations} if annotations else {}
        body = {"apiVersion": "kopf.dev/v1", "kind": "KopfExample", "metadata": metadata, "spec": spec}
        return self.custom.create_namespaced_custom_object(*AT, body)

    def read(self):
        return self.custom.get_namespaced_custom_object(*AT, self.name)

    def patch(self, body):
        return self.custom.patch_namespaced_custom_object(*AT, self.name, body)

    def status(self, member):
        return self.until(lambda: (self.read().get("status") or {}).get(member))

    def delete(self):
        self.custom.delete_namespaced_custom_object(*AT, self.name)
        eventually(lambda: self.name not in [o["metadata"]["name"] for o in self._all()])

    def _all(self):
        return self.custom.list_namespaced_custom_object(*AT)["items"]


@pytest.fixture
def operator(served, custom, tmp_path):
    """Start an operator with these handlers; `kopf run` with these arguments, by default alone in one namespace."""
    running = []

    def start(source, *args, run=("-m", "kopf", "run")):
        path, log = tmp_path / "handlers.py", tmp_path / "log"
        path.write_text("import kopf\n" + textwrap.dedent(source))
        args = args or ("--standalone", "-n", "default")
        env = {
            "KUBECONFIG": str(served.kubeconfig),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
        }
        command = [sys.executable, *run, *args, str(path)] if run else [sys.executable, str(path)]
        with log.open("w") as output:
            process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
        running.append(process)
        return Operator(custom, process, log)

    yield start
    for process in running:
        process.terminate()
        assert process.wait(30) in (0, -15), (tmp_path / "log").read_text()[-3000:]


def test_minimal_and_the_walkthroughs_creation(operator):
    ran = operator(
        """
        @kopf.on.create("kopfexamples")
        def create_fn(spec, **kwargs):
            return {"message": f"and here we are: {spec['size']}"}
        """
    )
    ran.create(size="1G")
    assert ran.status("create_fn") == {"message": "and here we are: 1G"}
    assert "kopf.zalando.org/last-handled-configuration" in ran.read()["metadata"]["annotations"]
    ran.says("Creation is processed: 1 succeeded; 0 failed.")
    ran.delete()


def test_the_walkthroughs_claim_updated_and_adopted(operator):
    ran = operator(
        """
        import kubernetes

        @kopf.on.startup()
        def login(**_):
            kubernetes.config.load_kube_config()

        @kopf.on.create("kexes")
        def create_fn(spec, name, namespace, **_):
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
                     "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": spec["size"]}}}}
            kopf.adopt(claim)
            made = kubernetes.client.CoreV1Api().create_namespaced_persistent_volume_claim(namespace, claim)
            return {"pvc-name": made.metadata.name}

        @kopf.on.field("kexes", field="metadata.labels")
        def relabel(new, status, namespace, **_):
            labels = dict(new)
            kubernetes.client.CoreV1Api().patch_namespaced_persistent_volume_claim(
                status["create_fn"]["pvc-name"], namespace, {"metadata": {"labels": labels}})
        """
    )
    ran.create(size="1Gi")
    name = ran.status("create_fn")["pvc-name"]
    core = client.CoreV1Api()
    ran.says("Creation is processed")
    ran.patch({"metadata": {"labels": {"application-name": "example"}}})
    eventually(lambda: (core.read_namespaced_persistent_volume_claim(name, "default").metadata.labels or {}).get("application-name") == "example")  # fmt: skip
    ran.delete()
    claims = core.list_namespaced_persistent_volume_claim
    eventually(lambda: name not in [claim.metadata.name for claim in claims("default").items])


def test_children_are_collected_with_their_owner(operator):
    ran = operator(
        """
        import pykube, yaml

        @kopf.on.create("kopfexamples")
        def create_fn(spec, name, namespace, **_):
            doc = yaml.safe_load('''
                apiVersion: v1
                kind: Pod
                spec:
                  containers: [{name: the-only-one, image: busybox, command: ["sleep", "60"]}]
                  terminationGracePeriodSeconds: 0
            ''')
            kopf.adopt(doc)
            kopf.label(doc, {"of": name})
            api = pykube.HTTPClient(pykube.KubeConfig.from_env())
            pod = pykube.Pod(api, doc)
            pod.create()
            return {"children": [pod.metadata["uid"]]}
        """
        if _has_pykube()
        else pytest.skip("pykube-ng is not here")
    )
    ran.create()
    assert len(ran.status("create_fn")["children"]) == 1
    ran.delete()
    core = client.CoreV1Api()
    eventually(lambda: not core.list_namespaced_pod("default", label_selector=f"of={ran.name}").items)


def _has_pykube():
    try:
        import pykube  # noqa: F401
    except ImportError:
        return False
    return True


def test_exceptions_temporary_permanent_and_arbitrary(operator):
    ran = operator(
        """
        @kopf.on.create("kopfexamples")
        def temporary(retry, **_):
            if retry < 2:
                raise kopf.TemporaryError("not yet", delay=0.1)
            return {"tried": retry}

        @kopf.on.create("kopfexamples", retries=3, backoff=0.1)
        def arbitrary(**_):
            raise Exception("whatever")

        @kopf.on.create("kopfexamples")
        def permanent(**_):
            raise kopf.PermanentError("never")
        """
    )
    ran.create()
    ran.says("Creation is processed: 1 succeeded; 2 failed.")
    assert ran.status("temporary") == {"tried": 2}
    ran.delete()


def test_raw_events_and_handlers_of_everything(operator):
    ran = operator(
        """
        @kopf.on.event("kopfexamples")
        def event_fn(event, logger, **_):
            logger.info("event=%s", event["type"])

        @kopf.on.resume("kopfexamples")
        @kopf.on.create("kopfexamples")
        def both(reason, **_):
            return {"reason": str(reason)}

        @kopf.on.update("kopfexamples")
        def updated(old, new, diff, patch, **_):
            patch.status["diff"] = [list(map(str, each)) for each in diff]

        @kopf.on.field("kopfexamples", field="spec.field")
        def of_field(old, new, patch, **_):
            patch.status["of_field"] = f"{old}->{new}"

        @kopf.on.delete("kopfexamples")
        def deleted(logger, **_):
            logger.info("the end")
        """
    )
    ran.create(field="a")
    assert ran.status("both") == {"reason": "create"}
    ran.says("Creation is processed")
    assert ran.read()["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    ran.patch({"spec": {"field": "b"}})
    eventually(lambda: ran.read()["status"].get("of_field") == "a->b")
    assert ran.status("diff")[0][0] == "change"
    ran.delete()
    ran.says("the end")
    ran.says("event=DELETED")


def test_an_operator_started_later_resumes_what_is_there(operator):
    source = """
        @kopf.on.resume("kopfexamples")
        def resumed(patch, **_):
            patch.status["resumed"] = "yes"
        """
    first = operator("@kopf.on.create('kopfexamples')\ndef made(**_):\n    return 1\n")
    first.create()
    assert first.status("made") == 1
    first.process.terminate()
    first.process.wait(20)
    again = operator(source)
    again.name = first.name
    assert again.status("resumed") == "yes"
    again.delete()


def test_peering_pauses_the_weaker_operator(operator, custom):
    at = ("kopf.dev", "v1", "default", "kopfpeerings")
    peering = {"apiVersion": "kopf.dev/v1", "kind": "KopfPeering", "metadata": {"name": "example"}}
    custom.create_namespaced_custom_object(*at, peering)
    quiet = "@kopf.on.create('kopfexamples')\ndef made(**_):\n    return 'NAME'\n"
    strong = operator(quiet.replace("NAME", "strong"), "--peering=example", "--priority=100", "-n", "default")
    eventually(lambda: custom.get_namespaced_custom_object(*at, "example").get("status"))
    (mine,) = custom.get_namespaced_custom_object(*at, "example")["status"].values()
    assert mine["priority"] == 100
    strong.create()
    assert strong.status("made") == "strong"
    strong.delete()
    other = {"other": {"priority": 666, "lifetime": 60, "lastseen": _now()}}
    custom.patch_namespaced_custom_object(*at, "example", {"status": other})
    strong.says("Pausing operations in favour of")
    custom.patch_namespaced_custom_object(*at, "example", {"status": {"other": None}})
    strong.says("Resuming operations after the pause")


def _now():
    return datetime.datetime.now(tz=datetime.UTC).isoformat()


def test_subhandlers_by_declaration_and_by_call(operator):
    ran = operator(
        """
        @kopf.on.create("kopfexamples")
        def create_fn(spec, **_):
            for item in spec["items"]:
                @kopf.subhandler(id=item)
                async def item_fn(item=item, **_):
                    return item.upper()

        @kopf.on.create("kopfexamples")
        async def called(**_):
            async def inner(**_):
                return "inner"
            await kopf.execute(fns={"one": inner})
        """
    )
    ran.create(items=["item1", "item2"])
    ran.says("Creation is processed")
    status = ran.read()["status"]
    assert (status["create_fn/item1"], status["create_fn/item2"], status["called/one"]) == ("ITEM1", "ITEM2", "inner")
    ran.delete()


def test_events_are_posted_for_the_object(operator):
    ran = operator(
        """
        @kopf.on.create("kopfexamples")
        def create_fn(body, logger, **_):
            kopf.event(body, type="SomeType", reason="SomeReason", message="Some message")
            kopf.warn(body, reason="Careful", message="warned")
            kopf.info(body, reason="Fine", message="informed")
            try:
                raise RuntimeError("Exception text.")
            except RuntimeError:
                kopf.exception(body, reason="Oops", message="caught")
        """
    )
    ran.create()

    def reasons():
        selector = f"involvedObject.name={ran.name}"
        return {e.reason for e in client.CoreV1Api().list_namespaced_event("default", field_selector=selector).items}

    eventually(lambda: {"SomeReason", "Careful", "Fine", "Oops"} <= reasons())
    ran.delete()


def test_builtin_kinds_are_handled_too(operator):
    ran = operator(
        """
        @kopf.on.event("", "v1", "pods", labels={"watched": "yes"})
        def pod_event(name, body, patch, **_):
            if body.get("status", {}).get("phase") == "Running":
                patch.metadata.annotations["seen-running"] = "yes"
        """
    )
    core = client.CoreV1Api()
    container = {"name": "c", "image": "busybox", "command": ["sleep", "60"]}
    metadata = {"name": "watched", "labels": {"watched": "yes"}}
    core.create_namespaced_pod(
        "default", {"metadata": metadata, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    )
    eventually(lambda: (core.read_namespaced_pod("watched", "default").metadata.annotations or {}).get("seen-running"))
    core.delete_namespaced_pod("watched", "default")
    assert ran.process.poll() is None


def test_filters_by_labels_annotations_fields_and_functions(operator):
    ran = operator(
        """
        @kopf.on.create("kopfexamples", labels={"somelabel": "somevalue"}, annotations={"someannotation": kopf.PRESENT})
        def matching(**_):
            return 1

        @kopf.on.create("kopfexamples", labels={"nosuch": kopf.PRESENT})
        def missing(**_):
            return 1

        @kopf.on.create("kopfexamples", labels={"nosuch": kopf.ABSENT}, when=lambda spec, **_: spec["field"] == "v")
        def satisfied(**_):
            return 1

        @kopf.on.create("kopfexamples", field="spec.field", value="v")
        def by_value(**_):
            return 1

        @kopf.on.create("kopfexamples", field="spec.field", value="w")
        def by_other_value(**_):
            return 1
        """
    )
    ran.create({"somelabel": "somevalue"}, {"someannotation": "x"}, field="v")
    ran.says("Creation is processed")
    handled = set(ran.read()["status"])
    assert {"matching", "satisfied", "by_value/spec.field"} <= handled
    assert not handled & {"missing", "by_other_value/spec.field"}
    ran.delete()


def test_an_operator_embedded_in_a_program(operator):
    ran = operator(
        """
        import asyncio, threading

        @kopf.on.create("kopfexamples")
        def create_fn(**_):
            return "embedded"

        def main():
            ready = threading.Event()
            asyncio.run(kopf.operator(standalone=True, namespace="default", ready_flag=ready))

        main()
        """,
        run=None,
    )
    ran.create()
    assert ran.status("create_fn") == "embedded"
    ran.delete()


def test_hooks_at_startup_cleanup_login_and_probes(operator):
    ran = operator(
        """
        import os

        @kopf.on.startup()
        async def started(memo, logger, **_):
            memo.started = True
            logger.info("hook: started")

        @kopf.on.login()
        def login(**kwargs):
            return kopf.login_with_kubeconfig(**kwargs)

        @kopf.on.probe(id="now")
        def probed(**_):
            return "well"

        @kopf.on.cleanup()
        async def ended(logger, **_):
            logger.info("hook: ended")

        @kopf.on.create("kopfexamples")
        def made(memo, **_):
            return memo.started
        """
    )
    ran.says("hook: started")
    ran.create()
    assert ran.status("made") is True
    ran.delete()
    ran.process.terminate()
    ran.process.wait(20)
    assert "hook: ended" in ran.log


def test_daemons_live_with_their_object(operator):
    ran = operator(
        """
        import asyncio

        @kopf.daemon("kopfexamples", cancellation_timeout=1.0)
        async def background(stopped, patch, **_):
            await asyncio.sleep(0.1)
            patch.status["lived"] = True
            raise kopf.TemporaryError("again", delay=60)

        @kopf.daemon("kopfexamples")
        def threaded(stopped, logger, **_):
            while not stopped.wait(0.1):
                pass
            logger.info("the thread ended")
        """
    )
    ran.create()
    assert ran.status("lived") is True
    ran.delete()
    ran.says("the thread ended")


def test_timers_tick(operator):
    ran = operator(
        """
        @kopf.timer("kopfexamples", interval=0.2)
        def every(spec, memo, patch, **_):
            memo["ticks"] = memo.get("ticks", 0) + 1
            patch.status["ticks"] = memo["ticks"]

        @kopf.timer("kopfexamples", initial_delay=0.1, idle=0.1, interval=60)
        def idle(**_):
            return "was idle"
        """
    )
    ran.create()
    eventually(lambda: (ran.read().get("status") or {}).get("ticks", 0) >= 3)
    ran.delete()


def test_indices_are_filled_before_the_handlers_run(operator):
    core = client.CoreV1Api()
    for name in ("i1", "i2"):
        core.create_namespaced_config_map("default", {"metadata": {"name": name, "labels": {"indexed": "yes"}}})
    ran = operator(
        """
        @kopf.index("configmaps", labels={"indexed": "yes"})
        def by_label(name, labels, **_):
            return {labels["indexed"]: name}

        @kopf.on.create("kopfexamples")
        def made(by_label, **_):
            return {"found": sorted(by_label.get("yes", []))}
        """
    )
    ran.create()
    assert ran.status("made") == {"found": ["i1", "i2"]}
    ran.delete()


ADMISSION = """
@kopf.on.startup()
def config(settings, **_):
    settings.admission.server = kopf.WebhookServer(host="127.0.0.1", certfile="cert.pem", pkeyfile="key.pem", cafile="cert.pem")
    settings.admission.managed = "auto.kopf.dev"

@kopf.on.validate("kex")
def careful(spec, warnings, headers, **_):
    warnings.append("Verified with the operator's hook.")
    if spec.get("field") == "wrong":
        raise kopf.AdmissionError("Meh! I do not like it. Change the field.")

@kopf.on.validate("kex", field="spec.field", value="not-allowed")
def strict(**_):
    raise kopf.AdmissionError("Go away!", code=555)

@kopf.on.mutate("kex", labels={"somelabel": "somevalue"})
def mutated(patch, **_):
    patch.spec["injected"] = 123
"""


def _certificate(folder: Path):
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    now = datetime.datetime.now(tz=datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def test_admission_hooks_of_the_operators_own_server(operator, tmp_path):
    _certificate(tmp_path)
    ran = operator(ADMISSION)
    hooks = client.AdmissionregistrationV1Api()
    for managed in (hooks.list_validating_webhook_configuration, hooks.list_mutating_webhook_configuration):
        ran.until(lambda managed=managed: [hook for each in managed().items for hook in each.webhooks or ()])
    made = eventually(lambda: _created_with_hooks(ran))
    assert made["spec"] == {"field": "value", "injected": 123}
    for field, code, message in (("wrong", 500, "Meh! I do not like it. Change the field."), ("not-allowed", 555, "Go away!")):  # fmt: skip
        with pytest.raises(client.exceptions.ApiException) as refused:
            ran.patch({"spec": {"field": field}})
        assert (refused.value.status, message in refused.value.body) == (code, True)
    ran.delete()


def _created_with_hooks(ran):
    made = ran.create({"somelabel": "somevalue"}, field="value")
    if "injected" in made["spec"]:
        return made
    ran.delete()  # the hooks were not registered yet
    return None
