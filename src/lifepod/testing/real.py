"""`kube_real`: a cluster whose containers really run, in real time, as a test sees it. What only virtual time can do, it refuses.

It lives in the loop of the thread that serves this process's virtual clusters; each look at it is made there.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn, TypeVar

import orjson

from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError
from lifepod.apiserver.container_choice import chosen_container, logged_run, running_id
from lifepod.apiserver.exchange import Request, Response
from lifepod.assembly.local_cluster import LocalCluster, LocalOptions
from lifepod.assembly.virtual_server import Files, server_thread, written_files
from lifepod.clock import Clock
from lifepod.runtime.base import LogOptions, NodeStreams
from lifepod.simulation.clock_modes import length_of_time
from lifepod.testing.environment import Environment
from lifepod.testing.errors import NotVirtual, TestingError
from lifepod.testing.objects import Inside, required_pod
from lifepod.testing.recorder import Recorder
from lifepod.testing.service_account import Accounts

T = TypeVar("T")
_GLANCE_SECONDS = 0.01


class _Inside:
    """The cluster as `Objects` looks at it."""

    def __init__(self, local: LocalCluster) -> None:
        self.api, self.store, self.cluster = local.plane.api, local.plane.store, local.cluster
        self.clock: Clock = local.clock


class RealKube(Accounts):
    """A cluster of the sandbox (or `runtime="host"`). Use it as a context manager, or `open` and `close` it."""

    def __init__(self, nodes: int = 1, runtime: str = "sandbox") -> None:
        self._options = LocalOptions(runtime=runtime, nodes=nodes)
        self._thread = server_thread()
        self._local: LocalCluster | None = None
        self._environment: Environment | None = None
        self._files: Files | None = None

    def __enter__(self) -> RealKube:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> RealKube:
        """Start it. Raises StartError."""
        self._thread.run(self._start())
        local = self._running()
        config = local.kubeconfig("lifepod")
        ca_pem = local.plane.credentials.ca.certificate
        self._files = written_files(self._thread.new_folder(), config, local.plane.token, ca_pem)
        self._environment = Environment(local.server.url, self._files)
        return self

    async def _start(self) -> None:
        local = LocalCluster(self._options)
        try:
            await local.start()
        except BaseException:
            await local.stop()
            raise
        self._local, self._recorder = local, Recorder(local.plane.store)

    def close(self) -> None:
        """Stop it: containers are killed, folders removed, the environment put back."""
        if self._environment is not None:
            self._environment.restore()
            self._environment = None
        if self._local is not None:
            self._thread.run(self._local.stop())
            self._local = None
        if self._files is not None:
            shutil.rmtree(self._files.folder, ignore_errors=True)

    def _running(self) -> LocalCluster:
        if self._local is None:
            raise TestingError("the cluster is not open: use it as `with lifepod.real_cluster() as kube:`")
        return self._local

    # ------------------------------------------------------------------------------------------------ how it is reached

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of this cluster; $KUBECONFIG names it while the test runs."""
        self._running()
        assert self._files is not None
        return self._files.kubeconfig

    @property
    def url(self) -> str:
        """Where its API listens."""
        return self._running().server.url

    @property
    def clock(self) -> Clock:
        """The wall's."""
        return self._running().clock

    # ------------------------------------------------------------------------------------------------ time

    def run_until(self, predicate: Callable[[], object], timeout: str | float = "60s") -> bool:
        """Wait until `predicate()` is true; False when it is not after `timeout`."""
        end = time.monotonic() + length_of_time(timeout).total_seconds()
        while not predicate():
            if time.monotonic() > end:
                return bool(predicate())
            time.sleep(_GLANCE_SECONDS)
        return True

    def advance(self, length: object) -> NoReturn:
        """Not here."""
        raise NotVirtual("time cannot be turned where containers really run. Use the fixture `kube`, or `run_until`.")

    def _not_here(self) -> NoReturn:
        raise NotVirtual("a cluster whose containers really run cannot be copied or put back. Use the fixture `kube`.")

    def snapshot(self) -> NoReturn:
        """Not here."""
        self._not_here()

    def fork(self) -> NoReturn:
        """Not here."""
        self._not_here()

    def reset(self) -> NoReturn:
        """Not here."""
        self._not_here()

    # ------------------------------------------------------------------------------------------------ inside pods

    def logs(self, pod: str, container: str = "", namespace: str = "default", previous: bool = False) -> str:
        """What a container has written. Raises ApiError as `kubectl logs` fails."""

        async def work() -> str:
            obj = required_pod(_Inside(self._running()), namespace, pod)
            run = logged_run(obj, chosen_container(obj, container), previous)
            chunks = self._streams(obj).log(obj["metadata"]["uid"], run, LogOptions())
            return b"".join([chunk async for chunk in chunks]).decode(errors="replace")

        return self._thread.run(work())

    def exec(self, pod: str, *command: str, container: str = "", namespace: str = "default") -> tuple[int, str]:
        """Run a command in a container; its exit code and what it wrote."""

        async def work() -> tuple[int, str]:
            obj = required_pod(_Inside(self._running()), namespace, pod)
            name = chosen_container(obj, container)
            run = running_id(obj, name)
            if not run:
                raise TestingError(f"container {name} of pod {pod} does not run")
            process = await self._streams(obj).exec(obj["metadata"]["uid"], run, command, stdin=False, tty=False)
            try:
                written = b"".join([chunk async for _, chunk in process.output()])
                return await process.exit_code(), written.decode(errors="replace")
            finally:
                await process.close()

        return self._thread.run(work())

    def _streams(self, pod: JsonObject) -> NodeStreams:
        streams = self._running().streams_for(str(dig(pod, "spec", "nodeName")))
        assert streams is not None
        return streams

    # ------------------------------------------------------------------------------------------------ for Objects

    def _request(self, method: str, path: str, body: JsonObject | None = None, content_type: str = "") -> JsonObject:
        return self._thread.run(self._requested(method, path, body, content_type or "application/json"))

    async def _requested(self, method: str, path: str, body: JsonObject | None, content_type: str) -> JsonObject:
        plane = self._running().plane
        target, _, query = path.partition("?")
        headers = {"authorization": f"Bearer {plane.token}", "content-type": content_type}
        answer = plane.app.site(
            Request(method, target, query, headers, orjson.dumps(body) if body is not None else b"")
        )
        whole = answer if isinstance(answer, tuple) else await answer
        assert isinstance(whole, Response)
        content: JsonObject = orjson.loads(whole.body)
        if whole.status >= 300:
            raise ApiError(content)
        return content

    def _look(self, look: Callable[[Inside], T]) -> T:
        inside = _Inside(self._running())

        async def work() -> T:
            return look(inside)

        if asyncio._get_running_loop() is self._thread.loop:
            return look(inside)
        return self._thread.run(work())
