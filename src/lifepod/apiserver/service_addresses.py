"""Which addresses and node ports a Service gets. Nothing is remembered: what is taken is what the stored Services hold.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/service/storage/{storage,alloc}.go
        k8s.io/kubernetes v1.34.4 pkg/registry/core/service/ipallocator: IPAllocator
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.http_errors import internal_error
from lifepod.apiserver.status_errors import invalid_object

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

NODE_PORTS = range(30_000, 32_768)
_RESERVED = 16
"""The first addresses are not given out by chance: .1 is the API's, .10 the DNS server's."""


def address_of_api(cidr: str) -> str:
    """The address of the Service `kubernetes`: the range's first."""
    return str(IPv4Network(cidr).network_address + 1)


def address_of_dns(cidr: str) -> str:
    """The address of the cluster's DNS server: the range's tenth."""
    return str(IPv4Network(cidr).network_address + 10)


def allocated(api: Api, kind: Kind, service: JsonObject, old: JsonObject | None) -> JsonObject:
    """A Service with its cluster IP and node ports. Raises 422 for what is taken or out of range."""
    spec: JsonObject = service.get("spec") or {}
    old_spec: JsonObject = (old or {}).get("spec") or {}
    errors: list[FieldError] = []
    changed = _with_families(_with_cluster_ip(api, service, spec, old_spec, errors))
    changed = _with_node_ports(api, changed, old_spec, errors)
    changed = _with_health_port(api, changed, old_spec)
    if errors:
        raise invalid_object(kind, service["metadata"].get("name", ""), errors)
    return {**service, "spec": changed} if changed is not spec else service


def _with_cluster_ip(
    api: Api, service: JsonObject, spec: JsonObject, old_spec: JsonObject, errors: list[FieldError]
) -> JsonObject:
    if spec.get("type") == "ExternalName":
        if old_spec.get("type", "ExternalName") == "ExternalName":
            return spec
        return {k: v for k, v in spec.items() if k not in ("clusterIP", "clusterIPs")}
    wanted = spec.get("clusterIP") or ((spec.get("clusterIPs") or [""])[0])
    held = old_spec.get("clusterIP")
    if held and wanted != held and spec.get("clusterIPs") == old_spec.get("clusterIPs"):
        spec = {k: v for k, v in spec.items() if k != "clusterIPs"}  # only the older of the two fields was changed
    if not wanted and held:
        wanted = held
    if wanted == "None":
        return _with_ip(spec, "None")
    if not wanted:
        return _with_ip(spec, _free_address(api))
    if wanted != held:
        _check_address(api, service, wanted, errors)
    return _with_ip(spec, wanted)


def _with_families(spec: JsonObject) -> JsonObject:
    """IPv4 alone; a headless Service without a selector is asked to be of both families, as nobody knows its endpoints.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/service/storage/alloc.go: initIPFamilyFields
    """
    if spec.get("type") == "ExternalName" or (spec.get("ipFamilies") and spec.get("ipFamilyPolicy")):
        return spec
    families, policy = ["IPv4"], "SingleStack"
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        families, policy = ["IPv4", "IPv6"], "RequireDualStack"
    return {
        **spec,
        "ipFamilies": spec.get("ipFamilies") or families,
        "ipFamilyPolicy": spec.get("ipFamilyPolicy") or policy,
    }


def _with_ip(spec: JsonObject, address: str) -> JsonObject:
    if spec.get("clusterIP") == address and spec.get("clusterIPs"):
        return spec
    rest = {k: v for k, v in spec.items() if k not in ("clusterIP", "clusterIPs")}
    return {**rest, "clusterIP": address, "clusterIPs": spec.get("clusterIPs") or [address]}


def _taken_addresses(api: Api) -> set[str]:
    taken: set[str] = set()
    for record in api.store.list("services").records:
        spec = api.store.decoded(record).get("spec") or {}
        taken.update(spec.get("clusterIPs") or [spec.get("clusterIP", "")])
    return taken


