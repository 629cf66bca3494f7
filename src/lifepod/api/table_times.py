"""How the tables write when something was: as the time since then."""

from __future__ import annotations

from datetime import datetime

from lifepod.api.human_duration import human_duration
from lifepod.api.objects import JsonObject, JsonValue, parse_time

UNKNOWN = "<unknown>"


def parsed_time(text: JsonValue) -> datetime | None:
    """The moment, or None when there is none or it is not readable."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        return None


def since(text: JsonValue, now: datetime) -> str:
    """`5m` for a moment five minutes before `now`; `<unknown>` for none."""
    moment = parsed_time(text)
    return UNKNOWN if moment is None else human_duration(now - moment)


def age(metadata: JsonObject, now: datetime) -> str:
    """The AGE column."""
    return since(metadata.get("creationTimestamp"), now)
