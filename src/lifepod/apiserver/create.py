"""POST: an object comes into being.

Order: decode, default, managedFields, mutating admission, metadata, the kind's preparation, validation, store. What comes after
managedFields (a pod's tolerations, a Service's address, a Job's labels) is owned by nobody.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go: createHandler
        k8s.io/apiserver v0.34.4 pkg/registry/rest/create.go: BeforeCreate
        k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: create
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.admission import (
    admitted,
    as_read,
    as_webhooks_want,
    check_admission,
    check_namespace,
    settle_created,
)
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.http_errors import forbidden
from lifepod.apiserver.metadata import NAME_TRIES, generated_name, new_metadata, with_names, without_system_fields
from lifepod.apiserver.options import SYSTEM, WriteOptions
from lifepod.apiserver.owner_references import with_single_owners
from lifepod.apiserver.status_errors import already_exists, invalid_object

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def create(api: Api, kind: Kind, namespace: str, obj: JsonObject, options: WriteOptions, name: str = "") -> JsonObject:
    """Create a decoded object; returns it as stored (a dry run: as it would be, without resourceVersion)."""
    storage = api.storage_kind(kind)
    obj = with_names(kind, namespace, name, obj)
    if storage is not kind:
        obj = kind.to_storage(kind.default(obj))
        if errors := kind.validate(obj):
            raise invalid_object(kind, obj["metadata"].get("name", ""), errors)
    created = create_stored(api, storage, obj, options)
    return kind.from_storage(created) if storage is not kind else created


def create_in_place(
    api: Api, kind: Kind, namespace: str, name: str, obj: JsonObject, options: WriteOptions
) -> JsonObject:
    """Create what a PUT or an apply did not find; its user needs the verb `create` as well. Raises 403.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/update.go: withAuthorization
    """
    wish = Attributes("create", kind.group, kind.plural, namespace=namespace, name=name)
    decision = api.access.decide(options.user, wish)
    if not decision.allowed:
        raise forbidden(options.user.name, wish, decision.why)
    metadata = {member: value for member, value in obj["metadata"].items() if member != "resourceVersion"}
    return create(api, kind, namespace, {**obj, "metadata": metadata}, options, name)


def create_stored(api: Api, kind: Kind, obj: JsonObject, options: WriteOptions) -> JsonObject:
    """Create an object that is in its stored version."""
    check_namespace(api, kind, obj)
    obj = as_read(kind, kind.default(without_system_fields(obj)))
    obj = api.managed(kind, with_single_owners(api, obj), None, options)
    obj = admitted(api, kind, obj, options)
    if api.session is not None:
        obj = _as_webhooks_want(api, kind, obj, options)
    generated = not obj["metadata"].get("name")
    obj = {**obj, "metadata": new_metadata(kind, obj, api.ids, options.now)}
    for attempt in range(NAME_TRIES if generated else 1):
        if attempt:
            renamed = generated_name(obj["metadata"]["generateName"], api.ids)
            obj = {**obj, "metadata": {**obj["metadata"], "name": renamed}}
        ready = _prepared(api, kind, obj, options)
        name = ready["metadata"]["name"]
        if api.store.record(kind.resource, ready["metadata"].get("namespace", ""), name) is not None:
            continue
        if options.dry_run:
            return ready
        stored = api.store.create(kind.resource, ready, options.now)
        settle_created(api, kind, stored, options)
        return api.store.get(kind.resource, ready["metadata"].get("namespace", ""), name) or stored
    raise already_exists(kind, name, generated=generated)


def _as_webhooks_want(api: Api, kind: Kind, obj: JsonObject, options: WriteOptions) -> JsonObject:
    """The object after mutating webhooks; whatever they did, it keeps to its namespace.

    A name that a part of the cluster generated is not shown: upstream's API server generates it later.
    """
    metadata: JsonObject = obj["metadata"]
    name = metadata.get("name", "") if options.user is SYSTEM and metadata.get("generateName") else ""
    shown = {**obj, "metadata": {k: v for k, v in metadata.items() if k != "name"}} if name else obj
    call = Call("CREATE", kind, shown, None, options)
    made = as_webhooks_want(api, call, lambda changed: admitted(api, kind, changed, options))
    return with_names(kind, metadata.get("namespace", ""), name, made)


def _prepared(api: Api, kind: Kind, obj: JsonObject, options: WriteOptions) -> JsonObject:
    ready = kind.prepare_create(obj)
    ready = api.allocated(kind, ready, None)
    api.warn(*kind.warnings(ready, None))
    if errors := kind.validate(ready):
        raise invalid_object(kind, ready["metadata"].get("name", ""), errors)
    check_admission(api, kind, ready, None, options)
    return ready
