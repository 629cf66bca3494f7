"""Bytes on a socket: HTTP framing, WebSocket frames and SPDY frames made from their grammars, cut and damaged. No lost server."""

import asyncio
import contextlib
import json
import logging
import os
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from lifepod.apiserver.exchange import Request
from lifepod.apiserver.server import serve
from lifepod.apiserver.spdy import dictionary

from .fuzz import HEADERS, NS, Chance, scrambled, seeds

PATIENCE = 0.05
"""Seconds that a client waits for more; most answers come at once."""


class Echo:
    """A process, a connection: says what it is told, without any of this machine's processes."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[bytes] = asyncio.Queue()

    async def write(self, data: bytes) -> None:
        self._said.put_nowait(data)

    async def close_stdin(self) -> None:
        self._said.put_nowait(b"")

    close_write = close = close_stdin

    async def resize(self, width: int, height: int) -> None:
        assert 0 < width < 65536
        assert 0 < height < 65536

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while data := await self._said.get():
            yield 1, data

    async def exit_code(self) -> int:
        return 0

    async def read(self, limit: int = 65536) -> bytes:
        return await self._said.get()


class EchoStreams:
    """Every container and port is an echo."""

    async def exec(self, *args: Any, **more: Any) -> Echo:
        return Echo()

    attach = dial = exec  # noqa: A003


def run(
    cluster: Any,
    caplog: pytest.LogCaptureFixture,
    tries: int,
    speak: Callable[[int, Chance], Coroutine[Any, Any, None]],
) -> None:
    """Let many clients speak, sixteen at a time; then the server must answer, with no connection and no file left over."""
    caplog.set_level(logging.ERROR)
    cluster.streams.exec, cluster.streams.attach, cluster.streams.dial = (
        EchoStreams().exec,
        EchoStreams().exec,
        EchoStreams().exec,
    )
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
    cluster.app.site(Request("POST", f"{NS}/pods", "", HEADERS, json.dumps(pod).encode()))
    cluster.run_pods()

    async def main() -> None:
        server = await serve(cluster.app.site)
        files = len(os.listdir("/proc/self/fd"))
        turns = asyncio.Semaphore(16)

        async def one(chance: Chance) -> None:
            async with turns:
                await speak(server.port, chance)
                assert not caplog.records, f"seed {chance.number}: {caplog.text}"

        await asyncio.gather(*map(one, seeds(tries)))
        answer = await said_to(server.port, [b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"], 5)
        assert b"200 OK" in answer
        for _ in range(200):
            if server.connection_count == 0:
                break
            await asyncio.sleep(0.02)
        assert server.connection_count == 0
        assert len(os.listdir("/proc/self/fd")) <= files + 2
        await server.stop(0.2)
        cluster.resources.hub.close()

    asyncio.run(main())
    assert not caplog.records, caplog.text


async def said_to(port: int, pieces: list[bytes], patience: float = PATIENCE, *, half_close: bool = False) -> bytes:
    """Send pieces; what came back until the server closed or said nothing for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with contextlib.suppress(OSError, TimeoutError):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        if half_close:
            writer.write_eof()
        while more := await asyncio.wait_for(reader.read(65536), patience):
            answer += more
    writer.transport.abort()
    return answer


def cut(data: bytes, chance: Chance) -> list[bytes]:
    """The bytes in pieces, as a network may bring them."""
    if chance.random() < 0.5:
        return [data]
    marks = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(1, 4)))
    return [data[a:b] for a, b in zip([0, *marks], [*marks, len(data)], strict=True)]


# ------------------------------------------------------------------------------------------------------ HTTP

