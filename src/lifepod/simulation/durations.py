"""How scenarios and faults write lengths of time: `500ms`, `1.5s`, `2m30s`, `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration_of(text: str) -> timedelta | None:
    """The length of time that `text` says; None when it says none. `0` needs no unit."""
    if text == "0":
        return timedelta(0)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def shown(delta: timedelta) -> str:
    """A moment or length in the shortest of those forms, to the tenth of a second: `0s`, `12.1s`, `6m30s`, `24h`."""
    tenths = delta // timedelta(milliseconds=100)
    whole, tenth = divmod(tenths, 10)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    last = f"{seconds}.{tenth}" if tenth else f"{seconds}"
    words = [f"{hours}h"] if hours else []
    words += [f"{minutes}m"] if minutes else []
    words += [f"{last}s"] if last != "0" or not words else []
    return "".join(words)
