"""Deployments: one ReplicaSet per template, rolled over as the strategy says, with revisions to go back to.

Each look makes one kind of step (make the new ReplicaSet, scale up, scale down, clean up) and then says what there is; what
the step changes leads to the next look. Key: (namespace, name).
Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/{deployment_controller,sync,rolling,recreate,progress}.go
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.deployment_arithmetic import (
    DESIRED,
    MAXIMUM,
    fenceposts,
    new_replicas,
    old_targets,
    replicas_of,
    scaled_in_proportion,
)
from lifepod.controllers.deployment_status import (
    has_deadline,
    is_complete,
    progressing,
    set_condition,
    status_of,
    times_out_at,
    with_failures,
    with_progress,
)
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
from lifepod.controllers.ownership import (
    annotations_of,
    by_age,
    controlled,
    controller_key,
    controller_reference,
    is_being_deleted,
    key_of,
    name_of,
    namespace_of,
)
from lifepod.controllers.pod_facts import is_finished
from lifepod.controllers.template_hash import template_hash
from lifepod.controllers.view import Key

RESOURCE = "deployments.apps"
REPLICA_SETS = "replicasets.apps"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HASH = "pod-template-hash"
NOT_CREATED = "ReplicaSetCreateError"
NOT_COPIED = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
        "deprecated.deployment.rollback.to",
    )
)


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return (key_of(change.obj),)
    if change.resource == REPLICA_SETS:
        key = controller_key(change.obj, "Deployment", "apps")
        return (key,) if key else ()
    # Recreate waits for the last pod of the old ReplicaSets.
    owner = (
        controller_key(change.obj, "ReplicaSet", "apps")
        if change.type == "DELETED" or is_finished(change.obj)
        else None
    )
    replica_set = change.view.get(REPLICA_SETS, owner[0], owner[1]) if owner else None
    key = controller_key(replica_set, "Deployment", "apps") if replica_set else None
    return (key,) if key else ()


class _Sets(NamedTuple):
    """A Deployment with its ReplicaSets, oldest first."""

    deployment: JsonObject
    new: JsonObject | None
    old: list[JsonObject]

    @property
    def every(self) -> list[JsonObject]:
        return [*self.old, self.new] if self.new else self.old


def reconcile(look: Look) -> Outcome:
    """One step of a Deployment."""
    deployment = look.view.get(RESOURCE, look.key[0], look.key[1])
    if deployment is None:
        return NOTHING
    ordered = by_age(controlled(look.view, deployment, REPLICA_SETS))
    new = next((rs for rs in ordered if is_same_template(rs, deployment)), None)
    sets = _Sets(deployment, new, [rs for rs in ordered if rs is not new])
    if is_being_deleted(deployment):
        return _told(look, sets, (), with_rollout=False)
    paused = _pause_condition(look, deployment)
    if paused is not None:
        return paused
    fix = _revision_fix(look, sets)
    if fix:
        return Outcome(fix)
    if deployment["spec"].get("paused"):
        return _told(look, sets, _scaling(sets) or _clean_up(sets), with_rollout=False)
    if _is_scaling_event(sets):
        return _told(look, sets, _scaling(sets), with_rollout=False)
    recreate = (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
    return _recreate(look, sets) if recreate else _roll(look, sets)


def is_same_template(replica_set: JsonObject, deployment: JsonObject) -> bool:
    """Whether a ReplicaSet was made of the Deployment's present template; the hash label does not count."""
    return _unhashed(replica_set["spec"]["template"]) == _unhashed(deployment["spec"]["template"])


def _unhashed(template: JsonObject) -> JsonObject:
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {"metadata": {k: v for k, v in metadata.items() if v}, "spec": template.get("spec")}


# ------------------------------------------------------------------------------------------------ strategies


def _roll(look: Look, sets: _Sets) -> Outcome:
    """Rolling update: the new up within the surge, then the old down within what may be unavailable."""
    if sets.new is None:
        return _create_new(look, sets)
    deployment, new = sets.deployment, sets.new
    want = replicas_of(deployment)
    have = replicas_of(new)
    target = want if have > want else new_replicas(deployment, sets.every, have)
    if target != have:
        return _told(look, sets, ((_scale(deployment, new, target),),))
    down = old_targets(deployment, new, sets.old)
    if down:
        return _told(look, sets, (_scale_all(deployment, sets.old, down),))
    return _told(look, sets, _clean_up(sets) if is_complete(deployment, deployment.get("status") or {}) else ())


