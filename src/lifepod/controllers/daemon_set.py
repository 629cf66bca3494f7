"""DaemonSets: one pod on each node where it belongs, replaced as the update strategy allows.

Key: (namespace, name). Memory: `Failures`. Source: k8s.io/kubernetes v1.34.4 pkg/controller/daemon/daemon_controller.go: syncDaemonSet,
manage, podsShouldBeOnNode, syncNodes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.daemon_pods import belongs, by_node, is_updated, new_pod
from lifepod.controllers.daemon_status import status_of
from lifepod.controllers.daemon_update import Exchange, exchange, surge_of
from lifepod.controllers.job_manage import deletion_wish
from lifepod.controllers.outcome import (
    NOTHING,
    Change,
    Controller,
    Look,
    ObjectEvent,
    Outcome,
    Stage,
    Wish,
    earliest,
    slow_start,
    status_wish,
)
from lifepod.controllers.ownership import is_being_deleted, key_of, labels_of, name_of, namespace_of
from lifepod.controllers.pod_claims import claimed_pods
from lifepod.controllers.pod_facts import available_at, is_available, is_ready, phase_of
from lifepod.controllers.pod_owner_keys import pod_owner_keys
from lifepod.controllers.revision_history import HASH, hash_of, history_of, superfluous
from lifepod.controllers.view import Key

RESOURCE = "daemonsets.apps"
MOST_AT_ONCE = 250
FIRST_DELAY, LAST_DELAY = timedelta(seconds=1), timedelta(minutes=15)


class Failure(NamedTuple):
    """How long to wait between two failed pods of a node, and since when."""

    delay: timedelta
    since: datetime


Failures = tuple[tuple[str, Failure], ...]
"""The controller's memory: by node, whose pods failed lately."""


class _Plan(NamedTuple):
    """What is to be done: nodes that need a pod, pods that go, what is told of that, and when to look again."""

    nodes: list[str]
    doomed: list[JsonObject]
    events: list[ObjectEvent]
    failures: dict[str, Failure]
    wake_at: datetime | None = None


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return (key_of(change.obj),)
    if change.resource == "nodes":
        if change.type == "MODIFIED" and change.old is not None and _is_same_to_daemons(change.old, change.obj):
            return ()
        return [key_of(owner) for owner in change.view.list(RESOURCE)]
    return pod_owner_keys(change, "DaemonSet", "apps", RESOURCE)


def _is_same_to_daemons(old: JsonObject, new: JsonObject) -> bool:
    return labels_of(old) == labels_of(new) and (old.get("spec") or {}).get("taints") == (new.get("spec") or {}).get(
        "taints"
    )


def reconcile(look: Look) -> Outcome:
    """Give every node its pod and take away what does not belong; then exchange old ones; then what there is."""
    owner = look.view.get(RESOURCE, look.key[0], look.key[1])
    if owner is None:
        return NOTHING
    if owner["spec"].get("selector") == {}:
        text = "This daemon set is selecting all pods. A non-empty selector is required."
        return Outcome(events=(ObjectEvent(owner, "Warning", "SelectingAll", text),))
    if is_being_deleted(owner):
        return NOTHING
    claimed = claimed_pods(look.view, owner)
    nodes = look.view.list("nodes")
    pods = by_node(claimed.pods)
    history = history_of(look.view, owner, HASH)
    digest = hash_of(history.update, HASH)
    plan = _plan(look, owner, nodes, pods, digest)
    stages: list[Stage] = [claimed.writes, *history.writes, *_writes(look, owner, plan, digest)]
    if not plan.nodes and not plan.doomed:
        # Pods that this look itself makes or deletes would be counted wrongly: the next look exchanges.
        moves = exchange(owner, nodes, pods, digest, look.now)
        stages += _writes(look, owner, _as_plan(moves), digest)
    status = status_of(owner, nodes, pods, digest, look.now)
    if history.collisions:
        status["collisionCount"] = history.collisions
    if status != (owner.get("status") or {}):
        stages.append((status_wish(RESOURCE, owner, status),))
    used = {name_of(r) for r in history.revisions if any(is_updated(p, hash_of(r, HASH)) for p in claimed.pods)}
    kept = used | {name_of(history.update)}
    stages.append(superfluous(history.revisions, kept, owner["spec"].get("revisionHistoryLimit", 10)))
    moments = [available_at(pod, owner["spec"].get("minReadySeconds") or 0) for pod in claimed.pods]
    return Outcome(
        tuple(stage for stage in stages if stage),
        tuple(plan.events),
        wake_at=earliest(plan.wake_at, *(m for m in moments if m is not None and m > look.now)),
        memory=tuple(sorted(plan.failures.items())) or None,
    )


