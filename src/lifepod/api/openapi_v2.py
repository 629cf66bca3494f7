"""The one OpenAPI v2 document (swagger): every schema that the v3 documents have, as definitions.

kubectl asks for it where v3 does not say enough (a `List`, `explain --output plaintext-openapiv2`), Terraform's provider and the
engines of GitOps tools learn their types from it. Its paths are left out: nobody who still reads v2 looks for them.

Source: k8s.io/kube-openapi pkg/builder/openapi.go; k8s.io/apiextensions-apiserver v0.34.4 pkg/controller/openapi/v2/conversion.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.openapi import document

_V3_REF: Final = "#/components/schemas/"
_V3_ONLY: Final = frozenset(("oneOf", "anyOf", "not", "nullable"))
_OF_A_CERTAIN_TYPE: Final = frozenset(("type", "properties", "items", "additionalProperties", "required"))
_LOOSE: Final = ("nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")


def swagger(groups: Iterable[tuple[str, str, list[Kind]]]) -> JsonObject:
    """The document of these group versions. Some 60 ms for all: make it when it is first asked for and keep it."""
    schemas: JsonObject = {}
    for group, version, kinds in groups:
        schemas |= document(group, version, kinds)["components"]["schemas"]
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.34"},
        "paths": {},
        "definitions": {name: in_v2(schema) for name, schema in sorted(schemas.items())},
    }


def in_v2(schema: JsonObject) -> JsonObject:
    """A schema of v3 with the words of v2. What may be null, or anything, is of no certain type there.

    >>> in_v2({"allOf": [{"$ref": "#/components/schemas/a"}], "description": "b"})
    {'$ref': '#/definitions/a', 'description': 'b'}
    """
    left_out = _V3_ONLY | _OF_A_CERTAIN_TYPE if any(schema.get(word) for word in _LOOSE) else _V3_ONLY
    made: JsonObject = {}
    for word, value in schema.items():
        if word == "allOf" and len(value) == 1 and "$ref" in value[0]:
            made["$ref"] = value[0]["$ref"].replace(_V3_REF, "#/definitions/")
        elif word not in left_out and word != "allOf":
            made[word] = _value_in_v2(word, value)
    return made


def _value_in_v2(word: str, value: JsonValue) -> JsonValue:
    match word:
        case "$ref":
            return str(value).replace(_V3_REF, "#/definitions/")
        case "properties" if isinstance(value, dict):
            return {name: in_v2(schema) for name, schema in value.items()}
        case "items" | "additionalProperties" if isinstance(value, dict):
            return in_v2(value)
        case _:
            return value
