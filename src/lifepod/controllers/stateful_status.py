"""What a StatefulSet's status says: how many pods, of which revision, and whether the update is through.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/statefulset/stateful_set_control.go: computeReplicaStatus;
        stateful_set_utils.go: completeRollingUpdate
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import is_being_deleted
from lifepod.controllers.pod_facts import is_available
from lifepod.controllers.stateful_pods import is_created, is_running_and_ready, revision_of


def counted(owner: JsonObject, pods: Sequence[JsonObject], current: str, update: str, now: datetime) -> JsonObject:
    """The counts; `current` and `update` are the names of the two revisions."""
    minimum = owner["spec"].get("minReadySeconds") or 0
    there = [pod for pod in pods if is_created(pod)]
    ready = [pod for pod in pods if is_running_and_ready(pod)]
    staying = [pod for pod in there if not is_being_deleted(pod)]
    status: JsonObject = {
        "observedGeneration": owner["metadata"].get("generation", 0),
        "replicas": len(there),
        "readyReplicas": len(ready),
        "currentReplicas": sum(1 for pod in staying if revision_of(pod) == current),
        "updatedReplicas": sum(1 for pod in staying if revision_of(pod) == update),
        "currentRevision": current,
        "updateRevision": update,
        "availableReplicas": sum(1 for pod in ready if is_available(pod, minimum, now)),
    }
    conditions = (owner.get("status") or {}).get("conditions")
    return {**status, "conditions": conditions} if conditions else status


def completed(owner: JsonObject, status: JsonObject) -> JsonObject:
    """Once every pod that should be is updated and ready, the update revision is the current one; zeros are left out."""
    rolling = (owner["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"
    want = owner["spec"].get("replicas", 1)
    if rolling and want == status["updatedReplicas"] == status["replicas"] == status["readyReplicas"]:
        status = {
            **status,
            "currentReplicas": status["updatedReplicas"],
            "currentRevision": status["updateRevision"],
        }
    optional = ("observedGeneration", "readyReplicas", "currentReplicas", "updatedReplicas")
    return {name: value for name, value in status.items() if value or name not in optional}
