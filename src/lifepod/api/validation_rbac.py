"""What is wrong with a Role, a ClusterRole, or a binding of one.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/rbac/validation/validation.go
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.defaults_cluster import RBAC_GROUP
from lifepod.api.field_errors import FieldError, go_struct, invalid, not_supported, required
from lifepod.api.meta import selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import Rules, changed_object, named, new_object

_SUBJECTS: Final = ("ServiceAccount", "User", "Group")


def _rule_errors(rule: JsonObject, path: str, *, namespaced: bool) -> list[FieldError]:
    """Verbs on resources, or on paths that are none. Source: ValidatePolicyRule"""
    errors = [] if rule.get("verbs") else [required(f"{path}.verbs", "verbs must contain at least one value")]
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            errors.append(invalid(f"{path}.nonResourceURLs", urls, detail))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(f"{path}.nonResourceURLs", urls, detail))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


def _role_errors(role: JsonObject) -> list[FieldError]:
    return _all_rule_errors(role, namespaced=True)


def _all_rule_errors(role: JsonObject, *, namespaced: bool) -> list[FieldError]:
    rules: list[JsonObject] = role.get("rules") or []
    return [e for at, rule in enumerate(rules) for e in _rule_errors(rule, f"rules[{at}]", namespaced=namespaced)]


def _cluster_role_errors(role: JsonObject) -> list[FieldError]:
    """Source: ValidateClusterRole"""
    errors = _all_rule_errors(role, namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is None:
        return errors
    path = "aggregationRule.clusterRoleSelectors"
    selectors: list[JsonObject] = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        errors.append(required(path, detail))
    for index, selector in enumerate(selectors):
        wrong = selector_errors(selector, f"{path}[{index}]")
        errors += [*wrong, invalid(f"{path}[{index}]", None, "invalid label selector.")] if wrong else []
    return errors


def _binding_rules(kinds: tuple[str, ...], *, namespaced: bool) -> Rules:
    def errors_of(binding: JsonObject) -> list[FieldError]:
        ref: JsonObject = binding.get("roleRef") or {}
        errors: list[FieldError] = []
        if ref.get("apiGroup") != RBAC_GROUP:
            errors.append(not_supported("roleRef.apiGroup", ref.get("apiGroup") or "", (RBAC_GROUP,)))
        if ref.get("kind") not in kinds:
            errors.append(not_supported("roleRef.kind", ref.get("kind") or "", kinds))
        errors += named(ref.get("name"), names.path_segment, "roleRef.name")
        for index, subject in enumerate(binding.get("subjects") or []):
            errors += _subject_errors(subject, f"subjects[{index}]", namespaced=namespaced)
        return errors

    return errors_of


def _subject_errors(subject: JsonObject, path: str, *, namespaced: bool) -> list[FieldError]:
    """Source: ValidateRoleBindingSubject"""
    name, group = subject.get("name") or "", subject.get("apiGroup") or ""
    errors = [] if name else [required(f"{path}.name")]
    match subject.get("kind"):
        case "ServiceAccount":
            if name:
                errors += [invalid(f"{path}.name", name, complaint) for complaint in names.dns_subdomain(name)]
            if group:
                errors.append(not_supported(f"{path}.apiGroup", group, ("",)))
            if not namespaced and not subject.get("namespace"):
                errors.append(required(f"{path}.namespace"))
        case "User" | "Group":
            if group != RBAC_GROUP:
                errors.append(not_supported(f"{path}.apiGroup", group, (RBAC_GROUP,)))
        case kind:
            errors.append(not_supported(f"{path}.kind", kind or "", _SUBJECTS))
    return errors


def _kept_role_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """A binding stays one of its role. Source: ValidateRoleBindingUpdate"""
    ref: JsonObject = new.get("roleRef") or {}
    group, kind, name = (ref.get(member) or "" for member in ("apiGroup", "kind", "name"))
    shown = go_struct(("APIGroup", group), ("Kind", kind), ("Name", name))
    return [] if ref == old.get("roleRef") else [invalid("roleRef", shown, "cannot change roleRef")]


_any_role = _binding_rules(("Role", "ClusterRole"), namespaced=True)
_cluster_roles = _binding_rules(("ClusterRole",), namespaced=False)

role_errors = new_object(_role_errors, namespaced=True, name_rule=names.path_segment)
role_update_errors = changed_object(_role_errors)
cluster_role_errors = new_object(_cluster_role_errors, namespaced=False, name_rule=names.path_segment)
cluster_role_update_errors = changed_object(_cluster_role_errors)
role_binding_errors = new_object(_any_role, namespaced=True, name_rule=names.path_segment)
role_binding_update_errors = changed_object(_any_role, change=_kept_role_errors)
cluster_role_binding_errors = new_object(_cluster_roles, namespaced=False, name_rule=names.path_segment)
cluster_role_binding_update_errors = changed_object(_cluster_roles, change=_kept_role_errors)
