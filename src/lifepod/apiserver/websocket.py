"""One WebSocket on a connection that `protocol.py` has upgraded. Frames are wsproto's work; flow control is ours.

Messages wait in a bounded queue: when it is full the socket is not read any more, so that a slow process behind an exec slows
its client down instead of filling memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from lifepod.apiserver.exchange import Request, WebSocketLike

_log = logging.getLogger("lifepod.apiserver")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_QUEUED_BYTES: Final = 256 * 1024
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
CLOSE_SECONDS: Final = 5.0


def accept_key(request: Request) -> str:
    """The handshake's proof that we speak WebSocket (RFC 6455 §4.2.2)."""
    key = request.headers.get("sec-websocket-key", "").encode("latin-1")
    return b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest()).decode()


class WebSocket:
    """An open WebSocket; `serve` runs what was asked for on it and closes it when that ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._frames = Connection(ConnectionType.SERVER)
        self._messages: deque[bytes | str] = deque()
        self._queued_bytes = 0
        self._parts: list[bytes | str] = []
        self._part_bytes = 0
        self._reading = True
        self._writable = asyncio.Event()
        self._writable.set()
        self._arrived: asyncio.Future[None] | None = None
        self._peer_closed = False
        self._closed = False
        self._lost = False
        self._task: asyncio.Task[None] | None = None

    def serve(self, run: Callable[[WebSocketLike], Coroutine[object, object, None]]) -> None:
        """Start `run` as a task; close 1000 when it ends."""
        self._task = self._loop.create_task(self._serve(run))

    async def _serve(self, run: Callable[[WebSocketLike], Coroutine[object, object, None]]) -> None:
        try:
            await run(self)
        except ConnectionResetError:
            self._transport.abort()
        except Exception:  # noqa: BLE001 - the outermost edge of a stream: it ends, the server goes on
            _log.exception("a WebSocket broke off: our own mistake")
            await self.close(1011, "internal error")
        finally:
            await self.close()

    # -------------------------------------------------------------------------------------------- from the connection

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._closed:
            return
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._take(event)
        except (RemoteProtocolError, LocalProtocolError) as problem:
            self._fail(1002, str(problem))

    def _take(self, event: Event) -> None:
        match event:
            case BytesMessage() | TextMessage():
                self._take_part(event)
            case Ping():
                self._transport.write(self._frames.send(event.response()))
            case CloseConnection():
                self._peer_closed = True
                if not self._lost:
                    self._transport.write(self._frames.send(event.response()))
                self._wake()
            case _:
                pass

    def _take_part(self, event: BytesMessage | TextMessage) -> None:
        self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else str(event.data))
        self._part_bytes += len(event.data)
        if self._part_bytes > MAX_MESSAGE_BYTES:
            self._fail(1009, "message too big")
            return
        if not event.message_finished:
            return
        message: bytes | str
        if isinstance(event, TextMessage):
            message = "".join(str(part) for part in self._parts)
        else:
            message = b"".join(part for part in self._parts if isinstance(part, bytes))
        self._queued_bytes += self._part_bytes
        self._parts, self._part_bytes = [], 0
        self._messages.append(message)
        if self._queued_bytes > MAX_QUEUED_BYTES and self._reading:
            self._reading = False
            self._transport.pause_reading()
        self._wake()

    def _fail(self, code: int, reason: str) -> None:
        self._send_close(code, reason)
        self._peer_closed = True
        self._transport.close()
        self._wake()

    def set_writable(self, writable: bool) -> None:
        """The transport's buffer is full, or has room again."""
        if writable:
            self._writable.set()
        else:
            self._writable.clear()

    def lost(self) -> None:
        """The connection is gone."""
        self._lost = self._peer_closed = self._closed = True
        self._writable.set()
        self._wake()

    def shut_down(self) -> None:
        """The server stops: going away."""
        if self._task is not None:
            self._task.cancel()

    # -------------------------------------------------------------------------------------------- for whoever serves it

    async def receive(self) -> bytes | str | None:
        """The next message; None once the peer closed and every message was taken."""
        while not self._messages:
            if self._peer_closed:
                return None
            self._arrived = self._loop.create_future()
            await self._arrived
        message = self._messages.popleft()
        self._queued_bytes -= len(message)
        if not self._reading and self._queued_bytes <= MAX_QUEUED_BYTES // 2 and not self._lost:
            self._reading = True
            self._transport.resume_reading()
        return message

    async def send(self, data: bytes) -> None:
        """Send one binary message. Raises ConnectionResetError when the client is gone."""
        if self._lost or self._closed or self._peer_closed:
            raise ConnectionResetError("the client is gone")
        self._transport.write(self._frames.send(BytesMessage(data)))
        await self._writable.wait()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait a little for the client's, so that nothing sent before is lost with the connection."""
        self._send_close(code, reason)
        if self._lost:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not self._peer_closed:
                    self._messages.clear()
                    self._queued_bytes = 0
                    if not self._reading:
                        self._reading = True
                        self._transport.resume_reading()
                    self._arrived = self._loop.create_future()
                    await self._arrived
        except TimeoutError:
            pass
        finally:
            self._closed = True
            self._transport.close()

    def _send_close(self, code: int, reason: str) -> None:
        if self._lost or self._peer_closed:
            return
        with suppress(LocalProtocolError):  # said already
            self._transport.write(self._frames.send(CloseConnection(code, reason[:120])))

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
