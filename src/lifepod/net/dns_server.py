"""The cluster DNS on its sockets, UDP and TCP. Names outside the cluster's domain are asked of this machine's resolver."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, cast

from lifepod.net import dns_message as wire
from lifepod.net.dns import CLUSTER_DOMAIN, Names
from lifepod.net.service_table import ServiceTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.net.dns_message import Question

_UPSTREAM_SECONDS = 2.0
_IDLE_SECONDS = 10.0


class DnsServer:
    """Answers from the newest table. `upstream` gives the addresses of resolvers to ask for names that are not ours.

    It is asked each time, as a machine's resolvers change with its network. `on_outside` hears of each such name that there is.
    """

    def __init__(
        self,
        upstream: Callable[[], tuple[str, ...]] = tuple,
        domain: str = CLUSTER_DOMAIN,
        on_outside: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._on_outside = on_outside
        self._domain = domain
        self._upstream = upstream
        self._names = Names(ServiceTable(), domain)
        self._transports: list[asyncio.BaseTransport] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def update(self, table: ServiceTable) -> None:
        """Answer from this table from now on."""
        self._names = Names(table, self._domain)

    async def serve_udp(self, sock: socket.socket) -> None:
        """Answer on a bound UDP socket."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=sock)
        self._transports.append(transport)

    async def serve_tcp(self, sock: socket.socket) -> None:
        """Answer on a bound TCP socket."""
        self._servers.append(await asyncio.start_server(self._on_connection, sock=sock))

    async def close(self) -> None:
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()

    def answer_datagram(self, packet: bytes, transport: asyncio.DatagramTransport, client: tuple[str, int]) -> None:
        """Reply to one datagram, at once when the name is ours."""
        try:
            question = wire.parse_question(packet)
        except wire.BadMessage:
            return
        if self._is_ours(question):
            reply = self._names.reply(question)
            transport.sendto(reply if len(reply) <= question.udp_size else wire.truncated(question), client)
            return

        async def forward() -> None:
            transport.sendto(await self._ask_upstream(question, packet), client)

        task = asyncio.get_running_loop().create_task(forward())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_ours(self, question: Question) -> bool:
        return self._names.is_ours(question.name)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await asyncio.wait_for(reader.readexactly(2), _IDLE_SECONDS)
                packet = await asyncio.wait_for(reader.readexactly(struct.unpack(">H", head)[0]), _IDLE_SECONDS)
                question = wire.parse_question(packet)
                if self._is_ours(question):
                    reply = self._names.reply(question)
                else:
                    reply = await self._ask_upstream(question, packet)
                writer.write(struct.pack(">H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError, wire.BadMessage):
            pass
        finally:
            writer.close()

    async def _ask_upstream(self, question: Question, packet: bytes) -> bytes:
        """The reply of this machine's resolver. A single word is no name outside the cluster; no resolver knows none.

        Resolvers that do not answer are a failure that may pass, not a name that is not there.
        Source: github.com/coredns/coredns plugin/forward: ServeDNS
        """
        servers = self._upstream() if "." in question.name else ()
        for server in servers:
            with contextlib.suppress(OSError, TimeoutError):
                reply = await _exchange(server, packet)
                if wire.has_answers(reply):
                    self._on_outside(question.name)
                return reply
        return wire.answer(question, wire.SERVER_FAILURE if servers else wire.NAME_ERROR)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport is none by class before Python 3.12; what the protocol is given here always is.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._server.answer_datagram(data, self._transport, addr)


async def _exchange(server: str, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (server, 53))
        await loop.sock_sendall(sock, packet)
        return await asyncio.wait_for(loop.sock_recv(sock, 65535), _UPSTREAM_SECONDS)


def machine_resolvers(path: str = "/etc/resolv.conf") -> tuple[str, ...]:
    """The resolvers that this machine asks."""
    try:
        with open(path) as file:
            lines = [line.split() for line in file]
    except OSError:
        return ()
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")
