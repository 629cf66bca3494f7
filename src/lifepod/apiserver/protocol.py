"""HTTP/1.1 on a socket: bytes in, `Request`s to the site, answers out.

A protocol of our own on httptools, not uvicorn's: a request that is answered at once costs neither a task nor a coroutine, and
limits, upgrades and endless streams need the transport anyway (docs/decisions/0004). What must stay true: one request at a time and in order per
connection; no unlimited buffer in either direction; nothing a client sends raises out of here. WebSocket frames are
`websocket.py`'s, listening and TLS `server.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Final, Protocol, cast

import httptools

from lifepod.apiserver.exchange import NO_ANSWER, Answer, Peer, Request, Response, Site, Stream, Upgrade, Whole, phrase

_log = logging.getLogger("lifepod.apiserver")

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 3 * 1024 * 1024
HEADER_SECONDS: Final = 10.0
BODY_SECONDS: Final = 60.0
WRITE_HIGH_WATER: Final = 64 * 1024
MAX_PIPELINED: Final = 32


class Tunnel(Protocol):
    """What takes over a connection after an upgrade."""

    def feed(self, data: bytes) -> None: ...

    def lost(self) -> None: ...

    def set_writable(self, writable: bool) -> None: ...

    def shut_down(self) -> None: ...


class Connections:
    """What all connections of one server share: the site, the open connections, the Date header of this second."""

    def __init__(self, site: Site, too_large: Response) -> None:
        self.site = site
        self.too_large = too_large
        self.open: set[HttpProtocol] = set()
        self.stopping = False
        self.all_closed = asyncio.Event()
        self._date_second = -1
        self._date = ""

    def closed(self, connection: HttpProtocol) -> None:
        """A connection is gone."""
        self.open.discard(connection)
        if self.stopping and not self.open:
            self.all_closed.set()

    def date(self) -> str:
        """The Date header's value; formatted once a second."""
        second = int(time.time())
        if second != self._date_second:
            self._date_second, self._date = second, formatdate(second, usegmt=True)
        return self._date


