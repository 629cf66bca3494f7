"""A node for the API server's streams: real processes and sockets of this machine, logs from a dict."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from lifepod.runtime.base import ByteStream, ExecStream, LogOptions, NodeStreams, StreamRefused


class LocalProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.sizes: list[tuple[int, int]] = []

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def close_stdin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(4)

        async def copy(channel: int, reader: asyncio.StreamReader | None) -> None:
            assert reader is not None
            while data := await reader.read(32768):
                await queue.put((channel, data))
            await queue.put((channel, b""))

        tasks = [
            asyncio.ensure_future(copy(1, self._process.stdout)),
            asyncio.ensure_future(copy(2, self._process.stderr)),
        ]
        ended = 0
        while ended < 2:
            channel, data = await queue.get()
            if data:
                yield channel, data
            else:
                ended += 1
        await asyncio.gather(*tasks)

    async def exit_code(self) -> int:
        return await self._process.wait()

    async def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class LocalConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, limit: int = 65536) -> bytes:
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close_write(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()


class LocalStreams:
    """Every container is this machine."""

    def __init__(self) -> None:
        self.logs: dict[str, list[bytes]] = {}
        self.asked: list[tuple[str, str, LogOptions]] = []
        self.more: asyncio.Queue[bytes | None] | None = None

    async def log(self, pod_uid: str, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append((pod_uid, container_id, options))
        if container_id not in self.logs:
            raise StreamRefused(f"no log of {container_id}")
        for line in self.logs[container_id]:
            yield line
        while options.follow and self.more is not None and (line := await self.more.get()) is not None:
            yield line

    async def exec(
        self, pod_uid: str, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> ExecStream:
        pipe = asyncio.subprocess.PIPE
        try:
            return LocalProcess(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe))
        except FileNotFoundError:
            raise StreamRefused(f'exec: "{command[0]}": executable file not found in $PATH') from None

    async def attach(self, pod_uid: str, container_id: str, *, stdin: bool, tty: bool) -> ExecStream:
        return await self.exec(pod_uid, container_id, ("cat",), stdin=stdin, tty=tty)

    async def dial(self, pod_uid: str, port: int) -> ByteStream:
        try:
            return LocalConnection(*await asyncio.open_connection("127.0.0.1", port))
        except OSError:
            raise StreamRefused(f"failed to connect to localhost:{port}: connection refused") from None


@pytest.fixture
def local_streams() -> NodeStreams:
    """A node whose processes, ports and logs are this machine's."""
    return LocalStreams()
