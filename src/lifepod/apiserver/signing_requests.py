"""CertificateSigningRequests: who asks is written down, and what is approved is signed.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/certificates/certificates/strategy.go: PrepareForCreate
        k8s.io/kubernetes v1.34.4 pkg/controller/certificates/signer/signer.go: handle
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from lifepod.api.objects import JsonObject, format_time, replaced
from lifepod.apiserver.options import WriteOptions

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

RESOURCE: Final = "certificatesigningrequests.certificates.k8s.io"
_SIGNERS: Final = (
    "kubernetes.io/kube-apiserver-client",
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
