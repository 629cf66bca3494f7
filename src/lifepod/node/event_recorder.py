"""How the core's events become Event objects of the API: names, fields, and the count of repeats.

Which repeats are folded or dropped is decided in `lifecycle/event_correlation.py`.

Source: k8s.io/client-go v0.34.4 tools/record/event.go: makeEvent, recordEvent
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.lifecycle.event_correlation import ObjectEvents, Verdict, correlate
from lifepod.lifecycle.vocabulary import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CACHE_OBJECTS = 4096
Subject: TypeAlias = tuple[str, str, str]
"""(kind, UID, name) of what events are about."""


class RecorderState(NamedTuple):
    """Everything a recorder remembers."""

    objects: dict[Subject, ObjectEvents]
    last_nanos: int


class EventRecorder:
    """Makes the writes for the events that one node posts. `exists` tells whether an Event (namespace, name) is still there."""

    def __init__(self, node: str, exists: Callable[[str, str], bool], component: str = "kubelet") -> None:
        self._node, self._exists, self._component = node, exists, component
        self._objects: dict[Subject, ObjectEvents] = {}
        self._last_nanos = 0

    def write(self, event: Event, about: JsonObject, field_path: str, now: datetime) -> Write | None:
        """The write that posts the event or counts it up; None when it is dropped as one too many.

        `about` is the involvedObject without its fieldPath. An Event that has expired is made again, with its count.
        """
        subject = (about["kind"], about.get("uid", ""), about["name"])
        name = self._name(about["name"], now)
        before = self._objects.pop(subject, None) or ObjectEvents()
        self._objects[subject], verdict = correlate(before, event, field_path, name, now)
        if len(self._objects) > CACHE_OBJECTS:
            del self._objects[next(iter(self._objects))]
        namespace = about.get("namespace") or "default"
        if verdict.kind == "drop":
            return None
        if verdict.kind == "patch" and self._exists(namespace, verdict.name):
            body = {"count": verdict.times, "lastTimestamp": format_time(now), "message": verdict.message}
            return Write("patch", "events", namespace, verdict.name, body, patch_type="merge")
        return Write("create", "events", namespace, verdict.name, self._body(event, about, field_path, verdict, now))

    def forget(self, kind: str, uid: str, name: str) -> None:
        """The object is gone for good."""
        self._objects.pop((kind, uid, name), None)

    def _body(self, event: Event, about: JsonObject, field_path: str, verdict: Verdict, now: datetime) -> JsonObject:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": verdict.name, "namespace": about.get("namespace") or "default"},
            "involvedObject": {**about, "fieldPath": field_path} if field_path else about,
            "reason": event.reason,
            "message": verdict.message,
            "source": {"component": self._component, "host": self._node},
            "firstTimestamp": format_time(verdict.first_at or now),
            "lastTimestamp": format_time(now),
            "count": verdict.times,
            "type": event.type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._node,
        }

    def _name(self, subject: str, now: datetime) -> str:
        age = now - _EPOCH
        nanos = ((age.days * 86400 + age.seconds) * 1_000_000 + age.microseconds) * 1000
        self._last_nanos = max(nanos, self._last_nanos + 1)
        return f"{subject}.{self._last_nanos:x}"

    def snapshot(self) -> RecorderState:
        """All state as one value."""
        return RecorderState(dict(self._objects), self._last_nanos)

    def restore(self, state: RecorderState) -> None:
        """Become what `snapshot` returned."""
        self._objects, self._last_nanos = dict(state.objects), state.last_nanos


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


def node_reference(node: str) -> JsonObject:
    """The involvedObject of events about the node itself; its name stands for its UID.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet.go: NewMainKubelet (nodeRef)
    """
    return {"kind": "Node", "name": node, "uid": node}


def field_path_of(pod: JsonObject, container: str | None) -> str:
    """`spec.initContainers{first}`: where the event's container stands; "" for the pod itself."""
    if container is None:
        return ""
    for member in ("containers", "initContainers", "ephemeralContainers"):
        for each in pod["spec"].get(member) or ():
            if each["name"] == container:
                return f"spec.{member}{{{container}}}"
    return ""
