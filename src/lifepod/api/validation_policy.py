"""What is wrong with a PodDisruptionBudget or a PriorityClass."""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, go_struct, invalid, not_supported, required
from lifepod.api.meta import immutable_errors, selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, known_value, new_object
from lifepod.api.validation_workloads import over_all_errors, share_errors

_HIGHEST: Final = 1_000_000_000
SYSTEM_PRIORITIES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_PREEMPTION: Final = ("PreemptLowerPriority", "Never")


def _budget_errors(budget: JsonObject) -> list[FieldError]:
    """One of the two amounts, as a count or a percentage.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/policy/validation/validation.go: ValidatePodDisruptionBudgetSpec
    """
    spec: JsonObject = budget.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        fields = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
        shown = go_struct(*((f"{name[0].upper()}{name[1:]}", spec.get(name)) for name in fields))
        errors.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for field in ("minAvailable", "maxUnavailable"):
        errors += share_errors(spec.get(field), f"spec.{field}")
        errors += over_all_errors(spec.get(field), f"spec.{field}")
    errors += selector_errors(spec.get("selector"), "spec.selector")
    policies = ("AlwaysAllow", "IfHealthyBudget")
    return errors + known_value(spec.get("unhealthyPodEvictionPolicy"), policies, "spec.unhealthyPodEvictionPolicy")


def _priority_class_errors(priority_class: JsonObject) -> list[FieldError]:
    """Names that begin with `system-` and values above a thousand million are the system's own.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/scheduling/validation/validation.go: ValidatePriorityClass
            k8s.io/kubernetes v1.34.4 pkg/apis/scheduling/v1/helpers.go: IsKnownSystemPriorityClass
    """
    name: str = (priority_class.get("metadata") or {}).get("name") or ""
    value: int = priority_class.get("value") or 0
    errors: list[FieldError] = []
    if name.startswith("system-"):
        problem = _system_class_problem(name, value, is_default=bool(priority_class.get("globalDefault")))
        if problem:
            reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
            errors.append(forbidden("metadata.name", reserved + problem))
    elif value > _HIGHEST:
        errors.append(forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST}"))
    policy = priority_class.get("preemptionPolicy")
    if policy == "":
        errors.append(required("preemptionPolicy"))
    elif policy is not None and policy not in _PREEMPTION:
        errors.append(not_supported("preemptionPolicy", policy, _PREEMPTION))
    return errors


def _system_class_problem(name: str, value: int, *, is_default: bool) -> str:
    known = SYSTEM_PRIORITIES.get(name)
    if known is None:
        return f"{name} is not a known system priority class"
    if value != known:
        return f"value of {name} PriorityClass must be {known}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""


def _kept_priority_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/scheduling/validation/validation.go: ValidatePriorityClassUpdate"""
    errors: list[FieldError] = []
    if (new.get("value") or 0) != (old.get("value") or 0):
        errors.append(forbidden("value", "may not be changed in an update."))
    return errors + immutable_errors(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")


def _nothing_more(obj: JsonObject) -> list[FieldError]:
    return []


budget_errors = new_object(_budget_errors, namespaced=True, name_rule=names.path_segment)
budget_update_errors = changed_object(_budget_errors)
priority_class_errors = new_object(_priority_class_errors, namespaced=False)
priority_class_update_errors = changed_object(_nothing_more, change=_kept_priority_errors)
