"""`lifepod up`: a named cluster in the foreground or the background, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lifepod.api.objects import format_time
from lifepod.assembly.bind_address import LOOPBACK
from lifepod.assembly.clusters import Place, state_home
from lifepod.assembly.errors import StartError
from lifepod.assembly.local_cluster import LocalCluster, LocalOptions
from lifepod.assembly.open_files import allow_many_files
from lifepod.assembly.real_time import look_for_cycles_seldom
from lifepod.client import kubeconfig
from lifepod.errors import LifepodError
from lifepod.runtime.process.node_client import NodeProcessFailed

INTERRUPTED = 130


class UpOptions(NamedTuple):
    """What the command line said."""

    name: str = "default"
    kubeconfig: str | None = None
    merge: bool = False
    port: int = 0
    data: str | None = None
    runtime: str | None = None
    nodes: int = 1
    detach: bool = False
    images: str = "if-reachable"
    insecure_registries: tuple[str, ...] = ()
    max_processes: int | None = None
    bind: str = LOOPBACK


def up(options: UpOptions) -> int:
    """Bring a cluster up and stay until SIGINT or SIGTERM; returns the exit code. Raises LifepodError."""
    if options.data:
        options = options._replace(data=os.path.abspath(options.data))
    place = Place(state_home(os.environ), options.name)
    if options.detach:
        return _detached(options, place)
    place.take()
    try:
        return asyncio.run(_serve(options, place, lambda text: print(text, flush=True)))
    finally:
        place.leave()


def _detached(options: UpOptions, place: Place) -> int:
    """Fork; the parent says what the child says when it is ready, and ends."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        with os.fdopen(read) as said:
            text = said.read()
        print(text, end="", flush=True, file=sys.stderr if text.startswith("lifepod up:") else sys.stdout)
        return 1 if text.startswith("lifepod up:") or not text else 0
    os.close(read)
    os.setsid()
    code = 1
    try:
        place.take()
        with contextlib.suppress(OSError):
            _redirect(place.folder / "log")
        code = asyncio.run(_serve(options, place, lambda text: _tell(write, text)))
    except LifepodError as exc:
        _tell(write, f"lifepod up: {exc}")
    finally:
        place.leave()
        os._exit(code)


def _redirect(log: Path) -> None:
    null, out = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)


def _tell(descriptor: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(descriptor, f"{text}\n".encode())
        os.close(descriptor)


async def _serve(options: UpOptions, place: Place, say: Callable[[str], None]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    allow_many_files()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    data = Path(options.data) if options.data else None
    cluster = LocalCluster(
        LocalOptions(
            options.runtime or "sandbox",
            options.nodes,
            options.port,
            data,
            place.folder / "work",
            options.images,
            options.insecure_registries,
            way_out=True,
            max_processes=options.max_processes,
            host=options.bind,
        )
    )
    cluster.on_notice = lambda text: print(text, file=sys.stderr, flush=True)
    context = "lifepod" if place.name == "default" else f"lifepod-{place.name}"
    written: list[Path] = []
    try:
        await _start(cluster, options)
        config = cluster.kubeconfig(context)
        kubeconfig.write(place.kubeconfig, config)
        if options.kubeconfig:
            kubeconfig.write(Path(options.kubeconfig), config)
        if options.merge:
            written = [kubeconfig.default_paths(os.environ)[0]]
            kubeconfig.merge_into(written[0], config)
        place.describe(
            cluster.server.url, options.runtime or "sandbox", format_time(cluster.clock.now()), str(data or "")
        )
        say(_ready_text(options, place, cluster))
        look_for_cycles_seldom()
        await stop.wait()
    finally:
        for path in written:
            kubeconfig.remove_from(path, context)
        await cluster.stop()
    return 0


async def _start(cluster: LocalCluster, options: UpOptions) -> None:
    try:
        await cluster.start()
    except NodeProcessFailed as exc:
        raise StartError(no_sandbox(str(exc)) if not options.runtime else str(exc)) from exc


def no_sandbox(problem: str) -> str:
    """What is said when the default runtime does not work here."""
    return f"{problem}\n`lifepod doctor` says what to do about it; or add `--runtime host`, which runs containers as plain processes of yours."


def _ready_text(options: UpOptions, place: Place, cluster: LocalCluster) -> str:
    path = Path(options.kubeconfig) if options.kubeconfig else place.kubeconfig
    kept = f"; {cluster.kept} objects came back from {options.data}" if cluster.kept else ""
    if cluster.adopted:
        kept += f", {cluster.adopted} pods were found and taken over" if kept else ""
    if place.left_behind is not None:
        kept += f"; the last cluster of this name (process {place.left_behind.get('pid')}) had been killed"
    return f"lifepod is up at {cluster.server.url}{kept}: export KUBECONFIG={path}"
