"""Whether what a scenario expects of an object holds, and if not, how it is instead."""

from __future__ import annotations

from lifepod.api.objects import JsonObject, dig
from lifepod.api.table_pod import pod_status_text
from lifepod.assembly.cluster import Cluster
from lifepod.simulation.scenario import Expect


def unmet(cluster: Cluster, wanted: Expect) -> str:
    """Why it does not hold, in a sentence; "" when it does. A name may end in `*`: then all that fit are meant."""
    what = f"{wanted.resource.partition('.')[0]}/{wanted.name}"
    found = _found(cluster, wanted)
    words = [w for w in wanted.words if w[0] not in ("exists", "count")]
    for word, value in wanted.words:
        if word == "exists" and bool(found) != (value == "true"):
            return f"{what} {'exists' if found else 'does not exist'}"
        if word == "count":
            fitting = sum(1 for obj in found if all(_actual(obj, w) == v for w, v in words))
            if str(fitting) != value:
                return f"{fitting} of {what} are so, not {value}"
    if any(w in ("exists", "count") for w, _ in wanted.words):
        return ""
    if not found:
        return f"{what} does not exist"
    for obj in found:
        for word, value in words:
            actual = _actual(obj, word)
            if actual != value:
                return f"{what} has {word}={actual or '(nothing)'}, not {value}"
    return ""


def _found(cluster: Cluster, wanted: Expect) -> list[JsonObject]:
    if not wanted.name.endswith("*"):
        obj = cluster.get(wanted.resource, wanted.namespace, wanted.name)
        return [obj] if obj is not None else []
    start = wanted.name[:-1]
    return [o for o in cluster.list(wanted.resource, wanted.namespace) if o["metadata"]["name"].startswith(start)]


def _actual(obj: JsonObject, word: str) -> str:
    """What an object is like in one respect. `state.app`, `restarts.app`: of one container; `condition.Ready`."""
    status = obj.get("status") or {}
    name, _, of = word.partition(".")
    statuses = [
        c for c in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
        if not of or c["name"] == of
    ]  # fmt: skip
    match name:
        case "phase" | "reason":
            return str(status.get(name) or "")
        case "ready":
            return "true" if _condition(obj, "Ready") == "True" else "false"
        case "condition":
            if of:
                return _condition(obj, of)
            true = [c["type"] for c in status.get("conditions") or () if c.get("status") == "True"]
            return true[-1] if true else ""
        case "restarts":
            return str(sum(c.get("restartCount", 0) for c in statuses))
        case "node":
            return str(dig(obj, "spec", "nodeName") or "")
        case "status":
            return pod_status_text(obj)
        case "state":
            return _state(statuses[-1]) if statuses else ""
        case "exitCode":
            return str(dig(statuses[-1], "state", "terminated", "exitCode")) if statuses else ""
    return ""


def _condition(obj: JsonObject, kind: str) -> str:
    for condition in dig(obj, "status", "conditions") or ():
        if condition["type"] == kind:
            return str(condition["status"])
    return ""


def _state(status: JsonObject) -> str:
    for kind, more in (status.get("state") or {}).items():
        return str(more.get("reason") or kind.capitalize())
    return "Waiting"
