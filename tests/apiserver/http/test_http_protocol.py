"""The wire: limits, order, keep-alive, streams, shutdown. Raw sockets against a tiny site."""

import asyncio
import gc
import ssl
from asyncio import sslproto
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifepod.apiserver import protocol
from lifepod.apiserver.certificates import mint_client, mint_credentials
from lifepod.apiserver.exchange import Answer, Request, Response, Sink, Stream
from lifepod.apiserver.protocol import HttpProtocol
from lifepod.apiserver.server import Server, SmallTlsProtocol, Tls, serve

NOW = datetime.now(UTC)
LARGE = bytes(range(256)) * 80_000


def echo(request: Request) -> Answer:
    """Says what came; `/later` answers from a task, `/forever` streams until the server ends it."""
    if request.path == "/later":
        return _later(request)
    if request.path == "/forever":
        return Stream(lambda sink: sink.write(b"begun\n"))
    if request.path == "/large":
        return Response(200, LARGE)
    if request.path == "/finite":
        return Stream(_two_chunks)
    peer = request.peer.name if request.peer else "-"
    text = f"{request.method} {request.path} {request.raw_query} {len(request.body)} {peer}\n"
    return Response(200, text.encode(), "text/plain")


async def _later(request: Request) -> Response:
    await asyncio.sleep(0)
    return Response(200, b"later " + request.body, "text/plain")


def _two_chunks(sink: Sink) -> None:
    sink.write(b"one")
    sink.write(b"two")
    sink.finish()


