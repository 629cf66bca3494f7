"""Virtual time: a cluster driven by setting the clock to the next timer, as fast as it can decide.

`VirtualLoop` is the discrete-event driver of anything that has `turn(now)`. Nothing waits: between two timers nothing can happen,
so the clock jumps. Equal seeds and equal calls give equal runs.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

START = datetime(2025, 1, 1, tzinfo=UTC)
"""When virtual time begins unless told otherwise: in the past, so that kubectl prints no `<invalid>` ages."""

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class VirtualClock:
    """A clock that is set."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Go on to `now`, never back."""
        assert now >= self._now, "virtual time goes forward only"
        self._now = now

    def restore(self, now: datetime) -> None:
        """Be at the moment of a snapshot, earlier or later."""
        self._now = now


class SeededIds:
    """Every random choice of a cluster from one seed."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._random = random.Random(seed)

    def uid(self) -> str:
        bits = self._random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62
        h = f"{bits:032x}"
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(_LETTERS, k=length))

    def hexadecimal(self, length: int) -> str:
        return f"{self._random.getrandbits(4 * length):0{length}x}"

    def fraction(self) -> float:
        return self._random.random()

    def snapshot(self) -> object:
        """The state of the source, for `restore`."""
        return self._random.getstate()

    def restore(self, state: object) -> None:
        """Go on as from the moment of `snapshot`."""
        self._random.setstate(state)  # type: ignore[arg-type]  # what getstate returned


class Turnable(Protocol):
    """What the loop drives."""

    def turn(self, now: datetime) -> datetime | None:
        """Do everything due at `now`; when the next timer is due."""
        ...


_TURNS_BETWEEN_COLLECTIONS = 20_000
_MANY_OBJECTS = 10_000
_MOST_UNSEEN_OBJECTS = 1_000_000


class _Unseen:
    """How many objects of this process were made old without being looked through for cycles, and how many were left when all
    were looked through last."""

    objects = 0
    left = 0


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """All state is immutable values without cycles: looking for cycles at every few thousand of them doubles a big run's time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        _make_old()
        gc.enable()


def _make_old() -> None:
    """Count everything that is young as old, without looking through it: after a big run that would take seconds.

    Freezing and thawing moves all objects into the oldest generation; what somebody else froze must stay so. A run of many small
    steps looks through all of them when they have become half as many again.
    """
    made = gc.get_count()[0]
    if made <= gc.get_threshold()[0] or gc.get_freeze_count():
        return
    gc.freeze()
    gc.unfreeze()
    _Unseen.objects += made
    if made <= _MANY_OBJECTS and _Unseen.objects > max(_MOST_UNSEEN_OBJECTS, _Unseen.left // 2):
        _look_through()


def _look_through() -> None:
    gc.collect()
    _Unseen.objects, _Unseen.left = 0, len(gc.get_objects())


def _collect_dropped_clusters() -> None:
    """A cluster is full of cycles of its own: when many objects were made old unseen, earlier ones may be among them."""
    if _Unseen.objects > _MOST_UNSEEN_OBJECTS and gc.isenabled():
        _look_through()


class VirtualLoop:
    """Drives a cluster in virtual time."""

    def __init__(self, cluster: Turnable, clock: VirtualClock) -> None:
        self.cluster, self.clock = cluster, clock
        self.wait_outside: Callable[[], bool] = lambda: False
        """Waits for what this moment needs from outside of the cluster; False when it needs nothing, or nobody can wait here."""
        self._turns = 0
        _collect_dropped_clusters()

    def settle(self) -> datetime | None:
        """Do what is due at this moment; when the next timer is due."""
        with _collecting_seldom():
            return self._turn()

    def _turn(self) -> datetime | None:
        self._turns += 1
        if self._turns % _TURNS_BETWEEN_COLLECTIONS == 0:
            gc.collect(1)
        due = self.cluster.turn(self.clock.now())
        while self.wait_outside():
            due = self.cluster.turn(self.clock.now())
        return due

    def step(self) -> datetime | None:
        """Do what is due now, then go to the next timer and do that; returns the new time, None when no timer is left."""
        due = self.settle()
        if due is None:
            return None
        self.clock.set(max(due, self.clock.now()))
        self.settle()
        return self.clock.now()

    def advance(self, delta: timedelta) -> None:
        """Let exactly `delta` pass."""
        clock = self.clock
        end = clock.now() + delta
        with _collecting_seldom():
            while (due := self._turn()) is not None and due <= end:
                clock.set(max(due, clock.now()))
            clock.set(end)
            self._turn()

    def run_until(self, predicate: Callable[[], bool], limit: timedelta) -> bool:
        """Let time pass until `predicate` holds, asked after each moment at which something was due; False after `limit`."""
        end = self.clock.now() + limit
        due = self.settle()
        while not predicate():
            if due is None or due > end:
                self.clock.set(end)
                self.settle()
                return predicate()
            self.clock.set(max(due, self.clock.now()))
            due = self.settle()
        return True
