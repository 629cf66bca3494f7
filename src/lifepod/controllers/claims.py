"""What controllers read off claims and volumes: which claims a pod mounts, who is bound to whom.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/persistentvolume/pv_controller.go;
        k8s.io/component-helpers v0.34.4 storage/ephemeral/ephemeral.go: VolumeClaimName
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import name_of, namespace_of, uid_of
from lifepod.controllers.view import View

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
CLASSES = "storageclasses.storage.k8s.io"
PROVISIONER = "lifepod.dev/folder"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


def claim_names(pod: JsonObject) -> Iterable[str]:
    """The names of all claims that a pod mounts, those made for its ephemeral volumes too."""
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            yield str(volume["persistentVolumeClaim"].get("claimName", ""))
        elif volume.get("ephemeral"):
            yield ephemeral_claim_name(pod, volume)


def ephemeral_claim_name(pod: JsonObject, volume: JsonObject) -> str:
    """The claim behind an ephemeral volume is named after the pod and the volume."""
    return f"{name_of(pod)}-{volume.get('name', '')}"


def phase_of_claim(claim: JsonObject) -> str:
    """`status.phase`, Pending when it says nothing."""
    return str((claim.get("status") or {}).get("phase") or "Pending")


def refers_to(volume: JsonObject, claim: JsonObject) -> bool:
    """Whether the volume is bound to, or set aside for, this claim: its reference may have no UID yet."""
    reference = volume["spec"].get("claimRef")
    return (
        reference is not None
        and reference.get("namespace", "") == namespace_of(claim)
        and reference.get("name") == name_of(claim)
        and reference.get("uid") in (None, "", uid_of(claim))
    )


def class_of(view: View, claim: JsonObject) -> JsonObject | None:
    """The StorageClass that the claim names, None when it names none or there is none of that name."""
    name = claim["spec"].get("storageClassName")
    return view.get(CLASSES, "", name) if name else None


def waits_for_consumer(storage_class: JsonObject | None) -> bool:
    """Whether claims of the class are bound only once a pod uses them."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
