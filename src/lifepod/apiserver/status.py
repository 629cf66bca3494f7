"""PUT and PATCH of `/status`: only the status changes, and nobody's generation.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/<group>/<kind>/strategy.go: <kind>StatusStrategy.PrepareForUpdate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.admission import agree, as_webhooks_want
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.metadata import kept_metadata, with_names
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import invalid_object, not_found
from lifepod.apiserver.update import write

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def update_status(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    obj: JsonObject,
    options: WriteOptions,
    subresource: str = "status",
) -> JsonObject:
    """Replace an object's status by that of a decoded one; `subresource`: through which."""
    storage = api.storage_kind(kind)
    old = api.store.get(storage.resource, namespace, name)
    if old is None:
        raise not_found(kind, name)
    obj = with_names(kind, namespace, name, obj)
    if storage is not kind:
        obj = kind.to_storage(kind.default(obj))
    stored = replace_status(api, storage, obj, old, options, subresource)
    return kind.from_storage(stored) if storage is not kind else stored


def replace_status(
    api: Api, kind: Kind, obj: JsonObject, old: JsonObject, options: WriteOptions, subresource: str = "status"
) -> JsonObject:
    """Put the status of `obj` on `old`.

    Labels and annotations of built-in kinds can come along, as upstream lets them; owners and finalizers stay.
    """
    metadata = kept_metadata(kind, obj, old)
    stored = old["metadata"]
    for member in (
        ("ownerReferences", "finalizers") if not api.is_custom(kind) else tuple(stored.keys() | metadata.keys())
    ):
        if member in ("resourceVersion", "managedFields"):
            continue
        metadata.pop(member, None)
        if member in stored:
            metadata[member] = stored[member]
    new: JsonObject = {**old, "metadata": metadata}
    if "status" in obj:
        new["status"] = obj["status"]
    else:
        new.pop("status", None)
    new = kind.default(new)
    new = api.managed(kind, new, old, options, "status")
    if api.session is not None:
        made = as_webhooks_want(api, Call("UPDATE", kind, new, old, options, subresource))
        new = {**new, "status": made["status"]} if "status" in made else new
    validate = kind.validate_update if kind.is_custom else kind.validate_status
    if errors := validate(new, old):
        raise invalid_object(kind, new["metadata"]["name"], errors)
    agree(api, Call("UPDATE", kind, new, old, options, subresource))
    return write(api, kind, new, old, options)
