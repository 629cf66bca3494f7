"""A connection to a port of a pod as a `ByteStream`; readers that lose nothing of a connection that breaks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class WholeReader(asyncio.StreamReader):
    """Gives all that came before the end. asyncio's own forgets what it holds when the other side closes with input unread."""

    def set_exception(self, exc: BaseException) -> None:
        """A broken connection is the end of what can be read; who writes hears of it from the writer."""
        self.feed_eof()


async def open_whole(sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A reader and a writer of a connected socket."""
    loop = asyncio.get_running_loop()
    reader = WholeReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class SocketStream:
    """A connected socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def wrap(cls, sock: socket.socket) -> SocketStream:
        return cls(*await open_whole(sock))

    async def read(self, limit: int = 65536) -> bytes:
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close_write(self) -> None:
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
