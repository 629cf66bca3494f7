"""What the Job controller reads off a pod: is it failed, when did it finish, is it still tracked.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/job_controller.go: isPodFailed, hasJobTrackingFinalizer;
        backoff_utils.go: getFinishedTime
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, parse_time
from lifepod.controllers.ownership import finalizers_of, is_being_deleted
from lifepod.controllers.pod_facts import condition_of, phase_of

TRACKING = "batch.kubernetes.io/job-tracking"


def is_tracked(pod: JsonObject) -> bool:
    """Whether the pod still carries the finalizer by which it is counted exactly once."""
    return TRACKING in finalizers_of(pod)


def replaces_only_failed(job: JsonObject) -> bool:
    """podReplacementPolicy Failed: a terminating pod is replaced only once it is really Failed."""
    return bool(job["spec"].get("podReplacementPolicy") == "Failed")


def is_failed(pod: JsonObject, job: JsonObject) -> bool:
    """Phase Failed, or (unless only failed pods are replaced) being deleted without having succeeded."""
    phase = phase_of(pod)
    if phase == "Failed":
        return True
    return not replaces_only_failed(job) and is_being_deleted(pod) and phase != "Succeeded"


def restarts_of(pods: Iterable[JsonObject]) -> int:
    """The container restarts of all pods that are Pending or Running, init containers included."""
    total = 0
    for pod in pods:
        if phase_of(pod) in ("Pending", "Running"):
            status = pod.get("status") or {}
            for member in ("initContainerStatuses", "containerStatuses"):
                total += sum(c.get("restartCount", 0) for c in status.get(member) or ())
    return total


def finish_time(pod: JsonObject) -> datetime:
    """When a pod ended: its last container's end; else when Ready became False; else its deletion; else its creation.

    A sidecar ends after the containers, so its end counts too.
    """
    ends = _all_ends(pod)
    if ends is not None:
        return ends
    ready = condition_of(pod, "Ready")
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
        return parse_time(metadata["deletionTimestamp"]) - grace
    return parse_time(metadata["creationTimestamp"])


def _all_ends(pod: JsonObject) -> datetime | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/backoff_utils.go: getFinishTimeFromContainers"""
    status = pod.get("status") or {}
    sidecars = {
        c["name"] for c in (pod.get("spec") or {}).get("initContainers") or () if c.get("restartPolicy") == "Always"
    }
    late = [s for s in status.get("initContainerStatuses") or () if s.get("name") in sidecars]
    ends = _container_ends(status.get("containerStatuses") or ())
    if not late:
        return ends
    late_ends = _container_ends(late)
    return late_ends if ends is None or late_ends is None else max(ends, late_ends)


def _container_ends(statuses: Sequence[JsonObject]) -> datetime | None:
    """The latest end if every container has one."""
    ends = []
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated") or {}
        if not ended.get("finishedAt"):
            return None
        ends.append(parse_time(ended["finishedAt"]))
    return max(ends, default=None)
