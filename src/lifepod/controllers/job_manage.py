"""How many pods a Job should have now: which to create, which to delete, or when to look again.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: manageJob, activePodsForRemoval;
        indexed_job_utils.go: firstPendingIndexes, addCompletionIndexEnvVariables
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.clock import Ids
from lifepod.controllers.job_backoff import may_create_at
from lifepod.controllers.job_indexes import FAILURES, IGNORED_FAILURES, INDEX, failure_count, index_of
from lifepod.controllers.job_picture import Picture
from lifepod.controllers.job_pods import TRACKING, finish_time, replaces_only_failed
from lifepod.controllers.job_policies import judge_failed_pod
from lifepod.controllers.outcome import ObjectEvent, Stage, Wish, earliest, slow_start
from lifepod.controllers.ownership import finalizers_of, name_of, namespace_of, uid_of
from lifepod.controllers.pod_facts import NAME_PREFIX_LENGTH, generated_name, is_ready, pod_from_template
from lifepod.controllers.pod_ranking import deletion_order

MOST_AT_ONCE = 500


class Plan(NamedTuple):
    """What to do with the Job's pods. `active` is how many the status calls active once it is done, `deleted` how many are
    stopped, `deleted_ready` how many of those were Ready."""

    stages: tuple[Stage, ...]
    active: int
    wake_at: datetime | None = None
    deleted: int = 0
    deleted_ready: int = 0


def manage(picture: Picture, now: datetime, ids: Ids) -> Plan:
    """Delete what is too much, else create what is missing: never both in one look.

    While all that is missing is held back, upstream calls no pod active, however many are.
    """
    job, active = picture.job, picture.active
    if job["spec"].get("suspend"):
        return _delete(job, deletion_order(active, now), len(active))
    spec = job["spec"]
    completions, parallelism = spec.get("completions"), spec.get("parallelism", 1)
    if completions is None:
        want = len(active) if picture.succeeded else parallelism
    else:
        want = min(parallelism, max(0, completions - picture.succeeded))
    doomed = _for_removal(picture, active, max(0, len(active) - want), now)[:MOST_AT_ONCE]
    if doomed:
        return _delete(job, doomed, len(active))
    missing = want - len(active) - (picture.terminating if replaces_only_failed(job) else 0)
    if missing <= 0:
        return Plan((), len(active))
    indexes: Sequence[int | None] = [None] * missing
    wake_at = None
    if picture.is_per_index:
        indexes, wake_at = _indexes_not_held_back(picture, missing, now)
        if not indexes and wake_at is not None:
            return Plan((), 0, wake_at)
    else:
        may = may_create_at(picture.backoff.failures, picture.backoff.last_failure)
        if may is not None and now < may:
            return Plan((), 0, may)
        if picture.is_indexed:
            indexes = _pending_indexes(picture)[:missing]
    wishes = [_creation(picture, index, ids) for index in indexes[:MOST_AT_ONCE]]
    return Plan(slow_start(wishes), len(active) + len(wishes), wake_at)


def _for_removal(picture: Picture, active: Sequence[JsonObject], too_many: int, now: datetime) -> list[JsonObject]:
    """For Indexed Jobs the doubles and those out of range first; then by rank."""
    doomed: list[JsonObject] = []
    rest = list(active)
    if picture.is_indexed:
        rest = []
        seen: set[int] = set()
        for pod in sorted(active, key=lambda p: p["metadata"].get("creationTimestamp") or ""):
            index = index_of(pod)
            superfluous = (
                index is None or index >= picture.completions or index in seen or index in picture.succeeded_indexes
            )
            (doomed if superfluous else rest).append(pod)
            if index is not None:
                seen.add(index)
    return doomed + deletion_order(rest, now)[: max(0, too_many - len(doomed))]


def _delete(job: JsonObject, doomed: Sequence[JsonObject], active: int) -> Plan:
    """The finalizer goes first: pods that the controller itself removes do not count as failed."""
    doomed = doomed[:MOST_AT_ONCE]
    releases = tuple(release_wish(pod) for pod in doomed if TRACKING in finalizers_of(pod))
    stages = tuple(s for s in (releases, tuple(deletion_wish(job, pod) for pod in doomed)) if s)
    ready = sum(1 for pod in doomed if is_ready(pod))
    return Plan(stages, active - len(doomed), deleted=len(doomed), deleted_ready=ready)


def release_wish(pod: JsonObject) -> Wish:
    """Take the tracking finalizer off a pod."""
    body = {"metadata": {"uid": uid_of(pod), "$deleteFromPrimitiveList/finalizers": [TRACKING]}}
    return Wish(Write("patch", "pods", namespace_of(pod), name_of(pod), body, patch_type="strategic"))


def deletion_wish(owner: JsonObject, pod: JsonObject) -> Wish:
    """Delete a pod, and tell of it on its owner."""
    return Wish(
        Write("delete", "pods", namespace_of(pod), name_of(pod), {"preconditions": {"uid": uid_of(pod)}}),
        ObjectEvent(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}"),
        ObjectEvent(owner, "Warning", "FailedDelete", "Error deleting: "),
    )


def _pending_indexes(picture: Picture) -> list[int]:
    """Indexes without a live, succeeded or failed pod, lowest first."""
    taken = {index_of(pod) for pod in picture.active} | picture.succeeded_indexes | picture.failed_indexes
    if replaces_only_failed(picture.job):
        taken |= {index_of(pod) for pod in picture.terminating_pods}
    return [i for i in range(picture.completions) if i not in taken]


def _indexes_not_held_back(picture: Picture, missing: int, now: datetime) -> tuple[list[int], datetime | None]:
    """Of the first pending indexes those whose own back-off is over, and when the next one's is: an index that is held back
    keeps its place.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: getPodCreationInfoForIndependentIndexes
    """
    free: list[int] = []
    wake_at = None
    for index in _pending_indexes(picture)[:missing]:
        last = picture.last_failed.get(index)
        may = None
        if last is not None:
            failures = failure_count(last) + failure_count(last, IGNORED_FAILURES) + 1
            may = may_create_at(failures, finish_time(last))
        if may is not None and now < may:
            wake_at = earliest(wake_at, may)
        else:
            free.append(index)
    return free, wake_at


def _creation(picture: Picture, index: int | None, ids: Ids) -> Wish:
    """One pod of the Job."""
    job = picture.job
    template = job["spec"]["template"]
    prefix = f"{name_of(job)}-" if index is None else _prefix_with_index(name_of(job), index)
    name = generated_name(prefix, ids.suffix())
    pod = pod_from_template(job, template, prefix, name)
    metadata = pod["metadata"]
    metadata["finalizers"] = [*(metadata.get("finalizers") or []), TRACKING]
    if index is not None:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **_index_annotations(picture, index)}
        metadata["labels"] = {**(metadata.get("labels") or {}), INDEX: str(index)}
        pod["spec"] = _indexed_spec(pod["spec"], f"{name_of(job)}-{index}")
    return Wish(
        Write("create", "pods", namespace_of(job), name, pod),
        ObjectEvent(job, "Normal", "SuccessfulCreate", f"Created pod: {name}"),
        ObjectEvent(job, "Warning", "FailedCreate", "Error creating: "),
    )


def _prefix_with_index(name: str, index: int) -> str:
    """The index stays whole in the pod's name, however long the Job's is.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/indexed_job_utils.go: podGenerateNameWithIndex
    """
    tail = f"-{index}-"
    return name[: NAME_PREFIX_LENGTH - len(tail)] + tail


def _index_annotations(picture: Picture, index: int) -> dict[str, str]:
    """The index, and with a limit per index how often it failed before (the pod that is replaced included)."""
    found = {INDEX: str(index)}
    if picture.is_per_index:
        last = picture.last_failed.get(index)
        counted = failure_count(last) if last else 0
        ignored = failure_count(last, IGNORED_FAILURES) if last else 0
        if last is not None:
            if judge_failed_pod(picture.job, last).counts:
                counted += 1
            else:
                ignored += 1
        found[FAILURES] = str(counted)
        if ignored:
            found[IGNORED_FAILURES] = str(ignored)
    return found


def _indexed_spec(spec: JsonObject, hostname: str) -> JsonObject:
    """The spec with the index in every container's environment and in the hostname, whatever the template's is."""
    changed = {**spec, "hostname": hostname}
    for member in ("initContainers", "containers"):
        if spec.get(member):
            changed[member] = list(_with_index(spec[member]))
    return changed


def _with_index(containers: Iterable[JsonObject]) -> Iterable[JsonObject]:
    variable = {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}},
    }
    for container in containers:
        env = container.get("env") or []
        taken = any(entry.get("name") == variable["name"] for entry in env)
        yield container if taken else {**container, "env": [*env, variable]}
