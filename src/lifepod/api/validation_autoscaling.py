"""What is wrong with a HorizontalPodAutoscaler.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/autoscaling/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required
from lifepod.api.meta import metadata_update_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import amount, named, new_object

_TARGETS: Final = ("Utilization", "Value", "AverageValue")
_MAX_WINDOW_SECONDS, _MAX_PERIOD_SECONDS = 3600, 1800


def _autoscaler_errors(autoscaler: JsonObject, *, is_target_kept: bool = False) -> list[FieldError]:
    """`is_target_kept`: a change that leaves the kind of its target alone. Source: validateHorizontalPodAutoscalerSpec"""
    spec: JsonObject = autoscaler.get("spec") or {}
    errors: list[FieldError] = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        errors.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    target: JsonObject = spec.get("scaleTargetRef") or {}
    errors += _reference_errors(target, "spec.scaleTargetRef")
    if not is_target_kept:
        errors += _version_errors(
            target, "spec.scaleTargetRef", any_group=target.get("kind") == "ReplicationController"
        )
    for index, metric in enumerate(spec.get("metrics") or []):
        errors += _metric_errors(metric, f"spec.metrics[{index}]")
    behavior: JsonObject = spec.get("behavior") or {}
    for direction in ("scaleUp", "scaleDown"):
        rules = behavior.get(direction)
        if rules is not None:
            errors += _scaling_errors(rules, f"spec.behavior.{direction}")
    return errors


def _reference_errors(reference: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateCrossVersionObjectReference"""
    errors = named(reference.get("kind"), names.path_segment, f"{path}.kind")
    return errors + named(reference.get("name"), names.path_segment, f"{path}.name")


