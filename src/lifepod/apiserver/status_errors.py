"""The refusals that are about an object, in upstream's words. Those about the request itself are in `http_errors.py`.

`details.kind` is the plural resource everywhere but in 422, where it is the Kind.

Source: k8s.io/apimachinery v0.34.4 pkg/api/errors/errors.go
"""

from __future__ import annotations

from collections.abc import Sequence

from lifepod.api.field_errors import FieldError
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.apiserver.http_errors import refusal

CHANGED_SINCE = "the object has been modified; please apply your changes to the latest version and try again"


def _about(kind: Kind, name: str, **more: object) -> JsonObject:
    details: JsonObject = {}
    if name:
        details["name"] = name
    if kind.group:
        details["group"] = kind.group
    return {**details, "kind": kind.plural, **more}


def not_found(kind: Kind, name: str) -> ApiError:
    """404: `jobs.batch "x" not found`."""
    return refusal(404, "NotFound", f'{kind.resource} "{name}" not found', _about(kind, name))


def already_exists(kind: Kind, name: str, *, generated: bool = False) -> ApiError:
    """409; `generated` when the name was made from generateName."""
    message = f'{kind.resource} "{name}" already exists'
    if generated:
        message += ", the server was not able to generate a unique name for the object"
    return refusal(409, "AlreadyExists", message, _about(kind, name))


def conflict(kind: Kind, name: str, why: str = CHANGED_SINCE, subresource: str = "") -> ApiError:
    """409: `Operation cannot be fulfilled on pods "a": …`."""
    shown = f"{kind.resource}/{subresource}" if subresource else kind.resource
    details = _about(kind, name)
    details["kind"] = f"{kind.plural}/{subresource}" if subresource else kind.plural
    return refusal(409, "Conflict", f'Operation cannot be fulfilled on {shown} "{name}": {why}', details)


def kind_conflict(kind: Kind, name: str, why: str) -> ApiError:
    """409 of a precondition, which upstream words with the Kind."""
    shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details: JsonObject = {"name": name, "kind": kind.kind}
    if kind.group:
        details = {"name": name, "group": kind.group, "kind": kind.kind}
    return refusal(409, "Conflict", f'Operation cannot be fulfilled on {shown} "{name}": {why}', details)


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[JsonObject] = ()) -> ApiError:
    """403 by admission: `pods "a" is forbidden: …`."""
    details = _about(kind, name, causes=list(causes)) if causes else _about(kind, name)
    named = f'{kind.resource} "{name}"' if name else kind.resource
    return refusal(403, "Forbidden", f"{named} is forbidden: {why}", details)


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause per error; the message lists them, equal ones once.

    Source: k8s.io/apimachinery v0.34.4 pkg/api/errors/errors.go: NewInvalid; pkg/util/errors/errors.go: aggregate.Error
    """
    shown = f"{kind}.{group}" if group else kind
    texts = list(dict.fromkeys(str(error) for error in errors))
    body = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details: JsonObject = {"name": name} if name else {}
    if group:
        details["group"] = group
    details = {**details, "kind": kind, "causes": [error.cause() for error in errors]}
    return refusal(422, "Invalid", f'{shown} "{name}" is invalid: {body}', details)


def invalid_object(kind: Kind, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 of an object of a kind."""
    return invalid(kind.group, kind.kind, name, errors)


def invalid_options(kind: str, errors: Sequence[FieldError]) -> ApiError:
    """422 of the options of a request: `DeleteOptions`, `CreateOptions`, `ListOptions`…"""
    return invalid("meta.k8s.io", kind, "", errors)


def too_many_requests(message: str, retry_after_seconds: int, causes: Sequence[JsonObject]) -> ApiError:
    """429."""
    details: JsonObject = {"causes": list(causes)} if causes else {}
    if retry_after_seconds:
        details["retryAfterSeconds"] = retry_after_seconds
    return refusal(429, "TooManyRequests", message, details)


def expired(message: str, continue_token: str = "") -> ApiError:
    """410: the history no longer reaches back; `continue_token` goes on without consistency."""
    error = refusal(410, "Expired", message)
    if continue_token:
        error.status["metadata"] = {"continue": continue_token}
    return error


def too_large_revision(wanted: int, current: int) -> ApiError:
    """504: a revision that was never reached.

    Source: k8s.io/apiserver v0.34.4 pkg/storage/errors.go: NewTooLargeResourceVersionError
    """
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return refusal(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def success(kind: Kind, name: str, uid: str) -> JsonObject:
    """The `Status` that answers a deletion done at once."""
    details: JsonObject = {"name": name, "group": kind.group} if kind.group else {"name": name}
    details = {**details, "kind": kind.plural, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def success_created() -> JsonObject:
    """The `Status` that answers a binding or an eviction."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
