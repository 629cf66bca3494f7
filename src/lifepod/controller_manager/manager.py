"""One part per controller: from changes to keys, from keys to looks, from looks to writes.

A key is looked at when something it depends on changed, when its timer is due, or again after a write was refused. While
the writes of a look are under way the key is busy, as an upstream worker is; news of it then waits. The reading goes
through a `View` of the store, so nothing is cached here and no expectations are needed: what was written is seen.
Source: k8s.io/client-go v0.34.4 util/workqueue (deduplication, rate limits); pkg/controller/job: worker loops
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.writes import ApiError, Write
from lifepod.clock import Ids
from lifepod.controller_manager.recorder import Recorder
from lifepod.controllers.outcome import Change, Controller, Look, Memory, ObjectEvent, Outcome, Refused, Stage, Wish
from lifepod.controllers.view import Key, View
from lifepod.turn import Answered, Changed, Effect, Interest, News, Turned

FIRST_RETRY = timedelta(milliseconds=5)
LAST_RETRY = timedelta(seconds=1000)
EVENT_TAG = "event"


class _Busy(NamedTuple):
    """A key whose writes are under way: those not yet answered by tag, the stages to come, what to post at the end."""

    open: dict[str, Wish]
    stages: tuple[Stage, ...]
    events: tuple[ObjectEvent, ...]
    refused: Refused | None = None


class ManagerState(NamedTuple):
    """Everything a controller's part remembers."""

    queue: dict[Key, None]
    busy: dict[Key, _Busy]
    due: dict[Key, datetime]
    not_before: dict[Key, datetime]
    failures: dict[Key, tuple[int, Refused]]
    memory: dict[Key, Memory]
    number: int
    recorder: object


