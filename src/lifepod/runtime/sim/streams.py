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
from lifepod.runtime.cri_log import LogEntry, LogSelection
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
        async for entries in self.entries(pod_uid, container_id, place, follow=options.follow):
            chunk = b"".join(map(selection.take, entries))
            if chunk:
                yield chunk
            if selection.is_full:
                return

    async def entries(
        self, pod_uid: str, container_id: str, place: int, *, follow: bool
    ) -> AsyncIterator[list[LogEntry]]:
        """The lines from `place` on as they come, some at a time."""
        epoch = self._runtime.epoch
        with _Following(self._runtime, pod_uid) as moved:
            while True:
                moved.clear()
                with self._around:
                    container = self._container(pod_uid, container_id)
                    end = _shown_end(container) if container is not None else place
                    entries = list(container.log.since(place, end)) if container is not None else []
                    place = end
                if entries:
                    yield entries
                ended = container is None or not _is_alive(container)
                if not follow or ended or self._runtime.epoch != epoch:
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
        """Run a command; a shell's commands that read get what the client sends.

        A terminal shows both outputs and what is typed, with a carriage return before each end of line; it has no size and no signals.
        """
        ends = _ExecEnds(asyncio.get_running_loop(), tty)
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
        """What the container writes from now on; it reads what the client sends if it has standard input."""
        return _Attached(self, pod_uid, container_id, self._first_line(pod_uid, container_id, 0), tty)

    def feed_container(self, pod_uid: str, container_id: str, data: bytes, is_end: bool) -> bool:
        """Give a container input; says whether an end was handed on to it."""
        with self._around:
            handed_on = self._runtime.feed_container(pod_uid, container_id, data, is_end, self._now())
        self._poke()
        return handed_on

    # -------------------------------------------------------------------------------- ports

    async def dial(self, pod_uid: str, port: int) -> ByteStream:
        """A connection to whoever listens there: an HTTP server of few words."""
        with self._around:
            pod = self._runtime.pod(pod_uid)
            if pod is None or not probing.listens(pod, port):
                raise StreamRefused(
                    f"failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused"
                )
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

    def __init__(self, loop: asyncio.AbstractEventLoop, tty: bool) -> None:
        super().__init__()
        self._loop = loop
        self._tty = tty
        self._typed: list[bytes] = []
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
        """More for its standard input. At a terminal a return ends a line, ^D the input."""
        if self.feed is None:
            return
        if not self._tty:
            self.feed(data, False)
            return
        data = data.replace(b"\r", b"\n")
        line, end, _ = data.partition(b"\x04")
        self._typed.append(line)
        self._moved.set()
        self.feed(line, False)
        if end:
            await self.close_stdin()

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
            typed, self._typed = self._typed, []
            for echo in typed:
                yield 1, echo.replace(b"\n", b"\r\n")
            for index, text in enumerate(self.written):
                if len(text) > sent[index]:
                    new, sent[index] = text[sent[index] :], len(text)
                    yield (1, new.replace(b"\n", b"\r\n")) if self._tty else (index + 1, new)
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
    """A running container's ends from now on."""

    def __init__(self, streams: SimStreams, pod_uid: str, container_id: str, place: int, tty: bool) -> None:
        self._streams, self._of, self._tty = streams, (pod_uid, container_id), tty
        self._entries = streams.entries(pod_uid, container_id, place, follow=True)
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write(self, data: bytes) -> None:
        """More for the container's standard input."""
        self._streams.feed_container(*self._of, data, False)

    async def close_stdin(self) -> None:
        """The container reads the end, or this client leaves.

        Source: containerd v2.1 internal/cri/io/container_io.go: Attach
        """
        if not self._streams.feed_container(*self._of, b"", True):
            self._leave()

    async def resize(self, width: int, height: int) -> None:
        """Nothing asks for the size."""

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while True:
            coming = asyncio.ensure_future(anext(self._entries, None))
            try:
                await asyncio.wait((coming, self._left), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not coming.done():
                    coming.cancel()
            if not coming.done() or (entries := coming.result()) is None:
                return
            for entry in entries:
                text = entry.text.replace(b"\n", b"\r\n") if self._tty else entry.text
                yield (2 if entry.stream == b"stderr" else 1), text

    async def exit_code(self) -> int:
        return 0

    async def close(self) -> None:
        """The client is gone; with `stdinOnce` the container's input ends with it."""
        self._streams.feed_container(*self._of, b"", True)
        self._leave()

    def _leave(self) -> None:
        if not self._left.done():
            self._left.set_result(None)


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
