"""What is wrong with what a storage driver tells of itself: CSIDriver, CSINode, capacities, attachments, attribute classes.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/storage/validation/validation.go
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, required, too_long
from lifepod.api.meta import immutable_errors, selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import (
    NOT_NEGATIVE,
    amount,
    changed_object,
    known_value,
    new_object,
    not_negative,
    shown_amount,
)

_MAX_NODE_ID: Final = 256
_MAX_PARAMETERS: Final = 512
_MAX_BYTES: Final = 256 * 1024
_MIN_TOKEN_SECONDS: Final = 600
_LIFECYCLES: Final = ("Persistent", "Ephemeral")
_GROUP_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
_ONE_SOURCE: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _driver_errors(driver: JsonObject) -> list[FieldError]:
    """Source: validateCSIDriverSpec (its booleans are defaulted)"""
    spec: JsonObject = driver.get("spec") or {}
    errors = known_value(spec.get("fsGroupPolicy"), _GROUP_POLICIES, "spec.fsGroupPolicy")
    errors += _token_errors(spec.get("tokenRequests") or [])
    for mode in spec.get("volumeLifecycleModes") or []:
        errors += known_value(mode, _LIFECYCLES, "spec.volumeLifecycleModes")
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        path = "spec.nodeAllocatableUpdatePeriodSeconds"
        errors.append(invalid(path, period, "must be greater than or equal to 10 seconds"))
    return errors


def _token_errors(requests: list[JsonObject]) -> list[FieldError]:
    """Source: validateTokenRequests"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        path, audience = f"spec.tokenRequests[{index}]", request.get("audience") or ""
        if audience in seen:
            errors.append(duplicate(f"{path}.audience", audience))
            continue
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < _MIN_TOKEN_SECONDS:
            text = "may not specify a duration less than 10 minutes"
            errors.append(invalid(f"{path}.expirationSeconds", seconds, text))
        if seconds is not None and seconds > 1 << 32:
            text = "may not specify a duration larger than 2^32 seconds"
            errors.append(invalid(f"{path}.expirationSeconds", seconds, text))
    return errors


def _kept_driver_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: ValidateCSIDriverUpdate (which spells one of the paths like this)"""
    after, before = new.get("spec") or {}, old.get("spec") or {}
    errors = immutable_errors(after.get("attachRequired"), before.get("attachRequired"), "spec.attachedRequired")
    path = "spec.volumeLifecycleModes"
    return errors + immutable_errors(after.get("volumeLifecycleModes"), before.get("volumeLifecycleModes"), path)


def _node_errors(node: JsonObject) -> list[FieldError]:
    """Source: validateCSINodeDrivers"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate((node.get("spec") or {}).get("drivers") or []):
        path, name = f"spec.drivers[{index}]", driver.get("name") or ""
        errors += _driver_name_errors(name, f"{path}.name")
        identity: str = driver.get("nodeID") or ""
        if not identity:
            errors.append(required(f"{path}.nodeID"))
        if len(identity.encode()) > _MAX_NODE_ID:
            errors.append(invalid(f"{path}.nodeID", identity, f"must be {_MAX_NODE_ID} characters or less"))
        errors += not_negative((driver.get("allocatable") or {}).get("count"), f"{path}.allocatable.count")
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
        errors += _topology_key_errors(driver.get("topologyKeys") or [], path)
    return errors


def _driver_name_errors(name: str, path: str) -> list[FieldError]:
    """Source: pkg/apis/core/validation/validation.go: ValidateCSIDriverName"""
    if not name:
        return [required(path)]
    errors = [too_long(path, 63)] if len(name.encode()) > 63 else []
    return errors + [invalid(path, name, complaint) for complaint in names.dns_subdomain(name.lower())]


