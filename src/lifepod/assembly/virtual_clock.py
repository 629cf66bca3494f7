"""The clock of a virtual cluster as its users turn it: `advance`, `run_until`, `step`, and modes that turn it by themselves.

`TurnedClock` moves a `SimulatedCluster` from timer to timer under the cluster's lock, on the caller's thread or, in the modes
`auto` and `real`, from the loop of the server that stands before the cluster. Whether the clock may move in `auto` is decided in
`simulation/clock_modes.py`.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from itertools import count
from threading import RLock
from typing import TypeAlias

from lifepod.assembly.simulated import SimulatedCluster
from lifepod.simulation.clock_modes import (
    ASK_WHEN_SOMETHING_HAPPENS,
    AUTO,
    MANUAL,
    AutoRules,
    Verdict,
    length_of_time,
    mode_named,
)

LengthOfTime: TypeAlias = str | float | timedelta
_log = logging.getLogger("lifepod")
DELIVERY_SECONDS = 0.25
"""How long a jump waits for watchers to take what happened before it. One that is stuck is waited for once only."""
_GLANCE_SECONDS = 0.0002
SLICE = timedelta(minutes=10)
"""How much time passes at once when nobody watches; between two slices requests are answered."""
DEFAULT_LIMIT = timedelta(hours=1)
VAIN_SECONDS = 5.0
"""After how long somebody is told that a poller waits for a clock that only a hand turns."""


class TurnedClock:
    """`kube.clock`. Safe to use from several threads; whoever moves the clock, moves it alone."""

    def __init__(
        self, sim: SimulatedCluster, lock: RLock, mode: str = "", wall: Callable[[], float] = time.monotonic
    ) -> None:
        self.rules = AutoRules()
        self._sim, self._lock, self._wall = sim, lock, wall
        self._mode = mode_named(mode) if mode else AUTO
        self._mode_was_chosen = bool(mode)
        self._anchor = (wall(), sim.clock.now())
        self._timers = StreamTimers(sim)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._movers = 0
        self._stuck = False
        self._told_in_vain = False
        self.seen_now: Callable[[Hashable], Hashable] = lambda what: None
        """What a poll would be answered with now, in short; the server knows."""
        sim.plane.resources.hub.after = self._timers.after

    def __repr__(self) -> str:
        return f"<clock {self.now():%Y-%m-%dT%H:%M:%SZ} {self.mode}>"

    # ------------------------------------------------------------------------------------------------ the present

    def now(self) -> datetime:
        """The cluster's time, in UTC."""
        with self._lock:
            self.sync()
            return self._sim.clock.now()

    @property
    def next_timer(self) -> datetime | None:
        """When something happens by itself next."""
        with self._lock:
            return self._due()

    @property
    def mode(self) -> str:
        """`auto`, `manual`, `real` or a factor such as `60x`. Can be set."""
        return str(self._mode)

    @mode.setter
    def mode(self, name: str) -> None:
        self.set_mode(name)

    def set_mode(self, name: str) -> None:
        """Let the clock run as `name` says from now on. Raises BadTime."""
        mode = mode_named(name)
        with self._lock:
            self.sync()
            self._mode, self._mode_was_chosen = mode, True
            self._anchor = (self._wall(), self._sim.clock.now())
            self.rules.touched(self._sim.clock.now())
        self.poke()

    # ------------------------------------------------------------------------------------------------ moved by hand

    def advance(self, length: LengthOfTime) -> datetime:
        """Let exactly that much time pass, everything in it happening in order; returns the new time.

        A clock in mode `auto` that nobody asked for is `manual` from then on: who turns it wants it to stand still meanwhile.
        """
        delta = length_of_time(length)
        self._take_in_hand()
        with _Moving(self):
            with self._lock:
                end = self._sim.clock.now() + delta
            while self._sim.clock.now() < end and self._goes_unwatched():
                with self._lock:
                    self._sim.loop.advance(min(end - self._sim.clock.now(), SLICE))
            while self._go_on(end):
                self._deliver()
            self._deliver()
            return end

    def step(self) -> datetime | None:
        """Go to the next moment at which something happens; returns it, None when nothing ever will."""
        self._take_in_hand()
        with _Moving(self):
            with self._lock:
                due = self._due()
                if due is not None:
                    self._go(due)
            self._deliver()
            return due

    def run_until(self, predicate: Callable[[], object], timeout: LengthOfTime = DEFAULT_LIMIT) -> bool:
        """Let time pass until `predicate()` is true, asked after each moment at which something happened.

        False after `timeout` of virtual time. In mode `manual` that takes as long as it takes to decide; in `auto` time passes
        as it does for clients: not while they are busy, and at most an hour a second.
        """
        limit = length_of_time(timeout)
        with _Moving(self):
            with self._lock:
                self.sync()
                end = self._sim.clock.now() + limit
            if self._mode.name == "real":
                return self._wait_until(predicate, end)
            return self._until_gently(predicate, end) if self._mode == AUTO else self._until(predicate, end)

    def _until(self, predicate: Callable[[], object], end: datetime) -> bool:
        with self._lock:
            self._due()
        while not predicate():
            if not self._go_on(end):
                return bool(predicate())
            self._deliver()
        return True

    def _until_gently(self, predicate: Callable[[], object], end: datetime) -> bool:
        """As the clock in mode `auto` goes by itself, on this thread; not beyond its horizon."""
        with self._lock:
            now = self._sim.clock.now()
            end = min(end, now + self.rules.horizon)
            self.rules.touched(now)
            self.rules.waiting_begins(self._wall())
        try:
            while not predicate():
                with self._lock:
                    verdict = self._jump_if_allowed(end)
                    if self._sim.clock.now() >= end:
                        break
                if not verdict.jump:
                    time.sleep(min(verdict.again_in or self.rules.settle, self.rules.settle))
            return bool(predicate())
        finally:
            with self._lock:
                self.rules.waiting_ends()

    def _wait_until(self, predicate: Callable[[], object], end: datetime) -> bool:
        while not predicate():
            if self.now() >= end:
                return bool(predicate())
            time.sleep(self.rules.settle)
        return True

    def _take_in_hand(self) -> None:
        with self._lock:
            self.sync()
            if self._mode == AUTO and not self._mode_was_chosen:
                self._mode = MANUAL
            self.rules.touched(self._sim.clock.now())

    # ------------------------------------------------------------------------------------------------ moving

    def _due(self) -> datetime | None:
        """Do what is due now; when the next thing is."""
        due = self._sim.loop.settle()
        stream = self._timers.next_at
        return stream if due is None or (stream is not None and stream < due) else due

    def _go(self, to: datetime) -> None:
        clock = self._sim.clock
        clock.set(max(to, clock.now()))
        self._sim.loop.settle()
        self._timers.run_due(clock.now())

    def _go_on(self, end: datetime) -> bool:
        """Go to the next moment, at most to `end`; False when that is reached."""
        with self._lock:
            due = self._due()
            if due is None or due > end:
                self._go(end)
                return False
            self._go(due)
            return True

    def _goes_unwatched(self) -> bool:
        """Whether nobody watches, so that nobody has to be told between two moments."""
        return len(self._sim.plane.resources.hub) == 0 and self._timers.next_at is None

    def _deliver(self) -> None:
        """Wait until watchers have taken what there is."""
        hub = self._sim.plane.resources.hub
        if not len(hub) or self._loop is None:
            return
        patience = 0.0 if self._stuck else DELIVERY_SECONDS
        until = time.monotonic() + patience
        while hub.owes:
            if time.monotonic() >= until:
                self._stuck = True
                return
            time.sleep(_GLANCE_SECONDS)
        self._stuck = False

    # ------------------------------------------------------------------------------------------------ moving by itself

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on the modes `auto` and `real` are driven from this loop, which serves the cluster's clients."""
        self._loop = loop
        self._timers.loop = loop
        self._sim.serving_loop = loop
        self._sim.cluster.asked.on_answer = self._answered

    def detach(self) -> None:
        """The cluster is served no more."""
        loop, self._loop = self._loop, None
        self._sim.serving_loop = None
        if loop is not None and self._handle is not None:
            loop.call_soon_threadsafe(self._handle.cancel)

    def poke(self) -> None:
        """Something happened that may let the clock go on. From any thread."""
        if self._loop is not None and self._mode != MANUAL:
            self._loop.call_soon_threadsafe(self.look)

    def _answered(self) -> None:
        """A webhook has answered; a thread that waits for it goes on by itself. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        with self._lock:
            self._sim.loop.settle()
        self.look()

    def polled(self, path: str, seconds: float) -> None:
        """Somebody has asked for `path` for so long and heard nothing new: in mode `manual` that may go on for ever; said once."""
        if self._mode == MANUAL and seconds >= VAIN_SECONDS and not self._told_in_vain:
            self._told_in_vain = True
            _log.warning(
                "GET %s has been answered with the same for %d s, and the clock is in mode manual: time passes only by "
                'kube.advance, kube.step or kube.run_until. With kube.clock.mode = "auto" it passes while somebody waits.',
                path,
                seconds,
            )

    def look(self) -> None:
        """Move if it is time to; in the loop only."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._loop is None or self._mode == MANUAL:
            return
        try:
            delay = self._moved_by_itself()
        except Exception:  # noqa: BLE001 - the outermost edge: a part that fails must not take the server down
            _log.exception("time stands still from here: a part of the cluster failed; this is a bug of lifepod")
            self._mode = MANUAL
            return
        if delay is not None and self._loop is not None:
            self._handle = self._loop.call_later(delay, self.look)

    def _moved_by_itself(self) -> float | None:
        """Move as far as is right at this moment; after how many seconds to look again."""
        with self._lock:
            if self._mode == AUTO and not self._movers:
                verdict = self._jump_if_allowed()
                return 0.0 if verdict.jump else verdict.again_in
            if self._mode.name != "real":
                return None
            self.sync()
            due = self._due()
            left = None if due is None else (due - self._sim.clock.now()).total_seconds()
            return None if left is None else max(left / self._mode.factor, 0.0)

    def _jump_if_allowed(self, end: datetime | None = None) -> Verdict:
        due, now = self._due(), self._sim.clock.now()
        if self._sim.cluster.asked.holds_any():
            return ASK_WHEN_SOMETHING_HAPPENS
        if end is not None and (due is None or due > end):
            due = end
        hub = self._sim.plane.resources.hub
        verdict = self.rules.verdict(self._wall(), now, due, hub.owes, self.seen_now)
        if verdict.jump and due is not None:
            self._go(due)
            self.rules.jumped(self._wall())
            if hub.owes:
                self.rules.delivered(self._wall())
        return verdict

    def sync(self) -> None:
        """In mode `real` and with a factor: be where the wall's time says. The lock is held."""
        if self._mode.name != "real" or self._movers > 1 or self._sim.cluster.asked.holds_any():
            return
        wall, virtual = self._anchor
        target = virtual + timedelta(seconds=(self._wall() - wall) * self._mode.factor)
        while (due := self._due()) is not None and due <= target:
            if self._sim.cluster.asked.holds_any():
                return
            self._go(due)
        if target > self._sim.clock.now():
            self._go(target)

    def restored(self) -> None:
        """The cluster went back or forth to a snapshot."""
        with self._lock:
            self._anchor = (self._wall(), self._sim.clock.now())
            self._timers.clear()
            self.rules.touched(self._sim.clock.now())

    def follow(self, other: TurnedClock) -> None:
        """Run from now on as another does: the clock of a fork."""
        self._mode, self._mode_was_chosen = other._mode, other._mode_was_chosen
        self.restored()

    def begin_move(self) -> None:
        with self._lock:
            self._movers += 1

    def end_move(self) -> None:
        with self._lock:
            self._movers -= 1
        self.poke()


