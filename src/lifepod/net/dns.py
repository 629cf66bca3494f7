"""The cluster's names: what a question gets, from the table of Services. Pure; sockets are in `dns_server.py`.

Source: github.com/kubernetes/dns docs/specification.md (DNS-Based Service Discovery, 1.1.0); coredns plugin/kubernetes for
what the specification leaves open: `pods insecure`, NODATA for names that exist with other types, NXDOMAIN otherwise.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from lifepod.net import dns_message as wire
from lifepod.net.dns_message import Question, Record

if TYPE_CHECKING:
    from lifepod.net.service_table import Endpoint, ServiceEntry, ServiceTable

CLUSTER_DOMAIN = "cluster.local"
_TTL = 5
_MAX_CNAMES = 8


class Found(NamedTuple):
    """What there is of a name. `exists` without records: the name is there, but not with this type."""

    exists: bool
    answers: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


_NOTHING = Found(False)


class Names:
    """The records of one table, looked up by name."""

    def __init__(self, table: ServiceTable, domain: str = CLUSTER_DOMAIN) -> None:
        self.domain = domain
        self._services = {(s.namespace, s.name): s for s in table.services}
        self._namespaces = table.namespaces | {s.namespace for s in table.services}
        self._by_ip: dict[str, list[str]] = {}
        for service in table.services:
            self._index_addresses(service)

    def _index_addresses(self, service: ServiceEntry) -> None:
        name = self.service_name(service)
        if service.cluster_ip:
            self._by_ip.setdefault(service.cluster_ip, []).append(name)
            return
        for endpoint in service.endpoints:
            self._by_ip.setdefault(endpoint.ip, []).append(f"{endpoint.label}.{name}")

    def service_name(self, service: ServiceEntry) -> str:
        return f"{service.name}.{service.namespace}.svc.{self.domain}"

    def is_ours(self, name: str) -> bool:
        """Whether this server has the last word on the name."""
        return name == self.domain or name.endswith(f".{self.domain}") or self._reversed(name) in self._by_ip

    def reply(self, question: Question) -> bytes:
        """The whole reply to a question about one of our names."""
        found = self.find(question.name, question.kind)
        if not found.exists:
            return wire.answer(question, wire.NAME_ERROR, authority=(self._authority(),))
        if not found.answers:
            return wire.answer(question, wire.NO_ERROR, authority=(self._authority(),))
        return wire.answer(question, wire.NO_ERROR, found.answers, additional=found.additional)

    def _authority(self) -> Record:
        return Record(self.domain, wire.SOA, _TTL, wire.authority_data(self.domain, 1))

    def find(self, name: str, kind: int) -> Found:
        """What there is of a name and type."""
        address = self._reversed(name)
        if address is not None:
            return self._find_reverse(name, address, kind)
        labels = name.removesuffix(self.domain).strip(".").split(".")
        if name == self.domain or labels in (["svc"], ["pod"]):
            return Found(True)
        match labels:
            case ["dns-version"]:
                return Found(True)
            case [*_, namespace, "svc"] if namespace in self._namespaces:
                return self._find_service(name, labels[:-2], namespace, kind)
            case [dashed, namespace, "pod"] if namespace in self._namespaces:
                return self._find_pod(name, dashed, kind)
            case [namespace, "pod"] if namespace in self._namespaces:
                return Found(True)
        return _NOTHING

    def _find_service(self, name: str, front: list[str], namespace: str, kind: int) -> Found:
        if not front:
            return Found(True)
        service = self._services.get((namespace, front[-1]))
        if service is None:
            return _NOTHING
        match front[:-1]:
            case []:
                return self._find_addresses(name, service, kind)
            case [port, protocol] if port.startswith("_") and protocol.startswith("_"):
                return self._find_ports(name, service, port[1:], protocol[1:].upper(), kind)
            case [label] if not service.cluster_ip:
                matching = tuple(e for e in service.endpoints if e.label == label)
                return self._addresses(name, tuple(e.ip for e in matching), kind) if matching else _NOTHING
        return _NOTHING

    def _find_addresses(self, name: str, service: ServiceEntry, kind: int) -> Found:
        if service.external_name:
            return Found(True, (Record(name, wire.CNAME, _TTL, wire.encode_name(service.external_name)),))
        if kind == wire.SRV:
            return self._find_ports(name, service, "", "", kind)
        if service.cluster_ip:
            return self._addresses(name, (service.cluster_ip,), kind)
        if not service.endpoints:
            return _NOTHING  # CoreDNS: a headless Service without endpoints does not exist
        return self._addresses(name, tuple(dict.fromkeys(e.ip for e in service.endpoints)), kind)

    def _addresses(self, name: str, addresses: tuple[str, ...], kind: int) -> Found:
        if kind not in (wire.A, wire.ANY):
            return Found(True)
        return Found(
            True, tuple(Record(name, wire.A, _TTL, wire.address_data(ip)) for ip in addresses if ":" not in ip)
        )

    def _find_ports(self, name: str, service: ServiceEntry, port_name: str, protocol: str, kind: int) -> Found:
        """SRV records of one named port, or with no name of all; each target's address comes along."""
        targets: list[tuple[int, str, str]] = []
        if service.cluster_ip:
            targets = [
                (port.port, self.service_name(service), service.cluster_ip)
                for port in service.ports
                if port_name in ("", port.name) and protocol in ("", port.protocol)
            ]
        else:
            for endpoint in service.endpoints:
                targets += self._endpoint_ports(service, endpoint, port_name, protocol)
        if not targets:
            return _NOTHING
        if kind not in (wire.SRV, wire.ANY):
            return Found(True)
        weight = max(1, 100 // len(targets))
        answers = tuple(Record(name, wire.SRV, _TTL, wire.service_data(port, to, weight)) for port, to, _ in targets)
        addresses = {to: ip for _, to, ip in targets}
        return Found(
            True, answers, tuple(Record(to, wire.A, _TTL, wire.address_data(ip)) for to, ip in addresses.items())
        )

    def _endpoint_ports(
        self, service: ServiceEntry, endpoint: Endpoint, port_name: str, protocol: str
    ) -> list[tuple[int, str, str]]:
        target = f"{endpoint.label}.{self.service_name(service)}"
        return [
            (number, target, endpoint.ip)
            for name, kind, number in endpoint.ports
            if port_name in ("", name) and protocol in ("", kind)
        ]

    def _find_pod(self, name: str, dashed: str, kind: int) -> Found:
        """`10-244-0-5.<namespace>.pod`: any address, whether a pod has it or not."""
        try:
            ip = str(ipaddress.IPv4Address(dashed.replace("-", ".")))
        except ValueError:
            return _NOTHING
        return self._addresses(name, (ip,), kind)

    def _find_reverse(self, name: str, address: str, kind: int) -> Found:
        names = self._by_ip.get(address, ())
        if not names:
            return _NOTHING
        if kind not in (wire.PTR, wire.ANY):
            return Found(True)
        return Found(True, tuple(Record(name, wire.PTR, _TTL, wire.encode_name(target)) for target in names))

    @staticmethod
    def _reversed(name: str) -> str | None:
        """The address that a name below in-addr.arpa stands for."""
        if not name.endswith(".in-addr.arpa"):
            return None
        return ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