def _recreate(look: Look, sets: _Sets) -> Outcome:
    """All old pods first go, really; then the new ReplicaSet comes at full size."""
    deployment = sets.deployment
    live = {name_of(rs): 0 for rs in sets.old if replicas_of(rs) > 0}
    if live:
        return _told(look, sets, (_scale_all(deployment, sets.old, live),))
    old_pods = [pod for rs in sets.old for pod in controlled(look.view, rs, "pods") if not is_finished(pod)]
    if old_pods:
        return _told(look, sets, ())
    if sets.new is None:
        return _create_new(look, sets)
    if replicas_of(sets.new) != replicas_of(deployment):
        return _told(look, sets, ((_scale(deployment, sets.new, replicas_of(deployment)),),))
    return _told(look, sets, _clean_up(sets) if is_complete(deployment, deployment.get("status") or {}) else ())


def _is_scaling_event(sets: _Sets) -> bool:
    """Whether the Deployment was scaled since its active ReplicaSets were last sized."""
    want = str(replicas_of(sets.deployment))
    return any(replicas_of(rs) > 0 and annotations_of(rs).get(DESIRED, want) != want for rs in sets.every)


def _scaling(sets: _Sets) -> tuple[Stage, ...]:
    """Size the ReplicaSets for a new number of replicas, without rolling anything out.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: scale
    """
    deployment = sets.deployment
    active = [rs for rs in sets.every if replicas_of(rs) > 0]
    want = replicas_of(deployment)
    if len(active) <= 1:
        only = active[0] if active else sets.new or (sets.old[-1] if sets.old else None)
        if only is None or (replicas_of(only) == want and annotations_of(only).get(DESIRED) == str(want)):
            return ()
        return ((_scale(deployment, only, want),),)
    new = sets.new
    if new is not None and replicas_of(new) == want == int((new.get("status") or {}).get("availableReplicas") or 0):
        live = {name_of(rs): 0 for rs in sets.old if replicas_of(rs) > 0}
        return (_scale_all(deployment, sets.old, live),) if live else ()
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return ()
    targets = {name_of(rs): replicas_of(rs) for rs in active} | scaled_in_proportion(deployment, active)
    wishes = tuple(
        _scale(deployment, rs, targets[name_of(rs)])
        for rs in active
        if targets[name_of(rs)] != replicas_of(rs) or annotations_of(rs).get(DESIRED) != str(want)
    )
    return (wishes,) if wishes else ()


def _scale_all(deployment: JsonObject, sets: Sequence[JsonObject], targets: dict[str, int]) -> Stage:
    return tuple(_scale(deployment, rs, targets[name_of(rs)]) for rs in sets if name_of(rs) in targets)


def _scale(deployment: JsonObject, replica_set: JsonObject, target: int) -> Wish:
    """Resize a ReplicaSet, note for what size of Deployment, and tell (unless only the note changes)."""
    have = replicas_of(replica_set)
    metadata = {
        **replica_set["metadata"],
        "annotations": {**annotations_of(replica_set), **_size_annotations(deployment)},
    }
    body = {**replica_set, "metadata": metadata, "spec": {**replica_set["spec"], "replicas": target}}
    event = None
    if target != have:
        word = "up" if target > have else "down"
        text = f"Scaled {word} replica set {name_of(replica_set)} from {have} to {target}"
        event = ObjectEvent(deployment, "Normal", "ScalingReplicaSet", text)
    return Wish(Write("update", REPLICA_SETS, namespace_of(deployment), name_of(replica_set), body), event)


def _size_annotations(deployment: JsonObject) -> dict[str, str]:
    want = replicas_of(deployment)
    return {DESIRED: str(want), MAXIMUM: str(want + fenceposts(deployment)[0])}


# ------------------------------------------------------------------------------------------------ the new ReplicaSet


