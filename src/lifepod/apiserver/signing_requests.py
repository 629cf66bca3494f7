"""CertificateSigningRequests: who asks is written down, who approves must be allowed to, and what is approved is signed.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/certificates/certificates/strategy.go: PrepareForCreate
        k8s.io/kubernetes v1.34.4 pkg/controller/certificates/signer/signer.go: handle
        k8s.io/kubernetes v1.34.4 plugin/pkg/admission/certificates/{approval,signing}/admission.go: Validate
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue, dig, format_time, replaced
from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.auth import MASTERS, User
from lifepod.apiserver.certificates import organizations_asked_for
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import forbidden

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

RESOURCE: Final = "certificatesigningrequests.certificates.k8s.io"
_CLIENTS: Final = "kubernetes.io/kube-apiserver-client"
_SIGNERS: Final = (
    _CLIENTS,
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/legacy-unknown",
)
_YEAR_SECONDS: Final = 365 * 24 * 3600


def with_requester(request: JsonObject, options: WriteOptions) -> JsonObject:
    """A new request with the user who makes it, whatever it says itself."""
    user = options.user
    given: JsonObject = request.get("spec") or {}
    spec = {name: value for name, value in given.items() if name not in ("username", "uid", "groups", "extra")}
    spec |= {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {name: list(values) for name, values in user.extra}
    return {**request, "spec": spec}


def check_subject(kind: Kind, request: JsonObject) -> None:
    """Refuse a certificate by which its owner would be the administrator, whoever approves it. Raises ApiError 403.

    Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/certificates/subjectrestriction/admission.go: Validate
    """
    spec: JsonObject = request.get("spec") or {}
    signer = spec.get("signerName")
    if signer == _CLIENTS and MASTERS in organizations_asked_for(base64.b64decode(spec.get("request") or "")):
        why = f"use of {signer} signer with {MASTERS} group is not allowed"
        raise forbidden(kind, request["metadata"].get("name", ""), why)


def check_signer(api: Api, name: str, request: JsonObject, subresource: str, user: User) -> None:
    """Refuse who may not approve, or sign, for the signer that an existing request names. Raises ApiError 403."""
    old = api.store.get(RESOURCE, "", name)
    if old is None or (subresource == "status" and _signature(request) == _signature(old)):
        return
    verb = "approve" if subresource == "approval" else "sign"
    signer = str(dig(old, "spec", "signerName") or "")
    for allowed in (signer, f"{signer.partition('/')[0]}/*"):
        wish = Attributes(verb, "certificates.k8s.io", "signers", name=allowed)
        if api.access.decide(user, wish).allowed:
            return
    why = f'user not permitted to {verb} requests with signerName "{signer}"'
    raise forbidden(api.kinds.of(RESOURCE), name, why)


def _signature(request: JsonObject) -> tuple[JsonValue, JsonValue]:
    return dig(request, "status", "certificate"), dig(request, "status", "conditions")


def sign_if_approved(api: Api, request: JsonObject, options: WriteOptions) -> None:
    """Sign a request that was approved for one of the cluster's own signers; one that cannot be signed has failed."""
    status: JsonObject = request.get("status") or {}
    conditions: list[JsonObject] = status.get("conditions") or []
    types = {condition.get("type") for condition in conditions}
    spec: JsonObject = request.get("spec") or {}
    if api.sign is None or spec.get("signerName") not in _SIGNERS or status.get("certificate"):
        return
    if "Approved" not in types or types & {"Denied", "Failed"}:
        return
    asked = base64.b64decode(spec.get("request") or "")
    seconds = spec.get("expirationSeconds") or _YEAR_SECONDS
    try:
        signed = api.sign(asked, tuple(spec.get("usages") or ()), seconds, options.now)
    except ValueError as problem:
        now = format_time(options.now)
        failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": str(problem)}
        failed |= {"lastUpdateTime": now, "lastTransitionTime": now}
        api.store.update(RESOURCE, replaced(request, ("status", "conditions"), [*conditions, failed]), options.now)
        return
    text = base64.b64encode(signed).decode()
    api.store.update(RESOURCE, replaced(request, ("status", "certificate"), text), options.now)