class ControllerPart:
    """Drives one controller. Implements `turn.Part`."""

    def __init__(self, controller: Controller, view: View, ids: Ids) -> None:
        self.name = controller.name
        blind = controller.not_statuses_of
        self.interests = tuple(Interest(resource, statuses=resource not in blind) for resource in controller.resources)
        self._controller, self._view, self._ids = controller, view, ids
        self._recorder = Recorder(controller.component, view)
        self._queue: dict[Key, None] = {}
        self._busy: dict[Key, _Busy] = {}
        self._due: dict[Key, datetime] = {}
        self._heap: list[tuple[datetime, Key]] = []
        self._not_before: dict[Key, datetime] = {}
        self._failures: dict[Key, tuple[int, Refused]] = {}
        self._memory: dict[Key, Memory] = {}
        self._owner_of: dict[str, Key] = {}
        self._number = 0

    # ------------------------------------------------------------------------------------------------ turn.Part

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """Take in what happened and look at every key that needs it."""
        effects: list[Effect] = []
        view, keys_of, waiting = self._view, self._controller.keys, self._queue
        for item in news:
            if isinstance(item, Changed):
                for key in keys_of(Change(view, *item)):
                    waiting[key] = None
            elif isinstance(item, Answered):
                self._settle(item, now, effects)
        while self._heap and self._heap[0][0] <= now:
            moment, key = heapq.heappop(self._heap)
            if self._due.get(key) == moment:
                del self._due[key]
                self._queue[key] = None
        queue, self._queue = self._queue, {}
        for key in queue:
            self._look(key, now, effects)
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return Turned(tuple(effects), self._heap[0][0] if self._heap else None)

    def snapshot(self) -> object:
        """All state as one value; shares what is frozen."""
        return ManagerState(
            dict(self._queue),
            {key: busy._replace(open=dict(busy.open)) for key, busy in self._busy.items()},
            dict(self._due),
            dict(self._not_before),
            dict(self._failures),
            dict(self._memory),
            self._number,
            self._recorder.snapshot(),
        )

    def restore(self, state: object) -> None:
        """Become what `snapshot` returned."""
        assert isinstance(state, ManagerState)
        self._queue, self._due = dict(state.queue), dict(state.due)
        self._busy = {key: busy._replace(open=dict(busy.open)) for key, busy in state.busy.items()}
        self._not_before, self._failures = dict(state.not_before), dict(state.failures)
        self._memory, self._number = dict(state.memory), state.number
        self._owner_of = {tag: key for key, busy in self._busy.items() for tag in busy.open}
        self._heap = [(moment, key) for key, moment in self._due.items()]
        heapq.heapify(self._heap)
        self._recorder.restore(state.recorder)

    # ------------------------------------------------------------------------------------------------ one look

    def _look(self, key: Key, now: datetime, effects: list[Effect]) -> None:
        if key in self._busy:
            self._queue[key] = None
            return
        rest = self._not_before.get(key)
        if rest is not None:
            if now < rest:
                self._wake(key, rest)
                return
            del self._not_before[key]
        refused = self._failures[key][1] if key in self._failures else None
        outcome = self._controller.reconcile(Look(self._view, key, now, self._ids, self._memory.get(key), refused))
        self._keep(key, outcome, now)
        if outcome.stages:
            self._start(key, outcome.stages, outcome.events, effects)
        else:
            self._failures.pop(key, None)
            self._post(outcome.events, now, effects)

    def _keep(self, key: Key, outcome: Outcome, now: datetime) -> None:
        if outcome.memory is not None:
            self._memory[key] = outcome.memory
        else:
            self._memory.pop(key, None)
        if outcome.not_before is not None and outcome.not_before > now:
            self._not_before[key] = outcome.not_before
        self._due.pop(key, None)
        if outcome.wake_at is not None:
            self._wake(key, max(outcome.wake_at, now))

    def _wake(self, key: Key, at: datetime) -> None:
        if key not in self._due or at < self._due[key]:
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))

    def _start(
        self, key: Key, stages: tuple[Stage, ...], events: tuple[ObjectEvent, ...], effects: list[Effect]
    ) -> None:
        wishes: dict[str, Wish] = {}
        for wish in stages[0]:
            self._number += 1
            tag = str(self._number)
            wishes[tag] = wish
            self._owner_of[tag] = key
            effects.append(wish.write._replace(tag=tag))
        self._busy[key] = _Busy(wishes, stages[1:], events)

    # ------------------------------------------------------------------------------------------------ answers

    def _settle(self, answer: Answered, now: datetime, effects: list[Effect]) -> None:
        key = self._owner_of.pop(answer.write.tag, None)
        if key is None:
            return
        busy = self._busy[key]
        wish = busy.open.pop(answer.write.tag)
        if answer.error is None:
            self._post((wish.then,) if wish.then else (), now, effects)
        elif not _is_as_good_as_done(wish.write, answer.error):
            busy = busy._replace(refused=busy.refused or Refused(wish.write, str(answer.error)))
            self._busy[key] = busy
            if wish.otherwise is not None:
                told = wish.otherwise._replace(message=wish.otherwise.message + str(answer.error))
                self._post((told,), now, effects)
        if not busy.open:
            self._finish(key, busy, now, effects)

    def _finish(self, key: Key, busy: _Busy, now: datetime, effects: list[Effect]) -> None:
        """The stage is over: go on with the next, or end the look; after a refusal look again, ever more slowly."""
        del self._busy[key]
        if busy.refused is not None:
            failures = self._failures.get(key, (0, busy.refused))[0] + 1
            self._failures[key] = (failures, busy.refused)
            self._wake(key, now + min(FIRST_RETRY * 2 ** min(failures - 1, 18), LAST_RETRY))
        elif busy.stages:
            self._start(key, busy.stages, busy.events, effects)
        else:
            self._failures.pop(key, None)
            self._post(busy.events, now, effects)

    def _post(self, events: tuple[ObjectEvent, ...], now: datetime, effects: list[Effect]) -> None:
        for event in events:
            write = self._recorder.write(event, now)
            if write is not None:
                effects.append(write._replace(tag=EVENT_TAG))


def _is_as_good_as_done(write: Write, error: ApiError) -> bool:
    """Deleting or patching what is already gone reached its aim."""
    return error.code == 404 and write.verb in ("delete", "patch")
