"""What an update of a Service leaves behind when its type changes.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/service/strategy.go: dropTypeDependentFields
"""

from __future__ import annotations

from typing import Final

from lifepod.api.objects import JsonObject

_ADDRESSED: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
_BALANCED: Final = ("allocateLoadBalancerNodePorts", "loadBalancerClass")
_OUTSIDE: Final = ("NodePort", "LoadBalancer")


def kept_service(service: JsonObject, old: JsonObject) -> JsonObject:
    """The changed Service without the fields that only its former type had, unless this very update changed them."""
    spec: JsonObject = service.get("spec") or {}
    before: JsonObject = old.get("spec") or {}
    kind, was = spec.get("type"), before.get("type")
    if kind == was and spec.get("externalIPs") == before.get("externalIPs"):
        return service
    gone: list[str] = []
    if was != "ExternalName" and kind == "ExternalName":
        gone += _ADDRESSED
    if was == "LoadBalancer" and kind != "LoadBalancer":
        gone += _BALANCED
    if _is_seen_outside(before) and not _is_seen_outside(spec):
        gone.append("externalTrafficPolicy")
    if _has_health_port(before) and not _has_health_port(spec):
        gone.append("healthCheckNodePort")
    kept = {name: value for name, value in spec.items() if name not in gone or value != before.get(name)}
    if was in _OUTSIDE and kind not in _OUTSIDE and _node_ports(spec) == _node_ports(before):
        ports: list[JsonObject] = spec.get("ports") or []
        kept["ports"] = [{name: value for name, value in port.items() if name != "nodePort"} for port in ports]
    return service if kept == spec else {**service, "spec": kept}


def _is_seen_outside(spec: JsonObject) -> bool:
    kind = spec.get("type")
    return kind in _OUTSIDE or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _has_health_port(spec: JsonObject) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _node_ports(spec: JsonObject) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or [] if port.get("nodePort")}
