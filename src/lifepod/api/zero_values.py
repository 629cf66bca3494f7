"""What an object of a kind looks like in which nothing is set: the members that Go writes all the same.

Source: Go encoding/json: Marshal (a struct is never empty to `omitempty`; no slice is `null`)
"""

from __future__ import annotations

from functools import cache

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.schema import OBJECT_META, Field, Type, type_named

_SCALARS: dict[str, JsonValue] = {
    "string": "",
    "boolean": False,
    "int32": 0,
    "int64": 0,
    "number": 0,
}
_STRUCTS: dict[str, JsonValue] = {"time": None, "micro-time": None, "quantity": "0", "int-or-string": 0}


@cache
def zero_members(schema: str) -> JsonObject:
    """The members beside kind, apiVersion and metadata.

    >>> zero_members("io.k8s.api.core.v1.Pod")
    {'spec': {'containers': None}, 'status': {}}
    """
    known = ("kind", "apiVersion", "metadata")
    return {name: value for name, value in _members(type_named(schema)).items() if name not in known}


def _members(type_: Type) -> JsonObject:
    if type_.name == OBJECT_META:
        return {}
    return {name: _value(field) for name, field in type_.fields.items() if _is_written(field)}


def _is_written(field: Field) -> bool:
    if field.pointer:
        return not field.omitempty
    return field.type.kind == "object" or field.type.kind in _STRUCTS or not field.omitempty


def _value(field: Field) -> JsonValue:
    kind = field.type.kind
    if field.pointer:
        return None
    if kind == "object":
        return _members(type_named(field.type.name))
    return _SCALARS[kind] if kind in _SCALARS else _STRUCTS.get(kind)
