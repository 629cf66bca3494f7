"""EndpointSlices: the addresses behind each Service in pieces of at most 100, per address family and set of ports.

Key: (namespace, service). Slices that are right are left alone, changed ones updated, so that watchers see little.
Source: k8s.io/endpointslice v0.34.4 reconciler.go, utils.go
"""

from __future__ import annotations

import orjson

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.endpoints import TRIGGER_TIME, changed_at
from lifepod.controllers.outcome import NOTHING, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import annotations_of, controller_reference, labels_of, name_of, uid_of
from lifepod.controllers.service_backends import (
    BATCH_PERIOD,
    MANY_PODS,
    Backend,
    backends_of,
    ports_of,
    publishes_unready,
    service_keys,
    target_reference,
)

RESOURCE = "endpointslices.discovery.k8s.io"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MOST_ENDPOINTS = 100


def reconcile(look: Look) -> Outcome:
    """Make the slices of a Service say what its pods are."""
    namespace, name = look.key
    service = look.view.get("services", namespace, name)
    have = list(look.view.labelled(RESOURCE, namespace, {SERVICE_NAME: name, MANAGED_BY: MANAGER}))
    if service is None or service["spec"].get("type") == "ExternalName":
        gone = tuple(Wish(Write("delete", RESOURCE, namespace, name_of(s), {})) for s in have) if service else ()
        return Outcome((gone,)) if gone else NOTHING
    if not service["spec"].get("selector"):
        return NOTHING
    backends = backends_of(look.view, service)
    wishes: list[Wish] = []
    trigger = changed_at(service, backends)
    wanted = _groups(service, backends)
    for key, (family, ports, endpoints) in wanted.items():
        alike = [s for s in have if _group_key(s) == key]
        if not alike:
            # One that would go is rewritten instead: watchers see a change, not a loss.
            alike = [s for s in have if s.get("addressType") == family and _group_key(s) not in wanted][:1]
        have = [s for s in have if s not in alike]
        wishes += _fill(look, service, alike, family, ports, endpoints, trigger)
    wishes += [Wish(Write("delete", RESOURCE, namespace, name_of(s), {})) for s in have]
    not_before = look.now + BATCH_PERIOD if len(backends) > MANY_PODS else None
    return Outcome((tuple(wishes),) if wishes else (), not_before=not_before)


def _groups(
    service: JsonObject, backends: list[Backend]
) -> dict[bytes, tuple[str, tuple[JsonObject, ...], dict[str, JsonObject]]]:
    """Endpoints by family and ports; a Service without pods keeps one empty slice per family."""
    groups: dict[bytes, tuple[str, tuple[JsonObject, ...], dict[str, JsonObject]]] = {}
    families = service["spec"].get("ipFamilies") or ["IPv4"]
    for family in families:
        for backend in backends:
            ip = next((a for a in backend.ips if (":" in a) == (family == "IPv6")), None)
            ports = ports_of(service, backend.pod)
            if ip is None or (not ports and service["spec"].get("ports")):
                continue
            group = groups.setdefault(_key(family, ports), (family, ports, {}))
            group[2][uid_of(backend.pod)] = endpoint_of(service, backend, ip)
        if not any(g[0] == family for g in groups.values()):
            groups[_key(family, ())] = (family, (), {})
    return groups


def _key(family: str, ports: tuple[JsonObject, ...]) -> bytes:
    return orjson.dumps([family, sorted(ports, key=orjson.dumps)], option=orjson.OPT_SORT_KEYS)


def _group_key(piece: JsonObject) -> bytes:
    return _key(piece.get("addressType", ""), tuple(piece.get("ports") or ()))


def endpoint_of(service: JsonObject, backend: Backend, ip: str) -> JsonObject:
    """One endpoint with its three conditions: a terminating pod is never ready, but may be serving.

    Source: k8s.io/endpointslice v0.34.4 utils.go: podToEndpoint
    """
    tolerant = publishes_unready(service)
    endpoint: JsonObject = {
        "addresses": [ip],
        "conditions": {
            "ready": tolerant or (backend.ready and not backend.terminating),
            "serving": backend.ready,
            "terminating": backend.terminating,
        },
    }
    if backend.hostname:
        endpoint["hostname"] = backend.hostname
    endpoint["targetRef"] = target_reference(backend.pod)
    if backend.node:
        endpoint["nodeName"] = backend.node
    return endpoint


def _fill(
    look: Look,
    service: JsonObject,
    slices: list[JsonObject],
    family: str,
    ports: tuple[JsonObject, ...],
    endpoints: dict[str, JsonObject],
    trigger: str | None,
) -> list[Wish]:
    """Keep each endpoint in the slice that has it, put new ones where room is, drop slices that become empty."""
    todo = dict(endpoints)
    contents: list[tuple[JsonObject | None, list[JsonObject]]] = []
    for existing in slices:
        kept = []
        for endpoint in existing.get("endpoints") or ():
            fresh = todo.pop((endpoint.get("targetRef") or {}).get("uid", ""), None)
            if fresh is not None:
                kept.append(fresh)
        contents.append((existing, kept))
    rest = list(todo.values())
    for _, kept in contents:
        room = MOST_ENDPOINTS - len(kept)
        kept += rest[:room]
        rest = rest[room:]
    while rest or not contents:
        contents.append((None, rest[:MOST_ENDPOINTS]))
        rest = rest[MOST_ENDPOINTS:]
    wishes = []
    for piece, kept in list(contents):
        if piece is not None and not kept and len(contents) > 1:
            wishes.append(Wish(Write("delete", RESOURCE, look.key[0], name_of(piece), {})))
            contents = [c for c in contents if c[0] is not piece]
            continue
        wish = _written(look, service, piece, family, ports, kept, trigger)
        if wish is not None:
            wishes.append(wish)
    return wishes


def _written(
    look: Look,
    service: JsonObject,
    piece: JsonObject | None,
    family: str,
    ports: tuple[JsonObject, ...],
    endpoints: list[JsonObject],
    trigger: str | None,
) -> Wish | None:
    """The write that makes one slice hold exactly these endpoints; None when it does."""
    namespace, name = look.key
    labels = {**labels_of(service), MANAGED_BY: MANAGER, SERVICE_NAME: name}
    labels.pop("service.kubernetes.io/headless", None)
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    shown = [dict(port) for port in ports]
    if piece is not None:
        same_ports = _group_key(piece) == _key(family, ports)
        if (piece.get("endpoints") or []) == endpoints and labels_of(piece) == labels and same_ports:
            return None
        annotations = {**annotations_of(piece), **({TRIGGER_TIME: trigger} if trigger else {})}
        metadata = {**piece["metadata"], "labels": labels, "annotations": annotations}
        body = {**piece, "metadata": metadata, "endpoints": endpoints, "ports": shown}
        return Wish(Write("update", RESOURCE, namespace, name_of(piece), body))
    prefix = f"{name}-"
    full = prefix[:58] + look.ids.suffix(5)
    metadata = {
        "name": full,
        "generateName": prefix,
        "namespace": namespace,
        "labels": labels,
        "annotations": {TRIGGER_TIME: trigger} if trigger else {},
        "ownerReferences": [controller_reference(service)],
    }
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": family,
        "endpoints": endpoints,
        "ports": shown,
    }
    return Wish(Write("create", RESOURCE, namespace, full, body))


ENDPOINT_SLICE = Controller(
    "endpoint-slice",
    "endpoint-slice-controller",
    ("services", "pods", RESOURCE),
    lambda change: service_keys(change, RESOURCE),
    reconcile,
)