def _version_errors(reference: JsonObject, path: str, *, any_group: bool) -> list[FieldError]:
    """Which version of which group; of what is scaled there has to be one. Source: ValidateAPIVersion"""
    version: str = reference.get("apiVersion") or ""
    if version.count("/") > 1:
        return [invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")]
    if any_group or version.partition("/")[0] not in ("", version):
        return []
    return [invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")]


def _metric_errors(metric: JsonObject, path: str) -> list[FieldError]:
    """Source: validateMetricSpec"""
    kind = metric.get("type") or ""
    errors = [] if kind else [required(f"{path}.type", "must specify a metric source type")]
    if kind not in _SOURCES:
        errors.append(not_supported(f"{path}.type", kind, tuple(sorted(_SOURCES))))
    present = [field for field, _ in _SOURCES.values() if metric.get(field) is not None]
    for field, rules in _SOURCES.values():
        if present[:1] == [field]:
            errors += rules(metric[field], f"{path}.{field}")
    if kind not in _SOURCES:
        errors.append(not_supported(f"{path}.type", kind, tuple(sorted(_SOURCES))))
    elif _SOURCES[kind][0] not in present:
        detail = "must populate information for the given metric source"
        errors.append(required(f"{path}.{_SOURCES[kind][0]}", detail))
    if len(present) != 1:
        wanted = _SOURCES[kind][0] if kind in _SOURCES else ""
        detail = "must populate the given metric source only"
        errors += [forbidden(f"{path}.{field}", detail) for field in present if field != wanted]
    return errors


def _object_errors(source: JsonObject, path: str) -> list[FieldError]:
    described: JsonObject = source.get("describedObject") or {}
    errors = _reference_errors(described, f"{path}.describedObject")
    errors += _version_errors(described, f"{path}.describedObject", any_group=True)
    errors += _identifier_errors(source, path) + _target_errors(source, path)
    target: JsonObject = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return errors


def _external_errors(source: JsonObject, path: str) -> list[FieldError]:
    errors = _identifier_errors(source, path) + _target_errors(source, path)
    target: JsonObject = source.get("target") or {}
    given = [field for field in ("value", "averageValue") if target.get(field) is not None]
    if not given:
        detail = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", detail))
    if len(given) > 1:
        detail = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden(f"{path}.target.value", detail))
    return errors


def _pods_errors(source: JsonObject, path: str) -> list[FieldError]:
    errors = _identifier_errors(source, path) + _target_errors(source, path)
    if (source.get("target") or {}).get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _container_errors(source: JsonObject, path: str) -> list[FieldError]:
    """Source: validateContainerResourceSource"""
    errors = _resource_name_errors(source, path)
    container: str = source.get("container") or ""
    if not container:
        errors.append(required(f"{path}.container", "must specify a container"))
    else:
        errors += [invalid(f"{path}.container", container, complaint) for complaint in names.dns_label(container)]
    return errors + _share_errors(source, path)


def _resource_errors(source: JsonObject, path: str) -> list[FieldError]:
    """Source: validateResourceSource"""
    return _resource_name_errors(source, path) + _share_errors(source, path)


def _resource_name_errors(source: JsonObject, path: str) -> list[FieldError]:
    return [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]


def _share_errors(source: JsonObject, path: str) -> list[FieldError]:
    errors = _target_errors(source, path)
    target: JsonObject = source.get("target") or {}
    given = [field for field in ("averageUtilization", "averageValue") if target.get(field) is not None]
    if not given:
        detail = "must set either a target raw value or a target utilization"
        errors.append(required(f"{path}.target.averageUtilization", detail))
    if len(given) > 1:
        detail = "may not set both a target raw value and a target utilization"
        errors.append(forbidden(f"{path}.target.averageValue", detail))
    return errors


_SOURCES: Final[dict[str, tuple[str, Callable[[JsonObject, str], list[FieldError]]]]] = {
    "Object": ("object", _object_errors),
    "External": ("external", _external_errors),
    "Pods": ("pods", _pods_errors),
    "Resource": ("resource", _resource_errors),
    "ContainerResource": ("containerResource", _container_errors),
}


def _identifier_errors(source: JsonObject, path: str) -> list[FieldError]:
    metric: JsonObject = source.get("metric") or {}
    if not metric.get("name"):
        return [required(f"{path}.metric.name", "must specify a metric name")]
    return [invalid(f"{path}.metric.name", metric["name"], c) for c in names.path_segment(metric["name"])]


def _target_errors(source: JsonObject, path: str) -> list[FieldError]:
    """Source: validateMetricTarget"""
    target: JsonObject = source.get("target") or {}
    at, kind = f"{path}.target", target.get("type") or ""
    errors = [] if kind else [required(f"{at}.type", "must specify a metric target type")]
    if kind not in _TARGETS:
        errors.append(invalid(f"{at}.type", kind, "must be either Utilization, Value, or AverageValue"))
    given = {field: target[field] for field in ("value", "averageValue") if target.get(field) is not None}
    errors += [invalid(f"{at}.{f}", value, "must be positive") for f, value in given.items() if amount(value) <= 0]
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        errors.append(invalid(f"{at}.averageUtilization", share, "must be greater than 0"))
    return errors


def _scaling_errors(rules: JsonObject, path: str) -> list[FieldError]:
    """Source: validateScalingRules"""
    errors: list[FieldError] = []
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW_SECONDS:
        detail = f"must be less than or equal to {_MAX_WINDOW_SECONDS}"
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, detail))
    choice = rules.get("selectPolicy")
    if choice is not None and choice not in ("Disabled", "Max", "Min"):
        errors.append(not_supported(f"{path}.selectPolicy", choice, ("Disabled", "Max", "Min")))
    policies: list[JsonObject] = rules.get("policies") or []
    if not policies:
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        errors += _policy_errors(policy, f"{path}.policies[{index}]")
    return errors


def _policy_errors(policy: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if policy.get("type") not in ("Percent", "Pods"):
        errors.append(not_supported(f"{path}.type", policy.get("type") or "", ("Percent", "Pods")))
    numbers = {field: policy.get(field) or 0 for field in ("value", "periodSeconds")}
    errors += [invalid(f"{path}.{f}", n, "must be greater than zero") for f, n in numbers.items() if n <= 0]
    if (policy.get("periodSeconds") or 0) > _MAX_PERIOD_SECONDS:
        detail = f"must be less than or equal to {_MAX_PERIOD_SECONDS}"
        errors.append(invalid(f"{path}.periodSeconds", policy["periodSeconds"], detail))
    return errors


autoscaler_errors = new_object(_autoscaler_errors, namespaced=True)


def autoscaler_update_errors(autoscaler: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change; of a target whose kind stays the version is not judged again.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go: validationOptionsForHorizontalPodAutoscaler
    """
    after, before = ((obj.get("spec") or {}).get("scaleTargetRef") or {} for obj in (autoscaler, old))
    same = all(after.get(name) == before.get(name) for name in ("apiVersion", "kind"))
    errors = metadata_update_errors(autoscaler["metadata"], old["metadata"])
    return errors + _autoscaler_errors(autoscaler, is_target_kept=same)
