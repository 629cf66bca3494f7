"""Has a Job come to its end, and how? The first rule that answers decides (lifecycle.md §10.2).

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: syncJob, pastBackoffLimitOnFailure,
        pastActiveDeadline
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, parse_time
from lifepod.controllers.job_picture import Picture
from lifepod.controllers.job_pods import restarts_of
from lifepod.controllers.job_policies import fail_job_message, success_rule_met
from lifepod.controllers.status_conditions import has_condition

BACKOFF_MESSAGE = "Job has reached the specified backoff limit"
DEADLINE_MESSAGE = "Job was active longer than specified deadline"
MAX_FAILED_MESSAGE = "Job has exceeded the specified maximal number of failed indexes"
FAILED_INDEXES_MESSAGE = "Job has failed indexes"
COMPLETIONS_MESSAGE = "Reached expected number of succeeded pods"


class End(NamedTuple):
    """How a Job ends. `succeeds`: SuccessCriteriaMet then Complete; else FailureTarget then Failed."""

    succeeds: bool
    reason: str
    message: str

    @property
    def interim(self) -> str:
        """The condition that announces the end while pods are still being stopped and counted."""
        return "SuccessCriteriaMet" if self.succeeds else "FailureTarget"

    @property
    def final(self) -> str:
        """The condition that ends the Job."""
        return "Complete" if self.succeeds else "Failed"


def announced_end(conditions: list[JsonObject]) -> End | None:
    """The end that an earlier look decided; it stands."""
    for type_ in ("SuccessCriteriaMet", "FailureTarget"):
        condition = has_condition(conditions, type_)
        if condition is not None:
            return End(type_ == "SuccessCriteriaMet", condition.get("reason", ""), condition.get("message", ""))
    return None


def failure_or_policy_end(picture: Picture, now: datetime) -> End | None:
    """The ends that do not wait for active pods: failures and limits first, then the success policy."""
    job = picture.job
    message = fail_job_message(job, picture.pods)
    if message is not None:
        return End(False, "PodFailurePolicy", message)
    if picture.failed > job["spec"].get("backoffLimit", 6) or restarted_too_often(picture):
        return End(False, "BackoffLimitExceeded", BACKOFF_MESSAGE)
    deadline = deadline_of(job)
    if deadline is not None and now >= deadline:
        return End(False, "DeadlineExceeded", DEADLINE_MESSAGE)
    if picture.is_per_index:
        most = job["spec"].get("maxFailedIndexes")
        if most is not None and len(picture.failed_indexes) > most:
            return End(False, "MaxFailedIndexesExceeded", MAX_FAILED_MESSAGE)
        done = len(picture.succeeded_indexes) + len(picture.failed_indexes)
        if picture.failed_indexes and done >= picture.completions:
            return End(False, "FailedIndexes", FAILED_INDEXES_MESSAGE)
    met = success_rule_met(job, picture.succeeded_indexes) if picture.is_indexed else None
    return End(True, "SuccessPolicy", met) if met else None


def restarted_too_often(picture: Picture) -> bool:
    """OnFailure: the restarts of all its pods reach the limit; with limit 0 the first one does."""
    spec = picture.job["spec"]
    if (spec["template"].get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    limit: int = spec.get("backoffLimit", 6)
    return restarts_of(picture.pods) >= max(1, limit)


def deadline_of(job: JsonObject) -> datetime | None:
    """When the Job has been active for activeDeadlineSeconds; a suspended Job has no deadline."""
    seconds = job["spec"].get("activeDeadlineSeconds")
    started = (job.get("status") or {}).get("startTime")
    if seconds is None or not started or job["spec"].get("suspend"):
        return None
    return parse_time(started) + timedelta(seconds=seconds)


def is_complete(picture: Picture, active: int) -> bool:
    """Enough successes and nothing active; a work queue needs one success."""
    completions = picture.job["spec"].get("completions")
    if completions is None:
        return picture.succeeded > 0 and active == 0
    return picture.succeeded >= completions and active == 0
