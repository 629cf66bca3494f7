"""What the signs of CEL do: arithmetic that notices when it leaves 64 bits, comparisons, membership.

Source: github.com/google/cel-spec doc/langdef.md: List of Standard Definitions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from lifepod.api.cel.values import INT_MAX, CelError, UInt, Value, compared, equal, has_key, is_number, no_overload


def _whole(number: int, like: int) -> int:
    """A result of integer arithmetic in the type of what it came from. Raises CelError when it does not fit."""
    if isinstance(like, UInt):
        if not 0 <= number <= 2 * INT_MAX + 1:
            raise CelError("unsigned integer overflow")
        return UInt(number)
    if not -INT_MAX - 1 <= number <= INT_MAX:
        raise CelError("integer overflow")
    return number


def _same_numbers(a: Value, b: Value) -> bool:
    return (
        is_number(a)
        and is_number(b)
        and isinstance(a, float) == isinstance(b, float)
        and isinstance(a, UInt) == isinstance(b, UInt)
    )


def _add(a: Value, b: Value) -> Value:
    match a, b:
        case (str(), str()) | (bytes(), bytes()) | (list(), list()):
            return a + b  # type: ignore[operator]  # two of a kind, as the pattern says
        case (datetime(), timedelta()) | (timedelta(), datetime()) | (timedelta(), timedelta()):
            return a + b  # type: ignore[operator]  # as above
    if not _same_numbers(a, b):
        raise no_overload("_+_", (a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a + b
    assert isinstance(a, int)
    assert isinstance(b, int)
    return _whole(int(a) + int(b), a)


def _subtract(a: Value, b: Value) -> Value:
    match a, b:
        case (datetime(), timedelta()) | (datetime(), datetime()) | (timedelta(), timedelta()):
            return a - b  # type: ignore[operator]  # times, as the pattern says
    if not _same_numbers(a, b):
        raise no_overload("_-_", (a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a - b
    assert isinstance(a, int)
    assert isinstance(b, int)
    return _whole(int(a) - int(b), a)


def _multiply(a: Value, b: Value) -> Value:
    if not _same_numbers(a, b):
        raise no_overload("_*_", (a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a * b
    assert isinstance(a, int)
    assert isinstance(b, int)
    return _whole(int(a) * int(b), a)


def _divide(a: Value, b: Value) -> Value:
    if not _same_numbers(a, b):
        raise no_overload("_/_", (a, b))
    if isinstance(a, float) and isinstance(b, float):
        if b == 0:
            return float("nan") if a == 0 or a != a else float("inf") if a > 0 else float("-inf")
        return a / b
    assert isinstance(a, int)
    assert isinstance(b, int)
    if b == 0:
        raise CelError("division by zero")
    quotient = abs(int(a)) // abs(int(b))
    return _whole(quotient if (a < 0) == (b < 0) else -quotient, a)


def _modulo(a: Value, b: Value) -> Value:
    if not _same_numbers(a, b) or not isinstance(a, int) or not isinstance(b, int):
        raise no_overload("_%_", (a, b))
    if b == 0:
        raise CelError("modulus by zero")
    rest = abs(int(a)) % abs(int(b))
    return _whole(-rest if a < 0 else rest, a)


def _negate(a: Value) -> Value:
    if isinstance(a, float):
        return -a
    if not isinstance(a, int) or isinstance(a, bool | UInt):
        raise no_overload("-_", (a,))
    return _whole(-a, a)


def _not(a: Value) -> Value:
    if not isinstance(a, bool):
        raise no_overload("!_", (a,))
    return not a


def _contains(a: Value, b: Value) -> Value:
    if isinstance(b, list):
        return any(equal(a, each) for each in b)
    if isinstance(b, dict):
        return has_key(b, a)
    raise no_overload("@in", (a, b))


OPERATORS: Final[Mapping[str, Callable[..., Value]]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "-_": _negate,
    "!_": _not,
    "in": _contains,
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    "<": lambda a, b: compared(a, b, "<") < 0,
    "<=": lambda a, b: compared(a, b, "<=") <= 0,
    ">": lambda a, b: compared(a, b, ">") > 0,
    ">=": lambda a, b: compared(a, b, ">=") >= 0,
}
