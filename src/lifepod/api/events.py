"""How the group `events.k8s.io/v1` shows the events that the core group keeps, and back."""

from __future__ import annotations

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.validation_events import new_event_errors, new_event_update_errors

_TO_CORE = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_TO_NEW = {core: new for new, core in _TO_CORE.items()}


def core_event(event: JsonObject) -> JsonObject:
    """An `events.k8s.io/v1` Event as the core group writes it.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/events/v1/conversion.go: Convert_v1_Event_To_core_Event
    """
    core = {_TO_CORE.get(name, name): value for name, value in event.items()}
    core["apiVersion"] = "v1"
    return core


def new_event(event: JsonObject) -> JsonObject:
    """A core Event as the group `events.k8s.io/v1` writes it.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/events/v1/conversion.go: Convert_core_Event_To_v1_Event
    """
    new = {_TO_NEW.get(name, name): value for name, value in event.items()}
    new["apiVersion"] = "events.k8s.io/v1"
    return new


KINDS = (
    Kind(
        group="events.k8s.io",
        version="v1",
        kind="Event",
        plural="events",
        singular="event",
        namespaced=True,
        schema="io.k8s.api.events.v1.Event",
        short_names=("ev",),
        create_on_update=True,
        fields={
            "reason": ("reason",),
            "reportingController": ("reportingController",),
            "type": ("type",),
            "regarding.kind": ("regarding", "kind"),
            "regarding.namespace": ("regarding", "namespace"),
            "regarding.name": ("regarding", "name"),
            "regarding.uid": ("regarding", "uid"),
            "regarding.apiVersion": ("regarding", "apiVersion"),
            "regarding.resourceVersion": ("regarding", "resourceVersion"),
            "regarding.fieldPath": ("regarding", "fieldPath"),
        },
        storage="events",
        validate=new_event_errors,
        validate_update=new_event_update_errors,
        to_storage=core_event,
        from_storage=new_event,
    ),
)
