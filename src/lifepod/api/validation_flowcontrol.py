"""What is wrong with a FlowSchema or a PriorityLevelConfiguration.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/flowcontrol/validation/validation.go
"""

from __future__ import annotations

from math import ceil, log2
from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, known_value, named, new_object

_MAX_PRECEDENCE: Final = 10_000
_MAX_QUEUES: Final = 10_000_000
_MAX_HASH_BITS: Final = 60
_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_POSITIVE: Final = "must be positive"


def _schema_errors(schema: JsonObject) -> list[FieldError]:
    """Source: ValidateFlowSchemaSpec"""
    spec: JsonObject = schema.get("spec") or {}
    errors = _precedence_errors(spec.get("matchingPrecedence") or 0, schema["metadata"].get("name") or "")
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in ("ByNamespace", "ByUser"):
        errors.append(not_supported("spec.distinguisherMethod.type", method, ("ByNamespace", "ByUser")))
    path, level = "spec.priorityLevelConfiguration.name", (spec.get("priorityLevelConfiguration") or {}).get("name")
    if level:
        errors += named(level, names.dns_subdomain, path)
    else:
        errors.append(required(path, "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules") or []):
        errors += _rule_errors(rule, f"spec.rules[{index}]")
    return errors


def _precedence_errors(precedence: int, name: str) -> list[FieldError]:
    path = "spec.matchingPrecedence"
    if precedence <= 0:
        return [invalid(path, precedence, "must be a positive value")]
    if precedence > _MAX_PRECEDENCE:
        return [invalid(path, precedence, f"must not be greater than {_MAX_PRECEDENCE}")]
    if precedence == 1 and name != "exempt":
        return [invalid(path, 1, "only the schema named 'exempt' may have matchingPrecedence 1")]
    return []


