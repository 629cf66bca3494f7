"""Clients that stop reading, over real TLS: memory stays bounded, and who was dropped can tell where its watch ended."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import orjson
import pytest

from lifepod.apiserver import watch_stream
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.server import Tls, serve

MAPS = "/api/v1/namespaces/default/configmaps"
LARGE = 500_000
ROOM = 2_000_000
"""Bytes that one connection may keep here: a batch that is under way, and buffers on both sides of TLS."""


def create(cluster: Any, name: str) -> None:
    obj = {"metadata": {"name": name}, "data": {"k": "x" * LARGE}}
    cluster.api.create(cluster.api.kinds.of("configmaps"), "default", obj, WriteOptions(cluster.now()))


def events(body: bytes) -> list[Any]:
    """The events of a chunked answer, which must have its clean end."""
    content, at = b"", 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line], 16)
        if size == 0:
            assert body[line:] == b"\r\n\r\n"
            return [orjson.loads(text) for text in content.splitlines()]
        content += body[line + 2 : line + 2 + size]
        at = line + 2 + size + 2


@pytest.mark.parametrize(
    "already_there", [True, False], ids=["while it hears what there is", "while it hears what comes"]
)
def test_a_watcher_that_stops_reading_costs_bounded_memory_and_finds_whole_events_and_a_clean_end(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, already_there: bool
) -> None:
    async def check() -> None:
        credentials = cluster.credentials
        server = await serve(cluster.app.site, tls=Tls(credentials.server, credentials.ca.certificate))
        context = ssl.create_default_context(cadata=credentials.ca.certificate.decode())
        if already_there:
            for number in range(60):
                create(cluster, f"m{number:02}")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, limit=1 << 16)
        writer.write(f"GET {MAPS}?watch=1 HTTP/1.1\r\nAuthorization: Bearer admin-token\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        if not already_there:
            for number in range(60):
                create(cluster, f"m{number:02}")
                await asyncio.sleep(0)
        (connection,) = server._connections.open
        assert connection.transport.get_write_buffer_size() < ROOM
        for name, seconds in (("before", 60.0), ("late", -1.0)):
            monkeypatch.setattr(watch_stream, "STALLED_SECONDS", seconds)
            create(cluster, name)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(cluster.resources.hub) == (1 if name == "before" else 0)
        assert connection.transport.get_write_buffer_size() < ROOM
        writer.transport.resume_reading()
        body = b""
        while not body.endswith(b"\r\n0\r\n\r\n"):
            more = await asyncio.wait_for(reader.read(1 << 20), 5)
            assert more, "the connection broke"
            body += more
        names = [event["object"]["metadata"]["name"] for event in events(body)]
        told = [name for name in names if name.startswith("m")]
        assert told == [f"m{number:02}" for number in range(len(told))]
        assert 0 < len(told) < 60
        writer.close()
        await server.stop(0.1)
        cluster.resources.hub.close()

    asyncio.run(check())
