"""How scenarios and faults write lengths of time: `500ms`, `1.5s`, `2m30s`, `24h`, `7d`, and a lone `0`."""

from __future__ import annotations

from datetime import timedelta

from lifepod.simulation.clock_modes import BadTime, length_of_time


def duration_of(text: str) -> timedelta | None:
    """The length of time that `text` says; None when it says none. A number needs its unit, 0 does not."""
    if not text or (text[-1].isdigit() and text != "0"):
        return None
    try:
        return length_of_time(text)
    except BadTime:
        return None


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
