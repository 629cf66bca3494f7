"""Service addresses as listening sockets: a userspace proxy for TCP and UDP.

A port without ready backends has no socket, so that a client is refused at once, as on a real node. What a pod sends to its
own Service comes back to it by way of the proxy: there is no hairpin problem.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from lifepod.net.service_table import Backend

if TYPE_CHECKING:
    from lifepod.net.service_table import ServiceTable

_READ_SIZE = 65536
_CONNECT_SECONDS = 10.0
_UDP_IDLE_SECONDS = 60.0
_BACKLOG = 128


class MakeSocket(Protocol):
    """Makes a fresh non-blocking socket, `tcp` or `udp`, in the node's network."""

    async def __call__(self, kind: str) -> socket.socket: ...


class Address(NamedTuple):
    """Where a Service listens."""

    ip: str
    port: int
    protocol: str


class ServiceAddresses:
    """Keeps one listening socket for each address of the newest table that has backends."""

    def __init__(self, make_socket: MakeSocket) -> None:
        self._make_socket = make_socket
        self._listeners: dict[Address, _Listener] = {}
        self._busy = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def update(self, table: ServiceTable) -> None:
        """Listen as this table says; connections under way go on."""
        wanted: dict[Address, tuple[tuple[Backend, ...], int | None]] = {}
        for service in table.services:
            for port in service.ports if service.cluster_ip else ():
                if port.backends and port.protocol in ("TCP", "UDP"):
                    address = Address(service.cluster_ip, port.port, port.protocol)
                    wanted[address] = (port.backends, service.affinity_seconds)
        async with self._busy:
            for address in [a for a in self._listeners if a not in wanted]:
                self._listeners.pop(address).close()
            for address, (backends, affinity) in wanted.items():
                listener = self._listeners.get(address)
                if listener is None:
                    listener = self._listeners[address] = await self._listen(address)
                listener.choice.update(backends, affinity)

    async def _listen(self, address: Address) -> _Listener:
        sock = await self._make_socket(address.protocol.lower())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.ip, address.port))
        choice = BackendChoice()
        if address.protocol == "UDP":
            proxy = _UdpProxy(choice, self._make_socket, self._tasks)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(lambda: proxy, sock=sock)
            return _Listener(choice, transport, proxy)
        sock.listen(_BACKLOG)
        server = await asyncio.start_server(_TcpProxy(choice, self._make_socket).serve, sock=sock)
        return _Listener(choice, server, None)

    async def close(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        for task in list(self._tasks):
            task.cancel()


class _Listener:
    def __init__(
        self, choice: BackendChoice, server: asyncio.Server | asyncio.DatagramTransport, udp: _UdpProxy | None
    ) -> None:
        self.choice = choice
        self._server = server
        self._udp = udp

    def close(self) -> None:
        self._server.close()
        if self._udp is not None:
            self._udp.close()


class BackendChoice:
    """Which backend a client gets: one after the other, or with session affinity the one it had."""

    def __init__(self) -> None:
        self._backends: tuple[Backend, ...] = ()
        self._affinity: int | None = None
        self._next = 0
        self._last: dict[str, tuple[Backend, float]] = {}

    def update(self, backends: tuple[Backend, ...], affinity_seconds: int | None) -> None:
        """Choose among these from now on."""
        self._backends = backends
        self._affinity = affinity_seconds

    def candidates(self, client: str, now: float) -> tuple[Backend, ...]:
        """The backends to try, in order."""
        backends = self._backends
        if not backends:
            return ()
        if self._affinity is not None:
            last = self._last.get(client)
            if last is not None and last[0] in backends and now - last[1] < self._affinity:
                return (last[0], *(b for b in backends if b != last[0]))
        at = self._next % len(backends)
        self._next += 1
        return backends[at:] + backends[:at]

    def note(self, client: str, backend: Backend, now: float) -> None:
        """The client got this backend."""
        if self._affinity is not None:
            self._last[client] = (backend, now)


async def connect_backend(make_socket: MakeSocket, backend: Backend, kind: str) -> socket.socket:
    """A socket connected to the backend. Raises OSError or TimeoutError."""
    if backend.network == "machine":
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        sock.setblocking(False)
    else:
        sock = await make_socket(kind)
    try:
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(sock, (backend.ip, backend.port)), _CONNECT_SECONDS)
    except BaseException:
        sock.close()
        raise
    return sock


class _TcpProxy:
    """Copies both ways between a client and a backend; one side's end is passed on, not the other's."""

    def __init__(self, choice: BackendChoice, make_socket: MakeSocket) -> None:
        self._choice = choice
        self._make_socket = make_socket

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        client = writer.get_extra_info("peername")[0]
        for backend in self._choice.candidates(client, loop.time()):
            try:
                sock = await connect_backend(self._make_socket, backend, "tcp")
            except (OSError, TimeoutError):
                continue
            self._choice.note(client, backend, loop.time())
            break
        else:
            _reset(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(sock=sock)
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Refuse an accepted connection as harshly as TCP can."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while data := await reader.read(_READ_SIZE):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


class _UdpProxy(asyncio.DatagramProtocol):
    """One connected socket a client; forgotten after a minute of silence."""

    def __init__(self, choice: BackendChoice, make_socket: MakeSocket, tasks: set[asyncio.Task[None]]) -> None:
        self._choice = choice
        self._make_socket = make_socket
        self._tasks = tasks
        self._sessions: dict[tuple[str, int], asyncio.Queue[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: before 3.12 asyncio's own transport is no DatagramTransport.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        queue = self._sessions.get(addr)
        if queue is None:
            queue = self._sessions[addr] = asyncio.Queue(256)
            task = asyncio.get_running_loop().create_task(self._session(addr, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.QueueFull):  # UDP may lose
            queue.put_nowait(data)

    async def _session(self, client: tuple[str, int], queue: asyncio.Queue[bytes]) -> None:
        loop = asyncio.get_running_loop()
        try:
            candidates = self._choice.candidates(client[0], loop.time())
            if not candidates:
                return
            sock = await connect_backend(self._make_socket, candidates[0], "udp")
            self._choice.note(client[0], candidates[0], loop.time())
            with sock:
                back = loop.create_task(self._send_back(sock, client))
                try:
                    while True:
                        data = await asyncio.wait_for(queue.get(), _UDP_IDLE_SECONDS)
                        await loop.sock_sendall(sock, data)
                finally:
                    back.cancel()
        except (OSError, TimeoutError):
            return
        finally:
            self._sessions.pop(client, None)

    async def _send_back(self, sock: socket.socket, client: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(sock, _READ_SIZE)
            except OSError:
                await asyncio.sleep(0.05)  # the backend refused one datagram; the next may be heard
                continue
            if self._transport is not None:
                self._transport.sendto(data, client)

    def close(self) -> None:
        self._sessions.clear()
