"""What is wrong with the values of a custom resource by its definition's schema.

Types, limits, patterns, formats, enums, required members, unique lists; rules in CEL are `structural_rules.py`'s. What an update
leaves as it was is not judged again.

Source: k8s.io/kube-openapi pkg/validation/validate; k8s.io/apimachinery pkg/api/validation/path
        k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/validation/{validation,ratcheting,formats}.go
        k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/schema/listtype/validation.go
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TypeAlias

import orjson

from lifepod.api.field_errors import FieldError, duplicate, invalid, not_supported, required, too_long, too_many
from lifepod.api.objects import JsonObject, JsonValue

Schema: TypeAlias = JsonObject
ABSENT: JsonValue = object()
"""What an old value is that was not there: equal to nothing."""


def value_errors(value: JsonValue, schema: Schema, path: str = "", old: JsonValue = ABSENT) -> list[FieldError]:
    """The errors of one value and of everything in it."""
    return list(_errors(value, schema, path, old))


def _errors(value: JsonValue, schema: Schema, path: str, old: JsonValue) -> Iterator[FieldError]:
    if value == old and type(value) is type(old):
        return
    if value is None and schema.get("nullable"):
        return
    if wrong := _type_error(value, schema, path):
        yield wrong
        return
    yield from _limits(value, schema, path)
    if isinstance(value, dict):
        yield from _object_errors(value, schema, path, old)
    elif isinstance(value, list):
        yield from _list_errors(value, schema, path, old)
    yield from _junctors(value, schema, path)


def json_type(value: JsonValue) -> str:
    """The name of a JSON value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _type_error(value: JsonValue, schema: Schema, path: str) -> FieldError | None:
    has = json_type(value)
    if schema.get("x-kubernetes-int-or-string"):
        wanted: tuple[str, ...] = ("integer", "string")
    elif "type" in schema:
        wanted = (schema["type"],)
    else:
        return None
    if has in wanted or (has == "integer" and wanted == ("number",)):
        return None
    text = f'{path} in body must be of type {",".join(wanted)}: "{has}"'
    return FieldError("FieldValueTypeInvalid", path or "<nil>", has, text)


# ------------------------------------------------------------------------------------------------------ one value's limits


def _limits(value: JsonValue, schema: Schema, path: str) -> Iterator[FieldError]:
    if "enum" in schema and value not in schema["enum"]:
        yield not_supported(path, value, tuple(_plain(each) for each in schema["enum"]))
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield from _number_limits(value, schema, path)
    elif isinstance(value, str):
        yield from _text_limits(value, schema, path)


