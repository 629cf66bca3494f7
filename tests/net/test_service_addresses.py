"""The userspace proxy of Service addresses, on this machine's loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lifepod.net.service_addresses import BackendChoice, ServiceAddresses
from lifepod.net.service_table import Backend, ServiceEntry, ServicePort, ServiceTable

A, B, C = (Backend(f"10.0.0.{n}", 80) for n in (1, 2, 3))


def test_clients_get_one_backend_after_the_other():
    choice = BackendChoice()
    choice.update((A, B, C), None)
    assert [choice.candidates("x", 0)[0] for _ in range(4)] == [A, B, C, A]
    assert choice.candidates("x", 0) == (B, C, A)


@pytest.mark.parametrize(
    ("later", "backends", "same"),
    [
        (10, (A, B, C), True),
        (99, (A, B, C), True),
        (100, (A, B, C), False),  # the affinity's time is over
        (10, (B, C), False),  # its backend is gone
    ],
)
def test_affinity_keeps_a_client_for_a_while(later, backends, same):
    choice = BackendChoice()
    choice.update((A, B, C), 100)
    first = choice.candidates("x", 0)[0]
    choice.note("x", first, 0)
    choice.update(backends, 100)
    assert (choice.candidates("x", later)[0] == first) is same


async def _make_socket(kind):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock


def _free_port(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _table(port, protocol, *backends):
    return ServiceTable((ServiceEntry("d", "s", "127.0.0.1", (ServicePort("p", port, protocol, backends),), ()),))


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(b"re " + data, addr)


def test_datagrams_go_to_a_backend_and_their_answers_back():
    async def story():
        loop = asyncio.get_running_loop()
        echo, _ = await loop.create_datagram_endpoint(_Echo, local_addr=("127.0.0.1", 0))
        port = _free_port(socket.SOCK_DGRAM)
        proxy = ServiceAddresses(_make_socket)
        await proxy.update(_table(port, "UDP", Backend(*echo.get_extra_info("sockname"))))
        client = await _make_socket("udp")
        await loop.sock_connect(client, ("127.0.0.1", port))
        for word in (b"a", b"b"):
            await loop.sock_sendall(client, word)
            assert await asyncio.wait_for(loop.sock_recv(client, 99), 5) == b"re " + word
        await proxy.close()
        echo.close()
        client.close()

    asyncio.run(story())


def test_a_dead_backend_is_passed_over_and_without_one_the_port_is_closed():
    async def story():
        async def serve(reader, writer):
            writer.write(await reader.read())  # everything until the client's half is closed
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        live = Backend(*server.sockets[0].getsockname())
        dead = Backend("127.0.0.1", _free_port(socket.SOCK_STREAM))
        port = _free_port(socket.SOCK_STREAM)
        proxy = ServiceAddresses(_make_socket)
        await proxy.update(_table(port, "TCP", dead, live))
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5) == b"hello"
            writer.close()
        await proxy.update(_table(port, "TCP"))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await proxy.close()
        server.close()

    asyncio.run(story())
