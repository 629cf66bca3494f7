"""Requests made from the grammars of what clients send: selectors, tokens, headers, every kind's objects, custom schemas with rules."""

import base64
import json
import struct
from typing import Any
from urllib.parse import quote

import pytest

from lifepod.api.kinds import Kind
from lifepod.api.schema import Type, type_named

from .fuzz import NS, ODD, Chance, Send, damaged, scrambled, seeds, sender

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def send(cluster: Any, caplog: pytest.LogCaptureFixture) -> Send:
    return sender(cluster, caplog)


def path_of(kind: Kind) -> str:
    """Where the objects of a kind are found, in the default namespace."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{root}/namespaces/default/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"


# ------------------------------------------------------------------------------------------------------ what is asked

TOKENS = ["a", "b/c", "!", "=", "==", "!=", " in ", " notin ", "(", ")", ",", ">", "<", " ", "\t", "\\,", "\\", "é", "\0", "x" * 70, "1", "-1",
          "metadata.name", "spec.nodeName", "status.phase", "involvedObject.uid", "metadata.namespace", "9" * 30, "type", "x.y"]  # fmt: skip
NUMBERS = ["", "0", "1", "-1", "x", "9" * 30, "1.5", "0x1", " 1", "1_0", "true"]
PARAMETERS = {
    "labelSelector": TOKENS, "fieldSelector": TOKENS, "limit": NUMBERS, "resourceVersion": NUMBERS, "timeoutSeconds": NUMBERS,
    "resourceVersionMatch": ["Exact", "NotOlderThan", "", "x"], "includeObject": ["Object", "None", "Metadata", "x"],
    "pretty": ["true", "0", "x"], "watch": ["0", "false"], "dryRun": ["All", "all", "All,All", ""],
    "fieldManager": ["a", "x" * 130, "\x07", "é"], "fieldValidation": ["Strict", "Warn", "Ignore", "x", ""], "gracePeriodSeconds": NUMBERS,
    "propagationPolicy": ["Foreground", "Orphan", "Background", "x"], "orphanDependents": ["true", "x"], "force": ["true", "x"],
    "continue": ["x", "", "e30", "bnVsbA", "W10"],
}  # fmt: skip


def query(chance: Chance) -> str:
    """A query string: parameters that mean something, some of them twice, with words of their grammar in any order."""
    pairs = []
    for name in chance.choices(list(PARAMETERS), k=chance.randint(0, 4)):
        words = PARAMETERS[name]
        value = "".join(chance.choices(words, k=chance.randint(1, 7))) if words is TOKENS else chance.choice(words)
        pairs.append(f"{name}={quote(value) if chance.random() < 0.9 else value}")
    return chance.choice(["&", "&", "&", ";", "&&"]).join(pairs)


def continue_token(chance: Chance) -> str:
    """What `continue` may hold: the JSON of a token with odd members, in two alphabets of base64, with and without padding."""
    token = damaged({"v": "meta.k8s.io/v1", "rv": 3, "start": "default/m\u0000"}, chance)
    text = json.dumps(chance.choice([token, token, chance.choice(ODD)])).encode()
    coded = chance.choice([base64.urlsafe_b64encode, base64.b64encode])(text)
    return quote(coded.rstrip(b"=") if chance.random() < 0.5 else coded)


def headers(chance: Chance) -> dict[str, str]:
    """Headers that are looked at, with values that are half right."""
    values = {
        "accept": ["", "*/*", TABLE, f"{TABLE},application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "x/y",
                   "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v9", ";;,=,", "a" * 5000,
                   "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"],
        "accept-encoding": ["gzip", "gzip;q=0", "br,gzip;q=x", "*", ""],
        "if-none-match": ['"x"', "*", 'W/"x"', '"'],
        "user-agent": ["curl/8", "\xff", "", "kubectl/v1.34.0 (linux/amd64) kubernetes/abc"],
        "impersonate-user": ["jane", "", "system:serviceaccount:default:x", "system:serviceaccount:", "é"],
        "impersonate-group": ["a", "a,b", ""],
        "impersonate-extra-%zz": ["x"],
        "authorization": ["Bearer ", "Bearer x", "Basic eDp5", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "bearer admin-token", "x"],
        "content-length": ["x"],
        "content-encoding": ["gzip"],
    }  # fmt: skip
    return {name: chance.choice(values[name]) for name in chance.sample(list(values), chance.randint(0, 3))}


def test_queries_and_headers_of_half_right_words(cluster: Any, send: Send) -> None:
    kinds = [kind for kind in cluster.api.kinds if "list" in kind.verbs]
    for number, labels in enumerate([{}, {"a": "b"}, {"a": "1", "b/c": ""}]):
        body = {"metadata": {"name": f"m{number}", "labels": labels}, "data": {"k": "v"}}
        send(Chance(0), "POST", f"{NS}/configmaps", json.dumps(body).encode(), "application/json")
    for chance in seeds(400):
        kind = chance.choice(kinds) if chance.random() < 0.5 else cluster.api.kinds.of("configmaps")
        path, asked = path_of(kind), query(chance)
        if chance.random() < 0.3:
            asked = f"{asked}&limit=1&continue={continue_token(chance)}"
        method = chance.choice(["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH"])
        if chance.random() < 0.5:
            path += chance.choice(["/m0", "/m1/status", "/x", "/..", "/%2e", "//", "/m0/scale", "/m0/finalize", "/m0/"])
        body = chance.choice([b"", b"{}", b"null", b'{"metadata":{}}', b"\xff", b"[1]", b'{"kind":"DeleteOptions"}'])
        send(
            chance,
            method,
            path,
            body,
            chance.choice(["application/json", "", "application/yaml"]),
            asked,
            headers(chance),
        )


# ------------------------------------------------------------------------------------------------------ every kind

WORDS: dict[str, list[Any]] = {
    "string": ["a", "", "b-c", "ClusterFirst", "Always", "x/y", "10.0.0.1", "80", "*", "A_B", "metadata.name", "é", "x" * 300, "Exists", "In"],
    "int32": [0, 1, -1, 80, 30001, 2**31 - 1, 65536],
    "int64": [0, 1, -1, 10, 2**63 - 1],
    "number": [0, 1.5, -1],
    "boolean": [True, False],
    "bytes": ["", "YQ==", "x", "/wA="],
    "quantity": ["1", "1Gi", "100m", "-1", "1e9", 1, "0", "1.5Ki", "12E"],
    "int-or-string": [1, 0, -1, "25%", "http", "x%", "100%", "120%"],
    "time": ["2026-01-01T00:00:00Z", None, "0001-01-01T00:00:00Z"],
    "micro-time": ["2026-01-01T00:00:00.000001Z", None],
    "any": [{}, [], "a", 1, {"apiVersion": "v1", "kind": "Pod"}, None],
}  # fmt: skip


def value_of(type_: Type, chance: Chance, many: float, depth: int = 0) -> Any:
    """A value that a type can hold, with about so many of its fields; seldom one that it cannot."""
    if chance.random() < 0.01:
        return chance.choice(ODD)
    if type_.kind == "object":
        return {
            name: value_of(field.type, chance, many, depth + 1)
            for name, field in type_.fields.items()
            if depth < 9
            and chance.random() < (0.97 if field.required else many / (1 + len(type_.fields) / 12) / (1 + depth / 3))
        }
    if type_.kind in ("array", "map") and type_.item is not None:
        item = type_.item
        made = chance.some(0, 2, lambda: value_of(item, chance, many, depth + 1))
        return made if type_.kind == "array" else {f"k{number}": one for number, one in enumerate(made)}
    return chance.choice(WORDS[type_.kind])


def test_objects_of_every_kind_grown_from_their_schema(cluster: Any, send: Send) -> None:
    kinds = [
        kind for kind in cluster.api.kinds if "create" in kind.verbs and kind.schema and "webhook" not in kind.plural
    ]
    for chance in seeds(300):
        kind = chance.choice(kinds)
        made = value_of(type_named(kind.schema), chance, chance.choice([0.1, 0.4, 0.9]))
        if not isinstance(made, dict):
            continue
        meta = made.get("metadata")
        made["metadata"] = {
            **(meta if isinstance(meta, dict) and chance.random() < 0.3 else {}),
            "name": chance.choice(["a", "b"]),
        }
        made |= {"apiVersion": kind.api_version, "kind": kind.kind}
        path, name = path_of(kind), made["metadata"]["name"]
        body = json.dumps(made).encode()
        send(
            chance, "POST", path, body, "application/json", chance.choice(["", "fieldValidation=Strict", "dryRun=All"])
        )
        send(chance, "GET", path, b"", "", "", {"accept": TABLE})
        send(chance, "PUT", f"{path}/{name}", json.dumps(damaged(made, chance)).encode(), "application/json")
        send(chance, "PATCH", f"{path}/{name}", body, "application/apply-patch+yaml", "fieldManager=f&force=true")
        for patch in ("merge-patch+json", "strategic-merge-patch+json"):
            send(chance, "PATCH", f"{path}/{name}", json.dumps(damaged(made, chance)).encode(), f"application/{patch}")
        for subresource in kind.subresources:
            method = chance.choice(["PUT", "PATCH", "POST", "GET"])
            if subresource.name not in ("proxy", "log", "exec", "attach", "portforward"):
                send(chance, method, f"{path}/{name}/{subresource.name}", body, "application/merge-patch+json" if method == "PATCH" else "application/json")  # fmt: skip
        send(chance, "GET", f"{path}/{name}", b"", "", "", {"accept": TABLE})
        if chance.random() < 0.7:
            send(chance, "DELETE", f"{path}/{name}", b'{"gracePeriodSeconds":0}', "application/json")


MANAGED = {
    "manager": "m", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {".": {}, "f:k": {}}, "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {'v:"x"': {}}},
                 "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}, "i:0": {}}}},
}  # fmt: skip


def test_managed_fields_that_a_client_wrote_itself(send: Send) -> None:
    for chance in seeds(100):
        entry = damaged(MANAGED, chance)
        body = {
            "metadata": {"name": "o", "managedFields": chance.choice([[entry], [entry, entry], [], None, {}])},
            "data": {"k": "v"},
        }
        send(chance, "POST", f"{NS}/configmaps", json.dumps(body).encode(), "application/json")
        send(chance, "PATCH", f"{NS}/configmaps/o", json.dumps(body).encode(), "application/merge-patch+json")
        applied = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "o"},
            "data": {"k": chance.choice("abc")},
        }
        send(
            chance,
            "PATCH",
            f"{NS}/configmaps/o",
            json.dumps(applied).encode(),
            "application/apply-patch+yaml",
            "fieldManager=n",
        )
        send(chance, "DELETE", f"{NS}/configmaps/o", b"", "")


# ------------------------------------------------------------------------------------------------------ protobuf


def field(number: int, wire: int, value: bytes) -> bytes:
    return varint(number << 3 | wire) + value


def varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def message(chance: Chance, depth: int = 0) -> bytes:
    """A protobuf message of any fields, nested; seldom with a length or a tag that lies."""
    made = b""
    for _ in range(chance.randint(0, 5)):
        number = chance.choice([1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 40, 2**29 - 1, 0])
        match chance.randrange(7):
            case 0:
                made += field(number, 0, varint(chance.choice([0, 1, 127, 2**31, 2**63, 2**64 - 1])))
            case 1:
                made += field(number, 1, struct.pack("<Q", chance.randrange(2**64)))
            case 2:
                made += field(number, 5, struct.pack("<I", chance.randrange(2**32)))
            case 3:
                text = chance.choice(
                    [b"", b"a", b"default", b"\xff\xfe", b"x" * 200, "é".encode(), b"k8s\0", b"{}", b"1Gi"]
                )
                made += field(number, 2, varint(len(text)) + text)
            case 4:
                made += field(number, 2, varint(chance.choice([5, 2**31, 2**63])) + b"abc")
            case 5:
                made += field(number, chance.choice([3, 4, 6, 7]), b"")
            case _ if depth < 6:
                inner = message(chance, depth + 1)
                made += field(number, 2, varint(len(inner)) + inner)
    return made


def test_protobuf_messages_of_any_shape(cluster: Any, send: Send) -> None:
    kinds = [kind for kind in cluster.api.kinds if "create" in kind.verbs]
    for chance in seeds(300):
        kind = chance.choice(kinds)
        meta = b"".join(
            field(number, 2, varint(len(text)) + text)
            for number, text in ((1, kind.api_version.encode()), (2, kind.kind.encode()))
        )
        raw = message(chance)
        body = b"k8s\0" + field(1, 2, varint(len(meta)) + meta) + field(2, 2, varint(len(raw)) + raw)
        body = scrambled(body, chance) if chance.random() < 0.2 else body
        sent = "application/vnd.kubernetes.protobuf"
        send(chance, "POST", path_of(kind), body, sent)
        send(chance, chance.choice(["PUT", "DELETE"]), f"{path_of(kind)}/a", body, sent)


# ------------------------------------------------------------------------------------------------------ custom kinds

RULES = ["self", "self.a", "oldSelf", "self.b[0]", "size(self.b)", "1", "0", "'x'", "true", "null", "[1, 'a']", "{'k': 1}", "self.c.d", "duration('1h')",
         "timestamp('x')", "quantity('1Gi')", "url('http://x')", "self.a.matches('(a+)+$')", "has(self.c)", "has(self.c.d)", "self.b.all(x, x > 1)",
         "self.b.map(y, y * 2)", "self.b.exists(z, z == 'a')", "type(self)", "int(self.a)", "self.a.split(',')", "format.dns1123Label()", "dyn(1)",
         "self.a.substring(9)", "cel.bind(v, self, v)", "optional.of(1)", "ip('1.2.3.4')", "isSorted([2,1])", "self.b.sum()", "'%s'.format([self])"]  # fmt: skip
OPERATORS = ["==", "!=", "<", ">", ">=", "&&", "||", "+", "-", "*", "/", "%", "in", "? 1 :", ".", "?"]
PATTERNS = [
    "^a+$",
    "(a+)+$",
    "[",
    "(?<x>a)",
    "\\p{L}",
    "(?i)a",
    "a{1001}",
    "\\z",
    "(?=a)",
    "^(a|b|ab)*c$",
    "",
    "\\1",
    "[[:alpha:]]",
    "(?P<n>a)(?P=n)",
]


def rule(chance: Chance) -> str:
    """A CEL expression: terms and operators, some that fit."""
    words = [chance.choice(RULES)]
    for _ in range(chance.randint(0, 3)):
        words += [chance.choice(OPERATORS), chance.choice(RULES)]
    return (
        " ".join(words)
        if chance.random() < 0.9
        else scrambled(" ".join(words).encode(), chance).decode("utf-8", "replace")
    )


def schema(chance: Chance, depth: int = 0) -> dict[str, Any]:
    """A schema as a definition holds it, mostly structural."""
    kinds = (
        ["object", "array", "string", "integer", "number", "boolean"]
        if depth < 3
        else ["string", "integer", "number", "boolean"]
    )
    made: dict[str, Any] = {"type": chance.choice(kinds)}
    if made["type"] == "object":
        made["properties"] = {name: schema(chance, depth + 1) for name in chance.sample("abcd", chance.randint(0, 3))}
        if chance.random() < 0.2:
            made["additionalProperties"] = chance.choice([True, False, {"type": "string"}])
    elif made["type"] == "array":
        made["items"] = schema(chance, depth + 1)
    extras = {
        "default": [1, "a", {}, [], None, {"a": 1}], "enum": [["a", 1], [], None, [{}]], "minimum": [1, "x", 1e400], "maximum": [0], "pattern": PATTERNS,
        "format": ["date-time", "int32", "x", "byte", "duration"], "nullable": [True, "x"], "required": [["a"], "a", [1]], "maxLength": [1, -1, 2**70],
        "x-kubernetes-int-or-string": [True], "x-kubernetes-preserve-unknown-fields": [True, False], "x-kubernetes-embedded-resource": [True],
        "x-kubernetes-list-type": ["map", "set", "atomic", "x"], "x-kubernetes-list-map-keys": [["a"], [], "a"], "x-kubernetes-map-type": ["atomic"],
        "allOf": [[{"minimum": 1}], [{"type": "string"}]], "oneOf": [[{"required": ["a"]}, {}]], "not": [{}], "$ref": ["#"], "multipleOf": [0, 1, 0.1],
        "minItems": [1, -1], "uniqueItems": [True], "title": ["t"], "minProperties": [1], "exclusiveMinimum": [True, 1],
    }  # fmt: skip
    for name in chance.sample(list(extras), chance.choice([0, 0, 1, 1, 2])):
        made[name] = chance.choice(extras[name])
    if chance.random() < 0.3:
        made["x-kubernetes-validations"] = chance.some(1, 2, lambda: {"rule": rule(chance), "message": "no", **chance.choice([{}, {}, {"messageExpression": rule(chance)}, {"fieldPath": ".a", "reason": "FieldValueInvalid"}, {"optionalOldSelf": True}])})  # fmt: skip
    return made


def definition(chance: Chance) -> dict[str, Any]:
    """A definition of the kind W, mostly valid."""
    top = schema(chance)
    top = {
        "type": "object",
        "properties": {"spec": top, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    path = chance.choice(
        [
            ".spec.a",
            ".spec",
            ".spec.b[0]",
            ".spec.b[*].a",
            ".spec[?(@.a>1)]",
            ".metadata.labels.x",
            "{.spec",
            "..",
            ".spec.a.b.c",
        ]
    )
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": top},
        "additionalPrinterColumns": [{"name": "A", "type": chance.choice(["string", "integer", "date", "boolean", "number"]), "jsonPath": path}],
        "subresources": chance.choice([{}, {"status": {}}, {"scale": {"specReplicasPath": ".spec.a", "statusReplicasPath": ".status.a", "labelSelectorPath": ".status.b"}}]),
        "selectableFields": chance.choice([[], [], [{"jsonPath": ".spec.a"}]]),
    }  # fmt: skip
    spec = {"group": "ex.io", "scope": "Namespaced", "names": {"plural": "ws", "kind": "W"}, "versions": [version]}
    made = {"metadata": {"name": "ws.ex.io"}, "spec": spec}
    return damaged(made, chance) if chance.random() < 0.1 else made


def instance(chance: Chance, depth: int = 0) -> Any:
    """A value for a schema that is not looked at."""
    match chance.randrange(7 if depth < 4 else 5):
        case 0:
            return chance.choice(["a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "", "2026-01-01T00:00:00Z", "1h"])
        case 1:
            return chance.choice([0, 1, -1, 2**63 - 1, 1.5])
        case 2:
            return chance.choice([True, None])
        case 3:
            return chance.choice(ODD)
        case 4 | 5:
            return {name: instance(chance, depth + 1) for name in chance.sample("abcd", chance.randint(0, 3))}
        case _:
            return chance.some(0, 3, lambda: instance(chance, depth + 1))


def test_definitions_with_rules_and_their_objects(cluster: Any, send: Send) -> None:
    ws = "/apis/ex.io/v1/namespaces/default/ws"
    for chance in seeds(250):
        send(chance, "POST", CRDS, json.dumps(definition(chance)).encode(), "application/json")
        for _ in range(3):
            made = {"apiVersion": "ex.io/v1", "kind": "W", "metadata": {"name": "w"}, "spec": instance(chance)}
            body = json.dumps(made).encode()
            send(chance, "POST", ws, body, "application/json", chance.choice(["", "fieldValidation=Strict"]))
            send(
                chance,
                "PATCH",
                f"{ws}/w",
                json.dumps({"spec": instance(chance)}).encode(),
                "application/merge-patch+json",
            )
            send(chance, "PATCH", f"{ws}/w", body, "application/apply-patch+yaml", "fieldManager=f&force=true")
            send(chance, "PUT", f"{ws}/w/status", body, "application/json")
            send(chance, "PATCH", f"{ws}/w/scale", b'{"spec":{"replicas":2}}', "application/merge-patch+json")
            send(chance, "GET", f"{ws}/w/scale", b"", "")
        send(chance, "GET", ws, b"", "", "fieldSelector=spec.a%3D1", {"accept": TABLE})
        send(chance, "GET", "/openapi/v3/apis/ex.io/v1", b"", "")
        send(chance, "DELETE", f"{ws}/w", b"", "")
        send(chance, "DELETE", f"{CRDS}/ws.ex.io", b"", "")
