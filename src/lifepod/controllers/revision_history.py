"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, numbered.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/history/controller_history.go: NewControllerRevision, FindEqualRevisions;
        pkg/controller/statefulset/stateful_set_utils.go: getPatch, newRevision
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.outcome import Stage, Wish
from lifepod.controllers.ownership import (
    annotations_of,
    controlled,
    controller_reference,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from lifepod.controllers.template_hash import template_hash
from lifepod.controllers.view import View

REVISIONS = "controllerrevisions.apps"
HASH = "controller-revision-hash"
CONTROLLER_HASH = "controller.kubernetes.io/hash"


class History(NamedTuple):
    """The owner's revisions by number. `update` is that of its present template; `writes` make or renumber it first."""

    revisions: tuple[JsonObject, ...]
    update: JsonObject
    writes: tuple[Stage, ...]
    collisions: int = 0


def history_of(view: View, owner: JsonObject, hash_label: str) -> History:
    """The revisions of an owner, with the one of its present template made, or numbered anew after a way back.

    `hash_label` is the label that carries a revision's hash: pods are told apart by it (DaemonSets), or by its name.
    """
    revisions = sorted(controlled(view, owner, REVISIONS), key=lambda r: (r.get("revision", 0), name_of(r)))
    content = template_patch(owner)
    equal = [revision for revision in revisions if revision.get("data") == content]
    collisions = (owner.get("status") or {}).get("collisionCount") or 0
    number = max((r.get("revision", 0) for r in revisions), default=0) + 1
    if not equal:
        new, collisions = _new_revision(view, owner, content, number, collisions, hash_label)
        write = Write("create", REVISIONS, namespace_of(owner), name_of(new), new)
        return History(tuple(revisions), new, ((Wish(write),),), collisions)
    if equal[-1] is revisions[-1]:
        return History(tuple(revisions), revisions[-1], (), collisions)
    renumbered = {**equal[-1], "revision": number}
    patch = {"metadata": {"uid": uid_of(renumbered)}, "revision": number}
    write = Write("patch", REVISIONS, namespace_of(owner), name_of(renumbered), patch, patch_type="merge")
    return History(tuple(revisions), renumbered, ((Wish(write),),), collisions)


def template_patch(owner: JsonObject) -> JsonObject:
    """What a revision keeps: the patch that brings the template back, as `kubectl rollout undo` sends it."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def template_of(revision: JsonObject) -> JsonObject:
    """The template that a revision keeps."""
    kept: JsonObject = revision["data"]["spec"]["template"]
    return {name: value for name, value in kept.items() if name != "$patch"}


def _new_revision(
    view: View, owner: JsonObject, content: JsonObject, number: int, collisions: int, hash_label: str
) -> tuple[JsonObject, int]:
    """A revision under a free name; a name that another template has costs a collision."""
    template = owner["spec"]["template"]
    while True:
        digest = template_hash(template, collisions)
        name = f"{name_of(owner)[:223]}-{digest}"
        if view.get(REVISIONS, namespace_of(owner), name) is None:
            break
        collisions += 1
    metadata: JsonObject = {
        "name": name,
        "namespace": namespace_of(owner),
        "labels": {**((template.get("metadata") or {}).get("labels") or {}), hash_label: digest},
        "ownerReferences": [controller_reference(owner)],
    }
    if annotations_of(owner):
        metadata["annotations"] = annotations_of(owner)
    made: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": content,
        "revision": number,
    }
    return made, collisions


def superfluous(revisions: Sequence[JsonObject], kept: set[str], limit: int | None) -> Stage:
    """Delete the oldest revisions beyond the limit, never those still in use (`kept`, by name)."""
    unused = [revision for revision in revisions if name_of(revision) not in kept]
    excess = len(unused) - (10 if limit is None else limit)
    return tuple(
        Wish(Write("delete", REVISIONS, namespace_of(r), name_of(r), {"preconditions": {"uid": uid_of(r)}}))
        for r in unused[: max(0, excess)]
    )


def hash_of(revision: JsonObject, hash_label: str) -> str:
    """The hash by which pods name the revision."""
    return labels_of(revision).get(hash_label, "")
