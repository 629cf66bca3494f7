"""PodDisruptionBudgets: how many pods may be evicted now.

Key: (namespace, budget). The eviction itself asks in `apiserver/eviction.py`.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/disruption/disruption.go: trySync, getExpectedPodCount, countHealthyPods,
buildDisruptedPodMap, updatePdbStatus
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time, parse_time
from lifepod.controllers.deployment_arithmetic import portion
from lifepod.controllers.label_selection import selects
from lifepod.controllers.outcome import (
    NOTHING,
    Change,
    Controller,
    Look,
    ObjectEvent,
    Outcome,
    earliest,
    status_wish,
)
from lifepod.controllers.ownership import controller_of, is_being_deleted, key_of, labels_of, name_of, namespace_of
from lifepod.controllers.pod_facts import is_finished, is_ready
from lifepod.controllers.view import Key, View

RESOURCE = "poddisruptionbudgets.policy"
DELETION_TIMEOUT = timedelta(minutes=2)
SCALES = {
    "ReplicationController": "replicationcontrollers",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
}


class Counts(NamedTuple):
    """What a budget's status says, and until when an eviction that was allowed is waited for."""

    current: int
    desired: int
    expected: int
    disrupted: dict[str, str]
    wake_at: datetime | None = None


class CountError(ValueError):
    """It cannot be told how many pods there should be."""


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return (key_of(change.obj),)
    if change.resource == "pods":
        states = [labels_of(obj) for obj in (change.obj, change.old) if obj is not None]
        return [
            key_of(budget)
            for budget in change.view.list(RESOURCE, namespace_of(change.obj))
            if any(selects(budget["spec"].get("selector"), labels) for labels in states)
        ]
    same = change.old is not None and change.old.get("spec") == change.obj.get("spec")
    return () if same else [key_of(budget) for budget in change.view.list(RESOURCE, namespace_of(change.obj))]


def reconcile(look: Look) -> Outcome:
    """Count, and write what the count says."""
    budget = look.view.get(RESOURCE, look.key[0], look.key[1])
    if budget is None:
        return NOTHING
    selector = budget["spec"].get("selector")
    pods = [pod for pod in look.view.list("pods", look.key[0]) if selects(selector, labels_of(pod))]
    if not pods:
        events: tuple[ObjectEvent, ...] = (ObjectEvent(budget, "Normal", "NoPods", "No matching pods found"),)
    else:
        events = ()
    try:
        counts = _counts(look.view, budget, pods, look.now)
    except CountError as exc:
        return _failed(budget, str(exc), look.now)
    status = _status(budget, counts, look.now)
    if status == (budget.get("status") or {}):
        return Outcome(wake_at=counts.wake_at)
    return Outcome(((status_wish(RESOURCE, budget, status),),), events, wake_at=counts.wake_at)


def _counts(view: View, budget: JsonObject, pods: Sequence[JsonObject], now: datetime) -> Counts:
    spec = budget["spec"]
    disrupted, wake_at = _still_disrupted(budget, pods, now)
    minimum = spec.get("minAvailable")
    if spec.get("maxUnavailable") is not None:
        expected = _expected_scale(view, pods)
        desired = max(0, expected - portion(spec["maxUnavailable"], expected, round_up=True))
    elif isinstance(minimum, str):
        expected = _expected_scale(view, pods)
        desired = portion(minimum, expected, round_up=True)
    else:
        expected, desired = len(pods), 1 if minimum is None else minimum
    healthy = sum(1 for pod in pods if not is_being_deleted(pod) and name_of(pod) not in disrupted and is_ready(pod))
    return Counts(healthy, desired, expected, disrupted, wake_at)


def _expected_scale(view: View, pods: Sequence[JsonObject]) -> int:
    """The sum of the scales of the pods' controllers, each counted once."""
    found: dict[str, int] = {}
    for pod in pods:
        reference = controller_of(pod)
        if reference is None:
            continue
        uid = str(reference.get("uid", ""))
        if uid not in found:
            found[uid] = _scale(view, namespace_of(pod), reference)
    return sum(found.values())


def _scale(view: View, namespace: str, reference: JsonObject) -> int:
    """A ReplicaSet's scale is that of its Deployment when it has one."""
    kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
    resource = SCALES.get(kind)
    owner = view.get(resource, namespace, name) if resource else None
    if owner is None:
        raise CountError(f"found no controllers for pod: {kind} {name}")
    above = controller_of(owner)
    if kind == "ReplicaSet" and above is not None and above.get("kind") == "Deployment":
        deployment = view.get("deployments.apps", namespace, str(above.get("name", "")))
        owner = deployment or owner
    return int(owner["spec"].get("replicas", 1))


def _still_disrupted(
    budget: JsonObject, pods: Sequence[JsonObject], now: datetime
) -> tuple[dict[str, str], datetime | None]:
    """Evictions that were allowed but not yet seen; after two minutes they are thought to have failed."""
    noted: dict[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    kept: dict[str, str] = {}
    wake_at = None
    for pod in pods:
        since = noted.get(name_of(pod))
        if since is None or is_being_deleted(pod) or is_finished(pod):
            continue
        until = parse_time(since) + DELETION_TIMEOUT
        if until > now:
            kept[name_of(pod)] = since
            wake_at = earliest(wake_at, until)
    return kept, wake_at


def _status(budget: JsonObject, counts: Counts, now: datetime) -> JsonObject:
    allowed = max(0, counts.current - counts.desired) if counts.expected > 0 else 0
    status: JsonObject = {
        "conditions": _conditions(budget, "SufficientPods" if allowed > 0 else "InsufficientPods", "", now),
        "currentHealthy": counts.current,
        "desiredHealthy": counts.desired,
        "disruptionsAllowed": allowed,
        "expectedPods": counts.expected,
        "observedGeneration": budget["metadata"].get("generation", 0),
    }
    return {**status, "disruptedPods": counts.disrupted} if counts.disrupted else status


def _conditions(budget: JsonObject, reason: str, message: str, now: datetime) -> list[JsonObject]:
    before = (budget.get("status") or {}).get("conditions") or []
    old: JsonObject = next((c for c in before if c.get("type") == "DisruptionAllowed"), {})
    value = "True" if reason == "SufficientPods" else "False"
    since = old["lastTransitionTime"] if old.get("status") == value else format_time(now)
    made = {
        "type": "DisruptionAllowed",
        "status": value,
        "observedGeneration": budget["metadata"].get("generation", 0),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [*(c for c in before if c.get("type") != "DisruptionAllowed"), made]


def _failed(budget: JsonObject, text: str, now: datetime) -> Outcome:
    """Nothing may be evicted while the scale cannot be told. Source: disruption.go: failSafe"""
    conditions = _conditions(budget, "SyncFailed", text, now)
    status = {**(budget.get("status") or {}), "disruptionsAllowed": 0, "conditions": conditions}
    event = ObjectEvent(
        budget, "Warning", "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {text}"
    )
    if status == (budget.get("status") or {}):
        return NOTHING
    return Outcome(((status_wish(RESOURCE, budget, status),),), (event,))


DISRUPTION = Controller(
    "disruption", "controllermanager", (RESOURCE, "pods", *SCALES.values(), "deployments.apps"), _keys, reconcile
)
