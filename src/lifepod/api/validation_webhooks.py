"""What is wrong with a webhook configuration.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/admissionregistration/validation/validation.go
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, invalid, not_supported, required
from lifepod.api.meta import selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_expressions import CONDITION_VARIABLES, expression_errors
from lifepod.api.validation_spec import changed_object, known_value, new_object

_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_MIN_LABELS, _MAX_SECONDS = 3, 30


def _configuration_errors(configuration: JsonObject) -> list[FieldError]:
    """Source: validateValidatingWebhookConfiguration, validateMutatingWebhookConfiguration"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, webhook in enumerate(configuration.get("webhooks") or []):
        path, name = f"webhooks[{index}]", webhook.get("name") or ""
        errors += _webhook_errors(webhook, path)
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
    return errors


def _webhook_errors(webhook: JsonObject, path: str) -> list[FieldError]:
    errors = _full_name_errors(webhook.get("name") or "", f"{path}.name")
    for index, rule in enumerate(webhook.get("rules") or []):
        errors += rule_errors(rule, f"{path}.rules[{index}]")
    errors += known_value(webhook.get("failurePolicy"), ("Fail", "Ignore"), f"{path}.failurePolicy")
    errors += known_value(webhook.get("matchPolicy"), ("Equivalent", "Exact"), f"{path}.matchPolicy")
    effects = webhook.get("sideEffects")
    if effects is None:
        errors.append(required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun"))
    elif effects not in _SIDE_EFFECTS:
        errors.append(not_supported(f"{path}.sideEffects", effects, _SIDE_EFFECTS))
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= _MAX_SECONDS:
        errors.append(invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds"))
    for field in ("namespaceSelector", "objectSelector"):
        errors += selector_errors(webhook.get(field), f"{path}.{field}")
    for index, condition in enumerate(webhook.get("matchConditions") or []):
        errors += expression_errors(condition, "expression", f"{path}.matchConditions[{index}]", CONDITION_VARIABLES)
    errors += _client_errors(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    return errors + _review_version_errors(webhook.get("admissionReviewVersions") or [], path)


def _full_name_errors(name: str, path: str) -> list[FieldError]:
    """Source: k8s.io/apimachinery v0.34.4 pkg/util/validation/validation.go: IsFullyQualifiedName"""
    if not name:
        return [required(path)]
    complaints = names.dns_subdomain(name)
    if complaints:
        return [invalid(path, name, complaint) for complaint in complaints]
    if len(name.split(".")) < _MIN_LABELS:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def rule_errors(rule: JsonObject, path: str) -> list[FieldError]:
    """Of a webhook and of an admission policy. Source: validateRuleWithOperations"""
    errors: list[FieldError] = []
    for field in ("apiGroups", "apiVersions", "resources"):
        values: list[str] = rule.get(field) or []
        if not values:
            errors.append(required(f"{path}.{field}"))
        elif "*" in values and len(values) > 1 and field != "resources":
            detail = "if '*' is present, must not specify other " + (
                "API groups" if field == "apiGroups" else "API versions"
            )
            errors.append(invalid(f"{path}.{field}", values, detail))
    operations: list[str] = rule.get("operations") or []
    if not operations:
        errors.append(required(f"{path}.operations"))
    elif "*" in operations and len(operations) > 1:
        detail = "if '*' is present, must not specify other operations"
        errors.append(invalid(f"{path}.operations", operations, detail))
    for at, operation in enumerate(operations):
        errors += known_value(operation, _OPERATIONS, f"{path}.operations[{at}]")
    return errors + known_value(rule.get("scope"), ("*", "Cluster", "Namespaced"), f"{path}.scope")


def _client_errors(client: JsonObject, path: str) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        if not str(url).startswith("https://"):
            scheme = str(url).partition("://")[0] if "://" in str(url) else ""
            detail = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
            return [invalid(f"{path}.url", scheme, detail)]
        return []
    place: JsonObject = service or {}
    errors = [required(f"{path}.service.{field}") for field in ("name", "namespace") if not place.get(field)]
    port = place.get("port")
    if port is not None:
        errors += [invalid(f"{path}.service.port", port, f"port is not valid: {c}") for c in names.port_number(port)]
    return errors


def _review_version_errors(versions: list[str], path: str) -> list[FieldError]:
    """At least one version that this server would send. Source: validateAdmissionReviewVersions"""
    at = f"{path}.admissionReviewVersions"
    if not versions:
        return [required(at, "must specify one of v1, v1beta1")]
    errors = [duplicate(f"{at}[{i}]", version) for i, version in enumerate(versions) if version in versions[:i]]
    if not {"v1", "v1beta1"} & set(versions):
        errors.append(invalid(at, versions, "must include at least one of v1, v1beta1"))
    return errors


configuration_errors = new_object(_configuration_errors, namespaced=False)
configuration_update_errors = changed_object(_configuration_errors)
