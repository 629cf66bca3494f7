"""What is wrong with one container: names, ports, environment, mounts, probes, hooks.

The functions take containers after defaulting. What only the whole pod can tell is in `validation_pod.py`.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.api import names
from lifepod.api.field_errors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.validation_references import (
    env_field_errors,
    key_ref_errors,
    local_path_errors,
    resource_field_errors,
)
from lifepod.api.validation_resources import resource_errors
from lifepod.api.validation_security import security_context_errors

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NOT_NEGATIVE = "must be greater than or equal to 0"
_ONE_HANDLER = "may not specify more than 1 handler type"
_WHOLE_PROBE = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


class PodContext(NamedTuple):
    """What of its pod a container's validity depends on."""

    volumes: dict[str, JsonObject]
    grace_period: int | None
    restart_policy: str
    host_users: bool = True
    claims: frozenset[str] = frozenset()


def container_errors(container: JsonObject, pod: PodContext, path: str) -> list[FieldError]:
    """What every container, init container and ephemeral container must satisfy.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateContainerCommon
    """
    errors: list[FieldError] = []
    name: str = container.get("name") or ""
    if not name:
        errors.append(required(f"{path}.name"))
    else:
        errors += [invalid(f"{path}.name", name, complaint) for complaint in names.dns_label(name)]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    errors += one_of(container.get("terminationMessagePolicy"), _MESSAGE_POLICIES, f"{path}.terminationMessagePolicy")
    if container.get("ports"):
        errors += _port_errors(container["ports"], f"{path}.ports")
    if container.get("env"):
        errors += _env_errors(container["env"], f"{path}.env")
    if container.get("envFrom"):
        errors += _env_from_errors(container["envFrom"], f"{path}.envFrom")
    errors += _mount_errors(container, pod.volumes, f"{path}.volumeMounts")
    errors += _device_errors(container, pod.volumes, f"{path}.volumeDevices")
    errors += one_of(container.get("imagePullPolicy"), _PULL_POLICIES, f"{path}.imagePullPolicy")
    errors += resource_errors(container.get("resources"), f"{path}.resources")
    errors += _claim_errors(container, pod.claims, f"{path}.resources.claims")
    errors += _resize_policy_errors(container.get("resizePolicy") or [], pod.restart_policy, f"{path}.resizePolicy")
    return errors + security_context_errors(
        container.get("securityContext"), f"{path}.securityContext", host_users=pod.host_users
    )


def one_of(value: JsonValue, known: tuple[str, ...], path: str) -> list[FieldError]:
    """Required, and one of the known values."""
    if value in known:
        return []
    return [not_supported(path, value, known)] if value else [required(path)]


