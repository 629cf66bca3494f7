"""PATCH: an object changed by a description of the change. The result goes the way of a PUT.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/patch.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from lifepod.api.decode import DecodeError, JsonSyntaxError, duplicate_fields, parse_json, prune
from lifepod.api.field_errors import invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.patch_conversion import conversion_error
from lifepod.api.patch_errors import PatchError, go_print, json_word
from lifepod.api.patch_json import json_patch, unknown_members
from lifepod.api.patch_merge import merge_patch
from lifepod.api.patch_strategic import strategic_merge
from lifepod.api.writes import ApiError, PatchType
from lifepod.apiserver.body import other_type
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
    parsed = _parsed(change, patch_type) if isinstance(change, bytes) else change
    try:
        made = _merged(api, kind, old, parsed, patch_type)
    except PatchError as exc:
        raise patch_refused(exc) from None
    try:
        _check_kind(api, kind, made, patch_type)
        decoded = prune(made, api.type_of(kind))
    except DecodeError as exc:
        why = conversion_error(str(exc)) if patch_type == "strategic" else str(exc)
        raise invalid_group("", "", "", [invalid("patch", _shown(parsed, made, patch_type), why)]) from None
    if options.field_validation != "Ignore":
        problems = [*_patch_problems(change, parsed, patch_type), *decoded.problems]
        _complain(api, problems, _shown(parsed, made, patch_type), options)
    return decoded.obj


def _parsed(change: bytes, patch_type: PatchType) -> JsonValue:
    try:
        return parse_json(change)
    except JsonSyntaxError as exc:
        raise bad_request(str(exc) if patch_type == "strategic" else f"error decoding patch: {exc}") from None


def _check_kind(api: Api, kind: Kind, made: JsonObject, patch_type: PatchType) -> None:
    """A patched object says what it is; a strategic merge is converted in place and may say anything. Raises DecodeError."""
    if kind.is_custom:
        _check_custom_kind(kind, made)
        return
    if patch_type == "strategic":
        return
    for name in ("apiVersion", "kind"):
        if not isinstance(made.get(name) or "", str):
            why = f"json: cannot unmarshal {json_word(made[name])} into Go struct field .{name} of type string"
            raise DecodeError(f"couldn't get version/kind; json parse error: {why}")
    if problem := other_type(api, kind, made):
        raise DecodeError(problem)


def _check_custom_kind(kind: Kind, made: JsonObject) -> None:
    """A custom resource stays what it is. Raises 422.

    Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/registry/customresource/validator.go: ValidateTypeMeta
    """
    wanted = {"kind": kind.kind, "apiVersion": kind.api_version}
    errors = [
        invalid(key, made.get(key), f"must be {value}") for key, value in wanted.items() if made.get(key) != value
    ]
    if errors:
        metadata = made.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        raise invalid_group(kind.group, str(made.get("kind") or ""), str(name or ""), errors)


def _patch_problems(change: bytes | JsonValue, parsed: JsonValue, patch_type: PatchType) -> list[str]:
    """What strict reading complains of in the patch itself."""
    repeated = duplicate_fields(change, parsed) if isinstance(change, bytes) else []
    if patch_type != "json":
        return repeated
    return [*(f"json patch {problem}" for problem in repeated), *unknown_members(parsed)]


def _merged(api: Api, kind: Kind, old: JsonObject, change: JsonValue, patch_type: PatchType) -> JsonObject:
    if patch_type == "json":
        return json_patch(old, change)
    if patch_type == "strategic" and api.is_custom(kind):
        raise refusal(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )
    if change is None:
        if patch_type == "strategic":
            return old
        raise bad_request("Invalid JSON Patch")
    if not isinstance(change, dict):
        why = f"json: cannot unmarshal {json_word(change)} into Go value of type map[string]interface {{}}"
        raise bad_request(why if patch_type == "strategic" else f"error decoding patch: {why}")
    if patch_type == "strategic":
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
            return refusal(413, "RequestEntityTooLarge", str(error))
        case _:
            return refusal(error.code, "", str(error))


def _shown(change: JsonValue, made: JsonObject, patch_type: PatchType) -> str:
    """What a complaint shows: a strategic merge patch itself, else the object that came of it."""
    return go_print(change) if patch_type == "strategic" else orjson.dumps(made, option=orjson.OPT_SORT_KEYS).decode()


def _complain(api: Api, problems: list[str], shown: str, options: WriteOptions) -> None:
    if problems and options.field_validation == "Strict":
        text = f"strict decoding error: {', '.join(problems)}"
        raise invalid_group("", "", "", [invalid("patch", shown, text)])
    api.warn(*problems)
