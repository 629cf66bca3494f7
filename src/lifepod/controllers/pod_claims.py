"""Which pods belong to a controller: its own, plus adopted strays that match its selector, minus those that no longer do.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/controller_ref_manager.go: ClaimPods
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.label_selection import selects
from lifepod.controllers.outcome import Stage, Wish
from lifepod.controllers.ownership import (
    controller_of,
    controller_reference,
    finalizers_of,
    is_being_deleted,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
)
from lifepod.controllers.pod_facts import is_finished
from lifepod.controllers.view import View


class Claimed(NamedTuple):
    """The pods that belong to a controller now, and the writes that adopt and release."""

    pods: tuple[JsonObject, ...]
    writes: Stage


def _anyone(pod: JsonObject) -> bool:
    return True


def selector_of(owner: JsonObject) -> JsonObject | None:
    """The label selector of a workload; a ReplicationController's is a plain map of labels.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/replication/conversion.go: convertRCtoRS
    """
    selector: JsonObject | None = owner["spec"].get("selector")
    if owner["kind"] == "ReplicationController":
        return {"matchLabels": selector or {}}
    return selector


def claimed_pods(
    view: View, owner: JsonObject, may_belong: Callable[[JsonObject], bool] = _anyone, *, finalizer: str = ""
) -> Claimed:
    """The owner's pods by reference, selector and, for StatefulSets, name (`may_belong`); `finalizer` comes with adoption."""
    selector = selector_of(owner)
    kept, writes = [], []
    for pod in view.owned_by(uid_of(owner), "pods"):
        reference = controller_of(pod)
        if reference is None or reference.get("uid") != uid_of(owner):
            continue
        if (selector is None or selects(selector, labels_of(pod))) and may_belong(pod):
            kept.append(pod)
        elif not is_being_deleted(owner):
            writes.append(_release(owner, pod, finalizer))
    if not is_being_deleted(owner):
        for pod in view.labelled("pods", namespace_of(owner), (selector or {}).get("matchLabels") or {}):
            stray = controller_of(pod) is None and not is_being_deleted(pod) and not is_finished(pod)
            if stray and selector and selects(selector, labels_of(pod)) and may_belong(pod):
                kept.append(pod)
                writes.append(_adopt(owner, pod, finalizer))
    return Claimed(tuple(kept), tuple(writes))


def _adopt(owner: JsonObject, pod: JsonObject, finalizer: str) -> Wish:
    metadata: JsonObject = {"ownerReferences": [*owners_of(pod), controller_reference(owner)]}
    if finalizer and finalizer not in finalizers_of(pod):
        metadata["finalizers"] = [*finalizers_of(pod), finalizer]
    return _changed(pod, metadata)


def _release(owner: JsonObject, pod: JsonObject, finalizer: str) -> Wish:
    references = [r for r in owners_of(pod) if r.get("uid") != uid_of(owner)]
    metadata: JsonObject = {"ownerReferences": references or None}
    if finalizer in finalizers_of(pod):
        metadata["finalizers"] = [f for f in finalizers_of(pod) if f != finalizer] or None
    return _changed(pod, metadata)


def _changed(pod: JsonObject, metadata: JsonObject) -> Wish:
    known = {"uid": uid_of(pod), "resourceVersion": pod["metadata"].get("resourceVersion")}
    body = {"metadata": {**known, **metadata}}
    return Wish(Write("patch", "pods", namespace_of(pod), name_of(pod), body, patch_type="merge"))
