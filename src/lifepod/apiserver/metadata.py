"""What the server itself decides of an object's metadata: names, uids, times, generation, what a client may not change.

Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/{create,update,meta}.go
"""

from __future__ import annotations

import re
from datetime import datetime

from lifepod.api import meta
from lifepod.api.field_errors import invalid, required
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, format_time
from lifepod.apiserver.http_errors import bad_request, refusal
from lifepod.apiserver.status_errors import conflict, invalid_object
from lifepod.clock import Ids

NAME_TRIES = 8
REVISION_TO_REFUSE = re.compile("0*[1-9][0-9]*")
_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "namespace",
)
"""Members of metadata that an update cannot change: the stored ones stay."""


def with_names(kind: Kind, namespace: str, name: str, obj: JsonObject) -> JsonObject:
    """The object with kind, apiVersion and the namespace of the URL. Raises 400 when its own namespace is another.

    One of no namespace loses what it says of one: charts write `namespace` into ClusterRoles.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/meta.go: EnsureObjectNamespaceMatchesRequestNamespace
    """
    metadata: JsonObject = obj.get("metadata") or {}
    if name and metadata.get("name") and metadata["name"] != name:
        given = metadata["name"]
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if name and not metadata.get("name"):
        metadata = {**metadata, "name": name}
    own = metadata.get("namespace") or ""
    if not kind.namespaced:
        if "namespace" in metadata:
            metadata = {k: v for k, v in metadata.items() if k != "namespace"}
    elif own != namespace:
        if own:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata = {**metadata, "namespace": namespace}
    return {"kind": kind.kind, "apiVersion": kind.api_version, **_without_type(obj), "metadata": metadata}


def _without_type(obj: JsonObject) -> JsonObject:
    return {k: v for k, v in obj.items() if k not in ("kind", "apiVersion")}


def new_metadata(kind: Kind, obj: JsonObject, ids: Ids, now: datetime) -> JsonObject:
    """The metadata of an object about to be created: named, with a fresh uid and time, generation 1 where the kind has it.

    A revision that is no number is nobody's and is dropped; a number, but for 0, is refused.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/create.go: BeforeCreate, FillObjectMetaSystemFields
            k8s.io/apiserver v0.34.4 pkg/storage/etcd3/store.go: Create
    """
    metadata: JsonObject = obj["metadata"]
    if REVISION_TO_REFUSE.fullmatch(metadata.get("resourceVersion") or ""):
        raise refusal(500, "", "resourceVersion should not be set on objects to be created")
    given = {k: v for k, v in metadata.items() if k not in _SERVER_SET and v is not None}
    if not given.get("name"):
        if not given.get("generateName"):
            error = required("metadata.name", "name or generateName is required")
            raise invalid_object(kind, "", [error])
        given["name"] = generated_name(given["generateName"], ids)
    ordered: JsonObject = {name: given.pop(name) for name in ("name", "generateName", "namespace") if name in given}
    ordered["uid"] = ids.uid()
    if kind.has_generation:
        ordered["generation"] = 1
    ordered["creationTimestamp"] = format_time(now)
    return {**ordered, **given}


_SERVER_SET = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)


_WIPED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def without_system_fields(obj: JsonObject) -> JsonObject:
    """A new object without what only the server says of it, so that its writer does not own that.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/meta.go: WipeObjectMetaSystemFields
    """
    metadata: JsonObject = obj["metadata"]
    if not any(name in metadata for name in _WIPED):
        return obj
    return {**obj, "metadata": {name: value for name, value in metadata.items() if name not in _WIPED}}


def generated_name(prefix: str, ids: Ids) -> str:
    """A name made from `generateName` by chance."""
    return meta.generated_name(prefix, ids.suffix(meta.SUFFIX_LENGTH))


def kept_metadata(kind: Kind, obj: JsonObject, old: JsonObject) -> JsonObject:
    """The metadata of an update: what the server decides comes from the stored object.

    Raises 409 for another uid or a stale resourceVersion, 422 where a kind insists on one.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/update.go: BeforeUpdate
            k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: Update
    """
    metadata: JsonObject = obj["metadata"]
    stored: JsonObject = old["metadata"]
    name = stored["name"]
    uid = metadata.get("uid")
    if uid and uid != stored["uid"]:
        raise conflict(kind, name, _wrong_uid(kind, stored, uid))
    check_revision(kind, metadata.get("resourceVersion") or "", stored)
    _check_not_deleted_by_hand(kind, metadata, stored)
    kept = {k: stored[k] for k in _KEPT if k in stored}
    given = {k: v for k, v in metadata.items() if k not in _KEPT and k not in ("selfLink", "name") and v is not None}
    if "generateName" in stored:
        given["generateName"] = stored["generateName"]
    ordered: JsonObject = {}
    for key in stored:
        if key in kept:
            ordered[key] = kept[key]
        elif key == "name":
            ordered[key] = name
        elif key in given:
            ordered[key] = given.pop(key)
    ordered.update(given)
    ordered["resourceVersion"] = stored["resourceVersion"]
    return ordered


def _check_not_deleted_by_hand(kind: Kind, metadata: JsonObject, stored: JsonObject) -> None:
    """Only DELETE says that an object goes and how long that takes. Raises 422.

    Source: k8s.io/apimachinery v0.34.4 pkg/api/validation/objectmeta.go: ValidateObjectMetaAccessorUpdate
    """
    if stored.get("deletionTimestamp"):
        return  # upstream puts it back
    fields = ("deletionTimestamp", "deletionGracePeriodSeconds")
    given = [invalid(f"metadata.{name}", metadata[name], meta.IMMUTABLE) for name in fields if metadata.get(name)]
    if given:
        raise invalid_object(kind, stored["name"], given)


def _wrong_uid(kind: Kind, stored: JsonObject, uid: str) -> str:
    where = f"{stored['namespace']}/{stored['name']}" if "namespace" in stored else stored["name"]
    prefix = f"/registry/{kind.group}/{kind.plural}" if kind.group else f"/registry/{kind.plural}"
    return (
        f"StorageError: invalid object, Code: 4, Key: {prefix}/{where}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored['uid']}"
    )


def check_revision(kind: Kind, given: str, stored: JsonObject) -> None:
    """Refuse a write based on another revision than the stored one, or on none where the kind insists.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: Update
    """
    if given in ("", "0"):
        if not kind.unconditional_update:
            name = stored["name"]
            error = invalid("metadata.resourceVersion", 0, "must be specified for an update")
            shown = kind._replace(kind=kind.plural)
            raise invalid_object(shown, name, [error])
        return
    if given == stored["resourceVersion"]:
        return
    if not given.isdecimal():
        error = invalid("metadata.resourceVersion", given, f'strconv.ParseUint: parsing "{given}": invalid syntax')
        raise invalid_object(kind, stored["name"], [error])
    raise conflict(kind, stored["name"])


def has_changed_spec(kind: Kind, obj: JsonObject, old: JsonObject) -> bool:
    """Whether an update changes what `generation` counts: all but metadata and status; a Deployment's annotations too.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/<group>/<kind>/strategy.go: PrepareForUpdate
    """
    names = (obj.keys() | old.keys()) - {"metadata", "status", "kind", "apiVersion"}
    if any(obj.get(name) != old.get(name) for name in names):
        return True
    if kind.resource != "deployments.apps":
        return False
    return (obj["metadata"].get("annotations") or {}) != (old["metadata"].get("annotations") or {})
