"""When may virtual time move, and how far? The modes of a cluster's clock, as rules on values.

`manual`: when told. `real` and a factor (`60x`): with the wall's time. `auto`: the clock jumps to the next timer while somebody
waits and nobody is busy; `AutoRules` says whether that is so now. Time on the wall comes in as seconds of any steady clock. Who
asks the rules and carries the jumps out is `assembly/virtual_clock.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.errors import LifepodError

SETTLE_SECONDS = 0.005
HORIZON = timedelta(hours=24)
RATE = 3600.0
"""Virtual seconds per second, at most."""
_MIN_PATIENCE, _MAX_PATIENCE = 1.0, 30.0
_MAX_POLLS = 1_000
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class BadTime(LifepodError):
    """That is no length of time, or no mode of a clock."""


def length_of_time(value: str | float | timedelta) -> timedelta:
    """`"24h"`, `"1h30m"`, `"90"`, `1.5`, or a timedelta. Raises BadTime.

    >>> length_of_time("1h30m"), length_of_time(2)
    (datetime.timedelta(seconds=5400), datetime.timedelta(seconds=2))
    """
    if isinstance(value, timedelta):
        length = value
    elif isinstance(value, str):
        length = timedelta(seconds=_seconds(value))
    else:
        length = timedelta(seconds=value)
    if length < timedelta(0):
        raise BadTime(f"{value!r}: time goes forward only. To go back, restore a snapshot.")
    return length


def _seconds(text: str) -> float:
    compact = text.replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return float(compact)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", compact):
        raise BadTime(f'"{text}" is no length of time. Write it as 90s, 10m, 1h30m or 2d.')
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", compact))


class Mode(NamedTuple):
    """How a clock runs. `factor` is for `real`: how many virtual seconds pass in one of the wall's."""

    name: str
    factor: float = 1.0

    def __str__(self) -> str:
        return self.name if self.name != "real" or self.factor == 1 else f"{self.factor:g}x"


MANUAL, AUTO = Mode("manual"), Mode("auto")


def mode_named(text: str) -> Mode:
    """`manual`, `auto`, `real` or a factor such as `60x`. Raises BadTime."""
    if text in ("manual", "auto", "real"):
        return Mode(text)
    factor = re.fullmatch(r"(\d+(?:\.\d+)?)x", text)
    if factor is None or not float(factor[1]):
        raise BadTime(f'"{text}" is no mode of a clock. There are manual, auto, real and factors such as 60x.')
    return Mode("real", float(factor[1]))


class Poll(NamedTuple):
    """A GET that may be one of many. `seen` is what it was answered with, `since` when first; `is_waiting`: as the time before."""

    seen: Hashable
    at: float
    patience: float
    is_waiting: bool
    since: float


class Verdict(NamedTuple):
    """Whether the clock may jump now, or after how many seconds to ask again (None: when something happens)."""

    jump: bool
    again_in: float | None = None


ASK_WHEN_SOMETHING_HAPPENS = Verdict(False)


