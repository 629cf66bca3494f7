"""The values of CEL: which Python value stands for which, when two are equal, which comes first.

int, float, str, bytes, bool, None, list and dict are themselves; `UInt` is an int that knows that it is unsigned; times are aware
datetimes, durations timedeltas. Maps have any keys; those that come from JSON have texts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = object
INT_MAX: Final = 2**63 - 1


class CelSyntaxError(ValueError):
    """The expression cannot be read; the text shows where."""


class CelError(Exception):
    """The expression has no value; the text is the evaluator's."""


class OverBudget(CelError):
    """The evaluation costs more than it may."""


class UInt(int):
    """An unsigned number."""


class TypeOf(NamedTuple):
    """A type as a value: `int`, `list`…"""

    name: str


class Optional(NamedTuple):
    """A value, or none."""

    has_value: bool
    value: Value = None


class Opaque:
    """A value of a library's own type: compared by `key`, shown as `text`."""

    def __init__(self, type_name: str, key: Hashable, text: str) -> None:
        self.type_name, self.key, self.text = type_name, key, text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and (self.type_name, self.key) == (other.type_name, other.key)

    def __hash__(self) -> int:
        return hash((self.type_name, self.key))


class Speaking:
    """A value whose methods are its own affair, such as `authorizer`; `fields` are selected as those of a map."""

    def __init__(self, type_name: str, fields: dict[str, Value] | None = None) -> None:
        self.type_name, self.fields = type_name, fields or {}

    def told(self, method: str, args: tuple[Value, ...]) -> Value:
        """What the method comes to. Raises CelError."""
        raise no_overload(method, (self, *args))


NONE: Final = Optional(False)


def no_overload(name: str, args: Sequence[Value] = ()) -> CelError:
    """The function does not take values of these types."""
    return CelError(f"no such overload: {name}({', '.join(type_name(each) for each in args)})")


def is_number(value: Value) -> bool:
    """Whether it is an int, uint or double; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"), (UInt, "uint"), (int, "int"), (float, "double"), (str, "string"), (bytes, "bytes"), (list, "list"), (dict, "map"),
    (datetime, "google.protobuf.Timestamp"), (timedelta, "google.protobuf.Duration"), (TypeOf, "type"), (Optional, "optional_type"),
)  # fmt: skip
TYPES: Final = {
    **{name: TypeOf(name) for _, name in _NAMES},
    "null_type": TypeOf("null_type"),
}


def type_name(value: Value) -> str:
    """The name of a value's type."""
    if value is None:
        return "null_type"
    if isinstance(value, Opaque | Speaking):
        return value.type_name
    return next((name for type_, name in _NAMES if isinstance(value, type_)), "dyn")


def equal(a: Value, b: Value) -> bool:
    """CEL's equality: numbers by value across their types, everything else only with its like."""
    if is_number(a) and is_number(b):
        return bool(a == b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(key in b and equal(value, b[key]) for key, value in a.items())
    if isinstance(a, Optional) and isinstance(b, Optional):
        return a.has_value == b.has_value and equal(a.value, b.value)
    return type(a) is type(b) and bool(a == b)


def has_key(members: Mapping[Value, Value], key: Value) -> bool:
    """Whether a map has a key; True is not 1."""
    if not isinstance(key, str | int | float) or key not in members:
        return False
    return not isinstance(key, bool) or any(each is key for each in members)


def compared(a: Value, b: Value, sign: str) -> int:
    """-1, 0 or 1. Raises CelError for values without an order; `sign` is what was to be found out."""
    if is_number(a) and is_number(b):
        return int(a > b) - int(a < b)  # type: ignore[operator]  # numbers, as was just asked
    for type_ in (str, bytes, bool, datetime, timedelta):
        if isinstance(a, type_) and isinstance(b, type_):
            return int(a > b) - int(a < b)  # type: ignore[operator]  # two of a type that has an order
    raise no_overload(f"_{sign}_", (a, b))
