"""What is wrong with where a pod wants to run: tolerations, affinity, topology spread, gates.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from lifepod.api.meta import label_errors, selector_errors
from lifepod.api.objects import JsonObject

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_INCLUSION = ("Honor", "Ignore")


def toleration_errors(tolerations: list[JsonObject], path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateTolerations"""
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator = toleration.get("key") or "", toleration.get("operator") or ""
        value, effect = toleration.get("value") or "", toleration.get("effect") or ""
        if key:
            errors += [invalid(f"{at}.key", key, complaint) for complaint in names.qualified_name(key)]
        elif operator != "Exists":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{at}.operator", operator, detail))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid(f"{at}.effect", effect, detail))
        if operator in ("", "Equal"):
            complaints = names.label_value(value)
            if complaints:
                errors.append(invalid(f"{at}.operator", value, ";".join(complaints)))
        elif operator == "Exists":
            if value:
                detail = "value must be empty when `operator` is 'Exists'"
                errors.append(invalid(f"{at}.operator", value, detail))
        else:
            errors.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in _EFFECTS:
            errors.append(not_supported(f"{at}.effect", effect, _EFFECTS))
    return errors


def spread_errors(constraints: list[JsonObject], path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateTopologySpreadConstraints"""
    errors: list[FieldError] = []
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        skew: int = constraint.get("maxSkew") or 0
        if skew <= 0:
            errors.append(invalid(f"{at}.maxSkew", skew, "must be greater than 0"))
        key, action = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if not key:
            errors.append(required(f"{at}.topologyKey", "can not be empty"))
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            errors.append(not_supported(f"{at}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway")))
        for later in constraints[index + 1 :]:
            if (later.get("topologyKey"), later.get("whenUnsatisfiable")) == (key, action):
                errors.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
                break
        errors += _min_domains_errors(constraint, action, f"{at}.minDomains")
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = constraint.get(name)
            if policy is not None and policy not in _INCLUSION:
                errors.append(not_supported(f"{at}.{name}", policy, _INCLUSION))
        errors += _label_key_errors(constraint, at)
        errors += selector_errors(constraint.get("labelSelector"), f"{at}.labelSelector")
    return errors


def _label_key_errors(term: JsonObject, path: str) -> list[FieldError]:
    """Label keys need a selector to join, and none may be asked for twice.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateMatchLabelKeysAndMismatchLabelKeys
    """
    selector = term.get("labelSelector")
    errors: list[FieldError] = []
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        keys: list[str] = term.get(field) or []
        if keys and selector is None:
            errors.append(forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set"))
            continue
        for index, key in enumerate(keys):
            errors += [invalid(f"{path}.{field}[{index}]", key, complaint) for complaint in names.qualified_name(key)]
    wanted: list[str] = term.get("matchLabelKeys") or []
    seen = set((selector or {}).get("matchLabels") or {})
    for expression in (selector or {}).get("matchExpressions") or []:
        key = expression.get("key") or ""
        if key in wanted and key in seen:
            at = len(wanted) - 1 - wanted[::-1].index(key)
            errors.append(invalid(f"{path}[{at}]", key, "exists in both matchLabelKeys and labelSelector"))
        seen.add(key)
    both = set(term.get("mismatchLabelKeys") or [])
    detail = "exists in both matchLabelKeys and mismatchLabelKeys"
    return errors + [
        invalid(f"{path}.matchLabelKeys[{at}]", key, detail) for at, key in enumerate(wanted) if key in both
    ]


def _min_domains_errors(constraint: JsonObject, action: str, path: str) -> list[FieldError]:
    domains = constraint.get("minDomains")
    if domains is None:
        return []
    errors = [invalid(path, domains, "must be greater than 0")] if domains <= 0 else []
    if action != "DoNotSchedule":
        detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        errors.append(invalid(path, domains, detail))
    return errors


def affinity_errors(affinity: JsonObject | None, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateAffinity"""
    if not affinity:
        return []
    errors: list[FieldError] = []
    node: JsonObject = affinity.get("nodeAffinity") or {}
    selector = node.get(_REQUIRED)
    if selector is not None:
        at = f"{path}.nodeAffinity.{_REQUIRED}"
        terms = selector.get("nodeSelectorTerms") or []
        if not terms:
            errors.append(required(f"{at}.nodeSelectorTerms", "must have at least one node selector term"))
        for index, term in enumerate(terms):
            errors += _node_term_errors(term, f"{at}.nodeSelectorTerms[{index}]", is_required=True)
    for index, weighted in enumerate(node.get(_PREFERRED) or []):
        at = f"{path}.nodeAffinity.{_PREFERRED}[{index}]"
        errors += _weight_errors(weighted, at)
        errors += _node_term_errors(weighted.get("preference") or {}, f"{at}.preference")
    for side in ("podAffinity", "podAntiAffinity"):
        held: JsonObject = affinity.get(side) or {}
        for index, term in enumerate(held.get(_REQUIRED) or []):
            errors += _pod_term_errors(term, f"{path}.{side}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(held.get(_PREFERRED) or []):
            at = f"{path}.{side}.{_PREFERRED}[{index}]"
            errors += _weight_errors(weighted, at)
            errors += _pod_term_errors(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _weight_errors(weighted: JsonObject, path: str) -> list[FieldError]:
    weight: int = weighted.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _node_term_errors(term: JsonObject, path: str, *, is_required: bool = False) -> list[FieldError]:
    """Values that are no label values are refused only in required terms: in preferred ones they never match."""
    errors: list[FieldError] = []
    for index, expression in enumerate(term.get("matchExpressions") or []):
        at = f"{path}.matchExpressions[{index}]"
        errors += _node_expression_errors(expression, at)
        if is_required:
            for number, value in enumerate(expression.get("values") or []):
                errors += [invalid(f"{at}.values[{number}]", value, c) for c in names.label_value(value)]
    for index, field in enumerate(term.get("matchFields") or []):
        errors += _node_field_errors(field, f"{path}.matchFields[{index}]")
    return errors


def _node_field_errors(field: JsonObject, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateNodeFieldSelectorRequirement"""
    errors: list[FieldError] = []
    values: list[str] = field.get("values") or []
    if field.get("operator") not in ("In", "NotIn"):
        errors.append(invalid(f"{path}.operator", field.get("operator") or "", "not a valid selector operator"))
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", detail))
    if field.get("key") != "metadata.name":
        return [*errors, invalid(f"{path}.key", field.get("key") or "", "not a valid field selector key")]
    for index, value in enumerate(values):
        errors += [invalid(f"{path}.values[{index}]", value, c) for c in names.dns_subdomain(value)]
    return errors


def _node_expression_errors(expression: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    values: list[str] = expression.get("values") or []
    match expression.get("operator"):
        case "In" | "NotIn":
            if not values:
                errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        case "Exists" | "DoesNotExist":
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(forbidden(f"{path}.values", detail))
        case "Gt" | "Lt":
            if len(values) != 1:
                detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                errors.append(required(f"{path}.values", detail))
        case operator:
            errors.append(invalid(f"{path}.operator", operator or "", "not a valid selector operator"))
    key: str = expression.get("key") or ""
    return errors + [invalid(f"{path}.key", key, complaint) for complaint in names.qualified_name(key)]


def _pod_term_errors(term: JsonObject, path: str) -> list[FieldError]:
    errors = selector_errors(term.get("labelSelector"), f"{path}.labelSelector")
    errors += selector_errors(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for namespace in term.get("namespaces") or []:
        errors += [invalid(f"{path}.namespace", namespace, complaint) for complaint in names.dns_label(namespace)]
    errors += _label_key_errors(term, path)
    key: str = term.get("topologyKey") or ""
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + [invalid(f"{path}.topologyKey", key, complaint) for complaint in names.qualified_name(key)]


def gate_errors(gates: list[JsonObject], path: str) -> list[FieldError]:
    """Scheduling gates are qualified names, each once."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name: str = gate.get("name") or ""
        errors += [invalid(f"{path}[{index}]", name, complaint) for complaint in names.qualified_name(name)]
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return errors


def node_selector_errors(selector: JsonObject | None, path: str) -> list[FieldError]:
    """A node selector is a map of labels."""
    return label_errors(selector, path) if selector else []
