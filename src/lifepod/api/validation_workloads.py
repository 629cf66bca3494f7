"""What is wrong with a Deployment, ReplicaSet, StatefulSet or DaemonSet.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from lifepod.api import names
from lifepod.api.field_errors import FieldError, Verbatim, forbidden, go_struct, invalid, not_supported, required
from lifepod.api.integers import IntegerError, parse_integer
from lifepod.api.meta import immutable_errors, metadata_errors, metadata_update_errors, selector_errors
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.validation_core import claim_spec_errors
from lifepod.api.validation_job import template_label_errors
from lifepod.api.validation_pod import pod_template_errors

SpecErrors: TypeAlias = Callable[[JsonObject], list[FieldError]]
_NOT_NEGATIVE = "must be greater than or equal to 0"
_STATEFUL_FREE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def deployment_errors(deployment: JsonObject) -> list[FieldError]:
    """What is wrong with a new Deployment. Source: ValidateDeployment"""
    return metadata_errors(deployment["metadata"], namespaced=True) + _deployment_spec_errors(deployment["spec"])


def deployment_update_errors(deployment: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change of a Deployment: its selector stays."""
    return _update_errors(deployment, old, _deployment_spec_errors)


def replica_set_errors(replica_set: JsonObject) -> list[FieldError]:
    """What is wrong with a new ReplicaSet. Source: ValidateReplicaSet"""
    return metadata_errors(replica_set["metadata"], namespaced=True) + _replica_set_spec_errors(replica_set["spec"])


