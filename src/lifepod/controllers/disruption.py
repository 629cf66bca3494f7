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
from lifepod.controllers.ownership import (
    controller_of,
    is_being_deleted,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from lifepod.controllers.pod_facts import is_ready
from lifepod.controllers.view import Key, View

RESOURCE = "poddisruptionbudgets.policy"
DELETION_TIMEOUT = timedelta(minutes=2)
SCALES = {
    "ReplicationController": "replicationcontrollers",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
}


UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the "
    "PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)


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
    try:
        counts = _counts(look.view, budget, pods, look.now)
    except CountError as exc:
        return _failed(budget, str(exc), look.now)
    status = _status(budget, counts, look.now)
    if status == (budget.get("status") or {}):
        return Outcome(wake_at=counts.wake_at)
    events = _events(budget, pods, counts)
    return Outcome(((status_wish(RESOURCE, budget, status),),), events, wake_at=counts.wake_at)


def _events(budget: JsonObject, pods: Sequence[JsonObject], counts: Counts) -> tuple[ObjectEvent, ...]:
    """What is told with the counts: no pods, pods without a scale, evictions that were allowed and never came.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/disruption/disruption.go: trySync, buildDisruptedPodMap
    """
    spec, namespace = budget["spec"], namespace_of(budget)
    events: list[ObjectEvent] = []
    if not pods:
        events.append(ObjectEvent(budget, "Normal", "NoPods", "No matching pods found"))
    by_scale = spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)
    if by_scale and any(controller_of(pod) is None for pod in pods):
        text = UNMANAGED.format(selector_text(spec.get("selector") or {}))
        events.append(ObjectEvent(budget, "Warning", "UnmanagedPods", text))
    noted = (budget.get("status") or {}).get("disruptedPods") or {}
    # Upstream names the namespace twice, not the budget.
    text = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
    late = [p for p in pods if name_of(p) in noted and name_of(p) not in counts.disrupted and not is_being_deleted(p)]
    return (*events, *(ObjectEvent(pod, "Warning", "NotDeleted", text) for pod in late))


def selector_text(selector: JsonObject) -> str:
    """A label selector as Go prints it, where upstream's messages show one."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{term.get('key', '')},Operator:{term.get('operator', '')},"
        f"Values:[{' '.join(term.get('values') or ())}],}},"
        for term in selector.get("matchExpressions") or ()
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"


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
        expected, desired = (0, 0) if minimum is None else (len(pods), minimum)
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
            scale = _scale(view, namespace_of(pod), reference)
            if scale is None:
                raise CountError(f'found no controllers for pod "{name_of(pod)}"')
            found[uid] = scale
    return sum(found.values())


def _scale(view: View, namespace: str, reference: JsonObject) -> int | None:
    """A ReplicaSet's scale is that of its Deployment when it has one. None: there is no such controller."""
    kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
    resource = SCALES.get(kind)
    owner = view.get(resource, namespace, name) if resource else None
    if owner is None or uid_of(owner) != reference.get("uid"):
        return None
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
        if since is None or is_being_deleted(pod):
            continue
        until = parse_time(since) + DELETION_TIMEOUT
        if until > now:
            kept[name_of(pod)] = since
            wake_at = earliest(wake_at, until)
    return kept, wake_at


def _status(budget: JsonObject, counts: Counts, now: datetime) -> JsonObject:
    allowed = max(0, counts.current - counts.desired) if counts.expected > 0 else 0
    generation = budget["metadata"].get("generation", 0)
    status: JsonObject = {
        "conditions": _conditions(budget, "SufficientPods" if allowed > 0 else "InsufficientPods", "", now, generation),
        "currentHealthy": counts.current,
        "desiredHealthy": counts.desired,
        "disruptionsAllowed": allowed,
        "expectedPods": counts.expected,
        "observedGeneration": generation,
    }
    return {**status, "disruptedPods": counts.disrupted} if counts.disrupted else status


def _conditions(budget: JsonObject, reason: str, message: str, now: datetime, generation: int) -> list[JsonObject]:
    before = (budget.get("status") or {}).get("conditions") or []
    old: JsonObject = next((c for c in before if c.get("type") == "DisruptionAllowed"), {})
    value = "True" if reason == "SufficientPods" else "False"
    since = old["lastTransitionTime"] if old.get("status") == value else format_time(now)
    made = {
        "type": "DisruptionAllowed",
        "status": value,
        **({"observedGeneration": generation} if generation else {}),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [*(c for c in before if c.get("type") != "DisruptionAllowed"), made]


def _failed(budget: JsonObject, text: str, now: datetime) -> Outcome:
    """Nothing may be evicted while the scale cannot be told. Source: disruption.go: failSafe"""
    seen = (budget.get("status") or {}).get("observedGeneration", 0)
    conditions = _conditions(budget, "SyncFailed", text, now, seen)
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
