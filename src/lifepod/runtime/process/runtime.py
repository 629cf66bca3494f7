"""What the levels `host` and `sandbox` share: orders carried out with real processes, reports, streams, and an orderly end.

The levels differ in what a container may have (`check`), how it is launched (`launch`), what a pod sandbox is
(`make_sandbox`) and how its ports are reached (`connect`). Nothing is decided here: no restart, no order of stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import secrets
import signal
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lifepod.lifecycle.vocabulary import (
    Done,
    Ended,
    Failed,
    MountsFailed,
    RuntimeReport,
)
from lifepod.runtime.base import (
    CreateContainerOrder,
    HookOrder,
    InspectImageOrder,
    ProbeOrder,
    PullImageOrder,
    RemoveContainerOrder,
    RemoveSandboxOrder,
    RunSandbox,
    SetUpVolumes,
    StartContainerOrder,
    StopContainerOrder,
    StopSandboxOrder,
    StreamRefused,
    TearDownVolumes,
)
from lifepod.runtime.cri_log import read_tail
from lifepod.runtime.image_names import image_reference
from lifepod.runtime.image_source import ImageUnusable, StandInImages
from lifepod.runtime.process import exec_stream, messages
from lifepod.runtime.process.byte_stream import SocketStream
from lifepod.runtime.process.container_link import ContainerLink
from lifepod.runtime.process.node_client import NodeClient, NodeProcessFailed, connect_in_folder
from lifepod.runtime.process.probing import CommandResult, run_hook, run_probe
from lifepod.runtime.process.records import NEVER_STARTED, ContainerRecord, PodRecord, SandboxRecord
from lifepod.runtime.process.state_files import load_pods, save_container, save_sandbox
from lifepod.runtime.termination_message import termination_message
from lifepod.runtime.volume_folders import VolumeFailed, remove_tree, set_up_volume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lifepod.clock import Clock
    from lifepod.lifecycle.vocabulary import Outcome
    from lifepod.runtime.base import ContainerConfig, Listener, LogOptions, Order, Verb, VolumeConfig
    from lifepod.runtime.image_source import ImageSource
    from lifepod.runtime.process.exec_stream import Attached, Exec
    from lifepod.runtime.process.messages import Message

_LOST_EXIT_CODE = 255
_START_ERROR_EXIT_CODE = 128


class OrderFailed(Exception):
    """The order cannot be carried out: the waiting reason it leads to, and the runtime's words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ProcessRuntime:
    """Runs the containers of one node as processes of this machine. See `runtime.base.Runtime` and `NodeStreams`.

    `root_dir` is made if need be and belongs to this runtime alone. With `persistent`, containers outlive this process and
    the next runtime on the same folder adopts them; otherwise they are killed when it ends, however it ends.
    `on_warning(pod uid, text)` hears what was asked for and cannot be given. `images`: by default mode `host`.
    """

    scheme = "process"

    def __init__(
        self,
        node_name: str,
        root_dir: str | os.PathLike[str],
        listener: Listener,
        clock: Clock,
        *,
        persistent: bool = False,
        on_warning: Callable[[str, str], None] | None = None,
        images: ImageSource | None = None,
    ) -> None:
        self.images = images or StandInImages()
        self.node_name = node_name
        self.root = os.fspath(root_dir)
        self.listener = listener
        self.clock = clock
        self.persistent = persistent
        self._on_warning = on_warning or (lambda uid, text: None)
        self._warned: set[tuple[str, str]] = set()
        self._pods: dict[str, PodRecord] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: dict[str, _Stop] = {}
        self._is_closed = False
        self.node = NodeClient()
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        os.makedirs(self._folder("node"), exist_ok=True)
        if not (persistent and self.node.reconnect(self._folder("node"))):
            self.node.start({"persistent": persistent, "folder": self._folder("node"), **self.node_config()})

    # -------------------------------------------------------------------------------------------- what the levels differ in

    def node_config(self) -> Message:
        """What the node process is told at its start."""
        return {}

    def check(self, pod: PodRecord, config: ContainerConfig) -> None:
        """Raises OrderFailed when a container cannot have what it asks for."""
        raise NotImplementedError

    def launch(self, pod: PodRecord, container: ContainerRecord) -> Message:
        """The part of the supervisor's configuration that says what to execute. Raises OrderFailed."""
        raise NotImplementedError

    def exec_config(self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...]) -> Message:
        """How a command is executed in a running container. Raises OrderFailed."""
        raise NotImplementedError

    async def make_sandbox(self, sandbox: SandboxRecord) -> tuple[str, ...]:
        """Make what the pod's containers share; returns its addresses."""
        raise NotImplementedError

    async def drop_sandbox(self, sandbox: SandboxRecord) -> None:
        """Undo `make_sandbox`."""
        raise NotImplementedError

    async def connect(
        self, sandbox: SandboxRecord | None, host: str, port: int, *, inside: bool = False
    ) -> socket.socket:
        """A connection to `host`; `inside`: as a process of the pod would make it. Raises OSError."""
        raise NotImplementedError

    async def prepare_volume(self, pod: PodRecord, folder: str, volume: VolumeConfig) -> str:
        """Make or refresh one volume; returns the path to mount. Raises VolumeFailed."""
        return await asyncio.to_thread(set_up_volume, folder, volume)

    # -------------------------------------------------------------------------------------------- start and end

    async def start(self) -> None:
        """Wait until the node process is ready, and adopt what outlived the last lifepod."""
        ready = await self.node.wait_ready()
        if not ready["ready"]:
            raise NodeProcessFailed(f"level {self.level} does not work here: {ready['problem']}")
        if self.persistent:
            await self._adopt()

    level = ""
    """`host` or `sandbox`."""

    async def close(self, *, keep: bool = False) -> None:
        """End everything: containers are killed, folders removed. `keep` (persistent): let go and leave them running."""
        self._is_closed = True
        self.images.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if keep and self.persistent:
            for container in self._all_containers():
                if container.link is not None:
                    container.link.close()
            self.node.disconnect()
            return
        running = [c for c in self._all_containers() if c.state == "running"]
        for container in running:
            self._signal(container, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(self._wait_exit(c) for c in running)), 5)
        for pod in list(self._pods.values()):
            await self._tear_down(pod)
        if self.persistent:
            with contextlib.suppress(NodeProcessFailed, TimeoutError):
                await asyncio.wait_for(self.node.request("stop"), 2)
        self.node.disconnect()
        await asyncio.to_thread(self.node.reap)
        await asyncio.to_thread(remove_tree, self.root)

    def _all_containers(self) -> list[ContainerRecord]:
        return [c for pod in self._pods.values() for c in pod.containers.values()]

    def warn(self, pod_uid: str, text: str) -> None:
        """Say once per pod what it asked for and does not get."""
        if (pod_uid, text) not in self._warned:
            self._warned.add((pod_uid, text))
            self._on_warning(pod_uid, text)

    # -------------------------------------------------------------------------------------------- orders

    def perform(self, order: Order) -> None:
        """Start carrying the order out (on the loop's thread)."""
        if isinstance(order.verb, StopContainerOrder):
            self._begin_stop(order, order.verb)
            return
        task = asyncio.get_running_loop().create_task(self._carry_out(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, order: Order) -> None:
        outcome: Outcome
        try:
            outcome = await self._dispatch(self._pod(order.pod_uid), order.verb)
        except OrderFailed as exc:
            outcome = Failed(exc.reason, exc.message)
        except (OSError, NodeProcessFailed) as exc:
            outcome = Failed(_reason_of(order.verb), str(exc))
        except Exception as exc:  # noqa: BLE001 - the outermost loop of a task: one pod's failure must not take others along
            outcome = Failed(_reason_of(order.verb), f"lifepod's runtime failed: {exc!r}; please report this")
        self._end(order, outcome)

    def _end(self, order: Order, outcome: Outcome) -> None:
        self._report(order.pod_uid)
        self.listener.on_ended(order.pod_uid, Ended(order.number, outcome, self.clock.now()))

    async def _dispatch(self, pod: PodRecord, verb: Verb) -> Outcome:
        match verb:
            case SetUpVolumes():
                return await self._set_up_volumes(pod, verb)
            case RunSandbox():
                return await self._run_sandbox(pod, verb)
            case StopSandboxOrder(sandbox_id):
                return await self._stop_sandbox(pod, sandbox_id)
            case RemoveSandboxOrder(sandbox_id):
                return await self._remove_sandbox(pod, sandbox_id)
            case InspectImageOrder(image):
                return await self.images.inspect(image)
            case PullImageOrder():
                return await self.images.pull(verb, functools.partial(self.warn, pod.uid))
            case CreateContainerOrder(config):
                return await self._create_container(pod, config)
            case StartContainerOrder(container_id):
                return await self._start_container(pod, container_id)
            case RemoveContainerOrder(container_id):
                return await self._remove_container(pod, container_id)
            case HookOrder():
                container = self._container(pod, verb.container_id)
                return await run_hook(_ContainerReach(self, pod, container), verb.hook, verb.handler)
            case ProbeOrder():
                container = self._container(pod, verb.container_id)
                return await run_probe(_ContainerReach(self, pod, container), verb.handler, verb.timeout_seconds)
            case TearDownVolumes():
                await self._tear_down(pod)
                return Done()
            case _:
                raise AssertionError(f"no such verb here: {verb}")

    def reports(self) -> dict[str, RuntimeReport]:
        return {uid: pod.report() for uid, pod in self._pods.items()}

    def _pod(self, uid: str) -> PodRecord:
        if uid not in self._pods:
            self._pods[uid] = PodRecord(uid)
        return self._pods[uid]

    def _container(self, pod: PodRecord, container_id: str) -> ContainerRecord:
        container = pod.containers.get(container_id)
        if container is None:
            raise OrderFailed("", f"container {container_id} not found")
        return container

    def _report(self, uid: str) -> None:
        pod = self._pods.get(uid)
        report = RuntimeReport() if pod is None else pod.report()
        if pod is not None:
            if pod.last_report == report:
                return
            pod.last_report = report
        self.listener.on_report(uid, report)

    def _folder(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)

    # -------------------------------------------------------------------------------------------- volumes

    async def _set_up_volumes(self, pod: PodRecord, order: SetUpVolumes) -> Outcome:
        errors = list(order.failed)
        for volume in order.volumes:
            folder = self._folder("volumes", pod.uid, volume.name)
            try:
                pod.volumes[volume.name] = await self.prepare_volume(pod, folder, volume)
            except VolumeFailed as exc:
                errors.append((volume.name, str(exc)))
            except NodeProcessFailed as exc:
                errors.append((volume.name, str(exc)))
        return MountsFailed(tuple(errors)) if errors else Done()

    async def _tear_down(self, pod: PodRecord) -> None:
        """Nothing of the pod stays: processes, namespaces, volumes, containers' folders, logs."""
        for container in pod.containers.values():
            if container.state == "running":
                self._signal(container, signal.SIGKILL)
                await self._wait_exit(container)
        for sandbox in pod.sandboxes.values():
            if sandbox.is_ready:
                sandbox.is_ready = False
                await self.drop_sandbox(sandbox)
        await self.drop_volumes(pod)
        folders = [self._folder("volumes", pod.uid), *sorted(pod.log_folders)]
        folders += [c.folder for c in pod.containers.values()]
        folders += [self._folder("sandboxes", s) for s in pod.sandboxes]
        await asyncio.to_thread(_remove_trees, folders)
        self._pods.pop(pod.uid, None)
        self._warned = {entry for entry in self._warned if entry[0] != pod.uid}

    async def drop_volumes(self, pod: PodRecord) -> None:
        """Undo what `prepare_volume` did besides making folders."""

    # -------------------------------------------------------------------------------------------- sandboxes

    async def _run_sandbox(self, pod: PodRecord, order: RunSandbox) -> Outcome:
        sandbox = SandboxRecord(secrets.token_hex(32), order.config, self.clock.now())
        sandbox.ips = await self.make_sandbox(sandbox)
        sandbox.is_ready = True
        pod.sandboxes[sandbox.id] = sandbox
        if self.persistent:
            save_sandbox(self._folder("sandboxes", sandbox.id), pod.uid, sandbox)
        return Done(sandbox.id)

    async def _stop_sandbox(self, pod: PodRecord, sandbox_id: str) -> Outcome:
        """CRI's rule: whatever still runs in it is killed. Stopping twice, or what is gone, is fine."""
        sandbox = pod.sandboxes.get(sandbox_id)
        if sandbox is None:
            return Done()
        for container in list(pod.containers.values()):
            if container.config.sandbox_id == sandbox_id and container.state == "running":
                self._signal(container, signal.SIGKILL)
                await self._wait_exit(container)
        if sandbox.is_ready:
            sandbox.is_ready = False
            await self.drop_sandbox(sandbox)
        if self.persistent:
            save_sandbox(self._folder("sandboxes", sandbox.id), pod.uid, sandbox)
        return Done()

    async def _remove_sandbox(self, pod: PodRecord, sandbox_id: str) -> Outcome:
        await self._stop_sandbox(pod, sandbox_id)
        for container in list(pod.containers.values()):
            if container.config.sandbox_id == sandbox_id:
                await self._remove_container(pod, container.id)
        pod.sandboxes.pop(sandbox_id, None)
        await asyncio.to_thread(remove_tree, self._folder("sandboxes", sandbox_id))
        return Done()

    # -------------------------------------------------------------------------------------------- containers

    async def _create_container(self, pod: PodRecord, config: ContainerConfig) -> Outcome:
        try:
            image = await self.images.complete(pod.uid, config, functools.partial(self.warn, pod.uid))
        except ImageUnusable as exc:
            raise OrderFailed(exc.reason, exc.message) from exc
        config = image.config
        self.check(pod, config)
        container_id = secrets.token_hex(32)
        pod_folder = self._folder("pods", f"{config.pod_namespace}_{config.pod_name}_{pod.uid}")
        pod.log_folders.add(pod_folder)
        log_folder = os.path.join(pod_folder, config.name)
        os.makedirs(log_folder, exist_ok=True)
        attempt = next_attempt(log_folder, config.attempt)
        log_path = os.path.join(log_folder, f"{attempt}.log")
        folder = self._folder("containers", container_id)
        os.makedirs(folder, mode=0o700)
        os.close(os.open(log_path, os.O_CREAT | os.O_WRONLY, 0o640))
        message_file = os.path.join(folder, "termination-log")
        os.close(os.open(message_file, os.O_CREAT | os.O_WRONLY))
        os.chmod(message_file, 0o666)
        container = ContainerRecord(
            container_id, config, attempt, self.clock.now(), folder, log_path, str(image_reference(config.image))
        )
        container.image_root, container.stop_signal = image.root, image.stop_signal
        pod.containers[container_id] = container
        if self.persistent:
            save_container(pod.uid, container)
        return Done(container_id)

    async def _start_container(self, pod: PodRecord, container_id: str) -> Outcome:
        container = self._container(pod, container_id)
        try:
            config = self.launch(pod, container)
            await self._start_supervisor(container, config)
        except OrderFailed as exc:
            self._never_started(container, exc.message)
            raise OrderFailed(exc.reason or "RunContainerError", exc.message) from exc
        return Done()

    def _never_started(self, container: ContainerRecord, text: str) -> None:
        """As containerd shows a container whose start failed: exit code 128, started at the epoch."""
        container.started_at = NEVER_STARTED
        container.end(_START_ERROR_EXIT_CODE, "StartError", text, self.clock.now())

    async def _start_supervisor(self, container: ContainerRecord, config: Message) -> None:
        base: Message = {
            "folder": container.folder,
            "log": container.log_path,
            "tty": container.config.tty,
            "stdin": container.config.stdin,
            "stdin_once": container.config.stdin_once,
            "persistent": self.persistent,
        }
        with open(os.path.join(container.folder, "config.json"), "w") as file:  # noqa: ASYNC230 - a few kB
            json.dump(base | config, file)
        ours, theirs = messages.channel()
        try:
            _, fds = await self.node.request("start", (theirs.fileno(),), folder=container.folder)
        except NodeProcessFailed as exc:
            ours.close()
            raise OrderFailed("RunContainerError", str(exc)) from exc
        finally:
            theirs.close()
        self._link(container, ours, fds[0] if fds else None)
        assert container.link is not None
        said = await container.link.started
        if "failed" in said:
            container.link.close()
            raise OrderFailed("RunContainerError", start_error_text(str(said["failed"])))
        container.pid = int(said["pid"])
        container.started_at = epoch_time(int(said["started"]))
        if container.state == "created":
            container.state = "running"

    def _link(self, container: ContainerRecord, sock: socket.socket, pidfd: int | None) -> None:
        container.link = ContainerLink(sock, pidfd, functools.partial(self._on_supervisor_end, container))

    def _on_supervisor_end(self, container: ContainerRecord) -> None:
        """Read how the container ended; only the supervisor's file knows."""
        for running in list(container.execs):
            running.kill()
        if container.state == "exited" or (container.started_at is None and not self._read_started(container)):
            return
        self._read_exit(container)
        stop = self._stops.pop(container.id, None)
        uid = self._uid_of(container)
        if uid is None:
            return
        self._report(uid)
        if stop is not None:
            stop.finish(self, Done())

    def _read_started(self, container: ContainerRecord) -> bool:
        """When the start is only known from the supervisor's file: it ended before its first word was read."""
        said = _read_json(os.path.join(container.folder, "started.json"))
        if said is None:
            return False
        container.started_at, container.pid = epoch_time(int(said["at"])), int(said["pid"])
        return True

    def _read_exit(self, container: ContainerRecord) -> None:
        said = _read_json(os.path.join(container.folder, "exit.json"))
        if said is None:
            container.end(_LOST_EXIT_CODE, "Unknown", "", self.clock.now())
            return
        if said.get("never_ran"):
            self._never_started(container, start_error_text(self._last_words(container)))
            return
        code = int(said["code"])
        config = container.config
        message = termination_message(
            self.message_file(container),
            config.termination_message_path,
            config.termination_message_policy,
            container.log_path,
            code,
        )
        container.end(code, "Completed" if code == 0 else "Error", message, epoch_time(int(said["at"])))

    def message_file(self, container: ContainerRecord) -> str:
        return os.path.join(container.folder, "termination-log")

    def _last_words(self, container: ContainerRecord) -> str:
        return read_tail(container.log_path, 1, 2048).decode(errors="replace").strip()

    def _uid_of(self, container: ContainerRecord) -> str | None:
        return next((pod.uid for pod in self._pods.values() if container.id in pod.containers), None)

    async def _remove_container(self, pod: PodRecord, container_id: str) -> Outcome:
        container = pod.containers.get(container_id)
        if container is None:
            return Done()
        if container.state == "running":
            self._signal(container, signal.SIGKILL)
            await self._wait_exit(container)
        del pod.containers[container_id]
        await asyncio.to_thread(_remove_container_files, container)
        return Done()

    # -------------------------------------------------------------------------------------------- stopping

    def _signal(self, container: ContainerRecord, number: int) -> None:
        if container.link is not None:
            container.link.signal(number)

    async def _wait_exit(self, container: ContainerRecord) -> None:
        if container.state == "running":
            await container.ended.wait()

    def _begin_stop(self, order: Order, verb: StopContainerOrder) -> None:
        """Send the signal now and SIGKILL after the grace; asked again, the earlier end counts."""
        pod = self._pods.get(order.pod_uid)
        container = None if pod is None else pod.containers.get(verb.container_id)
        if container is None or container.state != "running":
            self._end(order, Done())
            return
        stop = self._stops.get(container.id)
        if stop is None:
            stop = self._stops[container.id] = _Stop()
            # The node says TERM when the spec says nothing; then the image's own signal counts.
            name = container.stop_signal if verb.signal == "TERM" and container.stop_signal else verb.signal
            self._signal(container, _signal_number(name))
        stop.orders.append(order)
        kill = functools.partial(self._signal, container, signal.SIGKILL)
        stop.kill_no_later_than(verb.grace_seconds, kill)

    # -------------------------------------------------------------------------------------------- streams

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
            raise StreamRefused(f"dial tcp4 127.0.0.1:{port}: {(exc.strerror or str(exc)).lower()}") from exc

    async def _start_exec(
        self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> Exec:
        config = {**self.exec_config(pod, container, command), "tty": tty}
        ends = _ExecEnds(stdin=stdin, tty=tty)
        ours, theirs = messages.channel()
        with tempfile.TemporaryFile("w+") as file:
            json.dump(config, file)
            file.flush()
            try:
                _, fds = await self.node.request("exec", (file.fileno(), theirs.fileno(), *ends.theirs))
            except NodeProcessFailed:
                ours.close()
                ends.close_ours()
                raise
            finally:
                theirs.close()
                ends.close_theirs()
        for fd in fds:
            os.close(fd)
        return exec_stream.Exec(container, ours, outputs=ends.outputs, stdin=ends.stdin)

    async def run_command(
        self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...], timeout_seconds: float | None
    ) -> CommandResult:
        """A probe's or hook's command: its output and exit code; killed at the time-out."""
        if container.state != "running":
            return CommandResult(0, b"", f"container not running ({container.id})")
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

    # -------------------------------------------------------------------------------------------- adoption

    async def _adopt(self) -> None:
        """Take over what the last lifepod left: running containers by their supervisors' sockets, ended ones by their files."""
        for pod in load_pods(self.root):
            self._pods[pod.uid] = pod
            for container in pod.containers.values():
                if container.state == "exited":
                    continue
                self._adopt_container(container)
            self._report(pod.uid)

    def _adopt_container(self, container: ContainerRecord) -> None:
        started = _read_json(os.path.join(container.folder, "started.json"))
        if started is None:
            return
        container.started_at, container.pid = epoch_time(int(started["at"])), int(started["pid"])
        container.state = "running"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pidfd = os.pidfd_open(int(started["supervisor"]))
            connect_in_folder(sock, container.folder)
        except OSError:
            sock.close()
            self._read_exit(container)
            return
        self._link(container, sock, pidfd)


class _Stop:
    """A stop under way: who waits for it, and when SIGKILL comes."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self._kill: asyncio.TimerHandle | None = None

    def kill_no_later_than(self, seconds: float, kill: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._kill is not None:
            if self._kill.when() <= when:
                return
            self._kill.cancel()
        self._kill = loop.call_at(when, kill)

    def finish(self, runtime: ProcessRuntime, outcome: Outcome) -> None:
        if self._kill is not None:
            self._kill.cancel()
        for order in self.orders:
            runtime._end(order, outcome)


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


class _ContainerReach:
    """A container as probes and hooks reach it."""

    def __init__(self, runtime: ProcessRuntime, pod: PodRecord, container: ContainerRecord) -> None:
        self._runtime = runtime
        self._pod = pod
        self._container = container
        self._sandbox = pod.sandboxes.get(container.config.sandbox_id)
        ips = self._sandbox.ips if self._sandbox is not None else ()
        self.pod_ip = ips[0] if ips else "127.0.0.1"

    async def run(self, command: tuple[str, ...], timeout_seconds: float | None) -> CommandResult:
        return await self._runtime.run_command(self._pod, self._container, command, timeout_seconds)

    async def connect(self, host: str, port: int) -> socket.socket:
        return await self._runtime.connect(self._sandbox, host, port)


# ------------------------------------------------------------------------------------------------ texts and small facts


def start_error_text(problem: str) -> str:
    """A failed start in the words of containerd and runc."""
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f"unable to start container process: {problem}: unknown"
    )


def exec_error_text(problem: str) -> str:
    """A failed exec in the words of containerd and runc."""
    return f"OCI runtime exec failed: exec failed: unable to start container process: {problem}: unknown"


def _reason_of(verb: Verb) -> str:
    match verb:
        case CreateContainerOrder():
            return "CreateContainerError"
        case StartContainerOrder():
            return "RunContainerError"
        case PullImageOrder():
            return "ErrImagePull"
        case InspectImageOrder():
            return "ImageInspectError"
        case _:
            return ""


def epoch_time(nanoseconds: int) -> datetime:
    """Nanoseconds since the epoch as a moment, without a float's rounding."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)


def attempt_of(log_name: str) -> int:
    """The attempt that a log file's name tells, -1 for other files."""
    stem = log_name.split(".", 1)[0]
    return int(stem) if stem.isdigit() else -1


def next_attempt(log_folder: str, asked: int) -> int:
    """The attempt's number: as asked, but above every attempt that left a log, were it forgotten.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: calcRestartCountByLogDir
    """
    newest = max((attempt_of(name) for name in os.listdir(log_folder)), default=-1)
    return max(asked, newest + 1)


def _signal_number(name: str) -> int:
    text = name.upper().removeprefix("SIG")
    if text.isdigit():
        return int(text)
    if text.startswith("RTMIN+"):
        return int(signal.SIGRTMIN) + int(text[6:])
    return int(getattr(signal, f"SIG{text}", signal.SIGTERM))


def _read_json(path: str) -> Message | None:
    try:
        with open(path) as file:
            content: Message = json.load(file)
            return content
    except (OSError, ValueError):
        return None


def _remove_trees(paths: list[str]) -> None:
    for path in paths:
        if os.path.lexists(path):
            remove_tree(path)


def _remove_container_files(container: ContainerRecord) -> None:
    """The folder, and the log unless it is the newest: that one tells the next attempt's number."""
    remove_tree(container.folder)
    folder = os.path.dirname(container.log_path)
    with contextlib.suppress(FileNotFoundError):
        if any(attempt_of(name) > container.attempt for name in os.listdir(folder)):
            os.unlink(container.log_path)
