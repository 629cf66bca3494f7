"""What is wrong with the resources a container or pod asks for.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateResourceRequirements
"""

from __future__ import annotations

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, required
from lifepod.api.objects import JsonObject
from lifepod.api.quantity import Quantity, parse_quantity

_CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
_NOT_NEGATIVE = "must be greater than or equal to 0"


def resource_errors(resources: JsonObject | None, path: str) -> list[FieldError]:
    """Names that containers can ask for, amounts of zero or more, requests within limits."""
    if not resources:
        return []
    limits: JsonObject = resources.get("limits") or {}
    requests: JsonObject = resources.get("requests") or {}
    errors: list[FieldError] = []
    for which, held in (("limits", limits), ("requests", requests)):
        for name, amount in held.items():
            errors += _name_errors(name, f"{path}.{which}[{name}]")
            errors += amount_errors(name, parse_quantity(str(amount)), amount, f"{path}.{which}[{name}]")
    for name, amount in requests.items():
        if name in limits:
            errors += _within_limit(name, str(amount), str(limits[name]), f"{path}.requests")
        elif not _may_overcommit(name):
            errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
    huge = any(name.startswith("hugepages-") for name in (*limits, *requests))
    if huge and not any(name in held for held in (limits, requests) for name in ("cpu", "memory")):
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors


def _name_errors(name: str, path: str) -> list[FieldError]:
    errors = [invalid(path, name, complaint) for complaint in names.qualified_name(name)]
    if errors:
        return errors
    if "/" not in name:
        if name in _CONTAINER_RESOURCES or name.startswith("hugepages-"):
            return []
        standard = name in ("storage", "pods", "services") or name.startswith(("requests.", "limits."))
        if not standard:
            errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
        errors.append(invalid(path, name, "must be a standard resource for containers"))
        return errors
    prefix = name.partition("/")[0]
    if "kubernetes.io" in prefix:
        return []
    if name.startswith("requests.") or names.qualified_name(f"requests.{name}"):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def amount_errors(name: str, quantity: Quantity, text: object, path: str) -> list[FieldError]:
    """Not negative; extended resources come in whole units."""
    errors: list[FieldError] = []
    if quantity.nanos < 0:
        errors.append(invalid(path, str(text), _NOT_NEGATIVE))
    is_extended = "/" in name and "kubernetes.io" not in name.partition("/")[0]
    if is_extended and quantity.nanos % 10**9:
        errors.append(invalid(path, str(text), "must be an integer"))
    return errors


def _within_limit(name: str, request: str, limit: str, path: str) -> list[FieldError]:
    asked, bound = parse_quantity(request).nanos, parse_quantity(limit).nanos
    if _may_overcommit(name):
        if asked > bound:
            return [invalid(path, request, f"must be less than or equal to {name} limit of {limit}")]
    elif asked != bound:
        return [invalid(path, request, f"must be equal to {name} limit of {limit}")]
    return []


def _may_overcommit(name: str) -> bool:
    """Native resources may be asked for in smaller amounts than their limit; huge pages and extended ones may not."""
    is_native = "/" not in name or "kubernetes.io/" in name
    return is_native and not name.startswith("hugepages-")
