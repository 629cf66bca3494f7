"""What does an Event of core/v1 hold, and which write posts it or counts it up?

Whether it is posted at all is decided in `event_correlation.py`. Used by whoever reports: a node's agent, a controller.

Source: k8s.io/client-go v0.34.4 tools/record/event.go: makeEvent, recordEvent
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.lifecycle.event_correlation import Verdict
from lifepod.lifecycle.vocabulary import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Exists: TypeAlias = Callable[[str, str], bool]
"""(namespace, name) → whether that Event is still there; they expire."""


class Reporter(NamedTuple):
    """Who reports: `kubelet` on a node, or a controller, which names no host."""

    component: str
    host: str = ""


def nanoseconds_of(moment: datetime) -> int:
    """Since 1970, exactly; the names of events end with it."""
    age = moment - _EPOCH
    return ((age.days * 86400 + age.seconds) * 1_000_000 + age.microseconds) * 1000


def event_write(
    event: Event,
    about: JsonObject,
    field_path: str,
    verdict: Verdict,
    reporter: Reporter,
    exists: Exists,
    now: datetime,
) -> Write | None:
    """The write that posts the event or counts it up; None when it is dropped. One that has expired is made again, with its count.

    `about` is the involvedObject without its fieldPath.
    """
    if verdict.kind == "drop":
        return None
    namespace = about.get("namespace") or "default"
    if verdict.kind == "patch" and exists(namespace, verdict.name):
        body: JsonObject = {"count": verdict.times, "lastTimestamp": format_time(now), "message": verdict.message}
        return Write("patch", "events", namespace, verdict.name, body, patch_type="merge")
    source = {"component": reporter.component}
    if reporter.host:
        source["host"] = reporter.host
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": verdict.name, "namespace": namespace},
        "involvedObject": {**about, "fieldPath": field_path} if field_path else about,
        "reason": event.reason,
        "message": verdict.message,
        "source": source,
        "firstTimestamp": format_time(verdict.first_at or now),
        "lastTimestamp": format_time(now),
        "count": verdict.times,
        "type": event.type,
        "eventTime": None,
        "reportingComponent": reporter.component,
        "reportingInstance": reporter.host,
    }
    return Write("create", "events", namespace, verdict.name, body)
