"""A node's part of the cluster network, put together: DNS on the Service range's .10 and the Services' addresses."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from lifepod.net.dns_server import DnsServer, machine_resolvers
from lifepod.net.service_addresses import ServiceAddresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.net.service_addresses import MakeSocket
    from lifepod.net.service_table import ServiceTable

_DNS_OFFSET = 10


def cluster_dns_ip(service_cidr: str) -> str:
    """The cluster DNS's address: the tenth of the Services' range."""
    return str(ipaddress.IPv4Network(service_cidr)[_DNS_OFFSET])


class NodeNetwork:
    """Serves names and Service addresses from the newest table.

    With `make_socket` (level `sandbox`) everything happens in the node's own network; without it (level `host`) there is
    only DNS, on a loopback port: `await start()` gives its address for `HostRuntime.dns_address`. `on_outside` hears of the names
    outside of the cluster that pods look up and that there are.
    """

    def __init__(
        self,
        service_cidr: str,
        make_socket: MakeSocket | None = None,
        on_outside: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._dns_ip = cluster_dns_ip(service_cidr)
        self._make_socket = make_socket
        self._dns = DnsServer(machine_resolvers, on_outside=on_outside)
        self._addresses = None if make_socket is None else ServiceAddresses(make_socket)

    async def start(self) -> tuple[str, int]:
        """Begin to answer; returns where DNS listens."""
        if self._make_socket is None:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setblocking(False)
            udp.bind(("127.0.0.1", 0))
            await self._dns.serve_udp(udp)
            return "127.0.0.1", int(udp.getsockname()[1])
        udp = await self._make_socket("udp")
        udp.bind((self._dns_ip, 53))
        await self._dns.serve_udp(udp)
        tcp = await self._make_socket("tcp")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((self._dns_ip, 53))
        tcp.listen(16)
        await self._dns.serve_tcp(tcp)
        return self._dns_ip, 53

    async def update(self, table: ServiceTable) -> None:
        """Names change at once, addresses when this returns."""
        self._dns.update(table)
        if self._addresses is not None:
            await self._addresses.update(table)

    async def close(self) -> None:
        await self._dns.close()
        if self._addresses is not None:
            await self._addresses.close()