TARGETS = [
    b"/api/v1/pods", b"/", b"*", b"http://x/api", b"//api", b"/api/v1/../v1/pods", b"/%2e%2e/x", b"/api/v1/namespaces/default%2fpods",
    b"/api/v1/namespaces/default/configmaps/a%00b", b"/\xff", b"/%c0%ae", b"/%", b"/api?x=%zz", b"/a" * 5000, b"/api/v1/pods?watch=1&timeoutSeconds=1",
    b"/api/v1/pods?watch=1&resourceVersion=99999999", b"/api/v1/namespaces/default/pods/p/log?follow=1", b"", b"/api/v1/pods#x", b"/openapi/v3/../v2",
    b"/api/v1/namespaces/default/pods/p/proxy/../../x", b"/api/v1/namespaces/default/services/kubernetes:https/proxy/",
]  # fmt: skip
FRAMINGS = [
    b"", b"Content-Length: 2\r\n", b"Content-Length: 0\r\n", b"Content-Length: -1\r\n", b"Content-Length: 2\r\nContent-Length: 3\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: x\r\n", b"Content-Length: \xb2\r\n", b"Content-Length: +2\r\n", b"Content-Length : 2\r\n",
    b"Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"Expect: 100-continue\r\nContent-Length: 2\r\n",
]  # fmt: skip
LINES = [
    b"Host: x\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"Upgrade: h2c\r\n",
    b"Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", b"X: y\r\n folded\r\n", b"X\r\n", b": y\r\n", b"X: \x00\r\n", b"A: " + b"b" * 9000 + b"\r\n",
    b"Authorization: Bearer admin-token\r\n", b"Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n", b"Accept-Encoding: gzip\r\n",
    b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n", b"Content-Type: application/json\r\n", b"Range: bytes=0-1\r\n", b"TE: trailers\r\n",
]  # fmt: skip
CHUNKS = [
    b"2\r\n{}\r\n0\r\n\r\n",
    b"2;x=y\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
    b"zz\r\n{}\r\n",
    b"ffffffffffffffff\r\n",
    b"-1\r\n{}\r\n",
    b"2\r\n{}0\r\n\r\n",
    b"0\r\n\r\n",
]


