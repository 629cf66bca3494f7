"""What is wrong with the security context of a container or pod.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateSecurityContext
"""

from __future__ import annotations

import re

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from lifepod.api.objects import JsonObject
from lifepod.api.validation_references import local_path_errors

_MAX_ID = 2147483647
_PATH_MAX = 4095
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL_PART = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"({_SYSCTL_PART}[\./])*{_SYSCTL_PART}"


def security_context_errors(context: JsonObject | None, path: str, *, host_users: bool = True) -> list[FieldError]:
    """A container's security context."""
    if not context:
        return []
    errors = _id_errors(context, ("runAsUser", "runAsGroup"), path)
    proc = context.get("procMount")
    if proc is not None and proc not in ("Default", "Unmasked"):
        errors.append(not_supported(f"{path}.procMount", proc, ("Default", "Unmasked")))
    if proc == "Unmasked" and host_users:
        errors.append(invalid(f"{path}.procMount", proc, "`hostUsers` must be false to use `Unmasked`"))
    errors += _seccomp_errors(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(path, context, detail))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, context, detail))
    return errors + _app_armor_errors(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def _id_errors(context: JsonObject, fields: tuple[str, ...], path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{field}", context[field], names.within(0, _MAX_ID))
        for field in fields
        if context.get(field) is not None and not 0 <= context[field] <= _MAX_ID
    ]


def _seccomp_errors(profile: JsonObject | None, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateSeccompProfileField"""
    if profile is None:
        return []
    errors: list[FieldError] = []
    kind: str = profile.get("type") or ""
    if not kind:
        errors.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        errors.append(not_supported(f"{path}.type", kind, _PROFILES))
    local = profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if kind != "Localhost":
        detail = "can only be set when seccomp type is Localhost"
        return errors if local is None else [*errors, invalid(at, profile, detail)]
    if local is None:
        return [*errors, required(at, "must be set when seccomp type is Localhost")]
    return errors + local_path_errors(local, at)


def _app_armor_errors(profile: JsonObject | None, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateAppArmorProfileField"""
    if profile is None:
        return []
    kind: str = profile.get("type") or ""
    local: str | None = profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if not kind:
        return [required(f"{path}.type", "type is required when appArmorProfile is set")]
    if kind not in _PROFILES:
        return [not_supported(f"{path}.type", kind, _PROFILES)]
    if kind != "Localhost":
        return [] if local is None else [invalid(at, local, "can only be set when AppArmor type is Localhost")]
    if not local:
        return [required(at, "must be set when AppArmor type is Localhost")]
    errors = [] if local == local.strip() else [invalid(at, local, "must not be padded with whitespace")]
    return [*errors, too_long(at, _PATH_MAX)] if len(local.encode()) > _PATH_MAX else errors


def pod_security_context_errors(context: JsonObject | None, spec: JsonObject, path: str) -> list[FieldError]:
    """A pod's security context, its sysctls among it.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validatePodSpecSecurityContext
    """
    errors = _id_errors(context or {}, ("fsGroup", "runAsUser", "runAsGroup"), path)
    for index, group in enumerate((context or {}).get("supplementalGroups") or []):
        if not 0 <= group <= _MAX_ID:
            errors.append(invalid(f"{path}.supplementalGroups[{index}]", group, names.within(0, _MAX_ID)))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{path}.shareProcessNamespace", True, detail))
    if not context:
        return errors
    errors += _sysctl_errors(context.get("sysctls") or [], spec, f"{path}.sysctls")
    errors += _choice_errors(context, "fsGroupChangePolicy", ("Always", "OnRootMismatch"), path)
    errors += _seccomp_errors(context.get("seccompProfile"), f"{path}.seccompProfile")
    errors += _app_armor_errors(context.get("appArmorProfile"), f"{path}.appArmorProfile")
    errors += _choice_errors(context, "supplementalGroupsPolicy", ("Merge", "Strict"), path)
    return errors + _choice_errors(context, "seLinuxChangePolicy", ("Recursive",), path)


def _choice_errors(context: JsonObject, field: str, known: tuple[str, ...], path: str) -> list[FieldError]:
    value = context.get(field)
    return [] if value is None or value in known else [not_supported(f"{path}.{field}", value, known)]


def _sysctl_errors(sysctls: list[JsonObject], spec: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        at = f"{path}[{index}].name"
        name: str = sysctl.get("name") or ""
        if not name:
            errors.append(required(at))
        elif len(name) > 253 or not re.fullmatch(_SYSCTL, name):
            detail = f"must have at most 253 characters and match regex ^{_SYSCTL}$"
            errors.append(invalid(at, name, detail))
        elif name in seen:
            errors.append(duplicate(at, name))
        seen.add(name)
        errors += _host_sysctl_errors(name.replace("/", "."), name, spec, at)
    return errors


def _host_sysctl_errors(dotted: str, name: str, spec: JsonObject, path: str) -> list[FieldError]:
    """A sysctl of a namespace that is the host's would change the host. Source: validation.go: ValidateHostSysctl"""
    if dotted.startswith("net."):
        return (
            [invalid(path, name, "may not be specified when 'hostNetwork' is true")] if spec.get("hostNetwork") else []
        )
    is_ipc = dotted == "kernel.sem" or dotted.startswith(_IPC_SYSCTLS)
    if is_ipc and spec.get("hostIPC"):
        return [invalid(path, name, "may not be specified when 'hostIPC' is true")]
    return []


def host_users_errors(spec: JsonObject, path: str) -> list[FieldError]:
    """A user namespace of its own excludes the host's network, processes and IPC. Source: validateHostUsers"""
    if spec.get("hostUsers") is not False:
        return []
    shown = (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
    given = [name for field, name in shown if spec.get(field)]
    for name in ("initContainers", "containers", "ephemeralContainers"):
        held: list[JsonObject] = spec.get(name) or []
        given += [f"{name}[{at}].volumeDevices" for at, container in enumerate(held) if container.get("volumeDevices")]
    return [forbidden(f"{path}.{name}", "when `hostUsers` is false") for name in given]
