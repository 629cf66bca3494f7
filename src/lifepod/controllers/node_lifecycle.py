"""Nodes that fall silent or say they are not ready: conditions Unknown, taints, and their pods' Ready False.

Key: ("", node). Memory: `Heartbeat`. A node is silent when neither its lease nor its Ready heartbeat moved for 50 s *as seen
here*, so that a node's own wrong clock does no harm.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/nodelifecycle/node_lifecycle_controller.go: tryUpdateNodeHealth,
        processTaintBaseEviction, doNoScheduleTaintingPass; pkg/controller/util/node/controller_utils.go: MarkPodsNotReady
Differs: no zones, so no slowed-down eviction when most of a zone is silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import (
    NOTHING,
    Change,
    Controller,
    Look,
    ObjectEvent,
    Outcome,
    Stage,
    Wish,
    status_wish,
)
from lifepod.controllers.ownership import name_of, namespace_of
from lifepod.controllers.pod_facts import condition_of
from lifepod.controllers.status_conditions import with_condition
from lifepod.controllers.view import Key

GRACE = timedelta(seconds=50)
LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNKNOWN_TYPES = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
SILENT = "Kubelet stopped posting node status."
NEVER_SPOKE = "Kubelet never posted node status."

# Which NoSchedule taint follows from which state of which condition.
_CONDITION_TAINTS = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_NO_SCHEDULE = frozenset((*_CONDITION_TAINTS.values(), UNSCHEDULABLE))


class Heartbeat(NamedTuple):
    """What the node last said, and when that was first seen here."""

    said: tuple[str, str]
    seen_at: datetime
    well: str = ""
    """The revision of the node at which nothing was left to do: a heartbeat alone changes nothing then."""


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "nodes":
        return (("", name_of(change.obj)),)
    if change.resource == LEASES:
        return (("", name_of(change.obj)),) if namespace_of(change.obj) == LEASE_NAMESPACE else ()
    node = change.obj["spec"].get("nodeName")
    # A pod whose status says Ready on a node that is not must be told again.
    fresh = change.type == "ADDED" or (change.old is not None and change.old["spec"].get("nodeName") != node)
    return (("", str(node)),) if node and fresh else ()


def reconcile(look: Look) -> Outcome:
    """Look at one node: silent or not, its taints, its pods."""
    name = look.key[1]
    node = look.view.get("nodes", "", name)
    if node is None:
        return NOTHING
    heartbeat = _heartbeat(look, node)
    silent_at = heartbeat.seen_at + GRACE
    revision = node["metadata"].get("resourceVersion") or ""
    if revision and heartbeat.well == revision and look.now < silent_at:
        return Outcome(wake_at=silent_at, memory=heartbeat)
    stages: list[Stage] = []
    if look.now >= silent_at:
        status = _unknown_status(node, look.now)
        if status is not None:
            # Taints and pods follow in the look that this write leads to.
            return Outcome(((status_wish("nodes", node, status),),), _went_silent(node), memory=heartbeat)
    taints = _taints(node, look.now)
    if taints != ((node.get("spec") or {}).get("taints") or []):
        patch = {
            "metadata": {"resourceVersion": node["metadata"].get("resourceVersion")},
            "spec": {"taints": taints or None},
        }
        stages.append((Wish(Write("patch", "nodes", "", name, patch)),))
    ready = condition_of(node, "Ready")
    # A node that says itself that it is not ready looks after its pods' statuses itself; only a silent one's are doubted.
    if ready is not None and ready.get("status") == "Unknown":
        doubted = tuple(wish for pod in look.view.on_node(name) if (wish := _not_ready(pod, look.now)) is not None)
        if doubted:
            stages.append(doubted)
    is_well = not stages and ready is not None and ready.get("status") == "True"
    heartbeat = heartbeat._replace(well=revision if is_well else "")
    return Outcome(tuple(stages), wake_at=silent_at if look.now < silent_at else None, memory=heartbeat)


def _heartbeat(look: Look, node: JsonObject) -> Heartbeat:
    """The node's last word; the time of it is when it changed here, not what the node's clock said."""
    lease = look.view.get(LEASES, LEASE_NAMESPACE, look.key[1])
    renewed = ((lease or {}).get("spec") or {}).get("renewTime") or ""
    ready = condition_of(node, "Ready") or {}
    beat = "" if ready.get("status") == "Unknown" else ready.get("lastHeartbeatTime") or ""
    before = look.memory if isinstance(look.memory, Heartbeat) else None
    if before is None:
        return Heartbeat((renewed, beat), look.now)
    moved = renewed != before.said[0] or (beat and beat != before.said[1])
    return Heartbeat((renewed, beat or before.said[1]), look.now, before.well) if moved else before


def _unknown_status(node: JsonObject, now: datetime) -> JsonObject | None:
    """The status with every condition that the kubelet owns Unknown; None when it is."""
    status = node.get("status") or {}
    conditions = list(status.get("conditions") or [])
    moment = format_time(now)
    for type_ in UNKNOWN_TYPES:
        before = condition_of(node, type_)
        if before is None:
            new = {"reason": "NodeStatusNeverUpdated", "message": NEVER_SPOKE, "lastHeartbeatTime": None}
        elif before.get("status") == "Unknown":
            continue
        else:
            new = {**before, "reason": "NodeStatusUnknown", "message": SILENT}
        conditions = with_condition(
            conditions, {**new, "type": type_, "status": "Unknown", "lastTransitionTime": moment}
        )
    changed = {**status, "conditions": conditions}
    return None if changed == status else changed


def _went_silent(node: JsonObject) -> tuple[ObjectEvent, ...]:
    ready = condition_of(node, "Ready")
    if ready is None or ready.get("status") != "True":
        return ()
    return (ObjectEvent(node, "Normal", "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady"),)


def _taints(node: JsonObject, now: datetime) -> list[JsonObject]:
    """Foreign taints stay; ours follow from the conditions: NoSchedule for each, NoExecute for a node that is not Ready."""
    spec, before = node.get("spec") or {}, list((node.get("spec") or {}).get("taints") or [])
    wanted: dict[tuple[str, str], JsonObject] = {}
    for condition in (node.get("status") or {}).get("conditions") or ():
        key = _CONDITION_TAINTS.get((condition.get("type", ""), condition.get("status", "")))
        if key is not None:
            wanted[key, "NoSchedule"] = {"key": key, "effect": "NoSchedule", "timeAdded": format_time(now)}
            if condition["type"] == "Ready":
                wanted[key, "NoExecute"] = {"key": key, "effect": "NoExecute", "timeAdded": format_time(now)}
    if spec.get("unschedulable"):
        taint = {"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": format_time(now)}
        wanted[UNSCHEDULABLE, "NoSchedule"] = taint
    kept = []
    for taint in before:
        identity = (taint.get("key", ""), taint.get("effect", ""))
        if wanted.pop(identity, None) is not None or not _is_ours(identity, node):
            kept.append(taint)
    return [*kept, *wanted.values()]


def _is_ours(identity: tuple[str, str], node: JsonObject) -> bool:
    """Whether a taint follows from conditions, so that it goes with them. A node that never spoke keeps its own."""
    key, effect = identity
    if condition_of(node, "Ready") is None:
        return False
    return (effect == "NoSchedule" and key in _NO_SCHEDULE) or (
        effect == "NoExecute" and key in (NOT_READY, UNREACHABLE)
    )


def _not_ready(pod: JsonObject, now: datetime) -> Wish | None:
    """Flip only Ready to False, and say so on the pod; None when it is not True."""
    ready = condition_of(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    new = {**ready, "status": "False", "lastTransitionTime": format_time(now)}
    patch = {"metadata": {"uid": pod["metadata"].get("uid", "")}, "status": {"conditions": [new]}}
    write = Write("patch", "pods", namespace_of(pod), name_of(pod), patch, subresource="status", patch_type="strategic")
    return Wish(write, ObjectEvent(pod, "Warning", "NodeNotReady", "Node is not ready"))


NODE_LIFECYCLE = Controller("node-lifecycle", "node-controller", ("nodes", LEASES, "pods"), _keys, reconcile, ("pods",))
