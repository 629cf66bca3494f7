"""Who owns whom: owner references made and read.

Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/controller_ref.go
"""

from __future__ import annotations

from collections.abc import Sequence

from lifepod.api.objects import JsonObject
from lifepod.controllers.view import Key, View


def name_of(obj: JsonObject) -> str:
    """`metadata.name`."""
    name: str = obj["metadata"].get("name", "")
    return name


def namespace_of(obj: JsonObject) -> str:
    """`metadata.namespace`, "" for cluster-wide objects."""
    namespace: str = obj["metadata"].get("namespace", "")
    return namespace


def uid_of(obj: JsonObject) -> str:
    """`metadata.uid`."""
    uid: str = obj["metadata"].get("uid", "")
    return uid


def key_of(obj: JsonObject) -> Key:
    """(namespace, name)."""
    return (namespace_of(obj), name_of(obj))


def labels_of(obj: JsonObject) -> dict[str, str]:
    """`metadata.labels`, empty when absent."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: JsonObject) -> dict[str, str]:
    """`metadata.annotations`, empty when absent."""
    return obj["metadata"].get("annotations") or {}


def finalizers_of(obj: JsonObject) -> list[str]:
    """`metadata.finalizers`, empty when absent."""
    return obj["metadata"].get("finalizers") or []


def is_being_deleted(obj: JsonObject) -> bool:
    """Whether the object carries a deletionTimestamp."""
    return obj["metadata"].get("deletionTimestamp") is not None


def owners_of(obj: JsonObject) -> list[JsonObject]:
    """`metadata.ownerReferences`, empty when absent."""
    return obj["metadata"].get("ownerReferences") or []


def controller_reference(owner: JsonObject) -> JsonObject:
    """The reference by which `owner` controls what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: JsonObject) -> JsonObject | None:
    """The owner reference marked as controller, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: JsonObject = reference
            return found
    return None


def is_controlled_by(obj: JsonObject, owner: JsonObject) -> bool:
    """Whether `owner` is the controller of `obj`."""
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def controlled(view: View, owner: JsonObject, resource: str) -> list[JsonObject]:
    """The objects of a resource that `owner` controls, ordered as the view has them."""
    return [obj for obj in view.owned_by(uid_of(owner), resource) if is_controlled_by(obj, owner)]


def controller_key(obj: JsonObject, kind: str, group: str) -> Key | None:
    """The key of the object's controller if that is of this kind and API group."""
    reference = controller_of(obj)
    if reference is None or reference.get("kind") != kind:
        return None
    if group_of(str(reference.get("apiVersion", ""))) != group:
        return None
    return (namespace_of(obj), str(reference.get("name", "")))


def group_of(api_version: str) -> str:
    """The API group of an apiVersion: "" for `v1`."""
    return api_version.rpartition("/")[0]


def by_age(objects: Sequence[JsonObject]) -> list[JsonObject]:
    """Oldest first, by name where the same second made several."""
    return sorted(objects, key=lambda o: (o["metadata"].get("creationTimestamp") or "", name_of(o)))
