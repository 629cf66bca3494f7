"""The functions of CEL and of its libraries for texts, lists, sets and optionals; those of Kubernetes are in `kubernetes.py`.

A method's first argument is what it is called on. What is wrong with arguments may be raised as Python raises it.

Source: github.com/google/cel-spec doc/langdef.md: List of Standard Definitions
        github.com/google/cel-go v0.26 ext/strings.go, ext/sets.go, cel/library.go: optionalLib
        k8s.io/apiserver v0.34.4 pkg/cel/library/lists.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Final

from lifepod.api.cel import kubernetes, times
from lifepod.api.cel.operators import OPERATORS
from lifepod.api.cel.patterns import matches
from lifepod.api.cel.texts import as_string, formatted
from lifepod.api.cel.values import (
    INT_MAX,
    NONE,
    TYPES,
    CelError,
    Optional,
    TypeOf,
    UInt,
    Value,
    compared,
    equal,
    no_overload,
    type_name,
)


def _texts(name: str, *values: Value) -> None:
    if not all(isinstance(value, str) for value in values):
        raise no_overload(name, values)


def _size(value: Value) -> Value:
    if not isinstance(value, str | bytes | list | dict):
        raise no_overload("size", (value,))
    return len(value)


# ---------------------------------------------------------------------------------------------------------------- conversions


def _int(value: Value) -> Value:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("int", (value,))
    number = int(value)
    if not -INT_MAX - 1 <= number <= INT_MAX:
        raise CelError("integer overflow")
    return number


def _uint(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("uint", (value,))
    number = int(value)
    if not 0 <= number <= 2 * INT_MAX + 1:
        raise CelError("unsigned integer overflow")
    return UInt(number)


def _double(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("double", (value,))
    return float(value)


def _bool(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if value in ("true", "TRUE", "True", "t", "1"):
        return True
    if value in ("false", "FALSE", "False", "f", "0"):
        return False
    raise no_overload("bool", (value,))


def _bytes(value: Value) -> Value:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise no_overload("bytes", (value,))
    return value.encode()


def _type(value: Value) -> Value:
    name = type_name(value)
    return TYPES.get(name) or TypeOf(name)


# ---------------------------------------------------------------------------------------------------------------- texts


def _char_at(text: str, at: int) -> Value:
    _texts("charAt", text)
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(where: Value, wanted: Value, start: int = 0) -> Value:
    if isinstance(where, list):
        return next((index for index, each in enumerate(where) if equal(each, wanted)), -1)
    if not isinstance(where, str) or not isinstance(wanted, str):
        raise no_overload("indexOf", (where, wanted))
    if not 0 <= start <= len(where):
        raise CelError(f"index out of range: {start}")
    return where.find(wanted, start)


def _last_index_of(where: Value, wanted: Value, start: int | None = None) -> Value:
    if isinstance(where, list):
        return next((index for index in range(len(where) - 1, -1, -1) if equal(where[index], wanted)), -1)
    if not isinstance(where, str) or not isinstance(wanted, str):
        raise no_overload("lastIndexOf", (where, wanted))
    return where.rfind(wanted) if start is None else where.rfind(wanted, 0, start + len(wanted))


def _join(items: list[str], separator: str = "") -> Value:
    _texts("join", separator, *items)
    return separator.join(items)


def _replace(text: str, old: str, new: str, limit: int = -1) -> Value:
    _texts("replace", text, old, new)
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> Value:
    _texts("split", text, separator)
    if limit == 0:
        return []
    if not separator:
        parts = list(text)
        return parts if limit < 0 or limit >= len(parts) else [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    return text.split(separator, limit - 1) if limit > 0 else text.split(separator)


def _substring(text: str, start: int, end: int | None = None) -> Value:
    _texts("substring", text)
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    if not start <= stop <= len(text):
        raise CelError(
            f"invalid substring range. start: {start}, end: {stop}" if stop < start else f"index out of range: {stop}"
        )
    return text[start:stop]


def _cased(name: str, upper: bool) -> Callable[[str], Value]:
    def change(text: str) -> Value:
        _texts(name, text)
        return "".join((c.upper() if upper else c.lower()) if c.isascii() else c for c in text)

    return change


def _of_texts(name: str, ask: Callable[[str, str], Value]) -> Callable[[str, str], Value]:
    def asked(text: str, other: str) -> Value:
        _texts(name, text, other)
        return ask(text, other)

    return asked


def _trim(text: str) -> Value:
    _texts("trim", text)
    return text.strip()


def _reverse(value: Value) -> Value:
    if not isinstance(value, str | list):
        raise no_overload("reverse", (value,))
    return value[::-1]


def _quote(text: str) -> Value:
    _texts("strings.quote", text)
    escapes = {
        '"': '\\"',
        "\\": "\\\\",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'


def _format(text: str, args: list[Value]) -> Value:
    _texts("format", text)
    return formatted(text, args)


# ---------------------------------------------------------------------------------------------------------------- lists, sets


def _is_sorted(items: list[Value]) -> Value:
    return all(compared(a, b, "<=") <= 0 for a, b in pairwise(items))


def _sum(items: list[Value]) -> Value:
    if not items:
        return 0
    total, *rest = items
    for each in rest:
        total = OPERATORS["+"](total, each)
    return total


def _extreme(name: str, sign: int) -> Callable[[list[Value]], Value]:
    def find(items: list[Value]) -> Value:
        if not isinstance(items, list):
            raise no_overload(name, (items,))
        if not items:
            raise CelError(f"{name} called on empty list")
        best = items[0]
        for each in items[1:]:
            if compared(each, best, "<") * sign < 0:
                best = each
        return best

    return find


def _has_all(items: Iterable[Value], wanted: Iterable[Value]) -> bool:
    known = list(items)
    return all(any(equal(each, other) for other in known) for each in wanted)


def _intersects(a: list[Value], b: list[Value]) -> Value:
    return any(equal(each, other) for each in a for other in b)


# ---------------------------------------------------------------------------------------------------------------- optionals


def _optional(name: str, value: Value) -> Optional:
    if not isinstance(value, Optional):
        raise no_overload(name, (value,))
    return value


def _value(value: Value) -> Value:
    found = _optional("value", value)
    if not found.has_value:
        raise CelError("optional.none() dereference")
    return found.value


def _of_non_zero(value: Value) -> Value:
    is_zero = value is None or (isinstance(value, bool | int | float | str | bytes | list | dict) and not value)
    return NONE if is_zero else Optional(True, value)


GLOBALS: Final[Mapping[str, Callable[..., Value]]] = {
    "size": _size,
    "int": _int,
    "uint": _uint,
    "double": _double,
    "string": as_string,
    "bool": _bool,
    "bytes": _bytes,
    "type": _type,
    "dyn": lambda value: value,
    "matches": matches,
    "timestamp": times.timestamp,
    "duration": times.duration,
    "optional.of": lambda value: Optional(True, value),
    "optional.none": lambda: NONE,
    "optional.ofNonZeroValue": _of_non_zero,
    "sets.contains": lambda a, b: _has_all(a, b),
    "sets.equivalent": lambda a, b: _has_all(a, b) and _has_all(b, a),
    "sets.intersects": _intersects,
    "strings.quote": _quote,
    **kubernetes.GLOBALS,
}
METHODS: Final[Mapping[str, Callable[..., Value]]] = {
    "size": _size,
    "contains": _of_texts("contains", lambda text, other: other in text),
    "startsWith": _of_texts("startsWith", lambda text, other: text.startswith(other)),
    "endsWith": _of_texts("endsWith", lambda text, other: text.endswith(other)),
    "matches": matches,
    "charAt": _char_at,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "join": _join,
    "lowerAscii": _cased("lowerAscii", upper=False),
    "upperAscii": _cased("upperAscii", upper=True),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": _trim,
    "reverse": _reverse,
    "format": _format,
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": _extreme("min", 1),
    "max": _extreme("max", -1),
    "hasValue": lambda value: _optional("hasValue", value).has_value,
    "value": _value,
    **times.METHODS,
    **kubernetes.METHODS,
}
