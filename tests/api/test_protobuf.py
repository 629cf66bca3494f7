"""Bodies that real kubectl 1.32 sent, read; and that no bytes whatever do more than be refused."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.decode import prune
from lifepod.api.protobuf import MAGIC, ProtobufError, decode_message, decode_protobuf
from lifepod.api.schema import type_named, type_of_kind

BODIES = {
    command: base64.b64decode(body)
    for command, body in json.loads(Path(__file__).with_name("kubectl_protobuf_bodies.json").read_text()).items()
}
PLAIN_TEMPLATE = {
    "metadata": {},
    "spec": {
        "containers": [{"name": "j", "image": "busybox", "command": ["sh", "-c", "true"], "resources": {}}],
        "restartPolicy": "Never",
    },
}


@pytest.mark.parametrize(
    ("command", "obj"),
    [
        (
            "create configmap cm --from-literal=a=b --from-literal=empty=",
            {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "cm"}, "data": {"a": "b", "empty": ""}},
        ),
        (
            "create secret generic s --from-literal=k=v",
            {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "data": {"k": "dg=="}},
        ),
        (
            "create job j --image=busybox -- sh -c true",
            {
                "kind": "Job",
                "apiVersion": "batch/v1",
                "metadata": {"name": "j"},
                "spec": {"template": PLAIN_TEMPLATE},
                "status": {},
            },
        ),
        (
            "create deployment d --image=nginx --replicas=0 --port=80",
            {
                "kind": "Deployment",
                "apiVersion": "apps/v1",
                "metadata": {"name": "d", "labels": {"app": "d"}},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": "d"}},
                    "strategy": {},
                    "template": {
                        "metadata": {"labels": {"app": "d"}},
                        "spec": {
                            "containers": [
                                {"name": "nginx", "image": "nginx", "ports": [{"containerPort": 80}], "resources": {}}
                            ]
                        },
                    },
                },
                "status": {},
            },
        ),
        (
            "create service clusterip svc --tcp=80:8080",
            {
                "kind": "Service",
                "apiVersion": "v1",
                "metadata": {"name": "svc", "labels": {"app": "svc"}},
                "spec": {
                    "ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080}],
                    "selector": {"app": "svc"},
                    "type": "ClusterIP",
                },
                "status": {"loadBalancer": {}},
            },
        ),
        (
            "create role r --verb=get,list --resource=pods",
            {
                "kind": "Role",
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "metadata": {"name": "r"},
                "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}],
            },
        ),
        (
            "auth can-i create pods",
            {
                "kind": "SelfSubjectAccessReview",
                "apiVersion": "authorization.k8s.io/v1",
                "metadata": {},
                "spec": {"resourceAttributes": {"namespace": "default", "verb": "create", "resource": "pods"}},
                "status": {"allowed": False},
            },
        ),
    ],
)
def test_what_kubectl_sends_is_read_as_the_json_it_would_have_sent(command, obj):
    assert decode_protobuf(BODIES[command]) == obj


@pytest.mark.parametrize("command", sorted(BODIES))
def test_every_recorded_body_fits_its_schema(command):
    obj = decode_protobuf(BODIES[command])
    group, _, version = obj["apiVersion"].rpartition("/")
    type_ = type_of_kind(group, version, obj["kind"])
    assert type_ is not None
    assert prune(obj, type_) == (obj, ())


# --- a small writer, so that what kubectl does not send is tested too -----------------------------------------------


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def message(name: str, raw: bytes) -> dict[str, object]:
    return decode_message(raw, type_named(f"io.k8s.api.core.v1.{name}"))


@pytest.mark.parametrize(
    ("type_", "raw", "obj"),
    [
        ("Container", field(1, "c") + field(13, "") + field(14, ""), {"name": "c"}),
        ("ContainerPort", field(1, "") + field(2, 0) + field(3, 80) + field(4, ""), {"containerPort": 80}),
        (
            "ContainerStatus",
            field(1, "c") + field(4, 0) + field(5, 0),
            {"name": "c", "ready": False, "restartCount": 0},
        ),
        ("PodSpec", field(4, 0) + field(11, 0), {"terminationGracePeriodSeconds": 0}),
        ("SecurityContext", field(4, -1), {"runAsUser": -1}),
        ("Probe", field(1, field(1, field(1, "ls"))) + field(2, 0), {"exec": {"command": ["ls"]}}),
        ("Volume", field(1, "v") + field(2, field(2, field(1, ""))), {"name": "v", "emptyDir": {}}),
        ("SecretKeySelector", field(1, field(1, "s")) + field(2, "k"), {"name": "s", "key": "k"}),
        ("HTTPGetAction", field(2, field(1, 1) + field(2, 0) + field(3, "web")), {"port": "web"}),
        ("HTTPGetAction", field(2, field(1, 0) + field(2, 80) + field(3, "")), {"port": 80}),
        ("ResourceRequirements", field(1, field(1, "cpu") + field(2, field(1, "1"))), {"limits": {"cpu": "1"}}),
        ("ObjectReference", field(1, "Pod") + field(99, "from the future"), {"kind": "Pod"}),
        ("PodSecurityContext", field(4, 5) + field(4, 6), {"supplementalGroups": [5, 6]}),
        ("PodSecurityContext", field(4, b"\x05\x06"), {"supplementalGroups": [5, 6]}),
    ],
)
def test_one_message(type_, raw, obj):
    assert message(type_, raw) == obj


def test_times_and_the_zero_time():
    meta = type_named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    assert decode_message(field(8, field(1, 86400)), meta) == {"creationTimestamp": "1970-01-02T00:00:00Z"}
    assert decode_message(field(8, b""), meta) == {}
    lease = type_named("io.k8s.api.coordination.v1.LeaseSpec")
    assert decode_message(field(4, field(1, 1) + field(2, 5_000)), lease) == {
        "renewTime": "1970-01-01T00:00:01.000005Z"
    }


def test_delete_options_of_any_group_version():
    unknown = field(1, field(1, "apps/v1") + field(2, "DeleteOptions")) + field(2, field(1, 0) + field(4, "Background"))
    assert decode_protobuf(MAGIC + unknown) == {
        "kind": "DeleteOptions",
        "apiVersion": "apps/v1",
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
    }


def test_extra_values_of_reviews_are_lists():
    spec = type_named("io.k8s.api.authorization.v1.SubjectAccessReviewSpec")
    raw = field(5, field(1, "k") + field(2, field(1, "a") + field(1, "b")))
    assert decode_message(raw, spec) == {"extra": {"k": ["a", "b"]}}


def test_schemas_of_custom_resources_and_their_unions():
    props = type_named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    numbers = {name: f.number for name, f in props.fields.items()}
    raw = (
        field(numbers["additionalProperties"], field(1, 1))
        + field(numbers["items"], field(1, field(numbers["type"], "string")))
        + field(numbers["default"], field(1, '{"a":1}'))
    )
    assert decode_message(raw, props) == {
        "additionalProperties": True,
        "items": {"type": "string"},
        "default": {"a": 1},
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{}", "expected prefix"),
        (MAGIC + b"\x0a\xff", "unexpected EOF"),
        (MAGIC + b"\x0b", "illegal wireType"),
        (MAGIC + b"\xff" * 11, "overflow"),
        (MAGIC + field(1, field(1, "v1") + field(2, "Bogus")), 'no kind "Bogus" is registered for version "v1"'),
    ],
)
def test_broken_bodies_are_refused_with_a_reason(body, text):
    with pytest.raises(ProtobufError, match=text):
        decode_protobuf(body)


def test_nesting_is_bounded():
    props = type_named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    raw = b""
    for _ in range(200):
        raw = field(props.fields["not"].number, raw)
    with pytest.raises(ProtobufError, match="too deeply"):
        decode_message(raw, props)


def test_envelopes_within_envelopes_are_bounded():
    body = b""
    data = type_named("io.k8s.api.apps.v1.ControllerRevision").fields["data"].number
    for _ in range(500):
        body = (
            MAGIC
            + field(1, field(1, "apps/v1") + field(2, "ControllerRevision"))
            + field(2, field(data, field(1, body)))
        )
    with pytest.raises(ProtobufError, match="too deeply"):
        decode_protobuf(body)


@given(st.sampled_from(sorted(BODIES)), st.data())
def test_any_damage_to_a_body_is_read_or_refused(command, data):
    body = bytearray(BODIES[command])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(body)))
    try:
        obj = decode_protobuf(bytes(body[:cut]))
    except ValueError:
        return
    assert isinstance(obj, dict)


@given(st.binary(max_size=60), st.sampled_from(["Pod", "Job", "CustomResourceDefinition", "Event", "Lease"]))
def test_any_bytes_as_a_message_are_read_or_refused(raw, kind):
    names = {
        "Pod": "io.k8s.api.core.v1.Pod",
        "Job": "io.k8s.api.batch.v1.Job",
        "Event": "io.k8s.api.events.v1.Event",
        "Lease": "io.k8s.api.coordination.v1.Lease",
        "CustomResourceDefinition": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    }
    try:
        assert isinstance(decode_message(raw, type_named(names[kind])), dict)
    except ProtobufError:
        return
