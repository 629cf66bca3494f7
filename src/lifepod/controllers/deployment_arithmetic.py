"""How many pods each ReplicaSet of a Deployment should have: the sums behind rolling updates and scaling.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/util/deployment_util.go: NewRSNewReplicas, ResolveFenceposts,
        GetReplicaSetProportion; rolling.go: reconcileOldReplicaSets; sync.go: scale
"""

from __future__ import annotations

from collections.abc import Sequence

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import annotations_of, by_age, name_of

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


def replicas_of(obj: JsonObject) -> int:
    """spec.replicas."""
    count = obj["spec"].get("replicas")
    return 1 if count is None else int(count)


def available_of(replica_set: JsonObject) -> int:
    """status.availableReplicas."""
    return int((replica_set.get("status") or {}).get("availableReplicas") or 0)


def portion(value: int | str | None, total: int, *, round_up: bool) -> int:
    """A number or a percentage of `total`."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    percent = int(value.rstrip("%") or 0) * total
    return -(-percent // 100) if round_up else percent // 100


def fenceposts(deployment: JsonObject) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: surge rounds up, unavailable down, and never both 0."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    total = replicas_of(deployment)
    surge = portion(rolling.get("maxSurge", "25%"), total, round_up=True)
    unavailable = portion(rolling.get("maxUnavailable", "25%"), total, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, total) if total else unavailable


def new_replicas(deployment: JsonObject, current: Sequence[JsonObject], new: int) -> int:
    """What the new ReplicaSet may be scaled to, given what all have."""
    want = replicas_of(deployment)
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return want
    room = want + fenceposts(deployment)[0] - sum(replicas_of(rs) for rs in current)
    return new if room <= 0 else new + min(room, want - new)


def old_targets(deployment: JsonObject, new: JsonObject, old: Sequence[JsonObject]) -> dict[str, int]:
    """What the old ReplicaSets are scaled down to: first what is not available, then as far as enough stay available."""
    active = [rs for rs in by_age(old) if replicas_of(rs) > 0]
    minimum = replicas_of(deployment) - fenceposts(deployment)[1]
    total = sum(replicas_of(rs) for rs in (*active, new))
    allowed = total - minimum - (replicas_of(new) - available_of(new))
    targets: dict[str, int] = {}
    if allowed <= 0:
        return targets
    cleaned = 0
    for rs in active:
        sick = min(allowed - cleaned, replicas_of(rs) - available_of(rs))
        if sick > 0:
            targets[name_of(rs)] = replicas_of(rs) - sick
            cleaned += sick
    surplus = sum(available_of(rs) for rs in (*active, new)) - minimum
    for rs in active:
        have = targets.get(name_of(rs), replicas_of(rs))
        gone = min(surplus, have)
        if gone > 0:
            targets[name_of(rs)] = have - gone
            surplus -= gone
    return targets


def scaled_in_proportion(deployment: JsonObject, active: Sequence[JsonObject]) -> dict[str, int]:
    """A Deployment that is scaled while it rolls out: what is added or taken is shared out by size, largest first.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/sync.go: scale
    """
    allowed = replicas_of(deployment) + fenceposts(deployment)[0] if replicas_of(deployment) > 0 else 0
    to_add = allowed - sum(replicas_of(rs) for rs in active)
    newest_first = list(reversed(by_age(active)))
    order = sorted(newest_first if to_add > 0 else by_age(active), key=lambda rs: -replicas_of(rs))
    targets = {name_of(rs): replicas_of(rs) for rs in order}
    added = 0
    for rs in order:
        if to_add:
            share = _proportion(deployment, rs, allowed, to_add, added)
            targets[name_of(rs)] += share
            added += share
    if order:
        first = name_of(order[0])
        targets[first] = max(0, targets[first] + to_add - added)
    return {name_of(rs): targets[name_of(rs)] for rs in order if targets[name_of(rs)] != replicas_of(rs)}


def _proportion(deployment: JsonObject, rs: JsonObject, allowed: int, to_add: int, added: int) -> int:
    """The share of one ReplicaSet, within what is left; halves are rounded up.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/deployment/util/deployment_util.go: getReplicaSetFraction
    """
    size, left = replicas_of(rs), to_add - added
    text = annotations_of(rs).get(MAXIMUM, "")
    before = int(text) if text.isdigit() and int(text) else (deployment.get("status") or {}).get("replicas") or 0
    if size == 0 or (before == 0 and allowed):
        return 0
    share = (2 * size * allowed + before) // (2 * before) - size if allowed else -size
    return min(share, left) if to_add > 0 else max(share, left)
