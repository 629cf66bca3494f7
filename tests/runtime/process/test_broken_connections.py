"""What came before a connection broke is read, even when the other side closed it with input that it never read."""

import asyncio
import socket

import pytest

from lifepod.runtime.process.byte_stream import SocketStream, WholeConnection
from lifepod.runtime.process.exec_stream import Attached
from lifepod.runtime.process.supervisor import FRAME


async def attached_over(sock: socket.socket) -> Attached:
    return Attached(await WholeConnection.over(sock), asyncio.get_running_loop().create_future())


def test_the_last_words_of_a_container_reach_who_is_attached_though_it_read_no_more() -> None:
    async def check() -> list[tuple[int, bytes]]:
        ours, theirs = socket.socketpair()
        attached = await attached_over(ours)
        await attached.write(b"never read")
        theirs.sendall(FRAME.pack(1, 5) + b"words")
        theirs.close()
        for _ in range(5):
            await asyncio.sleep(0)  # the break is noticed before anybody asks
        await attached.close_stdin()
        return [chunk async for chunk in attached.output()]

    assert asyncio.run(check()) == [(1, b"words")]


def test_they_reach_whoever_writes_before_reading_them() -> None:
    async def check() -> list[tuple[int, bytes]]:
        ours, theirs = socket.socketpair()
        attached = await attached_over(ours)
        theirs.sendall(FRAME.pack(1, 5) + b"words")
        theirs.close()
        await attached.close_stdin()  # nobody is there to take it
        return [chunk async for chunk in attached.output()]

    assert asyncio.run(check()) == [(1, b"words")]


def test_a_write_that_waits_ends_when_the_connection_is_closed() -> None:
    async def check() -> bytes:
        ours, theirs = socket.socketpair()
        connection = await WholeConnection.over(ours)
        writing = asyncio.ensure_future(connection.write(b"x" * 10_000_000))
        await asyncio.sleep(0)
        connection.close()
        with pytest.raises(OSError, match="closed"):
            await writing
        with theirs:
            return theirs.recv(1)

    assert asyncio.run(check()) == b"x"


def test_the_answer_of_a_port_is_read_though_the_request_was_not() -> None:
    async def check() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            ours = socket.create_connection(listening.getsockname())
            theirs, _ = listening.accept()
        stream = await SocketStream.wrap(ours)
        await stream.write(b"never read")
        theirs.sendall(b"answer")
        await asyncio.sleep(0)
        theirs.close()
        for _ in range(5):
            await asyncio.sleep(0)
        return await stream.read() + await stream.read()

    assert asyncio.run(check()) == b"answer"
