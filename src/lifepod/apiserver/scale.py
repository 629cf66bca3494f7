"""`/scale`: the replicas of a workload as an `autoscaling/v1 Scale`.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/apps/deployment/storage/storage.go: ScaleREST, scaleFromDeployment
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.field_errors import invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue, dig, replaced
from lifepod.api.selectors import label_terms, selector_text
from lifepod.api.writes import PatchType
from lifepod.apiserver.admission import agree, as_webhooks_want
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.metadata import check_revision
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.patch import patched_object
from lifepod.apiserver.status_errors import conflict, not_found
from lifepod.apiserver.status_errors import invalid as invalid_status
from lifepod.apiserver.update import replace_stored

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

SCALE = Kind(
    group="autoscaling",
    version="v1",
    kind="Scale",
    plural="scales",
    singular="scale",
    namespaced=True,
    schema="io.k8s.api.autoscaling.v1.Scale",
)
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def get_scale(api: Api, kind: Kind, namespace: str, name: str) -> JsonObject:
    """The scale of a workload. Raises 404."""
    return scale_of(api, kind, _stored(api, kind, namespace, name))


def _stored(api: Api, kind: Kind, namespace: str, name: str) -> JsonObject:
    found = api.store.get(kind.stored_as, namespace, name)
    if found is None:
        raise not_found(kind, name)
    return found


def scale_of(api: Api, kind: Kind, obj: JsonObject) -> JsonObject:
    """The scale that a workload shows."""
    paths = api.scale_paths(kind)
    replicas = dig(obj, *paths.spec)
    status: JsonObject = {"replicas": dig(obj, *paths.status) or 0}
    selector = dig(obj, *paths.selector) if paths.selector else None
    if isinstance(selector, str):
        status["selector"] = selector
    elif selector:
        is_plain = kind.resource == "replicationcontrollers"
        terms = label_terms({"matchLabels": selector} if is_plain else selector)
        status["selector"] = selector_text(terms)
    metadata = {key: obj["metadata"][key] for key in _KEPT if key in obj["metadata"]}
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def update_scale(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    scale: JsonObject,
    options: WriteOptions,
    owners: list[JsonObject] | None = None,
) -> JsonObject:
    """Write the replicas of a scale to its workload; `owners`: the managedFields it then has, if an apply decided them.

    Raises 404, 409, 422.
    """
    old = _stored(api, kind, namespace, name)
    given = scale.get("metadata") or {}
    if given.get("name") and given["name"] != name:
        raise bad_request(f"the name of the object ({given['name']}) does not match the name on the URL ({name})")
    if given.get("uid") and given["uid"] != old["metadata"]["uid"]:
        uid, have = given["uid"], old["metadata"]["uid"]
        raise conflict(kind, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {have}")
    if given.get("resourceVersion"):
        check_revision(kind, given["resourceVersion"], old["metadata"])
    replicas = dig(scale, "spec", "replicas") or 0
    if replicas < 0:
        error = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid_status("autoscaling", "Scale", name, [error])
    paths = api.scale_paths(kind)
    storage = api.storage_kind(kind)
    if api.session is not None:
        replicas = _agreed(api, storage, scale_of(api, kind, old), replicas, options)
    new = replaced(old, paths.spec, replicas)
    if owners is not None:
        new = replaced(new, ("metadata", "managedFields"), owners)
    return scale_of(api, kind, replace_stored(api, storage, new, old, options, asks=False, subresource="scale"))


def as_workload(api: Api, kind: Kind, scale: JsonObject) -> JsonObject:
    """The part of a workload that a scale configures, to be applied in its stead: that is where fields have owners.

    Source: k8s.io/apimachinery v0.34.4 pkg/util/managedfields/scalehandler.go: ToParent
    """
    replicas: JsonValue = dig(scale, "spec", "replicas")
    meta = scale.get("metadata") or {}
    named = {key: meta[key] for key in ("name", "namespace") if key in meta}
    made: JsonObject = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": named}
    if replicas is None:
        return made
    for part in reversed(api.scale_paths(kind).spec):
        replicas = {part: replicas}
    return {**made, **(replicas if isinstance(replicas, dict) else {})}


def _agreed(api: Api, storage: Kind, before: JsonObject, replicas: int, options: WriteOptions) -> int:
    """The replicas after webhooks and policies were asked about the Scale; about the workload itself they are not."""
    wanted = {**before, "spec": {"replicas": replicas}}
    call = Call("UPDATE", storage, wanted, before, options, "scale", SCALE)
    made = as_webhooks_want(api, call)
    agree(api, call._replace(obj=made))
    return int(dig(made, "spec", "replicas") or 0)


def patch_scale(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    change: bytes | JsonValue,
    patch_type: PatchType,
    options: WriteOptions,
) -> JsonObject:
    """PATCH of the scale."""
    old = get_scale(api, kind, namespace, name)
    return update_scale(
        api, kind, namespace, name, patched_object(api, SCALE, old, change, patch_type, options), options
    )
