"""POST of `serviceaccounts/x/token`: a signed token for a service account.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/serviceaccount/storage/token.go: TokenREST.Create
        k8s.io/kubernetes v1.34.4 pkg/serviceaccount/claims.go: Claims
        k8s.io/kubernetes v1.34.4 pkg/apis/authentication/validation/validation.go: ValidateTokenRequest
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.apiserver.http_errors import bad_request, internal_error
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import conflict, not_found
from lifepod.apiserver.status_errors import invalid as invalid_status

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

MIN_SECONDS, DEFAULT_SECONDS, MAX_SECONDS = 600, 3600, 1 << 32
_EXTENDED = 365 * 24 * 3600
_ADMISSION_SECONDS = 3607
_BOUND = {("v1", "Pod"): "pods", ("v1", "Secret"): "secrets", ("v1", "Node"): "nodes"}


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
    bound = _bound_claims(api, namespace, name, spec.get("boundObjectRef"))
    expires = options.now + timedelta(seconds=seconds)
    claims = _claims(api, account, bound, audiences, seconds, options)
    if api.signer is None:
        raise internal_error("this cluster has no key to sign tokens with")
    token = api.signer(claims, options.now)
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


def _bound_claims(api: Api, namespace: str, account: str, reference: JsonObject | None) -> JsonObject:
    """What the token is bound to: it must exist, with the uid that was meant; a pod must run as this account."""
    if not reference:
        return {}
    resource = _BOUND.get((reference.get("apiVersion") or "v1", reference.get("kind") or ""))
    if resource is None:
        shown = f"{reference.get('apiVersion', '')}, Kind={reference.get('kind', '')}"
        raise bad_request(f"cannot bind token for serviceaccount {account} to object of type {shown}")
    kind = api.kinds.of(resource)
    name = reference.get("name") or ""
    found = api.store.get(resource, "" if resource == "nodes" else namespace, name)
    if found is None:
        raise not_found(kind, name)
    uid = found["metadata"]["uid"]
    if reference.get("uid") not in (None, "", uid):
        why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
        raise conflict(kind, name, why + "The object might have been deleted and then recreated")
    claims: JsonObject = {kind.singular: {"name": name, "uid": uid}}
    if resource == "pods":
        runs_as = dig(found, "spec", "serviceAccountName")
        if runs_as != account:
            text = f"cannot bind token for serviceaccount {account} to pod running with different serviceaccount name."
            raise bad_request(text)
        claims.update(_node_claim(api, dig(found, "spec", "nodeName")))
    return claims


def _node_claim(api: Api, node_name: str | None) -> JsonObject:
    if not node_name:
        return {}
    node = api.store.get("nodes", "", node_name)
    return {"node": {"name": node_name, **({"uid": node["metadata"]["uid"]} if node else {})}}


def _claims(
    api: Api, account: JsonObject, bound: JsonObject, audiences: list[str], seconds: int, options: WriteOptions
) -> JsonObject:
    metadata = account["metadata"]
    at = int(options.now.timestamp())
    lives = seconds
    private: JsonObject = {"namespace": metadata["namespace"]}
    if "node" in bound:
        private["node"] = bound["node"]
    private.update({name: bound[name] for name in ("pod", "secret") if name in bound})
    private["serviceaccount"] = {"name": metadata["name"], "uid": metadata["uid"]}
    if seconds == _ADMISSION_SECONDS and "pod" in bound and audiences == [api.settings.issuer]:
        private["warnafter"] = at + seconds
        lives = _EXTENDED
    return {
        "aud": audiences,
        "exp": at + lives,
        "iat": at,
        "iss": api.settings.issuer,
        "jti": api.ids.uid(),
        "kubernetes.io": private,
        "nbf": at,
        "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
    }
