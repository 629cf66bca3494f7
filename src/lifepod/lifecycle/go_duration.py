"""How Go prints a duration: the form in which back-offs and pull times stand in messages."""

from __future__ import annotations


def go_duration(seconds: float) -> str:
    """`10s`, `1m20s`, `5m0s`, `1.234s`, `812ms`, `0s`: cut to milliseconds.

    Source: Go standard library, time: Duration.String
    """
    millis = int(seconds * 1000 + 1e-6)
    if millis == 0:
        return "0s"
    if millis < 1000:
        return f"{millis}ms"
    whole, rest = divmod(millis, 1000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    hours, below = divmod(whole, 3600)
    minutes, secs = divmod(below, 60)
    if hours:
        return f"{hours}h{minutes}m{secs}{fraction}s"
    if minutes:
        return f"{minutes}m{secs}{fraction}s"
    return f"{secs}{fraction}s"
