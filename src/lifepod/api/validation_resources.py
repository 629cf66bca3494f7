"""What is wrong with the resources a container or pod asks for.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateResourceRequirements
"""

from __future__ import annotations

from collections.abc import Callable

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required
from lifepod.api.objects import JsonObject
from lifepod.api.pod_resources import aggregate
from lifepod.api.quantity import Quantity, parse_quantity

_HUGE_PAGES = "hugepages-"
_STANDARD = frozenset(
    "cpu memory ephemeral-storage requests.cpu requests.memory requests.ephemeral-storage limits.cpu limits.memory"
    " limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets configmaps"
    " persistentvolumeclaims storage requests.storage services.nodeports services.loadbalancers".split()
)
_CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
_NOT_NEGATIVE = "must be greater than or equal to 0"


def resource_errors(
    resources: JsonObject | None, path: str, name_errors: Callable[[str, str], list[FieldError]] | None = None
) -> list[FieldError]:
    """Names that containers (or who `name_errors` is about) can ask for, amounts of zero or more, requests within limits."""
    if not resources:
        return []
    name_errors = name_errors or _name_errors
    limits: JsonObject = resources.get("limits") or {}
    requests: JsonObject = resources.get("requests") or {}
    errors: list[FieldError] = []
    for which, held in (("limits", limits), ("requests", requests)):
        for name, amount in held.items():
            errors += name_errors(name, f"{path}.{which}[{name}]")
            errors += amount_errors(name, parse_quantity(str(amount)), amount, f"{path}.{which}[{name}]")
            if which == "requests" and name in limits:
                errors += _within_limit(name, str(amount), str(limits[name]), f"{path}.requests")
            elif which == "requests" and not _may_overcommit(name):
                errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
            errors += _whole_pages_errors(name, str(amount), f"{path}.{which}[{name}]")
    huge = any(name.startswith(_HUGE_PAGES) for name in (*limits, *requests))
    if huge and not any(name in held for held in (limits, requests) for name in ("cpu", "memory")):
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors


def _whole_pages_errors(name: str, amount: str, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateResourceQuantityHugePageValue"""
    if not name.startswith(_HUGE_PAGES):
        return []
    try:
        page = parse_quantity(name.removeprefix(_HUGE_PAGES)).nanos
    except ValueError:
        page = 0
    if page > 0 and parse_quantity(amount).nanos % page == 0:
        return []
    return [invalid(path, amount, f"{amount} is not positive integer multiple of {name}")]


def pod_resource_errors(spec: JsonObject, path: str) -> list[FieldError]:
    """Pod-level resources: of fewer kinds, and with room for what the containers ask.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validatePodResources
    """
    resources: JsonObject | None = spec.get("resources")
    if resources is None:
        return []
    if (spec.get("os") or {}).get("name") == "windows":
        return [forbidden(path, "may not be set for a windows pod")]
    errors: list[FieldError] = []
    if resources.get("claims") is not None:
        errors.append(forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
    errors += resource_errors(resources, path, _pod_name_errors)
    return errors + _room_errors(spec, resources, path)


def _pod_name_errors(name: str, path: str) -> list[FieldError]:
    errors = _standard_name_errors(name, path)
    if errors or name in ("cpu", "memory") or name.startswith(_HUGE_PAGES):
        return errors
    return [not_supported(path, name, ("cpu", _HUGE_PAGES, "memory"))]


def _room_errors(spec: JsonObject, resources: JsonObject, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validatePodResourceConsistency"""
    errors: list[FieldError] = []
    limits: JsonObject = resources.get("limits") or {}
    for which in ("requests", "limits"):
        asked = aggregate(spec, "requests" if which == "requests" else "limits")
        for name, amount in (resources.get(which) or {}).items():
            is_checked = which == "requests" or name.startswith(_HUGE_PAGES)
            if is_checked and name in asked and asked[name].nanos > parse_quantity(str(amount)).nanos:
                detail = f"must be greater than or equal to aggregate container {which} of {asked[name]}"
                errors.append(invalid(f"{path}.{which}[{name}]", str(amount), detail))
    for index, container in enumerate(spec.get("containers") or []):
        for name, amount in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and parse_quantity(str(amount)).nanos > parse_quantity(str(limits[name])).nanos:
                detail = f"must be less than or equal to pod limits of {limits[name]}"
                errors.append(invalid(f"{path}.containers[{index}][{name}].limits", str(amount), detail))
    return errors


def _standard_name_errors(name: str, path: str) -> list[FieldError]:
    errors = [invalid(path, name, complaint) for complaint in names.qualified_name(name)]
    is_known = "/" in name or name in _STANDARD or name.startswith((_HUGE_PAGES, f"requests.{_HUGE_PAGES}"))
    if errors or is_known:
        return errors
    return [invalid(path, name, "must be a standard resource type or fully qualified")]


def _name_errors(name: str, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateContainerResourceName"""
    errors = _standard_name_errors(name, path)
    if "/" not in name:
        if name not in _CONTAINER_RESOURCES and not name.startswith(_HUGE_PAGES):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
        return errors
    prefix = name.partition("/")[0]
    if "kubernetes.io" in prefix:
        return errors
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
    return is_native and not name.startswith(_HUGE_PAGES)
