"""What is wrong with the security context of a container or pod.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateSecurityContext
"""

from __future__ import annotations

import re

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from lifepod.api.objects import JsonObject

_MAX_ID = 2147483647
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
    errors += _profile_errors(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(path, context, detail))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, context, detail))
    return errors + _profile_errors(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def _id_errors(context: JsonObject, fields: tuple[str, ...], path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{field}", context[field], names.within(0, _MAX_ID))
        for field in fields
        if context.get(field) is not None and not 0 <= context[field] <= _MAX_ID
    ]


def _profile_errors(profile: JsonObject | None, path: str) -> list[FieldError]:
    """A seccomp or AppArmor profile. Source: validation.go: validateSeccompProfileField"""
    if profile is None:
        return []
    kind: str = profile.get("type") or ""
    if not kind:
        return [required(f"{path}.type", "type is required when seccompProfile is set" if "seccomp" in path else "")]
    if kind not in _PROFILES:
        return [not_supported(f"{path}.type", kind, _PROFILES)]
    local = profile.get("localhostProfile")
    if kind == "Localhost":
        if local is None:
            detail = (
                "must be set when seccomp type is Localhost"
                if "seccomp" in path
                else ("must be set when AppArmor type is Localhost")
            )
            return [required(f"{path}.localhostProfile", detail)]
        return []
    if local is not None:
        detail = (
            "can only be set when seccomp type is Localhost"
            if "seccomp" in path
            else ("can only be set when AppArmor type is Localhost")
        )
        return [invalid(f"{path}.localhostProfile", local, detail)]
    return []


def pod_security_context_errors(context: JsonObject | None, spec: JsonObject, path: str) -> list[FieldError]:
    """A pod's security context, its sysctls among it.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validatePodSpecSecurityContext
    """
    errors: list[FieldError] = []
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{path}.shareProcessNamespace", True, detail))
    if not context:
        return errors
    errors += _id_errors(context, ("fsGroup", "runAsUser", "runAsGroup"), path)
    for index, group in enumerate(context.get("supplementalGroups") or []):
        if not 0 <= group <= _MAX_ID:
            errors.append(invalid(f"{path}.supplementalGroups[{index}]", group, names.within(0, _MAX_ID)))
    errors += _sysctl_errors(context.get("sysctls") or [], spec, f"{path}.sysctls")
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in ("Always", "OnRootMismatch"):
        errors.append(not_supported(f"{path}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch")))
    groups = context.get("supplementalGroupsPolicy")
    if groups is not None and groups not in ("Merge", "Strict"):
        errors.append(not_supported(f"{path}.supplementalGroupsPolicy", groups, ("Merge", "Strict")))
    errors += _profile_errors(context.get("seccompProfile"), f"{path}.seccompProfile")
    return errors + _profile_errors(context.get("appArmorProfile"), f"{path}.appArmorProfile")


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
        if spec.get("hostNetwork") and name.replace("/", ".").startswith("net."):
            errors.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
    return errors


def host_users_errors(spec: JsonObject, path: str) -> list[FieldError]:
    """A user namespace of its own excludes the host's network, processes and IPC. Source: validateHostUsers"""
    if spec.get("hostUsers") is not False:
        return []
    shown = (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
    return [forbidden(f"{path}.{name}", "when `hostUsers` is false") for field, name in shown if spec.get(field)]
