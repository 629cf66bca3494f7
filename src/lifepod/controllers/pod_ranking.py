"""Which of too many pods are deleted first.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/controller_utils.go: ActivePods.Less, ActivePodsWithRanks.Less
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from lifepod.api.objects import JsonObject, parse_time
from lifepod.controllers.ownership import annotations_of, uid_of
from lifepod.controllers.pod_facts import is_ready, phase_of, ready_since

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def deletion_order(
    pods: Iterable[JsonObject], now: datetime, ranks: Mapping[str, int] | None = None
) -> list[JsonObject]:
    """Unscheduled, then Pending, then not ready; then (ReplicaSets, with `ranks`: pods of the owner per node) the cheaper
    and the more crowded; then ready for the shorter time (on a scale of powers of two), restarted more often, younger."""

    def key(pod: JsonObject) -> tuple[float, ...]:
        ready = is_ready(pod)
        since = ready_since(pod) if ready else None
        made = pod["metadata"].get("creationTimestamp")
        return (
            1 if pod["spec"].get("nodeName") else 0,
            _PHASES.get(phase_of(pod), 0),
            1 if ready else 0,
            _cost(pod) if ranks is not None else 0,
            -ranks.get(uid_of(pod), 0) if ranks is not None else 0,
            _age(since, now, ranks is not None),
            -_restarts(pod),
            _age(parse_time(made), now, ranks is not None) if made else 0,
        )

    return sorted(pods, key=key)


def _age(moment: datetime | None, now: datetime, logarithmic: bool) -> float:
    """Larger is older. ReplicaSets compare ages only by order of magnitude, so that the youngest is not always hit."""
    if moment is None:
        return 0
    seconds = max(0.0, (now - moment).total_seconds())
    return float(int(seconds).bit_length()) if logarithmic else seconds


def _cost(pod: JsonObject) -> int:
    text = annotations_of(pod).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _restarts(pod: JsonObject) -> int:
    return max((c.get("restartCount", 0) for c in (pod.get("status") or {}).get("containerStatuses") or ()), default=0)
