"""Which old pods of a DaemonSet go next, and which nodes get a new one beside the old (surge).

Source: k8s.io/kubernetes v1.34.4 pkg/controller/daemon/update.go: rollingUpdate, findUpdatedPodsOnNode
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.daemon_pods import belongs, is_updated
from lifepod.controllers.deployment_arithmetic import portion
from lifepod.controllers.ownership import is_being_deleted, name_of
from lifepod.controllers.pod_facts import is_available


class Exchange(NamedTuple):
    """Nodes that get a new pod, old pods that are deleted."""

    nodes: tuple[str, ...] = ()
    doomed: tuple[JsonObject, ...] = ()


def surge_of(owner: JsonObject, desired: int) -> int:
    """How many nodes may have an old and a new pod at once."""
    return portion(_rolling(owner).get("maxSurge"), desired, round_up=True)


def _rolling(owner: JsonObject) -> JsonObject:
    strategy = owner["spec"].get("updateStrategy") or {}
    return strategy.get("rollingUpdate") or {} if strategy.get("type") != "OnDelete" else {}


def exchange(
    owner: JsonObject,
    nodes: Sequence[JsonObject],
    pods: dict[str, list[JsonObject]],
    digest: str,
    now: datetime,
) -> Exchange:
    """One step of the rolling update; nothing for OnDelete."""
    if (owner["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        return Exchange()
    desired = [name_of(node) for node in nodes if belongs(owner, node).should_run]
    unavailable = portion(_rolling(owner).get("maxUnavailable", 1), len(desired), round_up=True)
    surge = surge_of(owner, len(desired))
    if surge == 0:
        # Both zero is refused by validation; a percentage of few nodes may still come out so.
        return _one_by_one(owner, desired, pods, digest, now, max(1, unavailable))
    return _side_by_side(owner, pods, digest, now, surge)


class _OnNode(NamedTuple):
    """The pod of the present template and the one of an older; `is_clear`: at most one of each."""

    new: JsonObject | None
    old: JsonObject | None
    is_clear: bool


def _on_node(pods: Sequence[JsonObject], digest: str) -> _OnNode:
    live = [pod for pod in pods if not is_being_deleted(pod)]
    new = [pod for pod in live if is_updated(pod, digest)]
    old = [pod for pod in live if not is_updated(pod, digest)]
    return _OnNode(new[0] if new else None, old[0] if old else None, len(new) < 2 and len(old) < 2)


def _one_by_one(
    owner: JsonObject,
    desired: Sequence[str],
    pods: dict[str, list[JsonObject]],
    digest: str,
    now: datetime,
    allowed: int,
) -> Exchange:
    """Old pods that are not available go at once, the others as far as enough stay available."""
    minimum = owner["spec"].get("minReadySeconds") or 0
    missing = sum(1 for node in desired if not pods.get(node))
    replaced: list[JsonObject] = []
    candidates: list[JsonObject] = []
    for node in sorted(pods):
        found = _on_node(pods[node], digest)
        if not found.is_clear or (found.new is None) == (found.old is None):
            missing += 1
        elif found.new is not None:
            missing += 0 if is_available(found.new, minimum, now) else 1
        elif found.old is not None and not is_available(found.old, minimum, now):
            missing += 1
            replaced.append(found.old)
        elif found.old is not None:
            candidates.append(found.old)
    return Exchange(doomed=(*replaced, *candidates[: max(0, allowed - missing)]))


def _side_by_side(
    owner: JsonObject, pods: dict[str, list[JsonObject]], digest: str, now: datetime, surge: int
) -> Exchange:
    """A new pod beside the old one; the old one goes once the new one is available."""
    minimum = owner["spec"].get("minReadySeconds") or 0
    surging = 0
    doomed: list[JsonObject] = []
    at_once: list[str] = []
    candidates: list[str] = []
    for node in sorted(pods):
        found = _on_node(pods[node], digest)
        if not found.is_clear:
            surging += 1
        elif found.old is None:
            continue
        elif found.new is None:
            (candidates if is_available(found.old, minimum, now) else at_once).append(node)
        elif is_available(found.new, minimum, now):
            doomed.append(found.old)
        else:
            surging += 1
    return Exchange((*at_once, *candidates[: max(0, surge - surging)]), tuple(doomed))