async def exchange(server: Server, data: bytes, until: bytes = b"") -> bytes:
    """Send bytes; read until the server closes or `until` arrives."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    try:
        if until:
            return await asyncio.wait_for(reader.readuntil(until), 5)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def against_echo(test: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = await serve(echo)
        try:
            await test(server)
        finally:
            await server.stop(0.1)
        assert server.connection_count == 0

    asyncio.run(main())


def test_another_turn_begins_when_another_connection_speaks_and_only_then() -> None:
    async def check(server: Server) -> None:
        pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        turns = []
        for speaker in (0, 0, 1, 1, 0):
            reader, writer = pairs[speaker]
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"-\n"), 5)
            turns.append(server.turns)
        assert turns == [1, 1, 2, 2, 3]
        for _, writer in pairs:
            writer.close()

    against_echo(check)


def test_a_request_is_answered_with_its_length_and_the_connection_stays_open() -> None:
    async def check(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(2):
            writer.write(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await asyncio.wait_for(reader.readuntil(b"-\n"), 5)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Content-Length: 15\r\n" in answer
        writer.close()

    against_echo(check)


def test_pipelined_requests_are_answered_in_order_even_when_one_has_to_wait() -> None:
    async def check(server: Server) -> None:
        answer = await exchange(
            server,
            b"POST /later HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy"
            b"GET /finite HTTP/1.1\r\n\r\n"
            b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n",
        )
        assert (
            answer.index(b"later xy") < answer.index(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n") < answer.index(b"GET /last")
        )

    against_echo(check)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 12_000 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 3145729\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n" + b"200001\r\n" + b"x" * 0x200001, 413),
    ],
)  # fmt: skip
def test_what_is_too_much_or_no_request_is_refused_and_the_connection_ends(data: bytes, status: int) -> None:
    async def check(server: Server) -> None:
        answer = await exchange(server, data)
        assert answer.startswith(b"HTTP/1.1 %d " % status)

    against_echo(check)


def over_tls(test: Callable[[Server, ssl.SSLContext], Awaitable[None]]) -> None:
    async def main() -> None:
        credentials = mint_credentials(NOW)
        server = await serve(echo, tls=Tls(credentials.server, credentials.ca.certificate))
        context = ssl.create_default_context(cadata=credentials.ca.certificate.decode())
        try:
            await test(server, context)
        finally:
            await server.stop(0.1)

    asyncio.run(main())


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"POST /api HTTP/1.1", b"PUT /api HTTP/1.1"])
def test_who_speaks_plain_http_to_the_tls_port_is_told_so(begin: bytes) -> None:
    async def check(server: Server, context: ssl.SSLContext) -> None:
        answer = await exchange(server, begin + b"\r\nHost: x\r\n\r\n")
        assert answer == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

    over_tls(check)


def test_who_speaks_neither_tls_nor_http_to_the_tls_port_is_told_nothing_in_plain_text() -> None:
    async def check(server: Server, context: ssl.SSLContext) -> None:
        assert b"HTTP" not in await exchange(server, b"SSH-2.0-OpenSSH_9.2\r\n")

    over_tls(check)


@pytest.mark.parametrize(
    ("request_head", "begins", "ends"),
    [
        (b"GET /a HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n", b"Connection: close\r\n\r\nGET /a  0 -\n"),
        (b"GET /finite HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"HTTP/1.0 200 OK\r\n", b"Connection: close\r\n\r\nonetwo"),
        (b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", b"HTTP/1.0 200 OK\r\n", b"POST /a  1 -\n"),
    ],
    ids=["an answer", "a stream has no chunks", "no interim answer"],
)  # fmt: skip
def test_http_1_0_is_answered_in_kind_and_its_connection_ends(request_head: bytes, begins: bytes, ends: bytes) -> None:
    async def check(server: Server) -> None:
        answer = await exchange(server, request_head)
        assert answer.startswith(begins)
        assert b"Transfer-Encoding" not in answer
        assert answer.endswith(ends)

    against_echo(check)


def test_an_http_1_0_connection_is_kept_when_the_client_asks_for_it() -> None:
    async def check(server: Server) -> None:
        once = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        answer = await exchange(server, once + once + b"GET /b HTTP/1.0\r\n\r\n")
        assert answer.count(b"Connection: keep-alive\r\n") == 2
        assert answer.endswith(b"Connection: close\r\n\r\nGET /b  0 -\n")

    against_echo(check)


def test_who_waits_to_be_told_is_told_to_send_the_body() -> None:
    async def check(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"xy")
        assert (await asyncio.wait_for(reader.readuntil(b"-\n"), 5)).endswith(b"POST /a  2 -\n")
        writer.close()

    against_echo(check)


def test_who_expects_anything_else_is_refused() -> None:
    async def check(server: Server) -> None:
        answer = await exchange(
            server, b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 2\r\n\r\nxy"
        )
        assert answer.startswith(b"HTTP/1.1 417 Expectation Failed\r\n")
        assert b"Connection: close\r\n" in answer

    against_echo(check)


def test_head_is_answered_like_get_without_the_body() -> None:
    async def check(server: Server) -> None:
        answer = await exchange(server, b"HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"Content-Length: 13\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")

    against_echo(check)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 8000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n7a1200\r\n"]
)
def test_a_client_that_first_sends_all_of_a_body_that_is_too_large_reads_why_it_was_refused(framing: bytes) -> None:
    async def check(server: Server, context: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing)
        for _ in range(800):
            writer.write(b"x" * 10_000)
            await writer.drain()
        if b"chunked" in framing:
            writer.write(b"\r\n0\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in answer
        assert b"limit is 3145728" in answer
        writer.close()

    over_tls(check)


def test_what_follows_a_refused_request_is_not_answered_and_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_DISCARDED", 100_000)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.02)

    async def check(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"nonsense\r\n\r\n" + b"GET /a HTTP/1.1\r\n\r\n" * 3)
        answer = await reader.readuntil(b"400 Bad Request")
        assert answer.count(b"HTTP/1.1 ") == 1
        async with asyncio.timeout(5):
            while server.connection_count:
                writer.write(b"GET /a HTTP/1.1\r\n\r\n" * 100)
                await asyncio.sleep(0)
        with suppress(ConnectionError):
            assert await reader.read() == b"400 Bad Request"
        writer.transport.abort()

    against_echo(check)


def test_a_large_answer_is_sent_in_pieces_as_the_client_takes_them_and_the_next_one_follows() -> None:
    async def check(server: Server, context: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, limit=1 << 16)
        writer.write(b"GET /large HTTP/1.1\r\n\r\nGET /after HTTP/1.1\r\nConnection: close\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % len(LARGE) in head
        (connection,) = server._connections.open
        assert connection.transport.get_write_buffer_size() < len(LARGE) / 4
        assert await reader.readexactly(len(LARGE)) == LARGE
        assert b"GET /after" in await reader.read()
        writer.close()

    over_tls(check)


def test_a_client_that_takes_nothing_of_a_large_answer_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 0.05)

    async def check(server: Server) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 16)
        writer.transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(5):
            while not server.connection_count:  # noqa: ASYNC110 - the server tells nobody whom it took in
                await asyncio.sleep(0)
            while server.connection_count:  # noqa: ASYNC110 - nor whom it dropped
                await asyncio.sleep(0.01)
        writer.transport.abort()

    against_echo(check)


def test_a_body_of_the_limit_is_taken() -> None:
    async def check(server: Server) -> None:
        body = b"x" * protocol.MAX_BODY_BYTES
        request = (
            b"POST /big HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        answer = await exchange(server, request + body)
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        assert b"POST /big  3145728 -" in answer

    against_echo(check)


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"])
def test_a_client_that_never_ends_its_request_is_cut_off(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.05)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.05)

    async def check(server: Server) -> None:
        answer = await exchange(server, sent)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")

    against_echo(check)


def test_a_connection_on_which_nothing_more_is_asked_is_closed_and_one_in_use_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.05)

    async def check(server: Server) -> None:
        watching, watcher = await asyncio.open_connection("127.0.0.1", server.port)
        watcher.write(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /forever HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(watching.readuntil(b"begun\n"), 5)
        for _ in range(2):
            assert (await exchange(server, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"GET /a  0 -\n")
        assert server.connection_count == 1
        watcher.close()
        await watching.read()

    against_echo(check)


def test_a_stream_sends_its_head_at_once_and_ends_cleanly_when_the_server_stops() -> None:
    async def main() -> None:
        server = await serve(echo)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /forever HTTP/1.1\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"begun\n\r\n"), 5)
        await server.stop()
        assert await asyncio.wait_for(reader.read(), 5) == b"0\r\n\r\n"
        writer.close()

    asyncio.run(main())


def test_an_upgrade_that_is_not_granted_ends_with_an_ordinary_answer() -> None:
    async def check(server: Server) -> None:
        answer = await exchange(server, b"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK")

    against_echo(check)


def test_the_client_certificate_names_the_peer(tmp_path: Path) -> None:
    credentials = mint_credentials(NOW)
    node = mint_client(credentials.ca, "system:node:n1", ("system:nodes",), NOW)

    async def ask(server: Server, context: ssl.SSLContext) -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=context, server_hostname="localhost"
        )
        writer.write(b"GET /who HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer

    async def main(pem: Path) -> None:
        server = await serve(echo, tls=Tls(credentials.server, credentials.ca.certificate))
        assert server.url == f"https://127.0.0.1:{server.port}"
        context = ssl.create_default_context(cadata=credentials.ca.certificate.decode())
        assert (await ask(server, context)).endswith(b"GET /who  0 -\n")
        context.load_cert_chain(pem)
        assert (await ask(server, context)).endswith(b"GET /who  0 system:node:n1\n")
        await server.stop(0.2)

    pem = tmp_path / "client.pem"
    pem.write_bytes(node.key + node.certificate)
    asyncio.run(main(pem))


def test_minting_with_a_seed_gives_the_same_credentials_each_time() -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    assert mint_credentials(moment, seed=b"7") == mint_credentials(moment, seed=b"7")
    assert mint_credentials(moment, seed=b"7") != mint_credentials(moment, seed=b"8")
    assert mint_credentials(moment) != mint_credentials(moment)


def test_the_size_of_tls_buffers_can_still_be_set() -> None:
    """`max_size` is private to asyncio: when it goes, a watch costs 256 kB again and this test says so."""
    assert sslproto.SSLProtocol.max_size == 256 * 1024

    async def main() -> None:
        made = SmallTlsProtocol(
            asyncio.get_running_loop(), asyncio.Protocol(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), None, server_side=True
        )  # fmt: skip
        assert len(made._ssl_buffer) == 16 * 1024

    asyncio.run(main())


def test_a_stream_that_breaks_ends_its_connection_and_not_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks() -> None:
        raise RuntimeError("oops")

    def site(request: Request) -> Answer:
        return Stream(lambda sink: sink.spawn(breaks())) if request.path == "/breaks" else echo(request)

    async def main() -> None:
        server = await serve(site)
        assert not (await exchange(server, b"GET /breaks HTTP/1.1\r\n\r\n")).endswith(b"0\r\n\r\n")
        assert b"200 OK" in await exchange(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        await server.stop(0.1)

    asyncio.run(main())
    assert "a stream broke off" in caplog.text


@pytest.mark.parametrize("path", [b"/a", b"/forever"], ids=["answered", "left in the middle of a stream"])
def test_a_closed_connection_is_freed_at_once_and_not_when_garbage_is_looked_for(path: bytes) -> None:
    def connections() -> int:
        return sum(isinstance(each, HttpProtocol | SmallTlsProtocol) for each in gc.get_objects())

    async def check(server: Server, context: ssl.SSLContext) -> None:
        before = connections()
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
            writer.write(b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
            await reader.read(1)
            writer.close()
        del reader, writer
        async with asyncio.timeout(5):
            while server.connection_count:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0)
        assert connections() == before

    gc.collect()
    gc.disable()
    try:
        over_tls(check)
    finally:
        gc.enable()
