"""Claims that pods use, and volumes that are bound, are deleted only once they are free.

Key: (resource, namespace, name). The finalizers come with the object (`apiserver/admission.py`); here they go.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/volume/{pvcprotection,pvprotection}
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.claims import CLAIMS, VOLUMES, claim_names
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import finalizers_of, is_being_deleted, name_of, namespace_of, uid_of
from lifepod.controllers.view import Key, View

FINALIZERS = {CLAIMS: "kubernetes.io/pvc-protection", VOLUMES: "kubernetes.io/pv-protection"}


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "pods":
        return _claims_set_free(change)
    if is_being_deleted(change.obj):
        return ((change.resource, namespace_of(change.obj), name_of(change.obj)),)
    return ()


def _claims_set_free(change: Change) -> Iterable[Key]:
    if change.type != "DELETED":
        return ()
    return [(CLAIMS, namespace_of(change.obj), name) for name in claim_names(change.obj)]


def reconcile(look: Look) -> Outcome:
    """Take the finalizer off what is being deleted and in nobody's use."""
    resource, namespace, name = look.key
    obj = look.view.get(resource, namespace, name)
    finalizer = FINALIZERS[resource]
    if obj is None or not is_being_deleted(obj) or finalizer not in finalizers_of(obj):
        return NOTHING
    if _is_used(look.view, resource, obj):
        return NOTHING
    body = {"metadata": {"uid": uid_of(obj), "$deleteFromPrimitiveList/finalizers": [finalizer]}}
    return Outcome(((Wish(Write("patch", resource, namespace, name, body, patch_type="strategic")),),))


def _is_used(view: View, resource: str, obj: JsonObject) -> bool:
    """A claim is in use while a pod that mounts it has a node, a volume while it is bound."""
    if resource == VOLUMES:
        return bool((obj.get("status") or {}).get("phase") == "Bound")
    pods = view.list("pods", namespace_of(obj))
    return any(pod["spec"].get("nodeName") and name_of(obj) in claim_names(pod) for pod in pods)


VOLUME_PROTECTION = Controller(
    "volume-protection", "volume-protection-controller", (CLAIMS, VOLUMES, "pods"), _keys, reconcile, ("pods",)
)