def _number_limits(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if least is not None:
        if schema.get("exclusiveMinimum") and value <= least:
            yield invalid(path, value, f"{path} in body should be greater than {_plain(least)}")
        elif value < least:
            yield invalid(path, value, f"{path} in body should be greater than or equal to {_plain(least)}")
    if most is not None:
        if schema.get("exclusiveMaximum") and value >= most:
            yield invalid(path, value, f"{path} in body should be less than {_plain(most)}")
        elif value > most:
            yield invalid(path, value, f"{path} in body should be less than or equal to {_plain(most)}")
    if step and value % step:
        yield invalid(path, value, f"{path} in body should be a multiple of {_plain(step)}")


def _text_limits(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    if "minLength" in schema and len(value) < schema["minLength"]:
        least = schema["minLength"]
        yield invalid(path, value, f"{path} in body should be at least {least} chars long")
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield too_long(path, schema["maxLength"])
    if "pattern" in schema and not _has_pattern(schema["pattern"], value):
        yield invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    check = _FORMATS.get(schema.get("format") or "")
    if check is not None and not check(value):
        yield invalid(path, value, f'{path} in body must be of type {schema["format"]}: "{value}"')


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text.replace(r"\z", r"\Z"))
    except re.error:
        return None  # Go's dialect knows a few forms that Python's does not


def _has_pattern(pattern: str, value: str) -> bool:
    compiled = _pattern(pattern)
    return compiled is None or compiled.search(value) is not None


# ---------------------------------------------------------------------------------------------------------- what it holds


def _object_errors(value: JsonObject, schema: Schema, path: str, old: JsonValue) -> Iterator[FieldError]:
    before: JsonObject = old if isinstance(old, dict) else {}
    for name in schema.get("required") or ():
        if name not in value:
            yield required(_member(path, name))
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        yield invalid(path, value, f"{path} in body should have at least {schema['minProperties']} properties")
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield too_many(path, len(value), schema["maxProperties"])
    properties: JsonObject = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, inner in value.items():
        if name in properties:
            yield from _errors(inner, properties[name], _member(path, name), before.get(name, ABSENT))
        elif isinstance(extra, dict):
            yield from _errors(inner, extra, _member(path, name), before.get(name, ABSENT))


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _list_errors(value: list[JsonValue], schema: Schema, path: str, old: JsonValue) -> Iterator[FieldError]:
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield invalid(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield too_many(path, len(value), schema["maxItems"])
    yield from _repeated(value, schema, path)
    items = schema.get("items")
    if not isinstance(items, dict):
        return
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    before = {key_of(each, keys): each for each in old} if keys and isinstance(old, list) else {}
    for index, inner in enumerate(value):
        held = before.get(key_of(inner, keys), ABSENT) if keys else ABSENT
        yield from _errors(inner, items, f"{path}[{index}]", held)


def key_of(item: JsonValue, keys: tuple[str, ...]) -> str:
    """What makes an item of a list of type `map` the same as another."""
    return orjson.dumps([item.get(key) for key in keys] if isinstance(item, dict) else item).decode()


def _repeated(value: list[JsonValue], schema: Schema, path: str) -> Iterator[FieldError]:
    """Items of a set, and keys of a map, occur once."""
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    seen: set[str] = set()
    for index, item in enumerate(value):
        shown = {key: item[key] for key in keys if key in item} if kind == "map" and isinstance(item, dict) else item
        text = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS).decode()
        if text in seen:
            yield duplicate(f"{path}[{index}]", shown)
        seen.add(text)


def _junctors(value: JsonValue, schema: Schema, path: str) -> Iterator[FieldError]:
    """allOf, anyOf, oneOf, not. Source: kube-openapi pkg/validation/validate/schema_props.go: Validate"""
    if schema.get("x-kubernetes-int-or-string"):
        return  # its anyOf only says the two types again
    if "anyOf" in schema and all(value_errors(value, each, path) for each in schema["anyOf"]):
        yield invalid(path, _shown(value), f"{path} in body must validate at least one schema (anyOf)")
    if "oneOf" in schema:
        count = sum(not value_errors(value, each, path) for each in schema["oneOf"])
        if count != 1:
            found = "Found none valid" if not count else f"Found {count} valid alternatives"
            yield invalid(path, _shown(value), f"{path} in body must validate one and only one schema (oneOf). {found}")
    for each in schema.get("allOf") or ():
        found_errors = value_errors(value, each, path)
        if found_errors:
            yield from found_errors
            yield invalid(path, _shown(value), f"{path} in body must validate all the schemas (allOf)")
    if "not" in schema and not value_errors(value, schema["not"], path):
        yield invalid(path, _shown(value), f"{path} in body must not validate the schema (not)")


def _shown(value: JsonValue) -> JsonValue:
    return value


def _plain(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return orjson.dumps(value).decode()


# ---------------------------------------------------------------------------------------------------------------- formats


def _is_date_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text.upper() and re.search(r"(Z|z|[+-]\d\d:\d\d)$", text) is not None


def _is_date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - only whether it is one
    except ValueError:
        return False
    return True


def _is_byte(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _accepts(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


_HEX = "[0-9a-fA-F]"


def _uuid(version: str) -> Callable[[str], bool]:
    return _matches(_HEX + "{8}-?" + _HEX + "{4}-?" + version + _HEX + "{3}-?" + _HEX + "{4}-?" + _HEX + "{12}")


_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,
    "date": _is_date,
    "byte": _is_byte,
    "ipv4": _accepts(IPv4Address),
    "ipv6": _accepts(IPv6Address),
    "cidr": _accepts(lambda text: ip_network(text, strict=False)),
    "mac": _matches(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"),
    "uuid": _uuid(_HEX),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
    "email": _matches(r"[^@\s]+@[^@\s]+"),
    "hostname": _matches(
        r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*"
    ),
    "uri": _matches(r"([A-Za-z][\w+.-]*:|/)\S*"),
    "hexcolor": _matches(f"#?({_HEX}{{3}}|{_HEX}{{6}})"),
    "duration": _matches(r"-?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h|d|w))+|0"),
}
"""The formats that upstream checks; others are only notes."""
