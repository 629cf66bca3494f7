"""lifepod's end of its node process: starts it, sends requests, and gives the answers back on the loop."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lifepod.errors import LifepodError
from lifepod.runtime.process import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.runtime.process.messages import Message


class NodeProcessFailed(LifepodError):
    """The node process could not do it, or is gone. The text says what came back."""


class NodeClient:
    """One node process. `start` may be called before there is a loop; everything else needs the running one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answers: dict[int, asyncio.Future[tuple[Message, list[int]]]] = {}
        self._ready: asyncio.Future[Message] | None = None
        self._number = 0
        self.on_lost: Callable[[], None] = lambda: None

    def start(self, config: Message) -> None:
        """Start the process; returns at once, while it prepares itself."""
        ours, theirs = messages.channel()
        source = str(Path(__file__).parents[3])
        code = (
            f"import sys; sys.path.insert(0, {source!r}); sys.dont_write_bytecode = True\n"
            f"from lifepod.runtime.process.node_process import main; main({theirs.fileno()})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-s", "-c", code],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        theirs.close()
        messages.send(ours, config)
        self._sock = ours

    def reconnect(self, folder: str) -> bool:
        """Connect to a node process that outlived its lifepod. False when there is none."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connect_in_folder(sock, folder)
        except OSError:
            sock.close()
            return False
        self._sock = sock
        return True

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def wait_ready(self) -> Message:
        """Wait for the first word of a started process: whether it has its namespaces."""
        self._listen()
        assert self._ready is not None
        if self._process is None and not self._ready.done():
            self._ready.set_result({"ready": True, "problem": ""})
        return await asyncio.shield(self._ready)

    def _listen(self) -> None:
        if self._loop is not None:
            return
        assert self._sock is not None, "start() comes first"
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._sock.setblocking(False)
        self._loop.add_reader(self._sock.fileno(), self._hear)

    async def request(self, op: str, fds: tuple[int, ...] = (), **fields: object) -> tuple[Message, list[int]]:
        """Send a request and wait for its answer. Raises NodeProcessFailed."""
        await self.wait_ready()
        if self._sock is None:
            raise NodeProcessFailed("lifepod's node process is gone; restart lifepod")
        self._number += 1
        assert self._loop is not None
        answer: asyncio.Future[tuple[Message, list[int]]] = self._loop.create_future()
        self._answers[self._number] = answer
        number = self._number
        try:
            while True:
                try:
                    messages.send(self._sock, {"id": number, "op": op, **fields}, fds)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.001)
            message, passed = await answer
        except OSError as exc:
            raise NodeProcessFailed(f"lifepod's node process does not answer: {exc}") from exc
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            raise NodeProcessFailed(message["error"])
        return message, passed

    def _hear(self) -> None:
        assert self._sock is not None
        while True:
            try:
                message, fds = messages.receive(self._sock)
            except BlockingIOError:
                return
            except messages.ConnectionClosed:
                self._lose()
                return
            if "ready" in message:
                assert self._ready is not None
                self._ready.set_result(message)
                continue
            answer = self._answers.get(message["id"])
            if answer is None or answer.done():
                for fd in fds:
                    os.close(fd)
            else:
                answer.set_result((message, fds))

    def _lose(self) -> None:
        self.disconnect()
        gone = NodeProcessFailed("lifepod's node process ended unexpectedly; restart lifepod")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(gone)
        if self._ready is not None and not self._ready.done():
            self._ready.set_result({"ready": False, "problem": str(gone)})
        self.on_lost()

    def disconnect(self) -> None:
        """Close the connection; a node process that is not persistent ends with it."""
        if self._sock is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._sock = None

    def reap(self, timeout: float = 5.0) -> None:
        """Wait for the process's end after `disconnect`; kill it when it does not come."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def connect_in_folder(sock: socket.socket, folder: str) -> None:
    """Connect to the socket `control` in a folder, however long the folder's path is. Raises OSError."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{at}/control")
    finally:
        os.close(at)
