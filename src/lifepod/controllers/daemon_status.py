"""What a DaemonSet's status says: on how many nodes it should run, and does.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/daemon/daemon_controller.go: updateDaemonSetStatus, storeDaemonSetStatus
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifepod.api.objects import JsonObject
from lifepod.controllers.daemon_pods import belongs, is_updated
from lifepod.controllers.ownership import name_of
from lifepod.controllers.pod_facts import is_available, is_ready


def status_of(
    owner: JsonObject,
    nodes: Sequence[JsonObject],
    pods: dict[str, list[JsonObject]],
    digest: str,
    now: datetime,
) -> JsonObject:
    """The counts; of each node its oldest pod counts. Zeros of the optional ones are left out."""
    minimum = owner["spec"].get("minReadySeconds") or 0
    rows = [(belongs(owner, node).should_run, pods.get(name_of(node), [])) for node in nodes]
    counted = [own[0] for should_run, own in rows if should_run and own]
    desired = sum(1 for should_run, _ in rows if should_run)
    available = sum(1 for pod in counted if is_available(pod, minimum, now))
    status: JsonObject = {
        "currentNumberScheduled": len(counted),
        "numberMisscheduled": sum(1 for should_run, own in rows if not should_run and own),
        "desiredNumberScheduled": desired,
        "numberReady": sum(1 for pod in counted if is_ready(pod)),
    }
    optional = {
        "observedGeneration": owner["metadata"].get("generation", 0),
        "updatedNumberScheduled": sum(1 for pod in counted if is_updated(pod, digest)),
        "numberAvailable": available,
        "numberUnavailable": desired - available,
    }
    status.update({name: count for name, count in optional.items() if count})
    before = owner.get("status") or {}
    return status | {name: before[name] for name in ("collisionCount", "conditions") if before.get(name)}
