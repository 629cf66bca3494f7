"""Claims are bound: to a volume that fits, or to a new folder when their StorageClass is provisioned here.

Key: (namespace, claim). Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/persistentvolume/pv_controller.go: syncUnboundClaim,
syncBoundClaim, bind, provisionClaimOperation; index.go: findByClaim
Differs: volumes here are folders that every node of this machine sees, so nothing waits for a node to be chosen.
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.claims import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    CLAIMS,
    CLASSES,
    PROVISIONED_BY,
    PROVISIONER,
    VOLUMES,
    claim_names,
    class_of,
    phase_of_claim,
    refers_to,
    waits_for_consumer,
)
from lifepod.controllers.label_selection import selects
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, ObjectEvent, Outcome, Stage, Wish
from lifepod.controllers.ownership import (
    annotations_of,
    is_being_deleted,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from lifepod.controllers.quantities import whole
from lifepod.controllers.view import Key, View

PROVISIONER_MARKS = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == CLAIMS:
        return (key_of(change.obj),)
    if change.resource == "pods":
        # A pod is the first consumer that some claims wait for.
        names = claim_names(change.obj) if change.type == "ADDED" else ()
        return [(namespace_of(change.obj), name) for name in names]
    reference = change.obj["spec"].get("claimRef") if change.resource == VOLUMES else None
    if reference is not None:
        return ((str(reference.get("namespace", "")), str(reference.get("name", ""))),)
    # A new volume or class may be what claims wait for.
    return [key_of(claim) for claim in change.view.list(CLAIMS) if phase_of_claim(claim) == "Pending"]


def volume_binding_controller(folder: str) -> Controller:
    """The binder; new volumes are folders below `folder`."""

    def reconcile(look: Look) -> Outcome:
        claim = look.view.get(CLAIMS, look.key[0], look.key[1])
        if claim is None or is_being_deleted(claim):
            return NOTHING
        if BIND_COMPLETED in annotations_of(claim):
            return _check_bound(look.view, claim)
        return _bind_somehow(look, claim, folder)

    return Controller(
        "volume-binding", "persistentvolume-controller", (CLAIMS, VOLUMES, CLASSES, "pods"), _keys, reconcile, ("pods",)
    )


def _check_bound(view: View, claim: JsonObject) -> Outcome:
    """A bound claim whose volume is gone, or belongs to another, is Lost; one that was half bound is finished.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/persistentvolume/pv_controller.go: syncBoundClaim
    """
    if not claim["spec"].get("volumeName"):
        text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return _lost(claim, text, "ClaimLost")
    volume = view.get(VOLUMES, "", str(claim["spec"].get("volumeName") or ""))
    if volume is None:
        return _lost(claim, "Bound claim has lost its PersistentVolume. Data on the volume is lost!", "ClaimLost")
    if volume["spec"].get("claimRef") is not None and not refers_to(volume, claim):
        text = "Two claims are bound to the same volume, this one is bound incorrectly"
        return _lost(claim, text, "ClaimMisbound")
    stages = _binding(claim, volume)
    return Outcome(stages) if stages else NOTHING


def _lost(claim: JsonObject, text: str, reason: str) -> Outcome:
    if phase_of_claim(claim) == "Lost":
        return NOTHING
    told = ObjectEvent(claim, "Warning", reason, text)
    return Outcome(((Wish(_status_patch(claim, {"phase": "Lost"}), told),),))


def _bind_somehow(look: Look, claim: JsonObject, folder: str) -> Outcome:
    wanted = claim["spec"].get("volumeName")
    if wanted:
        return _bind_to_wanted(look.view, claim, str(wanted))
    storage_class = class_of(look.view, claim)
    waits = waits_for_consumer(storage_class) and not _has_consumer(look.view, claim)
    volume = best_volume(look.view, claim, only_reserved=waits)
    if volume is not None:
        return Outcome(_binding(claim, volume))
    if waits:
        return _tell(claim, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    name = claim["spec"].get("storageClassName")
    if not name:
        text = "no persistent volumes available for this claim and no storage class is set"
        return _tell(claim, "Normal", "FailedBinding", text)
    if storage_class is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        return _tell(claim, "Warning", "ProvisioningFailed", text)
    if storage_class.get("provisioner") != PROVISIONER:
        return _left_to_others(claim, storage_class)
    return _provision(claim, storage_class, folder)


def _tell(claim: JsonObject, type_: str, reason: str, message: str) -> Outcome:
    return Outcome(events=(ObjectEvent(claim, "Warning" if type_ == "Warning" else "Normal", reason, message),))


def _left_to_others(claim: JsonObject, storage_class: JsonObject) -> Outcome:
    """Another program provisions the class: it is told by an annotation, the user by an event."""
    other = str(storage_class.get("provisioner", ""))
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{other}' or manually by the system "
        "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
    )
    event = ObjectEvent(claim, "Normal", "ExternalProvisioning", text)
    if annotations_of(claim).get(PROVISIONER_MARKS[0]) == other:
        return NOTHING
    patch = {"metadata": {"annotations": dict.fromkeys(PROVISIONER_MARKS, other)}}
    return Outcome(((Wish(_patch(CLAIMS, claim, patch), event),),))


def _bind_to_wanted(view: View, claim: JsonObject, name: str) -> Outcome:
    """The user names the volume: it is waited for, and taken when it is free or set aside for this claim."""
    volume = view.get(VOLUMES, "", name)
    if volume is None:
        return NOTHING
    if volume["spec"].get("claimRef") is not None and not refers_to(volume, claim):
        return _tell(claim, "Warning", "FailedBinding", f'volume "{name}" already bound to a different claim.')
    mismatch = mismatch_of(volume, claim) if volume["spec"].get("claimRef") is None else None
    if mismatch is not None:
        return _tell(claim, "Warning", "VolumeMismatch", f'Cannot bind to requested volume "{name}": {mismatch}')
    return Outcome(_binding(claim, volume))


def _has_consumer(view: View, claim: JsonObject) -> bool:
    return any(name_of(claim) in claim_names(pod) for pod in view.list("pods", namespace_of(claim)))


def best_volume(view: View, claim: JsonObject, *, only_reserved: bool = False) -> JsonObject | None:
    """The volume set aside for the claim, or the smallest free one that is large enough and has class, modes and labels.

    Source: k8s.io/component-helpers v0.34.4 storage/volume/pv_helpers.go: FindMatchingVolume
    """
    fitting: list[tuple[int, str, JsonObject]] = []
    for volume in view.list(VOLUMES):
        if is_being_deleted(volume):
            continue
        if refers_to(volume, claim):
            return volume
        if volume["spec"].get("claimRef") is None and not only_reserved and _fits(volume, claim):
            fitting.append((_size(volume["spec"].get("capacity")), name_of(volume), volume))
    return min(fitting, key=lambda entry: entry[:2])[2] if fitting else None


def _size(amounts: JsonObject | None) -> int:
    return whole(str((amounts or {}).get("storage", "0")))


def _fits(volume: JsonObject, claim: JsonObject) -> bool:
    selector = claim["spec"].get("selector")
    return mismatch_of(volume, claim) is None and (selector is None or selects(selector, labels_of(volume)))


def mismatch_of(volume: JsonObject, claim: JsonObject) -> str | None:
    """Why the claim cannot have this volume, in upstream's words; None when it can.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/persistentvolume/pv_controller.go: checkVolumeSatisfyClaim
    """
    has, wants = volume["spec"], claim["spec"]
    if is_being_deleted(volume):
        return f'the volume is marked for deletion "{name_of(volume)}"'
    if _size(has.get("capacity")) < _size((wants.get("resources") or {}).get("requests")):
        return "requested PV is too small"
    for member in ("storageClassName", "volumeAttributesClassName"):
        if (has.get(member) or "") != (wants.get(member) or ""):
            return f"{member} does not match"
    if (has.get("volumeMode") or "Filesystem") != (wants.get("volumeMode") or "Filesystem"):
        return "incompatible volumeMode"
    if not set(wants.get("accessModes") or ()) <= set(has.get("accessModes") or ()):
        return "incompatible accessMode"
    return None


# ------------------------------------------------------------------------------------------------ writes


def _binding(claim: JsonObject, volume: JsonObject) -> tuple[Stage, ...]:
    """Volume, its phase, claim, its phase: in this order, and of these only what is not yet so."""
    stages: list[Stage] = []
    reference = volume["spec"].get("claimRef") or {}
    if reference.get("uid") != uid_of(claim):
        patch: JsonObject = {"spec": {"claimRef": claim_reference(claim)}}
        if not reference:
            patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
        stages.append((Wish(_patch(VOLUMES, volume, patch)),))
    if (volume.get("status") or {}).get("phase") != "Bound":
        stages.append((Wish(_status_patch(volume, {"phase": "Bound"}, VOLUMES)),))
    annotations: JsonObject = {BIND_COMPLETED: "yes"}
    chosen: JsonObject = {}
    if claim["spec"].get("volumeName") != name_of(volume):
        chosen, annotations = {"spec": {"volumeName": name_of(volume)}}, {**annotations, BOUND_BY_CONTROLLER: "yes"}
    if chosen or BIND_COMPLETED not in annotations_of(claim):
        stages.append((Wish(_patch(CLAIMS, claim, {"metadata": {"annotations": annotations}, **chosen})),))
    bound = {
        "phase": "Bound",
        "accessModes": volume["spec"].get("accessModes") or [],
        "capacity": volume["spec"].get("capacity") or {},
    }
    if phase_of_claim(claim) != "Bound":
        stages.append((Wish(_status_patch(claim, bound)),))
    return tuple(stages)


def claim_reference(claim: JsonObject) -> JsonObject:
    """How a volume refers to its claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": uid_of(claim),
        "resourceVersion": claim["metadata"].get("resourceVersion", ""),
    }


