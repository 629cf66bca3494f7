"""A request's query (and DELETE's body) as the options of its verb.

Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/validation/validation.go: ValidateCreateOptions, ValidateUpdateOptions,
        ValidatePatchOptions, ValidateDeleteOptions
        k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/delete.go: DeleteResource (body before query)
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, cast

from lifepod.api.field_errors import FieldError, forbidden, invalid, required
from lifepod.api.integers import IntegerError, parse_integer
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.apiserver.auth import User
from lifepod.apiserver.delete_options import delete_options_of
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.options import MAX_MANAGER_BYTES, DeleteOptions, FieldValidation, ListOptions, WriteOptions
from lifepod.apiserver.routes import ResourcePath
from lifepod.apiserver.status_errors import invalid_options

OptionsKind = Literal["CreateOptions", "UpdateOptions", "PatchOptions", "DeleteOptions"]
_VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")


def write_options(
    request: Request, user: User, now: datetime, kind: OptionsKind, *, apply: bool = False
) -> WriteOptions:
    """The options of a write. Raises ApiError 422 as upstream's validation does."""
    agent = request.headers.get("user-agent", "")
    if not request.raw_query and not apply:
        return WriteOptions(now, user, user_agent=agent)
    validation, manager = request.param("fieldValidation"), request.param("fieldManager")
    errors: list[FieldError] = []
    if kind == "PatchOptions":
        if apply and not manager:
            errors.append(required("fieldManager", "is required for apply patch"))
        elif not apply and "force" in request.query:
            errors.append(forbidden("force", "may not be specified for non-apply patch"))
    errors += [*_manager_errors(manager), *_dry_run_errors(request.query.get("dryRun", []))]
    if validation not in _VALIDATIONS:
        errors.append(_not_one_of("fieldValidation", validation, _VALIDATIONS))
    if errors:
        raise invalid_options(kind, errors)
    return WriteOptions(
        now,
        user,
        field_manager=manager,
        field_validation=cast("FieldValidation", validation or "Warn"),
        dry_run="dryRun" in request.query,
        force=request.flag("force"),
        user_agent=agent,
    )


def _not_one_of(path: str, value: JsonValue, known: tuple[str, ...]) -> FieldError:
    return FieldError(
        "FieldValueNotSupported", path, value, "supported values: " + ", ".join(f'"{each}"' for each in known)
    )


def _dry_run_errors(values: list[str]) -> list[FieldError]:
    if all(value == "All" for value in values):
        return []
    return [_not_one_of("dryRun", values, ("All",))]


def _manager_errors(manager: str) -> list[FieldError]:
    """Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/validation/validation.go: ValidateFieldManager"""
    errors = []
    if len(manager.encode()) > MAX_MANAGER_BYTES:
        text = f"may not be more than {MAX_MANAGER_BYTES} bytes"
        errors.append(FieldError("FieldValueTooLong", "fieldManager", "", text))
    for at, char in enumerate(manager):
        if not char.isprintable():
            place = len(manager[:at].encode())
            text = f"invalid character U+{ord(char):04X} (at position {place})"
            errors.append(invalid("fieldManager", manager, text))
    return errors


def list_options(request: Request, path: ResourcePath) -> ListOptions:
    """The options of a LIST or WATCH."""
    if not request.raw_query:
        return ListOptions(namespace=path.namespace)
    events = request.query.get("sendInitialEvents")
    timeout_seconds(request)
    return ListOptions(
        namespace=path.namespace,
        label_selector=request.param("labelSelector"),
        field_selector=request.param("fieldSelector"),
        limit=_number(request, "limit"),
        continue_token=request.param("continue"),
        resource_version=request.param("resourceVersion"),
        resource_version_match=request.param("resourceVersionMatch"),
        watch_bookmarks=request.flag("allowWatchBookmarks"),
        send_initial_events=None if events is None else request.flag("sendInitialEvents"),
    )


def _number(request: Request, name: str) -> int:
    return max(whole_number(request.param(name)), 0) if name in request.query else 0


def whole_number(text: str) -> int:
    """A number of a query. Raises ApiError 400.

    Source: k8s.io/apimachinery v0.34.4 pkg/runtime/converter.go: Convert_Slice_string_To_int64
    """
    try:
        return parse_integer(text)
    except IntegerError as problem:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": {problem}') from None


def timeout_seconds(request: Request) -> float:
    """How long a watch may last; 0 when the client does not say."""
    return float(_number(request, "timeoutSeconds"))


def delete_options(request: Request, body: JsonObject | None) -> tuple[DeleteOptions, list[str]]:
    """How to delete, and the `dryRun` values: from the body when there is one, else from the query. Raises ApiError 422."""
    found = body if body else _query_options(request)
    return delete_options_of(found), found.get("dryRun") or []


def _query_options(request: Request) -> JsonObject:
    found: JsonObject = {}
    if not request.raw_query:
        return found
    if grace := request.param("gracePeriodSeconds") or request.param("grace_period_seconds"):
        found["gracePeriodSeconds"] = whole_number(grace)
    if policy := request.param("propagationPolicy"):
        found["propagationPolicy"] = policy
    if "orphanDependents" in request.query:
        found["orphanDependents"] = request.flag("orphanDependents")
    if dry_run := request.query.get("dryRun"):
        found["dryRun"] = dry_run
    return found
