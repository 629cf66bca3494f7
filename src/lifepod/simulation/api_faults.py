"""Which requests the API server fails at present, and with which answer. Values in, answers out; who asks is the caller's affair."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.simulation.faults import Fault

READS = ("get", "list", "watch")
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_MESSAGES = {
    429: "the server has received too many requests and has asked us to try again later",
    500: "Internal error occurred: etcdserver: request timed out",
    503: "the server is currently unable to handle the request",
    504: "Timeout: request did not complete within requested timeout - context deadline exceeded",
    410: "The resourceVersion for the provided watch is too old.",
}


class Asked(NamedTuple):
    """What a request wants: the API's verbs (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`)."""

    who: str
    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str = ""


def concerns(fault: Fault, asked: Asked) -> bool:
    """Whether a fault is about such a request."""
    if fault.kind == "quota":
        return (asked.verb, asked.resource, asked.subresource) == ("create", "pods", "") and fault.target in (
            "",
            "*",
            "random",
            asked.namespace,
        )
    if not fault.kind.startswith("api-") or fault.option("who") not in (asked.who, "all"):
        return False
    if asked.who == "parts" and fault.kind in ("api-slow", "api-drop"):
        return False
    if fault.kind == "api-conflict" and asked.verb not in ("update", "patch"):
        return False
    verbs, resources = fault.option("verb").split(","), fault.option("resource").split(",")
    plural = asked.resource.partition(".")[0]
    return ("*" in verbs or asked.verb in verbs or ("write" in verbs and asked.verb not in READS)) and (
        "*" in resources or plural in resources or asked.resource in resources
    )


def struck(faults: tuple[Fault, ...], asked: Asked, draw: Callable[[], float]) -> Fault | None:
    """The first fault that strikes this request; each that concerns it is drawn once."""
    for fault in faults:
        if concerns(fault, asked) and (fault.kind == "quota" or draw() < float(fault.option("rate"))):
            return fault
    return None


def refusal_of(fault: Fault, asked: Asked) -> ApiError:
    """How the API words it."""
    plural, _, group = asked.resource.partition(".")
    about: JsonObject = {"name": asked.name, "kind": plural, **({"group": group} if group else {})}
    full = f'{asked.resource} "{asked.name}"'
    if fault.kind == "quota":
        why = "exceeded quota: simulated, requested: pods=1, used: pods=0, limited: pods=0"
        return ApiError(_status(403, "Forbidden", f"{full} is forbidden: {why}", about))
    if fault.kind == "api-conflict":
        why = "the object has been modified; please apply your changes to the latest version and try again"
        return ApiError(_status(409, "Conflict", f"Operation cannot be fulfilled on {full}: {why}", about))
    code = 504 if fault.kind == "api-timeout" else int(fault.option("status"))
    message = _MESSAGES.get(code, f"simulated: an error on the server ({code})")
    details: JsonObject = {"retryAfterSeconds": 1} if code in (429, 503, 504) else {}
    return ApiError(_status(code, _REASONS.get(code, "Unknown"), message, details))


def _status(code: int, reason: str, message: str, details: JsonObject) -> JsonObject:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
