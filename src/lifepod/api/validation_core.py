"""What is wrong with a ConfigMap, Secret, Namespace, claim, or any other object of which only names matter here.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TypeAlias

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required, too_long
from lifepod.api.json_syntax import syntax_error
from lifepod.api.meta import NameRule, immutable_errors, metadata_errors, metadata_update_errors, selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.quantity import parse_quantity

Validate: TypeAlias = Callable[[JsonObject], list[FieldError]]
ValidateUpdate: TypeAlias = Callable[[JsonObject, JsonObject], list[FieldError]]

_MAX_DATA = 1024 * 1024
_FIXED = "field is immutable when `immutable` is set"
_REDACTED = "<secret contents redacted>"
_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def only_metadata(*, namespaced: bool, name_rule: NameRule = names.dns_subdomain) -> Validate:
    """A `validate` that looks at the metadata alone."""
    return lambda obj: metadata_errors(obj.get("metadata") or {}, namespaced=namespaced, name_rule=name_rule)


def only_metadata_update(obj: JsonObject, old: JsonObject) -> list[FieldError]:
    """A `validate_update` that looks at the metadata alone."""
    return metadata_update_errors(obj["metadata"], old["metadata"])


def config_map_errors(config_map: JsonObject) -> list[FieldError]:
    """Keys that can be file names, each in one bag, one MiB in all. Source: ValidateConfigMap"""
    errors = metadata_errors(config_map["metadata"], namespaced=True)
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    for bag, held in (("data", data), ("binaryData", binary)):
        for key in sorted(held):
            errors += [invalid(f"{bag}[{key}]", key, complaint) for complaint in names.config_key(key)]
            if bag == "data" and key in binary:
                errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    size = sum(len(text.encode()) for text in data.values()) + sum(_decoded_size(text) for text in binary.values())
    return [*errors, too_long("[]", _MAX_DATA)] if size > _MAX_DATA else errors


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


def config_map_update_errors(config_map: JsonObject, old: JsonObject) -> list[FieldError]:
    """An immutable one stays as it is. Source: ValidateConfigMapUpdate"""
    errors = metadata_update_errors(config_map["metadata"], old["metadata"])
    errors += _immutable_data_errors(config_map, old, ("data", "binaryData"))
    return errors + config_map_errors(config_map)


def _immutable_data_errors(obj: JsonObject, old: JsonObject, fields: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if obj.get("immutable") else [forbidden("immutable", _FIXED)]
    changed = [field for field in fields if (obj.get(field) or {}) != (old.get(field) or {})]
    return errors + [forbidden(field, _FIXED) for field in changed]


_SECRET_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def secret_errors(secret: JsonObject) -> list[FieldError]:
    """Keys that can be file names, one MiB in all, and what the type promises. Source: ValidateSecret"""
    metadata: JsonObject = secret["metadata"]
    errors = metadata_errors(metadata, namespaced=True)
    data: JsonObject = secret.get("data") or {}
    for key in sorted(data):
        errors += [invalid(f"data[{key}]", key, complaint) for complaint in names.config_key(key)]
    if sum(_decoded_size(text or "") for text in data.values()) > _MAX_DATA:
        errors.append(too_long("data", _MAX_DATA))
    kind = secret.get("type") or ""
    if kind == "kubernetes.io/service-account-token":
        account = "kubernetes.io/service-account.name"
        if not (metadata.get("annotations") or {}).get(account):
            errors.append(required(f"metadata.annotations[{account}]"))
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        errors += [required("data[username]"), required("data[password]")]
    for key in _SECRET_KEYS.get(kind, ()):
        if key not in data:
            errors.append(required(f"data[{key}]"))
        elif kind.startswith("kubernetes.io/dockerc"):
            errors += _json_errors(data[key], f"data[{key}]")
    return errors


def _json_errors(text: str, path: str) -> list[FieldError]:
    problem = syntax_error(base64.b64decode(text))
    return [] if problem is None else [invalid(path, _REDACTED, problem)]


def secret_update_errors(secret: JsonObject, old: JsonObject) -> list[FieldError]:
    """The type stays; an immutable one stays as it is. Source: ValidateSecretUpdate"""
    errors = metadata_update_errors(secret["metadata"], old["metadata"])
    errors += immutable_errors(secret.get("type"), old.get("type"), "type")
    errors += _immutable_data_errors(secret, old, ("data",))
    return errors + secret_errors(secret)


def claim_errors(claim: JsonObject) -> list[FieldError]:
    """What is wrong with a new PersistentVolumeClaim. Source: ValidatePersistentVolumeClaim"""
    return metadata_errors(claim["metadata"], namespaced=True) + claim_spec_errors(claim.get("spec") or {})


def claim_spec_errors(spec: JsonObject, path: str = "spec") -> list[FieldError]:
    """What is wrong with the spec of a claim, or of a template of one. Source: ValidatePersistentVolumeClaimSpec"""
    modes: list[str] = spec.get("accessModes") or []
    errors = [] if modes else [required(f"{path}.accessModes", "at least 1 access mode is required")]
    errors += selector_errors(spec.get("selector"), f"{path}.selector")
    errors += [not_supported(f"{path}.accessModes", mode, _MODES) for mode in modes if mode not in _MODES]
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        errors.append(forbidden(f"{path}.accessModes", detail))
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        errors.append(required(f"{path}.resources[storage]"))
    elif parse_quantity(str(size)).nanos <= 0:
        errors.append(invalid(f"{path}.resources[storage]", size, "must be greater than zero"))
    name: str = spec.get("storageClassName") or ""
    if name:
        errors += [invalid(f"{path}.storageClassName", name, complaint) for complaint in names.dns_subdomain(name)]
    mode = spec.get("volumeMode")
    if mode not in (None, "Block", "Filesystem"):
        errors.append(not_supported(f"{path}.volumeMode", mode, ("Block", "Filesystem")))
    return errors


def claim_update_errors(claim: JsonObject, old: JsonObject) -> list[FieldError]:
    """Only a bound claim's size and attributes may change. Source: ValidatePersistentVolumeClaimUpdate"""
    errors = metadata_update_errors(claim["metadata"], old["metadata"])
    spec, before = claim.get("spec") or {}, old.get("spec") or {}
    if spec == before:
        return errors
    errors += claim_spec_errors(spec)
    free: tuple[str, ...] = () if before.get("volumeName") else ("volumeName",)
    if (old.get("status") or {}).get("phase") == "Bound":
        free = (*free, "resources", "volumeAttributesClassName")
    kept = {name: value for name, value in spec.items() if name not in free}
    if kept != {name: value for name, value in before.items() if name not in free}:
        detail = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        errors.append(forbidden("spec", detail))
    return errors


def lease_errors(lease: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/coordination/validation/validation.go: ValidateLeaseSpec"""
    spec: JsonObject = lease.get("spec") or {}
    errors = metadata_errors(lease["metadata"], namespaced=True)
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
    if (spec.get("leaseTransitions") or 0) < 0:
        detail = "must be greater than or equal to 0"
        errors.append(invalid("spec.leaseTransitions", spec["leaseTransitions"], detail))
    return errors
