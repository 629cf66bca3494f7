"""Everything that one look at a Job needs to know of it, counted once.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: syncJobCtx, getNewFinishedPods;
        indexed_job_utils.go: calculateSucceededIndexes, calculateFailedIndexes, getPodsWithDelayedDeletionPerIndex
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.job_backoff import Backoff, after_finished
from lifepod.controllers.job_indexes import IGNORED_FAILURES, failure_count, index_of, parse_indexes
from lifepod.controllers.job_pods import finish_time, is_failed, is_tracked
from lifepod.controllers.job_policies import judge_failed_pod
from lifepod.controllers.ownership import uid_of
from lifepod.controllers.pod_facts import is_active, is_ready, is_terminating, phase_of


class Picture(NamedTuple):
    """A Job and its pods, counted. `new_*`: finished, still tracked, not yet in the status."""

    job: JsonObject
    pods: tuple[JsonObject, ...]
    active: tuple[JsonObject, ...]
    terminating_pods: tuple[JsonObject, ...]
    new_succeeded: tuple[JsonObject, ...]
    new_failed: tuple[JsonObject, ...]
    uncounted_succeeded: frozenset[str]
    uncounted_failed: frozenset[str]
    succeeded: int
    failed: int
    succeeded_indexes: frozenset[int]
    failed_indexes: frozenset[int]
    last_failed: dict[int, JsonObject]
    backoff: Backoff

    @property
    def is_indexed(self) -> bool:
        """completionMode Indexed."""
        return bool(self.job["spec"].get("completionMode") == "Indexed")

    @property
    def is_per_index(self) -> bool:
        """Indexed, with a back-off limit of each index's own."""
        return self.is_indexed and self.job["spec"].get("backoffLimitPerIndex") is not None

    @property
    def completions(self) -> int:
        """spec.completions, 0 for a work queue."""
        return int(self.job["spec"].get("completions") or 0)

    @property
    def ready(self) -> int:
        """Active pods that are Ready."""
        return sum(1 for pod in self.active if is_ready(pod))

    @property
    def terminating(self) -> int:
        """Pods being deleted that have not finished."""
        return len(self.terminating_pods)


def picture_of(job: JsonObject, pods: Sequence[JsonObject], memory: Backoff | None) -> Picture:
    """Count a Job's pods."""
    status = job.get("status") or {}
    uncounted = status.get("uncountedTerminatedPods") or {}
    known_succeeded = frozenset(uncounted.get("succeeded") or ())
    known_failed = frozenset(uncounted.get("failed") or ())
    is_indexed = job["spec"].get("completionMode") == "Indexed"
    completions = int(job["spec"].get("completions") or 0)
    valid = [p for p in pods if not is_indexed or _in_range(p, completions)]
    new_succeeded = tuple(
        p for p in valid if is_tracked(p) and phase_of(p) == "Succeeded" and uid_of(p) not in known_succeeded
    )
    new_failed = tuple(p for p in valid if is_tracked(p) and is_failed(p, job) and uid_of(p) not in known_failed)
    counted_failed = sum(1 for p in new_failed if judge_failed_pod(job, p).counts)
    succeeded_indexes: frozenset[int] = frozenset()
    succeeded = status.get("succeeded", 0) + len(new_succeeded) + len(known_succeeded)
    if is_indexed:
        fresh = {index_of(p) for p in new_succeeded}
        succeeded_indexes = parse_indexes(status.get("completedIndexes", ""), completions) | {
            i for i in fresh if i is not None
        }
        succeeded = len(succeeded_indexes)
    active = tuple(p for p in pods if is_active(p))
    failed_indexes: frozenset[int] = frozenset()
    last_failed: dict[int, JsonObject] = {}
    if is_indexed and job["spec"].get("backoffLimitPerIndex") is not None:
        failed_indexes = parse_indexes(status.get("failedIndexes", ""), completions) | _newly_failed(job, new_failed)
        failed_indexes -= succeeded_indexes
        last_failed = _last_failed(job, valid, active, succeeded_indexes | failed_indexes)
    if memory is None:
        # Nothing remembered (a start from disk): what is still there of finished pods tells the same.
        done = [p for p in valid if phase_of(p) == "Succeeded"]
        backoff = after_finished(Backoff(), done, [p for p in valid if is_failed(p, job)])
    else:
        backoff = after_finished(memory, new_succeeded, new_failed)
    return Picture(
        job,
        tuple(pods),
        active,
        tuple(p for p in pods if is_terminating(p)),
        new_succeeded,
        new_failed,
        known_succeeded,
        known_failed,
        succeeded,
        status.get("failed", 0) + counted_failed + len(known_failed),
        succeeded_indexes,
        failed_indexes,
        last_failed,
        backoff,
    )


def _in_range(pod: JsonObject, completions: int) -> bool:
    index = index_of(pod)
    return index is not None and index < completions


def _newly_failed(job: JsonObject, failed: Sequence[JsonObject]) -> frozenset[int]:
    """Indexes that this look finds failed for good: by a FailIndex rule, or one failure more than the limit."""
    found = set()
    limit = job["spec"]["backoffLimitPerIndex"]
    for pod in failed:
        verdict = judge_failed_pod(job, pod)
        index = index_of(pod)
        if index is not None and (verdict.action == "FailIndex" or (verdict.counts and failure_count(pod) >= limit)):
            found.add(index)
    return frozenset(found)


def _last_failed(
    job: JsonObject, pods: Sequence[JsonObject], active: Sequence[JsonObject], over: frozenset[int]
) -> dict[int, JsonObject]:
    """For each index that waits for a replacement its last failed pod: it is kept until that is there, for its counts."""
    live = {index_of(p) for p in active}
    found: dict[int, JsonObject] = {}
    for pod in pods:
        index = index_of(pod)
        if index is None or index in over or index in live or not is_failed(pod, job):
            continue
        before = found.get(index)
        if before is None or _rank(before) <= _rank(pod):
            found[index] = pod
    return found


def _rank(pod: JsonObject) -> tuple[int, float]:
    return failure_count(pod) + failure_count(pod, IGNORED_FAILURES), finish_time(pod).timestamp()
