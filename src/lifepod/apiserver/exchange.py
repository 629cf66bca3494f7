"""What goes between the wire and the API: requests in, three forms of answer out.

The wire is `protocol.py` (HTTP/1.1 sockets) or `asgi.py` (no socket); the API is `app.py`. Neither knows the other, both know
this file. A `Response` is whole; a `Stream` goes on after its head (watch, log); an `Upgrade` becomes a WebSocket.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qs

_log = logging.getLogger("lifepod.apiserver")
Headers: TypeAlias = tuple[tuple[str, str], ...]


class Peer(NamedTuple):
    """Whom the client's TLS certificate names: common name and organizations."""

    name: str
    groups: tuple[str, ...]


class Request:
    """One HTTP request, complete with its body. Header names are lower case; a repeated header is joined by `, `.

    `answer_headers` are for the answer, whatever it turns out to be.
    """

    __slots__ = ("_query", "answer_headers", "body", "headers", "is_http10", "method", "path", "peer", "raw_query")

    def __init__(
        self,
        method: str,
        path: str,
        raw_query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        peer: Peer | None = None,
        is_http10: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.raw_query = raw_query
        self.headers: dict[str, str] = {} if headers is None else headers
        self.body = body
        self.peer = peer
        self.is_http10 = is_http10
        self.answer_headers: Headers = ()
        self._query: dict[str, list[str]] | None = None

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters of the query string, each with its values in order."""
        if self._query is None:
            self._query = parse_qs(self.raw_query, keep_blank_values=True) if self.raw_query else {}
        return self._query

    def param(self, name: str) -> str:
        """The first value of a query parameter; "" when it is absent."""
        if not self.raw_query:
            return ""
        values = self.query.get(name)
        return values[0] if values else ""

    def flag(self, name: str) -> bool:
        """A boolean query parameter as upstream reads it: absent, 0 and false are no, everything else (also "") is yes.

        Source: k8s.io/apimachinery v0.34.4 pkg/runtime/converter.go: Convert_Slice_string_To_bool
        """
        if not self.raw_query:
            return False
        values = self.query.get(name)
        return bool(values) and values is not None and values[0].lower() not in ("0", "false")


class Sink(Protocol):
    """Where a stream's bytes go."""

    def write(self, data: bytes) -> None:
        """Send; never waits. Ignored once the client is gone."""
        ...

    async def drain(self) -> None:
        """Wait until the client keeps up. Raises ConnectionResetError when it is gone."""
        ...

    def buffered(self) -> int:
        """How many bytes the client has not yet taken."""
        ...

    def finish(self) -> None:
        """The clean end."""
        ...

    def abort(self) -> None:
        """The hard end: what is buffered is thrown away."""
        ...

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back once when the client is gone or the server stops; at once if that has happened."""
        ...

    def on_writable(self, callback: Callable[[], None]) -> None:
        """Call back whenever the client has caught up again."""
        ...

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` as a task that is cancelled when the client goes away; the stream finishes when it ends."""
        ...


async def run_stream(work: Coroutine[object, object, None], sink: Sink) -> None:
    """Do the work of a stream, then end it: cleanly, or hard when the client is gone or the work fails."""
    try:
        await work
    except ConnectionResetError:
        sink.abort()
    except Exception:  # noqa: BLE001 - the outermost edge of a stream: it ends, the server goes on
        _log.exception("a stream broke off: our own mistake")
        sink.abort()
    else:
        sink.finish()


class WebSocketLike(Protocol):
    """An open WebSocket."""

    async def receive(self) -> bytes | str | None:
        """The next message; None once the peer closed."""
        ...

    async def send(self, data: bytes) -> None:
        """Send one binary message; waits while the client does not keep up. Raises ConnectionResetError when it is gone."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Response(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Headers = ()


class Stream(NamedTuple):
    """An answer that goes on. `start` is called once the head is sent; it must not wait."""

    start: Callable[[Sink], None]
    status: int = 200
    content_type: str = "application/json"
    headers: Headers = ()


NO_ANSWER = Stream(lambda sink: sink.abort(), 0)
"""The connection breaks without an answer: what a fault does."""


Wire: TypeAlias = Literal["websocket", "SPDY/3.1"]
WEBSOCKET: Final = "websocket"
SPDY: Final = "SPDY/3.1"


class Upgrade(NamedTuple):
    """The request becomes a WebSocket that speaks `subprotocol`; it is closed when `run` returns.

    With the wire SPDY/3.1 `run` gets that protocol's bare bytes as they come.
    """

    run: Callable[[WebSocketLike], Coroutine[object, object, None]]
    subprotocol: str = ""
    headers: Headers = ()
    wire: Wire = WEBSOCKET


Whole: TypeAlias = Response | Stream | Upgrade
Answer: TypeAlias = Whole | Awaitable[Whole]
Site: TypeAlias = Callable[[Request], Answer]
"""What a wire serves: answers a request, at once or later; never raises."""

_PHRASES = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found", 304: "Not Modified",
    307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    413: "Request Entity Too Large", 415: "Unsupported Media Type", 417: "Expectation Failed", 422: "Unprocessable Entity", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip


def phrase(status: int) -> str:
    """The reason phrase of a status code."""
    return _PHRASES.get(status, "Status")
