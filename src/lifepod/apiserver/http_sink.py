"""The body of a streamed answer: chunks (or bare bytes) on a connection, until its clean or hard end. `protocol.py` opens it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from lifepod.apiserver.exchange import run_stream

if TYPE_CHECKING:
    from lifepod.apiserver.protocol import HttpProtocol


class HttpSink:
    """The body of a streamed answer, as chunks, or bare where the client knows none."""

    __slots__ = (
        "_callbacks",
        "_closed",
        "_drained",
        "_is_chunked",
        "_keep_alive",
        "_loop",
        "_protocol",
        "_task",
        "_writable_callback",
    )

    def __init__(
        self, protocol: HttpProtocol, loop: asyncio.AbstractEventLoop, keep_alive: bool, is_chunked: bool
    ) -> None:
        self._protocol = protocol
        self._loop = loop
        self._keep_alive = keep_alive
        self._is_chunked = is_chunked
        self._closed = False
        self._callbacks: list[Callable[[], None]] = []
        self._writable_callback: Callable[[], None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        if data and not self._closed:
            self._protocol.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    async def drain(self) -> None:
        if self._closed:
            raise ConnectionResetError("the client is gone")
        if not self._protocol.is_writable:
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
        if self._is_chunked:
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
        self._task = self._loop.create_task(run_stream(work, self))
