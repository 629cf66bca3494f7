"""Do the claims that a pod mounts let it be scheduled?

Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/volumebinding/volume_binding.go: PreFilter
Differs: volumes here belong to no node, so a claim that waits for its first consumer is as good as a bound one.
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import is_being_deleted, name_of, namespace_of
from lifepod.controllers.scheduler_messages import pod_error
from lifepod.controllers.view import View


def claims_obstacle(view: View, pod: JsonObject, nodes: int) -> str | None:
    """The whole message why the pod's claims keep it from being scheduled, or None."""
    for volume in pod["spec"].get("volumes") or ():
        reason = _volume_obstacle(view, pod, volume)
        if reason is not None:
            may_preempt = pod["spec"].get("preemptionPolicy") != "Never"
            return pod_error(nodes, reason, may_preempt=may_preempt)
    return None


def _volume_obstacle(view: View, pod: JsonObject, volume: JsonObject) -> str | None:
    if volume.get("persistentVolumeClaim"):
        claim_name = volume["persistentVolumeClaim"].get("claimName", "")
    elif volume.get("ephemeral"):
        claim_name = f"{name_of(pod)}-{volume.get('name', '')}"
    else:
        return None
    claim = view.get("persistentvolumeclaims", namespace_of(pod), claim_name)
    if claim is None:
        if volume.get("ephemeral"):
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{claim_name}"'
        return f'persistentvolumeclaim "{claim_name}" not found'
    if is_being_deleted(claim):
        return f'persistentvolumeclaim "{claim_name}" is being deleted'
    if (claim.get("status") or {}).get("phase") == "Lost":
        return f'persistentvolumeclaim "{claim_name}" bound to non-existent persistentvolume "{claim["spec"].get("volumeName", "")}"'
    if not claim["spec"].get("volumeName") and not _waits_for_consumer(view, claim):
        return "pod has unbound immediate PersistentVolumeClaims"
    return None


def _waits_for_consumer(view: View, claim: JsonObject) -> bool:
    class_name = claim["spec"].get("storageClassName")
    storage_class = view.get("storageclasses.storage.k8s.io", "", class_name) if class_name else None
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