def _port_errors(ports: list[JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        name: str = port.get("name") or ""
        if name:
            complaints = names.port_name(name)
            errors += [invalid(f"{at}.name", name, complaint) for complaint in complaints]
            if not complaints and name in seen:
                errors.append(duplicate(f"{at}.name", name))
            seen.add(name)
        number: int = port.get("containerPort") or 0
        if not number:
            errors.append(required(f"{at}.containerPort"))
        else:
            errors += [invalid(f"{at}.containerPort", number, c) for c in names.port_number(number)]
        host_port: int = port.get("hostPort") or 0
        if host_port:
            errors += [invalid(f"{at}.hostPort", host_port, c) for c in names.port_number(host_port)]
        errors += one_of(port.get("protocol"), PROTOCOLS, f"{at}.protocol")
    return errors


def host_port_errors(containers: list[JsonObject], path: str) -> list[FieldError]:
    """A host port can be taken once per protocol and address."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or []):
            if not port.get("hostPort"):
                continue
            taken = f"{port.get('protocol', '')}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if taken in seen:
                errors.append(duplicate(f"{path}[{index}].ports[{number}].hostPort", taken))
            seen.add(taken)
    return errors


def _env_errors(variables: list[JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        at = f"{path}[{index}]"
        name: str = variable.get("name") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        else:
            errors += [invalid(f"{at}.name", name, complaint) for complaint in names.env_name(name)]
        if variable.get("valueFrom") is not None:
            errors += _value_from_errors(variable, f"{at}.valueFrom")
    return errors


def _value_from_errors(variable: JsonObject, path: str) -> list[FieldError]:
    source: JsonObject = variable["valueFrom"]
    errors: list[FieldError] = []
    if source.get("fieldRef") is not None:
        errors += env_field_errors(source["fieldRef"], f"{path}.fieldRef")
    if source.get("resourceFieldRef") is not None:
        errors += resource_field_errors(source["resourceFieldRef"], f"{path}.resourceFieldRef", in_volume=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if source.get(name) is not None:
            errors += key_ref_errors(source[name], f"{path}.{name}")
    count = sum(source.get(name) is not None for name in _ENV_SOURCES)
    if count == 0:
        detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        errors.append(invalid(path, "", detail))
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _env_from_errors(sources: list[JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        prefix: str = source.get("prefix") or ""
        if prefix:
            errors += [invalid(f"{at}.prefix", prefix, complaint) for complaint in names.env_name(prefix)]
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in given:
            referred: str = source[name].get("name") or ""
            if not referred:
                errors.append(required(f"{at}.{name}.name"))
            else:
                errors += [invalid(f"{at}.{name}.name", referred, c) for c in names.dns_subdomain(referred)]
        if not given:
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _mount_errors(container: JsonObject, volumes: dict[str, JsonObject], path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateVolumeMounts"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    devices: list[JsonObject] = container.get("volumeDevices") or []
    for index, mount in enumerate(container.get("volumeMounts") or []):
        at = f"{path}[{index}]"
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        if name not in volumes:
            errors.append(not_found(f"{at}.name", name))
        if not where:
            errors.append(required(f"{at}.mountPath"))
        if where in seen:
            errors.append(invalid(f"{at}.mountPath", where, "must be unique"))
        seen.add(where)
        if any(device.get("name") == name for device in devices):
            errors.append(invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
        if any(device.get("devicePath") == where for device in devices):
            errors.append(invalid(f"{at}.mountPath", where, "must not already exist as a path in volumeDevices"))
        if mount.get("subPath"):
            errors += local_path_errors(mount["subPath"], f"{path}.subPath")
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                detail = "subPathExpr and subPath are mutually exclusive"
                errors.append(invalid(f"{at}.subPathExpr", mount["subPathExpr"], detail))
            errors += local_path_errors(mount["subPathExpr"], f"{path}.subPathExpr")
        errors += _mount_mode_errors(mount, container, path)
    return errors


def _mount_mode_errors(mount: JsonObject, container: JsonObject, path: str) -> list[FieldError]:
    """Propagation back to the host needs a privileged container; recursive read-only needs a read-only mount."""
    errors: list[FieldError] = []
    propagation = mount.get("mountPropagation")
    known = ("Bidirectional", "HostToContainer", "None")
    if propagation is not None and propagation not in known:
        errors.append(not_supported(f"{path}.mountPropagation", propagation, known))
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        detail = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(forbidden(f"{path}.mountPropagation", detail))
    recursive = mount.get("recursiveReadOnly")
    if recursive in (None, "Disabled"):
        return errors
    at = f"{path}.recursiveReadOnly"
    if recursive not in ("Enabled", "IfPossible"):
        return [*errors, not_supported(at, recursive, ("Disabled", "Enabled", "IfPossible"))]
    if not mount.get("readOnly"):
        errors.append(forbidden(at, "may only be specified when readOnly is true"))
    if propagation not in (None, "None"):
        errors.append(forbidden(at, "may only be specified when mountPropagation is None or not specified"))
    return errors


def _device_errors(container: JsonObject, volumes: dict[str, JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    paths: set[str] = set()
    seen: set[str] = set()
    mounts: list[JsonObject] = container.get("volumeMounts") or []
    for index, device in enumerate(container.get("volumeDevices") or []):
        at = f"{path}[{index}]"
        name, where = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        if name in seen:
            errors.append(invalid(f"{at}.name", name, "must be unique"))
        volume = volumes.get(name)
        is_claim = volume is not None and any(volume.get(n) for n in ("persistentVolumeClaim", "ephemeral"))
        if volume is not None and not is_claim:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(f"{at}.name", name, detail))
        if volume is None:
            errors.append(not_found(f"{at}.name", name))
        if not where:
            errors.append(required(f"{at}.devicePath"))
        if where in paths:
            errors.append(invalid(f"{at}.devicePath", where, "must be unique"))
        if ".." in where.split("/"):
            errors.append(invalid(f"{at}.devicePath", where, "can not contain backsteps ('..')"))
        else:
            paths.add(where)
        if any(mount.get("name") == name for mount in mounts):
            errors.append(invalid(f"{at}.name", name, "must not already exist in volumeMounts"))
        if any(mount.get("mountPath") == where for mount in mounts):
            errors.append(invalid(f"{at}.devicePath", where, "must not already exist as a path in volumeMounts"))
        if name:
            seen.add(name)
    return errors


def _claim_errors(container: JsonObject, known: frozenset[str], path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateResourceClaimNames"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate((container.get("resources") or {}).get("claims") or []):
        at = f"{path}[{index}]"
        name: str = claim.get("name") or ""
        request: str = claim.get("request") or ""
        if not name:
            errors.append(required(at))
            continue
        errors += [invalid(f"{at}.request", request, complaint) for complaint in names.dns_label(request) if request]
        key = f"{name}/{request}" if request else name
        if name in seen or key in seen:
            errors.append(duplicate(at, name if name in seen else key))
        elif not request and any(other.startswith(f"{name}/") for other in seen):
            errors.append(duplicate(at, name))
        seen.add(key)
        if name not in known:
            which = f": {', '.join(sorted(known))}" if known else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{which}"
            errors.append(not_found(at, name)._replace(detail=detail))
    return errors


def _resize_policy_errors(policies: list[JsonObject], pod_policy: str, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateResizePolicy"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        resource: str = policy.get("resourceName") or ""
        if resource in seen:
            errors.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        errors += one_of(resource, ("cpu", "memory"), path)
        errors += one_of(policy.get("restartPolicy"), ("NotRequired", "RestartContainer"), path)
        if pod_policy == "Never" and policy.get("restartPolicy") != "NotRequired":
            detail = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            errors.append(invalid(path, policy.get("restartPolicy"), detail))
    return errors


def lifecycle_and_probe_errors(container: JsonObject, pod: PodContext, path: str) -> list[FieldError]:
    """Hooks and probes of a container that may have them: a regular one or a sidecar."""
    errors: list[FieldError] = []
    lifecycle: JsonObject = container.get("lifecycle") or {}
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            errors += _handler_errors(lifecycle[hook], pod.grace_period, f"{path}.lifecycle.{hook}")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            errors += _probe_errors(probe, name, pod.grace_period, f"{path}.{name}")
    return errors


def _probe_errors(probe: JsonObject, name: str, grace_period: int | None, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateProbe, validateLivenessProbe"""
    errors = _handler_errors(probe, grace_period, path)
    for number in _WHOLE_PROBE:
        if (probe.get(number) or 0) < 0:
            errors.append(invalid(f"{path}.{number}", probe[number], _NOT_NEGATIVE))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if name == "readinessProbe":
        if grace is not None:
            detail = "must not be set for readinessProbes"
            errors.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, detail))
    elif probe.get("successThreshold") != 1:
        errors.append(invalid(f"{path}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))
    return errors


def _handler_errors(handler: JsonObject, grace_period: int | None, path: str) -> list[FieldError]:
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        return [required(path, "must specify a handler type")]
    errors = _action_errors(given[0], handler[given[0]], grace_period, f"{path}.{given[0]}")
    return errors + [forbidden(f"{path}.{name}", _ONE_HANDLER) for name in given[1:]]


def _action_errors(kind: str, action: JsonObject, grace_period: int | None, path: str) -> list[FieldError]:
    match kind:
        case "exec":
            return [] if action.get("command") else [required(f"{path}.command")]
        case "httpGet":
            return _http_get_errors(action, path)
        case "tcpSocket":
            return port_errors(action.get("port"), f"{path}.port")
        case "grpc":
            return port_errors(action.get("port"), f"{path}.port")
    seconds: int = action.get("seconds") or 0
    if grace_period is not None and not 0 <= seconds <= grace_period:
        detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period})"
        return [invalid(path, seconds, detail)]
    return []


def _http_get_errors(action: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = [] if action.get("path") else [required(f"{path}.path")]
    errors += port_errors(action.get("port"), f"{path}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        errors.append(not_supported(f"{path}.scheme", action.get("scheme") or "", ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or []:
        name: str = header.get("name") or ""
        errors += [invalid(f"{path}.httpHeaders", name, complaint) for complaint in names.header_name(name)]
    return errors


def port_errors(port: JsonValue, path: str) -> list[FieldError]:
    """A port by number or by name. Source: validation.go: ValidatePortNumOrName"""
    if isinstance(port, str):
        return [invalid(path, port, complaint) for complaint in names.port_name(port)]
    number = port if isinstance(port, int) else 0
    return [invalid(path, number, complaint) for complaint in names.port_number(number)]
