"""What is wrong with a Node or a RuntimeClass."""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from lifepod.api.meta import immutable_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, new_object

_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _taint_errors(node: JsonObject) -> list[FieldError]:
    """Keys and values as of labels; a key and effect once.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateNodeTaints
    """
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate((node.get("spec") or {}).get("taints") or []):
        path, key, effect = f"spec.taints[{index}]", taint.get("key") or "", taint.get("effect") or ""
        errors += [invalid(f"{path}.key", key, complaint) for complaint in names.qualified_name(key)]
        value = taint.get("value") or ""
        errors += [invalid(f"{path}.value", value, complaint) for complaint in names.label_value(value)]
        if not effect:
            errors.append(required(f"{path}.effect"))
        elif effect not in _EFFECTS:
            errors.append(not_supported(f"{path}.effect", effect, _EFFECTS))
        if (key, effect) in seen:
            errors.append(duplicate(path, taint)._replace(detail="taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return errors


def _kept_node_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """What a node was given once, it keeps.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateNodeUpdate
    """
    after, before = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    if before.get("podCIDRs") and (after.get("podCIDRs") or []) != before["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden("spec.podCIDRs", detail))
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden("spec.providerID", detail))
    return errors


def _handler_errors(runtime_class: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/node/validation/validation.go: ValidateRuntimeClass"""
    handler: str = runtime_class.get("handler") or ""
    return [invalid("handler", handler, complaint) for complaint in names.dns_label(handler)]


def _kept_handler_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    return immutable_errors(new.get("handler"), old.get("handler"), "handler")


node_errors = new_object(_taint_errors, namespaced=False)
node_update_errors = changed_object(_taint_errors, change=_kept_node_errors)
runtime_class_errors = new_object(_handler_errors, namespaced=False)
runtime_class_update_errors = changed_object(_handler_errors, change=_kept_handler_errors)
