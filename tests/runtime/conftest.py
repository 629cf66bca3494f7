"""A node of one pod or more on a real runtime, driven order by order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lifepod.lifecycle.vocabulary import ContainerReport, Done, Ended, Outcome, RuntimeReport
from lifepod.runtime.base import (
    ContainerConfig,
    CreateContainerOrder,
    LogOptions,
    Order,
    RunSandbox,
    SandboxConfig,
    SetUpVolumes,
    StartContainerOrder,
    Verb,
    VolumeConfig,
)
from lifepod.runtime.host import HostRuntime
from lifepod.runtime.images.local_images import LocalImages
from lifepod.runtime.images.pod_images import PodImages
from lifepod.runtime.process.runtime import ProcessRuntime
from lifepod.runtime.sandbox import SandboxRuntime
from lifepod.runtime.volume_folders import remove_tree

from .busybox_image import BUSYBOX, PLAIN, write_archive

RESOLV = "nameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"


class _Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Node:
    """One runtime, its listener, and short words for the orders that most tests give."""

    def __init__(self, make: Callable[..., ProcessRuntime], root: Path, **options: Any) -> None:
        self.warnings: list[str] = []
        self.latest: dict[str, RuntimeReport] = {}
        self._waiting: dict[int, asyncio.Future[Ended]] = {}
        self._changed = asyncio.Event()
        self._number = 0
        self.image_refs: dict[str, str] = options.pop("image_refs", {})
        """What the images are here, by name."""
        self.runtime = make("n", root, self, _Now(), on_warning=lambda _, text: self.warnings.append(text), **options)

    def on_ended(self, pod_uid: str, ended: Ended) -> None:
        self._waiting.pop(ended.number).set_result(ended)

    def on_report(self, pod_uid: str, report: RuntimeReport) -> None:
        self.latest[pod_uid] = report
        self._changed.set()

    def begin(self, verb: Verb, uid: str = "u1") -> asyncio.Future[Ended]:
        self._number += 1
        ended = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        self.runtime.perform(Order(uid, self._number, verb))
        return ended

    async def do(self, verb: Verb, uid: str = "u1") -> Outcome:
        return (await asyncio.wait_for(self.begin(verb, uid), 20)).outcome

    async def made(self, verb: Verb, uid: str = "u1") -> str:
        outcome = await self.do(verb, uid)
        assert isinstance(outcome, Done), outcome
        return outcome.value

    async def pod(self, *volumes: VolumeConfig, uid: str = "u1", name: str = "p", **options: Any) -> str:
        """A pod's volumes and sandbox; returns the sandbox's id."""
        await self.made(SetUpVolumes(volumes), uid)
        hosts = f"127.0.0.1\tlocalhost\n%POD_IP%\t{name}\n"
        config = SandboxConfig("default", name, 0, name, options.pop("host_network", False), hosts, RESOLV, **options)
        return await self.made(RunSandbox(config), uid)

    def config(self, sandbox: str, *command: str, **options: Any) -> ContainerConfig:
        """A container's configuration: of `busybox:1.36` unless `image` says otherwise."""
        image = options.pop("image", PLAIN)
        return ContainerConfig(
            pod_namespace="default",
            pod_name="p",
            name=options.pop("name", "c"),
            attempt=options.pop("attempt", 0),
            sandbox_id=sandbox,
            image=image,
            image_ref=self.image_refs.get(image, "sha256:x"),
            command=command,
            args=options.pop("args", ()),
            env=options.pop("env", ()),
            working_dir=options.pop("working_dir", ""),
            mounts=options.pop("mounts", ()),
            **options,
        )

    async def create(self, sandbox: str, *command: str, uid: str = "u1", **options: Any) -> str:
        return await self.made(CreateContainerOrder(self.config(sandbox, *command, **options)), uid)

    async def start(self, sandbox: str, *command: str, uid: str = "u1", **options: Any) -> str:
        container = await self.create(sandbox, *command, uid=uid, **options)
        await self.made(StartContainerOrder(container), uid)
        return container

    def shown(self, container: str, uid: str = "u1") -> ContainerReport:
        return next(c for c in self.latest[uid].containers if c.id == container)

    async def exited(self, container: str, uid: str = "u1") -> ContainerReport:
        """The container's report once it has exited."""
        async with asyncio.timeout(20):
            while (report := self.shown(container, uid)).state != "exited":
                self._changed.clear()
                await self._changed.wait()
        return report

    async def output(self, container: str, uid: str = "u1", **options: Any) -> bytes:
        """The whole log, followed to the container's end."""
        chunks = self.runtime.log(uid, container, LogOptions(follow=True, **options))
        async with asyncio.timeout(20):
            return b"".join([chunk async for chunk in chunks])

    async def run(self, sandbox: str, *command: str, uid: str = "u1", **options: Any) -> tuple[int, bytes]:
        """Run a container to its end: exit code and output."""
        container = await self.start(sandbox, *command, uid=uid, **options)
        output = await self.output(container, uid)
        return (await self.exited(container, uid)).exit_code or 0, output


