"""GET of one object.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/get.go: GetResource
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.list import parse_revision
from lifepod.apiserver.status_errors import not_found, too_large_revision

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def get(api: Api, kind: Kind, namespace: str, name: str, resource_version: str = "") -> JsonObject:
    """The object in the version of `kind`. Raises 404; 504 for a revision never reached."""
    if resource_version:
        _check_reached(api, resource_version)
    obj = api.store.get(kind.stored_as, namespace, name)
    if obj is None:
        raise not_found(kind, name)
    return kind.from_storage(obj)


def get_encoded(api: Api, kind: Kind, namespace: str, name: str, resource_version: str = "") -> bytes:
    """The object as JSON text, without decoding it where it is kept in the version asked for."""
    if resource_version:
        _check_reached(api, resource_version)
    encoded = api.store.get_encoded(kind.stored_as, namespace, name)
    if encoded is None:
        raise not_found(kind, name)
    if api.storage_kind(kind) is kind:
        return encoded
    return orjson.dumps(kind.from_storage(orjson.loads(encoded)))


def _check_reached(api: Api, resource_version: str) -> None:
    wanted = parse_revision(resource_version)
    if wanted > api.store.revision:
        raise too_large_revision(wanted, api.store.revision)
