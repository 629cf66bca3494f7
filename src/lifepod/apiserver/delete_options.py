"""What the body or query of a DELETE asks for. The body wins.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/delete.go: DeleteResource
        k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/validation/validation.go: ValidateDeleteOptions
"""

from __future__ import annotations

from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.objects import JsonObject
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.options import DeleteOptions
from lifepod.apiserver.status_errors import invalid_options

_POLICIES = ("Foreground", "Background", "Orphan", "nil")


def delete_options_of(body: JsonObject) -> DeleteOptions:
    """The options in a `DeleteOptions` object. Raises 400, 422."""
    grace = body.get("gracePeriodSeconds")
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int)):
        raise bad_request(
            f'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: cannot unmarshal '
            f"{_word(grace)} into Go struct field DeleteOptions.gracePeriodSeconds of type int64"
        )
    policy = body.get("propagationPolicy")
    orphan = body.get("orphanDependents")
    errors: list[FieldError] = []
    if policy is not None and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(invalid("propagationPolicy", policy, why))
    elif policy is not None and policy not in ("Foreground", "Background", "Orphan"):
        shown = ", ".join(f'"{name}"' for name in _POLICIES)
        errors.append(FieldError("FieldValueNotSupported", "propagationPolicy", policy, f"supported values: {shown}"))
    dry_run = body.get("dryRun") or []
    if dry_run and dry_run != ["All"]:
        errors.append(FieldError("FieldValueNotSupported", "dryRun", dry_run, 'supported values: "All"'))
    if errors:
        raise invalid_options("DeleteOptions", errors)
    if policy is None and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(grace, policy, preconditions.get("uid"), preconditions.get("resourceVersion"))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return f"number {value}"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
