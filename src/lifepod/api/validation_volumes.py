"""What is wrong with the volumes of a pod: exactly one source each, and the source complete.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateVolumes, validateVolumeSource
"""

from __future__ import annotations

from collections.abc import Callable

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from lifepod.api.objects import JsonObject
from lifepod.api.quantity import parse_quantity
from lifepod.api.validation_references import (
    file_path_errors,
    mode_errors,
    no_backsteps_errors,
    resource_field_errors,
    volume_field_errors,
)

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_SOURCES = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
_MORE_THAN_ONE = "may not specify more than 1 volume type"


def volumes_errors(
    volumes: list[JsonObject], pod_name: str, path: str
) -> tuple[dict[str, JsonObject], list[FieldError]]:
    """The valid volumes by name, for the mounts to refer to, and what is wrong with the others."""
    found: dict[str, JsonObject] = {}
    errors: list[FieldError] = []
    made = {f"{pod_name}-{volume.get('name')}" for volume in volumes if volume.get("ephemeral") and pod_name}
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        name: str = volume.get("name") or ""
        wrong = _source_errors(volume, at)
        if not name:
            wrong.append(required(f"{at}.name"))
        else:
            wrong += [invalid(f"{at}.name", name, complaint) for complaint in names.dns_label(name)]
        if name in found:
            wrong.append(duplicate(f"{at}.name", name))
        if not wrong:
            found[name] = volume
        errors += wrong
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in made:
            detail = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(f"{at}.persistentVolumeClaim.claimName", claim, detail))
    return found, errors


def _source_errors(volume: JsonObject, path: str) -> list[FieldError]:
    given = [name for name, source in volume.items() if name != "name" and source is not None]
    if not given:
        return [required(path, "must specify a volume type")]
    first = given[0]
    check = _CHECKS.get(first)
    errors = check(volume[first], f"{path}.{first}") if check is not None else []
    return errors + [forbidden(f"{path}.{name}", _MORE_THAN_ONE) for name in given[1:]]


def _host_path(source: JsonObject, path: str) -> list[FieldError]:
    if not source.get("path"):
        return [required(f"{path}.path")]
    errors = no_backsteps_errors(source["path"], f"{path}.path")
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(not_supported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return errors


def _empty_dir(source: JsonObject, path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(str(limit)).nanos < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _secret(source: JsonObject, path: str) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return errors + mode_errors(source.get("defaultMode"), f"{path}.defaultMode") + _items(source, path)


def _config_map(source: JsonObject, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name")]
    return errors + mode_errors(source.get("defaultMode"), f"{path}.defaultMode") + _items(source, path)


def _items(source: JsonObject, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, item in enumerate(source.get("items") or []):
        at = f"{path}.items[{index}]"
        errors += [required(f"{at}.{name}") for name in ("key", "path") if not item.get(name)]
        errors += file_path_errors(item.get("path") or "", f"{at}.path")
        errors += mode_errors(item.get("mode"), f"{at}.mode")
    return errors


def _downward_api(source: JsonObject, path: str) -> list[FieldError]:
    errors = mode_errors(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or []:
        errors += _downward_file(item, path)
    return errors


def _downward_file(item: JsonObject, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateDownwardAPIVolumeFile"""
    errors = [] if item.get("path") else [required(f"{path}.path")]
    errors += file_path_errors(item.get("path") or "", f"{path}.path")
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        errors += volume_field_errors(field, f"{path}.fieldRef")
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(path, "resource", detail))
    elif resource is not None:
        errors += resource_field_errors(resource, f"{path}.resourceFieldRef", in_volume=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + mode_errors(item.get("mode"), f"{path}.mode")


def _claim(source: JsonObject, path: str) -> list[FieldError]:
    return [] if source.get("claimName") else [required(f"{path}.claimName")]


def _ephemeral(source: JsonObject, path: str) -> list[FieldError]:
    return [required(f"{path}.volumeClaimTemplate")] if source.get("volumeClaimTemplate") is None else []


def _projected(source: JsonObject, path: str) -> list[FieldError]:
    errors = mode_errors(source.get("defaultMode"), f"{path}.defaultMode")
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or []):
        at = f"{path}.sources[{index}]"
        given = [name for name in _SOURCES if projection.get(name) is not None]
        for name in given:
            errors += _projection_errors(name, projection[name], taken, path, f"{at}.{name}")
        if len(given) > 1:
            errors.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return errors


def _projection_errors(kind: str, source: JsonObject, taken: set[str], volume: str, path: str) -> list[FieldError]:
    """One source of a projected volume; `taken` are the file names that sources before it have.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateProjectionSources
    """
    errors: list[FieldError] = []
    if kind in ("secret", "configMap"):
        errors += [] if source.get("name") else [required(f"{path}.name")]
        errors += _items(source, path)
        errors += _taken_errors([i.get("path") for i in source.get("items") or []], taken, volume, source.get("name"))
    elif kind == "downwardAPI":
        for item in source.get("items") or []:
            errors += _downward_file(item, path)
            errors += _taken_errors([item.get("path")], taken, volume, item.get("path"))
    elif kind == "serviceAccountToken":
        errors += _token_errors(source, volume, path)
    elif kind == "clusterTrustBundle":
        named, signed = source.get("name") is not None, source.get("signerName") is not None
        if named and signed:
            errors.append(invalid(path, source, "only one of name and signerName may be used"))
        elif not named and not signed:
            errors.append(required(path, "either name or signerName must be specified"))
        if not source.get("path"):
            errors.append(required(f"{path}.path"))
        errors += file_path_errors(source.get("path") or "", f"{path}.path")
        errors += _taken_errors([source.get("path")], taken, volume, source.get("path"))
    return errors


def _token_errors(token: JsonObject, volume: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds: int = token.get("expirationSeconds") or 0
    if seconds < 600:
        detail = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    if seconds > 1 << 32:
        detail = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    if not token.get("path"):
        return [*errors, required(f"{volume}.path")]
    return errors + file_path_errors(token["path"], f"{volume}.path")


def _taken_errors(paths: list[str | None], taken: set[str], volume: str, shown: str | None) -> list[FieldError]:
    errors: list[FieldError] = []
    for target in paths:
        if target and target in taken:
            errors.append(invalid(volume, shown or "", "conflicting duplicate paths"))
        taken.add(target or "")
    return errors


def _needs(*fields: str) -> Callable[[JsonObject, str], list[FieldError]]:
    def check(source: JsonObject, path: str) -> list[FieldError]:
        return [required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def _image(source: JsonObject, path: str) -> list[FieldError]:
    errors = [] if source.get("reference") else [required(f"{path}.reference")]
    policies = ("Always", "IfNotPresent", "Never")
    policy = source.get("pullPolicy")
    return errors if policy in policies else [*errors, not_supported(f"{path}.pullPolicy", policy, policies)]


_CHECKS: dict[str, Callable[[JsonObject, str], list[FieldError]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward_api,
    "projected": _projected,
    "persistentVolumeClaim": _claim,
    "ephemeral": _ephemeral,
    "image": _image,
    "nfs": _needs("server", "path"),
    "csi": _needs("driver"),
    "iscsi": _needs("targetPortal", "iqn"),
    "gitRepo": _needs("repository"),
}
