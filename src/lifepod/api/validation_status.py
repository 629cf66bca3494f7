"""What is wrong with a status that somebody reports for a workload, an autoscaler, a budget or an ingress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from lifepod.api import names
from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.meta import metadata_update_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import not_negative

StatusErrors: TypeAlias = Callable[[JsonObject, JsonObject], list[FieldError]]
_OVER_REPLICAS = "cannot be greater than status.replicas"


def _counted(status: JsonObject, fields: str) -> list[FieldError]:
    return [error for field in fields.split() for error in not_negative(status.get(field), f"status.{field}")]


def _within(status: JsonObject, fields: str, whole: str, detail: str) -> list[FieldError]:
    most = status.get(whole) or 0
    over = [field for field in fields.split() if (status.get(field) or 0) > most]
    return [invalid(f"status.{field}", status.get(field) or 0, detail) for field in over]


def _collision_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: IsDecremented"""
    count, held = status.get("collisionCount"), before.get("collisionCount")
    if held is None or (count is not None and count >= held):
        return []
    return [invalid("status.collisionCount", count or 0, "cannot be decremented")]


def _of_status(rules: StatusErrors) -> StatusErrors:
    """A `validate_status` of the metadata that came along and of the statuses, new and old."""

    def validate(obj: JsonObject, old: JsonObject) -> list[FieldError]:
        errors = metadata_update_errors(obj["metadata"], old["metadata"])
        return errors + rules(obj.get("status") or {}, old.get("status") or {})

    return validate


def _deployment_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateDeploymentStatus"""
    errors = _counted(
        status,
        "observedGeneration replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas "
        "terminatingReplicas collisionCount",
    )
    errors += _within(status, "updatedReplicas readyReplicas availableReplicas", "replicas", _OVER_REPLICAS)
    errors += _within(status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas")
    return errors + _collision_errors(status, before)


def _replica_set_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateReplicaSetStatus"""
    fields = "replicas fullyLabeledReplicas readyReplicas availableReplicas observedGeneration"
    errors = _counted(status, f"{fields} terminatingReplicas")
    errors += _within(status, "fullyLabeledReplicas readyReplicas availableReplicas", "replicas", _OVER_REPLICAS)
    return errors + _within(status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas")


def _stateful_set_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateStatefulSetStatus"""
    parts = "readyReplicas currentReplicas updatedReplicas availableReplicas"
    errors = _counted(status, f"replicas {parts} observedGeneration collisionCount")
    errors += _within(status, parts, "replicas", _OVER_REPLICAS)
    errors += _within(status, "availableReplicas", "readyReplicas", "cannot be greater than status.readyReplicas")
    return errors + _collision_errors(status, before)


def _daemon_set_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: validateDaemonSetStatus"""
    errors = _counted(
        status,
        "currentNumberScheduled numberMisscheduled desiredNumberScheduled numberReady observedGeneration "
        "updatedNumberScheduled numberAvailable numberUnavailable collisionCount",
    )
    return errors + _collision_errors(status, before)


def _autoscaler_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/autoscaling/validation/validation.go: ValidateHorizontalPodAutoscalerStatusUpdate"""
    return _counted(status, "currentReplicas desiredReplicas")


def _budget_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/policy/validation/validation.go: ValidatePodDisruptionBudgetStatusUpdate"""
    return _counted(status, "disruptionsAllowed currentHealthy desiredHealthy expectedPods")


def _ingress_errors(status: JsonObject, before: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/networking/validation/validation.go: ValidateIngressLoadBalancerStatus"""
    errors: list[FieldError] = []
    for index, entry in enumerate((status.get("loadBalancer") or {}).get("ingress") or []):
        path, ip, host = f"status.loadBalancer.ingress[{index}]", entry.get("ip"), entry.get("hostname")
        if ip and not _is_address(ip):
            detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            errors.append(invalid(f"{path}.ip", ip, detail))
        if host:
            errors += [invalid(f"{path}.hostname", host, complaint) for complaint in names.dns_subdomain(host)]
        if host and _is_address(host):
            errors.append(invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address"))
    return errors


def _is_address(text: str) -> bool:
    from ipaddress import ip_address  # slow to import, and few statuses name an address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


deployment_status_errors = _of_status(_deployment_errors)
replica_set_status_errors = _of_status(_replica_set_errors)
stateful_set_status_errors = _of_status(_stateful_set_errors)
daemon_set_status_errors = _of_status(_daemon_set_errors)
autoscaler_status_errors = _of_status(_autoscaler_errors)
budget_status_errors = _of_status(_budget_errors)
ingress_status_errors = _of_status(_ingress_errors)
