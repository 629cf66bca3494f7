"""Do the claims that a pod mounts let it be scheduled?

Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/volumebinding/volume_binding.go: PreFilter
Differs: a claim of a class that is provisioned here is bound within the same turn; the pod waits for that without an event.
"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.claims import (
    CLAIMS,
    PROVISIONER,
    class_of,
    ephemeral_claim_name,
    phase_of_claim,
    waits_for_consumer,
)
from lifepod.controllers.ownership import is_being_deleted, namespace_of
from lifepod.controllers.scheduler_messages import pod_error
from lifepod.controllers.view import View


class ClaimsObstacle(NamedTuple):
    """Why the pod's claims keep it from being scheduled. `is_passing`: they are just being bound, nobody need be told."""

    message: str
    is_passing: bool = False


def claims_obstacle(view: View, pod: JsonObject, nodes: int) -> ClaimsObstacle | None:
    """What about the pod's claims keeps it from being scheduled, or None."""
    passing = None
    for volume in pod["spec"].get("volumes") or ():
        reason = _volume_obstacle(view, pod, volume)
        if reason is None:
            continue
        may_preempt = pod["spec"].get("preemptionPolicy") != "Never"
        obstacle = ClaimsObstacle(pod_error(nodes, reason, may_preempt=may_preempt), _is_passing(view, pod, volume))
        if not obstacle.is_passing:
            return obstacle
        passing = obstacle
    return passing


def _is_passing(view: View, pod: JsonObject, volume: JsonObject) -> bool:
    """Whether the claim is missing only for a moment: its class is provisioned here, or it is about to be made."""
    if volume.get("ephemeral"):
        claim = view.get(CLAIMS, namespace_of(pod), ephemeral_claim_name(pod, volume))
        if claim is None:
            return True
    else:
        claim = view.get(CLAIMS, namespace_of(pod), volume["persistentVolumeClaim"].get("claimName", ""))
    if claim is None or is_being_deleted(claim) or phase_of_claim(claim) == "Lost" or claim["spec"].get("volumeName"):
        return False
    storage_class = class_of(view, claim)
    return storage_class is not None and storage_class.get("provisioner") == PROVISIONER


def _volume_obstacle(view: View, pod: JsonObject, volume: JsonObject) -> str | None:
    if volume.get("persistentVolumeClaim"):
        claim_name = volume["persistentVolumeClaim"].get("claimName", "")
    elif volume.get("ephemeral"):
        claim_name = ephemeral_claim_name(pod, volume)
    else:
        return None
    claim = view.get(CLAIMS, namespace_of(pod), claim_name)
    if claim is None:
        if volume.get("ephemeral"):
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{claim_name}"'
        return f'persistentvolumeclaim "{claim_name}" not found'
    if is_being_deleted(claim):
        return f'persistentvolumeclaim "{claim_name}" is being deleted'
    if (claim.get("status") or {}).get("phase") == "Lost":
        return f'persistentvolumeclaim "{claim_name}" bound to non-existent persistentvolume "{claim["spec"].get("volumeName", "")}"'
    if not claim["spec"].get("volumeName") and not _is_bound_later(class_of(view, claim)):
        return "pod has unbound immediate PersistentVolumeClaims"
    return None


def _is_bound_later(storage_class: JsonObject | None) -> bool:
    """Whether somebody else binds the claim once its pod has a node; what is provisioned here is bound before."""
    return waits_for_consumer(storage_class) and (storage_class or {}).get("provisioner") != PROVISIONER
