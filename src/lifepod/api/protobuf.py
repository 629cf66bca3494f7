"""Request bodies in Kubernetes' protobuf, read into the JSON that the same client would have sent.

Typed Go clients write protobuf and do not fall back. Only reading is needed: answers may be JSON. The field numbers stand in
the schema table (`Field.number`; structs that JSON inlines are nested messages on the wire, `Type.wire`).

The Go encoder writes zero values of plain fields always; `"" 0 false` of a field that is neither a pointer nor always
printed (no omitempty) is dropped, as Go's JSON would.

Source: k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/protobuf/protobuf.go; pkg/runtime/generated.proto
"""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from lifepod.api.objects import JsonObject, JsonValue, format_micro_time, format_time
from lifepod.api.schema import Field, Type, type_named, type_of_kind
from lifepod.errors import LifepodError

MAGIC = b"k8s\x00"
MAX_DEPTH = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_META_PACKAGE = "io.k8s.apimachinery.pkg.apis.meta.v1"

Raw = int | bytes


class ProtobufError(LifepodError, ValueError):
    """The bytes are not what they say they are; the message says what is wrong."""


class Envelope(NamedTuple):
    """What a body says it is, and the message within."""

    api_version: str
    kind: str
    raw: bytes


def decode_protobuf(body: bytes) -> JsonObject:
    """The object of a `k8s\\0` body as JSON, apiVersion and kind included. Raises ProtobufError (a ValueError).

    Kinds that the schema table does not have are refused. Run `decode.prune` on the result as on any JSON.
    """
    return _object(body, MAX_DEPTH)


def _object(body: bytes, depth: int) -> JsonObject:
    envelope = open_envelope(body)
    group, _, version = envelope.api_version.rpartition("/")
    type_ = type_of_kind(group, version, envelope.kind) or _machinery_type(envelope.kind)
    if type_ is None:
        raise ProtobufError(f'no kind "{envelope.kind}" is registered for version "{envelope.api_version}"')
    obj = _message(envelope.raw, type_, _numbers(type_), depth)
    return {"kind": envelope.kind, "apiVersion": envelope.api_version, **obj}


def _machinery_type(kind: str) -> Type | None:
    """Kinds that every group version has: DeleteOptions and the like."""
    try:
        return type_named(f"{_META_PACKAGE}.{kind}")
    except KeyError:
        return None


def open_envelope(body: bytes) -> Envelope:
    """What stands in the envelope of a body. Raises ProtobufError."""
    if body[:4] != MAGIC:
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = b""
    for number, value in _fields(body[4:]):
        if number == 1:
            for inner, text in _fields(_bytes(value)):
                if inner == 1:
                    api_version = _text(text)
                elif inner == 2:
                    kind = _text(text)
        elif number == 2:
            raw = _bytes(value)
        elif number == 3 and value not in (b"", 0):
            raise ProtobufError(f"unsupported content encoding {_text(value)!r}")
    return Envelope(api_version, kind, raw)


def decode_message(raw: bytes, type_: Type) -> JsonObject:
    """One message (without envelope) as the JSON of `type_`. Raises ProtobufError."""
    return _message(raw, type_, _numbers(type_), MAX_DEPTH)


# --- the wire -------------------------------------------------------------------------------------------------------


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ProtobufError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift >= 70:
            raise ProtobufError("proto: integer overflow")


