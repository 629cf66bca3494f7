"""Each ephemeral volume of a pod gets a claim of its own, owned by the pod.

Key: (namespace, pod). Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/ephemeral/controller.go: handleVolume
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.claims import CLAIMS, ephemeral_claim_name
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, ObjectEvent, Outcome, Wish
from lifepod.controllers.ownership import (
    controller_reference,
    is_being_deleted,
    is_controlled_by,
    key_of,
    name_of,
    namespace_of,
)
from lifepod.controllers.view import Key


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "pods":
        has = change.type == "ADDED" and any(v.get("ephemeral") for v in change.obj["spec"].get("volumes") or ())
        return (key_of(change.obj),) if has else ()
    owners = change.obj["metadata"].get("ownerReferences") or () if change.type == "DELETED" else ()
    return [(namespace_of(change.obj), str(owner.get("name", ""))) for owner in owners if owner.get("kind") == "Pod"]


def reconcile(look: Look) -> Outcome:
    """Make the claims that are missing; one of that name that is not the pod's is an error."""
    pod = look.view.get("pods", look.key[0], look.key[1])
    if pod is None or is_being_deleted(pod):
        return NOTHING
    wishes: list[Wish] = []
    events: list[ObjectEvent] = []
    for volume in pod["spec"].get("volumes") or ():
        if not volume.get("ephemeral"):
            continue
        name = ephemeral_claim_name(pod, volume)
        claim = look.view.get(CLAIMS, look.key[0], name)
        if claim is None:
            wishes.append(_creation(pod, name, volume["ephemeral"].get("volumeClaimTemplate") or {}))
        elif not is_controlled_by(claim, pod):
            text = f"PVC {look.key[0]}/{name} was not created for pod {look.key[0]}/{name_of(pod)} (pod is not owner)"
            events.append(ObjectEvent(pod, "Warning", "FailedBinding", f"ephemeral volume {volume['name']}: {text}"))
    return Outcome((tuple(wishes),) if wishes else (), tuple(events))


def _creation(pod: JsonObject, name: str, template: JsonObject) -> Wish:
    metadata: JsonObject = {"name": name, "namespace": namespace_of(pod)}
    for member in ("labels", "annotations"):
        if (template.get("metadata") or {}).get(member):
            metadata[member] = template["metadata"][member]
    metadata["ownerReferences"] = [controller_reference(pod)]
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
    failure = ObjectEvent(pod, "Warning", "FailedBinding", f"ephemeral volume: create PVC {name}: ")
    return Wish(Write("create", CLAIMS, namespace_of(pod), name, claim), otherwise=failure)


EPHEMERAL_CLAIMS = Controller(
    "ephemeral-claims", "ephemeral_volume", ("pods", CLAIMS), _keys, reconcile, ("pods", CLAIMS)
)
