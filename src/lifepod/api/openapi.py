"""The OpenAPI v3 documents of one group version each, and their index: what `kubectl create`, `apply`, `edit`, `explain` ask for.

kubectl wants two things of a document: that the writing operations of a kind take `fieldValidation` (else it validates by itself),
and the `x-kubernetes-*` extensions of the schemas (patch merge keys, list types, group-version-kinds). Both are made here
from the schema table; custom resources' schemas are embedded as their CRD gives them. Pure: the caller caches and hashes.

Source: k8s.io/kube-openapi pkg/handler3; kubectl v1.34 pkg/util/openapi, pkg/explain/v2/templates/plaintext.tmpl
"""

from __future__ import annotations

import zlib
from binascii import a2b_base64
from collections.abc import Iterable, Mapping

import orjson

from lifepod.api.kinds import Kind, Subresource
from lifepod.api.objects import JsonObject
from lifepod.api.schema import OBJECT_META, Field, Type, kinds_of, type_named

_REF = "#/components/schemas/"
_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"

_SCALARS: dict[str, JsonObject] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "number": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "int-or-string": {"type": "string", "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "time": {"type": "string", "format": "date-time"},
    "micro-time": {"type": "string", "format": "date-time"},
    "any": {"type": "object"},
}


def document(group: str, version: str, kinds: Iterable[Kind]) -> JsonObject:
    """The OpenAPI v3 document of one group version and the kinds it serves.

    Some 20 ms for core/v1: make it when it is first asked for and keep it.
    """
    kinds = list(kinds)
    crd_schemas = {kind.kind: kind.custom_schema for kind in kinds if kind.custom_schema is not None}
    schemas: JsonObject = {}
    paths: JsonObject = {}
    wanted = [_DELETE_OPTIONS, _STATUS, _LIST_META]
    for kind in kinds:
        name = _schema_name(kind, crd_schemas)
        if kind.kind in crd_schemas:
            schemas[name] = _crd_schema(kind, crd_schemas[kind.kind])
            wanted.append(OBJECT_META)
        else:
            wanted.append(kind.schema)
        if "list" in kind.verbs:
            schemas[f"{name}List"] = _list_schema(kind, name)
        paths.update(_paths(kind, name))
    schemas.update(_components(wanted))
    title = {"title": "Kubernetes", "version": "v1.34"}
    return {"openapi": "3.0.0", "info": title, "paths": paths, "components": {"schemas": dict(sorted(schemas.items()))}}


def index(hashes: Mapping[str, str]) -> JsonObject:
    """The answer at `/openapi/v3`: `hashes` maps `api/v1`, `apis/batch/v1` to a hash of their document's content.

    >>> index({"api/v1": "AB"})
    {'paths': {'api/v1': {'serverRelativeURL': '/openapi/v3/api/v1?hash=AB'}}}
    """
    return {
        "paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"} for path, digest in hashes.items()}
    }


def path_of(group: str, version: str) -> str:
    """Where a group version's document lies below `/openapi/v3/`: `api/v1`, `apis/batch/v1`."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


# --- schemas --------------------------------------------------------------------------------------------------------


def _schema_name(kind: Kind, crd_schemas: Mapping[str, JsonObject]) -> str:
    if kind.kind not in crd_schemas:
        return kind.schema
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def _components(wanted: list[str]) -> JsonObject:
    """The schemas of the wanted types and of all they refer to."""
    told = _descriptions()
    made: JsonObject = {}
    while wanted:
        name = wanted.pop()
        if name in made:
            continue
        made[name] = _object_schema(type_named(name), told.get(name, ["", {}]), wanted)
    return made


def _descriptions() -> JsonObject:
    from lifepod.api.schema_descriptions import PACKED

    told: JsonObject = orjson.loads(zlib.decompress(a2b_base64(PACKED)))
    return told


def _object_schema(type_: Type, told: list[JsonObject], wanted: list[str]) -> JsonObject:
    """One component; types it refers to are added to `wanted`."""
    text, field_texts = told
    made: JsonObject = {"description": text} if text else {}
    made["type"] = "object"
    if type_.fields:
        made["properties"] = {
            name: _field_schema(field, field_texts.get(name, ""), wanted) for name, field in type_.fields.items()
        }
    if required := [name for name, field in type_.fields.items() if field.required]:
        made["required"] = required
    if type_.atomic:
        made["x-kubernetes-map-type"] = "atomic"
    if kinds := kinds_of(type_.name):
        made["x-kubernetes-group-version-kind"] = [
            {"group": g, "version": v, "kind": k} for g, v, k in kinds if g != "*"
        ]
    return made


def _field_schema(field: Field, text: str, wanted: list[str]) -> JsonObject:
    made = dict(_type_schema(field.type, wanted))
    if "$ref" in made and (text or field.patch_strategy):
        made = {"allOf": [made]}
    if text:
        made["description"] = text
    if field.default is not None:
        made["default"] = field.default
    if field.type.kind == "object" and field.type.atomic and not type_named(field.type.name).atomic:
        made["x-kubernetes-map-type"] = "atomic"
    if field.patch_strategy:
        made["x-kubernetes-patch-strategy"] = field.patch_strategy
    if field.patch_merge_key:
        made["x-kubernetes-patch-merge-key"] = field.patch_merge_key
    return made


def _type_schema(type_: Type, wanted: list[str]) -> JsonObject:
    match type_.kind:
        case "object":
            wanted.append(type_.name)
            return {"$ref": _REF + type_.name}
        case "array" if type_.item is not None:
            made: JsonObject = {
                "type": "array",
                "items": _type_schema(type_.item, wanted),
                "x-kubernetes-list-type": type_.list_type,
            }
            if type_.list_keys:
                made["x-kubernetes-list-map-keys"] = list(type_.list_keys)
            return made
        case "map" if type_.item is not None:
            made = {"type": "object", "additionalProperties": _type_schema(type_.item, wanted)}
            return {**made, "x-kubernetes-map-type": "atomic"} if type_.atomic else made
        case scalar:
            return _SCALARS[scalar]


def _gvk(kind: Kind, name: str = "") -> JsonObject:
    return {"group": kind.group, "version": kind.version, "kind": name or kind.kind}


def _list_schema(kind: Kind, name: str) -> JsonObject:
    return {
        "type": "object",
        "description": f"{kind.kind}List is a list of {kind.kind}.",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": _REF + name}},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": _REF + _LIST_META}]},
        },
        "x-kubernetes-group-version-kind": [_gvk(kind, f"{kind.kind}List")],
    }


def _crd_schema(kind: Kind, schema: JsonObject) -> JsonObject:
    """A custom resource's schema with what every resource has."""
    always = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"allOf": [{"$ref": _REF + OBJECT_META}]},
    }
    properties = {**(schema.get("properties") or {}), **always}
    return {**schema, "type": "object", "properties": properties, "x-kubernetes-group-version-kind": [_gvk(kind)]}