class _Moving:
    """While somebody moves the clock by hand, it does not move by itself."""

    def __init__(self, clock: TurnedClock) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        self._clock.begin_move()

    def __exit__(self, *_: object) -> None:
        self._clock.end_move()


class StreamTimer:
    """One call to come."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class StreamTimers:
    """When watches end that asked for it (`timeoutSeconds`), in the cluster's time."""

    def __init__(self, sim: SimulatedCluster) -> None:
        self._sim = sim
        self._heap: list[tuple[datetime, int, StreamTimer]] = []
        self._numbers = count()
        self.loop: asyncio.AbstractEventLoop | None = None

    def after(self, seconds: float, call: Callable[[], None]) -> StreamTimer:
        """Call back, in the loop, once that much virtual time has passed."""
        timer = StreamTimer(call)
        with self._sim.lock:
            at = self._sim.clock.now() + timedelta(seconds=seconds)
            heapq.heappush(self._heap, (at, next(self._numbers), timer))
        return timer

    @property
    def next_at(self) -> datetime | None:
        """When the next one is due."""
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_due(self, now: datetime) -> None:
        """Call back whose time has come."""
        while (at := self.next_at) is not None and at <= now:
            call = heapq.heappop(self._heap)[2].call
            if call is not None and self.loop is not None and not self.loop.is_closed():
                self.loop.call_soon_threadsafe(call)

    def clear(self) -> None:
        """Forget all; the streams they were for end otherwise."""
        self._heap.clear()
