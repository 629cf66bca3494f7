"""Which rules a subresource of a name has: one table per HTTP verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver import scale
from lifepod.apiserver.admission import agree, as_webhooks_want
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.binding import bind
from lifepod.apiserver.body import Body, read_body
from lifepod.apiserver.eviction import evict
from lifepod.apiserver.finalize import finalize
from lifepod.apiserver.get import get
from lifepod.apiserver.http_errors import method_not_allowed
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.pod_subresources import update_ephemeral_containers, update_resize
from lifepod.apiserver.signing_requests import RESOURCE as SIGNING_REQUESTS
from lifepod.apiserver.signing_requests import check_signer, sign_if_approved
from lifepod.apiserver.status import update_status
from lifepod.apiserver.token import request_token

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def _kind(name: str, group: str = "", version: str = "v1") -> Kind:
    package = group.partition(".")[0] if group else "core"
    return Kind(
        group=group,
        version=version,
        kind=name,
        plural=name.lower() + "s",
        singular=name.lower(),
        namespaced=True,
        schema=f"io.k8s.api.{package}.{version}.{name}",
    )


BINDING = _kind("Binding")
EVICTION = _kind("Eviction", "policy")
TOKEN_REQUEST = _kind("TokenRequest", "authentication.k8s.io")


def get_subresource(api: Api, kind: Kind, namespace: str, name: str, subresource: str) -> JsonObject:
    """GET of a subresource that is (part of) an object."""
    if subresource == "scale":
        return scale.get_scale(api, kind, namespace, name)
    return get(api, kind, namespace, name)


def create_subresource(
    api: Api, kind: Kind, namespace: str, name: str, body: Body, subresource: str, options: WriteOptions
) -> JsonObject:
    """POST to a subresource, or to a resource that is only answered (`bindings`, reviews)."""
    sent: Kind
    do: Callable[[Api, str, str, JsonObject, WriteOptions], JsonObject]
    match subresource:
        case "binding" | "bindings":
            sent, do = BINDING, bind
        case "eviction":
            sent, do = EVICTION, evict
        case "token":
            sent, do = TOKEN_REQUEST, request_token
        case _:
            raise method_not_allowed()
    obj = read_body(api, sent, body, options)
    if api.session is not None:
        shown = sent if kind.is_stored else None
        call = Call("CREATE", kind, obj, None, options, subresource if shown else "", shown, None, namespace, name)
        obj = as_webhooks_want(api, call)
        agree(api, call._replace(obj=obj))
    return do(api, namespace, name, obj, options)


def update_subresource(
    api: Api, kind: Kind, namespace: str, name: str, body: Body, subresource: str, options: WriteOptions
) -> JsonObject:
    """PUT of a subresource."""
    if subresource == "scale":
        return scale.update_scale(api, kind, namespace, name, read_body(api, scale.SCALE, body, options), options)
    obj = read_body(api, kind, body, options)
    return replace_subresource(api, kind, namespace, name, obj, subresource, options)


def replace_subresource(
    api: Api, kind: Kind, namespace: str, name: str, obj: JsonObject, subresource: str, options: WriteOptions
) -> JsonObject:
    """Store a decoded object through a subresource that shows the object itself."""
    if kind.resource == SIGNING_REQUESTS:
        check_signer(api, name, obj, subresource, options.user)
    match subresource:
        case "status":
            return update_status(api, kind, namespace, name, obj, options)
        case "ephemeralcontainers":
            return update_ephemeral_containers(api, kind, namespace, name, obj, options)
        case "resize":
            return update_resize(api, kind, namespace, name, obj, options)
        case "finalize":
            return finalize(api, kind, name, obj, options)
        case "approval":
            approved = update_status(api, kind, namespace, name, obj, options, subresource)
            if not options.dry_run:
                sign_if_approved(api, approved, options)
            return approved
    raise method_not_allowed()
