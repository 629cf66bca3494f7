"""Which addresses a name has inside the simulated cluster: Services and the pods behind headless ones."""

from __future__ import annotations

from typing import Protocol

from lifepod.api.objects import JsonObject, dig
from lifepod.runtime.sim.world import Lookup

_DOMAIN = "svc.cluster.local"


class Reader(Protocol):
    """Read access to the API's objects."""

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None: ...


def service_names(reader: Reader) -> Lookup:
    """A lookup that answers as the cluster's DNS does, with a pod's search list."""

    def addresses_of(namespace: str, name: str) -> tuple[str, ...]:
        parts = name.rstrip(".").split(".")
        for tail in (["svc", "cluster", "local"], ["svc"], []):
            if tail and parts[-len(tail) :] == tail and len(parts) > len(tail):
                parts = parts[: -len(tail)]
                break
        match parts:
            case [service]:
                return _of_service(reader, namespace, service)
            case [service, space]:
                return _of_service(reader, space, service) or _of_host(reader, namespace, space, service)
            case [host, service, space]:
                return _of_host(reader, space, service, host)
        return ()

    return addresses_of


def _of_service(reader: Reader, namespace: str, name: str) -> tuple[str, ...]:
    service = reader.get("services", namespace, name)
    if service is None:
        return ()
    address = dig(service, "spec", "clusterIP")
    if address and address != "None":
        return (address,)
    return tuple(ip for ip, _ in _endpoints(reader, namespace, name))


def _of_host(reader: Reader, namespace: str, service: str, host: str) -> tuple[str, ...]:
    return tuple(ip for ip, hostname in _endpoints(reader, namespace, service) if hostname == host)


def _endpoints(reader: Reader, namespace: str, name: str) -> list[tuple[str, str]]:
    endpoints = reader.get("endpoints", namespace, name) or {}
    return [
        (a.get("ip", ""), a.get("hostname", ""))
        for s in endpoints.get("subsets") or []
        for a in s.get("addresses") or []
    ]