def _create_new(look: Look, sets: _Sets) -> Outcome:
    """Make the ReplicaSet of the present template, at the size that the surge allows.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: getNewReplicaSet
    """
    deployment = sets.deployment
    namespace, name = look.key
    status = deployment.get("status") or {}
    template = deployment["spec"]["template"]
    digest = template_hash(template, status.get("collisionCount") or 0)
    full = f"{name}-{digest}"
    if look.view.get(REPLICA_SETS, namespace, full) is not None:
        # Another template, or another owner, has the name: the next look takes another hash.
        collided = {"status": {"collisionCount": (status.get("collisionCount") or 0) + 1}}
        return Outcome(((Wish(Write("patch", RESOURCE, namespace, name, collided, subresource="status")),),))
    revision = str(_highest_revision(sets.old) + 1)
    size = new_replicas(deployment, sets.old, 0)
    replica_set = _new_replica_set(deployment, full, digest, revision, size)
    event = None
    if size > 0:
        text = f"Scaled up replica set {full} from 0 to {size}"
        event = ObjectEvent(deployment, "Normal", "ScalingReplicaSet", text)
    failed = f'Failed to create new replica set "{full}": '
    stages: list[Stage] = _told_of_refusal(look, deployment, failed)
    otherwise = ObjectEvent(deployment, "Warning", NOT_CREATED, failed)
    stages.append((Wish(Write("create", REPLICA_SETS, namespace, full, replica_set), event, otherwise),))
    # Through the status, as upstream does: there annotations may change without a new generation.
    told: JsonObject = {"metadata": {"annotations": {REVISION: revision}}}
    if has_deadline(deployment):
        text = f'Created new replica set "{full}"'
        conditions = set_condition(
            status.get("conditions") or [], "Progressing", "True", "NewReplicaSetCreated", text, look.now
        )
        told["status"] = {"conditions": conditions}
    stages.append((Wish(Write("patch", RESOURCE, namespace, name, told, subresource="status")),))
    return Outcome(tuple(stages))


def _told_of_refusal(look: Look, deployment: JsonObject, failed: str) -> list[Stage]:
    """That the ReplicaSet could not be made the last time, before it is tried again."""
    refused = look.refused
    if refused is None or (refused.write.verb, refused.write.resource) != ("create", REPLICA_SETS):
        return []
    conditions = (deployment.get("status") or {}).get("conditions") or []
    told = set_condition(conditions, "Progressing", "False", NOT_CREATED, failed + refused.message, look.now)
    if not has_deadline(deployment) or told == conditions:
        return []
    patch = {"status": {"conditions": told}}
    return [(Wish(Write("patch", RESOURCE, look.key[0], look.key[1], patch, subresource="status")),)]


def _new_replica_set(deployment: JsonObject, name: str, digest: str, revision: str, size: int) -> JsonObject:
    template = deployment["spec"]["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest}
    selector = deployment["spec"]["selector"]
    spec: JsonObject = {
        "replicas": size,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: digest}},
        "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": {**_copied_annotations(deployment), **_size_annotations(deployment), REVISION: revision},
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": spec,
    }


def _copied_annotations(deployment: JsonObject) -> dict[str, str]:
    """The Deployment's annotations that its ReplicaSets have too."""
    return {k: v for k, v in annotations_of(deployment).items() if k not in NOT_COPIED}


def _revision_of(replica_set: JsonObject) -> int:
    text = annotations_of(replica_set).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def _highest_revision(sets: Sequence[JsonObject]) -> int:
    return max((_revision_of(rs) for rs in sets), default=0)


