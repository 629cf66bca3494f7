"""Where the Service `kubernetes` leads: this server, as Endpoints and EndpointSlice that no controller keeps.

Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/reconcilers/lease.go: doReconcile; endpointsadapter.go: endpointSliceFromEndpoints
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_HERE = {"name": "kubernetes", "namespace": "default"}
_ALL_ADDRESSES = ("0.0.0.0", "::")


def publish_address(api: Api, host: str, port: int, now: datetime) -> None:
    """Say that the server listens there; whatever was said before (by an earlier start) is replaced."""
    address = "127.0.0.1" if host in _ALL_ADDRESSES else host
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    family = f"IPv{ip_address(address).version}"
    slice_labels = {"kubernetes.io/service-name": "kubernetes"}
    endpoint = {"addresses": [address], "conditions": {"ready": True}}
    _put(
        api,
        "endpoints",
        {
            "metadata": {**_HERE, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
        },
        now,
    )
    _put(
        api,
        "endpointslices.discovery.k8s.io",
        {"metadata": {**_HERE, "labels": slice_labels}, "addressType": family, "endpoints": [endpoint], "ports": ports},
        now,
    )


def _put(api: Api, resource: str, obj: JsonObject, now: datetime) -> None:
    is_new = api.store.record(resource, "default", "kubernetes") is None
    create, update = (
        Write("create", resource, "default", "", obj),
        Write("update", resource, "default", "kubernetes", obj),
    )
    api.carry_out(create if is_new else update, now)
