"""Logs, exec, attach and ports of scripted containers, as the API server reaches them.

The simulated containers live on whatever thread turns the cluster; these streams live in the API server's loop. `around` holds
the lock for one look at the runtime, `poke` lets the cluster take a turn after something was started. A stream waits for the
runtime to say that its pod moved on, never for time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from lifepod.runtime.base import ByteStream, ExecStream, LogOptions, StreamRefused
from lifepod.runtime.cri_log import LogSelection
from lifepod.runtime.sim import files, probing
from lifepod.runtime.sim.files import View
from lifepod.runtime.sim.pods import SimContainer, SimPod
from lifepod.runtime.sim.runtime import SimRuntime


class SimStreams:
    """`NodeStreams` of one simulated node."""

    def __init__(
        self,
        runtime: SimRuntime,
        now: Callable[[], datetime],
        around: AbstractContextManager[object],
        poke: Callable[[], None],
    ) -> None:
        self._runtime, self._now, self._around, self._poke = runtime, now, around, poke

    # -------------------------------------------------------------------------------- logs

    async def log(self, pod_uid: str, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        """The lines kept, then, if followed, each new one until the container ends."""
        selection = LogSelection(options)
        place = self._first_line(pod_uid, container_id, options.tail_lines)
        epoch = self._runtime.epoch
        with _Following(self._runtime, pod_uid) as moved:
            while True:
                moved.clear()
                with self._around:
                    container = self._container(pod_uid, container_id)
                    end = _shown_end(container) if container is not None else place
                    entries = list(container.log.since(place, end)) if container is not None else []
                    place = end
                chunk = b"".join(map(selection.take, entries))
                if chunk:
                    yield chunk
                ended = container is None or not _is_alive(container)
                if not options.follow or ended or selection.is_full or self._runtime.epoch != epoch:
                    return
                await moved.wait()

    def _first_line(self, pod_uid: str, container_id: str, tail_lines: int | None) -> int:
        with self._around:
            container = self._container(pod_uid, container_id)
            if container is None:
                raise StreamRefused(f'container "{container_id}" is not known to this node')
            return 0 if tail_lines is None else max(0, _shown_end(container) - tail_lines)

    def _container(self, pod_uid: str, container_id: str) -> SimContainer | None:
        pod = self._runtime.pod(pod_uid)
        return pod.container(container_id) if pod is not None else None

    def log_now(self, pod_uid: str, container_id: str) -> bytes:
        """The whole log as it is now, for callers without a loop. Raises StreamRefused."""
        self._first_line(pod_uid, container_id, None)
        with self._around:
            container = self._container(pod_uid, container_id)
            return b"".join(entry.text for entry in container.log.since(0)) if container is not None else b""

    # -------------------------------------------------------------------------------- processes

    def exec_now(self, pod_uid: str, container_id: str, command: tuple[str, ...]) -> tuple[int | None, bytes]:
        """Run a command for a caller without a loop: exit code (None: it takes time) and all it wrote."""
        ends = _Ends()
        with self._around:
            number = self._runtime.start_exec(pod_uid, container_id, command, ends, self._now())
        if number is None:
            raise StreamRefused(f'container "{container_id}" is not running')
        self._poke()
        return ends.code, b"".join(ends.written)

    async def exec(
        self, pod_uid: str, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> ExecStream:
        """Run a command; a shell's commands that read get what the client sends. It has no terminal."""
        ends = _ExecEnds(asyncio.get_running_loop())
        with self._around:
            number = self._runtime.start_exec(pod_uid, container_id, command, ends, self._now(), stdin)
        if number is None:
            raise StreamRefused(f'container "{container_id}" is not running')
        if stdin:
            ends.feed = partial(self._feed, pod_uid, number)
        self._poke()
        return ends

    def _feed(self, pod_uid: str, number: int, data: bytes, is_end: bool) -> None:
        with self._around:
            self._runtime.feed(pod_uid, number, data, is_end, self._now())
        self._poke()

    async def attach(self, pod_uid: str, container_id: str, *, stdin: bool, tty: bool) -> ExecStream:
        """What the container writes from now on."""
        return _Attached(self, pod_uid, container_id)

    # -------------------------------------------------------------------------------- ports

    async def dial(self, pod_uid: str, port: int) -> ByteStream:
        """A connection to whoever listens there: an HTTP server of few words."""
        with self._around:
            pod = self._runtime.pod(pod_uid)
            if pod is None or not probing.listens(pod, port):
                raise StreamRefused(f"dial tcp4 127.0.0.1:{port}: connect: connection refused")
        return _Served(self, pod_uid, port)

    def served(self, pod_uid: str, port: int, path: str) -> tuple[int, bytes]:
        """What a GET of `path` at a port is answered with: status and body."""
        with self._around:
            pod = self._runtime.pod(pod_uid)
            status = probing.http_status(pod, port, path) if pod is not None else None
            if pod is None or status is None:
                return 503, b""
            return status, _file_behind(pod, port, path) or b"%d\n" % status


