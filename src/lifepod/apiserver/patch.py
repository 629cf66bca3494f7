"""PATCH: an object changed by a description of the change. The result goes the way of a PUT.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/patch.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from lifepod.api.decode import Decoded, DecodeError, JsonSyntaxError, parse_json, prune
from lifepod.api.field_errors import invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.patch_errors import PatchError, go_print
from lifepod.api.patch_json import json_patch
from lifepod.api.patch_merge import merge_patch
from lifepod.api.patch_strategic import strategic_merge
from lifepod.api.writes import ApiError, PatchType
from lifepod.apiserver.http_errors import bad_request, refusal
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import invalid as invalid_group
from lifepod.apiserver.status_errors import not_found

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

REPLACE = Callable[[JsonObject], JsonObject]
"""What stores the patched object: the update of the main resource or of a subresource."""


def patch(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    change: bytes | JsonValue,
    patch_type: PatchType,
    options: WriteOptions,
    replace: REPLACE,
) -> JsonObject:
    """Apply a patch of the three plain types to an object. Raises 404, 400, 415, 422, 500 as upstream does."""
    old = api.store.get(kind.stored_as, namespace, name)
    if old is None:
        raise not_found(kind, name)
    return replace(patched_object(api, kind, kind.from_storage(old), change, patch_type, options))


def patched_object(
    api: Api, kind: Kind, old: JsonObject, change: bytes | JsonValue, patch_type: PatchType, options: WriteOptions
) -> JsonObject:
    """The object that a patch describes, decoded as its kind; not yet stored."""
    parsed = _parsed(change) if isinstance(change, bytes) else change
    try:
        made = _merged(api, kind, old, parsed, patch_type)
    except PatchError as exc:
        raise patch_refused(exc) from None
    shown = _shown(change, parsed, patch_type)
    try:
        decoded = prune(made, api.type_of(kind))
    except DecodeError as exc:
        raise invalid_group("", "", "", [invalid("patch", shown, str(exc))]) from None
    _complain(api, decoded, shown, options)
    return decoded.obj


def _parsed(change: bytes) -> JsonValue:
    try:
        return parse_json(change)
    except JsonSyntaxError as exc:
        raise bad_request(f"error decoding patch: {exc}") from None


def _merged(api: Api, kind: Kind, old: JsonObject, change: JsonValue, patch_type: PatchType) -> JsonObject:
    if patch_type == "json":
        return json_patch(old, change)
    if not isinstance(change, dict):
        word = "array" if isinstance(change, list) else type(change).__name__
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {word} into Go value of type map[string]interface {{}}"
        )
    if patch_type == "strategic":
        if api.is_custom(kind):
            raise refusal(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )
        return strategic_merge(old, change, api.type_of(kind))
    return merge_patch(old, change)


def patch_refused(error: PatchError) -> ApiError:
    """A patch that cannot be applied, as upstream answers it. 500 is what falls through there without a reason."""
    match error.code:
        case 400:
            return bad_request(str(error))
        case 422:
            return refusal(422, "Invalid", str(error), {})
        case 413:
            return refusal(413, "RequestEntityTooLarge", str(error), {})
        case _:
            return refusal(error.code, "", str(error))


def _shown(change: bytes | JsonValue, parsed: JsonValue, patch_type: PatchType) -> str:
    if patch_type == "strategic":
        return go_print(parsed)
    return change.decode("utf-8", "replace") if isinstance(change, bytes) else orjson.dumps(change).decode()


def _complain(api: Api, decoded: Decoded, shown: str, options: WriteOptions) -> None:
    if not decoded.problems:
        return
    if options.field_validation == "Strict":
        text = f"strict decoding error: {', '.join(decoded.problems)}"
        raise invalid_group("", "", "", [invalid("patch", shown, text)])
    if options.field_validation == "Warn":
        api.warn(*decoded.problems)
