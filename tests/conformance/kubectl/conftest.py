"""Which kubectls there are, and a cluster of real processes for each session."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread

import orjson
import pytest

from lifepod.assembly.local_cluster import LocalCluster, LocalOptions

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (Path(os.environ.get("LIFEPOD_KUBECTLS", ROOT / ".cache" / "kubectl")),)


def kubectls() -> dict[str, str]:
    """Every kubectl to be had, by its minor version."""
    found: dict[str, str] = {}
    if on_path := shutil.which("kubectl"):
        text = subprocess.run([on_path, "version", "--client"], capture_output=True, text=True, check=False).stdout
        if match := re.search(r"v(\d+\.\d+)", text):
            found[match[1]] = on_path
    for folder in FOLDERS:
        for path in sorted(folder.glob("kubectl-*")):
            found[path.name.removeprefix("kubectl-")] = str(path)
    return found


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


@pytest.fixture
def shell(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[dict[str, str], Path]:
    """The environment and folder in which commands are typed; `kubectl` is the version of the test."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    version = request.getfixturevalue("version")
    (binaries / "kubectl").symlink_to(kubectls()[version])
    folder = tmp_path / "here"
    folder.mkdir()
    env = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "KUBECONFIG": str(served.kubeconfig),
        "HOME": str(tmp_path),
        "TZ": "UTC",
        "LC_ALL": "C",
    }
    return env, folder