def _as_plan(moves: Exchange) -> _Plan:
    return _Plan(list(moves.nodes), list(moves.doomed), [], {})


def _writes(look: Look, owner: JsonObject, plan: _Plan, digest: str) -> Iterable[Stage]:
    creations = [
        _creation(owner, new_pod(owner, node, digest, look.ids.suffix())) for node in plan.nodes[:MOST_AT_ONCE]
    ]
    deletions = tuple(deletion_wish(owner, pod) for pod in plan.doomed[:MOST_AT_ONCE])
    return (*slow_start(creations), deletions)


def _creation(owner: JsonObject, pod: JsonObject) -> Wish:
    name = name_of(pod)
    return Wish(
        Write("create", "pods", namespace_of(owner), name, pod),
        ObjectEvent(owner, "Normal", "SuccessfulCreate", f"Created pod: {name}"),
        ObjectEvent(owner, "Warning", "FailedCreate", "Error creating: "),
    )


# ------------------------------------------------------------------------------------------------ node by node


def _plan(
    look: Look, owner: JsonObject, nodes: Sequence[JsonObject], pods: dict[str, list[JsonObject]], digest: str
) -> _Plan:
    failures = dict(look.memory) if isinstance(look.memory, tuple) else {}
    plan = _Plan([], [], [], failures)
    for node in nodes:
        name = name_of(node)
        rule = belongs(owner, node)
        there = pods.get(name, [])
        if rule.should_run and not there:
            plan.nodes.append(name)
        elif rule.may_stay:
            plan = _tidied(look, owner, name, there, digest, plan, is_wanted=rule.should_run)
        else:
            plan.doomed.extend(pod for pod in there if not is_being_deleted(pod))
    known = {name_of(node) for node in nodes}
    for name, strays in pods.items():
        # Bound pods of a vanished node are the pod garbage collector's.
        plan.doomed.extend(
            pod for pod in strays if name not in known and not pod["spec"].get("nodeName") and not is_being_deleted(pod)
        )
    return plan


def _tidied(
    look: Look,
    owner: JsonObject,
    node: str,
    pods: Sequence[JsonObject],
    digest: str,
    plan: _Plan,
    *,
    is_wanted: bool,
) -> _Plan:
    """Ended pods are deleted, failed ones ever more slowly; of several that run, one stays."""
    running: list[JsonObject] = []
    for pod in pods:
        if is_being_deleted(pod):
            continue
        where = f"daemon pod {look.key[0]}/{name_of(pod)} on node {node}"
        if phase_of(pod) == "Failed":
            may = _may_delete_at(plan.failures.get(node), look.now)
            if look.now < may:
                plan = plan._replace(wake_at=earliest(plan.wake_at, may))
                continue
            plan.failures[node] = _next_failure(plan.failures.get(node), look.now)
            text = f"Found failed {where}, will try to kill it"
            plan.events.append(ObjectEvent(owner, "Warning", "FailedDaemonPod", text))
            plan.doomed.append(pod)
        elif phase_of(pod) == "Succeeded":
            text = f"Found succeeded {where}, will try to delete it"
            plan.events.append(ObjectEvent(owner, "Normal", "SucceededDaemonPod", text))
            plan.doomed.append(pod)
        else:
            running.append(pod)
    if not running and is_wanted and surge_of(owner, 1):
        # While surging, a pod that goes does not hold up the next.
        plan.nodes.append(node)
    plan.doomed.extend(_doubles(owner, running, digest, look.now))
    return plan


def _doubles(owner: JsonObject, running: Sequence[JsonObject], digest: str, now: datetime) -> list[JsonObject]:
    """Of several pods of a node the oldest stays; while surging, the oldest of each template until the new one is available."""
    if surge_of(owner, 1) == 0:
        return list(running[1:])
    minimum = owner["spec"].get("minReadySeconds") or 0
    new = [pod for pod in running if is_updated(pod, digest)]
    old = [pod for pod in running if not is_updated(pod, digest)]
    doomed = new[1:] + old[1:]
    if new and old and (not is_ready(old[0]) or is_available(new[0], minimum, now)):
        doomed.append(old[0])
    return doomed


def _may_delete_at(failure: Failure | None, now: datetime) -> datetime:
    if failure is None or now - failure.since > 2 * LAST_DELAY:
        return now
    return failure.since + failure.delay


def _next_failure(failure: Failure | None, now: datetime) -> Failure:
    if failure is None or now - failure.since > 2 * LAST_DELAY:
        return Failure(FIRST_DELAY, now)
    return Failure(min(failure.delay * 2, LAST_DELAY), now)


DAEMON_SET = Controller("daemon-set", "daemonset-controller", (RESOURCE, "pods", "nodes"), _keys, reconcile, ("nodes",))
