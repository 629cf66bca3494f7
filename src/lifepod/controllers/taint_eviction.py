"""Pods that do not tolerate a NoExecute taint of their node are deleted, at once or after tolerationSeconds.

Key: (namespace, pod). Memory: `Marked`. The wait counts from when the taint was added.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/tainteviction/taint_eviction.go: processPodOnNode, addConditionAndDeletePod
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time, parse_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, ObjectEvent, Outcome, Wish
from lifepod.controllers.ownership import is_being_deleted, key_of, name_of, namespace_of, uid_of
from lifepod.controllers.pod_facts import is_finished
from lifepod.controllers.scheduler_filters import toleration_matches
from lifepod.controllers.view import Key

MESSAGE = "Taint manager: deleting due to NoExecute taint"


class Marked(NamedTuple):
    """The pod is to be deleted then; remembered so that a recovery can be told."""

    at: datetime


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "pods":
        spec = change.obj["spec"]
        if not spec.get("nodeName") or change.type == "DELETED":
            return ()
        known = change.old is not None and (change.old["spec"] is spec or change.old["spec"] == spec)
        return () if known else (key_of(change.obj),)
    before = no_execute(change.old) if change.old is not None else []
    if change.type == "DELETED" or no_execute(change.obj) == before:
        return ()
    return [key_of(pod) for pod in change.view.on_node(name_of(change.obj))]


def no_execute(node: JsonObject) -> list[JsonObject]:
    """The node's taints of effect NoExecute."""
    return [taint for taint in (node.get("spec") or {}).get("taints") or () if taint.get("effect") == "NoExecute"]


def reconcile(look: Look) -> Outcome:
    """Delete the pod when its time is over, wait for it, or call it off."""
    pod = look.view.get("pods", look.key[0], look.key[1])
    if pod is None or is_being_deleted(pod) or is_finished(pod):
        return NOTHING
    node = look.view.get("nodes", "", pod["spec"].get("nodeName") or "")
    at = evicted_at(pod, no_execute(node) if node else ())
    if at is None:
        if not isinstance(look.memory, Marked):
            return NOTHING
        text = f"Cancelling deletion of Pod {look.key[0]}/{look.key[1]}"
        return Outcome(events=(ObjectEvent(pod, "Normal", "TaintManagerEviction", text),))
    if look.now < at:
        return Outcome(wake_at=at, memory=Marked(at))
    text = f"Marking for deletion Pod {look.key[0]}/{look.key[1]}"
    told = ObjectEvent(pod, "Normal", "TaintManagerEviction", text)
    condition = disruption_target("DeletionByTaintManager", MESSAGE, pod, look.now)
    return Outcome(((condition,), (Wish(_deletion(pod), told),)), memory=Marked(at))


def evicted_at(pod: JsonObject, taints: Sequence[JsonObject]) -> datetime | None:
    """When the taints drive the pod away; None: never. The shortest toleration among those used decides."""
    waits: list[datetime] = []
    for taint in taints:
        added = parse_time(taint["timeAdded"]) if taint.get("timeAdded") else datetime.min.replace(tzinfo=UTC)
        matching = [t for t in pod["spec"].get("tolerations") or () if toleration_matches(t, taint)]
        if not matching:
            return added
        limits = [t["tolerationSeconds"] for t in matching if t.get("tolerationSeconds") is not None]
        if limits:
            waits.append(added + timedelta(seconds=max(0, min(limits))))
    return min(waits, default=None)


def disruption_target(reason: str, message: str, pod: JsonObject, now: datetime, *, fail: bool = False) -> Wish:
    """Say on the pod why it will be disrupted (lifecycle.md §3); `fail`: its phase becomes Failed with it."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": format_time(now),
        "observedGeneration": pod["metadata"].get("generation", 0),
    }
    status: JsonObject = {"conditions": [condition]}
    if fail:
        status["phase"] = "Failed"
    patch = {"metadata": {"uid": uid_of(pod)}, "status": status}
    return Wish(
        Write("patch", "pods", namespace_of(pod), name_of(pod), patch, subresource="status", patch_type="strategic")
    )


def _deletion(pod: JsonObject) -> Write:
    return Write("delete", "pods", namespace_of(pod), name_of(pod), {"preconditions": {"uid": uid_of(pod)}})


TAINT_EVICTION = Controller(
    "taint-eviction", "taint-eviction-controller", ("nodes", "pods"), _keys, reconcile, ("nodes", "pods")
)
