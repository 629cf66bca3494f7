"""The API without a socket: the same site as an ASGI 3 application, for tests and other servers.

Knows `http`, `websocket` and `lifespan` scopes. Identity comes from the Authorization header only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from lifepod.apiserver.exchange import Request, Response, Site, Stream, Upgrade, Whole, run_stream
from lifepod.apiserver.http_errors import status_response
from lifepod.apiserver.http_errors import too_large as body_too_large

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
MAX_BODY_BYTES: Final = 3 * 1024 * 1024


class AsgiApp:
    """`app(scope, receive, send)` over a site. `too_large` answers bodies over the limit; upstream's words by default."""

    def __init__(self, site: Site, too_large: Response | None = None) -> None:
        self._site = site
        self._too_large = too_large or status_response(body_too_large(MAX_BODY_BYTES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)
            case other:
                raise ValueError(f"lifepod serves no ASGI scope {other!r}")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > MAX_BODY_BYTES:
                await _send_whole(self._too_large, send)
                return
            if not message.get("more_body"):
                break
        answer = await self._answered(_request(scope, bytes(body)))
        match answer:
            case Response():
                await _send_whole(answer, send)
            case Stream():
                await _send_stream(answer, receive, send)
            case Upgrade():
                await _send_whole(Response(400, b"Upgrade request required", "text/plain"), send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        request = _request(scope, b"")
        request.headers |= {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "-",
            "sec-websocket-protocol": ", ".join(scope.get("subprotocols", ())),
        }
        answer = await self._answered(request)
        if not isinstance(answer, Upgrade):
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
            return
        await send({"type": "websocket.accept", "subprotocol": answer.subprotocol or None})
        await answer.run(AsgiWebSocket(receive, send))
        await send({"type": "websocket.close", "code": 1000})

    async def _answered(self, request: Request) -> Whole:
        answer = self._site(request)
        if isinstance(answer, Response | Stream | Upgrade):
            return answer
        return await answer


def _request(scope: Scope, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope.get("headers", ()):
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"])
    return Request(scope.get("method", "GET"), path, scope.get("query_string", b"").decode("latin-1"), headers, body)


async def _send_head(status: int, content_type: str, headers: tuple[tuple[str, str], ...], send: Send) -> None:
    pairs = (("content-type", content_type), *headers)
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _send_whole(response: Response, send: Send) -> None:
    length = (("content-length", str(len(response.body))),)
    await _send_head(response.status, response.content_type, (*response.headers, *length), send)
    await send({"type": "http.response.body", "body": response.body})


async def _send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    await _send_head(stream.status, stream.content_type, stream.headers, send)
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    sink = AsgiSink()
    stream.start(sink)
    listening = asyncio.ensure_future(_until_disconnect(receive, sink))
    try:
        while (chunk := await sink.next_chunk()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        sink.lost()
        listening.cancel()


async def _until_disconnect(receive: Receive, sink: AsgiSink) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    sink.lost()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


class AsgiSink:
    """The body of a streamed answer, as messages."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = self._closed = False
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._writable: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def next_chunk(self) -> bytes | None:
        """What there is to send; None at the end."""
        while not self._chunks:
            if self._ended or self._closed:
                return None
            self._more.clear()
            await self._more.wait()
        chunk = b"".join(self._chunks)
        self._chunks, self._size = [], 0
        self._room.set()
        if self._writable is not None:
            self._writable()
        return chunk

    def write(self, data: bytes) -> None:
        if data and not self._closed and not self._ended:
            self._chunks.append(data)
            self._size += len(data)
            self._more.set()

    async def drain(self) -> None:
        while self._size > 64 * 1024 and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise ConnectionResetError("the client is gone")

    def buffered(self) -> int:
        return self._size

    def finish(self) -> None:
        if not self._ended:
            self._ended = True
            self._more.set()
            self._tell()

    def abort(self) -> None:
        self._chunks = []
        self.lost()

    def lost(self) -> None:
        """The client is gone."""
        if not self._closed:
            self._closed = True
            self._more.set()
            self._room.set()
            if self._task is not None and self._task is not asyncio.current_task():
                self._task.cancel()
            self._tell()

    def _tell(self) -> None:
        self._writable = None
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_close(self, callback: Callable[[], None]) -> None:
        if self._closed or self._ended:
            callback()
        else:
            self._callbacks.append(callback)

    def on_writable(self, callback: Callable[[], None]) -> None:
        self._writable = callback

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        self._task = asyncio.ensure_future(run_stream(work, self))


class AsgiWebSocket:
    """A WebSocket whose frames somebody else makes."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._gone = False

    async def receive(self) -> bytes | str | None:
        if self._gone:
            return None
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._gone = True
            return None
        data: bytes | None = message.get("bytes")
        return data if data is not None else str(message.get("text", ""))

    async def send(self, data: bytes) -> None:
        if self._gone:
            raise ConnectionResetError("the client is gone")
        await self._send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if not self._gone:
            self._gone = True
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
