"""Pods that nobody will ever finish are removed: those of a node that is gone, and deleted ones without a node or on a node
that its administrator calls out of service.

Key: (namespace, pod). Source: k8s.io/kubernetes v1.34.4 pkg/controller/podgc/gc_controller.go: gcOrphaned, gcTerminating,
gcUnscheduledTerminating, markFailedAndDeletePodWithCondition
Differs: the 12,500-pod threshold for finished pods is not applied.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Stage, Wish
from lifepod.controllers.ownership import is_being_deleted, key_of, name_of, namespace_of, uid_of
from lifepod.controllers.pod_facts import condition_of, is_finished
from lifepod.controllers.taint_eviction import disruption_target
from lifepod.controllers.view import Key

QUARANTINE = timedelta(seconds=40)
"""How long a node must have been gone, so that one that is only made anew loses nothing."""
MESSAGE = "PodGC: node no longer exists"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


class Missed(NamedTuple):
    """Since when the pod's node is known to be gone."""

    since: datetime


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "nodes":
        if change.type == "MODIFIED" and not _is_out_of_service(change.obj):
            return ()
        return [key_of(pod) for pod in change.view.on_node(name_of(change.obj))]
    if change.type == "DELETED":
        return ()
    if change.old is not None:
        bound = change.old["spec"].get("nodeName") != change.obj["spec"].get("nodeName")
        marked = is_being_deleted(change.obj) and not is_being_deleted(change.old)
        return (key_of(change.obj),) if bound or marked else ()
    return (key_of(change.obj),)


def reconcile(look: Look) -> Outcome:
    """Remove the pod if its node is gone for good, or if it is to go and no node will see to it."""
    pod = look.view.get("pods", look.key[0], look.key[1])
    if pod is None:
        return NOTHING
    name = pod["spec"].get("nodeName")
    node = look.view.get("nodes", "", name) if name else None
    if node is not None or not name:
        is_lost = is_being_deleted(pod) and (node is None or _is_out_of_service(node))
        return Outcome((*_failed(pod), (_removal(pod),))) if is_lost else NOTHING
    since = look.memory.since if isinstance(look.memory, Missed) else look.now
    if look.now < since + QUARANTINE:
        return Outcome(wake_at=since + QUARANTINE, memory=Missed(since))
    stages: list[Stage] = []
    if not is_finished(pod):
        stages.append((disruption_target("DeletionByPodGC", MESSAGE, pod, look.now, fail=True),))
    return Outcome((*stages, (_removal(pod),)))


def _is_out_of_service(node: JsonObject) -> bool:
    """Whether the node is not ready, and tainted as one whose pods may be taken for stopped."""
    taints = (node.get("spec") or {}).get("taints") or ()
    ready = condition_of(node, "Ready") or {}
    return ready.get("status") != "True" and any(taint.get("key") == OUT_OF_SERVICE for taint in taints)


def _failed(pod: JsonObject) -> tuple[Stage, ...]:
    """Its phase becomes Failed first, as no kubelet will say so."""
    if is_finished(pod):
        return ()
    status = {"phase": "Failed", "observedGeneration": pod["metadata"].get("generation", 0)}
    patch = {"metadata": {"uid": uid_of(pod)}, "status": status}
    write = Write("patch", "pods", namespace_of(pod), name_of(pod), patch, subresource="status", patch_type="strategic")
    return ((Wish(write),),)


def _removal(pod: JsonObject) -> Wish:
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid_of(pod)}}
    return Wish(Write("delete", "pods", namespace_of(pod), name_of(pod), options))


POD_GC = Controller(
    "pod-gc", "pod-garbage-collector-controller", ("nodes", "pods"), _keys, reconcile, ("nodes", "pods")
)
