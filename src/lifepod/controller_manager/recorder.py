"""How controllers' events become Event objects: names, fields, and folding of repeats.

Two forms: core/v1's recorder (count, PATCHed) and events.k8s.io's, which only the scheduler uses (eventTime, series).
Source: k8s.io/client-go v0.34.4 tools/record/event.go, events_cache.go; tools/events/event_broadcaster.go
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from lifepod.api.objects import JsonObject, format_micro_time, format_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import ObjectEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CACHE_ENTRIES = 4096
SPAM_BURST = 25
SPAM_REFILL_SECONDS = 300
SIMILAR_LIMIT = 10
SIMILAR_SECONDS = 600


class _Told(NamedTuple):
    """An event that was posted: what a repeat must patch."""

    name: str
    namespace: str
    times: int


class _Similar(NamedTuple):
    """Distinct messages of otherwise equal events within one window."""

    messages: frozenset[str]
    last: datetime


class _Bucket(NamedTuple):
    """Tokens left for one object's events."""

    tokens: float
    at: datetime


class RecorderState(NamedTuple):
    """Everything a recorder remembers; frozen copies for snapshots."""

    told: dict[tuple[str, ...], _Told]
    similar: dict[tuple[str, ...], _Similar]
    buckets: dict[tuple[str, ...], _Bucket]
    last_nanos: int


class Recorder:
    """Makes the writes for the events of one component."""

    def __init__(self, component: str, *, instance: str = "", modern: bool = False) -> None:
        self._component, self._instance, self._modern = component, instance, modern
        self._state = RecorderState({}, {}, {}, 0)
        # Two components may tell of one object in the same virtual instant: their names must differ.
        self._slot = sum(component.encode()) % 1000

    def write(self, event: ObjectEvent, now: datetime, action: str = "") -> Write | None:
        """The write that posts this event, or folds it into an earlier one; None when it is dropped as spam."""
        return self._modern_write(event, now, action) if self._modern else self._classic_write(event, now)

    def snapshot(self) -> object:
        """The whole state, as a value."""
        told, similar, buckets, last = self._state
        return RecorderState(dict(told), dict(similar), dict(buckets), last)

    def restore(self, state: object) -> None:
        """Become what `snapshot` returned."""
        assert isinstance(state, RecorderState)
        told, similar, buckets, last = state
        self._state = RecorderState(dict(told), dict(similar), dict(buckets), last)

    # ------------------------------------------------------------------------------------------------ core/v1

    def _classic_write(self, event: ObjectEvent, now: datetime) -> Write | None:
        """Fold equal events into a count, more than ten similar ones into one, and drop floods (lifecycle.md §8.1)."""
        about = _reference(event.about)
        object_key = (about["kind"], about["namespace"], about["name"], about["uid"])
        key, message = self._correlated((*object_key, event.type, event.reason), event.message, now)
        if not self._has_token(object_key, now):
            return None
        told = self._state.told.get(key)
        moment = format_time(now)
        if told is not None:
            self._remember(key, told._replace(times=told.times + 1))
            body = {"count": told.times + 1, "lastTimestamp": moment, "message": message}
            return Write("patch", "events", told.namespace, told.name, body, patch_type="merge")
        name, namespace = self._name(about["name"], now), about["namespace"] or "default"
        self._remember(key, _Told(name, namespace, 1))
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {k: v for k, v in about.items() if v},
            "reason": event.reason,
            "message": message,
            "source": {"component": self._component},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
            "type": event.type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
        return Write("create", "events", namespace, name, body)

    def _correlated(self, group: tuple[str, ...], message: str, now: datetime) -> tuple[tuple[str, ...], str]:
        before = self._state.similar.get(group)
        fresh = before is None or (now - before.last).total_seconds() > SIMILAR_SECONDS
        messages = frozenset((message,)) if before is None or fresh else before.messages | {message}
        self._state.similar[group] = _Similar(messages, now)
        _bound(self._state.similar)
        if len(messages) < SIMILAR_LIMIT:
            return (*group, message), message
        return group, f"(combined from similar events): {message}"

    def _has_token(self, key: tuple[str, ...], now: datetime) -> bool:
        bucket = self._state.buckets.get(key) or _Bucket(SPAM_BURST, now)
        tokens = min(SPAM_BURST, bucket.tokens + (now - bucket.at).total_seconds() / SPAM_REFILL_SECONDS)
        self._state.buckets[key] = _Bucket(tokens - 1 if tokens >= 1 else tokens, now)
        _bound(self._state.buckets)
        return tokens >= 1

    # ------------------------------------------------------------------------------------------------ events.k8s.io

    def _modern_write(self, event: ObjectEvent, now: datetime, action: str) -> Write | None:
        """A repeat makes the event a series; further ones are only counted (lifecycle.md §8.2)."""
        about = _reference(event.about)
        key = (about["kind"], about["uid"], event.type, event.reason, action)
        told = self._state.told.get(key)
        if told is not None:
            self._remember(key, told._replace(times=told.times + 1))
            if told.times > 1:
                return None
            series = {"series": {"count": 2, "lastObservedTime": format_micro_time(now)}}
            return Write("patch", "events", told.namespace, told.name, series, patch_type="merge")
        name, namespace = self._name(about["name"], now), about["namespace"] or "default"
        if event.type == "Warning":
            self._remember(key, _Told(name, namespace, 1))
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

    def _remember(self, key: tuple[str, ...], told: _Told) -> None:
        self._state.told[key] = told
        _bound(self._state.told)

    def _name(self, subject: str, now: datetime) -> str:
        age = now - _EPOCH
        nanos = ((age.days * 86400 + age.seconds) * 1_000_000 + age.microseconds) * 1000 + self._slot
        nanos = max(nanos, self._state.last_nanos + 1000)
        self._state = self._state._replace(last_nanos=nanos)
        return f"{subject}.{nanos:x}"


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