Story = Callable[[Node], Awaitable[None]]


def play(make: Callable[..., ProcessRuntime], root: Path, story: Story, **options: Any) -> Node:
    """Play a story on a fresh node and end the node; nothing may be left."""

    async def whole() -> Node:
        node = Node(make, root, **options)
        try:
            await node.runtime.start()
            await story(node)
        finally:
            await node.runtime.close()
        return node

    node = asyncio.run(whole())
    assert not root.exists()
    return node


LEVELS = [
    pytest.param("host", id="host"),
    pytest.param("stand-in", id="stand-in", marks=pytest.mark.sandbox),
    pytest.param(
        "image",
        id="image",
        marks=[
            pytest.mark.sandbox,
            pytest.mark.skipif(not BUSYBOX.exists(), reason="needs Debian's busybox-static"),
        ],
    ),
]
"""The columns of docs/runtimes.md."""


@pytest.fixture(scope="session")
def busybox_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A store with the images of `busybox_image.py`, and their references by name."""
    folder = tmp_path_factory.mktemp("images")
    records = LocalImages(str(folder / "store")).import_file(str(write_archive(folder / "busybox.tar")))
    yield str(folder / "store"), {record.name.rpartition("/")[2]: record.ref for record in records}
    remove_tree(str(folder))


def player(level: str, request: pytest.FixtureRequest, root: Path) -> Callable[..., Node]:
    """Plays stories on one level."""

    def on(story: Story, **options: Any) -> Node:
        if level == "host":
            return play(HostRuntime, root, story, **options)
        if level == "image":
            store, refs = request.getfixturevalue("busybox_images")
            options = {"images": PodImages(store), "image_refs": refs, **options}
        return play(SandboxRuntime, root, story, **options)

    return on


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    """The level of `on_level`: host, stand-in or image."""
    name: str = request.param
    return name


@pytest.fixture
def on_level(level: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Node]:
    """Plays a story on each level."""
    return player(level, request, tmp_path / "node")


@pytest.fixture
def on_image(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Node]:
    """Plays a story in the sandbox with a real image."""
    return player("image", request, tmp_path / "node")


@pytest.fixture
def on_host(tmp_path: Path) -> Callable[..., Node]:
    """Plays a story on level host."""
    return lambda story, **options: play(HostRuntime, tmp_path / "node", story, **options)


@pytest.fixture
def on_sandbox(tmp_path: Path) -> Callable[..., Node]:
    """Plays a story on level sandbox."""
    return lambda story, **options: play(SandboxRuntime, tmp_path / "node", story, **options)


@pytest.fixture
def new_node() -> type[Node]:
    """For tests that need more than one node, one after the other."""
    return Node
