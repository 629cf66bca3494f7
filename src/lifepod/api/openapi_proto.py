"""The OpenAPI v2 document as protobuf, the only form in which kubectl and client-go ask for it.

Source: github.com/google/gnostic-models openapiv2/OpenAPIv2.proto: Document, Definitions, Schema, NamedAny
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import orjson

from lifepod.api.objects import JsonObject, JsonValue

_TEXTS: Final = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_NUMBERS: Final = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_FLAGS: Final = {"exclusiveMaximum": 8, "exclusiveMinimum": 10, "uniqueItems": 16}
_COUNTS: Final = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "maxProperties": 17,
    "minProperties": 18,
}


def encoded_swagger(document: JsonObject) -> bytes:
    """The `Document` message of a swagger document without paths."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    definitions = _named_schemas(document["definitions"])
    return _text(1, document["swagger"]) + _field(2, info) + _field(8, b"") + _field(9, definitions)


def _named_schemas(schemas: JsonObject) -> bytes:
    named = (_text(1, name) + _field(2, _schema(schema)) for name, schema in schemas.items())
    return b"".join(_field(1, each) for each in named)


def _schema(schema: JsonObject) -> bytes:
    return b"".join(_member(word, value) for word, value in schema.items())


def _member(word: str, value: JsonValue) -> bytes:
    """One word of a schema; what the message has no field for is left out."""
    if word in _TEXTS:
        return _text(_TEXTS[word], str(value))
    if word in _NUMBERS:
        return _key(_NUMBERS[word], 1) + struct.pack("<d", value)
    if word in _FLAGS or word in _COUNTS:
        return _key(_FLAGS.get(word) or _COUNTS[word], 0) + _varint(int(value))
    if word.startswith("x-"):
        return _field(31, _text(1, word) + _field(2, _any(value)))
    match word:
        case "default":
            return _field(5, _any(value))
        case "required":
            return _all_texts(19, value)
        case "enum":
            return b"".join(_field(20, _any(each)) for each in value)
        case "additionalProperties":
            allowed = _key(2, 0) + _varint(1) if value else b""
            return _field(21, _field(1, _schema(value)) if isinstance(value, dict) else allowed)
        case "type":
            return _field(22, _text(1, str(value)))
        case "items":
            return _field(23, _field(1, _schema(value)))
        case "properties":
            return _field(25, _named_schemas(value))
        case _:
            return b""


def _any(value: JsonValue) -> bytes:
    """A value as YAML; JSON is YAML."""
    return _field(2, orjson.dumps(value))


def _all_texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(_text(number, text) for text in texts)


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, data: bytes) -> bytes:
    return _key(number, 2) + _varint(len(data)) + data


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