def _rule_errors(rule: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateFlowSchemaPolicyRulesWithSubjects"""
    subjects: list[JsonObject] = rule.get("subjects") or []
    errors = [] if subjects else [required(f"{path}.subjects", "subjects must contain at least one value")]
    for index, subject in enumerate(subjects):
        errors += _subject_errors(subject, f"{path}.subjects[{index}]")
    resources, urls = rule.get("resourceRules") or [], rule.get("nonResourceRules") or []
    if not resources and not urls:
        errors.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for index, each in enumerate(resources):
        errors += _resource_rule_errors(each, f"{path}.resourceRules[{index}]")
    for index, each in enumerate(urls):
        errors += _url_rule_errors(each, f"{path}.nonResourceRules[{index}]")
    return errors


_SUBJECTS: Final = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}


def _subject_errors(subject: JsonObject, path: str) -> list[FieldError]:
    """The member of its kind, and none of the others. Source: ValidateFlowSchemaSubject"""
    kind = subject.get("kind")
    member = _SUBJECTS.get(kind or "")
    if member is None:
        return [not_supported(f"{path}.kind", kind, tuple(_SUBJECTS))]
    given = subject.get(member)
    if given is None:
        errors = [required(f"{path}.{member}", f"{member} is required when subject kind is '{kind}'")]
    elif member == "serviceAccount":
        errors = _account_errors(given, f"{path}.{member}")
    else:
        errors = [] if given.get("name") else [required(f"{path}.{member}.name")]
    for other_kind, other in _SUBJECTS.items():
        if other != member and subject.get(other) is not None:
            errors.append(forbidden(f"{path}.{other}", f"{other} is forbidden when subject kind is not '{other_kind}'"))
    return errors


def _account_errors(account: JsonObject, path: str) -> list[FieldError]:
    name: str = account.get("name") or ""
    errors = [] if name == "*" else named(name, names.dns_subdomain, f"{path}.name")
    namespace: str = account.get("namespace") or ""
    if not namespace:
        return [*errors, required(f"{path}.namespace", "must specify namespace for service account")]
    return errors + named(namespace, names.dns_label, f"{path}.namespace")


def _verb_errors(rule: JsonObject, path: str) -> list[FieldError]:
    verbs: list[str] = rule.get("verbs") or []
    errors = _wildcard_errors(verbs, f"{path}.verbs", "verbs must contain at least one value", "verbs")
    if not errors and "*" not in verbs and not set(verbs) <= set(_VERBS):
        errors.append(not_supported(f"{path}.verbs", [*verbs], _VERBS))
    return errors


def _wildcard_errors(values: list[str], path: str, missing: str, what: str) -> list[FieldError]:
    if not values:
        return [required(path, missing)]
    if "*" in values and len(values) > 1:
        return [invalid(path, [*values], f"if '*' is present, must not specify other {what}")]
    return []


def _resource_rule_errors(rule: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateFlowSchemaResourcePolicyRule"""
    missing = "resource rules must supply at least one {}"
    errors = _verb_errors(rule, path)
    groups, resources = rule.get("apiGroups") or [], rule.get("resources") or []
    errors += _wildcard_errors(groups, f"{path}.apiGroups", missing.format("api group"), "api groups")
    errors += _wildcard_errors(resources, f"{path}.resources", missing.format("resource"), "resources")
    namespaces: list[str] = rule.get("namespaces") or []
    if not namespaces and rule.get("clusterScope"):
        return errors
    lacking = "resource rules that are not cluster scoped must supply at least one namespace"
    wrong = _wildcard_errors(namespaces, f"{path}.namespaces", lacking, "namespaces")
    if wrong or "*" in namespaces:
        return errors + wrong
    intro = "each member of this list must be '*' or a DNS-1123 label; "
    return errors + [
        invalid(f"{path}.namespaces[{index}]", namespace, intro + complaint)
        for index, namespace in enumerate(namespaces)
        for complaint in names.dns_label(namespace)
    ]


def _url_rule_errors(rule: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateFlowSchemaNonResourcePolicyRule"""
    urls: list[str] = rule.get("nonResourceURLs") or []
    missing = "nonResourceURLs must contain at least one value"
    errors = _verb_errors(rule, path)
    wrong = _wildcard_errors(urls, f"{path}.nonResourceURLs", missing, "non-resource URLs")
    if wrong or "*" in urls:
        return errors + wrong
    found = [(index, url, _url_complaint(url)) for index, url in enumerate(urls)]
    return errors + [invalid(f"{path}.nonResourceURLs[{index}]", url, why) for index, url, why in found if why]


def _url_complaint(url: str) -> str:
    """Source: ValidateNonResourceURLPath"""
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count("*")
    return "wildcard can only do suffix matching" if stars > 1 or (stars and not url.endswith("/*")) else ""


def _level_errors(level: JsonObject) -> list[FieldError]:
    """Source: ValidatePriorityLevelConfigurationSpec"""
    spec: JsonObject = level.get("spec") or {}
    kind, limited = spec.get("type") or "", spec.get("limited")
    errors: list[FieldError] = []
    if (level["metadata"].get("name") == "exempt") != (kind == "Exempt"):
        errors.append(invalid("spec.type", kind, "type must be 'Exempt' if and only if name is 'exempt'"))
    match kind:
        case "Exempt" if limited is not None:
            errors.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        case "Limited":
            if spec.get("exempt") is not None:
                errors.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
            if limited is None:
                errors.append(required("spec.limited", "must not be empty when type is Limited"))
            else:
                errors += _limited_errors(limited, "spec.limited")
        case "Exempt":
            pass
        case _:
            errors += known_value(kind, ("Exempt", "Limited"), "spec.type")
    return errors


def _limited_errors(limited: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateLimitedPriorityLevelConfiguration, ValidateLimitResponse"""
    shares = limited.get("nominalConcurrencyShares")
    errors: list[FieldError] = []
    if shares is not None and shares < 0:
        errors.append(invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    response: JsonObject = limited.get("limitResponse") or {}
    kind, queuing, place = response.get("type") or "", response.get("queuing"), f"{path}.limitResponse"
    if kind == "Reject" and queuing is not None:
        detail = "must be nil if limited.limitResponse.type is not Limited"
        errors.append(forbidden(f"{place}.queuing", detail))
    elif kind == "Queue" and queuing is None:
        detail = "must not be empty if limited.limitResponse.type is Limited"
        errors.append(required(f"{place}.queuing", detail))
    elif kind == "Queue":
        errors += _queuing_errors(queuing or {}, f"{place}.queuing")
    else:
        errors += known_value(kind, ("Queue", "Reject"), f"{place}.type")
    lendable, borrowing = limited.get("lendablePercent"), limited.get("borrowingLimitPercent")
    if lendable is not None and not 0 <= lendable <= 100:
        errors.append(invalid(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive"))
    if borrowing is not None and borrowing < 0:
        detail = "if specified, must be a non-negative integer"
        errors.append(invalid(f"{path}.borrowingLimitPercent", borrowing, detail))
    return errors


def _queuing_errors(queuing: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidatePriorityLevelQueuingConfiguration"""
    length, queues, hand = (queuing.get(name) or 0 for name in ("queueLengthLimit", "queues", "handSize"))
    errors = [invalid(f"{path}.queueLengthLimit", length, _POSITIVE)] if length <= 0 else []
    if queues <= 0:
        errors.append(invalid(f"{path}.queues", queues, _POSITIVE))
    elif queues > _MAX_QUEUES:
        errors.append(invalid(f"{path}.queues", queues, f"must not be greater than {_MAX_QUEUES}"))
    if hand <= 0:
        errors.append(invalid(f"{path}.handSize", hand, _POSITIVE))
    elif hand > queues:
        errors.append(invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif ceil(log2(queues) * hand) > _MAX_HASH_BITS:
        detail = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MAX_HASH_BITS}"
        errors.append(invalid(f"{path}.handSize", hand, detail))
    return errors


flow_schema_errors = new_object(_schema_errors, namespaced=False)
flow_schema_update_errors = changed_object(_schema_errors)
priority_level_errors = new_object(_level_errors, namespaced=False)
priority_level_update_errors = changed_object(_level_errors)
