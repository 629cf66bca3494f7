"""lifepod's end of one supervisor: whether its container started, that its log grew, and that it ended."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from lifepod.runtime.process import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.runtime.process.messages import Message


class ContainerLink:
    """A connection to a supervisor. `on_end` is called once, when the supervisor is gone: its exit file is final then."""

    def __init__(self, sock: socket.socket, pidfd: int | None, on_end: Callable[[], None]) -> None:
        self._sock = sock
        self._pidfd = pidfd
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._has_ended = False
        self._is_followed = False
        self._log_waiters: set[asyncio.Future[None]] = set()
        self.log_version = 0
        """Grows with every notice that the log grew; to be noted before reading the log."""
        self.last_word: Message | None = None
        """How the container ended, when the supervisor could say so."""
        self._started: asyncio.Future[Message] = self._loop.create_future()
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._hear)
        if pidfd is not None:
            self._loop.add_reader(pidfd, self._end)

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    async def wait_started(self) -> Message:
        """What became of the start; who gives up waiting takes it from nobody else."""
        return await asyncio.shield(self._started)

    @property
    def started(self) -> Message:
        """What became of the start; known once it started, failed or ended."""
        return self._started.result()

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process; nothing happens when it is gone."""
        self._send({"signal": number})

    def attach(self, *, stdin: bool) -> socket.socket:
        """A connection to the container's ends, in frames (`supervisor.FRAME`)."""
        ours, theirs = socket.socketpair()
        self._send({"attach": 1, "stdin": stdin}, (theirs.fileno(),))
        theirs.close()
        return ours

    async def log_grew(self, seen_version: int) -> None:
        """Wait until the log has grown since `log_version` was `seen_version`, or the container has ended."""
        if not self._is_followed:
            self._is_followed = True
            self._send({"follow": True})  # answered by a first notice: something may have been written before
        if self.log_version != seen_version or self._has_ended:
            return
        grown: asyncio.Future[None] = self._loop.create_future()
        self._log_waiters.add(grown)
        try:
            await grown
        finally:
            self._log_waiters.discard(grown)

    def _note_growth(self) -> None:
        self.log_version += 1
        for waiter in self._log_waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        if self._has_ended:
            return
        try:
            messages.send(self._sock, message, fds)
        except OSError:
            return  # it is ending, which is told on its own

    def _hear(self) -> None:
        while not self._has_ended:
            try:
                message, _ = messages.receive(self._sock)
            except BlockingIOError:
                return
            except messages.ConnectionClosed:
                if self._pidfd is None:
                    self._end()
                else:
                    self._loop.remove_reader(self._sock.fileno())
                return
            if "wrote" in message:
                self._note_growth()
            elif "code" in message:
                self.last_word = message
            elif not self._started.done():
                self._started.set_result(message)

    def _end(self) -> None:
        if self._has_ended:
            return
        if self._pidfd is not None:
            self._hear()  # its last words may still wait
        self.close()
        self._on_end()

    def close(self) -> None:
        """Let go of the supervisor; without `persistent` it kills its container."""
        if self._has_ended:
            return
        self._has_ended = True
        self._note_growth()
        if not self._started.done():
            self._started.set_result({"failed": "its supervisor ended unexpectedly", "errno": 0})
        if not self._loop.is_closed():
            self._loop.remove_reader(self._sock.fileno())
            if self._pidfd is not None:
                self._loop.remove_reader(self._pidfd)
        self._sock.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
