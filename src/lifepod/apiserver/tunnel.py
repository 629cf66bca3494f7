"""A connection after its upgrade: who serves it reads messages and sends bytes, whatever the frames are.

Messages wait in a bounded queue: when it is full the socket is not read any more, so that a slow process behind an exec slows
its client down instead of filling memory. `websocket.py` makes messages of frames; an `OpenTunnel` itself has none: what comes is a message.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final

from lifepod.apiserver.exchange import WebSocketLike

_log = logging.getLogger("lifepod.apiserver")
MAX_QUEUED_BYTES: Final = 256 * 1024
CLOSE_SECONDS: Final = 5.0


class OpenTunnel:
    """An upgraded connection; `serve` runs what was asked for on it and closes it when that ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._messages: deque[bytes | str] = deque()
        self._queued_bytes = 0
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
            _log.exception("a stream broke off: our own mistake")
            await self.close(1011, "internal error")
        finally:
            await self.close()

    # -------------------------------------------------------------------------------------------- from the connection

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self._closed:
            self._queue(data, len(data))

    def _queue(self, message: bytes | str, size: int) -> None:
        self._queued_bytes += size
        self._messages.append(message)
        if self._queued_bytes > MAX_QUEUED_BYTES and self._reading:
            self._reading = False
            self._transport.pause_reading()
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
        """Send one message. Raises ConnectionResetError when the client is gone."""
        if self._lost or self._closed or self._peer_closed:
            raise ConnectionResetError("the client is gone")
        self._transport.write(self._framed(data))
        await self._writable.wait()

    def _framed(self, data: bytes) -> bytes:
        return data

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait a little for the client's, so that nothing sent before is lost with the connection."""
        self._say_goodbye(code, reason)
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

    def _say_goodbye(self, code: int, reason: str) -> None:
        """Tell the client that nothing more comes, where the frames have a word for it."""

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