# --- paths ----------------------------------------------------------------------------------------------------------


def _paths(kind: Kind, name: str) -> JsonObject:
    """The paths of one kind: collection, object and its subresources; across namespaces too."""
    root = f"/{path_of(kind.group, kind.version)}"
    below = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    made: JsonObject = {}
    scope = [_path_parameter("namespace")] if kind.namespaced else []
    many = _operations(
        kind,
        name,
        {"list": ("get", "list"), "create": ("post", "post"), "deletecollection": ("delete", "deletecollection")},
    )
    if many:
        made[below] = {**many, "parameters": scope} if scope else many
    if kind.namespaced and "list" in kind.verbs:
        made[f"{root}/{kind.plural}"] = _operations(kind, name, {"list": ("get", "list")})
    one_of = {
        "get": ("get", "get"),
        "update": ("put", "put"),
        "patch": ("patch", "patch"),
        "delete": ("delete", "delete"),
    }
    if one := _operations(kind, name, one_of):
        made[f"{below}/{{name}}"] = {**one, "parameters": [_path_parameter("name"), *scope]}
    for subresource in kind.subresources:
        operations = _subresource_operations(kind, subresource, name)
        made[f"{below}/{{name}}/{subresource.name}"] = {**operations, "parameters": [_path_parameter("name"), *scope]}
    return made


def _operations(kind: Kind, name: str, verbs: dict[str, tuple[str, str]]) -> JsonObject:
    return {
        method: _operation(kind, method, action, name if action != "list" else f"{name}List", _gvk(kind))
        for verb, (method, action) in verbs.items()
        if verb in kind.verbs
    }


def _subresource_operations(kind: Kind, subresource: Subresource, name: str) -> JsonObject:
    methods = {"get": "get", "update": "put", "patch": "patch", "create": "post", "delete": "delete"}
    gvk = {
        "group": subresource.group or kind.group,
        "version": subresource.version or kind.version,
        "kind": subresource.kind or kind.kind,
    }
    own = name if subresource.kind == kind.kind else ""
    return {
        methods[verb]: _operation(kind, methods[verb], methods[verb], own, gvk)
        for verb in subresource.verbs
        if verb in methods
    }


def _operation(kind: Kind, method: str, action: str, schema: str, gvk: JsonObject) -> JsonObject:
    """One operation; the writing ones take dryRun, fieldManager and fieldValidation.

    `kubectl apply` sends a strategic patch where the document says so; custom resources have no merge keys and take none.

    Source: kubectl v1.34 pkg/cmd/apply/patcher.go: gvkSupportsPatchOpenAPIV3
    """
    content = {"application/json": {"schema": {"$ref": _REF + schema}}} if schema and method != "delete" else {}
    made: JsonObject = {
        "responses": {"200": {"description": "OK", "content": content} if content else {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk,
    }
    if method in ("post", "put", "patch"):
        made["parameters"] = _WRITE_PARAMETERS + (_FORCE if method == "patch" else [])
    if method == "patch":
        patches = _PATCHES if kind.is_custom else (*_PATCHES, _STRATEGIC)
        made["requestBody"] = {
            "content": {patch: {"schema": {"type": "object"}} for patch in patches},
            "required": True,
        }
    elif content and method in ("post", "put"):
        made["requestBody"] = {"content": {"*/*": content["application/json"]}, "required": True}
    return made


def _query(name: str, description: str, type_: str = "string") -> JsonObject:
    return {"name": name, "in": "query", "description": description, "schema": {"type": type_, "uniqueItems": True}}


def _path_parameter(name: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


_WRITE_PARAMETERS = [
    _query("dryRun", "When present, nothing is persisted. The only value is All."),
    _query("fieldManager", "The name of the actor that makes these changes."),
    _query("fieldValidation", "What to do with unknown and duplicate fields: Ignore, Warn or Strict."),
]
_FORCE = [_query("force", "Take over fields that others own; for apply requests only.", "boolean")]
