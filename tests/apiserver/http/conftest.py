"""A node for the API server's streams: real processes and sockets of this machine, logs from a dict."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Thread

import orjson
import pytest

from lifepod.api.objects import JsonObject
from lifepod.apiserver.api import Api
from lifepod.apiserver.app import App
from lifepod.apiserver.auth import ADMIN, Authenticator
from lifepod.apiserver.certificates import Credentials, mint_credentials
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.options import DeleteOptions, WriteOptions
from lifepod.apiserver.resource_requests import ResourceRequests
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.server import Tls, serve
from lifepod.apiserver.service_account_tokens import ServiceAccountTokens
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
        except (FileNotFoundError, PermissionError):  # a folder of $PATH that this user may not enter
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


class Cluster:
    """An API with its HTTP edge, and a node of a few lines that runs every pod at once."""

    def __init__(self, api: Api, streams: LocalStreams, now: Callable[[], datetime]) -> None:
        self.api, self.streams, self.now = api, streams, now
        self.credentials = mint_credentials(datetime.now(UTC))
        self.tokens = ServiceAccountTokens(self.credentials.token_key, api.store.get, now)
        api.tokens = self.tokens
        self.written = 0
        self.asked: list[tuple[int, str, int]] = []
        self._open: dict[int, str] = {}
        seams = Seams(api, now, on_written=self._on_written, streams_for=lambda _: streams, verify=self.tokens.user_of)
        self.resources = ResourceRequests(seams)
        authenticator = Authenticator({"admin-token": ADMIN}, self.tokens.user_of)
        self.app = App(
            api.kinds, self.resources, authenticator, seams.authorize, hooks=self, extra_paths=(self.tokens.answer,)
        )

    def began(self, number: int, request: Request) -> None:
        self._open[number] = f"{request.method} {request.path}"

    def ended(self, number: int, status: int) -> None:
        self.asked.append((number, self._open.pop(number), status))

    def _on_written(self) -> None:
        self.written += 1
        try:
            asyncio.get_running_loop().call_soon(self.run_pods)
        except RuntimeError:
            self.run_pods()

    def run_pods(self) -> None:
        """Bind, run and remove pods until nothing changes."""
        pods, options, store = self.api.kinds.of("pods"), WriteOptions(self.now()), self.api.store
        before = -1
        while store.revision != before:
            before = store.revision
            for record in store.list("pods").records:
                pod = store.decoded(record)
                if "nodeName" not in pod["spec"]:
                    binding = {"metadata": {"name": record.name}, "target": {"name": "n1"}}
                    self.api.create(pods, record.namespace, binding, options, subresource="binding", name=record.name)
                elif pod["metadata"].get("deletionTimestamp"):
                    self.api.delete(pods, record.namespace, record.name, DeleteOptions(grace=0), options)
                elif pod["status"].get("phase") == "Pending":
                    status = {"status": running_status(pod)}
                    self.api.patch(pods, record.namespace, record.name, status, "merge", options, "status")


def running_status(pod: JsonObject) -> JsonObject:
    """A pod whose containers all run."""
    return {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": True,
                "restartCount": 0,
                "started": True,
                "containerID": f"process://{container['name']}",
                "state": {"running": {"startedAt": "2025-01-01T00:00:00Z"}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


@pytest.fixture
def cluster(api: Api) -> Cluster:
    """An API with its HTTP edge, without a socket."""
    return Cluster(api, LocalStreams(), lambda: datetime.now(UTC))


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The path of a kubeconfig for the cluster, served over TLS by a thread of its own."""
    started: Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def main() -> None:
        stopped = asyncio.Event()
        credentials = cluster.credentials
        server = await serve(cluster.app.site, tls=Tls(credentials.server, credentials.ca.certificate))
        started.put((server.url, asyncio.get_running_loop(), stopped))
        await stopped.wait()
        await server.stop(0.2)
        cluster.resources.hub.close()

    thread = Thread(target=lambda: asyncio.run(main()))
    thread.start()
    url, loop, stopped = started.get(timeout=10)
    path = tmp_path / "kubeconfig"
    path.write_bytes(orjson.dumps(kubeconfig_for(url, cluster.credentials)))
    yield path
    loop.call_soon_threadsafe(stopped.set)
    thread.join(10)


def kubeconfig_for(url: str, credentials: Credentials) -> JsonObject:
    def packed(data: bytes) -> str:
        return base64.b64encode(data).decode()

    key = {
        "client-certificate-data": packed(credentials.admin.certificate),
        "client-key-data": packed(credentials.admin.key),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "l", "cluster": {"server": url, "certificate-authority-data": packed(credentials.ca.certificate)}}
        ],
        "users": [{"name": "l", "user": key}],
        "contexts": [{"name": "l", "context": {"cluster": "l", "user": "l"}}],
        "current-context": "l",
    }