def request(chance: Chance) -> bytes:
    """One request, by and large."""
    method = chance.choice(
        [
            b"GET",
            b"GET",
            b"POST",
            b"PUT",
            b"PATCH",
            b"DELETE",
            b"HEAD",
            b"OPTIONS",
            b"CONNECT",
            b"PRI",
            b"get",
            b"TRACE",
        ]
    )
    version = chance.choice([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1 x", b""])
    framing = chance.choice(FRAMINGS)
    lines = chance.choices(LINES, k=chance.randint(0, 4))
    if chance.random() < 0.6:
        lines.append(b"Authorization: Bearer admin-token\r\n")
    body = chance.choice(CHUNKS) if b"chunked" in framing else chance.choice([b"{}", b"", b"\xff\xfe", b"\x1f\x8b"])
    end = chance.choice([b"\r\n"] * 8 + [b"\n", b"", b"\r\r\n"])
    return method + b" " + chance.choice(TARGETS) + b" " + version + b"\r\n" + b"".join(lines) + framing + end + body


def test_http_framing(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def speak(port: int, chance: Chance) -> None:
        data = b"".join(chance.some(1, 3, lambda: request(chance)))
        data = scrambled(data, chance) if chance.random() < 0.2 else data
        answer = await said_to(port, cut(data, chance), half_close=chance.random() < 0.3)
        assert answer[:7] in (b"", b"HTTP/1."), f"seed {chance.number}: {data!r}: {answer[:200]!r}"
        assert b"HTTP/1.1 500" not in answer, f"seed {chance.number}: {data!r}: {answer[:2000]!r}"

    run(cluster, caplog, 150, speak)


# ------------------------------------------------------------------------------------------------------ WebSocket


def frame(chance: Chance, payload: bytes) -> bytes:
    """A client's frame, mostly as it must be."""
    opcode = chance.choice([2, 2, 2, 2, 1, 0, 8, 9, 10, 3, 11])
    first = (0x80 if chance.random() < 0.85 else 0) | (chance.choice([0] * 9 + [0x40, 0x20])) | opcode
    masked = 0x80 if chance.random() < 0.95 else 0
    length = len(payload) if chance.random() < 0.95 else chance.choice([0, 125, 2**16, 2**40, 2**63 + 1])
    if length < 126:
        head = struct.pack(">BB", first, masked | length)
    elif length < 65536:
        head = struct.pack(">BBH", first, masked | 126, length)
    else:
        head = struct.pack(">BBQ", first, masked | 127, length)
    mask = bytes(chance.randrange(256) for _ in range(4)) if masked else b""
    return head + mask + (bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if masked else payload)


CHANNELS = [b"", b"\x00in", b"\x04{\"Width\":80,\"Height\":24}", b"\x04{\"Width\":-1,\"Height\":1e9}", b"\x04[", b"\xff\x00", b"\xff\x04", b"\xff", b"\x09x",
            b"\x00" + b"y" * 70_000, b"\x03{}", b"\x00", b"\x01\x50\x00", b"\x04{\"Width\":\"x\"}", b"\x04null", b"\x04{\"Width\":1e400,\"Height\":NaN}", b"0aW4="]  # fmt: skip
STREAMS = [
    ("pods/p/exec?command=cat&stdin=true&stdout=true&tty=true", "v5.channel.k8s.io"), ("pods/p/exec?command=cat&stdin=1&stdout=1", "v4.channel.k8s.io"),
    ("pods/p/attach?stdin=true&stdout=true&stderr=true", "v5.channel.k8s.io, v4.channel.k8s.io"), ("pods/p/portforward?ports=80&ports=81", "v4.channel.k8s.io"),
    ("pods/p/portforward", "SPDY/3.1+portforward.k8s.io"), ("pods/p/exec?command=x&stdout=1", "base64.channel.k8s.io"), ("pods/p/portforward?ports=x", "v4.channel.k8s.io"),
]  # fmt: skip


def upgrade(target: str, protocol: str, wire: str = "websocket") -> bytes:
    named = (
        f"Sec-WebSocket-Protocol: {protocol}\r\n"
        if wire == "websocket"
        else f"X-Stream-Protocol-Version: {protocol}\r\n"
    )
    return (
        f"{'GET' if wire == 'websocket' else 'POST'} {NS}/{target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
        f"Connection: Upgrade\r\nUpgrade: {wire}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{named}\r\n"
    ).encode()


def test_websocket_frames(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def speak(port: int, chance: Chance) -> None:
        target, protocol = chance.choice(STREAMS)
        parts = spdy_frames(chance) if protocol.startswith("SPDY") else chance.choices(CHANNELS, k=chance.randint(1, 6))
        frames = b"".join(frame(chance, part) for part in parts)
        frames = scrambled(frames, chance) if chance.random() < 0.2 else frames
        await said_to(port, [upgrade(target, protocol), *cut(frames, chance)], half_close=chance.random() < 0.3)

    run(cluster, caplog, 150, speak)


# ------------------------------------------------------------------------------------------------------ SPDY


def spdy_frames(chance: Chance) -> list[bytes]:
    """Frames of a client that opens streams, speaks on them and on others, and ends them."""
    deflate = zlib.compressobj(zdict=dictionary()) if chance.random() < 0.9 else zlib.compressobj()

    def block() -> bytes:
        kinds = ["stdin", "stdout", "stderr", "error", "resize", "data", "x", ""]
        pairs = {
            "streamtype": chance.choice(kinds),
            "port": chance.choice(["80", "x", "99999", ""]),
            "requestid": chance.choice(["0", "1", ""]),
        }
        names = chance.sample(list(pairs), chance.randint(0, 3))
        texts = [text.encode() for name in names for text in (name, pairs[name])]
        plain = struct.pack(">I", len(names) if chance.random() < 0.9 else 2**31)
        plain += b"".join(struct.pack(">I", len(text) if chance.random() < 0.95 else 2**31) + text for text in texts)
        return deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)

    def control(kind: int, body: bytes) -> bytes:
        version = 3 if chance.random() < 0.97 else 2
        length = len(body) if chance.random() < 0.95 else chance.choice([0, 0xFFFFFF, 3])
        return struct.pack(">HHI", 0x8000 | version, kind, chance.choice([0, 0, 0, 1]) << 24 | length) + body

    def one() -> bytes:
        stream = chance.choice([1, 3, 5, 7, 9, 0, 2, 2**31 - 1])
        match chance.randrange(9):
            case 0 | 1 | 2 | 3:
                return control(1, struct.pack(">IIBB", stream, 0, 0, 0) + block())
            case 4 | 5:
                data = chance.choice([b"x", b"", b"y" * 5000, b'{"Width":1,"Height":2}'])
                return struct.pack(">II", stream, chance.choice([0, 1]) << 24 | len(data)) + data
            case 6:
                return control(3, struct.pack(">II", stream, 5))
            case 7:
                return control(6, struct.pack(">I", chance.randrange(2**32)))
            case _:
                return control(
                    chance.choice([2, 4, 7, 8, 9, 77]),
                    chance.choice([b"", struct.pack(">I", stream) + block(), b"abc"]),
                )

    return chance.some(1, 12, one)


def test_spdy_frames(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def speak(port: int, chance: Chance) -> None:
        target, protocol = chance.choice([("pods/p/exec?command=cat&stdin=1&stdout=1&stderr=1", "v4.channel.k8s.io"), ("pods/p/portforward", "portforward.k8s.io")])  # fmt: skip
        data = b"".join(spdy_frames(chance))
        data = scrambled(data, chance) if chance.random() < 0.2 else data
        await said_to(
            port, [upgrade(target, protocol, "SPDY/3.1"), *cut(data, chance)], half_close=chance.random() < 0.3
        )

    run(cluster, caplog, 150, speak)