def _topology_key_errors(keys: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for at, key in enumerate(keys):
        if not key:
            errors.append(required(path))
        if key in keys[:at]:
            errors.append(duplicate(path, key))
        errors += [invalid(path, key, complaint) for complaint in names.qualified_name(key)]
    return errors


def _kept_node_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """What a driver said of a node stays, but for how many volumes it takes. Source: ValidateCSINodeUpdate"""
    before = {d.get("name"): d for d in (old.get("spec") or {}).get("drivers") or []}
    errors: list[FieldError] = []
    for driver in (new.get("spec") or {}).get("drivers") or []:
        if driver.get("name") in before:
            errors += immutable_errors(_fixed(driver), _fixed(before[driver["name"]]), "spec.drivers")
    return errors


def _fixed(driver: JsonObject) -> JsonObject:
    return {name: value for name, value in driver.items() if name != "allocatable"}


def _capacity_errors(capacity: JsonObject) -> list[FieldError]:
    """Source: ValidateCSIStorageCapacity"""
    errors = selector_errors(capacity.get("nodeTopology"), "nodeTopology")
    wanted: str = capacity.get("storageClassName") or ""
    errors += [invalid("storageClassName", wanted, complaint) for complaint in names.dns_subdomain(wanted)]
    size = capacity.get("capacity")
    if size is not None and amount(size) < 0:
        errors.append(invalid("capacity", shown_amount(size), NOT_NEGATIVE))
    return errors


def _kept_capacity_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: ValidateCSIStorageCapacityUpdate"""
    errors = immutable_errors(new.get("nodeTopology"), old.get("nodeTopology"), "nodeTopology")
    return errors + immutable_errors(new.get("storageClassName"), old.get("storageClassName"), "storageClassName")


def _attachment_errors(attachment: JsonObject) -> list[FieldError]:
    """Source: ValidateVolumeAttachment, ValidateVolumeAttachmentV1"""
    spec: JsonObject = attachment.get("spec") or {}
    errors = [] if spec.get("attacher") else [required("spec.attacher")]
    source: JsonObject = spec.get("source") or {}
    volume, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if volume is None and inline is None:
        errors.append(required("spec.source", _ONE_SOURCE))
    elif volume is not None and inline is not None:
        errors.append(forbidden("spec.source", _ONE_SOURCE))
    elif volume == "":
        errors.append(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"))
    node: str = spec.get("nodeName") or ""
    errors += [invalid("spec.nodeName", node, complaint) for complaint in names.dns_subdomain(node)]
    errors += _driver_name_errors(spec.get("attacher") or "", "spec.attacher")
    if volume is not None:
        path = "spec.source.persistentVolumeName"
        errors += [invalid(path, volume, complaint) for complaint in names.dns_subdomain(volume)]
    return errors


def _kept_attachment_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    return immutable_errors(new.get("spec"), old.get("spec"), "spec")


def _attributes_class_errors(attributes_class: JsonObject) -> list[FieldError]:
    """Source: ValidateVolumeAttributesClass"""
    driver: str = attributes_class.get("driverName") or ""
    errors = [] if driver else [required("driverName")]
    if driver:
        errors += [invalid("driverName", driver, complaint) for complaint in names.qualified_name(driver.lower())]
    return errors + _parameter_errors(attributes_class.get("parameters") or {})


def _parameter_errors(parameters: JsonObject) -> list[FieldError]:
    """Source: validateParameters (which does not take none)"""
    if not parameters:
        return [required("parameters", "must contain at least one key/value pair")]
    if len(parameters) > _MAX_PARAMETERS:
        return [too_long("parameters", _MAX_PARAMETERS)]
    errors = [invalid("parameters", "", "field can not be empty.")] if "" in parameters else []
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    return [*errors, too_long("parameters", _MAX_BYTES)] if size > _MAX_BYTES else errors


def _kept_attributes_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Source: ValidateVolumeAttributesClassUpdate"""
    return [
        forbidden(field, f"updates to {field} are forbidden.")
        for field in ("driverName", "parameters")
        if (new.get(field) or None) != (old.get(field) or None)
    ]


csi_driver_errors = new_object(_driver_errors, namespaced=False)
csi_driver_update_errors = changed_object(_driver_errors, change=_kept_driver_errors)
csi_node_errors = new_object(_node_errors, namespaced=False)
csi_node_update_errors = changed_object(_node_errors, change=_kept_node_errors)
csi_capacity_errors = new_object(_capacity_errors, namespaced=True)
csi_capacity_update_errors = changed_object(lambda _: [], change=_kept_capacity_errors)
attachment_errors = new_object(_attachment_errors, namespaced=False)
attachment_update_errors = changed_object(_attachment_errors, change=_kept_attachment_errors)
attributes_class_errors = new_object(_attributes_class_errors, namespaced=False)
attributes_class_update_errors = changed_object(_attributes_class_errors, change=_kept_attributes_errors)
