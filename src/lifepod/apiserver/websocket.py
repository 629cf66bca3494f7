"""One WebSocket on a connection that `protocol.py` has upgraded. Frames are wsproto's work, flow control is `tunnel.py`'s."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from contextlib import suppress
from typing import Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from lifepod.apiserver.exchange import Request
from lifepod.apiserver.tunnel import OpenTunnel

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024


def accept_key(request: Request) -> str:
    """The handshake's proof that we speak WebSocket (RFC 6455 §4.2.2)."""
    key = request.headers.get("sec-websocket-key", "").encode("latin-1")
    return b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest()).decode()


class WebSocket(OpenTunnel):
    """An open WebSocket: its messages are what `receive` gives and `send` takes."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        self._frames = Connection(ConnectionType.SERVER)
        self._parts: list[bytes | str] = []
        self._part_bytes = 0

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
        self._parts, self._part_bytes = [], 0
        self._queue(message, len(message))

    def _fail(self, code: int, reason: str) -> None:
        self._say_goodbye(code, reason)
        self._peer_closed = True
        self._transport.close()
        self._wake()

    def _framed(self, data: bytes) -> bytes:
        return self._frames.send(BytesMessage(data))

    def _say_goodbye(self, code: int, reason: str) -> None:
        if self._lost or self._peer_closed:
            return
        with suppress(LocalProtocolError):  # said already
            self._transport.write(self._frames.send(CloseConnection(code, reason[:120])))
