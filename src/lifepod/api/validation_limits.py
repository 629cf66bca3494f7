"""What is wrong with a ResourceQuota or a LimitRange.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go
        k8s.io/kubernetes v1.34.4 pkg/apis/core/helper/helpers.go
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, required
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import NOT_NEGATIVE, amount, changed_object, new_object, shown_amount

_COUNTED: Final = frozenset(
    "pods services replicationcontrollers resourcequotas secrets configmaps persistentvolumeclaims services.nodeports "
    "services.loadbalancers".split()
)
_COMPUTED: Final = frozenset("cpu memory requests.cpu requests.memory limits.cpu limits.memory".split())
_STORED: Final = frozenset(
    "ephemeral-storage requests.storage requests.ephemeral-storage limits.ephemeral-storage".split()
)
_OF_PODS: Final = _COMPUTED | {"pods"}
_OF_CLAIMS: Final = frozenset(("persistentvolumeclaims", "requests.storage"))
_SCOPES: Final[dict[str, frozenset[str]]] = {
    "Terminating": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "BestEffort": frozenset(("pods",)),
    "NotBestEffort": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "CrossNamespacePodAffinity": _OF_PODS,
    "VolumeAttributesClass": _OF_CLAIMS,
}
_CONFLICTS: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_UNIT: Final = 10**9


def _is_standard(name: str) -> bool:
    return name in _COUNTED | _COMPUTED | _STORED or name.startswith(("hugepages-", "requests.hugepages-"))


def _quota_errors(quota: JsonObject) -> list[FieldError]:
    """Source: ValidateResourceQuotaSpec"""
    spec: JsonObject = quota.get("spec") or {}
    hard: JsonObject = spec.get("hard") or {}
    errors: list[FieldError] = []
    for name in sorted(hard):
        path = f"spec.hard[{name}]"
        complaints = names.qualified_name(name)
        errors += [invalid(path, name, complaint) for complaint in complaints]
        if not complaints and "/" not in name and not _is_standard(name):
            errors.append(invalid(path, name, "must be a standard resource for quota"))
        nanos = amount(hard[name])
        if nanos < 0:
            errors.append(invalid(path, shown_amount(hard[name]), NOT_NEGATIVE))
        if name in _COUNTED and nanos % _UNIT:
            errors.append(invalid(path, shown_amount(hard[name]), "must be an integer"))
    return errors + _scope_errors(spec.get("scopes") or [], hard) + _scope_selector_errors(spec)


def _scope_errors(scopes: list[str], hard: JsonObject) -> list[FieldError]:
    """Source: validateResourceQuotaScopes"""
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(invalid("spec.scopes", scopes, "unsupported scope"))
        misplaced = [name for name in hard if _is_standard(name) and name not in _SCOPES.get(scope, hard)]
        errors += [invalid("spec.scopes", scopes, "unsupported scope applied to resource") for _ in misplaced]
    conflicts = [pair for pair in _CONFLICTS if set(pair) <= set(scopes)]
    return errors + [invalid("spec.scopes", scopes, "conflicting scopes") for _ in conflicts]


def _scope_selector_errors(spec: JsonObject) -> list[FieldError]:
    """Source: validateScopedResourceSelectorRequirement"""
    errors: list[FieldError] = []
    path = "spec.scopeSelector.matchExpressions"
    for term in (spec.get("scopeSelector") or {}).get("matchExpressions") or []:
        scope, operator, values = term.get("scopeName") or "", term.get("operator"), term.get("values") or []
        if scope not in _SCOPES:
            errors.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
        if operator in ("In", "NotIn") and not values:
            detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(required(f"{path}.values", detail))
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector"
            errors.append(invalid(f"{path}.values", values, detail))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.append(invalid(f"{path}.operator", operator or "", "not a valid selector operator"))
    return errors


def _kept_scope_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: ValidateResourceQuotaUpdate"""
    after, before = ((obj.get("spec") or {}).get("scopes") or [] for obj in (new, old))
    return [] if set(after) == set(before) else [invalid("spec.scopes", after, "field is immutable")]


def _limit_range_errors(limits: JsonObject) -> list[FieldError]:
    """Source: ValidateLimitRange"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, limit in enumerate((limits.get("spec") or {}).get("limits") or []):
        path, kind = f"spec.limits[{index}]", limit.get("type") or ""
        errors += _limit_type_errors(kind, f"{path}.type")
        if kind in seen:
            errors.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        if kind == "Pod":
            detail = "may not be specified when `type` is 'Pod'"
            errors += [forbidden(f"{path}.{f}", detail) for f in ("default", "defaultRequest") if limit.get(f)]
        if kind == "PersistentVolumeClaim" and not any("storage" in (limit.get(f) or {}) for f in ("min", "max")):
            detail = "either minimum or maximum storage value is required, but neither was provided"
            errors.append(required(f"{path}.limits", detail))
        for name in _limited(limit):
            errors += _limit_errors(limit, name, path)
    return errors


def _limit_type_errors(kind: str, path: str) -> list[FieldError]:
    complaints = names.qualified_name(kind)
    if complaints:
        return [invalid(path, kind, complaint) for complaint in complaints]
    if "/" in kind or kind in ("Pod", "Container", "PersistentVolumeClaim"):
        return []
    return [invalid(path, kind, "must be a standard limit type or fully qualified")]


def _limited(limit: JsonObject) -> list[str]:
    fields = ["min", "max", "maxLimitRequestRatio"]
    if limit.get("type") != "Pod":
        fields += ["default", "defaultRequest"]
    return sorted({name for field in fields for name in limit.get(field) or {}})


_ORDER: Final = (
    ("min", "max", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min value {} is greater than default value {}"),
    ("default", "max", "default", "default value {} is greater than max value {}"),
)
"""Which must not be more than which, where that is told, and how."""
_TOLD: Final = {"min": "min", "defaultRequest": "defaultRequest", "default": "min"}


def _limit_errors(limit: JsonObject, name: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    held = {field: (limit.get(field) or {}).get(name) for field in ("min", "max", "default", "defaultRequest")}
    if limit.get("type") == "Pod":
        held |= {"default": None, "defaultRequest": None}
    for lower, upper, where, text in _ORDER:
        low, high = held[lower], held[upper]
        if low is not None and high is not None and amount(low) > amount(high):
            value = held["max"] if (lower, upper) == ("default", "max") else held[_TOLD[where]]
            detail = text.format(shown_amount(low), shown_amount(high))
            errors.append(invalid(f"{path}.{where}[{name}]", shown_amount(value), detail))
    ratio = (limit.get("maxLimitRequestRatio") or {}).get(name)
    if ratio is not None and amount(ratio) < _UNIT:
        detail = f"ratio {shown_amount(ratio)} is less than 1"
        errors.append(invalid(f"{path}.maxLimitRequestRatio[{name}]", shown_amount(ratio), detail))
    return errors


quota_errors = new_object(_quota_errors, namespaced=True)
quota_update_errors = changed_object(_quota_errors, change=_kept_scope_errors)
limit_range_errors = new_object(_limit_range_errors, namespaced=True)
limit_range_update_errors = changed_object(_limit_range_errors)
