"""Which workloads a change of a pod concerns.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/replicaset/replica_set.go: addPod, updatePod, deletePod, getPodReplicaSets
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.controllers.label_selection import selects
from lifepod.controllers.outcome import Change
from lifepod.controllers.ownership import controller_key, controller_of, key_of, labels_of, namespace_of
from lifepod.controllers.pod_claims import selector_of
from lifepod.controllers.pod_facts import is_ready
from lifepod.controllers.view import Key


def pod_owner_keys(change: Change, kind: str, group: str, resource: str) -> Iterable[Key]:
    """The controllers of one kind that a pod's change concerns: its owner (of now and before), or who may adopt it."""
    if change.type == "MODIFIED" and change.old is not None and _is_same_to_owners(change.old, change.obj):
        return ()
    keys = [controller_key(pod, kind, group) for pod in (change.obj, change.old) if pod is not None]
    found = [key for key in keys if key is not None]
    if controller_of(change.obj) is None and change.type != "DELETED":
        found += [
            key_of(owner)
            for owner in change.view.list(resource, namespace_of(change.obj))
            if selects(selector_of(owner), labels_of(change.obj))
        ]
    return found


def _is_same_to_owners(old: JsonObject, new: JsonObject) -> bool:
    """Whether a pod's change is nothing to its owner: neither labels, owners, deletion, phase nor readiness."""
    before, after = old["metadata"], new["metadata"]
    return (
        before.get("labels") == after.get("labels")
        and before.get("ownerReferences") == after.get("ownerReferences")
        and before.get("deletionTimestamp") == after.get("deletionTimestamp")
        and (old.get("status") or {}).get("phase") == (new.get("status") or {}).get("phase")
        and is_ready(old) == is_ready(new)
    )
