"""What DNS and the proxy need to know of Services, made of the API's objects: pure values, compared as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from lifepod.api.objects import JsonObject, dig

if TYPE_CHECKING:
    from collections.abc import Iterable

KUBERNETES = ("default", "kubernetes")
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Backend(NamedTuple):
    """Where a connection goes. `network`: the pods' own, or this machine's (the API server listens there)."""

    ip: str
    port: int
    network: Literal["pods", "machine"] = "pods"


class ServicePort(NamedTuple):
    """A port of a Service with its ready backends."""

    name: str
    port: int
    protocol: str
    backends: tuple[Backend, ...]


class Endpoint(NamedTuple):
    """One ready address behind a Service; `hostname` as the pod set it, or "". `ports` are (name, protocol, number)."""

    ip: str
    hostname: str
    ports: tuple[tuple[str, str, int], ...]

    @property
    def label(self) -> str:
        """Its name under a headless Service: the host name, else the address with dashes."""
        return self.hostname or self.ip.replace(".", "-").replace(":", "-")


class ServiceEntry(NamedTuple):
    """One Service. `cluster_ip` is "" for a headless one; `external_name` is set for the type ExternalName only."""

    namespace: str
    name: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    endpoints: tuple[Endpoint, ...]
    external_name: str = ""
    affinity_seconds: int | None = None


class ServiceTable(NamedTuple):
    """All Services, in a stable order, and the namespaces that exist."""

    services: tuple[ServiceEntry, ...] = ()
    namespaces: frozenset[str] = frozenset()


def service_table(
    services: Iterable[JsonObject],
    endpoint_slices: Iterable[JsonObject],
    *,
    api_server: tuple[str, int] | None = None,
) -> ServiceTable:
    """The table that these objects make. `api_server` is where default/kubernetes really leads, on this machine."""
    slices: dict[tuple[str, str], list[JsonObject]] = {}
    for found in endpoint_slices:
        owner = dig(found, "metadata", "labels", SERVICE_NAME_LABEL)
        slices.setdefault((found["metadata"]["namespace"], owner), []).append(found)
    entries: list[ServiceEntry] = []
    for service in services:
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        entry = _entry(service, slices.get(key, []))
        if key == KUBERNETES and api_server is not None:
            backend = Backend(*api_server, "machine")
            entry = entry._replace(ports=tuple(port._replace(backends=(backend,)) for port in entry.ports))
        entries.append(entry)
    namespaces = frozenset(entry.namespace for entry in entries)
    return ServiceTable(tuple(sorted(entries)), namespaces)


def _entry(service: JsonObject, slices: list[JsonObject]) -> ServiceEntry:
    spec = service.get("spec") or {}
    cluster_ip = spec.get("clusterIP") or ""
    even_unready = bool(spec.get("publishNotReadyAddresses"))
    endpoints = tuple(sorted({e for one in slices for e in _endpoints(one, even_unready)}))
    affinity = dig(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds") or 10800
    return ServiceEntry(
        namespace=service["metadata"]["namespace"],
        name=service["metadata"]["name"],
        cluster_ip="" if cluster_ip == "None" else cluster_ip,
        ports=tuple(_port(port, endpoints) for port in spec.get("ports") or ()),
        endpoints=endpoints,
        external_name=spec.get("externalName") or "" if spec.get("type") == "ExternalName" else "",
        affinity_seconds=affinity if spec.get("sessionAffinity") == "ClientIP" else None,
    )


def _port(port: JsonObject, endpoints: tuple[Endpoint, ...]) -> ServicePort:
    """A port leads to the endpoints' ports of the same name and protocol."""
    name, protocol = port.get("name") or "", port.get("protocol") or "TCP"
    backends = tuple(
        Backend(endpoint.ip, number)
        for endpoint in endpoints
        for port_name, port_protocol, number in endpoint.ports
        if port_name == name and port_protocol == protocol
    )
    return ServicePort(name, port["port"], protocol, backends)


def _endpoints(found: JsonObject, even_unready: bool) -> Iterable[Endpoint]:
    ports = tuple(
        (port.get("name") or "", port.get("protocol") or "TCP", port["port"])
        for port in found.get("ports") or ()
        if port.get("port") is not None
    )
    for endpoint in found.get("endpoints") or ():
        is_ready = dig(endpoint, "conditions", "ready")
        if is_ready is False and not even_unready:
            continue
        for address in endpoint.get("addresses") or ():
            yield Endpoint(address, endpoint.get("hostname") or "", ports)
