"""DELETE of a collection: everything that the selectors match, one by one.

Source: k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: DeleteCollection
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.delete import delete_stored
from lifepod.apiserver.list import list_page
from lifepod.apiserver.options import DeleteOptions, ListOptions, WriteOptions

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def delete_collection(
    api: Api, kind: Kind, which: ListOptions, wanted: DeleteOptions, options: WriteOptions
) -> JsonObject:
    """Delete the matching objects; returns the list of them as they were found."""
    page = list_page(api, kind, which)
    storage = page.storage
    for record in page.records:
        obj = api.store.get(storage.resource, record.namespace, record.name)
        if obj is not None:
            delete_stored(api, storage, obj, wanted, options)
    head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": page.metadata}
    return {**head, "items": page.objects(api)}
