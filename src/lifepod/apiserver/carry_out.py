"""Writes of the cluster's own parts: the same verbs, without decoding and, for statuses and events, without validation.

A status written by a node agent or controller is the hot path of the whole cluster: the object is swapped in with nothing
but the rules of state (uid, revision, finalizers) checked. An event, of which a pod has five before it runs, is kept as it was made.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.names import dns_subdomain
from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.apiserver.admission import agree, as_webhooks_want, check_namespace
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.create import create
from lifepod.apiserver.delete import delete
from lifepod.apiserver.delete_options import delete_options_of
from lifepod.apiserver.http_errors import no_such_resource
from lifepod.apiserver.metadata import check_revision
from lifepod.apiserver.namespace_limits import check_quotas
from lifepod.apiserver.options import SYSTEM, WriteOptions
from lifepod.apiserver.patch_verb import patch_resource
from lifepod.apiserver.status_errors import already_exists, conflict, not_found
from lifepod.apiserver.subresources import create_subresource, update_subresource
from lifepod.apiserver.update import is_ready_to_go, update

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


LEASES = "leases.coordination.k8s.io"


def carry_out(api: Api, write: Write, now: datetime) -> JsonObject:
    """Do it; returns the object as it is now (a `Status` where the API answers one). Raises ApiError."""
    try:
        kind = api.kinds.of(write.resource)
    except KeyError:
        raise no_such_resource() from None
    if write.verb == "update" and write.subresource == "status":
        return _write_status(api, kind, write, now)
    if api.session is None:
        if write.resource == "events" and write.verb == "create" and _is_plain_event(write):
            return _post(api, kind, write, now)
        if write.resource == LEASES and write.verb == "patch" and write.body.keys() == {"spec"}:
            return _renew(api, kind, write, now)
    options = WriteOptions(now, SYSTEM, "lifepod", "Ignore")
    try:
        return _general(api, kind, write, options)
    finally:
        api.take_warnings()


def _general(api: Api, kind: Kind, write: Write, options: WriteOptions) -> JsonObject:
    at = (write.namespace, write.name)
    match write.verb:
        case "create" if write.subresource:
            return create_subresource(api, kind, *at, write.body, write.subresource, options)
        case "create":
            return create(api, kind, write.namespace, write.body, options)
        case "update" if write.subresource:
            return update_subresource(api, kind, *at, write.body, write.subresource, options)
        case "update":
            return update(api, kind, *at, write.body, options)[0]
        case "patch":
            return patch_resource(api, kind, *at, write.body, write.patch_type, options, write.subresource)[0]
        case "delete":
            return delete(api, kind, *at, delete_options_of(write.body), options)


def _renew(api: Api, kind: Kind, write: Write, now: datetime) -> JsonObject:
    """A node's heartbeat, every 10 s of every node: a merge of two levels."""
    old = api.store.get(kind.resource, write.namespace, write.name)
    if old is None:
        raise not_found(kind, write.name)
    return api.store.update(kind.resource, {**old, "spec": {**old["spec"], **write.body["spec"]}}, now)


def _is_plain_event(write: Write) -> bool:
    """Whether an event is as the recorders of the cluster's parts make it: named, in its namespace, of nobody and without labels."""
    metadata = write.body["metadata"]
    is_plain = metadata.keys() == {"name", "namespace"} and metadata["namespace"] == write.namespace
    return is_plain and write.body.get("kind") == "Event" and not dns_subdomain(metadata["name"])


def _post(api: Api, kind: Kind, write: Write, now: datetime) -> JsonObject:
    """Keep an event: of all that is asked of a new object, its namespace, its name and the quotas are left."""
    namespace, name = write.namespace, write.body["metadata"]["name"]
    check_namespace(api, kind, write.body)
    if api.store.record(kind.resource, namespace, name) is not None:
        raise already_exists(kind, name, generated=False)
    made = {"name": name, "namespace": namespace, "uid": api.ids.uid(), "creationTimestamp": format_time(now)}
    event = kind.prepare_create({**write.body, "metadata": made})
    check_quotas(api, kind, event)
    return api.store.create(kind.resource, event, now)


def _write_status(api: Api, kind: Kind, write: Write, now: datetime) -> JsonObject:
    """Swap the status in. Of the body only `status` counts, and `metadata.uid` and `resourceVersion` as guards."""
    old = api.store.get(kind.resource, write.namespace, write.name)
    if old is None:
        raise not_found(kind, write.name)
    stored = old["metadata"]
    guard = write.body.get("metadata")
    if guard:
        uid = guard.get("uid")
        if uid and uid != stored["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored['uid']}"
            raise conflict(kind, write.name, why)
        if guard.get("resourceVersion"):
            check_revision(kind, guard["resourceVersion"], stored)
    new = {**old, "status": write.body.get("status") or {}}
    if api.session is not None:
        call = Call("UPDATE", kind, new, old, WriteOptions(now, SYSTEM, "lifepod", "Ignore"), "status")
        new = {**new, "status": as_webhooks_want(api, call).get("status") or {}}
        agree(api, call._replace(obj=new))
    if stored.get("deletionTimestamp") and is_ready_to_go(kind, new):
        return api.store.delete(kind.resource, write.namespace, write.name, now)
    return api.store.update(kind.resource, new, now)
