"""What a pod may not set because of the operating system it names.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateOS, validateLinux, validateWindows
"""

from __future__ import annotations

from lifepod.api.field_errors import FieldError, forbidden, not_supported, required
from lifepod.api.objects import JsonObject

_SYSTEMS = ("linux", "windows")
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_NOT_ON_WINDOWS = "cannot be set for a windows pod"
_NOT_ON_LINUX = "windows options cannot be set for a linux pod"
_LINUX_POD = (
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
)
_LINUX_CONTAINER = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_WHEN_TRUE = frozenset(("hostPID", "hostIPC", "sysctls"))


def os_errors(spec: JsonObject, path: str) -> list[FieldError]:
    """Nothing is checked of a pod that names no system."""
    system = spec.get("os")
    if system is None:
        return []
    name: str = system.get("name") or ""
    if not name:
        return [required(f"{path}.os.name")]
    if name not in _SYSTEMS:
        return [not_supported(f"{path}.os", name, _SYSTEMS)]
    if name == "linux":
        given = ["securityContext"] if _has(spec, "securityContext.windowsOptions") else []
        given += [at for at, context in _container_contexts(spec) if context.get("windowsOptions") is not None]
        return [forbidden(f"{path}.{at}.windowsOptions", _NOT_ON_LINUX) for at in given]
    given = [field for field in _LINUX_POD if _has(spec, field)]
    for at, context in _container_contexts(spec):
        given += [f"{at}.{field}" for field in _LINUX_CONTAINER if context.get(field) is not None]
    return [forbidden(f"{path}.{at}", _NOT_ON_WINDOWS) for at in given]


def _has(spec: JsonObject, field: str) -> bool:
    context, _, name = field.rpartition(".")
    held: JsonObject = spec.get(context) or {} if context else spec
    return bool(held.get(name)) if name in _WHEN_TRUE else held.get(name) is not None


def _container_contexts(spec: JsonObject) -> list[tuple[str, JsonObject]]:
    return [
        (f"{name}[{index}].securityContext", container["securityContext"])
        for name in _CONTAINER_LISTS
        for index, container in enumerate(spec.get(name) or [])
        if container.get("securityContext") is not None
    ]
