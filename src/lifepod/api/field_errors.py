"""One mistake in one field, rendered as upstream words it.

Source: k8s.io/apimachinery v0.34.4 pkg/util/validation/field/errors.go
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import orjson

from lifepod.api.objects import JsonObject, JsonValue

ErrorType = Literal[
    "FieldValueRequired",
    "FieldValueInvalid",
    "FieldValueNotSupported",
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueNotFound",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
]

_WORDS: dict[ErrorType, str] = {
    "FieldValueRequired": "Required value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueNotFound": "Not found",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueTypeInvalid": "Invalid value",
}


class FieldError(NamedTuple):
    """`path` as upstream writes it: `spec.containers[0].image`. `value` is left out of the text where upstream does."""

    type: ErrorType
    path: str
    value: JsonValue
    detail: str
    is_value_shown: bool = True

    def body(self) -> str:
        """The message without the path: a cause's `message`."""
        word = _WORDS[self.type]
        if self.is_value_shown and self.type not in ("FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong"):
            word = f"{word}: {shown_value(self.value)}"
        return f"{word}: {self.detail}" if self.detail else word

    def __str__(self) -> str:
        return f"{self.path}: {self.body()}"

    def cause(self) -> JsonObject:
        """The entry of `details.causes`."""
        return {"reason": self.type, "message": self.body(), "field": self.path}


class Verbatim(str):
    """A value whose text in messages is settled already."""

    __slots__ = ()


def go_struct(*members: tuple[str, JsonValue]) -> Verbatim:
    """A value that messages show as the server's own type: all its members, by their Go names, in their order."""
    return Verbatim("{" + ",".join(f'"{name}":{shown_value(value)}' for name, value in members) + "}")


def shown_value(value: JsonValue) -> str:
    """A value as messages show it: JSON."""
    if isinstance(value, Verbatim):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def required(path: str, detail: str = "") -> FieldError:
    """The field is missing."""
    return FieldError("FieldValueRequired", path, "", detail)


def invalid(path: str, value: JsonValue, detail: str) -> FieldError:
    """The field's value is malformed."""
    return FieldError("FieldValueInvalid", path, value, detail)


def not_supported(path: str, value: JsonValue, supported: tuple[str, ...]) -> FieldError:
    """The value is none of the known ones, told in the order given (upstream mostly sorts them)."""
    known = ", ".join(f'"{s}"' for s in supported)
    return FieldError("FieldValueNotSupported", path, value, f"supported values: {known}")


def forbidden(path: str, detail: str) -> FieldError:
    """The field may not be set here."""
    return FieldError("FieldValueForbidden", path, "", detail)


def duplicate(path: str, value: JsonValue) -> FieldError:
    """The value occurs twice where it must be unique."""
    return FieldError("FieldValueDuplicate", path, value, "")


def not_found(path: str, value: JsonValue) -> FieldError:
    """The value names something that is not there."""
    return FieldError("FieldValueNotFound", path, value, "")


def too_long(path: str, limit: int) -> FieldError:
    """The value has more than `limit` bytes."""
    return FieldError(
        "FieldValueTooLong", path, "", f"may not be more than {limit} {'byte' if limit == 1 else 'bytes'}"
    )


def too_many(path: str, actual: int, limit: int) -> FieldError:
    """The list has more than `limit` items."""
    return FieldError(
        "FieldValueTooMany", path, actual, f"must have at most {limit} {'item' if limit == 1 else 'items'}"
    )
