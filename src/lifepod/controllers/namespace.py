"""What happens to a namespace that is being deleted: its content goes first, then its finalizer.

Key: ("", name).
Source: k8s.io/kubernetes v1.34.4 pkg/controller/namespace/deletion/namespaced_resources_deleter.go, status_condition_utils.go
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, format_time, replaced
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Stage, Wish
from lifepod.controllers.ownership import finalizers_of, is_being_deleted, name_of, namespace_of
from lifepod.controllers.view import Key, View

FINALIZER = "kubernetes"
LOOK_AGAIN = timedelta(seconds=5)
MANY, MANY_REST = 100, timedelta(milliseconds=200)


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "namespaces":
        return (("", name_of(change.obj)),) if is_being_deleted(change.obj) else ()
    if change.type == "ADDED":
        return ()
    # Content that goes may have been the last of a namespace that waits for it.
    name = namespace_of(change.obj)
    namespace = change.view.get("namespaces", "", name) if name and change.type == "DELETED" else None
    return (("", name),) if namespace is not None and is_being_deleted(namespace) else ()


def reconcile(look: Look) -> Outcome:
    """Delete what is in a terminating namespace; when nothing is left, release it."""
    name = look.key[1]
    namespace = look.view.get("namespaces", "", name)
    if namespace is None or not is_being_deleted(namespace):
        return NOTHING
    left = _content(look.view, name)
    status = _status(namespace, left, look.now)
    if not left:
        kept = [f for f in (namespace.get("spec") or {}).get("finalizers") or () if f != FINALIZER]
        if kept == ((namespace.get("spec") or {}).get("finalizers") or []):
            return NOTHING
        body = replaced(namespace, ("spec", "finalizers"), kept)
        return Outcome(((Wish(Write("update", "namespaces", "", name, body, subresource="finalize")),),))
    stages: list[Stage] = [
        tuple(
            Wish(Write("delete", resource, name, name_of(obj), _options(obj)))
            for resource, obj in left
            if not is_being_deleted(obj)
        )
    ]
    if status != namespace.get("status"):
        body = replaced(namespace, ("status",), status)
        stages.append((Wish(Write("update", "namespaces", "", name, body, subresource="status")),))
    # Each object that goes leads here again: of many, not each look may count them all.
    rest = look.now + MANY_REST if len(left) > MANY else None
    return Outcome(tuple(s for s in stages if s), wake_at=look.now + LOOK_AGAIN, not_before=rest)


def _options(obj: JsonObject) -> JsonObject:
    uid = obj["metadata"].get("uid", "")
    return {"propagationPolicy": "Background", "preconditions": {"uid": uid}}


def _content(view: View, name: str) -> list[tuple[str, JsonObject]]:
    """All objects of the namespace, by resource. The two names of events are one storage and are taken once."""
    return [
        (resource, obj)
        for resource in view.namespaced_resources()
        if resource != "events.events.k8s.io"
        for obj in view.list(resource, name)
    ]


def _status(namespace: JsonObject, left: list[tuple[str, JsonObject]], now: datetime) -> JsonObject:
    """The five conditions that say what deletion waits for, as upstream words them."""
    counts = Counter(resource for resource, _ in left)
    held: Counter[str] = Counter(finalizer for _, obj in left for finalizer in finalizers_of(obj))
    remaining = ", ".join(f"{resource} has {counts[resource]} resource instances" for resource in sorted(counts))
    blocking = ", ".join(f"{finalizer} in {held[finalizer]} resource instances" for finalizer in sorted(held))
    rows = [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {remaining}")
        if left
        else ("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"),
        (
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {blocking}",
        )
        if held
        else (
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]
    before = {c["type"]: c for c in (namespace.get("status") or {}).get("conditions") or ()}
    conditions = [_condition(before.get(row[0]), row, now) for row in rows]
    known = {row[0] for row in rows}
    foreign = [c for type_, c in before.items() if type_ not in known]
    return {**(namespace.get("status") or {}), "phase": "Terminating", "conditions": [*foreign, *conditions]}


def _condition(before: JsonObject | None, row: tuple[str, str, str, str], now: datetime) -> JsonObject:
    type_, status, reason, message = row
    if before is not None and before.get("status") == status and before.get("reason") == reason:
        moment = before.get("lastTransitionTime") or format_time(now)
    else:
        moment = format_time(now)
    return {"type": type_, "status": status, "lastTransitionTime": moment, "reason": reason, "message": message}


NAMESPACE = Controller("namespace", "namespace-controller", ("*",), _keys, reconcile)