def _revision_fix(look: Look, sets: _Sets) -> tuple[Stage, ...]:
    """What the new ReplicaSet and the Deployment lack to tell of each other, before anything is scaled.

    An old ReplicaSet that is the new one again (rollout undo) gets the next revision, and the Deployment shows it; the
    Deployment's annotations (`kubernetes.io/change-cause`) go on to the ReplicaSet; one that was found is told.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: getNewReplicaSet; util/deployment_util.go:
            SetNewReplicaSetAnnotations
    """
    new, deployment = sets.new, sets.deployment
    if new is None:
        return ()
    revision = _revision_of(new)
    stages: list[Stage] = []
    wanted = _highest_revision(sets.old) + 1
    changed: JsonObject = {}
    annotations = dict(_copied_annotations(deployment).items() - annotations_of(new).items())
    if revision < wanted:
        history = annotations_of(new).get(HISTORY, "")
        annotations[REVISION] = str(wanted)
        if revision:
            annotations[HISTORY] = f"{history},{revision}" if history else str(revision)
        revision = wanted
    if annotations:
        changed["metadata"] = {"annotations": annotations}
    minimum = deployment["spec"].get("minReadySeconds") or 0
    if (new["spec"].get("minReadySeconds") or 0) != minimum:
        changed["spec"] = {"minReadySeconds": minimum}
    if changed:
        stages.append((Wish(Write("patch", REPLICA_SETS, namespace_of(new), name_of(new), changed)),))
    patch: JsonObject = {}
    if annotations_of(deployment).get(REVISION) != str(revision):
        patch["metadata"] = {"annotations": {REVISION: str(revision)}}
    conditions = (deployment.get("status") or {}).get("conditions") or []
    if has_deadline(deployment) and progressing(conditions) is None:
        text = f'Found new replica set "{name_of(new)}"'
        told = set_condition(conditions, "Progressing", "True", "FoundNewReplicaSet", text, look.now)
        patch["status"] = {"conditions": told}
    if patch:
        write = Write("patch", RESOURCE, namespace_of(deployment), name_of(deployment), patch, subresource="status")
        stages.append((Wish(write),))
    return tuple(stages)


def _clean_up(sets: _Sets) -> tuple[Stage, ...]:
    """Delete the oldest empty ReplicaSets beyond revisionHistoryLimit."""
    limit = sets.deployment["spec"].get("revisionHistoryLimit", 10)
    kept = [rs for rs in sets.old if not is_being_deleted(rs)]
    excess = len(kept) - (10 if limit is None else limit)
    empty = [
        rs
        for rs in sorted(kept, key=_revision_of)[: max(0, excess)]
        if replicas_of(rs) == 0
        and not (rs.get("status") or {}).get("replicas")
        and (rs.get("status") or {}).get("observedGeneration", 0) >= rs["metadata"].get("generation", 0)
    ]
    wishes = tuple(Wish(Write("delete", REPLICA_SETS, namespace_of(rs), name_of(rs), {})) for rs in empty)
    return (wishes,) if wishes else ()


# ------------------------------------------------------------------------------------------------ what is said


def _pause_condition(look: Look, deployment: JsonObject) -> Outcome | None:
    """Pausing and resuming suspend the deadline, by a Progressing condition of status Unknown.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: checkPausedConditions
    """
    if not has_deadline(deployment):
        return None
    conditions = (deployment.get("status") or {}).get("conditions") or []
    current = progressing(conditions)
    if current is not None and current.get("reason") == "ProgressDeadlineExceeded":
        return None
    was_paused = current is not None and current.get("reason") == "DeploymentPaused"
    if deployment["spec"].get("paused") and not was_paused:
        new = set_condition(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", look.now)
    elif not deployment["spec"].get("paused") and was_paused:
        new = set_condition(
            conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", look.now
        )
    else:
        return None
    status = {**(deployment.get("status") or {}), "conditions": new}
    return Outcome(((status_wish(RESOURCE, deployment, status),),))


def _told(look: Look, sets: _Sets, stages: tuple[Stage, ...], *, with_rollout: bool = True) -> Outcome:
    """The step, then the status as it was before it; the step's own changes lead to the next look.

    Progressing and ReplicaFailure belong to rolling out: while scaling, paused or being deleted they stay as they are.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: syncDeploymentStatus; progress.go: syncRolloutStatus
    """
    deployment = sets.deployment
    status = status_of(deployment, sets.new, sets.every, look.now)
    if with_rollout:
        status = with_progress(deployment, sets.new, status, look.now)
        status = with_failures(status, sets.every, sets.new, look.now)
    if status != (deployment.get("status") or {}):
        stages = (*stages, (status_wish(RESOURCE, deployment, status),))
    late = times_out_at(deployment, status)
    return Outcome(stages, wake_at=late + timedelta(seconds=1) if late is not None and late >= look.now else None)


DEPLOYMENT = Controller("deployment", "deployment-controller", (RESOURCE, REPLICA_SETS, "pods"), _keys, reconcile)
