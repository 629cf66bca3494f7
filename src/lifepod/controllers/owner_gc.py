"""The garbage collector: dependents go with their last owner; `foregroundDeletion` and `orphan` are honoured.

Key: (resource, namespace, name) of an object whose owners or dependents must be looked at, or ("uid", uid) of an owner that
is gone. Source: k8s.io/kubernetes v1.34.4 pkg/controller/garbagecollector/garbagecollector.go: attemptToDeleteItem,
processDeletingDependentsItem, orphanDependents
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, ObjectEvent, Outcome, Stage, Wish
from lifepod.controllers.ownership import finalizers_of, is_being_deleted, name_of, namespace_of, owners_of, uid_of
from lifepod.controllers.view import Key, View

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


def _keys(change: Change) -> Iterable[Key]:
    metadata = change.obj["metadata"]
    if change.type == "DELETED":
        keys: list[Key] = [("uid", str(metadata.get("uid", "")))]
        # An owner that waits in the foreground may have waited for this dependent.
        for reference in owners_of(change.obj):
            keys += _owner_key(change.view, change.obj, reference)
        return keys
    if change.old is not None:
        before = change.old["metadata"]
        if (
            metadata.get("ownerReferences") == before.get("ownerReferences")
            and metadata.get("finalizers") == before.get("finalizers")
            and metadata.get("deletionTimestamp") == before.get("deletionTimestamp")
        ):
            return ()
    waits = metadata.get("deletionTimestamp") and (metadata.get("finalizers") or ())
    if metadata.get("ownerReferences") or waits:
        return ((change.resource, namespace_of(change.obj), name_of(change.obj)),)
    return ()


def _owner_key(view: View, obj: JsonObject, reference: JsonObject) -> list[Key]:
    found = view.resource_of(str(reference.get("apiVersion", "")), str(reference.get("kind", "")))
    if found is None:
        return []
    resource, namespaced = found
    return [(resource, namespace_of(obj) if namespaced else "", str(reference.get("name", "")))]


def reconcile(look: Look) -> Outcome:
    """Look at one object, or at the dependents of an owner that is gone."""
    if look.key[0] == "uid":
        wishes = [
            w for resource, obj in look.view.dependents(look.key[1]) for w in _as_dependent(look.view, resource, obj)
        ]
        return Outcome((tuple(wishes),)) if wishes else NOTHING
    resource, namespace, name = look.key
    obj = look.view.get(resource, namespace, name)
    if obj is None:
        return NOTHING
    if is_being_deleted(obj):
        if ORPHAN in finalizers_of(obj):
            return Outcome(_orphan(look.view, resource, obj))
        if FOREGROUND in finalizers_of(obj):
            return Outcome(_foreground(look.view, resource, obj))
        return NOTHING
    as_dependent, events = tuple(_as_dependent(look.view, resource, obj)), _misplaced_owners(look.view, obj)
    return Outcome((as_dependent,) if as_dependent else (), events) if as_dependent or events else NOTHING


def _misplaced_owners(view: View, obj: JsonObject) -> tuple[ObjectEvent, ...]:
    """What is told of references to owners that live in another namespace: there they own nothing.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/garbagecollector/graph_builder.go: addDependentToOwners,
            reportInvalidNamespaceOwnerRef
    """
    return tuple(_misplaced(obj, reference) for reference in owners_of(obj) if _is_misplaced(view, obj, reference))


def _is_misplaced(view: View, obj: JsonObject, reference: JsonObject) -> bool:
    resource, namespaced = view.resource_of(str(reference.get("apiVersion")), str(reference.get("kind"))) or ("", False)
    if not namespaced or view.get(resource, namespace_of(obj), str(reference.get("name"))) is not None:
        return False
    return any(uid_of(owner) == reference.get("uid") for owner in view.list(resource))


def _misplaced(obj: JsonObject, reference: JsonObject) -> ObjectEvent:
    version, kind, name, uid = (reference.get(key, "") for key in ("apiVersion", "kind", "name", "uid"))
    namespace = namespace_of(obj)
    shown = f"[{version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}]"
    text = f'ownerRef {shown} does not exist in namespace "{namespace}"'
    return ObjectEvent(obj, "Warning", "OwnerRefInvalidNamespace", text)


def _as_dependent(view: View, resource: str, obj: JsonObject) -> Iterable[Wish]:
    """Delete an object none of whose owners is left; drop references to owners that are gone while another stays.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/garbagecollector/garbagecollector.go: classifyReferences
    """
    if is_being_deleted(obj) or not owners_of(obj) or _is_beyond_owning(view, obj):
        return
    solid, dangling, waiting = [], [], []
    for reference in owners_of(obj):
        owner = _owner(view, obj, reference)
        if owner is None:
            dangling.append(reference)
        elif is_being_deleted(owner) and FOREGROUND in finalizers_of(owner) and reference.get("blockOwnerDeletion"):
            waiting.append(reference)
        else:
            solid.append(reference)
    namespace, name = namespace_of(obj), name_of(obj)
    if solid:
        if dangling or waiting:
            patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": solid}}
            yield Wish(Write("patch", resource, namespace, name, patch, patch_type="merge"))
        return
    if waiting and view.dependents(uid_of(obj)):
        policy = "Foreground"
    elif ORPHAN in finalizers_of(obj):
        policy = "Orphan"
    elif FOREGROUND in finalizers_of(obj):
        policy = "Foreground"
    else:
        policy = "Background"
    options = {"propagationPolicy": policy, "preconditions": {"uid": uid_of(obj)}}
    yield Wish(Write("delete", resource, namespace, name, options))


def _is_beyond_owning(view: View, obj: JsonObject) -> bool:
    """A cluster-wide object that names an owner from a namespace is a mistake that collects nothing.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/garbagecollector/garbagecollector.go: isDangling
    """
    if namespace_of(obj):
        return False
    kinds = ((str(r.get("apiVersion", "")), str(r.get("kind", ""))) for r in owners_of(obj))
    return any((view.resource_of(*kind) or ("", False))[1] for kind in kinds)


def _owner(view: View, obj: JsonObject, reference: JsonObject) -> JsonObject | None:
    """The owner itself: of that name *and* uid; one made anew under the name is another. An unknown kind counts as there."""
    found = view.resource_of(str(reference.get("apiVersion", "")), str(reference.get("kind", "")))
    if found is None:
        return {"metadata": {}}
    resource, namespaced = found
    owner = view.get(resource, namespace_of(obj) if namespaced else "", str(reference.get("name", "")))
    return owner if owner is not None and uid_of(owner) == reference.get("uid") else None


def _foreground(view: View, resource: str, owner: JsonObject) -> tuple[Stage, ...]:
    """Delete the dependents that block; when none is left, let the owner go."""
    uid = uid_of(owner)
    blocking = [
        (kind, obj)
        for kind, obj in view.dependents(uid)
        if any(r.get("uid") == uid and r.get("blockOwnerDeletion") for r in owners_of(obj))
    ]
    if not blocking:
        return ((_without_finalizer(resource, owner, FOREGROUND),),)
    wishes = tuple(w for kind, obj in blocking for w in _as_dependent(view, kind, obj))
    return (wishes,) if wishes else ()


def _orphan(view: View, resource: str, owner: JsonObject) -> tuple[Stage, ...]:
    """Take the owner out of its dependents' references, then let it go."""
    uid = uid_of(owner)
    releases = []
    for kind, obj in view.dependents(uid):
        kept = [r for r in owners_of(obj) if r.get("uid") != uid]
        patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": kept or None}}
        releases.append(Wish(Write("patch", kind, namespace_of(obj), name_of(obj), patch, patch_type="merge")))
    last = (_without_finalizer(resource, owner, ORPHAN),)
    return (tuple(releases), last) if releases else (last,)


def _without_finalizer(resource: str, owner: JsonObject, finalizer: str) -> Wish:
    kept = [f for f in finalizers_of(owner) if f != finalizer]
    version = owner["metadata"].get("resourceVersion")
    patch = {"metadata": {"resourceVersion": version, "finalizers": kept or None}}
    return Wish(Write("patch", resource, namespace_of(owner), name_of(owner), patch, patch_type="merge"))


OWNER_GC = Controller("owner-gc", "garbage-collector-controller", ("*",), _keys, reconcile)
