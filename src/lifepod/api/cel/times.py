"""Timestamps and durations of CEL. Zones are offsets (`+02:00`, `UTC`): their names are files, which nobody reads here.

Source: github.com/google/cel-spec doc/langdef.md: Timestamps and Durations
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from lifepod.api.cel.values import CelError, Value, no_overload

_UNITS: Final = {"ns": 1e-3, "us": 1, "µs": 1, "μs": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}
_DURATION: Final = re.compile(r"[+-]?(?:0|(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_OFFSET: Final = re.compile(r"([+-]?)(\d{2}):(\d{2})")


def timestamp(value: Value) -> Value:
    """`timestamp(text)`. Raises CelError."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        raise no_overload("timestamp", (value,))
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise CelError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None
    if found.tzinfo is None:
        raise CelError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"')
    return found


def duration(value: Value) -> Value:
    """`duration(text)`. Raises CelError."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise no_overload("duration", (value,))
    if not _DURATION.fullmatch(value):
        raise CelError(f'time: invalid duration "{value}"')
    micros = sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(value))
    return timedelta(microseconds=-micros if value.startswith("-") else micros)


def _in_zone(moment: datetime, zone: str) -> datetime:
    if zone in ("UTC", "Z", ""):
        return moment.astimezone(UTC)
    match = _OFFSET.fullmatch(zone)
    if match is None:
        raise CelError(f"unknown time zone {zone}")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return moment.astimezone(timezone(-offset if match[1] == "-" else offset))


def _of_moment(name: str, read: Callable[[datetime], int]) -> Callable[..., Value]:
    def get(moment: Value, zone: str = "UTC") -> Value:
        if not isinstance(moment, datetime):
            raise no_overload(name, (moment,))
        return read(_in_zone(moment, zone))

    return get


def _of_both(name: str, read: Callable[[datetime], int], unit: timedelta) -> Callable[..., Value]:
    of_moment = _of_moment(name, read)

    def get(value: Value, zone: str = "UTC") -> Value:
        if isinstance(value, timedelta):
            return abs(value) // unit if value >= timedelta(0) else -(abs(value) // unit)
        return of_moment(value, zone)

    return get


def _milliseconds(value: Value, zone: str = "UTC") -> Value:
    if isinstance(value, timedelta):
        return value.microseconds // 1000
    return _of_moment("getMilliseconds", lambda t: t.microsecond // 1000)(value, zone)


METHODS: Final[Mapping[str, Callable[..., Value]]] = {
    "getFullYear": _of_moment("getFullYear", lambda t: t.year),
    "getMonth": _of_moment("getMonth", lambda t: t.month - 1),
    "getDate": _of_moment("getDate", lambda t: t.day),
    "getDayOfMonth": _of_moment("getDayOfMonth", lambda t: t.day - 1),
    "getDayOfWeek": _of_moment("getDayOfWeek", lambda t: t.isoweekday() % 7),
    "getDayOfYear": _of_moment("getDayOfYear", lambda t: t.timetuple().tm_yday - 1),
    "getHours": _of_both("getHours", lambda t: t.hour, timedelta(hours=1)),
    "getMinutes": _of_both("getMinutes", lambda t: t.minute, timedelta(minutes=1)),
    "getSeconds": _of_both("getSeconds", lambda t: t.second, timedelta(seconds=1)),
    "getMilliseconds": _milliseconds,
}
