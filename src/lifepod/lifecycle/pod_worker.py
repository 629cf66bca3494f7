"""In which part of its life does the node agent see the pod: syncing, terminating, terminated? Never back.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/pod_workers.go
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.api.objects import parse_time
from lifepod.lifecycle.vocabulary import KillRequest, Pod


def stop_cause(pod: Pod, gone: bool, kill: KillRequest | None) -> str:
    """Why a pod must be stopped, "" while it may live (lifecycle.md §7.8)."""
    if gone:
        return "removed"
    if pod.deletion is not None:
        return "deleted"
    if kill is not None:
        return "evicted"
    return ""


def deadline_at(pod: Pod, start_time: str | None) -> datetime | None:
    """When the pod has been active for too long: counted from status.startTime (lifecycle.md §1.4.3).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/active_deadline.go: pastActiveDeadline
    """
    if pod.spec.active_deadline_seconds is None or start_time is None:
        return None
    return parse_time(start_time) + timedelta(seconds=pod.spec.active_deadline_seconds)
