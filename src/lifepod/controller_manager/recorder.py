"""How controllers' events become Event objects: names, fields, and folding of repeats.

Two forms: core/v1's (count, PATCHed; `lifecycle.event_correlation` and `event_objects` have the rules) and events.k8s.io's, which only the
scheduler uses (eventTime, series).
Source: k8s.io/client-go v0.34.4 tools/record/event.go; tools/events/event_broadcaster.go
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from lifepod.api.objects import JsonObject, format_micro_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import ObjectEvent
from lifepod.controllers.view import View
from lifepod.lifecycle.event_correlation import ObjectEvents, correlate
from lifepod.lifecycle.event_objects import Reporter, event_write, nanoseconds_of
from lifepod.lifecycle.vocabulary import Event

CACHE_ENTRIES = 4096
SERIES_ENDS_AFTER = timedelta(minutes=6)
SERIES_TOLD_EVERY = timedelta(minutes=30)


class _Series(NamedTuple):
    """An event of the modern form that was posted, how often it was seen, and what the API has been told of that."""

    name: str
    namespace: str
    times: int
    last: datetime
    told_times: int
    told_at: datetime


class RecorderState(NamedTuple):
    """Everything a recorder remembers; frozen copies for snapshots."""

    objects: dict[tuple[str, ...], ObjectEvents]
    series: dict[tuple[str, ...], _Series]
    last_nanos: int
    sweep_at: datetime | None


class Recorder:
    """Makes the writes for the events of one component. `view` tells which of them are still there."""

    def __init__(self, component: str, view: View, *, instance: str = "", modern: bool = False) -> None:
        self._component, self._view, self._instance, self._modern = component, view, instance, modern
        self._state = RecorderState({}, {}, 0, None)
        # Two components may tell of one object in the same virtual instant: their names must differ.
        self._slot = sum(component.encode()) % 1000

    def write(self, event: ObjectEvent, now: datetime, action: str = "") -> Write | None:
        """The write that posts this event, or folds it into an earlier one; None when it is dropped as spam."""
        return self._modern_write(event, now, action) if self._modern else self._classic_write(event, now)

    def snapshot(self) -> object:
        """The whole state, as a value."""
        state = self._state
        return state._replace(objects=dict(state.objects), series=dict(state.series))

    def restore(self, state: object) -> None:
        """Become what `snapshot` returned."""
        assert isinstance(state, RecorderState)
        self._state = state._replace(objects=dict(state.objects), series=dict(state.series))

    # ------------------------------------------------------------------------------------------------ core/v1

    def _classic_write(self, event: ObjectEvent, now: datetime) -> Write | None:
        """Fold equal events into a count, more than ten similar ones into one, and drop floods (lifecycle.md §8.1)."""
        about = _reference(event.about)
        key = (about["kind"], about["namespace"], about["name"], about["uid"])
        before = self._state.objects.pop(key, None) or ObjectEvents()
        fresh = self._name(about["name"], now)
        told = Event(event.type, event.reason, event.message)
        self._state.objects[key], verdict = correlate(before, told, "", fresh, now)
        _bound(self._state.objects)
        shown: JsonObject = {k: v for k, v in about.items() if v}
        return event_write(told, shown, "", verdict, Reporter(self._component), self._is_there, now)

    def _is_there(self, namespace: str, name: str) -> bool:
        return self._view.get("events", namespace, name) is not None

    # ------------------------------------------------------------------------------------------------ events.k8s.io

    def _modern_write(self, event: ObjectEvent, now: datetime, action: str) -> Write | None:
        """A repeat makes the event a series; further ones are only counted until `sweep` tells them (lifecycle.md §8.2)."""
        about = _reference(event.about)
        key = (about["kind"], about["uid"], event.type, event.reason, action)
        known = self._state.series.pop(key, None)
        if known is not None:
            seen = known._replace(times=known.times + 1, last=now)
            if known.times > 1:
                self._remember(key, seen)
                return None
            self._remember(key, seen._replace(told_times=seen.times, told_at=now))
            return _series_write(seen)
        name, namespace = self._name(about["name"], now), about["namespace"] or "default"
        if event.type == "Warning":
            self._remember(key, _Series(name, namespace, 1, now, 1, now))
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {k: v for k, v in about.items() if v},
            "reason": event.reason,
            "message": _cut(event.message),
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": event.type,
            "eventTime": format_micro_time(now),
            "action": action,
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }
        return Write("create", "events", namespace, name, body)

    def sweep(self, now: datetime) -> list[Write]:
        """Every six minutes: tell what was counted meanwhile of series that ended, or that were not told for half an hour.

        Source: k8s.io/client-go v0.34.4 tools/events/event_broadcaster.go: finishSeries, refreshExistingEventSeries
        """
        if self._state.sweep_at is None or now < self._state.sweep_at:
            return []
        writes: list[Write] = []
        for key, known in list(self._state.series.items()):
            has_ended = now - known.last >= SERIES_ENDS_AFTER
            if known.times > known.told_times and (has_ended or now - known.told_at >= SERIES_TOLD_EVERY):
                writes.append(_series_write(known))
                self._state.series[key] = known._replace(told_times=known.times, told_at=now)
            if has_ended:
                del self._state.series[key]
        self._state = self._state._replace(sweep_at=now + SERIES_ENDS_AFTER if self._state.series else None)
        return writes

    @property
    def sweep_at(self) -> datetime | None:
        """When `sweep` has something to look at; None when never."""
        return self._state.sweep_at

    def _remember(self, key: tuple[str, ...], series: _Series) -> None:
        self._state.series[key] = series
        _bound(self._state.series)
        if self._state.sweep_at is None:
            self._state = self._state._replace(sweep_at=series.last + SERIES_ENDS_AFTER)

    def _name(self, subject: str, now: datetime) -> str:
        nanos = max(nanoseconds_of(now) + self._slot, self._state.last_nanos + 1000)
        self._state = self._state._replace(last_nanos=nanos)
        return f"{subject}.{nanos:x}"


def _series_write(series: _Series) -> Write:
    body = {"series": {"count": series.times, "lastObservedTime": format_micro_time(series.last)}}
    return Write("patch", "events", series.namespace, series.name, body, patch_type="merge")


_T = TypeVar("_T")


def _bound(table: dict[tuple[str, ...], _T]) -> None:
    if len(table) > CACHE_ENTRIES:
        del table[next(iter(table))]


def _cut(note: str) -> str:
    """Notes longer than 1024 bytes are refused by the API; upstream cuts them so."""
    raw = note.encode()
    return note if len(raw) <= 1024 else raw[:1020].decode(errors="ignore") + " ..."


def _reference(about: JsonObject) -> dict[str, str]:
    metadata = about["metadata"]
    return {
        "kind": about.get("kind", ""),
        "namespace": metadata.get("namespace", ""),
        "name": metadata.get("name", ""),
        "uid": metadata.get("uid", ""),
        "apiVersion": about.get("apiVersion", ""),
        "resourceVersion": metadata.get("resourceVersion", ""),
    }
