"""gRPC probes against servers that answer, that speak something else, and that are not there (lifecycle.md §6.4)."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lifepod.lifecycle.vocabulary import GrpcHandler, Probed
from lifepod.runtime.process.probing import run_probe

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Reach:
    """The container is this machine."""

    pod_ip = "127.0.0.1"

    async def connect(self, host: str, port: int, **_: Any) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
        return sock


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def answering(status: int) -> Serve:
    """A health service that says `status`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)
        writer.write(frame(4, 0, 0, b""))
        while True:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == 0:
                break
        message = bytes([0x08, status])
        writer.write(frame(1, 0x4, 1, b"\x88"))
        writer.write(frame(0, 0, 1, struct.pack(">BI", 0, len(message)) + message))
        writer.write(frame(1, 0x5, 1, b"\x00\x0bgrpc-status\x010"))
        await writer.drain()

    return serve


async def http_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


NOT_CONNECTED = 'timeout: failed to connect service "127.0.0.1:{port}" within 1s: context deadline exceeded'


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        (answering(1), Probed("success", "service healthy")),
        (answering(2), Probed("failure", 'service unhealthy (responded with "NOT_SERVING")')),
        (http_one, Probed("failure", NOT_CONNECTED)),
        (hang_up, Probed("failure", NOT_CONNECTED)),
    ],
    ids=["serving", "not serving", "speaks HTTP/1.1", "hangs up"],
)
def test_a_grpc_probe_says_what_the_kubelet_says(serve: Serve, expected: Probed) -> None:
    async def story() -> tuple[Probed, int]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            reach: Any = Reach()
            return await run_probe(reach, GrpcHandler(port), 1), port

    found, port = asyncio.run(story())
    assert found == expected._replace(text=expected.text.format(port=port))
