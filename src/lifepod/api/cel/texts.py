"""How values of CEL are written as text: `string()`, and the verbs of `format()`.

Source: github.com/google/cel-go v0.26 ext/strings.go, ext/formatting.go; common/types/double.go
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lifepod.api.cel.values import CelError, Opaque, Optional, TypeOf, Value, no_overload

_VERB = re.compile(r"%(?:\.(\d+))?(.)", re.DOTALL)
_MOST_DIGITS = 1000


def as_string(value: Value) -> str:
    """`string(value)`. Raises CelError for what has no text."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case bytes():
            return value.decode()
        case float():
            return _double(value)
        case int():
            return str(int(value))
        case datetime():
            return timestamp_text(value)
        case timedelta():
            return duration_text(value)
        case Opaque():
            return value.text
    raise no_overload("string", (value,))


def _double(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    return text.removesuffix(".0")


def timestamp_text(moment: datetime) -> str:
    """RFC 3339 in UTC, fractions only where there are some."""
    utc = moment.astimezone(UTC)
    text = utc.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = f".{utc.microsecond:06d}".rstrip("0") if utc.microsecond else ""
    return f"{text}{fraction}Z"


def duration_text(length: timedelta) -> str:
    """In seconds: `90s`, `1.5s`."""
    micros = length // timedelta(microseconds=1)
    whole, rest = divmod(abs(micros), 10**6)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if micros < 0 else ''}{whole}{fraction}s"


def formatted(text: str, args: Sequence[Value]) -> str:
    """`text.format(args)`. Raises CelError."""
    made, end = [], 0
    for used, match in enumerate(_VERB.finditer(text.replace("%%", "\0\0"))):
        made.append(text[end : match.start()])
        end = match.end()
        if used >= len(args):
            raise CelError(f"index {used} out of range")
        made.append(_verb(match[2], int(match[1]) if match[1] else None, args[used]))
    made.append(text[end:])
    return "".join(made).replace("%%", "%")


def _verb(verb: str, precision: int | None, value: Value) -> str:
    if precision is not None and precision > _MOST_DIGITS:
        raise CelError("precision is too large")
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    match verb:
        case "s":
            return _shown(value)
        case "d" if is_whole:
            return str(value)
        case "f" if isinstance(value, int | float) and not isinstance(value, bool):
            return f"{float(value):.{6 if precision is None else precision}f}"
        case "e" if isinstance(value, int | float) and not isinstance(value, bool):
            return f"{float(value):.{6 if precision is None else precision}e}"
        case "b" if isinstance(value, int):
            return f"{value:b}"
        case "o" if is_whole:
            return f"{value:o}"
        case "x" | "X":
            return _hexadecimal(verb, value)
    if verb in "dfeboxX":
        raise CelError(f"error during formatting: {no_overload(f'%{verb}', (value,))}")
    raise CelError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


def _hexadecimal(verb: str, value: Value) -> str:
    if isinstance(value, str):
        text = value.encode().hex()
    elif isinstance(value, bytes):
        text = value.hex()
    elif isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:x}"
    else:
        raise CelError(f"error during formatting: {no_overload('%x', (value,))}")
    return text.upper() if verb == "X" else text


def _shown(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{_shown(k)}: {_shown(v)}" for k, v in value.items())) + "}"
    if isinstance(value, TypeOf):
        return value.name
    if isinstance(value, Optional):
        return f"optional({_shown(value.value)})" if value.has_value else "optional.none()"
    return as_string(value)