def _fields(data: bytes) -> Iterator[tuple[int, Raw]]:
    """The (field number, value) pairs of a message; varints as they are, everything else as bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ProtobufError("proto: illegal tag 0")
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if size > end - at:
            raise ProtobufError("unexpected EOF")
        yield number, data[at : at + size]
        at += size


def _bytes(value: Raw) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("proto: wrong wireType = 0")
    return value


def _text(value: Raw) -> str:
    return _bytes(value).decode("utf-8", "replace")


def _signed(value: Raw, bits: int) -> int:
    if not isinstance(value, int):
        raise ProtobufError("proto: wrong wireType = 2")
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


# --- messages -------------------------------------------------------------------------------------------------------

Numbers = dict[int, "Field | Numbers"]
_numbers_of: dict[str, Numbers] = {}


def _numbers(type_: Type) -> Numbers:
    """The fields by number; what JSON inlines is a nested table."""
    found = _numbers_of.get(type_.name)
    if found is None:
        found = {field.number: field for field in type_.fields.values() if field.number}
        found.update(_nested(type_.wire, type_))
        _numbers_of[type_.name] = found
    return found


def _nested(wire: JsonValue, type_: Type) -> Numbers:
    return {
        int(number): _nested(inner, type_) if isinstance(inner, dict) else type_.fields[inner]
        for number, inner in wire.items()
    }


def _message(raw: bytes, type_: Type, numbers: Numbers, depth: int) -> JsonObject:
    if depth <= 0:
        raise ProtobufError("the message is nested too deeply")
    made: JsonObject = {}
    for number, value in _fields(raw):
        field = numbers.get(number)
        if field is None:
            continue  # a field of a newer version: Go skips it too
        if isinstance(field, dict):
            made.update(_message(_bytes(value), type_, field, depth - 1))
        else:
            _read_field(made, field, value, depth)
    return made


def _read_field(made: JsonObject, field: Field, value: Raw, depth: int) -> None:
    type_ = field.type
    item = type_.item
    if type_.kind == "array" and item is not None:
        made.setdefault(field.name, []).extend(_elements(value, item, depth))
    elif type_.kind == "map" and item is not None:
        key, element = _map_entry(_bytes(value), item, depth)
        made.setdefault(field.name, {})[key] = element
    else:
        read = _value(value, type_, depth)
        if read is None or (not field.pointer and field.omitempty and _is_zero(read)):
            made.pop(field.name, None)
        else:
            made[field.name] = read


def _is_zero(value: JsonValue) -> bool:
    return value == "" or value is False or (value == 0 and type(value) in (int, float))


def _elements(value: Raw, item: Type, depth: int) -> list[JsonValue]:
    """One repeated element, or several packed numbers."""
    if isinstance(value, bytes) and item.kind in ("int32", "int64", "boolean"):
        made: list[JsonValue] = []
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            made.append(_value(number, item, depth))
        return made
    return [_value(value, item, depth)]


def _map_entry(entry: bytes, item: Type, depth: int) -> tuple[str, JsonValue]:
    key = ""
    found: Raw | None = None
    for number, value in _fields(entry):
        if number == 1:
            key = _text(value)
        elif number == 2:
            found = value
    if item.kind == "array" and item.item is not None:
        # A named list type (authentication's ExtraValue) is a message with the list as field 1.
        inner = [element for number, element in _fields(_bytes(found or b"")) if number == 1]
        return key, [_value(element, item.item, depth - 1) for element in inner]
    if found is None:
        return key, {"string": "", "quantity": "0", "bytes": "", "boolean": False, "object": {}}.get(item.kind, 0)
    return key, _value(found, item, depth)


def _value(value: Raw, type_: Type, depth: int) -> JsonValue:
    match type_.kind:
        case "string":
            return _text(value)
        case "int32":
            return _signed(value, 32)
        case "int64":
            return _signed(value, 64)
        case "boolean":
            return _signed(value, 64) != 0
        case "number":
            return _float(_bytes(value))
        case "bytes":
            return b2a_base64(_bytes(value), newline=False).decode()
        case "quantity":
            return next((_text(v) for n, v in _fields(_bytes(value)) if n == 1), "") or "0"
        case "int-or-string":
            return _int_or_string(_bytes(value))
        case "time" | "micro-time":
            return _time(_bytes(value), micro=type_.kind == "micro-time")
        case "object":
            return _message(_bytes(value), type_, _numbers(type_), depth - 1)
        case _:
            return _any(_bytes(value), type_.go, depth - 1)


def _float(value: bytes) -> float:
    if len(value) != 8:
        raise ProtobufError("proto: wrong wireType for a double")
    number: float = struct.unpack("<d", value)[0]
    if number != number or number in (float("inf"), float("-inf")):
        raise ProtobufError("a double that is no number")
    return number


def _int_or_string(raw: bytes) -> int | str:
    kind, number, text = 0, 0, ""
    for field, value in _fields(raw):
        if field == 1:
            kind = _signed(value, 64)
        elif field == 2:
            number = _signed(value, 32)
        elif field == 3:
            text = _text(value)
    return text if kind == 1 else number


def _time(raw: bytes, *, micro: bool) -> str | None:
    """A moment; the empty message is Go's zero time, which JSON writes as null."""
    seconds = nanos = 0
    for field, value in _fields(raw):
        if field == 1:
            seconds = _signed(value, 64)
        elif field == 2:
            nanos = _signed(value, 32)
    if not raw or seconds == -62135596800:
        return None
    try:
        moment = _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError:
        raise ProtobufError("a time out of range") from None
    return format_micro_time(moment) if micro else format_time(moment)


def _any(raw: bytes, go: str, depth: int) -> JsonValue:
    """RawExtension, JSON, FieldsV1 carry JSON text; CRD schemas have three unions of their own."""
    if depth <= 0:
        raise ProtobufError("the message is nested too deeply")
    kind = go.rpartition(".")[2].lstrip("[]")
    if kind.startswith("JSONSchemaPropsOr"):
        return _schema_union(raw, kind, depth)
    text = next((_bytes(v) for n, v in _fields(raw) if n == 1), b"")
    if not text:
        return None
    if text[:4] == MAGIC:
        return _object(text, depth - 1)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ProtobufError("the JSON within the message is malformed") from None


def _schema_union(raw: bytes, kind: str, depth: int) -> JsonValue:
    """JSONSchemaPropsOrBool, …OrArray, …OrStringArray."""
    props = type_named(_SCHEMA_PROPS)
    if kind == "JSONSchemaPropsOrBool":
        allows: JsonValue = False
        for number, value in _fields(raw):
            if number == 2:
                return _message(_bytes(value), props, _numbers(props), depth - 1)
            allows = _signed(value, 64) != 0
        return allows
    several: list[JsonValue] = []
    for number, value in _fields(raw):
        if number == 1:
            return _message(_bytes(value), props, _numbers(props), depth - 1)
        several.append(
            _text(value) if kind.endswith("StringArray") else _message(_bytes(value), props, _numbers(props), depth - 1)
        )
    return several
