"""The defaults of a custom resource: what its definition's schema says stands where nothing was written.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/schema/defaulting/algorithm.go: Default, PruneNonNullableNullsWithoutDefaults
"""

from __future__ import annotations

from typing import TypeAlias

from lifepod.api.objects import JsonObject, JsonValue

_ROOT_ONLY = ("apiVersion", "kind", "metadata")
Schema: TypeAlias = JsonObject


def has_defaults(schema: Schema) -> bool:
    """Whether there is a default anywhere in the schema."""
    if "default" in schema:
        return True
    inner = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(has_defaults(each) for each in inner if isinstance(each, dict))


def defaulted_root(obj: JsonObject, schema: Schema) -> JsonObject:
    """A whole custom resource with its defaults; apiVersion, kind and metadata are not the schema's."""
    properties = {k: v for k, v in (schema.get("properties") or {}).items() if k not in _ROOT_ONLY}
    found = defaulted(obj, {**schema, "properties": properties})
    return found if isinstance(found, dict) else obj


def defaulted(value: JsonValue, schema: Schema) -> JsonValue:
    """The value with what the schema adds; the same value when nothing is added.

    A null where nulls are not allowed counts as not written when there is a default.
    """
    if isinstance(value, dict):
        return _object(value, schema)
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        made = [defaulted(each, items) for each in value]
        return made if any(a is not b for a, b in zip(made, value, strict=True)) else value
    return value


def _object(value: JsonObject, schema: Schema) -> JsonObject:
    made = dict(value)
    changed = False
    properties: JsonObject = schema.get("properties") or {}
    for name, inner in properties.items():
        if "default" in inner and (name not in made or (made[name] is None and not inner.get("nullable"))):
            made[name] = defaulted(inner["default"], inner)
            changed = True
        elif name in made:
            if made[name] is None and not inner.get("nullable"):
                del made[name]
                changed = True
                continue
            found = defaulted(made[name], inner)
            changed = changed or found is not made[name]
            made[name] = found
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        for name in [name for name in made if name not in properties]:
            found = defaulted(made[name], extra)
            changed = changed or found is not made[name]
            made[name] = found
    return made if changed else value
