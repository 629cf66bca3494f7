"""StatefulSets: pods with stable names and claims, made and removed in order, updated from the last one down.

Key: (namespace, name). Source: k8s.io/kubernetes v1.34.4 pkg/controller/statefulset/stateful_set_control.go: updateStatefulSet,
processReplica, processCondemned, updateStatefulSetStatus; stateful_pod_control.go (events)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.claims import CLAIMS
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
from lifepod.controllers.ownership import is_being_deleted, key_of, name_of, namespace_of, uid_of
from lifepod.controllers.pod_claims import claimed_pods
from lifepod.controllers.pod_facts import available_at, is_finished, phase_of
from lifepod.controllers.pod_owner_keys import pod_owner_keys
from lifepod.controllers.revision_history import CONTROLLER_HASH, history_of, superfluous, template_of
from lifepod.controllers.stateful_pods import (
    claim_name,
    claim_owner_patch,
    claim_templates,
    identity_patch,
    is_running_and_ready,
    is_stale,
    is_unavailable,
    new_claims,
    new_pod,
    ordinal_of,
    revision_of,
    start_ordinal,
)
from lifepod.controllers.stateful_status import completed, counted
from lifepod.controllers.view import Key, View

RESOURCE = "statefulsets.apps"


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return (key_of(change.obj),)
    if change.resource == CLAIMS:
        # A claim that is gone is what a new pod of the same name may wait for.
        gone = change.type == "DELETED"
        return [key_of(owner) for owner in change.view.list(RESOURCE, namespace_of(change.obj))] if gone else ()
    return pod_owner_keys(change, "StatefulSet", "apps", RESOURCE)


class _Picture(NamedTuple):
    """One set: `replicas` by ordinal from the first (None: missing), `condemned` from the last down."""

    view: View
    owner: JsonObject
    current: JsonObject
    update: JsonObject
    replicas: list[JsonObject | None]
    condemned: list[JsonObject]
    now: datetime

    @property
    def in_order(self) -> bool:
        return bool(self.owner["spec"].get("podManagementPolicy") != "Parallel")

    @property
    def minimum(self) -> int:
        return self.owner["spec"].get("minReadySeconds") or 0

    @property
    def strategy(self) -> JsonObject:
        strategy: JsonObject = self.owner["spec"].get("updateStrategy") or {}
        return strategy

    @property
    def partition(self) -> int:
        return int((self.strategy.get("rollingUpdate") or {}).get("partition") or 0)


class _Step(NamedTuple):
    """What is done now. `is_blocked`: nothing further may be done before that has come about."""

    claims: Stage = ()
    pods: Stage = ()
    is_blocked: bool = False


def reconcile(look: Look) -> Outcome:
    """One step of a set: in order at most one pod, in parallel all at once; then what there is."""
    owner = look.view.get(RESOURCE, look.key[0], look.key[1])
    if owner is None:
        return NOTHING
    claimed = claimed_pods(look.view, owner, lambda pod: ordinal_of(owner, pod) >= 0)
    history = history_of(look.view, owner, CONTROLLER_HASH)
    told = (owner.get("status") or {}).get("currentRevision")
    current = next((r for r in history.revisions if name_of(r) == told), history.update)
    picture = _picture(look, owner, claimed.pods, current, history.update)
    stages: list[Stage] = [claimed.writes, *history.writes]
    updating: Stage = ()
    if not is_being_deleted(owner):
        steps, updating = _steps(picture)
        stages += steps
    status = counted(owner, claimed.pods, name_of(current), name_of(history.update), look.now)
    status["collisionCount"] = history.collisions
    if updating:
        status["currentReplicas"] = max(0, status["currentReplicas"] - 1)
    status = completed(owner, status)
    if status != (owner.get("status") or {}):
        stages.append((status_wish(RESOURCE, owner, status),))
    used = {name_of(current), name_of(history.update), *map(revision_of, claimed.pods)}
    stages.append(superfluous(history.revisions, used, owner["spec"].get("revisionHistoryLimit", 10)))
    moments = [available_at(pod, picture.minimum) for pod in claimed.pods]
    return Outcome(
        tuple(stage for stage in stages if stage),
        wake_at=earliest(*(moment for moment in moments if moment is not None and moment > look.now)),
    )


def _picture(
    look: Look, owner: JsonObject, pods: Sequence[JsonObject], current: JsonObject, update: JsonObject
) -> _Picture:
    start, count = start_ordinal(owner), owner["spec"].get("replicas", 1)
    replicas: list[JsonObject | None] = [None] * count
    condemned: list[JsonObject] = []
    for pod in pods:
        ordinal = ordinal_of(owner, pod)
        if start <= ordinal < start + count:
            replicas[ordinal - start] = pod
        else:
            condemned.append(pod)
    condemned.sort(key=lambda pod: ordinal_of(owner, pod), reverse=True)
    return _Picture(look.view, owner, current, update, replicas, condemned, look.now)


def _steps(picture: _Picture) -> tuple[list[Stage], Stage]:
    """Replicas, then what is too much, then the update: each only when what comes before holds nothing up."""
    stages, is_blocked = _joined(picture, [_replica(picture, i) for i in _until_blocked(picture)])
    if is_blocked:
        return stages, ()
    stages.append(_retention(picture))
    doomed: list[_Step] = []
    for pod in picture.condemned:
        doomed.append(_condemned(picture, pod))
        if picture.in_order and doomed[-1].is_blocked:
            break
    removal, is_blocked = _joined(picture, doomed)
    stages += removal
    if is_blocked or picture.strategy.get("type") == "OnDelete":
        return stages, ()
    updating = _update(picture)
    return [*stages, updating], updating


def _until_blocked(picture: _Picture) -> Iterable[int]:
    """The replicas to look at: in order, none after the first that is not yet as it should be."""
    for index in range(len(picture.replicas)):
        yield index
        if picture.in_order and _replica(picture, index).is_blocked:
            return


def _joined(picture: _Picture, steps: Sequence[_Step]) -> tuple[list[Stage], bool]:
    claims = tuple(wish for step in steps for wish in step.claims)
    pods = [wish for step in steps for wish in step.pods]
    return [claims, *slow_start(pods)], picture.in_order and any(step.is_blocked for step in steps)


def _replica(picture: _Picture, index: int) -> _Step:
    """What one replica needs. In order it blocks the later ones until it is available."""
    owner, pod = picture.owner, picture.replicas[index]
    ordinal = start_ordinal(owner) + index
    if pod is None:
        return _creation(picture, ordinal)
    if is_finished(pod):
        # Whatever the exit code: pods of a set are to run. The new one comes once this one is gone.
        return _Step(pods=() if is_being_deleted(pod) else (_deletion(owner, pod),), is_blocked=True)
    claims = tuple(_missing_claims(picture, ordinal)) if phase_of(pod) == "Pending" else ()
    if not is_running_and_ready(pod) or is_unavailable(pod, picture.minimum, picture.now):
        return _Step(claims, is_blocked=True)
    repair = identity_patch(owner, pod, ordinal)
    return _Step(
        claims, (Wish(repair, *_events(owner, pod, "update", "SuccessfulUpdate", "FailedUpdate")),) if repair else ()
    )


def _creation(picture: _Picture, ordinal: int) -> _Step:
    """The claims that are missing, then the pod, of the revision that its ordinal should have."""
    owner = picture.owner
    for template in claim_templates(owner):
        claim = picture.view.get(CLAIMS, namespace_of(owner), claim_name(owner, template, ordinal))
        if claim is not None and is_stale(claim):
            return _Step(is_blocked=True)
    keeps_current = picture.strategy.get("type") != "OnDelete" and ordinal < start_ordinal(owner) + picture.partition
    revision = picture.current if keeps_current else picture.update
    pod = new_pod(owner, template_of(revision), ordinal, name_of(revision))
    wish = Wish(
        Write("create", "pods", namespace_of(owner), name_of(pod), pod),
        *_events(owner, pod, "create", "SuccessfulCreate", "FailedCreate"),
    )
    return _Step(tuple(_missing_claims(picture, ordinal)), (wish,), is_blocked=True)


def _missing_claims(picture: _Picture, ordinal: int) -> Iterable[Wish]:
    owner = picture.owner
    for claim in new_claims(owner, ordinal):
        name = name_of(claim)
        if picture.view.get(CLAIMS, namespace_of(owner), name) is None:
            text, pod = f"create Claim {name}", f"Pod {name_of(owner)}-{ordinal} in StatefulSet {name_of(owner)}"
            yield Wish(
                Write("create", CLAIMS, namespace_of(owner), name, claim),
                ObjectEvent(owner, "Normal", "SuccessfulCreate", f"{text} {pod} success"),
                ObjectEvent(owner, "Warning", "FailedCreate", f"{text} for {pod} failed error: "),
            )


def _condemned(picture: _Picture, pod: JsonObject) -> _Step:
    """One pod that is too much: in order it goes alone, and only when all that stay, or it itself, allow it."""
    if is_being_deleted(pod):
        return _Step(is_blocked=True)
    if (
        picture.in_order
        and is_unavailable(pod, picture.minimum, picture.now)
        and pod is not _first_unavailable(picture)
    ):
        return _Step(is_blocked=True)
    return _Step(pods=(_deletion(picture.owner, pod),), is_blocked=True)


def _first_unavailable(picture: _Picture) -> JsonObject | None:
    every = [pod for pod in picture.replicas if pod is not None] + picture.condemned[::-1]
    return next((pod for pod in every if is_unavailable(pod, picture.minimum, picture.now)), None)


def _update(picture: _Picture) -> Stage:
    """The last pod of another revision goes, once all after it are available again; none below the partition."""
    for pod in picture.replicas[: picture.partition - 1 if picture.partition else None : -1]:
        if pod is None:
            return ()
        if revision_of(pod) != name_of(picture.update) and not is_being_deleted(pod):
            return (_deletion(picture.owner, pod),)
        if is_unavailable(pod, picture.minimum, picture.now):
            return ()
    return ()


def _retention(picture: _Picture) -> Stage:
    """Owner references on claims, as the retention policy asks for."""
    wishes: list[Wish] = []
    rows = [(pod, False) for pod in picture.replicas if pod is not None] + [(pod, True) for pod in picture.condemned]
    for pod, condemned in rows:
        for template in claim_templates(picture.owner):
            name = claim_name(picture.owner, template, ordinal_of(picture.owner, pod))
            claim = picture.view.get(CLAIMS, namespace_of(picture.owner), name)
            patch = claim_owner_patch(picture.owner, pod, claim, condemned=condemned) if claim is not None else None
            if patch is not None:
                wishes.append(Wish(patch))
    return tuple(wishes)


def _deletion(owner: JsonObject, pod: JsonObject) -> Wish:
    write = Write("delete", "pods", namespace_of(pod), name_of(pod), {"preconditions": {"uid": uid_of(pod)}})
    return Wish(write, *_events(owner, pod, "delete", "SuccessfulDelete", "FailedDelete"))


def _events(
    owner: JsonObject, pod: JsonObject, verb: Literal["create", "update", "delete"], good: str, bad: str
) -> tuple[ObjectEvent, ObjectEvent]:
    """How upstream tells of what it did with a pod. Source: stateful_pod_control.go: recordPodEvent"""
    text = f"{verb} Pod {name_of(pod)} in StatefulSet {name_of(owner)}"
    return (
        ObjectEvent(owner, "Normal", good, f"{text} successful"),
        ObjectEvent(owner, "Warning", bad, f"{text} failed error: "),
    )


STATEFUL_SET = Controller("stateful-set", "statefulset-controller", (RESOURCE, "pods", CLAIMS), _keys, reconcile)
