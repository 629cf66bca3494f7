"""What an API object is inside lifepod: an immutable JSON dict, shared by everyone who reads it.

Nobody changes a `JsonObject` that came from somewhere else: to change one, copy the path that differs
(`replaced`). This is the only file of the deciding packages that spells `Any`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as orjson decodes it. Treat as immutable."""

JsonValue: TypeAlias = Any
"""Any JSON value."""


def dig(obj: JsonObject, *path: str) -> JsonValue:
    """The value at `path`, or None when a member on the way is absent or null.

    >>> dig({"spec": {"nodeName": "n"}}, "spec", "nodeName")
    'n'
    """
    at: JsonValue = obj
    for name in path:
        if not isinstance(at, dict):
            return None
        at = at.get(name)
    return at


def replaced(obj: JsonObject, path: tuple[str, ...], value: JsonValue) -> JsonObject:
    """A copy of `obj` with `value` at `path`; only the dicts on the path are copied."""
    head, rest = path[0], path[1:]
    inner = obj.get(head)
    return {**obj, head: replaced(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}


def without(obj: JsonObject, path: tuple[str, ...]) -> JsonObject:
    """A copy of `obj` without the member at `path` (the same object when it is not there)."""
    head, rest = path[0], path[1:]
    if head not in obj:
        return obj
    if rest:
        inner = obj[head]
        return {**obj, head: without(inner, rest)} if isinstance(inner, dict) else obj
    return {k: v for k, v in obj.items() if k != head}


@lru_cache(maxsize=256)  # all that happens at one moment writes it down, often a dozen times an object
def format_time(moment: datetime) -> str:
    """RFC 3339 with whole seconds, as `metav1.Time` is written: `2025-01-01T00:00:00Z`."""
    m = moment.astimezone(UTC) if moment.tzinfo is not UTC else moment
    return f"{m.year:04d}-{m.month:02d}-{m.day:02d}T{m.hour:02d}:{m.minute:02d}:{m.second:02d}Z"


def format_micro_time(moment: datetime) -> str:
    """RFC 3339 with six decimals, as `metav1.MicroTime` is written."""
    m = moment.astimezone(UTC)
    return f"{m.year:04d}-{m.month:02d}-{m.day:02d}T{m.hour:02d}:{m.minute:02d}:{m.second:02d}.{m.microsecond:06d}Z"


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 string names, in UTC. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)
