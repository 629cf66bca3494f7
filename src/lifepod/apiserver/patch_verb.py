"""Where a patched object goes: the main resource or a subresource, each with its own rules of update."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.writes import PatchType
from lifepod.apiserver.apply import apply
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.patch import patch
from lifepod.apiserver.scale import patch_scale
from lifepod.apiserver.subresources import replace_subresource
from lifepod.apiserver.update import update

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def patch_resource(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    change: bytes | JsonValue,
    patch_type: PatchType,
    options: WriteOptions,
    subresource: str,
) -> tuple[JsonObject, bool]:
    """PATCH an object or one of its subresources; returns it and whether it was created (by apply)."""
    if patch_type == "apply":
        return apply(api, kind, namespace, name, change, options, subresource)
    if subresource == "scale":
        return patch_scale(api, kind, namespace, name, change, patch_type, options), False
    if subresource:
        return (
            patch(
                api,
                kind,
                namespace,
                name,
                change,
                patch_type,
                options,
                lambda obj: replace_subresource(api, kind, namespace, name, obj, subresource, options),
            ),
            False,
        )
    made = patch(
        api,
        kind,
        namespace,
        name,
        change,
        patch_type,
        options,
        lambda obj: update(api, kind, namespace, name, obj, options)[0],
    )
    return made, False
