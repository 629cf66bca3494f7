"""`lifepod run` from its options to its exit code: where it runs, who shows it, what happens on Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.writes import ApiError
from lifepod.assembly.errors import StartError
from lifepod.assembly.local_cluster import LocalCluster, LocalOptions
from lifepod.assembly.real_time import RealClock
from lifepod.assembly.run import BAD_INPUT, Refused, Result, Screen, Session, Venue
from lifepod.assembly.up import no_sandbox
from lifepod.client import kubeconfig
from lifepod.client.base import Client
from lifepod.client.errors import ClientError
from lifepod.client.manifests import BadManifests, Manifest, read_manifests
from lifepod.diagnosis.run_end import Until
from lifepod.errors import LifepodError
from lifepod.runtime.process.node_client import NodeProcessFailed
from lifepod.ui.screens import BoardScreen, JsonScreen, PlainScreen

if TYPE_CHECKING:
    from lifepod.runtime.images.local_images import Progress


class NoRuntime(StartError):
    """The default runtime does not work here, and nobody chose another."""


class RunOptions(NamedTuple):
    """What the command line said. `output`: board, plain or json."""

    files: tuple[str, ...]
    until: Until | None = None
    at_most: timedelta | None = None
    keep: bool = False
    output: str = "plain"
    namespace: str | None = None
    runtime: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    images: str = "if-reachable"
    insecure_registries: tuple[str, ...] = ()


async def run(options: RunOptions) -> int:
    """The whole run; returns its exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        manifests = read_manifests(options.files, KindRegistry(builtin_kinds()), _namespace(options))
    except BadManifests as exc:
        _complain(str(exc))
        return BAD_INPUT
    try:
        async with _venue(options) as venue:
            return await _run_at(venue, manifests, options, stop)
    except LifepodError as exc:
        _complain(f"lifepod run: {exc}")
        return BAD_INPUT if isinstance(exc, NoRuntime) else 1


async def _run_at(venue: Venue, manifests: list[Manifest], options: RunOptions, stop: asyncio.Event) -> int:
    screen = _screen(venue, options)
    session = Session(venue, manifests, options.until, screen)
    venue.listen(screen.say, session.on_pull)
    try:
        if venue.is_ours:
            await _make_namespaces(venue.client, manifests)
        result = await session.run(options.at_most, stop)
        screen.end(result)
        await _after(session, venue, options, stop, result)
        return result.exit_code
    except Refused as exc:
        _complain(f"{exc}\nNothing was applied.")
        return BAD_INPUT
    finally:
        await session.close()


async def _after(session: Session, venue: Venue, options: RunOptions, stop: asyncio.Event, result: Result) -> None:
    """Clean up, or with --keep leave everything: a cluster of our own then stays up until Ctrl-C."""
    if not options.keep:
        if not venue.is_ours:
            await session.clean_up()
        return
    if venue.is_ours and not stop.is_set():
        click.echo("Kept as it is until Ctrl-C.", err=True)
        await stop.wait()


async def _make_namespaces(client: Client, manifests: list[Manifest]) -> None:
    """In a cluster of our own the namespaces that objects name are there."""
    made = {m.name for m in manifests if m.kind.resource == "namespaces"}
    for name in sorted({m.namespace for m in manifests if m.namespace} - made):
        try:
            await client.request(
                "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        except ApiError as exc:
            if exc.code != 409:
                raise


@asynccontextmanager
async def _venue(options: RunOptions) -> AsyncIterator[Venue]:
    if options.context or options.kubeconfig:
        async with _elsewhere(options) as venue:
            yield venue
        return
    cluster, runtime = await _started_cluster(options)
    try:
        path = cluster.work / "kubeconfig"
        kubeconfig.write(path, cluster.kubeconfig("lifepod-run"))
        notes = (f"join in: export KUBECONFIG={path}", _images_note(runtime, options.images))
        title = f"lifepod run: a cluster of its own, runtime {runtime}"
        client = cluster.client()
        try:

            def listen(on_notice: Callable[[str], None], on_pull: Callable[[Progress], None]) -> None:
                cluster.on_notice, cluster.on_pull = on_notice, on_pull

            yield Venue(client, title, notes, True, cluster.clock.now, cluster.decisions, listen)
        finally:
            await client.close()
    finally:
        await cluster.stop()


def _images_note(runtime: str, images: str) -> str:
    if runtime == "sandbox" and images == "auto":
        return "images: real ones, pulled where they are not here yet (mode `auto`); `--images host` needs none"
    if runtime == "sandbox" and images == "if-reachable":
        return "images: real ones that are here or whose registry answers, else this machine's own files (mode `if-reachable`)"
    if runtime == "sim":
        return "images: none; containers follow scripts, no process runs"
    return f"images: none are pulled; containers run this machine's own files{' in a sandbox' if runtime == 'sandbox' else ''} (mode `host`)"


async def _started_cluster(options: RunOptions) -> tuple[LocalCluster, str]:
    """The sandbox; where there is none, a terminal is asked once, and anything else is told the line to add."""
    runtime = options.runtime or "sandbox"
    while True:
        chosen = LocalOptions(
            runtime, images=options.images, insecure_registries=options.insecure_registries, way_out=True
        )
        cluster = LocalCluster(chosen)
        try:
            await cluster.start()
        except BaseException as exc:
            await cluster.stop()
            if not isinstance(exc, NodeProcessFailed):
                raise
            if options.runtime or runtime == "host":
                raise StartError(str(exc)) from exc
            if not _agrees_to_host(str(exc)):
                raise NoRuntime(no_sandbox(str(exc))) from exc
            runtime = "host"
        else:
            return cluster, runtime


def _agrees_to_host(problem: str) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return click.confirm(f"{problem}\nRun the containers as plain processes of yours instead (--runtime host)?")


@asynccontextmanager
async def _elsewhere(options: RunOptions) -> AsyncIterator[Venue]:
    from lifepod.client.http import Http

    paths = [Path(options.kubeconfig)] if options.kubeconfig else kubeconfig.default_paths(os.environ)
    access = kubeconfig.load(paths, options.context)
    client = Client(Http(access))
    title = f"lifepod run: {options.context or 'the current context'} at {access.server}"
    try:
        yield Venue(client, title, (), False, RealClock().now)
    except ClientError as exc:
        raise StartError(str(exc)) from exc
    finally:
        await client.close()


def _namespace(options: RunOptions) -> str:
    if options.namespace or not (options.context or options.kubeconfig):
        return options.namespace or "default"
    paths = [Path(options.kubeconfig)] if options.kubeconfig else kubeconfig.default_paths(os.environ)
    return kubeconfig.load(paths, options.context).namespace


def _screen(venue: Venue, options: RunOptions) -> Screen:
    if options.output == "json":
        return JsonScreen(venue.now)
    if options.output == "board":
        return BoardScreen(venue.title, venue.notes, venue.now)
    return PlainScreen(venue.title, venue.notes, venue.now)


def _complain(text: str) -> None:
    click.echo(text, err=True)
