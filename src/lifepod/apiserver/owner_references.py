"""An object names each of its owners once.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/rest.go: dedupOwnerReferencesAndAddWarning
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.objects import JsonObject

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_WARNING = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such "
    "requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}"
)


def with_single_owners(api: Api, obj: JsonObject) -> JsonObject:
    """The object without the owner references that stand in it twice; its writer is warned of them."""
    references: list[JsonObject] = (obj.get("metadata") or {}).get("ownerReferences") or []
    if len(references) < 2:
        return obj
    single = [each for at, each in enumerate(references) if each not in references[:at]]
    if len(single) == len(references):
        return obj
    repeated = [each.get("uid", "") for at, each in enumerate(references) if each in references[:at]]
    api.warn(_WARNING.format(", ".join(repeated)))
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": single}}
