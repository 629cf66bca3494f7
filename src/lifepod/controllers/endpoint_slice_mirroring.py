"""Endpoints that users write for Services without a selector are mirrored as EndpointSlices, which is what proxies and DNS read.

Key: (namespace, name) of the Endpoints, which is the Service's.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/endpointslicemirroring/reconciler.go, utils.go
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import (
    annotations_of,
    controller_reference,
    key_of,
    labels_of,
    name_of,
    namespace_of,
)
from lifepod.controllers.view import Key

RESOURCE = "endpointslices.discovery.k8s.io"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslicemirroring-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MOST_ADDRESSES = 1000


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        name = labels_of(change.obj).get(SERVICE_NAME)
        mirrored = labels_of(change.obj).get(MANAGED_BY) == MANAGER
        return ((namespace_of(change.obj), name),) if mirrored and name else ()
    return (key_of(change.obj),)


def reconcile(look: Look) -> Outcome:
    """One slice for each subset and address family, rewritten where it differs."""
    namespace, name = look.key
    have = list(look.view.labelled(RESOURCE, namespace, {SERVICE_NAME: name, MANAGED_BY: MANAGER}))
    service, endpoints = look.view.get("services", namespace, name), look.view.get("endpoints", namespace, name)
    wanted: list[JsonObject] = []
    if (
        service is not None
        and not service["spec"].get("selector")
        and endpoints is not None
        and _is_mirrored(endpoints)
    ):
        wanted = [slice_ for subset in endpoints.get("subsets") or () for slice_ in _slices(subset)]
    wishes: list[Wish] = []
    for content in wanted:
        same = next((s for s in have if s.get("addressType") == content["addressType"]), None)
        if same is None:
            assert endpoints is not None
            wishes.append(_creation(endpoints, content, f"{name}-{look.ids.suffix()}"))
            continue
        have.remove(same)
        if any(same.get(member) != content[member] for member in content):
            wishes.append(Wish(Write("update", RESOURCE, namespace, name_of(same), {**same, **content})))
    wishes += [Wish(Write("delete", RESOURCE, namespace, name_of(s), {})) for s in have]
    return Outcome((tuple(wishes),)) if wishes else NOTHING


def _is_mirrored(endpoints: JsonObject) -> bool:
    return labels_of(endpoints).get(SKIP) != "true" and LEADER not in annotations_of(endpoints)


def _slices(subset: JsonObject) -> Iterable[JsonObject]:
    ports = [
        {"name": p.get("name") or "", "port": p["port"], "protocol": p.get("protocol") or "TCP"}
        for p in subset.get("ports") or ()
    ]
    rows = [(a, True) for a in subset.get("addresses") or ()] + [
        (a, False) for a in subset.get("notReadyAddresses") or ()
    ]
    for family, marked in (("IPv4", False), ("IPv6", True)):
        found = [_endpoint(a, ready) for a, ready in rows[:MOST_ADDRESSES] if (":" in a["ip"]) is marked]
        if found:
            yield {"addressType": family, "endpoints": found, "ports": ports}


def _endpoint(address: JsonObject, ready: bool) -> JsonObject:
    found: JsonObject = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    return found | {m: address[m] for m in ("hostname", "nodeName", "targetRef") if address.get(m)}


def _creation(endpoints: JsonObject, content: JsonObject, name: str) -> Wish:
    kept = {k: v for k, v in labels_of(endpoints).items() if k != "endpoints.kubernetes.io/managed-by"}
    metadata = {
        "name": name,
        "generateName": f"{name_of(endpoints)}-",
        "namespace": namespace_of(endpoints),
        "labels": {**kept, SERVICE_NAME: name_of(endpoints), MANAGED_BY: MANAGER},
        "ownerReferences": [controller_reference({"apiVersion": "v1", "kind": "Endpoints", **endpoints})],
    }
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, **content}
    return Wish(Write("create", RESOURCE, namespace_of(endpoints), name, body))


ENDPOINT_SLICE_MIRRORING = Controller(
    "endpoint-slice-mirroring",
    "endpoint-slice-mirroring-controller",
    ("endpoints", "services", RESOURCE),
    _keys,
    reconcile,
)
