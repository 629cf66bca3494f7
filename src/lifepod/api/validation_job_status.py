"""What is wrong with a status that somebody reports for a Job: its counters only grow, and its end is final.

A rule about a field is asked only of a report that changes the field.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/batch/validation/validation.go: validateJobStatus, ValidateJobStatusUpdate
        k8s.io/kubernetes v1.34.4 pkg/registry/batch/job/strategy.go: getStatusValidationOptions
"""

from __future__ import annotations

from lifepod.api.field_errors import FieldError, duplicate, invalid, required
from lifepod.api.meta import IMMUTABLE, metadata_update_errors
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.validation_job import indexes_in
from lifepod.api.validation_spec import not_negative

_CONDITIONS = "status.conditions"


def job_status_errors(job: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a Job's new status. Source: ValidateJobUpdateStatus"""
    spec: JsonObject = job.get("spec") or {}
    status, before = job.get("status") or {}, old.get("status") or {}
    errors = metadata_update_errors(job["metadata"], old["metadata"]) + _number_errors(status)
    errors += _uncounted_errors(status.get("uncountedTerminatedPods") or {})
    errors += _end_errors(status, before) + _time_errors(status, before) + _reason_errors(status, before)
    errors += _finished_errors(spec, status, before) + _index_errors(spec, status, before)
    ready = status.get("ready") or 0
    if _changes(status, before, "ready", "active") and ready > (status.get("active") or 0):
        errors.append(invalid("status.ready", ready, "cannot set more ready pods than active"))
    return errors + _success_errors(spec, status) + _history_errors(spec, status, before)


def _number_errors(status: JsonObject) -> list[FieldError]:
    fields = ("active", "succeeded", "failed", "ready", "terminating")
    return [error for field in fields for error in not_negative(status.get(field), f"status.{field}")]


def _uncounted_errors(uncounted: JsonObject) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for side in ("succeeded", "failed"):
        for index, uid in enumerate(uncounted.get(side) or []):
            path = f"status.uncountedTerminatedPods.{side}[{index}]"
            if not uid:
                errors.append(invalid(path, uid, "must not be empty"))
            elif uid in seen:
                errors.append(duplicate(path, uid))
            seen.add(uid)
    return errors


def _has(status: JsonObject, kind: str, state: str = "True") -> bool:
    return any(c.get("type") == kind and c.get("status") == state for c in status.get("conditions") or [])


def _turns(status: JsonObject, before: JsonObject, *kinds: str) -> bool:
    return any(_has(status, kind) != _has(before, kind) for kind in kinds)


def _changes(status: JsonObject, before: JsonObject, *fields: str) -> bool:
    return any((status.get(field) or None) != (before.get(field) or None) for field in fields)


def _is_finished(status: JsonObject) -> bool:
    return _has(status, "Complete") or _has(status, "Failed")


def _together(detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", _CONDITIONS, None, detail, is_value_shown=False)


def _end_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """A Job ends in one way."""
    errors: list[FieldError] = []
    if not _has(status, "Complete"):
        return errors
    if _turns(status, before, "Complete", "Failed") and _has(status, "Failed"):
        errors.append(_together("cannot set Complete=True and Failed=true conditions"))
    if _turns(status, before, "Complete", "FailureTarget") and _has(status, "FailureTarget"):
        errors.append(_together("cannot set Complete=True and FailureTarget=true conditions"))
    return errors


def _time_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    errors: list[FieldError] = []
    start, end, path = status.get("startTime"), status.get("completionTime"), "status.completionTime"
    if _turns(status, before, "Complete") or _changes(status, before, "completionTime"):
        if end is not None and not _has(status, "Complete"):
            detail = "cannot set completionTime when there is no Complete=True condition"
            errors.append(invalid(path, end, detail))
        if end is None and _has(status, "Complete"):
            errors.append(required(path, "completionTime is required for Complete jobs"))
    if _changes(status, before, "startTime", "completionTime") and start and end and end < start:
        errors.append(invalid(path, end, "must be equal to or after `startTime`"))
    return errors


def _reason_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """What is about to end is told before that it ended."""
    errors: list[FieldError] = []
    fails = _turns(status, before, "Failed") or _changes(status, before, "failedIndexes")
    if fails and _has(status, "Failed") and not _has(status, "FailureTarget"):
        errors.append(_together("cannot set Failed=True condition without the FailureTarget=true condition"))
    succeeds = _turns(status, before, "Complete", "SuccessCriteriaMet")
    if succeeds and _has(status, "Complete") and not _has(status, "SuccessCriteriaMet"):
        detail = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        errors.append(_together(detail))
    return errors


def _finished_errors(spec: JsonObject, status: JsonObject, before: JsonObject) -> list[FieldError]:
    """A finished Job was started, and has no pod left that runs, ends or is to be counted."""
    if not _is_finished(status):
        return []
    ends = not _is_finished(before)
    errors: list[FieldError] = []
    if (ends or _changes(status, before, "active")) and (status.get("active") or 0) > 0:
        errors.append(invalid("status.active", status["active"], "active>0 is invalid for finished job"))
    is_empty = spec.get("suspend") is True and spec.get("completions") == 0
    if (ends or _changes(status, before, "startTime")) and not is_empty and status.get("startTime") is None:
        errors.append(required("status.startTime", "startTime is required for finished job"))
    uncounted: JsonObject = status.get("uncountedTerminatedPods") or {}
    if (ends or _changes(status, before, "uncountedTerminatedPods")) and any(uncounted.values()):
        path = "status.uncountedTerminatedPods"
        errors.append(invalid(path, uncounted, "must be empty for finished job"))
    if (ends or _changes(status, before, "terminating")) and (status.get("terminating") or 0) > 0:
        detail = "terminating>0 is invalid for finished job"
        errors.append(invalid("status.terminating", status["terminating"], detail))
    return errors


def _index_errors(spec: JsonObject, status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Which indexes are done: only of an Indexed Job; which have failed: only where a limit is set per index."""
    errors: list[FieldError] = []
    done: str = status.get("completedIndexes") or ""
    failed, completions = status.get("failedIndexes"), spec.get("completions")
    if _changes(status, before, "completedIndexes"):
        errors += _format_errors("completedIndexes", done, completions)
        if done and spec.get("completionMode") != "Indexed":
            detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
            errors.append(invalid("status.completedIndexes", done, detail))
    if status.get("failedIndexes") != before.get("failedIndexes") and failed is not None:
        if spec.get("backoffLimitPerIndex") is None:
            detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            errors.append(invalid("status.failedIndexes", failed, detail))
        else:
            errors += _format_errors("failedIndexes", failed, completions)
    return errors


def _format_errors(field: str, text: str, completions: JsonValue) -> list[FieldError]:
    if not isinstance(completions, int):
        return []
    try:
        indexes_in(text, completions)
    except ValueError as problem:
        return [invalid(f"status.{field}", text, f"error parsing {field}: {problem}")]
    return []


def _success_errors(spec: JsonObject, status: JsonObject) -> list[FieldError]:
    errors: list[FieldError] = []
    met = _has(status, "SuccessCriteriaMet")
    if met and _has(status, "Failed"):
        errors.append(_together("cannot set SuccessCriteriaMet=True and Failed=true conditions"))
    if met and _has(status, "FailureTarget"):
        errors.append(_together("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"))
    if spec.get("successPolicy") is not None and not met and _has(status, "Complete"):
        detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        errors.append(_together(detail))
    return errors


def _history_errors(spec: JsonObject, status: JsonObject, before: JsonObject) -> list[FieldError]:
    """What was said once stays said."""
    errors = [
        _together(f"cannot disable the terminal {kind}=True condition")
        for kind in ("Failed", "Complete", "FailureTarget")
        if _has(before, kind) and not _has(status, kind)
    ]
    is_elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    errors += [
        invalid(f"status.{field}", status.get(field) or 0, f"cannot decrease the {field} counter")
        for field in (("failed",) if is_elastic else ("failed", "succeeded"))
        if (status.get(field) or 0) < (before.get(field) or 0)
    ]
    end, ended = status.get("completionTime"), before.get("completionTime")
    if end is not None and ended is not None and end != ended:
        errors.append(invalid("status.completionTime", end, IMMUTABLE))
    resumes = _has(before, "Suspended") and _has(status, "Suspended", "False")
    started = before.get("startTime")
    if started is not None and started != status.get("startTime") and not spec.get("suspend") and not resumes:
        errors.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if _has(before, "SuccessCriteriaMet") and not _has(status, "SuccessCriteriaMet"):
        errors.append(_together("cannot disable the SuccessCriteriaMet=True condition"))
    if _has(before, "Complete") and _turns(status, before, "SuccessCriteriaMet") and _has(status, "SuccessCriteriaMet"):
        detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(_together(detail))
    return errors
