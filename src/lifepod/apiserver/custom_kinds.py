"""CustomResourceDefinitions served: each of their versions becomes a `Kind` of the registry, at once.

The registry is derived from the stored definitions, so restoring a store and calling `serve_all` brings it back.
Differs: names are accepted and served within the write itself; upstream takes about a second.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/controller/{status,establish}; pkg/apiserver/customresource_handler.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind, Subresource
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.api.schema import type_of_crd_schema
from lifepod.apiserver.options import WriteOptions

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_ANYTHING: JsonObject = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def serve(api: Api, definition: JsonObject, options: WriteOptions) -> None:
    """Serve a definition's versions and say so in its status."""
    _register(api, definition)
    status = _status(definition, format_time(options.now))
    if status != definition.get("status"):
        api.store.update(DEFINITIONS, {**definition, "status": status}, options.now)


def serve_all(api: Api) -> None:
    """Serve every stored definition, after a start or a restore."""
    for record in api.store.list(DEFINITIONS).records:
        _register(api, api.store.decoded(record))


def withdraw(api: Api, definition: JsonObject, options: WriteOptions) -> None:
    """Serve a definition no longer; its objects go with it."""
    resource = _resource(definition)
    for record in api.store.list(resource).records:
        api.store.delete(resource, record.namespace, record.name, options.now)
    for kind in [kind for kind in api.kinds if kind.resource == resource]:
        api.kinds.remove(kind)
        api.types.pop(kind.schema, None)


def _resource(definition: JsonObject) -> str:
    spec = definition["spec"]
    return f"{spec['names']['plural']}.{spec['group']}"


def _register(api: Api, definition: JsonObject) -> None:
    resource = _resource(definition)
    for kind in [kind for kind in api.kinds if kind.resource == resource]:
        api.kinds.remove(kind)
    versions = definition["spec"].get("versions") or []
    for version in sorted(versions, key=lambda v: not v.get("storage")):
        if version.get("served"):
            kind = _kind(definition, version)
            schema = dig(version, "schema", "openAPIV3Schema") or _ANYTHING
            api.types[kind.schema] = type_of_crd_schema(schema, kind.kind)
            api.kinds.add(kind)


def _kind(definition: JsonObject, version: JsonObject) -> Kind:
    spec: JsonObject = definition["spec"]
    names: JsonObject = spec["names"]
    wanted = version.get("subresources") or {}
    subresources: list[Subresource] = []
    if "status" in wanted:
        subresources.append(Subresource("status", names["kind"], ("get", "patch", "update")))
    if "scale" in wanted:
        subresources.append(Subresource("scale", "Scale", ("get", "patch", "update"), "autoscaling", "v1"))
    fields = version.get("selectableFields") or []
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=spec.get("scope") == "Namespaced",
        schema=f"{spec['group']}.{version['name']}.{names['kind']}",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(subresources),
        has_generation=True,
        has_status="status" in wanted,
        unconditional_update=False,
        fields={f["jsonPath"].lstrip("."): tuple(f["jsonPath"].lstrip(".").split(".")) for f in fields},
    )


def _status(definition: JsonObject, now: str) -> JsonObject:
    spec: JsonObject = definition["spec"]
    old: JsonObject = definition.get("status") or {}
    storage = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
    texts = [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
    have = {condition["type"] for condition in old.get("conditions") or ()}
    added = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
        for kind, reason, message in texts
        if kind not in have
    ]
    stored = [*(old.get("storedVersions") or [])]
    return {
        **old,
        "conditions": [*(old.get("conditions") or []), *added],
        "acceptedNames": spec["names"],
        "storedVersions": [*stored, *(name for name in storage if name not in stored)],
    }
