"""What is wrong with a ValidatingAdmissionPolicy or its binding. How its expressions are read: `validation_expressions.py`.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/admissionregistration/validation/validation.go
"""

from __future__ import annotations

import re
from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_many
from lifepod.api.meta import selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_expressions import CONDITION_VARIABLES, POLICY_VARIABLES, expression_errors
from lifepod.api.validation_spec import changed_object, known_value, named, new_object
from lifepod.api.validation_webhooks import rule_errors

_REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_ACTIONS: Final = ("Audit", "Deny", "Warn")
_NOTHING: Final = "validations or auditAnnotations must contain at least one item"
_EITHER: Final = "name and selector are mutually exclusive"
_BOTH: Final = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)
_MAX_CONDITIONS, _MAX_ANNOTATIONS, _MAX_VALUE = 64, 20, 5 * 1024
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = frozenset(
    "true false null in as break const continue else for function if import let loop package namespace return var void "
    "while".split()
)


def _policy_errors(policy: JsonObject) -> list[FieldError]:
    """Source: validateValidatingAdmissionPolicySpec"""
    spec: JsonObject = policy.get("spec") or {}
    errors = known_value(spec.get("failurePolicy"), ("Fail", "Ignore"), "spec.failurePolicy")
    if spec.get("paramKind") is not None:
        errors += _param_kind_errors(spec["paramKind"], "spec.paramKind")
    constraints = spec.get("matchConstraints")
    if constraints is None:
        errors.append(required("spec.matchConstraints"))
    else:
        errors += _match_errors(constraints, "spec.matchConstraints")
        if not constraints.get("resourceRules"):
            errors.append(required("spec.matchConstraints.resourceRules"))
    errors += _condition_errors(spec.get("matchConditions") or [], "spec.matchConditions")
    for index, variable in enumerate(spec.get("variables") or []):
        errors += _variable_errors(variable, f"spec.variables[{index}]")
    validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not annotations:
        return [*errors, required("spec.validations", _NOTHING), required("spec.auditAnnotations", _NOTHING)]
    for index, validation in enumerate(validations):
        errors += _validation_errors(validation, f"spec.validations[{index}]")
    return errors + _annotation_errors(annotations, policy["metadata"].get("name") or "")


def _param_kind_errors(kind: JsonObject, path: str) -> list[FieldError]:
    version: str = kind.get("apiVersion") or ""
    group, _, short = version.rpartition("/")
    at = f"{path}.apiVersion"
    if not version:
        errors = [required(at)]
    elif version.count("/") > 1:
        errors = [invalid(at, version, f"unexpected GroupVersion string: {version}")]
    else:
        complaints = names.dns_subdomain(group) if group else ()
        errors = [invalid(at, group, ",".join(complaints))] if complaints else []
        if not short:
            errors.append(invalid(at, version, "version must be specified"))
        elif complaints := names.dns1035_label(short):
            errors.append(invalid(at, short, ",".join(complaints)))
    name: str = kind.get("kind") or ""
    if not name:
        errors.append(required(f"{path}.kind"))
    elif complaints := names.dns1035_label(name.lower()):
        detail = "may have mixed case, but should otherwise match: " + ",".join(complaints)
        errors.append(invalid(f"{path}.kind", name, detail))
    return errors


