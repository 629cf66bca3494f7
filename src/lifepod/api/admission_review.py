"""The question that a webhook is sent and the answer it may give: `AdmissionReview` of admission.k8s.io.

Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/request/admissionreview.go: CreateV1AdmissionReview, VerifyAdmissionResponse
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/errors/statuserror.go: ToStatusErr
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Final, NamedTuple

from lifepod.api.admission import Attributes, Place
from lifepod.api.decode import JsonSyntaxError, parse_json
from lifepod.api.objects import JsonObject, JsonValue

VERSIONS: Final = ("v1", "v1beta1")
_KIND: Final = "AdmissionReview"


class BadReview(ValueError):
    """The answer is none; the text is upstream's."""


class Verdict(NamedTuple):
    """What a webhook said. `patch`: operations of a JSON patch, None for none. `status`: why not, as a metav1.Status."""

    allowed: bool
    warnings: tuple[str, ...] = ()
    patch: JsonValue = None
    status: JsonObject | None = None


def known_version(offered: Sequence[str]) -> str:
    """The first version of AdmissionReview that a webhook takes and we speak; validation saw to it that there is one."""
    return next((version for version in offered if version in VERSIONS), VERSIONS[0])


def request_of(asked: Attributes, place: Place, obj: JsonObject | None, old: JsonObject | None, uid: str) -> JsonObject:
    """The `request` of a review, objects as the webhook wants them; also what CEL knows as `request`."""
    request: JsonObject = {"uid": uid, "kind": place.kind_json, "resource": place.resource_json}
    sub = {"subResource": asked.subresource} if asked.subresource else {}
    request |= sub
    request |= {"requestKind": asked.requested.kind_json, "requestResource": asked.requested.resource_json}
    if sub:
        request["requestSubResource"] = asked.subresource
    if asked.name:
        request["name"] = asked.name
    if asked.namespace:
        request["namespace"] = asked.namespace
    return request | {
        "operation": asked.operation,
        "userInfo": asked.user,
        "object": obj,
        "oldObject": old,
        "dryRun": asked.dry_run,
        "options": asked.options,
    }


def review_of(request: JsonObject, version: str) -> JsonObject:
    """The whole question."""
    return {"kind": _KIND, "apiVersion": f"admission.k8s.io/{version}", "request": request}


def verdict_of(review: JsonObject, uid: str, version: str, *, mutating: bool) -> Verdict:
    """What a decoded answer says. Raises BadReview."""
    wanted, found = f"admission.k8s.io/{version}", review.get("apiVersion") or ""
    response = review.get("response")
    if version == "v1":
        if not isinstance(response, dict):
            raise BadReview("webhook response was absent")
        if response.get("uid") != uid:
            raise BadReview(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
        if (found, review.get("kind")) != (wanted, _KIND):
            shown = f"{found if '/' in found else '/' + found}, Kind={review.get('kind') or ''}"
            raise BadReview(f"expected webhook response of {wanted}, Kind={_KIND}, got {shown}")
        _check_patch_type(response, mutating=mutating)
    elif not isinstance(response, dict):
        raise BadReview("webhook response was absent")
    return Verdict(
        response.get("allowed") is True,
        tuple(str(text) for text in response.get("warnings") or ()),
        _patch(response) if mutating else None,
        response.get("status") if isinstance(response.get("status"), dict) else None,
    )


def _check_patch_type(response: JsonObject, *, mutating: bool) -> None:
    patch, type_ = response.get("patch"), response.get("patchType")
    if not mutating:
        if patch:
            raise BadReview("validating webhook may not return response.patch")
        if type_ is not None:
            raise BadReview("validating webhook may not return response.patchType")
        return
    if patch and type_ is None:
        raise BadReview("webhook returned response.patch but not response.patchType")
    if not patch and type_ is not None:
        raise BadReview("webhook returned response.patchType but not response.patch")
    if type_ == "":
        raise BadReview('webhook returned invalid response.patchType of ""')


class BadPatch(ValueError):
    """The patch of an answer cannot be read; the text is upstream's."""


def _patch(response: JsonObject) -> JsonValue:
    text = response.get("patch")
    if not text or response.get("allowed") is not True:
        return None
    if (response.get("patchType") or "JSONPatch") != "JSONPatch":
        raise BadPatch(f'unsupported patch type "{response["patchType"]}"')
    try:
        operations = parse_json(b64decode(str(text), validate=True))
    except (ValueError, JsonSyntaxError) as problem:
        raise BadPatch(f"received undecodable patch in webhook response: {problem}") from None
    if not isinstance(operations, list):
        raise BadPatch(
            "received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    return operations or None


def rejection(webhook: str, status: JsonObject | None) -> JsonObject:
    """The Status with which a webhook's refusal is passed on."""
    told: JsonObject = dict(status or {})
    code = told.get("code")
    denied = f'admission webhook "{webhook}" denied the request'
    if told.get("message"):
        message = f"{denied}: {told['message']}"
    elif told.get("reason"):
        message = f"{denied}: {told['reason']}"
    else:
        message = f"{denied} without explanation"
    head: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": told.get("metadata") or {}}
    shown = told.get("status")
    head |= {"status": shown if shown not in (None, "", "Success") else "Failure", "message": message}
    for member in ("reason", "details"):
        if told.get(member):
            head[member] = told[member]
    return head | {"code": code if isinstance(code, int) and code >= 400 else 400}
