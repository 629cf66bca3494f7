"""The Job controller: pods made, counted exactly once, and the two steps to an end.

One look is one `syncJob`: judge the end, or manage pods; then account for finished pods: their UIDs into the status, their
finalizers off, and (a later look, which sees that) the counters up and the final condition. Key: (namespace, name, uid) of a
Job, or (namespace, pod, "") of a tracked pod that has no Job. Memory: `job_backoff.Backoff`.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go
Differs: pod changes are batched (1 s) only where it can be seen: when pods finish while others are active, so that those that
end together are counted together; when a container was started once too often; and for Jobs of more than 100 live pods.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time
from lifepod.controllers.job_backoff import Backoff
from lifepod.controllers.job_end import (
    COMPLETIONS_MESSAGE,
    End,
    announced_end,
    deadline_of,
    failure_or_policy_end,
    is_complete,
    restarted_too_often,
)
from lifepod.controllers.job_indexes import format_indexes, index_of
from lifepod.controllers.job_manage import MOST_AT_ONCE, Plan, deletion_wish, manage, release_wish
from lifepod.controllers.job_picture import Picture, picture_of
from lifepod.controllers.job_pods import TRACKING, is_failed, is_tracked
from lifepod.controllers.job_policies import judge_failed_pod
from lifepod.controllers.label_selection import selects
from lifepod.controllers.outcome import (
    NOTHING,
    Change,
    Controller,
    Look,
    ObjectEvent,
    Outcome,
    Stage,
    Wish,
    earliest,
    status_wish,
)
from lifepod.controllers.ownership import (
    controlled,
    controller_of,
    group_of,
    is_being_deleted,
    key_of,
    labels_of,
    namespace_of,
    uid_of,
)
from lifepod.controllers.pod_claims import claimed_pods
from lifepod.controllers.pod_facts import condition_of, phase_of
from lifepod.controllers.status_conditions import has_condition, with_condition
from lifepod.controllers.view import Key

MANAGER = "kubernetes.io/job-controller"
MANY_PODS = 100
BATCH_PERIOD = timedelta(seconds=1)
RELIST_PERIOD = timedelta(seconds=1)


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "jobs.batch":
        return ((*key_of(change.obj), uid_of(change.obj)),)
    keys = {key for pod in (change.obj, change.old) if pod is not None and (key := _owner_key(pod)) is not None}
    if controller_of(change.obj) is None:
        keys.update(_adopters(change))
        if is_tracked(change.obj):
            keys.add((*key_of(change.obj), ""))
    if keys and change.old is not None and change.type == "MODIFIED" and _counts_same(change.old, change.obj):
        return ()
    return sorted(keys)


def _owner_key(pod: JsonObject) -> Key | None:
    """The Job that controls the pod."""
    reference = controller_of(pod)
    if reference is None or reference.get("kind") != "Job" or group_of(str(reference.get("apiVersion", ""))) != "batch":
        return None
    return (namespace_of(pod), str(reference.get("name", "")), str(reference.get("uid", "")))


def _adopters(change: Change) -> Iterable[Key]:
    """Jobs that may adopt a pod without a controller."""
    pod = change.obj
    if change.type == "DELETED" or not labels_of(pod):
        return ()
    return [
        (*key_of(job), uid_of(job))
        for job in change.view.list("jobs.batch", namespace_of(pod))
        if selects(job["spec"].get("selector"), labels_of(pod))
    ]


def _counts_same(old: JsonObject, new: JsonObject) -> bool:
    """Whether nothing that a Job counts of its pod differs."""
    return _counted(old) == _counted(new)


def _counted(pod: JsonObject) -> tuple[object, ...]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    restarts = [
        c.get("restartCount") for m in ("initContainerStatuses", "containerStatuses") for c in status.get(m) or ()
    ]
    ready = condition_of(pod, "Ready")
    return (
        status.get("phase"),
        ready.get("status") if ready else None,
        metadata.get("deletionTimestamp"),
        metadata.get("finalizers"),
        metadata.get("ownerReferences"),
        metadata.get("labels"),
        pod["spec"].get("nodeName"),
        restarts,
    )


def reconcile(look: Look) -> Outcome:
    """One look at a Job."""
    namespace, name, uid = look.key
    if not uid:
        pod = look.view.get("pods", namespace, name)
        return _released((pod,) if pod is not None and controller_of(pod) is None else ())
    job = look.view.get("jobs.batch", namespace, name)
    if job is None or uid_of(job) != uid:
        return _released(look.view.owned_by(uid, "pods"))
    if job["spec"].get("managedBy") not in (None, MANAGER):
        return NOTHING
    conditions = (job.get("status") or {}).get("conditions") or []
    if has_condition(conditions, "Complete") or has_condition(conditions, "Failed"):
        return _released(controlled(look.view, job, "pods"))
    claimed = claimed_pods(look.view, job, finalizer=TRACKING)
    if claimed.writes:
        return Outcome((claimed.writes,), memory=look.memory)
    memory = look.memory if isinstance(look.memory, Backoff) else None
    if memory is not None and _is_batching(memory, job, look.now):
        return Outcome(wake_at=memory.batch_until, memory=memory)
    picture = picture_of(job, claimed.pods, memory)
    if memory is not None and memory.batch_until is None and (wait := _wait_for_company(picture)):
        until = look.now + wait
        return Outcome(wake_at=until, memory=memory._replace(batch_until=until, generation=_generation(job)))
    return _sync(look, picture)


def _is_batching(memory: Backoff, job: JsonObject, now: datetime) -> bool:
    """Whether finished pods still wait for others; a change of the Job itself ends the wait (lifecycle.md §10.2)."""
    return memory.batch_until is not None and now < memory.batch_until and memory.generation == _generation(job)


def _wait_for_company(picture: Picture) -> timedelta | None:
    """How long pods that have just finished wait for others, and restarts that end the Job for the end of the container.

    A real node tells of a restart with its next relist, a second later: both seconds are kept, so that what ends by itself
    meanwhile is not stopped.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: updatePod, SyncJobBatchPeriod;
            pkg/kubelet/kubelet.go: genericPlegRelistPeriod
    """
    if not picture.active or announced_end((picture.job.get("status") or {}).get("conditions") or []) is not None:
        return None
    if picture.new_succeeded or picture.new_failed:
        return BATCH_PERIOD
    return RELIST_PERIOD + BATCH_PERIOD if restarted_too_often(picture) else None


def _generation(job: JsonObject) -> int:
    return int(job["metadata"].get("generation") or 0)


def _released(pods: Iterable[JsonObject]) -> Outcome:
    """Pods that no Job will count any more must not hang in their deletion."""
    wishes = tuple(release_wish(pod) for pod in pods if is_tracked(pod))
    return Outcome((wishes,)) if wishes else NOTHING


class _Sync(NamedTuple):
    """What a look decided, before it is written down."""

    end: End | None
    plan: Plan
    events: tuple[ObjectEvent, ...]
    conditions: list[JsonObject]
    start_time: str | None
    resumed: bool


def _sync(look: Look, picture: Picture) -> Outcome:
    job, now = picture.job, look.now
    decided = _decide(look, picture)
    status = _status(picture, decided, now)
    accounting = _account(picture, decided.end, status)
    events = decided.events
    if decided.end is not None and accounting.is_settled and not status["terminating"]:
        status = _ended(status, decided.end, now)
        events += _end_events(picture, decided.end)
    stages: list[Stage] = [*decided.plan.stages]
    if status != job.get("status"):
        stages.append((status_wish("jobs.batch", job, status),))
    if accounting.releases:
        stages.append(accounting.releases)
    live = len(picture.active) + picture.terminating
    return Outcome(
        tuple(stages),
        events,
        wake_at=earliest(decided.plan.wake_at, None if decided.end else _deadline_after(job, status)),
        not_before=now + BATCH_PERIOD if live > MANY_PODS else None,
        memory=picture.backoff,
    )


def _deadline_after(job: JsonObject, status: JsonObject) -> datetime | None:
    return deadline_of({**job, "status": status})


def _decide(look: Look, picture: Picture) -> _Sync:
    """The end, or the pods to make and delete; and whether the Job is suspended or resumed."""
    job, now = picture.job, look.now
    status = job.get("status") or {}
    conditions = list(status.get("conditions") or [])
    start = status.get("startTime")
    if not start and not job["spec"].get("suspend"):
        start = format_time(now)
    end = announced_end(conditions) or failure_or_policy_end(picture, now)
    if end is not None:
        doomed = tuple(deletion_wish(job, pod) for pod in picture.active)
        plan = Plan((doomed,) if doomed else (), 0, deleted=len(doomed), deleted_ready=picture.ready)
        return _Sync(end, plan, (), conditions, start, False)
    plan = Plan((), len(picture.active)) if is_being_deleted(job) else manage(picture, now, look.ids)
    if is_complete(picture, plan.active):
        return _Sync(End(True, "CompletionsReached", COMPLETIONS_MESSAGE), plan, (), conditions, start, False)
    if is_being_deleted(job):
        return _Sync(None, plan, (), conditions, start, False)
    conditions, events, resumed = _suspension(job, conditions, now)
    return _Sync(None, plan, events, conditions, format_time(now) if resumed else start, resumed)


def _suspension(
    job: JsonObject, conditions: list[JsonObject], now: datetime
) -> tuple[list[JsonObject], tuple[ObjectEvent, ...], bool]:
    """The Suspended condition; a Job that was never suspended has none. Resuming starts its clock anew."""
    before = next((c for c in conditions if c.get("type") == "Suspended"), None)
    if job["spec"].get("suspend"):
        if before is not None and before.get("status") == "True":
            return conditions, (), False
        new = _condition("Suspended", "True", "JobSuspended", "Job suspended", now)
        return with_condition(conditions, new), (ObjectEvent(job, "Normal", "Suspended", "Job suspended"),), False
    if before is None or before.get("status") != "True":
        return conditions, (), False
    new = _condition("Suspended", "False", "JobResumed", "Job resumed", now)
    return with_condition(conditions, new), (ObjectEvent(job, "Normal", "Resumed", "Job resumed"),), True


def _condition(type_: str, status: str, reason: str, message: str, now: datetime) -> JsonObject:
    moment = format_time(now)
    return {
        "type": type_,
        "status": status,
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }


# ------------------------------------------------------------------------------------------------ the status


def _status(picture: Picture, decided: _Sync, now: datetime) -> JsonObject:
    """The status with this look's counts; counters of finished pods are `_account`'s."""
    before = picture.job.get("status") or {}
    conditions = decided.conditions
    end = decided.end
    if end is not None and has_condition(conditions, end.interim) is None:
        conditions = with_condition(conditions, _condition(end.interim, "True", end.reason, end.message, now))
    status: JsonObject = {**before}
    status.pop("active", None)
    if conditions:
        status["conditions"] = conditions
    if decided.start_time:
        status["startTime"] = decided.start_time
    if decided.plan.active:
        status["active"] = decided.plan.active
    status["terminating"] = picture.terminating + decided.plan.deleted
    status["ready"] = picture.ready - decided.plan.deleted_ready
    if picture.is_per_index:
        status["failedIndexes"] = format_indexes(picture.failed_indexes)
    return status


class _Accounting(NamedTuple):
    """The finalizers to take off once the status tells of their pods; `is_settled`: nothing is left to count."""

    releases: Stage
    is_settled: bool


def _account(picture: Picture, end: End | None, status: JsonObject) -> _Accounting:
    """Move finished pods through the status, each exactly once; writes the lists and counters into `status` (our copy).

    UIDs of newly finished pods enter the uncounted lists; those whose pod is gone or released leave them, and the counters
    rise. When the Job ends by failure every pod that is left counts as failed; when by success, none of the deleted.
    Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: trackJobStatusAndRemoveFinalizers
    """
    job = picture.job
    tracked = {uid_of(p) for p in picture.pods if is_tracked(p)}
    still_succeeded = [uid for uid in _uncounted(job, "succeeded") if uid in tracked]
    still_failed = [uid for uid in _uncounted(job, "failed") if uid in tracked]
    succeeded = status.get("succeeded", 0) + len(_uncounted(job, "succeeded")) - len(still_succeeded)
    failed = status.get("failed", 0) + len(_uncounted(job, "failed")) - len(still_failed)
    completed = set(picture.succeeded_indexes)
    releases: list[Wish] = []
    for pod in picture.pods:
        if not is_tracked(pod) or not _may_release(picture, end, pod):
            continue
        if len(releases) >= MOST_AT_ONCE:
            break
        releases.append(release_wish(pod))
        uid = uid_of(pod)
        if phase_of(pod) == "Succeeded" and uid not in picture.uncounted_failed:
            if not picture.is_indexed and uid not in picture.uncounted_succeeded:
                still_succeeded.append(uid)
        elif (
            (is_failed(pod, job) or (end is not None and not end.succeeds))
            and uid not in picture.uncounted_failed
            and _has_place(picture, pod)
            and judge_failed_pod(job, pod).counts
        ):
            still_failed.append(uid)
    uncounted: JsonObject = {}
    if still_succeeded:
        uncounted["succeeded"] = still_succeeded
    if still_failed:
        uncounted["failed"] = still_failed
    status["uncountedTerminatedPods"] = uncounted
    if picture.is_indexed:
        succeeded = len(completed)
        if completed:
            status["completedIndexes"] = format_indexes(completed)
    for member, number in (("succeeded", succeeded), ("failed", failed)):
        if number:
            status[member] = number
    return _Accounting(tuple(releases), not uncounted and not releases)


def _uncounted(job: JsonObject, member: str) -> list[str]:
    listed = ((job.get("status") or {}).get("uncountedTerminatedPods") or {}).get(member) or []
    return list(listed)


def _may_release(picture: Picture, end: End | None, pod: JsonObject) -> bool:
    """Finished pods, and all once the Job ends or goes; with a limit per index the last failed pod of an index stays
    until its replacement carries on its counts.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: canRemoveFinalizer
    """
    if is_being_deleted(picture.job) or end is not None or phase_of(pod) == "Succeeded":
        return True
    if not is_failed(pod, picture.job):
        return False
    index = index_of(pod)
    last = picture.last_failed.get(index) if index is not None else None
    return last is None or uid_of(last) != uid_of(pod)


def _has_place(picture: Picture, pod: JsonObject) -> bool:
    index = index_of(pod)
    return not picture.is_indexed or (index is not None and index < picture.completions)


def _ended(status: JsonObject, end: End, now: datetime) -> JsonObject:
    """The final condition; completionTime only for success."""
    final = _condition(end.final, "True", end.reason, end.message, now)
    ended: JsonObject = {**status, "conditions": [*(status.get("conditions") or []), final]}
    if end.succeeds:
        ended["completionTime"] = format_time(now)
    return ended


def _end_events(picture: Picture, end: End) -> tuple[ObjectEvent, ...]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: recordJobFinished"""
    job = picture.job
    if not end.succeeds:
        return (ObjectEvent(job, "Warning", end.reason, end.message),)
    done = (ObjectEvent(job, "Normal", "Completed", "Job completed"),)
    completions = job["spec"].get("completions")
    if completions is not None and not picture.is_indexed and picture.succeeded > completions:
        text = "Too many succeeded pods running after completion count reached"
        return (ObjectEvent(job, "Warning", "TooManySucceededPods", text), *done)
    return done


JOB = Controller("job", "job-controller", ("jobs.batch", "pods"), _keys, reconcile)
