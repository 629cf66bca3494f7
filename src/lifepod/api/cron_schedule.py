"""When a cron schedule is due: five fields, `@hourly` and its like, `@every 90s`.

Source: github.com/robfig/cron v3.0.1 parser.go: ParseStandard; spec.go: SpecSchedule.Next; constantdelay.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from lifepod.api.integers import IntegerError, parse_integer

_MONTHS = {name: i for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_DAYS = {name: i for i, name in enumerate("sun mon tue wed thu fri sat".split())}
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
YEARS_AHEAD = 5


class ScheduleError(ValueError):
    """The text is no schedule."""


class _Field(NamedTuple):
    values: frozenset[int]
    is_any: bool


class Schedule(NamedTuple):
    """A parsed schedule. `every`: a constant delay; else the five fields hold, in the time of `zone`."""

    fields: tuple[_Field, ...] = ()
    every: timedelta | None = None
    zone: tzinfo = UTC

    def next(self, after: datetime) -> datetime | None:
        """The first moment after `after`; None when there is none within five years."""
        if self.every is not None:
            return after.replace(microsecond=0) + self.every
        local = after.astimezone(self.zone)
        for day in self._days(local.date()):
            for hour in sorted(self.fields[1].values):
                for minute in sorted(self.fields[0].values):
                    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                    moment = wall.astimezone(UTC)
                    # An hour that the clock skips has no such moment.
                    is_real = moment.astimezone(self.zone).replace(tzinfo=None) == wall.replace(tzinfo=None)
                    if moment > after and is_real:
                        return moment
        return None

    def _days(self, first: date) -> Iterator[date]:
        """The days that match. Day of month and day of week both count when one is `*`, else either does."""
        _, _, of_month, months, of_week = self.fields
        day = first
        while day.year <= first.year + YEARS_AHEAD:
            if day.month not in months.values:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
                continue
            by_month, by_week = day.day in of_month.values, day.isoweekday() % 7 in of_week.values
            both = of_month.is_any or of_week.is_any
            if (by_month and by_week) if both else (by_month or by_week):
                yield day
            day += timedelta(days=1)


def parse_schedule(text: str, zone: tzinfo = UTC) -> Schedule:
    """The schedule that `text` writes. Raises ScheduleError."""
    if text.startswith("@every "):
        return Schedule(every=_duration(text.removeprefix("@every ").strip()), zone=zone)
    fields = _DESCRIPTORS.get(text, text).split()
    if text.startswith("@") and text not in _DESCRIPTORS:
        raise ScheduleError(f"unrecognized descriptor: {text}")
    if len(fields) != len(_BOUNDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    return Schedule(tuple(_field(part, *bounds) for part, bounds in zip(fields, _BOUNDS, strict=True)), zone=zone)


_MOST_SECONDS = 2**63 / 1e9
"""Go's durations are nanoseconds in 64 bits."""


def _duration(text: str) -> timedelta:
    parts = re.findall(r"([0-9]+(?:\.[0-9]*)?)(ns|us|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ScheduleError(f'failed to parse duration @every {text}: time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds >= _MOST_SECONDS:
        raise ScheduleError(f'failed to parse duration @every {text}: time: invalid duration "{text}"')
    # Shorter than a second is a second; fractions of seconds are dropped.
    return timedelta(seconds=max(1, int(seconds)))


def _field(text: str, low: int, high: int, names: dict[str, int]) -> _Field:
    values: set[int] = set()
    is_any = False
    for part in text.split(","):
        found, star = _range(part, low, high, names)
        values |= found
        is_any = is_any or star
    return _Field(frozenset(values), is_any)


def _range(text: str, low: int, high: int, names: dict[str, int]) -> tuple[set[int], bool]:
    """`*`, `a`, `a-b`, each with `/step`; `a/step` goes up to the end. A step above 1 makes `*` count as named days."""
    span, *steps = text.split("/")
    start, *ends = span.split("-")
    if start in ("*", "?"):
        first, last = low, high
    else:
        first = _number(start, names)
        if len(ends) > 1:
            raise ScheduleError(f"too many hyphens: {text}")
        last = _number(ends[0], names) if ends else high if steps else first
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if first < low:
        raise ScheduleError(f"beginning of range ({first}) below minimum ({low}): {text}")
    if last > high:
        raise ScheduleError(f"end of range ({last}) above maximum ({high}): {text}")
    if first > last:
        raise ScheduleError(f"beginning of range ({first}) beyond end of range ({last}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return set(range(first, last + 1, step)), start in ("*", "?") and step == 1


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    try:
        number = parse_integer(text)
    except IntegerError as problem:
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": {problem}') from None
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number