def replica_set_update_errors(replica_set: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change of a ReplicaSet: its selector stays."""
    return _update_errors(replica_set, old, _replica_set_spec_errors)


def daemon_set_errors(daemon_set: JsonObject) -> list[FieldError]:
    """What is wrong with a new DaemonSet. Source: ValidateDaemonSet"""
    return metadata_errors(daemon_set["metadata"], namespaced=True) + _daemon_set_spec_errors(daemon_set["spec"])


def daemon_set_update_errors(daemon_set: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change of a DaemonSet: its selector stays. Source: ValidateDaemonSetUpdate"""
    errors = metadata_update_errors(daemon_set["metadata"], old["metadata"])
    spec, before = daemon_set["spec"], old["spec"]
    if spec == before:
        return errors
    return (
        errors
        + immutable_errors(spec.get("selector"), before.get("selector"), "spec.selector")
        + _daemon_set_spec_errors(spec)
    )


def stateful_set_errors(stateful_set: JsonObject) -> list[FieldError]:
    """What is wrong with a new StatefulSet; its name becomes that of pods. Source: ValidateStatefulSet"""
    errors = metadata_errors(stateful_set["metadata"], namespaced=True, name_rule=names.dns_label)
    return errors + _stateful_set_spec_errors(stateful_set["spec"], is_new=True)


def stateful_set_update_errors(stateful_set: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change of a StatefulSet: few fields may change. Source: ValidateStatefulSetUpdate"""
    errors = metadata_update_errors(stateful_set["metadata"], old["metadata"])
    spec, before = stateful_set["spec"], old["spec"]
    if spec == before:
        return errors
    errors += _stateful_set_spec_errors(spec, is_new=False)
    if _without(spec, _STATEFUL_FREE) != _without(before, _STATEFUL_FREE):
        detail = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        errors.append(forbidden("spec", detail))
    return errors


def _without(spec: JsonObject, fields: tuple[str, ...]) -> JsonObject:
    return {name: value for name, value in spec.items() if name not in fields}


def _update_errors(obj: JsonObject, old: JsonObject, spec_errors: SpecErrors) -> list[FieldError]:
    errors = metadata_update_errors(obj["metadata"], old["metadata"])
    if obj["spec"] == old["spec"]:
        return errors
    errors += spec_errors(obj["spec"])
    return errors + immutable_errors(obj["spec"].get("selector"), old["spec"].get("selector"), "spec.selector")


def _not_negative(spec: JsonObject, *fields: str) -> list[FieldError]:
    return [invalid(f"spec.{field}", spec[field], _NOT_NEGATIVE) for field in fields if (spec.get(field) or 0) < 0]


def _selector_and_template_errors(spec: JsonObject, owner: str, shown: str, unreadable: str) -> list[FieldError]:
    """The selector is there, not empty, and finds the template's pods, which always restart.

    No selector finds nothing. Of a template whose selector cannot be read (told as `unreadable`) nothing is said.
    """
    selector = spec.get("selector")
    errors = [required("spec.selector")] if selector is None else _strict_selector_errors(selector, owner)
    if selector and selector_errors(selector, "spec.selector"):
        return [*errors, invalid("spec.selector", selector, unreadable)]
    if selector is None or selector.get("matchLabels") or selector.get("matchExpressions"):
        errors += template_label_errors(spec, selector, "spec")
    return errors + _template_errors(spec, shown)


def _strict_selector_errors(selector: JsonObject, owner: str) -> list[FieldError]:
    errors = selector_errors(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid("spec.selector", selector, f"empty selector is invalid for {owner}"))
    return errors


def _template_errors(spec: JsonObject, shown: str) -> list[FieldError]:
    template: JsonObject = spec.get("template") or {}
    return pod_template_errors(template, "spec.template") + _restart_errors(template, shown)


def _restart_errors(template: JsonObject, shown: str) -> list[FieldError]:
    """Pods of these always restart and have no deadline."""
    errors: list[FieldError] = []
    pod: JsonObject = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        at = "spec.template.spec.restartPolicy"
        errors.append(not_supported(at, pod.get("restartPolicy") or "", ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {shown} is not Supported"
        errors.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))
    return errors


def _deployment_spec_errors(spec: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateDeploymentSpec"""
    errors = _not_negative(spec, "replicas")
    errors += _selector_and_template_errors(spec, "deployment", "ReplicaSet", "invalid label selector")
    errors += _strategy_errors(spec.get("strategy") or {})
    errors += _not_negative(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors


def _strategy_errors(strategy: JsonObject) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            detail = "may not be specified when strategy `type` is 'Recreate'"
            return [] if rolling is None else [forbidden("spec.strategy.rollingUpdate", detail)]
        case "RollingUpdate":
            return _rolling_errors(rolling or {}, "spec.strategy.rollingUpdate")
    return [not_supported("spec.strategy", _shown_strategy(strategy), ("Recreate", "RollingUpdate"))]


def _shown_strategy(strategy: JsonObject) -> Verbatim:
    rolling: JsonObject | None = strategy.get("rollingUpdate")
    steps = None
    if rolling is not None:
        steps = go_struct(
            ("MaxUnavailable", rolling.get("maxUnavailable") or 0), ("MaxSurge", rolling.get("maxSurge") or 0)
        )
    return go_struct(("Type", strategy.get("type") or ""), ("RollingUpdate", steps))


def _rolling_errors(rolling: JsonObject, path: str) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    errors = share_errors(unavailable, f"{path}.maxUnavailable") + share_errors(surge, f"{path}.maxSurge")
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        detail = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid(f"{path}.maxUnavailable", unavailable, detail))
    return errors + over_all_errors(unavailable, f"{path}.maxUnavailable")


def share_errors(value: JsonValue, path: str) -> list[FieldError]:
    """A count or a percentage. Source: ValidatePositiveIntOrPercent"""
    if isinstance(value, str):
        return [invalid(path, value, complaint) for complaint in names.percent(value)]
    return [invalid(path, value, _NOT_NEGATIVE)] if isinstance(value, int) and value < 0 else []


def over_all_errors(value: JsonValue, path: str) -> list[FieldError]:
    """A percentage of at most 100. Source: IsNotMoreThan100Percent"""
    is_percent = isinstance(value, str) and not names.percent(value)
    return [invalid(path, value, "must not be greater than 100%")] if is_percent and _amount(value) > 100 else []


def _amount(value: JsonValue) -> int:
    if isinstance(value, str):
        try:
            return parse_integer(value.removesuffix("%"))
        except IntegerError as problem:
            return problem.nearest
    return value if isinstance(value, int) else 0


def _replica_set_spec_errors(spec: JsonObject) -> list[FieldError]:
    errors = _not_negative(spec, "replicas", "minReadySeconds")
    return errors + _selector_and_template_errors(spec, "deployment", "ReplicaSet", "invalid label selector")


def _daemon_set_spec_errors(spec: JsonObject) -> list[FieldError]:
    """Unlike the others it does not ask for a selector: none finds no pod, and that is what is told.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateDaemonSetSpec
    """
    selector = spec.get("selector")
    errors = selector_errors(selector, "spec.selector")
    if not errors:
        errors += template_label_errors(spec, selector, "spec")
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += _template_errors(spec, "DaemonSet")
    errors += _not_negative(spec, "minReadySeconds")
    strategy: JsonObject = spec.get("updateStrategy") or {}
    match strategy.get("type"):
        case "RollingUpdate":
            errors += _daemon_rolling_errors(strategy.get("rollingUpdate") or {})
        case "OnDelete":
            pass
        case _:
            errors.append(
                not_supported("spec.updateStrategy", _shown_strategy(strategy), ("RollingUpdate", "OnDelete"))
            )
    return errors + _not_negative(spec, "revisionHistoryLimit")


def _daemon_rolling_errors(rolling: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateRollingUpdateDaemonSet"""
    path, fields = "spec.updateStrategy.rollingUpdate", ("maxUnavailable", "maxSurge")
    errors = [error for field in fields for error in share_errors(rolling.get(field), f"{path}.{field}")]
    errors += [error for field in fields for error in over_all_errors(rolling.get(field), f"{path}.{field}")]
    unavailable, surge = _amount(rolling.get("maxUnavailable")), _amount(rolling.get("maxSurge"))
    if unavailable and surge:
        detail = "may not be set when maxUnavailable is non-zero"
        errors.append(invalid(f"{path}.maxSurge", rolling.get("maxSurge"), detail))
    if not unavailable and not surge:
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def _stateful_set_spec_errors(spec: JsonObject, *, is_new: bool) -> list[FieldError]:
    """What can no longer change, the service's name and the claims, is judged of a new one alone.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/validation/validation.go: ValidateStatefulSetSpec
    """
    errors: list[FieldError] = []
    policy = spec.get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    errors += _stateful_strategy_errors(spec.get("updateStrategy") or {})
    errors += _retention_errors(spec.get("persistentVolumeClaimRetentionPolicy") or {})
    if is_new:
        for index, claim in enumerate(spec.get("volumeClaimTemplates") or []):
            errors += claim_spec_errors(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
    errors += _not_negative(spec, "replicas", "minReadySeconds")
    if ((spec.get("ordinals") or {}).get("start") or 0) < 0:
        errors.append(invalid("spec.ordinals.start", spec["ordinals"]["start"], _NOT_NEGATIVE))
    service: str = spec.get("serviceName") or ""
    if service and is_new:
        errors += [invalid("spec.serviceName", service, complaint) for complaint in names.dns_label(service)]
    return errors + _selector_and_template_errors(_with_claims(spec), "statefulset", "StatefulSet", "")


def _stateful_strategy_errors(strategy: JsonObject) -> list[FieldError]:
    rolling: JsonObject | None = strategy.get("rollingUpdate")
    steps = None
    if rolling is not None:
        steps = go_struct(
            ("Partition", rolling.get("partition") or 0), ("MaxUnavailable", rolling.get("maxUnavailable"))
        )
    match strategy.get("type"):
        case "RollingUpdate":
            return _partition_errors(rolling or {})
        case "OnDelete":
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            return [] if steps is None else [invalid("spec.updateStrategy.rollingUpdate", steps, detail)]
    shown = go_struct(("Type", strategy.get("type") or ""), ("RollingUpdate", steps))
    return [invalid("spec.updateStrategy", shown, "must be 'RollingUpdate' or 'OnDelete'")]


def _partition_errors(rolling: JsonObject) -> list[FieldError]:
    path = "spec.updateStrategy.rollingUpdate"
    errors: list[FieldError] = []
    if (rolling.get("partition") or 0) < 0:
        errors.append(invalid(f"{path}.partition", rolling["partition"], _NOT_NEGATIVE))
    errors += share_errors(rolling.get("maxUnavailable"), f"{path}.maxUnavailable")
    if rolling.get("maxUnavailable") is not None and _amount(rolling["maxUnavailable"]) == 0:
        errors.append(invalid(f"{path}.maxUnavailable", rolling["maxUnavailable"], "cannot be 0"))
    return errors + over_all_errors(rolling.get("maxUnavailable"), f"{path}.maxUnavailable")


def _retention_errors(policy: JsonObject) -> list[FieldError]:
    """Source: ValidatePersistentVolumeClaimRetentionPolicy"""
    known = ("Retain", "Delete")
    given = {field: policy[field] for field in ("whenDeleted", "whenScaled") if field in policy}
    path = "spec.persistentVolumeClaimRetentionPolicy"
    return [not_supported(f"{path}.{field}", value, known) for field, value in given.items() if value not in known]


def _with_claims(spec: JsonObject) -> JsonObject:
    """The claims that the controller will mount count as volumes; hostname and subdomain are the controller's."""
    template: JsonObject = spec.get("template") or {}
    pod: JsonObject = template.get("spec") or {}
    claimed = [(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or []]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claimed]
    volumes += [volume for volume in pod.get("volumes") or [] if volume.get("name") not in claimed]
    return {**spec, "template": {**template, "spec": {**_without(pod, ("hostname", "subdomain")), "volumes": volumes}}}


def replication_controller_errors(controller: JsonObject) -> list[FieldError]:
    """What is wrong with a new ReplicationController.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateReplicationController
    """
    spec: JsonObject = controller.get("spec") or {}
    return metadata_errors(controller["metadata"], namespaced=True) + _replication_controller_spec_errors(spec)


def replication_controller_update_errors(controller: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change of a ReplicationController. Source: ValidateReplicationControllerUpdate"""
    errors = metadata_update_errors(controller["metadata"], old["metadata"])
    return errors + _replication_controller_spec_errors(controller.get("spec") or {})


def _replication_controller_spec_errors(spec: JsonObject) -> list[FieldError]:
    errors = _not_negative(spec, "minReadySeconds")
    selector: JsonObject = spec.get("selector") or {}
    if not selector:
        errors.append(required("spec.selector"))
    errors += _not_negative(spec, "replicas")
    template = spec.get("template")
    if template is None:
        return [*errors, required("spec.template")]
    if selector:
        errors += template_label_errors(spec, {"matchLabels": selector}, "spec")
    return errors + pod_template_errors(template, "spec.template") + _restart_errors(template, "ReplicationController")


def controller_revision_errors(revision: JsonObject) -> list[FieldError]:
    """What is wrong with a new ControllerRevision. Source: ValidateControllerRevisionCreate"""
    errors = metadata_errors(revision.get("metadata") or {}, namespaced=True) + _revision_number_errors(revision)
    data = revision.get("data")
    if data is None:
        return [*errors, required("data", "data is mandatory")]
    return errors if isinstance(data, dict) else [*errors, required("data", "data must be a valid JSON object")]


def _revision_number_errors(revision: JsonObject) -> list[FieldError]:
    number = revision.get("revision") or 0
    return [invalid("revision", number, _NOT_NEGATIVE)] if number < 0 else []


def controller_revision_update_errors(revision: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: ValidateControllerRevisionUpdate"""
    errors = metadata_update_errors(revision["metadata"], old["metadata"]) + _revision_number_errors(revision)
    return errors + immutable_errors(revision.get("data"), old.get("data"), "data")


def pod_template_object_errors(template: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodTemplate"""
    errors = metadata_errors(template.get("metadata") or {}, namespaced=True)
    return errors + pod_template_errors(template.get("template") or {}, "template")


def pod_template_object_update_errors(template: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodTemplateUpdate"""
    errors = metadata_update_errors(template["metadata"], old["metadata"])
    return errors + pod_template_errors(template.get("template") or {}, "template")