class HttpProtocol(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_deadline",
        "_head_bytes",
        "_headers",
        "_in_head",
        "_keep_alive",
        "_loop",
        "_parser",
        "_peer",
        "_queue",
        "_shared",
        "_sink",
        "_task",
        "_tunnel",
        "_url",
        "_writable",
        "transport",
    )

    def __init__(self, shared: Connections, loop: asyncio.AbstractEventLoop) -> None:
        self._shared = shared
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._peer: Peer | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] | None = None
        self._head_bytes = 0
        self._body_bytes = 0
        self._in_head = False
        self._keep_alive = True
        self._deadline: asyncio.TimerHandle | None = None
        self._queue: deque[tuple[Request, bool]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._sink: HttpSink | None = None
        self._tunnel: Tunnel | None = None
        self._writable = True

    # -------------------------------------------------------------------------------------------- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._shared.open.add(self)
        certificate = transport.get_extra_info("peercert")
        if certificate:
            self._peer = peer_named_by(certificate)
        self._deadline = self._loop.call_later(HEADER_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.closed(self)
        self._cancel_deadline()
        self._writable = True
        if self._sink is not None:
            self._sink.lost()
        if self._tunnel is not None:
            self._tunnel.lost()
        if self._task is not None:
            self._task.cancel()
        self._queue = None

    def pause_writing(self) -> None:
        self._writable = False
        if self._tunnel is not None:
            self._tunnel.set_writable(False)

    def resume_writing(self) -> None:
        self._writable = True
        if self._tunnel is not None:
            self._tunnel.set_writable(True)
        if self._sink is not None:
            self._sink.became_writable()
        elif self._queue and self._task is None:
            self._next_request()

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.feed(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(400, "Bad Request")
            return
        if self._in_head or self._body is not None:
            self._watch_unfinished(len(data))

    def _watch_unfinished(self, count: int) -> None:
        """A request came only in part: it has a limit of time and, before its headers end, of size."""
        if self._in_head:
            self._head_bytes += count
            if self._head_bytes > 2 * MAX_HEADER_BYTES:
                self._refuse(431, "Request Header Fields Too Large")
                return
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self._loop.call_later(HEADER_SECONDS if self._in_head else BODY_SECONDS, self._too_slow)

    # -------------------------------------------------------------------------------------------- httptools' side

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._body = None
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_bytes + len(self._url) > MAX_HEADER_BYTES:
            self._refuse(431, "Request Header Fields Too Large")
            return
        self._body_bytes = 0
        self._body = []
        self._keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._cancel_deadline()
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            self._send_and_close(self._shared.too_large)
        elif self._headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._body is None:
            return
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._send_and_close(self._shared.too_large)

    def on_message_complete(self) -> None:
        if self._body is None or self.transport.is_closing():
            return
        if self._deadline is not None:
            self._cancel_deadline()
        path, _, query = self._target()
        body = b"".join(self._body)
        self._body = None
        request = Request(self._parser.get_method().decode("latin-1"), path, query, self._headers, body, self._peer)
        if self._task is None and self._sink is None and self._writable and not self._queue:
            self._answer(request, self._keep_alive)
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append((request, self._keep_alive))
        if len(self._queue) >= MAX_PIPELINED:
            self.transport.pause_reading()

    def _target(self) -> tuple[str, str, str]:
        url = self._url
        if not url.startswith(b"/"):
            try:
                parsed = httptools.parse_url(url)
                url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
            except httptools.HttpParserInvalidURLError:
                url = b"/" + url
        path, mark, query = url.decode("latin-1").partition("?")
        return path, mark, query

    # -------------------------------------------------------------------------------------------- answering

    def _next_request(self) -> None:
        """Answer what the client sent while an earlier request was under way."""
        while self._queue and self._task is None and self._sink is None and self._tunnel is None and self._writable:
            request, keep_alive = self._queue.popleft()
            if len(self._queue) == MAX_PIPELINED - 1:
                self.transport.resume_reading()
            self._answer(request, keep_alive)

    def _answer(self, request: Request, keep_alive: bool) -> None:
        answer: Answer = self._shared.site(request)
        if type(answer) is Response:
            self._send(answer, keep_alive, request.method)
        else:
            self._begin(answer, request, keep_alive)

    def _begin(self, answer: Answer, request: Request, keep_alive: bool) -> None:
        match answer:
            case Response():
                self._send(answer, keep_alive, request.method)
            case Stream():
                self._open_stream(answer, keep_alive)
            case Upgrade():
                self._open_websocket(answer, request)
            case _:
                self._task = self._loop.create_task(self._await_answer(answer, request, keep_alive))

    async def _await_answer(self, answer: object, request: Request, keep_alive: bool) -> None:
        whole: Whole = await answer  # type: ignore[misc]  # _begin passes only awaitables here
        if self._task is not None and not self.transport.is_closing():
            self._task = None
            self._begin(whole, request, keep_alive)
            self._next_request()

    def _send(self, response: Response, keep_alive: bool, method: str) -> None:
        status, body, content_type, extra = response
        head = f"HTTP/1.1 {status} {phrase(status)}\r\nDate: {self._shared.date()}\r\n"
        for name, value in extra:
            head += f"{name}: {value}\r\n"
        if status not in (204, 304):
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        if not keep_alive or self._shared.stopping:
            head += "Connection: close\r\n"
        data = head.encode("latin-1", "replace")
        self.transport.write(b"%b\r\n%b" % (data, b"" if method == "HEAD" else body))
        if not keep_alive or self._shared.stopping:
            self.transport.close()

    def _send_and_close(self, response: Response) -> None:
        self._body = None
        self._send(response, False, "")

    def _open_stream(self, stream: Stream, keep_alive: bool) -> None:
        if stream is NO_ANSWER:
            self.transport.abort()
            return
        head = f"HTTP/1.1 {stream.status} {phrase(stream.status)}\r\nDate: {self._shared.date()}\r\n"
        for name, value in stream.headers:
            head += f"{name}: {value}\r\n"
        head += f"Content-Type: {stream.content_type}\r\nTransfer-Encoding: chunked\r\n"
        if not keep_alive:
            head += "Connection: close\r\n"
        self.transport.write(head.encode("latin-1", "replace") + b"\r\n")
        self._sink = sink = HttpSink(self, self._loop, keep_alive)
        stream.start(sink)
        if self._shared.stopping:
            sink.end_for_shutdown()

    def stream_ended(self, keep_alive: bool) -> None:
        """Called by the sink after its clean end."""
        self._sink = None
        if not keep_alive or self._shared.stopping:
            self.transport.close()
        elif self._queue:
            self._loop.call_soon(self._next_request)

    def _open_websocket(self, upgrade: Upgrade, request: Request) -> None:
        from lifepod.apiserver.websocket import WebSocket, accept_key

        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(request)}\r\n"
        if upgrade.subprotocol:
            head += f"Sec-WebSocket-Protocol: {upgrade.subprotocol}\r\n"
        for name, value in upgrade.headers:
            head += f"{name}: {value}\r\n"
        self.transport.write(head.encode("latin-1", "replace") + b"\r\n")
        self._queue = None
        self._tunnel = websocket = WebSocket(self.transport, self._loop)
        websocket.set_writable(self._writable)
        websocket.serve(upgrade.run)

    def _after_upgrade(self, rest: bytes) -> None:
        """The client asked to leave HTTP and the parser stopped there: either it got its tunnel, or the connection ends."""
        if self._tunnel is not None:
            if rest:
                self._tunnel.feed(rest)
        elif self._task is None and self._sink is None:
            self.transport.close()
        else:
            self._body = None
            self._tunnel_pending(rest)

    def _tunnel_pending(self, rest: bytes) -> None:
        """The answer is still being made: stop reading until it is, then hand over what came in the meantime."""
        self.transport.pause_reading()
        task = self._task
        if task is None:
            return

        def go_on(_: object) -> None:
            if self.transport.is_closing():
                return
            if self._tunnel is None:
                self.transport.close()
                return
            if rest:
                self._tunnel.feed(rest)
            self.transport.resume_reading()

        task.add_done_callback(go_on)

    # -------------------------------------------------------------------------------------------- limits and the end

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._in_head or self._body is not None:
            self._refuse(408, "Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        """Not worth a Status: what came was not a request."""
        self._body, self._in_head = None, False
        if self._task is None and self._sink is None and not self.transport.is_closing():
            self._send(Response(status, f"{status} {text}".encode(), "text/plain; charset=utf-8"), False, "")
        else:
            self.transport.abort()

    def shut_down(self) -> None:
        """End politely: idle connections at once, streams cleanly, requests under way when they are answered."""
        if self._tunnel is not None:
            self._tunnel.shut_down()
        elif self._sink is not None:
            self._sink.end_for_shutdown()
        elif self._task is None:
            self.transport.close()


class HttpSink:
    """The body of a streamed answer, as chunks."""

    __slots__ = (
        "_callbacks",
        "_closed",
        "_drained",
        "_keep_alive",
        "_loop",
        "_protocol",
        "_task",
        "_writable_callback",
    )

    def __init__(self, protocol: HttpProtocol, loop: asyncio.AbstractEventLoop, keep_alive: bool) -> None:
        self._protocol = protocol
        self._loop = loop
        self._keep_alive = keep_alive
        self._closed = False
        self._callbacks: list[Callable[[], None]] = []
        self._writable_callback: Callable[[], None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        if data and not self._closed:
            self._protocol.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def drain(self) -> None:
        if self._closed:
            raise ConnectionResetError("the client is gone")
        if not self._protocol._writable:
            self._drained = self._loop.create_future()
            await self._drained

    def buffered(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    def became_writable(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._writable_callback is not None and not self._closed:
            self._writable_callback()

    def on_writable(self, callback: Callable[[], None]) -> None:
        self._writable_callback = callback

    def finish(self) -> None:
        if self._closed:
            return
        self._protocol.transport.write(b"0\r\n\r\n")
        self._end()
        self._protocol.stream_ended(self._keep_alive)

    def abort(self) -> None:
        if not self._closed:
            self._end()
            self._protocol.transport.abort()

    def lost(self) -> None:
        if not self._closed:
            self._end()

    def end_for_shutdown(self) -> None:
        self._keep_alive = False
        self.finish()

    def _end(self) -> None:
        self._closed = True
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the client is gone"))
        if self._task is not None and self._task is not asyncio.current_task(self._loop):
            self._task.cancel()
        self._writable_callback = None
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_close(self, callback: Callable[[], None]) -> None:
        if self._closed:
            callback()
        else:
            self._callbacks.append(callback)

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        self._task = self._loop.create_task(self._run(work))

    async def _run(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except ConnectionResetError:
            self.abort()
        except Exception:  # noqa: BLE001 - the outermost edge of a stream: it ends, the server goes on
            _log.exception("a stream broke off: our own mistake")
            self.abort()
        else:
            self.finish()


def peer_named_by(certificate: dict[str, tuple[tuple[tuple[str, str], ...], ...]]) -> Peer:
    """Common name and organizations of a certificate that TLS has already verified.

    Source: k8s.io/apiserver v0.34.4 pkg/authentication/request/x509/x509.go: CommonNameUserConversion
    """
    pairs = [pair for name in certificate.get("subject", ()) for pair in name]
    names = [value for key, value in pairs if key == "commonName"]
    return Peer(names[-1] if names else "", tuple(value for key, value in pairs if key == "organizationName"))
