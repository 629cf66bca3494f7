"""PATCH of the type apply: a configuration merged into the object by `api/apply.py`, which then goes the way of a PUT or POST.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/patch.go: applyPatcher
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.apply import ApplyConflict, server_side_apply
from lifepod.api.decode import DecodeError, JsonSyntaxError, duplicate_fields, parse_json, prune
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue, format_time
from lifepod.api.patch_errors import PatchError, json_word
from lifepod.api.yaml_text import Repeated, YamlError, read_documents
from lifepod.apiserver.create import create_in_place
from lifepod.apiserver.http_errors import bad_request, refusal
from lifepod.apiserver.metadata import with_names
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.patch import patch_refused
from lifepod.apiserver.scale import SCALE, as_workload, get_scale, update_scale
from lifepod.apiserver.status_errors import conflict, not_found
from lifepod.apiserver.subresources import replace_subresource
from lifepod.apiserver.update import update

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def apply(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    change: bytes | JsonValue,
    options: WriteOptions,
    subresource: str,
) -> tuple[JsonObject, bool]:
    """Apply a configuration; returns the object and whether it was created. Raises 400, 409, 422, 500."""
    patch, complaint = _configuration(change)
    if subresource == "scale":
        return _apply_scale(api, kind, namespace, name, patch, options), False
    stored = api.store.get(kind.stored_as, namespace, name)
    if stored is None and subresource:
        raise not_found(kind, name)
    live = kind.from_storage(stored) if stored is not None else None
    made = _merged(api, kind, live, _named(kind, namespace, name, patch), options, subresource)
    _complain(api, complaint, options)
    options = options._replace(applied=True)
    if live is None:
        if uid := made["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(kind, name, why)
        return create_in_place(api, kind, namespace, name, made, options), True
    if subresource:
        return replace_subresource(api, kind, namespace, name, made, subresource, options), False
    return update(api, kind, namespace, name, made, options)[0], False


def _configuration(change: bytes | JsonValue) -> tuple[JsonObject, str]:
    """The patch as an object, and what strict reading complains of; it is YAML, of which JSON is a part. Raises 400.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/patch.go: applyPatcher.applyPatchToCurrentObject
            sigs.k8s.io/yaml v1.6.0 yaml.go: Unmarshal, UnmarshalStrict
    """
    parsed, complaint = _parsed(change) if isinstance(change, bytes) else (change, "")
    if parsed is None:
        parsed = {}  # as Go reads null into a map
    if not isinstance(parsed, dict):
        into = f"json: cannot unmarshal {json_word(parsed)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {into}")
    return parsed, complaint


def _parsed(change: bytes) -> tuple[JsonValue, str]:
    try:
        parsed = parse_json(change)
        if not duplicate_fields(change, parsed):
            return parsed, ""
    except JsonSyntaxError:
        pass
    repeated: list[Repeated] = []
    try:
        documents = read_documents(change, repeated)
    except YamlError as exc:
        told = f"yaml: line {exc.line}: {exc.message}"
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {told}") from None
    lines = [f'\n  line {key.line}: key "{key.name}" already set in map' for key in repeated]
    complaint = f"error converting YAML to JSON: yaml: unmarshal errors:{''.join(lines)}" if lines else ""
    return documents[0].value if documents else None, complaint


def _complain(api: Api, complaint: str, options: WriteOptions) -> None:
    if complaint and options.field_validation == "Strict":
        raise bad_request(f"error strict decoding YAML: {complaint}")
    if complaint and options.field_validation == "Warn":
        api.warn(complaint)


def _named(kind: Kind, namespace: str, name: str, patch: JsonObject) -> JsonObject:
    """The configuration with the name and namespace of the URL, which its own must not contradict."""
    if not isinstance(patch.get("metadata", {}), dict):
        raise bad_request("error decoding YAML: metadata is not an object")
    named = with_names(kind, namespace, name, {**patch, "metadata": patch.get("metadata") or {}})
    return {**patch, "metadata": named["metadata"]}


def _merged(
    api: Api, kind: Kind, live: JsonObject | None, patch: JsonObject, options: WriteOptions, subresource: str
) -> JsonObject:
    type_ = api.type_of(kind)
    try:
        made = server_side_apply(
            live,
            patch,
            type_,
            manager=options.field_manager,
            api_version=kind.api_version,
            kind=kind.kind,
            time=format_time(options.now),
            force=options.force,
            subresource=subresource,
        )
        return prune(made, type_).obj
    except ApplyConflict as exc:
        raise refusal(409, "Conflict", str(exc), {"causes": exc.causes}) from None
    except PatchError as exc:
        raise patch_refused(exc) from None
    except DecodeError as exc:
        raise refusal(500, "", f"failed to convert new object to proper version: {exc}") from None


def _apply_scale(
    api: Api, kind: Kind, namespace: str, name: str, patch: JsonObject, options: WriteOptions
) -> JsonObject:
    live = get_scale(api, kind, namespace, name)
    made = _merged(api, SCALE, live, patch, options._replace(force=True), "")  # a scale has no owners of its own
    workload = kind.from_storage(api.store.get(kind.stored_as, namespace, name) or {})
    owned = _merged(api, kind, workload, as_workload(api, kind, patch), options, "scale")
    owners = owned["metadata"].get("managedFields") or []
    return update_scale(api, kind, namespace, name, made, options._replace(applied=True), owners)
