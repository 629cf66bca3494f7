"""POST of `serviceaccounts/x/token`: a signed token for a service account.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/serviceaccount/storage/token.go: TokenREST.Create
        k8s.io/kubernetes v1.34.4 pkg/apis/authentication/validation/validation.go: ValidateTokenRequest
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.apiserver.http_errors import bad_request, internal_error
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import conflict, not_found
from lifepod.apiserver.status_errors import invalid as invalid_status

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

MIN_SECONDS, DEFAULT_SECONDS, MAX_SECONDS = 600, 3600, 1 << 32
_BOUND = {("v1", "Pod"): "pods", ("v1", "Secret"): "secrets"}


class TokenOrder(NamedTuple):
    """What a token is to say: whose it is, for whom, how long, by which name, bound to what. No audiences: the API's own."""

    account: JsonObject
    audiences: tuple[str, ...]
    seconds: int
    token_id: str
    pod: JsonObject | None = None
    secret: JsonObject | None = None


class TokenIssuer(Protocol):
    """Signs tokens; `service_account_tokens.py` has the one."""

    def issue(self, order: TokenOrder) -> tuple[str, datetime]:
        """The token and when it ends."""
        ...


def request_token(api: Api, namespace: str, name: str, request: JsonObject, options: WriteOptions) -> JsonObject:
    """The request with its answer in `status`. Raises 400, 404, 409, 422."""
    kind = api.kinds.of("serviceaccounts")
    account = api.store.get("serviceaccounts", namespace, name)
    if account is None:
        raise not_found(kind, name)
    given = request.get("metadata") or {}
    if given.get("name") not in (None, "", name):
        raise bad_request("the name in the request does not match the service account's")
    spec: JsonObject = request.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    if errors := _errors(seconds):
        raise invalid_status("authentication.k8s.io", "TokenRequest", given.get("name", ""), errors)
    audiences = spec.get("audiences") or [api.settings.issuer]
    resource, bound = _bound_to(api, namespace, name, spec.get("boundObjectRef"))
    if api.tokens is None:
        raise internal_error("this cluster has no key to sign tokens with")
    pod, secret = (bound if resource == wanted else None for wanted in ("pods", "secrets"))
    order = TokenOrder(account, tuple(audiences), seconds, api.ids.uid(), pod, secret)
    token, expires = api.tokens.issue(order)
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": format_time(options.now)}
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": metadata,
        "spec": {
            **spec,
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": token, "expirationTimestamp": format_time(expires)},
    }


def _errors(seconds: int) -> list[FieldError]:
    if seconds < MIN_SECONDS:
        return [invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")]
    if seconds > MAX_SECONDS:
        return [invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _bound_to(api: Api, namespace: str, account: str, reference: JsonObject | None) -> tuple[str, JsonObject | None]:
    """What the token is bound to: it must exist, with the uid that was meant; a pod must run as this account."""
    if not reference:
        return "", None
    resource = _BOUND.get((reference.get("apiVersion") or "v1", reference.get("kind") or ""))
    if resource is None:
        shown = f"{reference.get('apiVersion', '')}, Kind={reference.get('kind', '')}"
        raise bad_request(f"cannot bind token for serviceaccount {account} to object of type {shown}")
    kind = api.kinds.of(resource)
    name = reference.get("name") or ""
    found = api.store.get(resource, namespace, name)
    if found is None:
        raise not_found(kind, name)
    uid = found["metadata"]["uid"]
    if reference.get("uid") not in (None, "", uid):
        why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
        raise conflict(kind, name, why + "The object might have been deleted and then recreated")
    if resource == "pods" and dig(found, "spec", "serviceAccountName") != account:
        text = f"cannot bind token for serviceaccount {account} to pod running with different serviceaccount name."
        raise bad_request(text)
    return resource, found
