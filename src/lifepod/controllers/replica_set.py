"""ReplicaSets: as many active pods as asked for, and how many of them are ready and available. ReplicationControllers do
the same under their own name.

Key: (namespace, name). Source: k8s.io/kubernetes v1.34.4 pkg/controller/replicaset/replica_set.go: syncReplicaSet,
manageReplicas; replica_set_utils.go: calculateStatus; pkg/controller/replication/replication_controller.go: NewReplicationManager
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.controllers.job_manage import deletion_wish
from lifepod.controllers.outcome import (
    NOTHING,
    Change,
    Controller,
    Look,
    ObjectEvent,
    Outcome,
    Refused,
    Stage,
    Wish,
    earliest,
    slow_start,
    status_wish,
)
from lifepod.controllers.ownership import (
    controlled,
    controller_of,
    is_being_deleted,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from lifepod.controllers.pod_claims import claimed_pods
from lifepod.controllers.pod_facts import (
    available_at,
    generated_name,
    is_active,
    is_available,
    is_ready,
    pod_from_template,
)
from lifepod.controllers.pod_owner_keys import pod_owner_keys
from lifepod.controllers.pod_ranking import deletion_order
from lifepod.controllers.view import Key, View

RESOURCE = "replicasets.apps"
PLAIN = "replicationcontrollers"
MOST_AT_ONCE = 500
MANY_PODS = 100
BATCH_PERIOD = timedelta(seconds=1)


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return (key_of(change.obj),)
    return pod_owner_keys(change, "ReplicaSet", "apps", RESOURCE)


def _plain_keys(change: Change) -> Iterable[Key]:
    if change.resource == PLAIN:
        return (key_of(change.obj),)
    return pod_owner_keys(change, "ReplicationController", "", PLAIN)


def reconcile(look: Look, resource: str = RESOURCE) -> Outcome:
    """Create or delete pods until the number is right, then say what there is."""
    owner = look.view.get(resource, look.key[0], look.key[1])
    if owner is None:
        return NOTHING
    claimed = claimed_pods(look.view, owner)
    active = [pod for pod in claimed.pods if is_active(pod)]
    stages: list[Stage] = [claimed.writes] if claimed.writes else []
    status, wake_at = _status(owner, active, look.now)
    conditions = _with_failure(owner, look.refused, len(active), look.now)
    if conditions:
        status["conditions"] = conditions
    told: tuple[Stage, ...] = ()
    if status != (owner.get("status") or {}):
        told = ((status_wish(resource, owner, status),),)
    moves = () if is_being_deleted(owner) else _manage(look, owner, active)
    # After a refusal the status goes first: the next attempt may well be refused again.
    stages += (*told, *moves) if look.refused is not None else (*moves, *told)
    not_before = look.now + BATCH_PERIOD if len(active) > MANY_PODS else None
    return Outcome(tuple(stages), wake_at=wake_at, not_before=not_before)


def _manage(look: Look, owner: JsonObject, active: Sequence[JsonObject]) -> tuple[Stage, ...]:
    missing = owner["spec"].get("replicas", 1) - len(active)
    if missing > 0:
        return slow_start([_creation(owner, look.ids.suffix()) for _ in range(min(missing, MOST_AT_ONCE))])
    if missing < 0:
        ranks = _crowding(look.view, owner, active)
        doomed = deletion_order(active, look.now, ranks)[: min(-missing, MOST_AT_ONCE)]
        return (tuple(deletion_wish(owner, pod) for pod in doomed),)
    return ()


def _creation(owner: JsonObject, suffix: str) -> Wish:
    prefix = f"{name_of(owner)}-"
    name = generated_name(prefix, suffix)
    pod = pod_from_template(owner, owner["spec"]["template"], prefix, name)
    return Wish(
        Write("create", "pods", namespace_of(owner), name, pod),
        ObjectEvent(owner, "Normal", "SuccessfulCreate", f"Created pod: {name}"),
        ObjectEvent(owner, "Warning", "FailedCreate", "Error creating: "),
    )


def _crowding(view: View, owner: JsonObject, active: Sequence[JsonObject]) -> dict[str, int]:
    """For each pod how many active pods of the same Deployment share its node: doubled-up ones go first.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/replicaset/replica_set.go: getPodsRankedByRelatedPodsOnSameNode
    """
    related = list(active)
    reference = controller_of(owner)
    if reference is not None:
        for sibling in view.owned_by(str(reference.get("uid", "")), RESOURCE):
            if uid_of(sibling) != uid_of(owner):
                related += [pod for pod in controlled(view, sibling, "pods") if is_active(pod)]
    per_node = Counter(pod["spec"].get("nodeName") for pod in related if pod["spec"].get("nodeName"))
    return {uid_of(pod): per_node.get(pod["spec"].get("nodeName"), 0) for pod in active}


def _status(owner: JsonObject, active: Sequence[JsonObject], now: datetime) -> tuple[JsonObject, datetime | None]:
    """The counts, zeros left out, and when the next pod becomes available."""
    minimum = owner["spec"].get("minReadySeconds") or 0
    wanted = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    counts = {
        "fullyLabeledReplicas": sum(1 for pod in active if wanted.items() <= labels_of(pod).items()),
        "readyReplicas": sum(1 for pod in active if is_ready(pod)),
        "availableReplicas": sum(1 for pod in active if is_available(pod, minimum, now)),
        "observedGeneration": owner["metadata"].get("generation", 0),
    }
    status: JsonObject = {"replicas": len(active), **{name: count for name, count in counts.items() if count}}
    coming = [available_at(pod, minimum) for pod in active]
    return status, earliest(*(moment for moment in coming if moment is not None and moment > now))


def _with_failure(owner: JsonObject, refused: Refused | None, active: int, now: datetime) -> list[JsonObject]:
    """The conditions: ReplicaFailure while pods cannot be created or deleted, in the words of the first refusal.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/replicaset/replica_set_utils.go: calculateStatus
    """
    before: list[JsonObject] = (owner.get("status") or {}).get("conditions") or []
    others = [c for c in before if c.get("type") != "ReplicaFailure"]
    if refused is None or refused.write.resource != "pods" or refused.write.verb not in ("create", "delete"):
        return others
    if len(others) != len(before):
        return before
    made = {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": format_time(now),
        "reason": "FailedCreate" if active < owner["spec"].get("replicas", 1) else "FailedDelete",
        "message": refused.message,
    }
    return [*others, made]


REPLICA_SET = Controller("replica-set", "replicaset-controller", (RESOURCE, "pods"), _keys, reconcile)
REPLICATION_CONTROLLER = Controller(
    "replication-controller", "replication-controller", (PLAIN, "pods"), _plain_keys, partial(reconcile, resource=PLAIN)
)