def _free_address(api: Api) -> str:
    """A random free address, as upstream picks; the next free ones after it when that is taken."""
    network = IPv4Network(api.settings.service_cidr)
    size = network.num_addresses - 1 - _RESERVED
    taken = _taken_addresses(api)
    first = int(api.ids.fraction() * size)
    for step in range(size):
        address = str(network.network_address + _RESERVED + (first + step) % size)
        if address not in taken:
            return address
    raise internal_error("failed to allocate a serviceIP: range is full")


def _check_address(api: Api, service: JsonObject, wanted: str, errors: list[FieldError]) -> None:
    try:
        address = IPv4Address(wanted)
    except ValueError:
        return  # validation says what is wrong with it
    network = IPv4Network(api.settings.service_cidr)
    prefix = f"failed to allocate IP {wanted}"
    if address not in network or address in (network.network_address, network.broadcast_address):
        why = f"{prefix}: the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {network}"
        errors.append(invalid("spec.clusterIPs", [wanted], why))
    elif wanted in _taken_addresses(api):
        errors.append(invalid("spec.clusterIPs", [wanted], f"{prefix}: provided IP is already allocated"))


def _with_node_ports(api: Api, spec: JsonObject, old_spec: JsonObject, errors: list[FieldError]) -> JsonObject:
    ports: list[JsonObject] = spec.get("ports") or []
    wants = spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )
    if not ports:
        return spec
    if not wants:
        if old_spec.get("type") in ("NodePort", "LoadBalancer") and spec.get("type") == "ClusterIP":
            return {**spec, "ports": [{k: v for k, v in port.items() if k != "nodePort"} for port in ports]}
        return spec
    taken = _taken_ports(api) - {(p.get("protocol", "TCP"), p.get("nodePort")) for p in old_spec.get("ports") or ()}
    filled = []
    for index, port in enumerate(ports):
        protocol = port.get("protocol", "TCP")
        number = port.get("nodePort") or _held_port(port, old_spec)
        if not number:
            number = _free_port(api, taken)
        elif (protocol, number) in taken:
            errors.append(invalid(f"spec.ports[{index}].nodePort", number, "provided port is already allocated"))
        elif number not in NODE_PORTS:
            why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            errors.append(invalid(f"spec.ports[{index}].nodePort", number, why))
        taken.add((protocol, number))
        filled.append(port if port.get("nodePort") == number else {**port, "nodePort": number})
    return {**spec, "ports": filled} if filled != ports else spec


def _held_port(port: JsonObject, old_spec: JsonObject) -> int:
    """The node port that the same port had before, when an update does not name it.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/service/storage/storage.go: patchAllocatedValues
    """
    for held in old_spec.get("ports") or ():
        if held.get("port") == port.get("port") and held.get("protocol") == port.get("protocol"):
            number: int = held.get("nodePort") or 0
            return number
    return 0


def _taken_ports(api: Api) -> set[tuple[str, int]]:
    taken = set()
    for record in api.store.list("services").records:
        spec = api.store.decoded(record).get("spec") or {}
        for port in spec.get("ports") or ():
            if port.get("nodePort"):
                taken.add((port.get("protocol", "TCP"), port["nodePort"]))
        if spec.get("healthCheckNodePort"):
            taken.add(("TCP", spec["healthCheckNodePort"]))
    return taken


def _free_port(api: Api, taken: set[tuple[str, int]]) -> int:
    first = int(api.ids.fraction() * len(NODE_PORTS))
    for step in range(len(NODE_PORTS)):
        number = NODE_PORTS[(first + step) % len(NODE_PORTS)]
        if not any((protocol, number) in taken for protocol in ("TCP", "UDP", "SCTP")):
            return number
    raise internal_error("failed to allocate a nodePort: range is full")


def _with_health_port(api: Api, spec: JsonObject, old_spec: JsonObject) -> JsonObject:
    wants = spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    if not wants or spec.get("healthCheckNodePort"):
        return spec
    number = old_spec.get("healthCheckNodePort") or _free_port(api, _taken_ports(api))
    return {**spec, "healthCheckNodePort": number}
