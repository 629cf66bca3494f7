"""What a kind made by a CustomResourceDefinition does with its objects: defaults, validation, conversion between its versions.

The schema's own parts are in `structural_defaults.py`, `structural_validation.py`, `structural_rules.py`; this file puts them
together as the functions that a `Kind` has.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/registry/customresource/strategy.go, validator.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lifepod.api.field_errors import FieldError
from lifepod.api.meta import STANDARD_FINALIZERS, metadata_errors, metadata_update_errors
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.structural_defaults import defaulted_root, has_defaults
from lifepod.api.structural_validation import ABSENT, value_errors

_OF_EVERY_OBJECT = ("apiVersion", "kind", "metadata")


class CustomRules(NamedTuple):
    """The functions of a custom kind, as `Kind` names them."""

    default: Callable[[JsonObject], JsonObject]
    prepare_create: Callable[[JsonObject], JsonObject]
    validate: Callable[[JsonObject], list[FieldError]]
    validate_update: Callable[[JsonObject, JsonObject], list[FieldError]]


def custom_resource_rules(schema: JsonObject, *, namespaced: bool, has_status: bool) -> CustomRules:
    """The functions for one version of a definition; `schema` is its openAPIV3Schema."""
    own = {**schema, "properties": _own_properties(schema)}
    checks_rules = _has_rules(schema)

    def default(obj: JsonObject) -> JsonObject:
        return defaulted_root(obj, own)

    def prepare_create(obj: JsonObject) -> JsonObject:
        return {k: v for k, v in obj.items() if k != "status"} if has_status else obj

    def errors(obj: JsonObject, old: JsonValue) -> list[FieldError]:
        found = value_errors(obj, own, "", old)
        if checks_rules and not found:
            from lifepod.api.structural_rules import rule_errors

            found = rule_errors(obj, own, "", old)
        return found

    def validate(obj: JsonObject) -> list[FieldError]:
        return [
            *metadata_errors(obj.get("metadata") or {}, namespaced=namespaced, any_finalizer=True),
            *errors(obj, ABSENT),
        ]

    def validate_update(obj: JsonObject, old: JsonObject) -> list[FieldError]:
        return [*metadata_update_errors(obj["metadata"], old["metadata"], any_finalizer=True), *errors(obj, old)]

    return CustomRules(default if has_defaults(own) else _same, prepare_create, validate, validate_update)


def finalizer_warnings(obj: JsonObject, old: JsonObject | None) -> tuple[str, ...]:
    """A new finalizer is better one that says whose it is.

    Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/registry/customresource/validator.go: validateKubeFinalizerName
    """
    added = set(obj["metadata"].get("finalizers") or ()) - set((old or {}).get("metadata", {}).get("finalizers") or ())
    return tuple(
        f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name{" including a path (/)" if "." in name else ""}'
        " to avoid accidental conflicts with other finalizer writers"
        for name in sorted(added - STANDARD_FINALIZERS)
        if "/" not in name
    )


def _same(obj: JsonObject) -> JsonObject:
    return obj


def _own_properties(schema: JsonObject) -> JsonObject:
    """The root's properties without those that every object has: they are checked as such."""
    return {k: v for k, v in (schema.get("properties") or {}).items() if k not in _OF_EVERY_OBJECT}


def _has_rules(schema: JsonObject) -> bool:
    if schema.get("x-kubernetes-validations"):
        return True
    inner = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(_has_rules(each) for each in inner if isinstance(each, dict))


def unread_rules_of(definition: JsonObject) -> list[str]:
    """The CEL rules of a definition that are not checked here, for whoever writes it."""
    found: list[str] = []
    for version in (definition.get("spec") or {}).get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        if _has_rules(schema):
            from lifepod.api.structural_rules import unread_rules

            found += unread_rules(schema)
    return found


def as_version(api_version: str) -> Callable[[JsonObject], JsonObject]:
    """Conversion of strategy None: only the apiVersion changes."""

    def convert(obj: JsonObject) -> JsonObject:
        return obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}

    return convert
