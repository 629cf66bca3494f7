"""The streams of a container: a command executed in it, its own ends when attached, and its log."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

from lifepod.runtime.base import StreamRefused
from lifepod.runtime.cri_log import LogSelection, find_tail_start, read_entries
from lifepod.runtime.process import messages
from lifepod.runtime.process.byte_stream import WholeConnection
from lifepod.runtime.process.supervisor import FRAME, RESIZE, STDIN, STDIN_END

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lifepod.runtime.base import LogOptions
    from lifepod.runtime.process.records import ContainerRecord

_READ_SIZE = 65536
_QUEUE_LENGTH = 64


class _Pump:
    """Reads fds as they become readable into one bounded queue; a slow reader stops the reading."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._open: dict[int, int] = {}
        self._paused: set[int] = set()

    def add(self, fd: int, channel: int) -> None:
        os.set_blocking(fd, False)
        self._open[fd] = channel
        self._loop.add_reader(fd, self._read, fd)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose other end is closed
            data = b""
        if data:
            self._queue.put_nowait((self._open[fd], data))
            if self._queue.qsize() >= _QUEUE_LENGTH:
                self._loop.remove_reader(fd)
                self._paused.add(fd)
            return
        self.drop(fd)

    def drop(self, fd: int) -> None:
        if fd not in self._open:
            return
        self._loop.remove_reader(fd)
        self._paused.discard(fd)
        del self._open[fd]
        os.close(fd)
        if not self._open:
            self._queue.put_nowait((0, b""))

    def close(self) -> None:
        for fd in list(self._open):
            self.drop(fd)

    async def chunks(self) -> AsyncIterator[tuple[int, bytes]]:
        """What was read, until all ends are closed."""
        while True:
            channel, data = await self._queue.get()
            if not data:
                self._queue.put_nowait((0, b""))
                return
            yield channel, data
            if self._queue.qsize() < _QUEUE_LENGTH // 2:
                for fd in self._paused:
                    self._loop.add_reader(fd, self._read, fd)
                self._paused.clear()


class Exec:
    """A command running in a container (an `ExecStream`). `helper` is the process that started it."""

    def __init__(
        self, container: ContainerRecord, control: socket.socket, *, outputs: dict[int, int], stdin: int, helper: int
    ) -> None:
        self._container = container
        self._control = control
        self.helper = helper
        self._stdin = stdin
        self._tty = outputs[1] if stdin == outputs[1] else -1
        self._pump = _Pump()
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self.failure: str | None = None
        for channel, fd in outputs.items():
            self._pump.add(fd, channel)
        control.setblocking(False)
        self._loop.add_reader(control.fileno(), self._hear)
        container.execs.add(self)

    def _hear(self) -> None:
        code = 137
        try:
            message, _ = messages.receive(self._control)
            if "failed" in message:
                self.failure = str(message["failed"])
                code = int(message["errno"])
            else:
                code = int(message["exited"])
        except BlockingIOError:
            return
        except messages.ConnectionClosed:
            pass
        self._loop.remove_reader(self._control.fileno())
        self._container.execs.discard(self)
        if not self._exit.done():
            self._exit.set_result(code)

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._stdin >= 0:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await _writable(self._loop, self._stdin)
            except OSError:
                await self.close_stdin()

    async def close_stdin(self) -> None:
        if self._stdin < 0:
            return
        if self._tty >= 0:
            os.write(self._tty, b"\x04")
            return
        os.close(self._stdin)
        self._stdin = -1

    async def resize(self, width: int, height: int) -> None:
        if self._tty >= 0:
            set_size(self._tty, width, height)

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        return self._pump.chunks()

    async def exit_code(self) -> int:
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Kill the command if it still runs and let go of its ends."""
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
            self._control.close()
        if self._stdin >= 0 and self._tty < 0:
            os.close(self._stdin)
        self._stdin = self._tty = -1
        self._pump.close()
        self._container.execs.discard(self)
        if not self._exit.done():
            self._exit.set_result(137)

    def kill(self) -> None:
        """Kill the command; what it wrote can still be read."""
        if self._control.fileno() >= 0:
            self._control.shutdown(socket.SHUT_WR)


def set_size(terminal: int, width: int, height: int) -> None:
    """Tell a terminal its size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


async def _writable(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(fd, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(fd)


class Attached:
    """The ends of a running container (an `ExecStream`)."""

    def __init__(self, connection: WholeConnection, ended: asyncio.Future[None]) -> None:
        self._connection = connection
        self._ended = ended

    async def _send(self, kind: int, payload: bytes) -> None:
        with suppress(OSError):  # the container ended; what it said last is still to be read
            await self._connection.write(FRAME.pack(kind, len(payload)) + payload)

    async def write(self, data: bytes) -> None:
        await self._send(STDIN, data)

    async def close_stdin(self) -> None:
        await self._send(STDIN_END, b"")

    async def resize(self, width: int, height: int) -> None:
        await self._send(RESIZE, struct.pack(">HH", width, height))

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        reader = self._connection.reader
        while True:
            try:
                head = await reader.readexactly(FRAME.size)
                channel, length = FRAME.unpack(head)
                yield channel, await reader.readexactly(length)
            except asyncio.IncompleteReadError:
                if not self._ended.done():
                    self._ended.set_result(None)
                return

    async def exit_code(self) -> int:
        await asyncio.shield(self._ended)
        return 0

    async def close(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
        self._connection.close()


async def attach(container: ContainerRecord, *, stdin: bool) -> Attached:
    """Connect to the container's ends. Raises StreamRefused when it does not run."""
    if container.link is None or container.state != "running":
        raise StreamRefused(f"container {container.config.name} is not running")
    sock = container.link.attach(stdin=stdin)
    return Attached(await WholeConnection.over(sock), asyncio.get_running_loop().create_future())


async def read_log(container: ContainerRecord, options: LogOptions) -> AsyncIterator[bytes]:
    """The chosen part of a container's log; with `follow`, until the container has ended."""
    selection = LogSelection(options)
    try:
        file = open(container.log_path, "rb")  # noqa: ASYNC230, SIM115 - a local file, closed below
    except FileNotFoundError:
        raise StreamRefused(f"the log of container {container.config.name} is gone: {container.log_path}") from None
    with file:
        file.seek(0 if options.tail_lines is None else find_tail_start(file, options.tail_lines))
        while True:
            # Asked before reading: what is written in between is read in the next round.
            ended = container.state == "exited" or (container.link is not None and container.link.has_ended)
            version = container.link.log_version if container.link is not None else 0
            chunk = b""
            for entry in read_entries(file):
                chunk += selection.take(entry)
                if selection.is_full:
                    break
                if len(chunk) >= _READ_SIZE:
                    yield chunk
                    chunk = b""
            if chunk:
                yield chunk
            if selection.is_full or not options.follow or ended:
                return
            if container.link is not None:
                await container.link.log_grew(version)
            else:
                return
