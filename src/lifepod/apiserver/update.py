"""PUT, and the second half of PATCH: an object becomes another one.

Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/update.go: BeforeUpdate
        k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: Update, ShouldDeleteDuringUpdate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.field_errors import FieldError, forbidden
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.admission import admitted_update, as_webhooks_want, check_admission, settle_updated
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.create import create_in_place
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.metadata import has_changed_spec, kept_metadata, with_names
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.owner_references import with_single_owners
from lifepod.apiserver.status_errors import invalid_object, not_found

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def update(
    api: Api, kind: Kind, namespace: str, name: str, obj: JsonObject, options: WriteOptions
) -> tuple[JsonObject, bool]:
    """Replace an object by a decoded one; returns it as stored and whether it was created (kinds that allow that)."""
    storage = api.storage_kind(kind)
    _check_named(name, obj)
    obj = with_names(kind, namespace, name, obj)
    old = api.store.get(storage.resource, namespace, name)
    if old is None:
        if not kind.create_on_update:
            raise not_found(kind, name)
        return create_in_place(api, kind, namespace, name, obj, options), True
    if storage is not kind:
        obj = kind.to_storage(kind.default(obj))
        if errors := kind.validate_update(obj, old):
            raise invalid_object(kind, name, errors)
    stored = replace_stored(api, storage, obj, old, options)
    return (kind.from_storage(stored) if storage is not kind else stored), False


def _check_named(name: str, obj: JsonObject) -> None:
    """A PUT says in its body which object it means. Raises 400.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/rest.go: checkName
    """
    if not (obj.get("metadata") or {}).get("name"):
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")


def replace_stored(
    api: Api,
    kind: Kind,
    obj: JsonObject,
    old: JsonObject,
    options: WriteOptions,
    *,
    asks: bool = True,
    subresource: str = "",
) -> JsonObject:
    """Put `obj` in place of `old` by the rules of the kind's main resource. `asks`: policies and webhooks are asked about it.

    `subresource`: through which it came, as managedFields says. Who wrote what is noted before admission and preparation, so that nobody owns what those add.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/update.go: UpdateResource (the order of its transformers)
    """
    new = {**obj, "metadata": kept_metadata(kind, obj, old)}
    if kind.has_status:
        new = _with_status_of(new, old)
    new = with_single_owners(api, kind.default(new))
    new = api.managed(kind, new, old, options, subresource)
    new = admitted_update(api, kind, new, old, options)
    if asks and api.session is not None:
        new = _as_webhooks_want(api, kind, new, old, options)
    new = kind.prepare_update(new, old)
    new = api.allocated(kind, new, old)
    if kind.has_generation and has_changed_spec(kind, new, old):
        generation = old["metadata"].get("generation", 0) + 1
        new = {**new, "metadata": {**new["metadata"], "generation": generation}}
    api.warn(*kind.warnings(new, old))
    errors = [*_finalizer_errors(new, old), *kind.validate_update(new, old)]
    if errors:
        raise invalid_object(kind, new["metadata"]["name"], errors)
    check_admission(api, kind, new, old, options, asks=asks)
    return write(api, kind, new, old, options)


def _as_webhooks_want(api: Api, kind: Kind, new: JsonObject, old: JsonObject, options: WriteOptions) -> JsonObject:
    """The object after mutating webhooks, with what no client can change as it was."""
    call = Call("UPDATE", kind, new, old, options)
    made = as_webhooks_want(api, call, lambda changed: admitted_update(api, kind, changed, old, options))
    if made is new:
        return new
    kept = {**made, "metadata": kept_metadata(kind, made, old)}
    return _with_status_of(kept, old) if kind.has_status else kept


def _with_status_of(obj: JsonObject, old: JsonObject) -> JsonObject:
    if "status" in old:
        return {**obj, "status": old["status"]}
    return {k: v for k, v in obj.items() if k != "status"}


def _finalizer_errors(obj: JsonObject, old: JsonObject) -> list[FieldError]:
    """While an object is being deleted no finalizer may be added.

    Source: k8s.io/apimachinery v0.34.4 pkg/api/validation/objectmeta.go: ValidateObjectMetaAccessorUpdate
    """
    if not old["metadata"].get("deletionTimestamp"):
        return []
    have = old["metadata"].get("finalizers") or []
    added = sorted(set(obj["metadata"].get("finalizers") or []) - set(have))
    if not added:
        return []
    shown = ", ".join(f'"{name}"' for name in added)
    text = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
    return [forbidden("metadata.finalizers", text)]


def write(api: Api, kind: Kind, new: JsonObject, old: JsonObject, options: WriteOptions) -> JsonObject:
    """Store what was decided, or remove the object when its last finalizer went (and answer what was sent).

    Source: k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: deleteWithoutFinalizers
    """
    if options.dry_run:
        return new
    metadata = new["metadata"]
    if is_ready_to_go(kind, new):
        api.store.delete(kind.resource, metadata.get("namespace", ""), metadata["name"], options.now)
        return {**new, "metadata": {**metadata, "resourceVersion": old["metadata"]["resourceVersion"]}}
    stored = api.store.update(kind.resource, new, options.now)
    if stored is not old:
        settle_updated(api, kind, stored, old, options)
    return stored


def is_ready_to_go(kind: Kind, obj: JsonObject) -> bool:
    """Whether an object that is being deleted has nothing left to wait for.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: ShouldDeleteDuringUpdate
            k8s.io/kubernetes v1.34.4 pkg/registry/core/namespace/storage/storage.go: ShouldDeleteNamespaceDuringUpdate
    """
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if kind.resource == "namespaces" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")