def _file_behind(pod: SimPod, port: int, path: str) -> bytes | None:
    """The file that a served path names, if a server of files listens there."""
    for container in pod.containers:
        for listening in container.process.ports() if container.process is not None else ():
            if listening.port == port and listening.root is not None:
                place = (listening.root.rstrip("/") + "/" + path.split("?")[0].strip("/")).rstrip("/") or "/"
                return files.read(pod.tree, View(container.id, container.config.mounts), place)
    return None


def _is_alive(container: SimContainer) -> bool:
    return container.state in ("created", "running")


def _shown_end(container: SimContainer) -> int:
    return container.log.whole_end if _is_alive(container) else container.log.end


class _Following:
    """Hears that a pod moved on, from whichever thread, as an event of this loop."""

    def __init__(self, runtime: SimRuntime, pod_uid: str) -> None:
        self._runtime, self._uid = runtime, pod_uid
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> asyncio.Event:
        self._runtime.follow(self._uid, self._tell)
        return self._event

    def __exit__(self, *_: object) -> None:
        self._runtime.unfollow(self._uid, self._tell)

    def _tell(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)


class _Ends:
    """What a process that was started here has come to."""

    def __init__(self) -> None:
        self.written = (b"", b"")
        self.code: int | None = None

    def wrote(self, output: tuple[bytes, bytes]) -> None:
        self.written = output

    def ended(self, code: int) -> None:
        self.code = code


class _ExecEnds(_Ends):
    """The ends of a process that a stream started: told by the runtime on its thread, read by the stream in the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._moved = asyncio.Event()
        self._closed = False
        self.feed: Callable[[bytes, bool], None] | None = None

    def wrote(self, output: tuple[bytes, bytes]) -> None:
        super().wrote(output)
        self._tell()

    def ended(self, code: int) -> None:
        super().ended(code)
        self._tell()

    def _tell(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._moved.set)

    async def write(self, data: bytes) -> None:
        """More for its standard input."""
        if self.feed is not None:
            self.feed(data, False)

    async def close_stdin(self) -> None:
        """That was all of it."""
        feed, self.feed = self.feed, None
        if feed is not None:
            feed(b"", True)

    async def resize(self, width: int, height: int) -> None:
        """It has no terminal."""

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        sent = [0, 0]
        while True:
            self._moved.clear()
            code = self.code
            for index, text in enumerate(self.written):
                if len(text) > sent[index]:
                    yield index + 1, text[sent[index] :]
                    sent[index] = len(text)
            if code is not None or self._closed:
                return
            await self._moved.wait()

    async def exit_code(self) -> int:
        while self.code is None and not self._closed:
            self._moved.clear()
            await self._moved.wait()
        return self.code or 0

    async def close(self) -> None:
        """The client is gone: the process reads an end and is not killed."""
        await self.close_stdin()
        self._closed = True
        self._moved.set()


class _Attached:
    """A running container's output from now on."""

    def __init__(self, streams: SimStreams, pod_uid: str, container_id: str) -> None:
        self._lines = streams.log(pod_uid, container_id, LogOptions(follow=True, tail_lines=0))

    async def write(self, data: bytes) -> None:
        """Nobody reads it."""

    async def close_stdin(self) -> None:
        """Nobody reads it."""

    async def resize(self, width: int, height: int) -> None:
        """It has no terminal."""

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        async for chunk in self._lines:
            yield 1, chunk

    async def exit_code(self) -> int:
        return 0

    async def close(self) -> None:
        """The iterator ends with its task."""


class _Served:
    """A connection to a scripted listener: each HTTP request is answered, then the connection ends."""

    def __init__(self, streams: SimStreams, pod_uid: str, port: int) -> None:
        self._streams, self._uid, self._port = streams, pod_uid, port
        self._asked = b""
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self, limit: int = 65536) -> bytes:
        return await self._answers.get()

    async def write(self, data: bytes) -> None:
        self._asked += data
        if b"\r\n\r\n" not in self._asked:
            return
        words = self._asked.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        path = words[1] if len(words) > 1 else "/"
        status, body = self._streams.served(self._uid, self._port, path)
        head = f"HTTP/1.1 {status} Simulated\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._answers.put_nowait(head.encode() + body)
        self._answers.put_nowait(b"")

    async def close_write(self) -> None:
        self._answers.put_nowait(b"")

    async def close(self) -> None:
        self._answers.put_nowait(b"")
