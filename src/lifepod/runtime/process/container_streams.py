"""The streams of a node's containers as the API server asks for them (`runtime.base.NodeStreams`), and commands of probes.

How a command's ends are carried is `exec_stream.py`'s; here is found whom it is about and what it runs as.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from lifepod.runtime.base import StreamRefused
from lifepod.runtime.process import exec_stream, messages
from lifepod.runtime.process.byte_stream import SocketStream
from lifepod.runtime.process.node_client import NodeClient, NodeProcessFailed
from lifepod.runtime.process.order_failure import OrderFailed, exec_error_text
from lifepod.runtime.process.probing import CommandResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lifepod.runtime.base import LogOptions
    from lifepod.runtime.process.exec_stream import Attached, Exec
    from lifepod.runtime.process.messages import Message
    from lifepod.runtime.process.records import ContainerRecord, PodRecord, SandboxRecord


class ContainerStreams:
    """The part of a process runtime that gives streams; the runtime fills `_pods` and says what the levels differ in."""

    scheme: str
    node: NodeClient
    _pods: dict[str, PodRecord]

    def exec_config(self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...]) -> Message:
        """How a command is executed in a running container. Raises OrderFailed."""
        raise NotImplementedError

    async def connect(
        self, sandbox: SandboxRecord | None, host: str, port: int, *, inside: bool = False
    ) -> socket.socket:
        """A connection to `host`; `inside`: as a process of the pod would make it. Raises OSError."""
        raise NotImplementedError

    def _find(self, pod_uid: str, container_id: str) -> tuple[PodRecord, ContainerRecord]:
        pod = self._pods.get(pod_uid)
        container = None if pod is None else pod.containers.get(container_id)
        if pod is None or container is None:
            raise StreamRefused(f"unable to retrieve container logs for {self.scheme}://{container_id}")
        return pod, container

    async def log(self, pod_uid: str, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        """See `NodeStreams`."""
        _, container = self._find(pod_uid, container_id)
        async for chunk in exec_stream.read_log(container, options):
            yield chunk

    async def exec(self, pod_uid: str, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool) -> Exec:
        """See `NodeStreams`."""
        pod = self._pods.get(pod_uid)
        container = None if pod is None else pod.containers.get(container_id)
        if pod is None or container is None or container.state != "running":
            raise StreamRefused(f"container not found or not running: {container_id}")
        try:
            return await self._start_exec(pod, container, command, stdin=stdin, tty=tty)
        except OrderFailed as exc:
            raise StreamRefused(exc.message) from exc
        except NodeProcessFailed as exc:
            raise StreamRefused(str(exc)) from exc

    async def attach(self, pod_uid: str, container_id: str, *, stdin: bool, tty: bool) -> Attached:
        """See `NodeStreams`."""
        pod = self._pods.get(pod_uid)
        container = None if pod is None else pod.containers.get(container_id)
        if container is None:
            raise StreamRefused(f"container not found: {container_id}")
        return await exec_stream.attach(container, stdin=stdin and container.config.stdin)

    async def dial(self, pod_uid: str, port: int) -> SocketStream:
        """See `NodeStreams`."""
        pod = self._pods.get(pod_uid)
        sandbox = None if pod is None else next((s for s in pod.sandboxes.values() if s.is_ready), None)
        if sandbox is None:
            raise StreamRefused("the pod has no running sandbox")
        try:
            return await SocketStream.wrap(await self.connect(sandbox, "127.0.0.1", port, inside=True))
        except OSError as exc:
            reason = os.strerror(exc.errno).lower() if exc.errno else str(exc)
            raise StreamRefused(
                f"failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: {reason}"
            ) from exc

    async def _start_exec(
        self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> Exec:
        config = {**self.exec_config(pod, container, command), "tty": tty}
        ends = _ExecEnds(stdin=stdin, tty=tty)
        ours, theirs = messages.channel()
        with messages.in_memory(config) as file:
            try:
                said, fds = await self.node.request("exec", (file.fileno(), theirs.fileno(), *ends.theirs))
            except NodeProcessFailed:
                ours.close()
                ends.close_ours()
                raise
            finally:
                theirs.close()
                ends.close_theirs()
        for fd in fds:
            os.close(fd)
        return exec_stream.Exec(container, ours, outputs=ends.outputs, stdin=ends.stdin, helper=int(said["pid"]))

    async def run_command(
        self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...], timeout_seconds: float | None
    ) -> CommandResult:
        """A probe's or hook's command: its output and exit code; killed at the time-out."""
        if container.state != "running":
            state = f"CONTAINER_{container.state.upper()}"
            return CommandResult(0, b"", f"failed to exec in container: container is in {state} state")
        try:
            running = await self._start_exec(pod, container, command, stdin=False, tty=False)
        except OrderFailed as exc:
            return CommandResult(0, b"", exc.message)
        output = b""
        try:
            async with asyncio.timeout(timeout_seconds):
                async for _, data in running.output():
                    output += data[: max(0, 65536 - len(output))]
                code = await running.exit_code()
        except TimeoutError:
            return CommandResult(-1, output, timed_out=True)
        finally:
            running.abort()
        if running.failure is not None:
            return CommandResult(code, b"", exec_error_text(running.failure))
        return CommandResult(code, output)


class _ExecEnds:
    """The pipes or the terminal of one command: `theirs` go to it, the others stay."""

    def __init__(self, *, stdin: bool, tty: bool) -> None:
        if tty:
            master, slave = os.openpty()
            self.theirs = (slave, slave, slave)
            self.stdin, self.outputs = master, {1: master}
            return
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.outputs = {1: out_read, 2: err_read}
        if stdin:
            in_read, self.stdin = os.pipe()
            os.set_blocking(self.stdin, False)
        else:
            in_read, self.stdin = os.open(os.devnull, os.O_RDONLY), -1
        self.theirs = (in_read, out_write, err_write)

    def close_theirs(self) -> None:
        for fd in set(self.theirs):
            os.close(fd)

    def close_ours(self) -> None:
        for fd in {self.stdin, *self.outputs.values()} - {-1}:
            os.close(fd)


class ContainerReach:
    """A container as probes and hooks reach it."""

    def __init__(self, streams: ContainerStreams, pod: PodRecord, container: ContainerRecord) -> None:
        self._streams = streams
        self._pod = pod
        self._container = container
        self._sandbox = pod.sandboxes.get(container.config.sandbox_id)
        ips = self._sandbox.ips if self._sandbox is not None else ()
        self.pod_ip = ips[0] if ips else "127.0.0.1"

    async def run(self, command: tuple[str, ...], timeout_seconds: float | None) -> CommandResult:
        return await self._streams.run_command(self._pod, self._container, command, timeout_seconds)

    async def connect(self, host: str, port: int) -> socket.socket:
        return await self._streams.connect(self._sandbox, host, port)
