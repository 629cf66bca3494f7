"""What the levels `host` and `sandbox` share: orders carried out with real processes, reports, streams, and an orderly end.

The levels differ in what a container may have (`check`), how it is launched (`launch`), what a pod sandbox is
(`make_sandbox`) and how its ports are reached (`connect`). Nothing is decided here: no restart, no order of stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import signal
import socket
from typing import TYPE_CHECKING

from lifepod.lifecycle.eviction import Usage
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
    TearDownVolumes,
    UsageSample,
)
from lifepod.runtime.image_names import image_reference
from lifepod.runtime.image_source import ImageUnusable, StandInImages
from lifepod.runtime.process import messages
from lifepod.runtime.process.container_end import (
    left_behind,
    message_file,
    note_ended,
    note_never_started,
    note_started,
    reach_supervisor,
)
from lifepod.runtime.process.container_link import ContainerLink
from lifepod.runtime.process.container_streams import ContainerReach, ContainerStreams
from lifepod.runtime.process.disk_usage import file_bytes, folder_bytes
from lifepod.runtime.process.log_files import next_attempt, remove_container_files
from lifepod.runtime.process.loose_limits import Enforcement, without_groups
from lifepod.runtime.process.node_client import NodeClient, NodeProcessFailed
from lifepod.runtime.process.order_failure import OrderFailed, reason_of, start_error_text
from lifepod.runtime.process.probing import run_hook, run_probe
from lifepod.runtime.process.process_tree import children_of
from lifepod.runtime.process.records import ContainerRecord, PodRecord, SandboxRecord
from lifepod.runtime.process.state_files import load_pods, save_container, save_sandbox
from lifepod.runtime.process.stop import Stop, signal_number
from lifepod.runtime.process.usage import Used, used_by_groups, used_by_processes
from lifepod.runtime.volume_folders import VolumeFailed, remove_tree, set_up_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.clock import Clock
    from lifepod.lifecycle.vocabulary import Outcome
    from lifepod.runtime.base import ContainerConfig, Listener, Order, Verb, VolumeConfig
    from lifepod.runtime.image_source import ImageSource
    from lifepod.runtime.process.messages import Message


class ProcessRuntime(ContainerStreams):
    """Runs the containers of one node as processes of this machine. See `runtime.base.Runtime` and `NodeStreams`.

    `root_dir` is made if need be and belongs to this runtime alone. With `persistent`, containers outlive this process and
    the next runtime on the same folder adopts them; otherwise they are killed when it ends, however it ends, and `root_dir` and
    the folders of `scratch` are removed even if this process is killed.
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
        scratch: tuple[str, ...] = (),
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
        self._stops: dict[str, Stop] = {}
        self.node = NodeClient()
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        os.makedirs(self._folder("node"), exist_ok=True)
        if not (persistent and self.node.reconnect(self._folder("node"))):
            leftovers = [] if persistent else [self.root, *scratch]
            config = {"persistent": persistent, "folder": self._folder("node"), "leftovers": leftovers}
            self.node.start({**config, **self.node_config()})

    # -------------------------------------------------------------------------------------------- what the levels differ in

    def node_config(self) -> Message:
        """What the node process is told at its start."""
        return {}

    async def make_sub_paths(self, pod: PodRecord, config: ContainerConfig) -> None:
        """Make the folders of subPath mounts where this process does not see the volume. Raises OrderFailed."""

    def check(self, pod: PodRecord, config: ContainerConfig) -> None:
        """Raises OrderFailed when a container cannot have what it asks for."""
        raise NotImplementedError

    def launch(self, pod: PodRecord, container: ContainerRecord) -> Message:
        """The part of the supervisor's configuration that says what to execute. Raises OrderFailed."""
        raise NotImplementedError

    async def make_sandbox(self, sandbox: SandboxRecord) -> tuple[str, ...]:
        """Make what the pod's containers share; returns its addresses."""
        raise NotImplementedError

    async def drop_sandbox(self, sandbox: SandboxRecord) -> None:
        """Undo `make_sandbox`."""
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
            self._adopt()

    def _adopt(self) -> None:
        """Take over what the last lifepod left: running containers by their supervisors' sockets, ended ones by their files."""
        for pod in load_pods(self.root):
            self._pods[pod.uid] = pod
            for container in pod.containers.values():
                started = left_behind(container, "started.json")
                if started is None:
                    continue
                note_started(container, started)
                reached = reach_supervisor(container, started)
                if reached is None:
                    note_ended(container, left_behind(container, "exit.json"), self.clock.now())
                else:
                    self._link(container, *reached)
                    if container.image_root:
                        self.images.adopt(container.image_root)
            self._report(pod.uid)
        for uid in os.listdir(self._folder("volumes")) if os.path.isdir(self._folder("volumes")) else ():
            if uid not in self._pods:  # its pod was taken down; only the folder was still to go
                remove_tree(self._folder("volumes", uid))

    level = ""
    """`host` or `sandbox`."""

    def enforcement(self) -> Enforcement:
        """How far limits are the kernel's here."""
        return without_groups()

    async def close(self, *, keep: bool = False) -> None:
        """End everything: containers are killed, folders removed. `keep` (persistent): let go and leave them running."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if keep and self.persistent:
            for container in self._all_containers():
                if container.link is not None:
                    container.link.close()
            self.node.disconnect()
            self.images.close()
            return
        running = [c for c in self._all_containers() if c.state == "running"]
        for container in running:
            self._signal(container, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(self._wait_exit(c) for c in running)), 5)
        self.images.close()
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
            outcome = Failed(reason_of(order.verb), str(exc))
        except Exception as exc:  # noqa: BLE001 - the outermost loop of a task: one pod's failure must not take others along
            outcome = Failed(reason_of(order.verb), f"lifepod's runtime failed: {exc!r}; please report this")
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
                return await run_hook(ContainerReach(self, pod, container), verb.hook, verb.handler)
            case ProbeOrder():
                container = self._container(pod, verb.container_id)
                return await run_probe(ContainerReach(self, pod, container), verb.handler, verb.timeout_seconds)
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

    def usage(self, uid: str) -> Usage | None:
        """What the pod has on disk: its own volumes, its containers' layers and logs."""
        pod = self._pods.get(uid)
        if pod is None:
            return None
        own = self._folder("volumes", uid)
        volumes = [(name, path) for name, path in pod.volumes.items() if path.startswith(own)]
        return Usage(
            tuple((name, folder_bytes(path)) for name, path in volumes),
            tuple((c.config.name, folder_bytes(c.folder) + file_bytes(c.log_path)) for c in pod.containers.values()),
        )

    def samples(self, uid: str) -> tuple[UsageSample, ...]:
        """What each running container of a pod has used so far."""
        pod = self._pods.get(uid)
        running = [c for c in pod.containers.values() if c.state == "running"] if pod is not None else []
        return tuple(self._sample(container) for container in running)

    def _sample(self, container: ContainerRecord) -> UsageSample:
        used = used_by_groups(self.group_folders(container))
        if used.cpu is None or used.memory is None:
            executed = [pid for each in container.execs for pid in children_of(each.helper)]
            seen = used_by_processes([*self.first_processes(container), *executed])
            used = Used(seen.cpu if used.cpu is None else used.cpu, seen.memory if used.memory is None else used.memory)
        assert container.started_at is not None
        return UsageSample(container.id, container.config.name, container.started_at, used.cpu or 0, used.memory or 0)

    def group_folders(self, container: ContainerRecord) -> tuple[str, ...]:
        """The control groups of a container, if it has any."""
        return ()

    def first_processes(self, container: ContainerRecord) -> tuple[int, ...]:
        """The processes below which all others of a container are."""
        return tuple(children_of(container.supervisor))

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
        if left := await asyncio.to_thread(_remove_trees, folders):
            with contextlib.suppress(NodeProcessFailed):
                await self.node.request("remove", folders=left)
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
        await self.make_sub_paths(pod, config)
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
            note_never_started(container, exc.message, self.clock.now())
            raise OrderFailed(exc.reason or "RunContainerError", exc.message) from exc
        return Done()

    async def _start_supervisor(self, container: ContainerRecord, config: Message) -> None:
        base: Message = {
            "folder": container.folder,
            "log": container.log_path,
            "tty": container.config.tty,
            "stdin": container.config.stdin,
            "stdin_once": container.config.stdin_once,
            "persistent": self.persistent,
        }
        ours, theirs = messages.channel()
        with messages.in_memory(base | config) as file:
            try:
                _, fds = await self.node.request("start", (theirs.fileno(), file.fileno()), pod=config.get("pod"))
            except NodeProcessFailed as exc:
                ours.close()
                raise OrderFailed("RunContainerError", str(exc)) from exc
            finally:
                theirs.close()
        self._link(container, ours, fds[0] if fds else None)
        assert container.link is not None
        said = await container.link.wait_started()
        if "failed" in said:
            container.link.close()
            raise OrderFailed("RunContainerError", start_error_text(str(said["failed"])))
        if container.started_at is None:  # it may have ended meanwhile, which noted both
            note_started(container, said)

    def _link(self, container: ContainerRecord, sock: socket.socket, pidfd: int | None) -> None:
        container.link = ContainerLink(sock, pidfd, functools.partial(self._on_supervisor_end, container))

    def _on_supervisor_end(self, container: ContainerRecord) -> None:
        """Note how the container ended, by its supervisor's last word, else by its file."""
        for running in list(container.execs):
            running.kill()
        if container.state == "exited" or container.link is None:
            return
        if container.started_at is None:
            said = container.link.started
            if "started" not in said:
                return
            note_started(container, said)
        note_ended(container, container.link.last_word or left_behind(container, "exit.json"), self.clock.now())
        stop = self._stops.pop(container.id, None)
        uid = self._uid_of(container)
        if uid is None:
            return
        self._report(uid)
        for order in stop.finish() if stop is not None else ():
            self._end(order, Done())

    def message_file(self, container: ContainerRecord) -> str:
        """Where the container's termination message lies on this machine."""
        return message_file(container)

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
        await asyncio.to_thread(remove_container_files, container)
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
            stop = self._stops[container.id] = Stop()
            # The node says TERM when the spec says nothing; then the image's own signal counts.
            name = container.stop_signal if verb.signal == "TERM" and container.stop_signal else verb.signal
            self._signal(container, signal_number(name))
        stop.orders.append(order)
        kill = functools.partial(self._signal, container, signal.SIGKILL)
        stop.kill_no_later_than(verb.grace_seconds, kill)


def _remove_trees(paths: list[str]) -> list[str]:
    """Returns those that could not be removed: other users of a container own something in them."""
    for path in paths:
        if os.path.lexists(path):
            remove_tree(path)
    return [path for path in paths if os.path.lexists(path)]
