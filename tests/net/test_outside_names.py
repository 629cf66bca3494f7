"""Names outside of the cluster: asked of this machine's resolvers, and told when there is such a name."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from lifepod.net import dns_message as wire
from lifepod.net.dns_server import DnsServer

RESOLVER = "127.53.53.53"


@pytest.fixture
def resolver() -> Iterator[list[str]]:
    """A resolver that knows example.com; the names it was asked for."""
    asked: list[str] = []
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((RESOLVER, 53))
    except PermissionError:
        sock.close()
        pytest.skip("needs the right to bind port 53")

    def serve() -> None:
        while True:
            packet, client = sock.recvfrom(4096)
            if not packet:
                return
            question = wire.parse_question(packet)
            asked.append(question.name)
            known = question.name == "example.com"
            records = (wire.Record(question.name, wire.A, 60, wire.address_data("192.0.2.7")),) if known else ()
            sock.sendto(wire.answer(question, wire.NO_ERROR if known else wire.NAME_ERROR, records), client)

    thread = threading.Thread(target=serve)
    thread.start()
    yield asked
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as end:
        end.sendto(b"", (RESOLVER, 53))
    thread.join()
    sock.close()


def _question(name: str) -> bytes:
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + wire.encode_name(name) + struct.pack(">2H", wire.A, wire.IN)


def test_only_names_outside_are_asked_for_and_only_those_that_exist_are_told(resolver: list[str]) -> None:
    told: list[str] = []

    server = DnsServer(lambda: (RESOLVER,), on_outside=told.append)
    names = ("example.com", "absent.example", "single", "db.default.svc.cluster.local")
    assert asyncio.run(_replies(server, *names)) == [(wire.NO_ERROR, 1), *[(wire.NAME_ERROR, 0)] * 3]
    assert resolver == ["example.com", "absent.example"]
    assert told == ["example.com"]


def test_resolvers_are_looked_up_anew_and_one_that_is_away_is_no_answer() -> None:
    """Nobody listens at the address, so the question is refused at once."""
    found = iter(((), ("127.53.53.54",)))
    server = DnsServer(lambda: next(found))
    replies = asyncio.run(_replies(server, "example.com", "example.com"))
    assert replies == [(wire.NAME_ERROR, 0), (wire.SERVER_FAILURE, 0)]


async def _replies(server: DnsServer, *names: str) -> list[tuple[int, int]]:
    """Ask the server for addresses; each reply's code and number of answers."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    address = sock.getsockname()
    await server.serve_udp(sock)
    loop, replies = asyncio.get_running_loop(), []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        for name in names:
            await loop.sock_sendto(client, _question(name), address)
            reply = await asyncio.wait_for(loop.sock_recv(client, 4096), 10)
            flags, _, answers = struct.unpack_from(">3H", reply, 2)
            replies.append((flags & 0xF, answers))
    await server.close()
    return replies
