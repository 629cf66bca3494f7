"""Endpoints: the ready and not ready addresses behind each Service that has a selector.

Key: (namespace, service). Source: k8s.io/kubernetes v1.34.4 pkg/controller/endpoint/endpoints_controller.go: syncService;
pkg/api/v1/endpoints/util.go: RepackSubsets
"""

from __future__ import annotations

import orjson

from lifepod.api.objects import JsonObject, format_time, parse_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import annotations_of, labels_of
from lifepod.controllers.pod_facts import condition_of
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

MOST_ADDRESSES = 1000
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"


def reconcile(look: Look) -> Outcome:
    """Make the Endpoints of a Service say what its pods are."""
    namespace, name = look.key
    service = look.view.get("services", namespace, name)
    have = look.view.get("endpoints", namespace, name)
    if service is None:
        if have is None or labels_of(have).get(MANAGED_BY) != "endpoint-controller":
            return NOTHING
        return Outcome(((Wish(Write("delete", "endpoints", namespace, name, {})),),))
    if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
        return NOTHING
    backends = backends_of(look.view, service)
    subsets, cut = subsets_of(service, backends)
    not_before = look.now + BATCH_PERIOD if len(backends) > MANY_PODS else None
    labels = {**labels_of(service), MANAGED_BY: "endpoint-controller"}
    labels.pop("service.kubernetes.io/headless", None)
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    if have is not None and (have.get("subsets") or []) == subsets and labels_of(have) == labels:
        return Outcome(not_before=not_before)
    annotations = dict(annotations_of(have)) if have else {}
    trigger = changed_at(service, backends) if have is None or have.get("subsets") != subsets else None
    if trigger:
        annotations[TRIGGER_TIME] = trigger
    annotations.pop(OVER_CAPACITY, None)
    if cut:
        annotations[OVER_CAPACITY] = "truncated"
    metadata: JsonObject = {**(have["metadata"] if have else {"name": name, "namespace": namespace}), "labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    body: JsonObject = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    if subsets:
        body["subsets"] = subsets
    return Outcome(
        ((Wish(Write("update" if have else "create", "endpoints", namespace, name, body)),),), not_before=not_before
    )


def changed_at(service: JsonObject, backends: list[Backend]) -> str | None:
    """When the newest readiness change behind the Service happened, or the Service was made.

    Source: k8s.io/endpointslice v0.34.4 util/trigger_time_tracker.go
    """
    moments = [service["metadata"].get("creationTimestamp")]
    moments += [(condition_of(b.pod, "Ready") or {}).get("lastTransitionTime") for b in backends]
    known = [parse_time(m) for m in moments if m]
    return format_time(max(known)) if known else None


def subsets_of(service: JsonObject, backends: list[Backend]) -> tuple[list[JsonObject], bool]:
    """Addresses grouped by their ports, at most 1,000 of them; whether some were left out. Ready ones are kept first."""
    tolerant = publishes_unready(service)
    groups: dict[bytes, tuple[tuple[JsonObject, ...], list[JsonObject], list[JsonObject]]] = {}
    headless_without_ports = service["spec"].get("clusterIP") == "None" and not service["spec"].get("ports")
    shown = sorted(backends, key=lambda b: not (b.ready and not b.terminating))[:MOST_ADDRESSES]
    for backend in shown:
        if backend.terminating and not tolerant:
            continue
        ports = ports_of(service, backend.pod)
        if not ports and not headless_without_ports:
            continue
        key = orjson.dumps(sorted(ports, key=orjson.dumps))
        _, ready, unready = groups.setdefault(key, (ports, [], []))
        (ready if backend.ready or tolerant else unready).append(_address(backend))
    subsets = []
    for key in sorted(groups):
        ports, ready, unready = groups[key]
        subset: JsonObject = {}
        if ready:
            subset["addresses"] = sorted(ready, key=_order)
        if unready:
            subset["notReadyAddresses"] = sorted(unready, key=_order)
        if ports:
            subset["ports"] = [{k: v for k, v in port.items() if v != ""} for port in ports]
        subsets.append(subset)
    return subsets, len(backends) > MOST_ADDRESSES


def _address(backend: Backend) -> JsonObject:
    address: JsonObject = {"ip": backend.ips[0]}
    if backend.hostname:
        address["hostname"] = backend.hostname
    if backend.node:
        address["nodeName"] = backend.node
    address["targetRef"] = target_reference(backend.pod)
    return address


def _order(address: JsonObject) -> tuple[str, str]:
    return (address["ip"], address["targetRef"]["uid"])


ENDPOINTS = Controller(
    "endpoints",
    "endpoint-controller",
    ("services", "pods", "endpoints"),
    lambda c: service_keys(c, "endpoints"),
    reconcile,
)