def _match_errors(match: JsonObject, path: str) -> list[FieldError]:
    """Source: validateMatchResources (its policy and selectors are defaulted)"""
    errors = known_value(match.get("matchPolicy"), ("Equivalent", "Exact"), f"{path}.matchPolicy")
    for field in ("namespaceSelector", "objectSelector"):
        errors += selector_errors(match.get(field), f"{path}.{field}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(field) or []):
            place = f"{path}.{field}[{index}]"
            errors += _resource_name_errors(rule.get("resourceNames") or [], f"{place}.resourceNames")
            errors += rule_errors(rule, place)
    return errors


def _resource_name_errors(wanted: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, name in enumerate(wanted):
        errors += [invalid(f"{path}[{index}]", name, complaint) for complaint in names.path_segment(name)]
        if name in wanted[:index]:
            errors.append(duplicate(f"{path}[{index}]", name))
    return errors


def _condition_errors(conditions: list[JsonObject], path: str) -> list[FieldError]:
    """Source: validateMatchConditions"""
    errors = [too_many(path, len(conditions), _MAX_CONDITIONS)] if len(conditions) > _MAX_CONDITIONS else []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        place, name = f"{path}[{index}]", condition.get("name") or ""
        if not (condition.get("expression") or "").strip():
            errors.append(required(f"{place}.expression"))
        errors += expression_errors(condition, "expression", place, CONDITION_VARIABLES)
        errors += named(name, names.qualified_name, f"{place}.name")
        if name and name in seen:
            errors.append(duplicate(f"{place}.name", name))
        seen.add(name)
    return errors


def _variable_errors(variable: JsonObject, path: str) -> list[FieldError]:
    name: str = variable.get("name") or ""
    errors: list[FieldError] = []
    if not name.strip():
        errors.append(required(f"{path}.name", "name is not specified"))
    elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        errors.append(invalid(f"{path}.name", name, "name is not a valid CEL identifier"))
    if not (variable.get("expression") or "").strip():
        errors.append(required(f"{path}.expression", "expression is not specified"))
    return errors + expression_errors(variable, "expression", path, POLICY_VARIABLES)


def _validation_errors(validation: JsonObject, path: str) -> list[FieldError]:
    """Source: validateValidation"""
    said, told = validation.get("message") or "", validation.get("messageExpression") or ""
    errors: list[FieldError] = []
    if not (validation.get("expression") or "").strip():
        errors.append(required(f"{path}.expression", "expression is not specified"))
    for field in ("expression", "messageExpression"):
        errors += expression_errors(validation, field, path, POLICY_VARIABLES)
    if told and not told.strip():
        errors.append(invalid(f"{path}.messageExpression", told, "must be non-empty if specified"))
    if said and not said.strip():
        errors.append(invalid(f"{path}.message", said, "message must be non-empty if specified"))
    elif "\n" in said.strip() or "\r" in said.strip():
        errors.append(invalid(f"{path}.message", said, "message must not contain line breaks"))
    return errors + known_value(validation.get("reason"), _REASONS, f"{path}.reason")


def _annotation_errors(annotations: list[JsonObject], policy: str) -> list[FieldError]:
    """Source: validateAuditAnnotation"""
    path = "spec.auditAnnotations"
    errors: list[FieldError] = []
    if len(annotations) > _MAX_ANNOTATIONS:
        errors.append(invalid(path, [*annotations], f"must not have more than {_MAX_ANNOTATIONS} auditAnnotations"))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        place, key = f"{path}[{index}]", annotation.get("key") or ""
        whole = f"{policy}/{key}"
        errors += [invalid(f"{place}.key", whole, complaint) for complaint in names.qualified_name(whole)]
        value = (annotation.get("valueExpression") or "").strip()
        if not value:
            errors.append(required(f"{place}.valueExpression", "valueExpression is not specified"))
        elif len(value.encode()) > _MAX_VALUE:
            errors.append(required(f"{place}.valueExpression", f"must not exceed {_MAX_VALUE} bytes in length"))
        if key in seen:
            errors.append(duplicate(f"{place}.key", key))
        seen.add(key)
    return errors


def _binding_errors(binding: JsonObject) -> list[FieldError]:
    """Source: validateValidatingAdmissionPolicyBindingSpec"""
    spec: JsonObject = binding.get("spec") or {}
    errors = named(spec.get("policyName"), names.dns_subdomain, "spec.policyName")
    if spec.get("paramRef") is not None:
        errors += _param_errors(spec["paramRef"], "spec.paramRef")
    if spec.get("matchResources") is not None:
        errors += _match_errors(spec["matchResources"], "spec.matchResources")
    return errors + _action_errors(spec.get("validationActions") or [], "spec.validationActions")


def _param_errors(ref: JsonObject, path: str) -> list[FieldError]:
    """Source: validateParamRef"""
    name, selector = ref.get("name") or "", ref.get("selector")
    errors: list[FieldError] = []
    if name:
        errors += [invalid(f"{path}.name", name, complaint) for complaint in names.path_segment(name)]
        if selector is not None:
            errors.append(forbidden(f"{path}.name", _EITHER))
    if selector is not None:
        errors += selector_errors(selector, f"{path}.selector")
        if name:
            errors.append(forbidden(f"{path}.selector", _EITHER))
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    action = ref.get("parameterNotFoundAction")
    if not action:
        return [*errors, required(f"{path}.parameterNotFoundAction")]
    return errors + known_value(action, ("Deny", "Allow"), f"{path}.parameterNotFoundAction")


def _action_errors(actions: list[str], path: str) -> list[FieldError]:
    """Source: validateValidationActions"""
    if not actions:
        return [required(path, "at least one validation action is required")]
    errors: list[FieldError] = []
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            errors.append(not_supported(f"{path}[{index}]", action, _ACTIONS))
        if action in actions[:index]:
            errors.append(duplicate(f"{path}[{index}]", action))
    return [*errors, invalid(path, [*actions], _BOTH)] if {"Deny", "Warn"} <= set(actions) else errors


policy_errors = new_object(_policy_errors, namespaced=False)
policy_update_errors = changed_object(_policy_errors)
binding_errors = new_object(_binding_errors, namespaced=False)
binding_update_errors = changed_object(_binding_errors)
