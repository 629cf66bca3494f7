"""The refusals of the HTTP layer, in upstream's words: what concerns the request itself, not an object.

Refusals about objects are in `status_errors.py`.

Source: k8s.io/apimachinery v0.34.4 pkg/api/errors/errors.go: NewGenericServerResponse, NewUnauthorized, NewForbidden
        k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/negotiation/errors.go
"""

from __future__ import annotations

from typing import Final

import orjson

from lifepod.api.objects import JsonObject
from lifepod.api.rbac_rules import Attributes
from lifepod.api.writes import ApiError
from lifepod.apiserver.exchange import Headers, Response

_MEDIA_TYPES: Final = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


def refusal(code: int, reason: str, message: str, details: JsonObject | None = None) -> ApiError:
    """A `Status` of failure as an exception."""
    status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return ApiError(status)


def status_response(error: ApiError, headers: Headers = ()) -> Response:
    """An error as an answer. A `retryAfterSeconds` of it is also said as a header."""
    retry = (error.status.get("details") or {}).get("retryAfterSeconds")
    if retry:
        headers = (*headers, ("Retry-After", str(retry)))
    return Response(error.code, orjson.dumps(error.status) + b"\n", "application/json", headers)


def bad_request(message: str) -> ApiError:
    """400."""
    return refusal(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: the credentials are not known."""
    return refusal(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, wish: Attributes, why: str = "") -> ApiError:
    """403: the user may not.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/responsewriters/errors.go: Forbidden, forbiddenMessage
    """
    because = f": {why}" if why else ""
    if wish.path:
        return refusal(403, "Forbidden", f'forbidden: User "{user}" cannot {wish.verb} path "{wish.path}"{because}', {})
    shown = f"{wish.resource}.{wish.group}" if wish.group else wish.resource
    named = f'{shown} "{wish.name}" is forbidden' if wish.name else f"{shown} is forbidden"
    resource = f"{wish.resource}/{wish.subresource}" if wish.subresource else wish.resource
    where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    text = f'{named}: User "{user}" cannot {wish.verb} resource "{resource}" in API group "{wish.group}" {where}'
    details = {"name": wish.name, "group": wish.group, "kind": wish.resource}
    return refusal(403, "Forbidden", text + because, {k: v for k, v in details.items() if v})


def no_such_resource() -> ApiError:
    """404 of a path below a known group version."""
    return refusal(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return refusal(405, "MethodNotAllowed", message, {})


def not_acceptable(why: str = f"only the following media types are accepted: {_MEDIA_TYPES}") -> ApiError:
    """406: nothing the client accepts is on offer."""
    return refusal(406, "NotAcceptable", why)


def unsupported_body() -> ApiError:
    """415: the body is in no known format."""
    message = f"the body of the request was in an unknown format - accepted media types include: {_MEDIA_TYPES}"
    return refusal(415, "UnsupportedMediaType", message)


def unsupported_patch() -> ApiError:
    """415: the patch is of no known type."""
    return refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def too_large(limit_bytes: int) -> ApiError:
    """413: the body is longer than is read."""
    return refusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit_bytes}")


def internal_error(problem: str) -> ApiError:
    """500: our own mistake."""
    message = f"Internal error occurred: {problem}"
    return refusal(500, "InternalError", message, {"causes": [{"message": problem}]})


def service_unavailable(message: str) -> ApiError:
    """503."""
    return refusal(503, "ServiceUnavailable", message)
