"""How kubectl writes a length of time: `42s`, `5m30s`, `3h`, `2d4h`, `2y3d`."""

from __future__ import annotations

from datetime import timedelta


def human_duration(length: timedelta) -> str:
    """`length` in the two largest units that matter, with less and less detail the longer it is.

    >>> human_duration(timedelta(seconds=119)), human_duration(timedelta(minutes=5)), human_duration(timedelta(days=400))
    ('119s', '5m', '400d')

    Source: k8s.io/apimachinery v0.34.4 pkg/util/duration/duration.go: HumanDuration
    """
    seconds = int(length.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _days(hours)


def _days(hours: int) -> str:
    days = hours // 24
    if hours < 24 * 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
