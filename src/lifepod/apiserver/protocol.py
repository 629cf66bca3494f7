"""HTTP/1.1 on a socket: bytes in, `Request`s to the site, answers out.

A protocol of our own on httptools, not uvicorn's: a request that is answered at once costs neither a task nor a coroutine, and
limits, upgrades and endless streams need the transport anyway (docs/decisions/0004). What must stay true: one request at a time and in order per
connection; no unlimited buffer in either direction; who sends or takes nothing for long is dropped; nothing a client sends raises out of here. WebSocket frames are
`websocket.py`'s, listening and TLS `server.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from email.utils import formatdate
from typing import Final, Protocol, cast

import httptools

from lifepod.apiserver.exchange import (
    NO_ANSWER,
    WEBSOCKET,
    Answer,
    Peer,
    Request,
    Response,
    Site,
    Stream,
    Upgrade,
    Whole,
    phrase,
)
from lifepod.apiserver.http_sink import HttpSink

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 3 * 1024 * 1024
HEADER_SECONDS: Final = 32.0
"""Source: k8s.io/apiserver v0.34.4 pkg/server/secure_serving.go: Serve (ReadHeaderTimeout)"""
IDLE_SECONDS: Final = 90.0
"""Source: as HEADER_SECONDS (IdleTimeout)"""
BODY_SECONDS: Final = 60.0
LINGER_SECONDS: Final = 0.5
MAX_DISCARDED: Final = 64 * 1024 * 1024
WRITE_HIGH_WATER: Final = 64 * 1024
PIECE_BYTES: Final = 2 * 1024 * 1024
"""A list of 500 pods still goes in one: in pieces of 256 kB it took the server twice the time."""
STALLED_SECONDS: Final = 60.0
MAX_PIPELINED: Final = 32


class Tunnel(Protocol):
    """What takes over a connection after an upgrade."""

    def feed(self, data: bytes) -> None: ...

    def lost(self) -> None: ...

    def set_writable(self, writable: bool) -> None: ...

    def shut_down(self) -> None: ...


class LargeBody:
    """What the client has not been sent yet of a large answer."""

    __slots__ = ("_rest", "keep_alive")

    def __init__(self, body: bytes, keep_alive: bool) -> None:
        self._rest = memoryview(body)
        self.keep_alive = keep_alive

    @property
    def left(self) -> int:
        """How many bytes there are still to send."""
        return len(self._rest)

    def next_piece(self, size: int) -> memoryview:
        """The next bytes to send, at most so many."""
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Connections:
    """What all connections of one server share: the site, the open connections, the Date header of this second."""

    def __init__(self, site: Site, too_large: Response) -> None:
        self.site = site
        self.too_large = too_large
        self.open: set[HttpProtocol] = set()
        self.stopping = False
        self.all_closed = asyncio.Event()
        self.turns = 0
        """How often another connection than before began to speak."""
        self._speaker: HttpProtocol | None = None
        self._date_second = -1
        self._date = ""

    def closed(self, connection: HttpProtocol) -> None:
        """A connection is gone."""
        self.open.discard(connection)
        if self._speaker is connection:
            self._speaker = None
        if self.stopping and not self.open:
            self.all_closed.set()

    def heard(self, connection: HttpProtocol) -> None:
        """Something came on a connection."""
        if self._speaker is not connection:
            self._speaker = connection
            self.turns += 1

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
        "_discarded",
        "_head_bytes",
        "_headers",
        "_idle",
        "_in_head",
        "_keep_alive",
        "_last_answer",
        "_loop",
        "_parser",
        "_peer",
        "_queue",
        "_rest",
        "_shared",
        "_sink",
        "_stalled",
        "_task",
        "_tunnel",
        "_url",
        "is_writable",
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
        self._idle: asyncio.TimerHandle | None = None
        self._last_answer = 0.0
        self._discarded: int | None = None
        self._queue: deque[tuple[Request, bool]] | None = None
        self._rest: LargeBody | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._sink: HttpSink | None = None
        self._tunnel: Tunnel | None = None
        self.is_writable = True

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
        if self._idle is not None:
            self._idle.cancel()
        self._rest = None
        self.is_writable = True
        if self._stalled is not None:
            self._stalled.cancel()
        if self._sink is not None:
            self._sink.lost()
        if self._tunnel is not None:
            self._tunnel.lost()
        if self._task is not None:
            self._task.cancel()
        self._queue = None
        # These know this connection: without such cycles all of it goes now, not when garbage is looked for.
        self._sink = self._tunnel = self._task = None
        del self._parser

    def pause_writing(self) -> None:
        self.is_writable = False
        if self._tunnel is not None:
            self._tunnel.set_writable(False)
        elif self._sink is None and self._stalled is None:
            self._watch_stalled()

    def resume_writing(self) -> None:
        self.is_writable = True
        if self._tunnel is not None:
            self._tunnel.set_writable(True)
        if self._sink is not None:
            self._sink.became_writable()
        elif self._rest is not None:
            self._send_rest()
        elif self._queue and self._task is None:
            self._next_request()

    def data_received(self, data: bytes) -> None:
        self._shared.heard(self)
        if self._tunnel is not None:
            self._tunnel.feed(data)
            return
        if self._discarded is not None:
            self._discarded += len(data)
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
        if self._discarded is not None:
            return
        if self._head_bytes + len(self._url) > MAX_HEADER_BYTES:
            self._refuse(431, "Request Header Fields Too Large")
            return
        self._body_bytes = 0
        self._body = []
        self._keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._cancel_deadline()
        length = self._headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            self._send_last(self._shared.too_large)
        elif expected := self._headers.get("expect", ""):
            self._meet(expected)

    def _meet(self, expected: str) -> None:
        """The client waits to be told to send the body; it cannot expect anything else.

        Source: golang net/http server.go: conn.serve (expectsContinue, sendExpectationFailed)
        """
        if expected.lower() != "100-continue":
            self._send_last(Response(417, b"", "text/plain; charset=utf-8"))
        elif self._parser.get_http_version() != "1.0":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._body is None:
            return
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._send_last(self._shared.too_large)

    def on_message_complete(self) -> None:
        if self._body is None or self.transport.is_closing():
            if self._discarded is not None:  # refused, and now all of it has come
                self.transport.close()
            return
        if self._deadline is not None:
            self._cancel_deadline()
        path, _, query = self._target()
        body = b"".join(self._body)
        self._body = None
        is_http10 = self._parser.get_http_version() == "1.0"
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path, query, self._headers, body, self._peer, is_http10)
        if self.is_free and not self._queue:
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
        while self._queue and self.is_free and self._tunnel is None:
            request, keep_alive = self._queue.popleft()
            if len(self._queue) == MAX_PIPELINED - 1:
                self.transport.resume_reading()
            self._answer(request, keep_alive)

    @property
    def is_free(self) -> bool:
        """Whether the next request can be answered: no answer is under way, and the client takes what it is sent."""
        return self._task is None and self._sink is None and self._rest is None and self.is_writable

    def _answer(self, request: Request, keep_alive: bool) -> None:
        answer: Answer = self._shared.site(request)
        if type(answer) is Response:
            self._send(answer, keep_alive, request)
        else:
            self._begin(answer, request, keep_alive)

    def _begin(self, answer: Answer, request: Request, keep_alive: bool) -> None:
        match answer:
            case Response():
                self._send(answer, keep_alive, request)
            case Stream():
                self._open_stream(answer, keep_alive, request)
            case Upgrade():
                self._open_tunnel(answer, request)
            case _:
                self._task = self._loop.create_task(self._await_answer(answer, request, keep_alive))

    async def _await_answer(self, answer: object, request: Request, keep_alive: bool) -> None:
        whole: Whole = await answer  # type: ignore[misc]  # _begin passes only awaitables here
        if self._task is not None and not self.transport.is_closing():
            self._task = None
            self._begin(whole, request, keep_alive)
            self._next_request()

    def _send(self, response: Response, keep_alive: bool, request: Request | None) -> None:
        status, body, content_type, extra = response
        is_head, is_http10 = (request.method == "HEAD", request.is_http10) if request is not None else (False, False)
        head = f"{_version(is_http10)} {status} {phrase(status)}\r\nDate: {self._shared.date()}\r\n"
        for name, value in extra:
            head += f"{name}: {value}\r\n"
        if status not in (204, 304):
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        if not keep_alive or self._shared.stopping:
            head += "Connection: close\r\n"
        elif is_http10:
            head += "Connection: keep-alive\r\n"
        data = head.encode("latin-1", "replace")
        if len(body) > PIECE_BYTES and not is_head:
            self.transport.write(data + b"\r\n")
            self._rest = LargeBody(body, keep_alive)
            self._send_rest()
            return
        self._answered()
        self.transport.write(b"%b\r\n%b" % (data, b"" if is_head else body))
        if self._discarded is None and (not keep_alive or self._shared.stopping):
            self.transport.close()

    def _send_rest(self) -> None:
        """Go on with a large answer, as far as the client has room."""
        while self.is_writable and (rest := self._rest) is not None:
            if not rest.left:
                self._rest = None
                self._answered()
                if not rest.keep_alive or self._shared.stopping:
                    self.transport.close()
                elif self._queue:
                    self._loop.call_soon(self._next_request)
                return
            self.transport.write(rest.next_piece(PIECE_BYTES))

    def _send_last(self, response: Response) -> None:
        """Answer a request that is still on its way, and take the rest of it: who finds the connection closed while
        sending never reads the answer.

        Source: golang net/http server.go: closeWriteAndWait (rstAvoidanceDelay)
        """
        self._body, self._in_head = None, False
        self._cancel_deadline()
        self._discarded = 0
        self._send(response, False, None)
        self._deadline = self._loop.call_later(LINGER_SECONDS, self._lingered, 0, self._loop.time() + BODY_SECONDS)

    def _lingered(self, before: int, ends: float) -> None:
        """Close once nothing more comes, or too much, or for too long."""
        self._deadline, now = None, self._discarded or 0
        if now > before and now < MAX_DISCARDED and self._loop.time() < ends:
            self._deadline = self._loop.call_later(LINGER_SECONDS, self._lingered, now, ends)
        else:
            self.transport.close()

    def _open_stream(self, stream: Stream, keep_alive: bool, request: Request) -> None:
        """Send the head of a stream and let it begin. For HTTP/1.0, which knows no chunks, it ends with its connection.

        Source: golang net/http server.go: chunkWriter.writeHeader
        """
        if stream is NO_ANSWER:
            self.transport.abort()
            return
        is_chunked = not request.is_http10
        keep_alive = keep_alive and is_chunked
        head = (
            f"{_version(request.is_http10)} {stream.status} {phrase(stream.status)}\r\nDate: {self._shared.date()}\r\n"
        )
        for name, value in stream.headers:
            head += f"{name}: {value}\r\n"
        head += f"Content-Type: {stream.content_type}\r\n"
        if is_chunked:
            head += "Transfer-Encoding: chunked\r\n"
        if not keep_alive:
            head += "Connection: close\r\n"
        self.transport.write(head.encode("latin-1", "replace") + b"\r\n")
        self._sink = sink = HttpSink(self, self._loop, keep_alive, is_chunked)
        stream.start(sink)
        if self._shared.stopping:
            sink.end_for_shutdown()

    def stream_ended(self, keep_alive: bool) -> None:
        """Called by the sink after its clean end."""
        self._sink = None
        self._answered()
        if not self.is_writable:
            self._watch_stalled()
        if not keep_alive or self._shared.stopping:
            self.transport.close()
        elif self._queue:
            self._loop.call_soon(self._next_request)

    def _open_tunnel(self, upgrade: Upgrade, request: Request) -> None:
        from lifepod.apiserver.tunnel import OpenTunnel
        from lifepod.apiserver.websocket import WebSocket, accept_key

        is_websocket = upgrade.wire == WEBSOCKET
        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {upgrade.wire}\r\nConnection: Upgrade\r\n"
        if is_websocket:
            head += f"Sec-WebSocket-Accept: {accept_key(request)}\r\n"
        if upgrade.subprotocol:
            header = "Sec-WebSocket-Protocol" if is_websocket else "X-Stream-Protocol-Version"
            head += f"{header}: {upgrade.subprotocol}\r\n"
        for name, value in upgrade.headers:
            head += f"{name}: {value}\r\n"
        self.transport.write(head.encode("latin-1", "replace") + b"\r\n")
        self._queue = None
        tunnel = (WebSocket if is_websocket else OpenTunnel)(self.transport, self._loop)
        self._tunnel = tunnel
        tunnel.set_writable(self.is_writable)
        tunnel.serve(upgrade.run)

    def _after_upgrade(self, rest: bytes) -> None:
        """The client asked to leave HTTP and the parser stopped there: either it got its tunnel, or the connection ends."""
        if self._tunnel is not None:
            if rest:
                self._tunnel.feed(rest)
        elif self._rest is not None:
            self._rest.keep_alive = False
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

    def _answered(self) -> None:
        """An answer is on its way: how long the next request may take counts from now."""
        self._last_answer = self._loop.time()
        if self._idle is None:
            self._idle = self._loop.call_later(IDLE_SECONDS, self._look_whether_idle)

    def _look_whether_idle(self) -> None:
        """Close a connection on which nothing is under way and nothing came for long; else look again."""
        is_used = self._in_head or self._body is not None or self._tunnel is not None or not self.is_free
        left = IDLE_SECONDS if is_used else self._last_answer + IDLE_SECONDS - self._loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self._idle = self._loop.call_later(left, self._look_whether_idle)

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
        if self._discarded is not None:
            return
        if self._task is None and self._sink is None and self._rest is None and not self.transport.is_closing():
            self._send_last(Response(status, f"{status} {text}".encode(), "text/plain; charset=utf-8"))
        else:
            self.transport.abort()

    def _watch_stalled(self) -> None:
        self._stalled = self._loop.call_later(STALLED_SECONDS, self._takes_nothing, self._untaken())

    def _untaken(self) -> int:
        return self.transport.get_write_buffer_size() + (self._rest.left if self._rest is not None else 0)

    def _takes_nothing(self, before: int) -> None:
        """Drop a client that took nothing of its answer since the last look. (Watches have a rule of their own.)"""
        self._stalled, left = None, self._untaken()
        if self.is_writable or self._sink is not None:
            return
        if left < before:
            self._stalled = self._loop.call_later(STALLED_SECONDS, self._takes_nothing, left)
        else:
            self.transport.abort()

    def shut_down(self) -> None:
        """End politely: idle connections at once, streams cleanly, requests under way when they are answered."""
        if self._tunnel is not None:
            self._tunnel.shut_down()
        elif self._sink is not None:
            self._sink.end_for_shutdown()
        elif self._rest is not None:
            self._rest.keep_alive = False
        elif self._task is None:
            self.transport.close()


def _version(is_http10: bool) -> str:
    return "HTTP/1.0" if is_http10 else "HTTP/1.1"


def peer_named_by(certificate: dict[str, tuple[tuple[tuple[str, str], ...], ...]]) -> Peer:
    """Common name and organizations of a certificate that TLS has already verified.

    Source: k8s.io/apiserver v0.34.4 pkg/authentication/request/x509/x509.go: CommonNameUserConversion
    """
    pairs = [pair for name in certificate.get("subject", ()) for pair in name]
    names = [value for key, value in pairs if key == "commonName"]
    return Peer(names[-1] if names else "", tuple(value for key, value in pairs if key == "organizationName"))