class AutoRules:
    """What of the clients matters to a clock in mode `auto`.

    Busy is: a request being answered, bytes owed to a watcher, a request less than `settle` ago, a poller that has not yet
    seen what changed. Waiting is: `run_until`, a stream that somebody waits on (the server knows which), a GET that was answered
    twice with the same.
    """

    def __init__(self, settle: float = SETTLE_SECONDS, horizon: timedelta = HORIZON, rate: float = RATE) -> None:
        self.settle, self.horizon, self.rate = settle, horizon, rate
        self.waiters = 0
        """How many `run_until`s, and streams that somebody waits on, are open."""
        self._under_way: set[int] = set()
        self._last_request = float("-inf")
        self._last_jump = float("-inf")
        self._written_at: datetime | None = None
        self._polls: dict[Hashable, Poll] = {}

    # ------------------------------------------------------------------------------------------------ what happens

    def request_began(self, number: int) -> None:
        """A request arrived."""
        self._under_way.add(number)

    def request_ended(self, number: int, wall: float, *, told_nothing_new: bool = False) -> None:
        """It was answered. One that told a poller nothing new keeps nobody from going on: else one without a pause between
        its GETs would wait for ever."""
        self._under_way.discard(number)
        if not told_nothing_new:
            self._last_request = max(self._last_request, wall)

    def delivered(self, wall: float) -> None:
        """Watchers were sent something: they get the same moment to react as those who asked."""
        self._last_request = max(self._last_request, wall)

    def read(self, what: Hashable, seen: Hashable, wall: float) -> bool:
        """A GET was answered with `seen`; says whether that is what it was answered with before."""
        before = self._polls.get(what)
        if before is None:
            if len(self._polls) >= _MAX_POLLS:
                self._polls.clear()
            self._polls[what] = Poll(seen, wall, _MIN_PATIENCE, False, wall)
            return False
        patience = min(max(3 * (wall - before.at), _MIN_PATIENCE), _MAX_PATIENCE)
        is_same = before.seen == seen
        self._polls[what] = Poll(seen, wall, patience, is_same, before.since if is_same else wall)
        return is_same

    def asked_in_vain(self, what: Hashable, wall: float) -> float:
        """For how many seconds a GET has been answered with the same."""
        poll = self._polls.get(what)
        return wall - poll.since if poll is not None else 0.0

    def touched(self, now: datetime) -> None:
        """Somebody outside wrote, or turned the clock: the horizon counts from here, and polls from one again."""
        self._written_at = now
        self._polls.clear()

    def waiting_begins(self, wall: float) -> None:
        """A waiter came; without one before, the rate counts from here."""
        if not self.waiters:
            self._last_jump = max(self._last_jump, wall)
        self.waiters += 1

    def waiting_ends(self) -> None:
        """A waiter went."""
        self.waiters -= 1

    def jumped(self, wall: float) -> None:
        """The clock has jumped."""
        self._last_jump = wall

    # ------------------------------------------------------------------------------------------------ the verdict

    def verdict(
        self,
        wall: float,
        now: datetime,
        due: datetime | None,
        owes_watchers: bool,
        seen_now: Callable[[Hashable], Hashable],
    ) -> Verdict:
        """May the clock jump from `now` to `due`? `seen_now` answers what a poll would see at this moment."""
        if due is None or (self._written_at is not None and due > self._written_at + self.horizon):
            return ASK_WHEN_SOMETHING_HAPPENS
        if self._under_way:
            return ASK_WHEN_SOMETHING_HAPPENS
        waits, unseen = self._pollers(wall, seen_now)
        if not (waits or self.waiters):
            return ASK_WHEN_SOMETHING_HAPPENS if unseen is None else Verdict(False, unseen)
        if unseen is not None:
            return Verdict(False, unseen)
        pause = max(self._quiet_in(wall), self._rate_allows_in(wall, now, due))
        if pause > 0:
            return Verdict(False, pause)
        return Verdict(False, self.settle) if owes_watchers else Verdict(True)

    def _pollers(self, wall: float, seen_now: Callable[[Hashable], Hashable]) -> tuple[bool, float | None]:
        """Whether one waits; and for how long to hold for one that has not seen the latest (None: there is none)."""
        waits, hold = False, None
        for what, poll in list(self._polls.items()):
            left = poll.at + poll.patience - wall
            if left <= 0:
                del self._polls[what]
            elif poll.is_waiting and seen_now(what) == poll.seen:
                waits = True
            elif poll.is_waiting:
                hold = left if hold is None else max(hold, left)
        return waits, hold

    def _quiet_in(self, wall: float) -> float:
        return self._last_request + self.settle - wall

    def _rate_allows_in(self, wall: float, now: datetime, due: datetime) -> float:
        length = (due - now).total_seconds()
        return max(self._last_jump, self._last_request) + length / self.rate - wall if length > 0 else 0.0
