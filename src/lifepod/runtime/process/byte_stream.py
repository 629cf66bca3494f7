"""A connection to a port of a pod as a `ByteStream`; connections that are read to their end, whatever becomes of writing."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress


class _WholeReader(asyncio.StreamReader):
    """Gives all that came before the end. asyncio's own forgets what it holds when the other side closes with input unread."""

    def set_exception(self, exc: BaseException) -> None:
        """A broken connection is the end of what can be read; who writes hears of it when writing."""
        self.feed_eof()


class WholeConnection:
    """A connected socket. Writing has a descriptor of its own: asyncio's transport stops reading where a write fails, and what the
    other side had said before it went is lost.
    """

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.Transport, writing: socket.socket) -> None:
        self.reader = reader
        self._transport = transport
        self._writing = writing
        self._loop = asyncio.get_running_loop()
        self._room: asyncio.Future[None] | None = None

    @classmethod
    async def over(cls, sock: socket.socket) -> WholeConnection:
        """Takes the socket over."""
        loop = asyncio.get_running_loop()
        reader = _WholeReader(loop=loop)
        sock.setblocking(False)
        writing = sock.dup()
        transport, _ = await loop.create_connection(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), sock=sock)
        return cls(reader, transport, writing)

    async def write(self, data: bytes) -> None:
        """Returns when the system has it all. Raises OSError when nobody reads any more, or the connection is closed meanwhile."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._writing.send(view) :]
            except BlockingIOError:
                await self._has_room()

    async def _has_room(self) -> None:
        room = self._room = self._loop.create_future()
        self._loop.add_writer(self._writing, lambda: None if room.done() else room.set_result(None))
        try:
            await room
        finally:
            if self._writing.fileno() >= 0:
                self._loop.remove_writer(self._writing)

    def close_write(self) -> None:
        """The other side reads the end."""
        with suppress(OSError):  # it went, or never was there
            self._writing.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of both ends."""
        if self._writing.fileno() >= 0:
            self._loop.remove_writer(self._writing)
            self._writing.close()
        if self._room is not None and not self._room.done():
            self._room.set_exception(ConnectionResetError("the connection was closed"))
        self._transport.close()


class SocketStream:
    """A connected socket."""

    def __init__(self, connection: WholeConnection) -> None:
        self._connection = connection

    @classmethod
    async def wrap(cls, sock: socket.socket) -> SocketStream:
        return cls(await WholeConnection.over(sock))

    async def read(self, limit: int = 65536) -> bytes:
        return await self._connection.reader.read(limit)

    async def write(self, data: bytes) -> None:
        await self._connection.write(data)

    async def close_write(self) -> None:
        self._connection.close_write()

    async def close(self) -> None:
        self._connection.close()
