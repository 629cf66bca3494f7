"""What a request's JSON means to a type: the object as Go would have read it, and what strict decoding complains of.

`decode_json(body, type)` reads bytes, `prune(obj, type)` what is JSON already (from YAML, protobuf, a patch). Both drop
unknown fields, null members and zero values that Go would not write again, write quantities and times canonically, and raise
`DecodeError` with upstream's text on a value of the wrong type. The caller adds the frame (`Pod in version "v1" cannot be handled as a Pod: …`,
`strict decoding error: …`) and decides what `problems` mean. A clean object comes back as the same object.

Two walks: a compiled check per type, which says in one pass whether anything needs doing, and a slow one which does it
and knows paths. Values of custom resources are not type checked here: that is validation's, with 422.

Source: sigs.k8s.io/json internal/golang/encoding/json/decode.go; k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/json
"""

from __future__ import annotations

import binascii
import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

import orjson

from lifepod.api.json_syntax import syntax_error
from lifepod.api.objects import JsonObject, JsonValue, format_micro_time, format_time
from lifepod.api.quantity import PATTERN, QuantityError, canonical_quantity
from lifepod.api.schema import Field, Type, type_named
from lifepod.errors import LifepodError

MAX_PROBLEMS = 100
MAX_DEPTH = 254
"""How deep a JSON text may nest: as deep as orjson writes."""
_TYPE_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
_INT32 = 2**31
_INT64 = 2**63
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ANY_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)")


class DecodeError(LifepodError):
    """The value cannot be read as the type; the message is Go's, without the frame around it."""


class JsonSyntaxError(DecodeError):
    """The bytes are no JSON object that says its kind: `invalid character 'b' looking for beginning of value`.

    The caller's frame is `couldn't get version/kind; json parse error: …`.
    """


class Decoded(NamedTuple):
    """`problems` in the order of the text: `unknown field "spec.bogus"`, `duplicate field "spec.containers[0].name"`."""

    obj: JsonObject
    problems: tuple[str, ...]


def decode_json(body: bytes, type_: Type, *, duplicates: bool = True) -> Decoded:
    """Read a request body as `type_`. `duplicates`: look for repeated keys too (not needed under Ignore).

    >>> from lifepod.api.schema import type_named
    >>> decode_json(b'{"data": {"a": "b"}, "x": 1}', type_named("io.k8s.api.core.v1.ConfigMap"))
    Decoded(obj={'data': {'a': 'b'}}, problems=('unknown field "x"',))
    """
    value = parse_json(body)
    if value is None:
        return Decoded({}, ())
    if type(value) is not dict:
        raise JsonSyntaxError(_cannot(value, "", (), _TYPE_META))
    for name in ("apiVersion", "kind"):
        if type(value.get(name, "")) is not str and value[name] is not None:
            raise JsonSyntaxError(
                f"json: cannot unmarshal {_go_value(value[name], '')} into Go struct field .{name} of type string"
            )
    repeated = duplicate_fields(body, value) if duplicates else []
    pruned = prune(value, type_)
    if not repeated:
        return pruned
    return Decoded(pruned.obj, tuple(dict.fromkeys((*pruned.problems, *repeated)))[:MAX_PROBLEMS])


def parse_json(body: bytes) -> JsonValue:
    """The JSON value of `body`, as Go reads it (broken UTF-8 is replaced). Raises JsonSyntaxError."""
    try:
        value: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _leniently(body)
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        try:
            orjson.dumps(value)
        except TypeError:  # what cannot be written again must not be taken in
            raise JsonSyntaxError("exceeded max depth") from None
    return value


def _leniently(body: bytes) -> JsonValue:
    """What Go takes and orjson does not: broken UTF-8, lone surrogates."""
    if message := syntax_error(body):
        raise JsonSyntaxError(message)
    try:
        value = json.loads(body.decode("utf-8", "replace"))
        return orjson.loads(_without_lone_surrogates(json.dumps(value)))
    except (ValueError, RecursionError):
        raise JsonSyntaxError("exceeded max depth") from None


def _without_lone_surrogates(text: str) -> str:
    pair = r"(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\ud[89a-f][0-9a-f]{2}"
    return re.sub(pair, lambda m: m[1] or "\\ufffd", text)


