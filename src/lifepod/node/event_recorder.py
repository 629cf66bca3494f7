"""What a node's agent has posted, so that its events become Event objects of the API, or are counted up.

Which repeats are folded or dropped is decided in `lifecycle/event_correlation.py`, what an Event holds in `event_objects.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.lifecycle.event_correlation import ObjectEvents, correlate
from lifepod.lifecycle.event_objects import Exists, Reporter, event_write, nanoseconds_of
from lifepod.lifecycle.vocabulary import Event

CACHE_OBJECTS = 4096
Subject: TypeAlias = tuple[str, str, str]
"""(kind, UID, name) of what events are about."""


class RecorderState(NamedTuple):
    """Everything a recorder remembers."""

    objects: dict[Subject, ObjectEvents]
    last_nanos: int


class EventRecorder:
    """Makes the writes for the events that one node posts. `exists` tells whether an Event (namespace, name) is still there."""

    def __init__(self, node: str, exists: Exists, component: str = "kubelet") -> None:
        self._reporter, self._exists = Reporter(component, node), exists
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
        return event_write(event, about, field_path, verdict, self._reporter, self._exists, now)

    def forget(self, kind: str, uid: str, name: str) -> None:
        """The object is gone for good."""
        self._objects.pop((kind, uid, name), None)

    def _name(self, subject: str, now: datetime) -> str:
        self._last_nanos = max(nanoseconds_of(now), self._last_nanos + 1)
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
