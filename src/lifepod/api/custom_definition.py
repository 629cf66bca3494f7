"""What is wrong with a CustomResourceDefinition: its names, versions and the structure of its schemas.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apis/apiextensions/validation/validation.go
        k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/schema/validation.go (structural schemas)
"""

from __future__ import annotations

from collections.abc import Iterator

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required
from lifepod.api.meta import immutable_errors, metadata_errors, metadata_update_errors
from lifepod.api.objects import JsonObject

_SCOPES = ("Cluster", "Namespaced")
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")


def definition_errors(definition: JsonObject) -> list[FieldError]:
    """What is wrong with a new definition. Source: ValidateCustomResourceDefinition"""
    metadata: JsonObject = definition.get("metadata") or {}
    spec: JsonObject = definition.get("spec") or {}
    errors = metadata_errors(metadata, namespaced=False, any_finalizer=True)
    plural = (spec.get("names") or {}).get("plural") or ""
    wanted = f"{plural}.{spec.get('group') or ''}"
    if metadata.get("name") != wanted:
        text = 'must be spec.names.plural+"."+spec.group'
        errors.append(invalid("metadata.name", metadata.get("name"), text))
    return [*errors, *_spec_errors(spec)]


def definition_update_errors(definition: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change: the same, and group, scope and names of an established one stay."""
    spec, before = definition.get("spec") or {}, old.get("spec") or {}
    errors = metadata_update_errors(definition["metadata"], old["metadata"], any_finalizer=True)
    errors += immutable_errors(spec.get("group"), before.get("group"), "spec.group")
    errors += immutable_errors(spec.get("scope"), before.get("scope"), "spec.scope")
    for member in ("kind", "plural"):
        new = (spec.get("names") or {}).get(member)
        errors += immutable_errors(new, (before.get("names") or {}).get(member), f"spec.names.{member}")
    served = {version.get("name") for version in spec.get("versions") or ()}
    for index, name in enumerate((definition.get("status") or {}).get("storedVersions") or ()):
        if name not in served:
            path = f"status.storedVersions[{index}]"
            errors.append(
                invalid(path, name, "missing from spec.versions; cannot be removed until it is no longer stored")
            )
    return [*errors, *_spec_errors(spec)]


def _spec_errors(spec: JsonObject) -> Iterator[FieldError]:
    group = spec.get("group") or ""
    if not group:
        yield required("spec.group")
    else:
        yield from (invalid("spec.group", group, complaint) for complaint in names.dns_subdomain(group))
        if "." not in group:
            yield invalid("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in _SCOPES:
        yield (
            not_supported("spec.scope", spec.get("scope") or "", _SCOPES)
            if spec.get("scope")
            else required("spec.scope")
        )
    yield from _name_errors(spec.get("names") or {})
    versions = spec.get("versions") or []
    stored = [version for version in versions if version.get("storage")]
    if len(stored) != 1:
        yield invalid("spec.versions", versions, "must have exactly one version marked as storage version")
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name") or ""
        if name in seen:
            yield invalid("spec.versions", name, "must contain unique version names")
        seen.add(name)
        yield from (invalid(f"{path}.name", name, complaint) for complaint in names.dns1035_label(name))
        yield from _version_errors(version, path)
    strategy = (spec.get("conversion") or {}).get("strategy", "None")
    if strategy not in ("None", "Webhook"):
        yield not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))


def _name_errors(given: JsonObject) -> Iterator[FieldError]:
    for member in ("plural", "singular", "kind", "listKind"):
        value = given.get(member) or ""
        path = f"spec.names.{member}"
        if not value:
            yield required(path)
            continue
        shown = value.lower() if member in ("kind", "listKind") else value
        yield from (invalid(path, value, complaint) for complaint in names.dns1035_label(shown))
    for index, name in enumerate(given.get("shortNames") or ()):
        path = f"spec.names.shortNames[{index}]"
        yield from (invalid(path, name, complaint) for complaint in names.dns1035_label(name))
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        yield invalid("spec.names.listKind", given["listKind"], "kind and listKind may not be the same")


def _version_errors(version: JsonObject, path: str) -> Iterator[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    at = f"{path}.schema.openAPIV3Schema"
    if schema is None:
        yield required(at, "schemas are required")
    elif schema.get("type") != "object":
        if schema.get("type"):
            yield invalid(f"{at}.type", schema["type"], "must be object at the root")
        else:
            yield required(f"{at}.type", "must not be empty at the root")
    else:
        yield from _structural_errors(schema, at)
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        yield from _column_errors(column, f"{path}.additionalPrinterColumns[{index}]")
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        for member, start in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
            value = scale.get(member) or ""
            if not value.startswith(start):
                where = f"{path}.subresources.scale.{member}"
                yield invalid(where, value, f"should be a json path under {start[:-1]}") if value else required(where)


def _column_errors(column: JsonObject, path: str) -> Iterator[FieldError]:
    """Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apis/apiextensions/validation: ValidateCustomResourceColumnDefinition"""
    if not column.get("name"):
        yield required(f"{path}.name")
    if not column.get("type"):
        yield required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
    elif column["type"] not in _COLUMN_TYPES:
        yield invalid(f"{path}.type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}")
    if column.get("format") and column["format"] not in _COLUMN_FORMATS:
        yield invalid(f"{path}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}")
    if not column.get("jsonPath"):
        yield required(f"{path}.JSONPath")


def _structural_errors(schema: JsonObject, path: str) -> Iterator[FieldError]:
    """Every place says its type, and nothing that is not structural stands there."""
    if "type" in schema and schema["type"] not in _TYPES:
        yield not_supported(f"{path}.type", schema["type"], _TYPES)
    if "$ref" in schema:
        yield forbidden(f"{path}.$ref", "$ref is not supported")
    if schema.get("uniqueItems"):
        yield forbidden(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if schema.get("properties") and isinstance(schema.get("additionalProperties"), dict):
        text = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", text)
    if schema.get("x-kubernetes-list-type") == "map" and not schema.get("x-kubernetes-list-map-keys"):
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    if schema.get("type") == "array" and "items" not in schema:
        yield required(f"{path}.items", "must be specified")
    for name, inner in (schema.get("properties") or {}).items():
        yield from _typed(inner, f"{path}.properties[{name}]", "must not be empty for specified object fields")
    if isinstance(schema.get("items"), dict):
        yield from _typed(schema["items"], f"{path}.items", "must not be empty for specified array items")
    if isinstance(schema.get("additionalProperties"), dict):
        extra = schema["additionalProperties"]
        yield from _typed(extra, f"{path}.additionalProperties", "must not be empty for specified object fields")
    if schema.get("x-kubernetes-validations"):
        yield from _rule_errors(schema, f"{path}.x-kubernetes-validations")


def _rule_errors(schema: JsonObject, path: str) -> Iterator[FieldError]:
    """Rules that are no CEL. Source: pkg/apis/apiextensions/validation/cel_validation.go"""
    from lifepod.api.structural_rules import unreadable_rules  # only where there is a rule

    for index, problem in unreadable_rules(schema):
        rule = schema["x-kubernetes-validations"][index].get("rule") or ""
        yield invalid(f"{path}[{index}].rule", rule, problem)


def _typed(schema: JsonObject, path: str, text: str) -> Iterator[FieldError]:
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not free:
        yield required(f"{path}.type", text)
    yield from _structural_errors(schema, path)