def prune(obj: JsonObject, type_: Type) -> Decoded:
    """Read JSON that is decoded already as `type_`; `obj` itself comes back when nothing had to change."""
    reader = _Reader()
    try:
        if _check_of(type_)(obj):
            return Decoded(obj, ())
        value = reader.object(obj, type_, "", type_.struct, ())
    except RecursionError:
        raise DecodeError("exceeded max depth") from None
    if reader.first_error:
        raise DecodeError(reader.first_error)
    return Decoded(value, tuple(dict.fromkeys(reader.problems))[:MAX_PROBLEMS])


# --- duplicate keys -------------------------------------------------------------------------------------------------


def _has_duplicates(body: bytes, value: JsonValue) -> bool:
    """Whether a key may occur twice, at the speed of C: fewer keys come out than stand in the text.

    A quote inside a string is always escaped, so `":` not after a backslash ends a key. Whatever makes the count
    unsure (blanks before a colon, a key that ends in a backslash) counts as "may".
    """
    if b" :" in body or b"\n:" in body or b"\t:" in body or b"\r:" in body or b'\\\\":' in body:
        return True
    dumped = orjson.dumps(value)
    return body.count(b'":') - body.count(b'\\":') != dumped.count(b'":') - dumped.count(b'\\":')


class _Pairs(list[tuple[str, JsonValue]]):
    """The members of an object in the order of the text, repeated ones too."""


def duplicate_fields(body: bytes, value: JsonValue) -> list[str]:
    """Complaints about the keys that occur twice in a text; `value` is what it says."""
    return _duplicate_keys(body) if _has_duplicates(body, value) else []


