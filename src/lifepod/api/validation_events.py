"""What is wrong with an Event: little in the core group, where everybody writes them; more in `events.k8s.io/v1`.

Both take the event as the core group keeps it.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/events.go
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, invalid, required
from lifepod.api.meta import immutable_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, new_object

_MAX_WORD: Final = 128
_MAX_NOTE: Final = 1024
_ELSEWHERE: Final = "does not match event.namespace"
_UNSET: Final = "needs to be unset"
_KEPT: Final = (
    "involvedObject reason message source firstTimestamp lastTimestamp count reason type eventTime action related"
).split()


def _rules(event: JsonObject, reporter: str) -> list[FieldError]:
    """Source: legacyValidateEvent. `reporter`: what the version calls the reporting controller."""
    own: str = event["metadata"].get("namespace") or ""
    about: str = (event.get("involvedObject") or {}).get("namespace") or ""
    if event.get("eventTime"):
        is_elsewhere = not about and own not in ("default", "kube-system")
    else:
        is_elsewhere = own != about if about else own not in ("", "default")
    errors = [invalid("involvedObject.namespace", about, _ELSEWHERE)] if is_elsewhere else []
    if event.get("eventTime"):
        errors += _new_event_rules(event, reporter)
    return errors + [invalid("namespace", own, complaint) for complaint in names.dns_subdomain(own)]


def _new_event_rules(event: JsonObject, reporter: str) -> list[FieldError]:
    """An event that says when it was says also who saw what."""
    controller: str = event.get("reportingComponent") or ""
    errors = [] if controller else [required(reporter)]
    errors += [invalid(reporter, controller, complaint) for complaint in names.qualified_name(controller)]
    for field in ("reportingInstance", "action", "reason"):
        word: str = event.get(field) or ""
        if not word:
            errors.append(required(field))
        if len(word.encode()) > _MAX_WORD:
            errors.append(invalid(field, "", f"can have at most {_MAX_WORD} characters"))
    if len((event.get("message") or "").encode()) > _MAX_NOTE:
        errors.append(invalid("message", "", f"can have at most {_MAX_NOTE} characters"))
    return errors


def new_event_errors(event: JsonObject) -> list[FieldError]:
    """A new object of `events.k8s.io/v1`. Source: ValidateEventCreate"""
    errors = _rules(event, "reportingController") + _series_errors(event)
    if not event.get("eventTime"):
        errors.append(required("eventTime"))
    kind: str = event.get("type") or ""
    if kind not in ("Normal", "Warning"):
        errors.append(invalid("type", "", f"has invalid value: {kind}"))
    source: JsonObject = event.get("source") or {}
    old = {field: event.get(field) for field in ("firstTimestamp", "lastTimestamp", "count")}
    old["source"] = source.get("component") or source.get("host")
    return errors + [invalid(field, "", _UNSET) for field, value in old.items() if value]


def _series_errors(event: JsonObject) -> list[FieldError]:
    series = event.get("series")
    if series is None:
        return []
    errors = [] if (series.get("count") or 0) >= 2 else [invalid("series.count", "", "should be at least 2")]
    return errors if series.get("lastObservedTime") else [*errors, required("series.lastObservedTime")]


def new_event_update_errors(event: JsonObject, old: JsonObject) -> list[FieldError]:
    """A change by `events.k8s.io/v1`: only the series goes on. Source: ValidateEventUpdate"""
    errors = _rules(event, "reportingController")
    if event.get("series") != old.get("series"):
        errors += _series_errors(event)
    for field in _KEPT:
        errors += immutable_errors(event.get(field), old.get(field), field)
    for field, shown in (("reportingComponent", "reportingController"), ("reportingInstance", "reportingInstance")):
        errors += immutable_errors(event.get(field), old.get(field), shown)
    return errors


def _core_rules(event: JsonObject) -> list[FieldError]:
    return _rules(event, "reportingComponent")


event_errors = new_object(_core_rules, namespaced=True)
event_update_errors = changed_object(_core_rules)
