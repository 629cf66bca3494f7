"""Objects by which the server tells of itself: an APIService for each group version, the range of Service addresses.

Their uids follow from their names, not from the cluster's source of names: what is told here must not change the names of pods
in a scenario that says a seed.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from lifepod.api.apiregistration import AUTOMANAGED, KINDS, RESOURCE, local_service
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.apiserver.options import WriteOptions

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_ADDRESSES: Final = "servicecidrs.networking.k8s.io"


def register_builtin(api: Api, options: WriteOptions) -> None:
    """What is missing of the built-in group versions, and the addresses. The registration's own group has no APIService."""
    served = dict.fromkeys((kind.group, kind.version) for kind in api.kinds if not kind.is_custom)
    now = format_time(options.now)
    for group, version in served:
        if group != KINDS[0].group:
            _ensure(api, RESOURCE, local_service(group, version, now, is_custom=False), options)
    addresses = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [api.settings.service_cidr]}}
    _ensure(api, _ADDRESSES, addresses, options)


def register_custom(api: Api, group: str, options: WriteOptions) -> None:
    """One APIService for each version of the group that definitions serve, and none for one that they no longer do.

    Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/controller/crdregistration/crdregistration_controller.go
    """
    served = {f"{kind.version}.{group}": kind.version for kind in api.kinds if kind.group == group and kind.is_custom}
    for version in served.values():
        _ensure(api, RESOURCE, local_service(group, version, format_time(options.now), is_custom=True), options)
    for record in api.store.list(RESOURCE).records:
        found = api.store.decoded(record)
        labels = found["metadata"].get("labels") or {}
        is_ours = dig(found, "spec", "group") == group and labels.get(AUTOMANAGED) == "true"
        if is_ours and record.name not in served:
            api.store.delete(RESOURCE, "", record.name, options.now)


def _ensure(api: Api, resource: str, obj: JsonObject, options: WriteOptions) -> None:
    try:
        kind = api.kinds.of(resource)
    except KeyError:
        return
    name: str = obj["metadata"]["name"]
    if api.store.record(resource, "", name) is not None:
        return
    metadata = {**obj["metadata"], "uid": _uid(f"{resource}/{name}"), "creationTimestamp": format_time(options.now)}
    head = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    api.store.create(resource, {**obj, **head}, options.now)


def _uid(text: str) -> str:
    digits = sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
