"""What is wrong with a reference from a pod to something else: its own fields, keys of config maps and secrets, paths.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

import re

from lifepod.api import names
from lifepod.api.field_errors import FieldError, invalid, not_supported, required
from lifepod.api.objects import JsonObject

_FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_CONVERTIBLE = frozenset(
    (*_ENV_FIELDS, *_VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork", "status.phase")
)
_DIVISORS = {
    "cpu": ("1m", "1"),
    "memory": ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
}
_SUBSCRIPTED = re.compile(r"([^\[]+)\['(.+)'\]")


def env_field_errors(ref: JsonObject, path: str) -> list[FieldError]:
    """A `fieldRef` of an environment variable."""
    return _field_errors(ref, _ENV_FIELDS, path)


def volume_field_errors(ref: JsonObject, path: str) -> list[FieldError]:
    """A `fieldRef` of a downward API volume."""
    return _field_errors(ref, _VOLUME_FIELDS, path)


def _field_errors(ref: JsonObject, known: tuple[str, ...], path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateObjectFieldSelector"""
    version, field = ref.get("apiVersion") or "", ref.get("fieldPath") or ""
    if not version:
        return [required(f"{path}.apiVersion")]
    if not field:
        return [required(f"{path}.fieldPath")]
    if version != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {version}"
        return [invalid(f"{path}.fieldPath", field, detail)]
    subscripted = _SUBSCRIPTED.fullmatch(field)
    if subscripted is not None:
        return _subscript_errors(subscripted[1], subscripted[2], field, path)
    if field not in _CONVERTIBLE:
        detail = f"error converting fieldPath: field label not supported: {field}"
        return [invalid(f"{path}.fieldPath", field, detail)]
    return [] if field in known else [not_supported(f"{path}.fieldPath", field, known)]


def _subscript_errors(base: str, key: str, field: str, path: str) -> list[FieldError]:
    if base == "metadata.annotations":
        return [invalid(path, key.lower(), complaint) for complaint in names.qualified_name(key.lower())]
    if base == "metadata.labels":
        return [invalid(path, key, complaint) for complaint in names.qualified_name(key)]
    detail = f"error converting fieldPath: field label does not support subscript: {field}"
    return [invalid(f"{path}.fieldPath", field, detail)]


def resource_field_errors(ref: JsonObject, path: str, *, in_volume: bool) -> list[FieldError]:
    """A `resourceFieldRef`: in a volume it must name its container."""
    if in_volume and not ref.get("containerName"):
        return [required(f"{path}.containerName")]
    resource: str = ref.get("resource") or ""
    if not resource:
        return [required(f"{path}.resource")]
    if resource not in _RESOURCES and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        return [not_supported(f"{path}.resource", resource, _RESOURCES)]
    divisor = str(ref.get("divisor") or "0")
    kind = "cpu" if resource.endswith(".cpu") else "memory"
    if divisor not in ("0", *_DIVISORS[kind]):
        detail = (
            "only divisor's values 1m and 1 are supported with the cpu resource"
            if kind == "cpu"
            else "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the "
            f"{_storage_kind(resource)} resource"
        )
        return [invalid(f"{path}.divisor", resource, detail)]
    return []


def _storage_kind(resource: str) -> str:
    if "hugepages-" in resource:
        return "hugepages"
    return "local ephemeral storage" if "storage" in resource else "memory"


def key_ref_errors(ref: JsonObject, path: str) -> list[FieldError]:
    """A key of a config map or secret."""
    name: str = ref.get("name") or ""
    errors = [invalid(f"{path}.name", name, complaint) for complaint in names.dns_subdomain(name)]
    key: str = ref.get("key") or ""
    if not key:
        return [*errors, required(f"{path}.key")]
    return errors + [invalid(f"{path}.key", key, complaint) for complaint in names.config_key(key)]


def local_path_errors(target: str, path: str) -> list[FieldError]:
    """Relative, and never upwards."""
    errors = [invalid(path, target, "must be a relative path")] if target.startswith("/") else []
    return errors + no_backsteps_errors(target, path)


def no_backsteps_errors(target: str, path: str) -> list[FieldError]:
    """No `..` among the parts."""
    return [invalid(path, target, "must not contain '..'")] if ".." in target.split("/") else []


def file_path_errors(target: str, path: str) -> list[FieldError]:
    """A relative path that does not start with `..`: that prefix is for the volume's own links."""
    errors = local_path_errors(target, path)
    if target.startswith("..") and not target.startswith("../"):
        errors.append(invalid(path, target, "must not start with '..'"))
    return errors


def mode_errors(mode: int | None, path: str) -> list[FieldError]:
    """Permission bits."""
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(path, mode, _FILE_MODE)]
