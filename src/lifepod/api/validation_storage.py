"""What is wrong with a StorageClass or a PersistentVolume."""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required
from lifepod.api.meta import immutable_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import NOT_NEGATIVE, amount, changed_object, known_value, new_object, shown_amount

_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_NOT_SOURCES: Final = frozenset(
    "accessModes capacity claimRef mountOptions nodeAffinity persistentVolumeReclaimPolicy storageClassName "
    "volumeAttributesClassName volumeMode".split()
)
_ABSOLUTE: Final = "must be an absolute path"


def _storage_class_errors(storage_class: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/storage/validation/validation.go: ValidateStorageClass"""
    provisioner: str = storage_class.get("provisioner") or ""
    errors = [] if provisioner else [required("provisioner")]
    if provisioner:
        complaints = names.qualified_name(provisioner.lower())
        errors += [invalid("provisioner", provisioner.lower(), complaint) for complaint in complaints]
    if "" in (storage_class.get("parameters") or {}):
        errors.append(invalid("parameters", "", "field can not be empty."))
    errors += known_value(storage_class.get("reclaimPolicy"), ("Delete", "Retain"), "reclaimPolicy")
    modes = ("Immediate", "WaitForFirstConsumer")
    return errors + known_value(storage_class.get("volumeBindingMode"), modes, "volumeBindingMode")


def _kept_class_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/storage/validation/validation.go: ValidateStorageClassUpdate"""
    errors = [
        forbidden(field, f"updates to {field} are forbidden.")
        for field in ("parameters", "provisioner", "reclaimPolicy")
        if (new.get(field) or None) != (old.get(field) or None)
    ]
    return errors + immutable_errors(new.get("volumeBindingMode"), old.get("volumeBindingMode"), "volumeBindingMode")


def _volume_errors(volume: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePersistentVolumeSpec"""
    spec: JsonObject = volume.get("spec") or {}
    modes: list[str] = spec.get("accessModes") or []
    errors = [] if modes else [required("spec.accessModes")]
    errors += [not_supported("spec.accessModes", mode, _MODES) for mode in modes if mode not in _MODES]
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        errors.append(forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"))
    errors += _capacity_errors(spec)
    policies = ("Delete", "Recycle", "Retain")
    errors += known_value(spec.get("persistentVolumeReclaimPolicy"), policies, "spec.persistentVolumeReclaimPolicy")
    sources = _sources(spec)
    errors += [forbidden(f"spec.{name}", "may not specify more than 1 volume type") for name in sources[1:]]
    if sources:
        errors += _source_errors(spec, sources[0])
    else:
        errors.append(required("spec", "must specify a volume type"))
    wanted: str = spec.get("storageClassName") or ""
    if wanted:
        errors += [invalid("spec.storageClassName", wanted, complaint) for complaint in names.dns_subdomain(wanted)]
    return errors + known_value(spec.get("volumeMode"), ("Block", "Filesystem"), "spec.volumeMode")


def _capacity_errors(spec: JsonObject) -> list[FieldError]:
    capacity: JsonObject = spec.get("capacity") or {}
    errors = [] if capacity else [required("spec.capacity")]
    if set(capacity) != {"storage"}:
        errors.append(not_supported("spec.capacity", capacity, ("storage",)))
    for name in sorted(capacity):
        nanos, path = amount(capacity[name]), f"spec.capacity[{name}]"
        if nanos < 0:
            errors.append(invalid(path, shown_amount(capacity[name]), NOT_NEGATIVE))
        if nanos <= 0:
            errors.append(invalid(path, shown_amount(capacity[name]), "must be greater than zero"))
    return errors


def _sources(spec: JsonObject) -> list[str]:
    return [name for name, value in spec.items() if name not in _NOT_SOURCES and value is not None]


def _source_errors(spec: JsonObject, name: str) -> list[FieldError]:
    source: JsonObject = spec[name] if isinstance(spec[name], dict) else {}
    path, place = f"spec.{name}", f"{source.get('path') or ''}"
    match name:
        case "hostPath":
            errors = [] if place else [required(f"{path}.path")]
            if ".." in place.split("/"):
                errors.append(invalid(f"{path}.path", place, "must not contain '..'"))
            if place.rstrip("/") == "" and place and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
                detail = "may not be 'recycle' for a hostPath mount of '/'"
                errors.append(forbidden("spec.persistentVolumeReclaimPolicy", detail))
            return errors
        case "nfs":
            errors = [] if source.get("server") else [required(f"{path}.server")]
            if not place:
                return [*errors, required(f"{path}.path")]
            return errors if place.startswith("/") else [*errors, invalid(f"{path}.path", place, _ABSOLUTE)]
        case "local":
            errors = [] if place else [required(f"{path}.path")]
            if spec.get("nodeAffinity") is None:
                errors.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
            return errors
        case "csi":
            fields = [field for field in ("driver", "volumeHandle") if not source.get(field)]
            return [required(f"{path}.{field}") for field in fields]
    return []


def _kept_volume_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePersistentVolumeUpdate"""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    if {name: spec[name] for name in _sources(spec)} != {name: before[name] for name in _sources(before)}:
        path = "spec.persistentvolumesource"
        errors.append(forbidden(path, f"{path} is immutable after creation"))
    return errors + immutable_errors(spec.get("volumeMode"), before.get("volumeMode"), "spec.volumeMode")


storage_class_errors = new_object(_storage_class_errors, namespaced=False)
storage_class_update_errors = changed_object(_storage_class_errors, change=_kept_class_errors)
volume_errors = new_object(_volume_errors, namespaced=False)
volume_update_errors = changed_object(_volume_errors, change=_kept_volume_errors)
