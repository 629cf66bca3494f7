"""A cluster of real processes behind HTTPS, for clients that know nothing of lifepod."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread

import orjson
import pytest

from lifepod.assembly.local_cluster import LocalCluster, LocalOptions


class Served:
    """A cluster in a thread of its own, and the kubeconfig that reaches it."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self._folder = folder
        self._ready: Queue[BaseException | None] = Queue()
        self._thread = Thread(target=lambda: asyncio.run(self._main()))

    async def _main(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self.cluster = LocalCluster(LocalOptions(runtime="host", work=self._folder / "work"))
        try:
            await self.cluster.start()
            self.kubeconfig.write_bytes(orjson.dumps(self.cluster.kubeconfig("lifepod")))
        except BaseException as problem:
            self._ready.put(problem)
            raise
        self._ready.put(None)
        await self._stopped.wait()
        await self.cluster.stop()

    def start(self) -> None:
        self._thread.start()
        if problem := self._ready.get(timeout=30):
            raise problem

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(30)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A running cluster whose containers are processes of this machine."""
    made = Served(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def served_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same, one for all tests of a file."""
    made = Served(tmp_path_factory.mktemp("cluster"))
    made.start()
    yield made
    made.stop()
