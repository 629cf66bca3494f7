"""CustomResourceDefinitions served: each of their versions becomes a `Kind` of the registry, at once.

The registry is derived from the stored definitions, so restoring a store and calling `serve_all` brings it back.
Differs: names are accepted and served within the write itself; upstream takes about a second.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/controller/{status,establish}; pkg/apiserver/customresource_handler.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.custom_deprecation import deprecation_of
from lifepod.api.custom_resource import as_version, custom_resource_rules, finalizer_warnings, unread_rules_of
from lifepod.api.kinds import Kind, Subresource
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.api.schema import type_of_crd_schema
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.registrations import register_custom

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_ANYTHING: JsonObject = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def serve(api: Api, definition: JsonObject, options: WriteOptions) -> None:
    """Serve a definition's versions and say so in its status; names that another definition has are not accepted."""
    conflicts = _conflicts(api, definition)
    if not conflicts:
        _register(api, definition)
    status = _status(definition, format_time(options.now), conflicts)
    if status != definition.get("status"):
        api.store.update(DEFINITIONS, {**definition, "status": status}, options.now)
    register_custom(api, definition["spec"]["group"], options)
    for rule in unread_rules_of(definition):
        api.warn(f"x-kubernetes-validations: not checked by lifepod: {rule}")


def serve_all(api: Api) -> None:
    """Serve every stored definition, after a start or a restore."""
    for record in api.store.list(DEFINITIONS).records:
        definition = api.store.decoded(record)
        if not _conflicts(api, definition):
            _register(api, definition)


def _conflicts(api: Api, definition: JsonObject) -> str:
    """What another definition of the same group has already taken; "" for nothing.

    Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/controller/status/naming_controller.go: calculateNamesAndConditions
    """
    spec: JsonObject = definition["spec"]
    own = _resource(definition)
    wanted: JsonObject = spec["names"]
    for kind in api.kinds:
        if kind.group != spec["group"] or kind.resource == own:
            continue
        taken = {kind.plural, kind.singular, *kind.short_names}
        for name in (wanted["plural"], wanted.get("singular"), *(wanted.get("shortNames") or ())):
            if name and name in taken:
                return f'"{name}" is already in use'
        if kind.kind == wanted["kind"] or f"{kind.kind}List" == wanted.get("listKind"):
            return f'"{wanted["kind"]}" is already in use'
    return ""


def withdraw(api: Api, definition: JsonObject, options: WriteOptions) -> None:
    """Serve a definition no longer; its objects go with it."""
    resource = _resource(definition)
    for record in api.store.list(resource).records:
        api.store.delete(resource, record.namespace, record.name, options.now)
    for kind in [kind for kind in api.kinds if kind.resource == resource]:
        api.kinds.remove(kind)
        api.types.pop(kind.schema, None)
        api.custom_scales.pop(kind.schema, None)
    register_custom(api, definition["spec"]["group"], options)


def _resource(definition: JsonObject) -> str:
    spec = definition["spec"]
    return f"{spec['names']['plural']}.{spec['group']}"


def _register(api: Api, definition: JsonObject) -> None:
    resource = _resource(definition)
    for kind in [kind for kind in api.kinds if kind.resource == resource]:
        api.kinds.remove(kind)
    versions = [v for v in definition["spec"].get("versions") or () if v.get("served")]
    stored = next((v["name"] for v in definition["spec"]["versions"] if v.get("storage")), "")
    for version in sorted(versions, key=lambda v: v["name"] != stored):
        schema = dig(version, "schema", "openAPIV3Schema") or _ANYTHING
        kind = _kind(definition, version, schema)
        if version["name"] != stored and any(v["name"] == stored for v in versions):
            group = definition["spec"]["group"]
            to, of = as_version(f"{group}/{stored}"), as_version(kind.api_version)
            kind = kind._replace(storage=resource, to_storage=to, from_storage=of)
        api.types[kind.schema] = type_of_crd_schema(schema, kind.kind)
        scale = dig(version, "subresources", "scale")
        if scale:
            api.custom_scales[kind.schema] = _scale_paths(scale)
        api.kinds.add(kind)


def _scale_paths(scale: JsonObject) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    def path(member: str) -> tuple[str, ...]:
        text = str(scale.get(member) or "").lstrip(".")
        return tuple(text.split(".")) if text else ()

    return path("specReplicasPath"), path("statusReplicasPath"), path("labelSelectorPath")


def _kind(definition: JsonObject, version: JsonObject, schema: JsonObject) -> Kind:
    spec: JsonObject = definition["spec"]
    names: JsonObject = spec["names"]
    wanted = version.get("subresources") or {}
    namespaced = spec.get("scope") == "Namespaced"
    subresources: list[Subresource] = []
    if "status" in wanted:
        subresources.append(Subresource("status", names["kind"], ("get", "patch", "update")))
    if "scale" in wanted:
        subresources.append(Subresource("scale", "Scale", ("get", "patch", "update"), "autoscaling", "v1"))
    fields = version.get("selectableFields") or []
    rules = custom_resource_rules(schema, namespaced=namespaced, has_status="status" in wanted)
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=namespaced,
        schema=f"{spec['group']}.{version['name']}.{names['kind']}",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(subresources),
        has_generation=True,
        has_status="status" in wanted,
        unconditional_update=False,
        default=rules.default,
        prepare_create=rules.prepare_create,
        validate=rules.validate,
        validate_update=rules.validate_update,
        warnings=finalizer_warnings,
        fields={f["jsonPath"].lstrip("."): tuple(f["jsonPath"].lstrip(".").split(".")) for f in fields},
        is_custom=True,
        custom_schema=schema,
        deprecation=deprecation_of(spec, version),
        printer_columns=tuple(version.get("additionalPrinterColumns") or ()),
    )


def _status(definition: JsonObject, now: str, conflict: str) -> JsonObject:
    """The status with its two conditions, the names in use and the versions ever stored."""
    spec: JsonObject = definition["spec"]
    old: JsonObject = definition.get("status") or {}
    storage = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
    if conflict:
        wanted = [
            ("NamesAccepted", "False", "NameConflict", conflict),
            ("Established", "False", "NotAccepted", "not all names are accepted"),
        ]
    else:
        wanted = [
            ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
        ]
    held = {condition["type"]: condition for condition in old.get("conditions") or ()}
    for type_, status, reason, message in wanted:
        if held.get(type_, {}).get("status") != status:
            held[type_] = {
                "type": type_,
                "status": status,
                "lastTransitionTime": now,
                "reason": reason,
                "message": message,
            }
    stored = [*(old.get("storedVersions") or [])]
    return {
        **old,
        "conditions": list(held.values()),
        "acceptedNames": (old.get("acceptedNames") or {"plural": "", "kind": ""}) if conflict else spec["names"],
        "storedVersions": [*stored, *(name for name in storage if name not in stored)],
    }
