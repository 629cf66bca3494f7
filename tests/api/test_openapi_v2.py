"""The OpenAPI v2 document: whole, in v2's words, and the same as protobuf."""

import re

import orjson
import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.openapi_proto import encoded_swagger
from lifepod.api.openapi_v2 import in_v2, swagger


def served():
    groups = {}
    for kind in builtin_kinds():
        groups.setdefault((kind.group, kind.version), []).append(kind)
    return [(*path, kinds) for path, kinds in groups.items()]


def test_every_kind_is_defined_and_every_reference_leads_somewhere():
    document = swagger(served())
    definitions = document["definitions"]
    kinds = {
        (each["group"], each["version"], each["kind"])
        for schema in definitions.values()
        for each in schema.get("x-kubernetes-group-version-kind", ())
    }
    assert {(kind.group, kind.version, kind.kind) for kind in builtin_kinds()} <= kinds
    text = orjson.dumps(document).decode()
    assert set(re.findall(r'"#/definitions/([^"]+)"', text)) <= set(definitions)
    assert "#/components" not in text
    of_schemas = {name for name in definitions if name.endswith("JSONSchemaProps")}  # whose fields are named like that
    rest = orjson.dumps({name: schema for name, schema in definitions.items() if name not in of_schemas}).decode()
    assert not re.search(r'"(oneOf|allOf|anyOf|nullable)":', rest)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "string", "nullable": True, "description": "d"}, {"description": "d"}),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {"type": "string"}}},
         {"x-kubernetes-preserve-unknown-fields": True}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {}),
        ({"type": "array", "items": {"allOf": [{"$ref": "#/components/schemas/a"}], "default": {}}},
         {"type": "array", "items": {"$ref": "#/definitions/a", "default": {}}}),
        ({"type": "object", "additionalProperties": {"anyOf": []}}, {"type": "object", "additionalProperties": {}}),
    ],
)  # fmt: skip
def test_words_that_v2_has_not_are_left_out(schema, found):
    assert in_v2(schema) == found


def members(message):
    """The fields of a protobuf message: number → values, as numbers or bytes."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        key = varint()
        match key & 7:
            case 0:
                value = varint()
            case 1:
                value, at = message[at : at + 8], at + 8
            case 2:
                size = varint()
                value, at = message[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def test_the_protobuf_says_the_same():
    schema = {
        "type": "object",
        "description": "d" * 200,
        "required": ["a", "b"],
        "properties": {"a": {"$ref": "#/definitions/X"}, "b": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": {"type": "integer", "minimum": 1.5, "maxLength": 300},
        "default": {"c": 1},
        "x-kubernetes-group-version-kind": [{"group": "g", "version": "v", "kind": "K"}],
    }
    info = {"title": "Kubernetes", "version": "v1"}
    document = members(encoded_swagger({"swagger": "2.0", "info": info, "paths": {}, "definitions": {"n": schema}}))
    assert document[1] == [b"2.0"]
    assert members(document[2][0]) == {1: [b"Kubernetes"], 2: [b"v1"]}
    named = members(members(document[9][0])[1][0])
    assert named[1] == [b"n"]
    found = members(named[2][0])
    assert found[4] == [b"d" * 200]
    assert found[19] == [b"a", b"b"]
    assert members(found[22][0]) == {1: [b"object"]}
    assert members(found[5][0]) == {2: [b'{"c":1}']}
    first, second = (members(each) for each in members(found[25][0])[1])
    assert (first[1], members(first[2][0])) == ([b"a"], {1: [b"#/definitions/X"]})
    items = members(members(members(second[2][0])[23][0])[1][0])
    assert members(items[22][0]) == {1: [b"string"]}
    allowed = members(members(found[21][0])[1][0])
    assert (allowed[9], allowed[11]) == ([b"\x00\x00\x00\x00\x00\x00\xf8?"], [300])
    extension = members(found[31][0])
    assert extension[1] == [b"x-kubernetes-group-version-kind"]
    assert orjson.loads(members(extension[2][0])[2][0]) == schema["x-kubernetes-group-version-kind"]
