"""Finished Jobs with ttlSecondsAfterFinished are deleted, with their pods, when that time is over.

Key: (namespace, job). Source: k8s.io/kubernetes v1.34.4 pkg/controller/ttlafterfinished/ttlafterfinished_controller.go
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, parse_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import is_being_deleted, key_of, uid_of
from lifepod.controllers.status_conditions import has_condition
from lifepod.controllers.view import Key


def _keys(change: Change) -> Iterable[Key]:
    wanted = change.type != "DELETED" and change.obj["spec"].get("ttlSecondsAfterFinished") is not None
    return (key_of(change.obj),) if wanted else ()


def reconcile(look: Look) -> Outcome:
    """Delete the Job in the foreground once its time is over."""
    job = look.view.get("jobs.batch", look.key[0], look.key[1])
    at = expires_at(job) if job is not None and not is_being_deleted(job) else None
    if job is None or at is None:
        return NOTHING
    if look.now < at:
        return Outcome(wake_at=at)
    options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid_of(job)}}
    return Outcome(((Wish(Write("delete", "jobs.batch", look.key[0], look.key[1], options)),),))


def expires_at(job: JsonObject) -> datetime | None:
    """When the Job's time is over; None while it is not finished or has no limit."""
    seconds = job["spec"].get("ttlSecondsAfterFinished")
    conditions = (job.get("status") or {}).get("conditions") or []
    ended = has_condition(conditions, "Complete") or has_condition(conditions, "Failed")
    if seconds is None or ended is None or not ended.get("lastTransitionTime"):
        return None
    return parse_time(ended["lastTransitionTime"]) + timedelta(seconds=seconds)


TTL_AFTER_FINISHED = Controller(
    "ttl-after-finished", "ttl-after-finished-controller", ("jobs.batch",), _keys, reconcile
)
