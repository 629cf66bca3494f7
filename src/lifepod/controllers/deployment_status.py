"""What a Deployment's status says: counts, Available, Progressing with its deadline.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: calculateStatus; progress.go: syncRolloutStatus;
        util/deployment_util.go: DeploymentComplete, DeploymentProgressing, DeploymentTimedOut, SetDeploymentCondition
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, format_time, parse_time
from lifepod.controllers.deployment_arithmetic import available_of, fenceposts, replicas_of
from lifepod.controllers.ownership import name_of

NO_DEADLINE = 2147483647


def status_of(deployment: JsonObject, new: JsonObject | None, every: Sequence[JsonObject], now: datetime) -> JsonObject:
    """Counts and the Available condition; zeros are left out."""
    before = deployment.get("status") or {}
    available = sum(available_of(rs) for rs in every)
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": sum(_count(rs, "replicas") for rs in every),
        "updatedReplicas": _count(new, "replicas") if new else 0,
        "readyReplicas": sum(_count(rs, "readyReplicas") for rs in every),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(replicas_of(rs) for rs in every) - available),
    }
    status: JsonObject = {name: count for name, count in counts.items() if count}
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    conditions = list(before.get("conditions") or [])
    if available >= replicas_of(deployment) - fenceposts(deployment)[1]:
        text = "Deployment has minimum availability."
        conditions = set_condition(conditions, "Available", "True", "MinimumReplicasAvailable", text, now)
    else:
        text = "Deployment does not have minimum availability."
        conditions = set_condition(conditions, "Available", "False", "MinimumReplicasUnavailable", text, now)
    status["conditions"] = conditions
    return status


def _count(replica_set: JsonObject, member: str) -> int:
    return int((replica_set.get("status") or {}).get(member) or 0)


def set_condition(
    conditions: Sequence[JsonObject], type_: str, status: str, reason: str, message: str, now: datetime
) -> list[JsonObject]:
    """The list with this condition last; unchanged when it has that status and reason already."""
    before = progressing(conditions, type_)
    if before is not None and before.get("status") == status and before.get("reason") == reason:
        return list(conditions)
    moment = format_time(now)
    since = before.get("lastTransitionTime") if before and before.get("status") == status else moment
    new = {
        "type": type_,
        "status": status,
        "lastUpdateTime": moment,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [*(c for c in conditions if c.get("type") != type_), new]


def progressing(conditions: Sequence[JsonObject], type_: str = "Progressing") -> JsonObject | None:
    """The condition of that type, whatever its status."""
    return next((c for c in conditions if c.get("type") == type_), None)


def with_failures(status: JsonObject, sets: Sequence[JsonObject], new: JsonObject | None, now: datetime) -> JsonObject:
    """ReplicaFailure as one of the ReplicaSets has it, the new one before the others; gone when none has.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/progress.go: getReplicaFailures, syncRolloutStatus
    """
    ordered = [*([new] if new is not None else []), *(rs for rs in sets if rs is not new)]
    failures = [progressing((rs.get("status") or {}).get("conditions") or [], "ReplicaFailure") for rs in ordered]
    failure = next((f for f in failures if f is not None), None)
    conditions: list[JsonObject] = status["conditions"]
    if failure is None:
        return {**status, "conditions": [c for c in conditions if c.get("type") != "ReplicaFailure"]}
    told = set_condition(
        conditions, "ReplicaFailure", str(failure["status"]), str(failure["reason"]), str(failure["message"]), now
    )
    return {**status, "conditions": told}


def has_deadline(deployment: JsonObject) -> bool:
    """Whether progress is watched at all."""
    return bool(deployment["spec"].get("progressDeadlineSeconds", 600) not in (None, NO_DEADLINE))


def with_progress(deployment: JsonObject, new: JsonObject | None, status: JsonObject, now: datetime) -> JsonObject:
    """The status with the Progressing condition as this look finds it: complete, progressing or timed out."""
    before = deployment.get("status") or {}
    current = progressing(before.get("conditions") or [])
    settled = status.get("replicas", 0) == status.get("updatedReplicas", 0) and bool(
        current and current.get("reason") == "NewReplicaSetAvailable"
    )
    conditions: list[JsonObject] = status["conditions"]
    if not has_deadline(deployment):
        return {**status, "conditions": [c for c in conditions if c.get("type") != "Progressing"]}
    if settled:
        return status
    title = f'ReplicaSet "{name_of(new)}"' if new else f'Deployment "{name_of(deployment)}"'
    if is_complete(deployment, status):
        text = f"{title} has successfully progressed."
        conditions = set_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable", text, now)
    elif _has_progressed(before, status):
        text = f"{title} is progressing."
        # Progress is noted anew each time, so that the deadline counts from the last one.
        rest = [c for c in conditions if c.get("type") != "Progressing"]
        fresh = set_condition([], "Progressing", "True", "ReplicaSetUpdated", text, now)[0]
        if current is not None and current.get("status") == "True":
            fresh["lastTransitionTime"] = current.get("lastTransitionTime")
        conditions = [*rest, fresh]
    elif timed_out(deployment, status, now):
        text = f"{title} has timed out progressing."
        conditions = set_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded", text, now)
    return {**status, "conditions": conditions}


def is_complete(deployment: JsonObject, status: JsonObject) -> bool:
    """All replicas are updated and available, none of the old are left, and this generation was seen."""
    want = replicas_of(deployment)
    return bool(
        status.get("updatedReplicas", 0) == want
        and status.get("replicas", 0) == want
        and status.get("availableReplicas", 0) == want
        and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )


def _has_progressed(before: JsonObject, after: JsonObject) -> bool:
    old_left = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    new_left = after.get("replicas", 0) - after.get("updatedReplicas", 0)
    return bool(
        after.get("updatedReplicas", 0) > before.get("updatedReplicas", 0)
        or new_left < old_left
        or after.get("readyReplicas", 0) > before.get("readyReplicas", 0)
        or after.get("availableReplicas", 0) > before.get("availableReplicas", 0)
    )


def times_out_at(deployment: JsonObject, status: JsonObject) -> datetime | None:
    """When a rollout that makes no progress exceeds its deadline; None when nothing is awaited."""
    current = progressing(status.get("conditions") or [])
    if current is None or not has_deadline(deployment) or is_complete(deployment, status):
        return None
    if current.get("reason") in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"):
        return None
    seconds = deployment["spec"].get("progressDeadlineSeconds", 600)
    return parse_time(current["lastUpdateTime"]) + timedelta(seconds=seconds)


def timed_out(deployment: JsonObject, status: JsonObject, now: datetime) -> bool:
    """Whether the deadline has passed without progress."""
    current = progressing(status.get("conditions") or [])
    if current is not None and current.get("reason") == "ProgressDeadlineExceeded":
        return True
    at = times_out_at(deployment, status)
    return at is not None and now >= at
