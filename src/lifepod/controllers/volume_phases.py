"""What phase a volume is in, and what becomes of it once its claim is gone.

Key: (volume,). A volume that was provisioned here is deleted with its claim when its policy says so; its folder goes with it
(`assembly`). Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/persistentvolume/pv_controller.go: syncVolume, reclaimVolume
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.claims import CLAIMS, PROVISIONED_BY, PROVISIONER, VOLUMES
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, ObjectEvent, Outcome, Wish
from lifepod.controllers.ownership import annotations_of, is_being_deleted, name_of, uid_of
from lifepod.controllers.view import Key, View


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == VOLUMES:
        return ((name_of(change.obj),),)
    name = change.obj["spec"].get("volumeName")
    return ((str(name),),) if name else ()


def reconcile(look: Look) -> Outcome:
    """Available, Bound, Released, Failed; a released volume is deleted or kept."""
    volume = look.view.get(VOLUMES, "", look.key[0])
    if volume is None:
        return NOTHING
    phase = volume_phase(look.view, volume)
    text = ""
    if phase == "Released" and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        provisioner = annotations_of(volume).get(PROVISIONED_BY)
        if provisioner == PROVISIONER and not is_being_deleted(volume):
            return Outcome(((_phase_wish(volume, phase),), (_deletion(volume),)))
        if provisioner is None:
            # Nobody here could delete it; what another program provisioned, that one deletes.
            phase = "Failed"
            text = f'error getting deleter volume plugin for volume "{name_of(volume)}": no deletable volume plugin matched'
    if phase == (volume.get("status") or {}).get("phase"):
        return NOTHING
    return Outcome(((_phase_wish(volume, phase, text),),))


def _phase_wish(volume: JsonObject, phase: str, message: str = "") -> Wish:
    status = {"phase": phase, **({"message": message} if message else {})}
    body = {"metadata": {"uid": uid_of(volume)}, "status": status}
    write = Write("patch", VOLUMES, "", name_of(volume), body, subresource="status", patch_type="merge")
    return Wish(write, ObjectEvent(volume, "Warning", "VolumeFailedDelete", message) if message else None)


def volume_phase(view: View, volume: JsonObject) -> str:
    """Available until claimed, Bound while its claim is there, Released afterwards."""
    reference = volume["spec"].get("claimRef")
    if reference is None or not reference.get("uid"):
        return "Available"
    claim = view.get(CLAIMS, str(reference.get("namespace", "")), str(reference.get("name", "")))
    if claim is None or uid_of(claim) != reference["uid"]:
        return "Released"
    bound_elsewhere = claim["spec"].get("volumeName") not in (None, "", name_of(volume))
    return "Released" if bound_elsewhere else "Bound"


def _deletion(volume: JsonObject) -> Wish:
    return Wish(Write("delete", VOLUMES, "", name_of(volume), {"preconditions": {"uid": uid_of(volume)}}))


VOLUME_PHASES = Controller("volume-phases", "persistentvolume-controller", (VOLUMES, CLAIMS), _keys, reconcile)
