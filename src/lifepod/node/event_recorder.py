"""How the core's events become Event objects of the API: names, fields, and folding of repeats as the kubelet's recorder does.

Source: k8s.io/client-go v0.34.4 tools/record/event.go: makeEvent; tools/record/events_cache.go: EventCorrelate
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.lifecycle.vocabulary import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CACHE_ENTRIES = 4096
SPAM_BURST = 25.0
SPAM_REFILL_SECONDS = 300.0
SIMILAR_LIMIT = 10
SIMILAR_SECONDS = 600


class Told(NamedTuple):
    """An event that was posted, and how often."""

    name: str
    times: int


class Similar(NamedTuple):
    """The distinct messages of otherwise equal events in the running window."""

    messages: frozenset[int]
    last: datetime


class Bucket(NamedTuple):
    """What is left of an object's share of events."""

    tokens: float
    at: datetime


class RecorderState(NamedTuple):
    """Everything a recorder remembers."""

    told: dict[tuple[str, ...], Told]
    similar: dict[tuple[str, ...], Similar]
    buckets: dict[tuple[str, ...], Bucket]
    last_nanos: int


class EventRecorder:
    """Makes the writes for the events that one node posts."""

    def __init__(self, node: str, component: str = "kubelet") -> None:
        self._node, self._component = node, component
        self._told: dict[tuple[str, ...], Told] = {}
        self._similar: dict[tuple[str, ...], Similar] = {}
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self._last_nanos = 0

    def write(self, event: Event, about: JsonObject, field_path: str, now: datetime) -> Write | None:
        """The write that posts the event or counts it up; None when it is dropped as one too many.

        `about` is the involvedObject without its fieldPath.
        """
        uid = about.get("uid", "")
        group = (uid, about["kind"], about["name"], event.type, event.reason)
        key, message = self._correlated(group, field_path, event.message, now)
        if not self._has_token((uid, about["kind"], about["name"], event.type), now):
            return None
        namespace = about.get("namespace") or "default"
        told = self._told.pop(key, None)
        if told is not None:
            self._remember(key, told._replace(times=told.times + 1))
            body = {"count": told.times + 1, "lastTimestamp": format_time(now), "message": message}
            return Write("patch", "events", namespace, told.name, body, patch_type="merge")
        name = self._name(about["name"], now)
        self._remember(key, Told(name, 1))
        return Write("create", "events", namespace, name, self._body(event, about, field_path, message, name, now))

    def _body(
        self, event: Event, about: JsonObject, field_path: str, message: str, name: str, now: datetime
    ) -> JsonObject:
        moment = format_time(now)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.get("namespace") or "default"},
            "involvedObject": {**about, "fieldPath": field_path} if field_path else about,
            "reason": event.reason,
            "message": message,
            "source": {"component": self._component, "host": self._node},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
            "type": event.type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._node,
        }

    def _correlated(
        self, group: tuple[str, ...], field_path: str, message: str, now: datetime
    ) -> tuple[tuple[str, ...], str]:
        """Events that differ in their message only are one from the tenth within ten minutes on."""
        before = self._similar.pop(group, None)
        if before is None or (now - before.last).total_seconds() > SIMILAR_SECONDS:
            messages = frozenset((hash_of(message),))
        else:
            messages = before.messages | {hash_of(message)}
        self._similar[group] = Similar(messages, now)
        _bound(self._similar)
        if len(messages) < SIMILAR_LIMIT:
            return (*group, field_path, message), message
        return group, f"(combined from similar events): {message}"

    def _has_token(self, key: tuple[str, ...], now: datetime) -> bool:
        """25 events an object, one more each 300 s."""
        before = self._buckets.pop(key, None) or Bucket(SPAM_BURST, now)
        tokens = min(SPAM_BURST, before.tokens + (now - before.at).total_seconds() / SPAM_REFILL_SECONDS)
        self._buckets[key] = Bucket(tokens - 1 if tokens >= 1 else tokens, now)
        _bound(self._buckets)
        return tokens >= 1

    def _remember(self, key: tuple[str, ...], told: Told) -> None:
        self._told[key] = told
        _bound(self._told)

    def _name(self, subject: str, now: datetime) -> str:
        age = now - _EPOCH
        nanos = ((age.days * 86400 + age.seconds) * 1_000_000 + age.microseconds) * 1000
        self._last_nanos = max(nanos, self._last_nanos + 1)
        return f"{subject}.{self._last_nanos:x}"

    def snapshot(self) -> RecorderState:
        """All state as one value."""
        return RecorderState(dict(self._told), dict(self._similar), dict(self._buckets), self._last_nanos)

    def restore(self, state: RecorderState) -> None:
        """Become what `snapshot` returned."""
        self._told, self._similar, self._buckets = dict(state.told), dict(state.similar), dict(state.buckets)
        self._last_nanos = state.last_nanos


def hash_of(message: str) -> int:
    """A short stand-in for a message that is the same in every run (`hash` of a str is not)."""
    import zlib

    return zlib.crc32(message.encode())


def _bound(table: dict[tuple[str, ...], Any]) -> None:
    if len(table) > CACHE_ENTRIES:
        del table[next(iter(table))]


def pod_reference(pod: JsonObject) -> JsonObject:
    """The involvedObject of events about a pod."""
    metadata = pod["metadata"]
    return {
        "kind": "Pod",
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
        "apiVersion": "v1",
        "resourceVersion": metadata.get("resourceVersion", ""),
    }


def field_path_of(pod: JsonObject, container: str | None) -> str:
    """`spec.initContainers{first}`: where the event's container stands; "" for the pod itself."""
    if container is None:
        return ""
    for member in ("containers", "initContainers", "ephemeralContainers"):
        if any(c["name"] == container for c in pod["spec"].get(member) or ()):
            return f"spec.{member}{{{container}}}"
    return ""
