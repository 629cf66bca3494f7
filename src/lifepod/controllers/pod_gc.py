"""Pods that nobody will ever finish are removed: those of a node that is gone, and deleted ones without a node.

Key: (namespace, pod). Source: k8s.io/kubernetes v1.34.4 pkg/controller/podgc/gc_controller.go: gcOrphaned,
gcUnscheduledTerminating, markFailedAndDeletePod
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
from lifepod.controllers.pod_facts import is_finished
from lifepod.controllers.taint_eviction import disruption_target
from lifepod.controllers.view import Key

QUARANTINE = timedelta(seconds=40)
"""How long a node must have been gone, so that one that is only made anew loses nothing."""
MESSAGE = "PodGC: node no longer exists"


class Missed(NamedTuple):
    """Since when the pod's node is known to be gone."""

    since: datetime


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "nodes":
        if change.type == "MODIFIED":
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
    """Remove the pod if its node is gone for good."""
    pod = look.view.get("pods", look.key[0], look.key[1])
    if pod is None:
        return NOTHING
    node = pod["spec"].get("nodeName")
    if not node:
        return Outcome(((_removal(pod),),)) if is_being_deleted(pod) else NOTHING
    if look.view.get("nodes", "", node) is not None:
        return NOTHING
    since = look.memory.since if isinstance(look.memory, Missed) else look.now
    if look.now < since + QUARANTINE:
        return Outcome(wake_at=since + QUARANTINE, memory=Missed(since))
    stages: list[Stage] = []
    if not is_finished(pod):
        stages.append((disruption_target("DeletionByPodGC", MESSAGE, pod, look.now, fail=True),))
    return Outcome((*stages, (_removal(pod),)))


def _removal(pod: JsonObject) -> Wish:
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid_of(pod)}}
    return Wish(Write("delete", "pods", namespace_of(pod), name_of(pod), options))


POD_GC = Controller(
    "pod-gc", "pod-garbage-collector-controller", ("nodes", "pods"), _keys, reconcile, ("nodes", "pods")
)