def _provision(claim: JsonObject, storage_class: JsonObject, folder: str) -> Outcome:
    """A new folder for this claim, told as provisioned; the change it makes binds it."""
    name = f"pvc-{uid_of(claim)}"
    volume: JsonObject = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": {"storage": ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")},
            "claimRef": claim_reference(claim),
            "hostPath": {"path": f"{folder}/{name}", "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "storageClassName": name_of(storage_class),
            "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
        },
    }
    stages: list[Stage] = []
    if annotations_of(claim).get(PROVISIONER_MARKS[0]) != PROVISIONER:
        marks = {"metadata": {"annotations": dict.fromkeys(PROVISIONER_MARKS, PROVISIONER)}}
        stages.append((Wish(_patch(CLAIMS, claim, marks)),))
    text = f"Successfully provisioned volume {name} using {PROVISIONER}"
    told = ObjectEvent(claim, "Normal", "ProvisioningSucceeded", text)
    stages.append((Wish(Write("create", VOLUMES, "", name, volume), told),))
    return Outcome(tuple(stages))


def _patch(resource: str, obj: JsonObject, patch: JsonObject) -> Write:
    metadata = {"uid": uid_of(obj), **(patch.get("metadata") or {})}
    return Write(
        "patch", resource, namespace_of(obj), name_of(obj), {**patch, "metadata": metadata}, patch_type="merge"
    )


def _status_patch(obj: JsonObject, status: JsonObject, resource: str = CLAIMS) -> Write:
    return _patch(resource, obj, {"status": status})._replace(subresource="status")