def _duplicate_keys(body: bytes) -> list[str]:
    try:
        document = json.loads(body.decode("utf-8", "replace"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    _find_duplicates(document, "", found)
    return found


def _find_duplicates(value: JsonValue, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, inner in value:
            at = f"{path}.{name}" if path else name
            if name in seen:
                found.append(f'duplicate field "{at}"')
            seen.add(name)
            _find_duplicates(inner, at, found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _find_duplicates(inner, f"{path}[{index}]", found)


# --- the fast check -------------------------------------------------------------------------------------------------

Check: TypeAlias = Callable[[JsonValue], bool]


def _check_of(type_: Type) -> Check:
    """Whether a value needs nothing done, compiled once per type."""
    found = type_.check
    if found is None:
        found = type_.check = _compiled(type_)
    return found


def _compiled(type_: Type) -> Check:
    match type_.kind:
        case "object":
            return _object_check(type_)
        case "array" | "map" if type_.item is not None:
            return _items_check(type_.kind == "array", type_.item)
        case "any" if type_.go in _SCHEMA_UNIONS:
            return _schema_union_check(_SCHEMA_UNIONS[type_.go])
        case _:
            return _SCALAR_CHECKS[type_.kind]


_SCHEMA_PROPS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_SCHEMA_UNIONS: dict[str, type] = {"v1.JSONSchemaPropsOrBool": bool, "v1.JSONSchemaPropsOrArray": list}
"""Where a definition holds a schema or something else."""


def _schema_union_check(other: type) -> Check:
    def check(value: JsonValue) -> bool:
        schema = _check_of(type_named(_SCHEMA_PROPS))
        if type(value) is other:
            return all(map(schema, value)) if isinstance(value, list) else True
        return schema(value)

    return check


def _object_check(type_: Type) -> Check:
    rules: dict[str, tuple[type | None, Check | None, bool]] = {}
    fields = type_.fields
    if type_.keeps_unknown or (type_.structural and not type_.embedded and not fields):
        return lambda value: False

    def check(value: JsonValue) -> bool:
        if type(value) is not dict:
            return False
        for name, inner in value.items():
            rule = rules.get(name)
            if rule is None:
                if name not in fields:
                    return False
                rule = rules[name] = _rule(fields[name])
            wanted, more, goes = rule
            if goes and not inner:
                return False
            if wanted is not None and type(inner) is not wanted:
                return False
            if more is not None and not more(inner):
                return False
        return True

    return check


_PLAIN: dict[str, type] = {"string": str, "boolean": bool}


def _rule(field: Field) -> tuple[type | None, Check | None, bool]:
    plain = _PLAIN.get(field.type.kind)
    return (plain, None, _goes_when_zero(field)) if plain else (None, _check_of(field.type), _goes_when_zero(field))


_LEFT_OUT = frozenset(("string", "boolean", "int32", "int64", "number", "bytes", "array", "map"))


def _goes_when_zero(field: Field) -> bool:
    """Whether the zero value of this field is the same as none: `env: []` and `hostNetwork: false` are not kept, structs are.

    `managedFields: []` is a request to forget them.

    Source: Go encoding/json: Marshal, the option omitempty
    """
    if field.name == "managedFields":
        return False
    return field.omitempty and not field.pointer and field.type.kind in _LEFT_OUT and not field.type.structural


def _items_check(is_array: bool, item: Type) -> Check:
    plain = _PLAIN.get(item.kind)
    if plain is not None:
        if is_array:
            return lambda value: type(value) is list and all(type(v) is plain for v in value)
        return lambda value: type(value) is dict and all(type(v) is plain for v in value.values())
    check: Check | None = None

    def items_check(value: JsonValue) -> bool:
        nonlocal check
        if is_array and type(value) is not list:
            return False
        if not is_array and type(value) is not dict:
            return False
        if check is None:
            check = _check_of(item)
        return all(map(check, value if is_array else value.values()))

    return items_check


def _is_canonical_quantity(value: JsonValue) -> bool:
    try:
        return type(value) is str and canonical_quantity(value) == value
    except QuantityError:
        return False


def _is_base64(value: JsonValue) -> bool:
    try:
        return type(value) is str and a2b_base64(value, strict_mode=True) is not None
    except (binascii.Error, ValueError):
        return False


_SCALAR_CHECKS: dict[str, Check] = {
    "string": lambda v: type(v) is str,
    "boolean": lambda v: type(v) is bool,
    "int32": lambda v: type(v) is int and -_INT32 <= v < _INT32,
    "int64": lambda v: type(v) is int and -_INT64 <= v < _INT64,
    "number": lambda v: type(v) is float or type(v) is int,
    "bytes": _is_base64,
    "quantity": _is_canonical_quantity,
    "int-or-string": lambda v: type(v) is str or (type(v) is int and -_INT32 <= v < _INT32),
    "time": lambda v: type(v) is str and _TIME.fullmatch(v) is not None and _time(v) is not None,
    "micro-time": lambda v: type(v) is str and len(v) == 27 and v[-1] == "Z" and _micro_time(v) is not None,
    "any": lambda v: v is not None,
}


# --- the slow walk --------------------------------------------------------------------------------------------------

Stack: TypeAlias = tuple[str, ...]
_ZERO: dict[str, JsonValue] = {
    "string": "",
    "boolean": False,
    "int32": 0,
    "int64": 0,
    "number": 0,
    "bytes": "",
    "quantity": "0",
    "int-or-string": 0,
}


class _Reader:
    """One slow walk: `problems` of strictness; the first type error, which Go reports after it has read on.

    `path` carries indices and map keys (for problems), `struct` and `stack` do not (for Go's type errors).
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.first_error = ""

    def mismatch(self, value: JsonValue, struct: str, stack: Stack, go: str) -> None:
        """Note a type error that Go saves and reads on after."""
        self.first_error = self.first_error or _cannot(value, struct, stack, go)

    def object(self, obj: JsonValue, type_: Type, path: str, struct: str, stack: Stack) -> JsonValue:
        """An object without unknown, null and zero members, its values read."""
        if type(obj) is not dict:
            if not type_.structural:
                self.mismatch(obj, struct, stack, type_.go)
            return obj if type_.structural else {}
        made: JsonObject = {}
        changed = False
        for name, inner in obj.items():
            field = type_.fields.get(name)
            at = f"{path}.{name}" if path else name
            if field is None:
                if type_.keeps_unknown:
                    made[name] = inner
                else:
                    self.problems.append(f'unknown field "{at}"')
                    changed = True
            elif inner is None and not field.type.structural:
                changed = True
            else:
                read = self.value(inner, field.type, at, type_.struct, (*stack, name))
                changed = changed or read is not inner
                if read or not _goes_when_zero(field):
                    made[name] = read
                else:
                    changed = True
        return made if changed else obj

    def value(self, value: JsonValue, type_: Type, path: str, struct: str, stack: Stack) -> JsonValue:
        """Any value, by the kind of its type."""
        if value is None and type_.structural:
            return None
        match type_.kind:
            case "object":
                return self.object(value, type_, path, struct, stack)
            case "array":
                return self.array(value, type_, path, struct, stack)
            case "map":
                return self.map(value, type_, path, struct, stack)
            case "any" if type_.go in _SCHEMA_UNIONS:
                return self.schema_union(value, _SCHEMA_UNIONS[type_.go])
            case _:
                return value if type_.structural else self.scalar(value, type_, struct, stack)

    def array(self, value: JsonValue, type_: Type, path: str, struct: str, stack: Stack) -> JsonValue:
        """A list; a null element is the element type's zero value."""
        if type(value) is not list:
            if not type_.structural:
                self.mismatch(value, struct, stack, type_.go)
            return value
        item = type_.item or type_
        made = [
            _zero(item)
            if inner is None and not item.structural
            else self.value(inner, item, f"{path}[{index}]", struct, stack)
            for index, inner in enumerate(value)
        ]
        return value if all(a is b for a, b in zip(made, value, strict=True)) else made

    def map(self, value: JsonValue, type_: Type, path: str, struct: str, stack: Stack) -> JsonValue:
        """A map; a null value is the value type's zero value."""
        if type(value) is not dict:
            if not type_.structural:
                self.mismatch(value, struct, stack, type_.go)
            return value
        item = type_.item or type_
        made = {
            name: _zero(item)
            if inner is None and not item.structural
            else self.value(inner, item, f"{path}.{name}", struct, stack)
            for name, inner in value.items()
        }
        return value if all(made[name] is inner for name, inner in value.items()) else made

    def schema_union(self, value: JsonValue, other: type) -> JsonValue:
        """A schema, or a boolean or a list of schemas; read by an unmarshaller of its own, for which nothing is unknown.

        Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apis/apiextensions/v1/marshal.go
        """
        if isinstance(value, list) and other is list:
            return [self.schema_union(inner, dict) for inner in value]
        if isinstance(value, dict):
            own = _Reader()
            read = own.object(value, type_named(_SCHEMA_PROPS), "", "", ())
            self.first_error = self.first_error or own.first_error
            return read
        if other is bool and type(value) is not bool:
            self.first_error = self.first_error or "boolean or JSON schema expected"
        elif other is dict:
            self.mismatch(value, "", (), "v1.JSONSchemaProps")
        return value if type(value) is bool and other is bool else None

    def scalar(self, value: JsonValue, type_: Type, struct: str, stack: Stack) -> JsonValue:
        """A leaf, written canonically. Raises DecodeError at once where Go's own unmarshaller gives up."""
        match type_.kind:
            case "quantity":
                return _quantity(value)
            case "time" | "micro-time":
                return _any_time(value, type_.kind == "micro-time", struct, stack)
            case "int-or-string":
                if not _SCALAR_CHECKS["int-or-string"](value):
                    raise DecodeError(_cannot(value, struct, stack, "int32"))
            case "bytes":
                return self.bytes(value, struct, stack)
            case kind:
                if not _SCALAR_CHECKS[kind](value):
                    self.mismatch(value, struct, stack, type_.go)
        return value

    def bytes(self, value: JsonValue, struct: str, stack: Stack) -> JsonValue:
        """Base64, newlines in it left out. A broken one is an error at the first bad byte."""
        if type(value) is not str:
            self.mismatch(value, struct, stack, "[]uint8")
            return value
        if _is_base64(value):
            return value
        plain = value.replace("\n", "").replace("\r", "")
        try:
            return b2a_base64(a2b_base64(plain, strict_mode=True), newline=False).decode()
        except (binascii.Error, ValueError):
            self.first_error = self.first_error or f"illegal base64 data at input byte {_bad_base64_byte(value)}"
            return value


def _zero(type_: Type) -> JsonValue:
    return {} if type_.kind == "object" else _ZERO.get(type_.kind)


def _cannot(value: JsonValue, struct: str, stack: Stack, go: str) -> str:
    """Go's UnmarshalTypeError: the field is the dotted path of JSON names, without indices."""
    into = f"Go struct field {struct}.{'.'.join(stack)}" if stack else "Go value"
    return f"json: cannot unmarshal {_go_value(value, go)} into {into} of type {go}"


def _go_value(value: JsonValue, go: str) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if go.startswith(("int", "float", "uint")) else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "null"


def _quantity(value: JsonValue) -> str:
    if type(value) is str or (isinstance(value, int | float) and not isinstance(value, bool)):
        try:
            return canonical_quantity(value)
        except QuantityError as error:
            raise DecodeError(str(error)) from None
    raise DecodeError(f"quantities must match the regular expression '{PATTERN}'")


def _any_time(value: JsonValue, micro: bool, struct: str, stack: Stack) -> JsonValue:
    """A time in UTC: seconds, or six decimals."""
    if type(value) is not str:
        raise DecodeError(_cannot(value, struct, stack, "string"))
    moment = _micro_time(value) if micro else _time(value)
    if moment is None:
        layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
        raise DecodeError(_time_error(value, layout))
    return format_micro_time(moment) if micro else format_time(moment)


def read_time(text: str) -> datetime:
    """The moment that an RFC 3339 text names. Raises DecodeError as Go's time.Parse words it."""
    moment = _time(text)
    if moment is None:
        raise DecodeError(_time_error(text, "2006-01-02T15:04:05Z07:00"))
    return moment


def _time(text: str) -> datetime | None:
    return _moment(text) if _ANY_TIME.fullmatch(text) else None


def _micro_time(text: str) -> datetime | None:
    return _moment(text) if _MICRO_TIME.fullmatch(text) else None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace(",", ".")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_LAYOUT = re.compile(r"2006|01|02|15|04|05|\.000000|Z07:00|.")
_LAYOUT_PATTERNS = {"2006": r"\d{4}", ".000000": r"\.\d{6}", "Z07:00": r"Z|[+-]\d\d:\d\d"}
_RANGES = {"01": (1, 12, "month"), "15": (0, 23, "hour"), "04": (0, 59, "minute"), "05": (0, 59, "second")}


def _time_error(text: str, layout: str) -> str:
    """Go's time.ParseError: which part of the layout the rest of the text does not fit."""
    start = f"parsing time {orjson.dumps(text).decode()}"
    rest = text
    for match in _LAYOUT.finditer(layout):
        part = match[0]
        pattern = _LAYOUT_PATTERNS.get(part) or (r"\d\d" if part.isdigit() else re.escape(part))
        if part == "Z07:00" and "." not in layout:
            rest = re.sub(r"^[.,]\d+", "", rest)
        found = re.match(pattern, rest)
        if found is None:
            quoted = orjson.dumps(rest).decode()
            return f'{start} as "{layout}": cannot parse {quoted} as "{part}"'
        low, high, name = _RANGES.get(part, (0, 10**4, ""))
        if name and not low <= int(found[0]) <= high:
            return f"{start}: {name} out of range"
        rest = rest[found.end() :]
    return f"{start}: extra text: {orjson.dumps(rest).decode()}" if rest else f"{start}: day out of range"


def _bad_base64_byte(text: str) -> int:
    """Where Go's decoder stops: the first byte outside the alphabet, or the end of a short last group."""
    alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n")
    for index, char in enumerate(text):
        if char not in alphabet:
            if char == "=" and sum(c not in "\r\n" for c in text[:index]) % 4 > 1:
                continue
            return len(text[:index].encode())
    count = sum(c not in "\r\n" for c in text)
    return len(text) - count % 4


__all__ = [
    "DecodeError",
    "Decoded",
    "Field",
    "JsonSyntaxError",
    "decode_json",
    "duplicate_fields",
    "parse_json",
    "prune",
    "read_time",
]
