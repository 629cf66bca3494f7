"""The default level on Linux: each container in user, mount, pid, ipc and uts namespaces, made by bubblewrap.

A container's supervisor is forked from the node process, enters the pod's network, ipc and uts namespaces and starts
bubblewrap there. A container without an image shows this machine's own files (`root_file_system.py`), one with an image only
that image's (`image_root.py`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from lifepod.runtime.executables import DEFAULT_PATH, NotExecutable, find_executable
from lifepod.runtime.process.loose_limits import Enforcement, data_limit, with_groups, without_groups
from lifepod.runtime.process.node_client import NodeProcessFailed
from lifepod.runtime.process.order_failure import OrderFailed, exec_error_text, start_error_text
from lifepod.runtime.process.runtime import ProcessRuntime
from lifepod.runtime.sandbox.bubblewrap import find_bubblewrap
from lifepod.runtime.sandbox.capabilities import NUMBERS, kept_capabilities
from lifepod.runtime.sandbox.cgroups import find_cgroups
from lifepod.runtime.sandbox.image_root import ImageRoot
from lifepod.runtime.sandbox.root_file_system import BindMount, RootFileSystem, copy_what_must_be, resolve
from lifepod.runtime.sandbox.seccomp import default_profile, owners_stay
from lifepod.runtime.sandbox.way_out import WayOut
from lifepod.runtime.volume_folders import SubPathFailed, resolve_sub_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.clock import Clock
    from lifepod.runtime.base import ContainerConfig, Listener, VolumeConfig
    from lifepod.runtime.image_source import ImageSource
    from lifepod.runtime.process.messages import Message
    from lifepod.runtime.process.records import ContainerRecord, PodRecord, SandboxRecord

POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"


class SandboxRuntime(ProcessRuntime):
    """Runs containers in namespaces. `service_cidr` is the range that the node's network answers for.

    `way_out` is the program by which pods reach what is outside of the cluster, "" for none; `on_no_way_out` hears why it does
    not work.
    """

    level = "sandbox"

    def __init__(
        self,
        node_name: str,
        root_dir: str | os.PathLike[str],
        listener: Listener,
        clock: Clock,
        *,
        pod_cidr: str = POD_CIDR,
        service_cidr: str = SERVICE_CIDR,
        persistent: bool = False,
        on_warning: Callable[[str, str], None] | None = None,
        scratch: tuple[str, ...] = (),
        images: ImageSource | None = None,
        max_processes: int | None = None,
        way_out: str = "",
        on_no_way_out: Callable[[str], None] = lambda problem: None,
    ) -> None:
        self._pod_cidr = pod_cidr
        self._service_cidr = service_cidr
        self._bubblewrap = find_bubblewrap()
        self._overlays: bool | None = None
        self._max_processes = max_processes
        self._cgroups = find_cgroups()  # before any process is started, see there
        super().__init__(
            node_name,
            root_dir,
            listener,
            clock,
            persistent=persistent,
            on_warning=on_warning,
            images=images,
            scratch=scratch,
        )
        self.way_out = WayOut(self.node, way_out, on_no_way_out) if way_out else None

    async def start(self) -> None:
        await super().start()
        if self.way_out is not None and self._pods:  # those that lived on may have lost it
            self.way_out.open()

    async def close(self, *, keep: bool = False) -> None:
        if self.way_out is not None:
            self.way_out.close()
        await super().close(keep=keep)

    def node_config(self) -> Message:
        return {"sandbox": {"pod_cidr": self._pod_cidr, "service_cidr": self._service_cidr}}

    async def node_socket(self, kind: str = "tcp") -> socket.socket:
        """A fresh socket (`tcp` or `udp`) in the node's network: it reaches pods, and may listen on Service addresses."""
        _, fds = await self.node.request("socket", kind=kind)
        sock = socket.socket(fileno=fds[0])
        sock.setblocking(False)
        return sock

    # -------------------------------------------------------------------------------------------- pod sandboxes

    async def make_sandbox(self, sandbox: SandboxRecord) -> tuple[str, ...]:
        config = sandbox.config
        answer, _ = await self.node.request(
            "pod",
            pod=sandbox.id,
            hostname=config.hostname,
            host_network=config.host_network,
            way_out=self.way_out is not None,
            proc=self._shared_proc(sandbox) if config.share_process_namespace else "",
        )
        sandbox.first_process = answer["first"]
        if self.way_out is not None and answer["ip"]:
            self.way_out.open()
        return (answer["ip"],) if answer["ip"] else ()

    def _shared_proc(self, sandbox: SandboxRecord) -> str:
        """The folder that shows the processes of a pod whose containers share a namespace."""
        return self._folder("sandboxes", sandbox.id, "proc")

    async def drop_sandbox(self, sandbox: SandboxRecord) -> None:
        await self.node.request("unpod", pod=sandbox.id)

    async def connect(
        self, sandbox: SandboxRecord | None, host: str, port: int, *, inside: bool = False
    ) -> socket.socket:
        loop = asyncio.get_running_loop()
        address = (await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM))[0][4]
        if sandbox is None or sandbox.config.host_network:
            sock = socket.socket()
        else:
            _, fds = await self.node.request("socket", kind="tcp", pod=sandbox.id if inside else None)
            sock = socket.socket(fileno=fds[0])
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock

    # -------------------------------------------------------------------------------------------- volumes

    async def prepare_volume(self, pod: PodRecord, folder: str, volume: VolumeConfig) -> str:
        path = await super().prepare_volume(pod, folder, volume)
        if volume.kind == "empty" and volume.medium == "Memory" and volume.name not in pod.volumes:
            await self.node.request("tmpfs", folder=path, size=volume.size_limit_bytes)
            pod.tmpfs.add(path)
        return path

    async def drop_volumes(self, pod: PodRecord) -> None:
        for path in pod.tmpfs:
            await self.node.request("unmount", folder=path)
        pod.tmpfs.clear()

    # -------------------------------------------------------------------------------------------- containers

    async def make_sub_paths(self, pod: PodRecord, config: ContainerConfig) -> None:
        if self.images.stands_in(config.image) and (copy := copy_what_must_be(self._folder("skeletons"))) is not None:
            await asyncio.to_thread(copy)
        for mount in config.mounts:
            root = pod.volumes.get(mount.volume, "")
            if mount.sub_path and root in pod.tmpfs:
                try:
                    await self.node.request("sub_path", root=root, sub_path=mount.sub_path)
                except NodeProcessFailed as exc:
                    raise _sub_path_failed(mount.volume, config.name) from exc

    def check(self, pod: PodRecord, config: ContainerConfig) -> None:
        for mount in config.mounts:
            if mount.volume not in pod.volumes:
                raise OrderFailed(
                    "CreateContainerConfigError",
                    f'cannot find volume "{mount.volume}" to mount into container "{config.name}"',
                )
            if mount.sub_path:
                try:
                    resolve_sub_path(pod.volumes[mount.volume], mount.sub_path)
                except SubPathFailed as exc:
                    raise _sub_path_failed(mount.volume, config.name) from exc
        self._warn_of_limits(pod, config)

    def _warn_of_limits(self, pod: PodRecord, config: ContainerConfig) -> None:
        name = config.name
        if self._has_limits(config) and not (enforcement := self.enforcement()).is_whole:
            self.warn(pod.uid, f'container "{name}": {enforcement.message}')
        if self._max_processes is not None and (self._cgroups is None or "pids" not in self._cgroups.parents):
            self.warn(
                pod.uid,
                f'container "{name}": the number of processes is not limited: no control group for it can be made',
            )
        if config.security.privileged:
            self.warn(pod.uid, f'container "{name}" is privileged in its own namespaces only, not on this machine')
        if config.security.supplemental_groups:
            self.warn(pod.uid, f'container "{name}": supplemental groups cannot be set with one mapped user')

    @staticmethod
    def _has_limits(config: ContainerConfig) -> bool:
        return config.resources.memory_limit_bytes is not None or config.resources.cpu_limit_millicores is not None

    def enforcement(self) -> Enforcement:
        cgroups = self._cgroups
        return without_groups() if cgroups is None else with_groups(cgroups.version, frozenset(cgroups.parents))

    def _limits(self, container: ContainerRecord) -> Message:
        """The control groups of a container that has limits; what stands in for them where none can be made."""
        resources, cgroups = container.config.resources, self._cgroups
        if cgroups is None:
            return {"data_limit": data_limit(resources.memory_limit_bytes)}
        group = cgroups.group(container.id, resources, self._max_processes)
        return {"cgroup": group._asdict() if group.folders else None}

    def group_folders(self, container: ContainerRecord) -> tuple[str, ...]:
        group = self._limits(container).get("cgroup")
        return tuple(group["folders"]) if group is not None else ()

    def first_processes(self, container: ContainerRecord) -> tuple[int, ...]:
        return (container.pid,)  # not bubblewrap, which only waits for it

    def launch(self, pod: PodRecord, container: ContainerRecord) -> Message:
        config = container.config
        sandbox = pod.sandboxes.get(config.sandbox_id)
        if sandbox is None or not sandbox.is_ready:
            raise OrderFailed("RunContainerError", f"the pod sandbox {config.sandbox_id} does not run")
        root = self._root(pod, container, sandbox)
        cwd = root.resolved(config.working_dir or "/")
        root.write_skeleton(self._own_files(sandbox), cwd)
        env = self._environment(sandbox, config)
        argv = [*config.command, *config.args]
        try:
            path = find_executable(argv[0], env["PATH"], cwd, root.on_disk)
        except NotExecutable as exc:
            raise OrderFailed("RunContainerError", start_error_text(str(exc))) from exc
        has_own_processes = not (sandbox.config.share_process_namespace or sandbox.config.host_pid)
        bwrap = self._bubblewrap_words(config, root, env, cwd, has_own_processes=has_own_processes)
        return {
            "bwrap": [*bwrap, "--argv0", argv[0], "--", path, *argv[1:]],
            "env": {},
            "cwd": "/",
            "path": "",
            "argv": [],
            "pod": sandbox.id,
            "first_of_pod": sandbox.first_process,
            "hostname": sandbox.config.hostname,
            "data": root.data,
            "seccomp": _seccomp(config),
            "alone": _seccomp_of_one_user(config),
            **self._limits(container),
            "map_users": bool(container.image_root) and not config.security.run_as_user,
        }

    def _bubblewrap_words(
        self,
        config: ContainerConfig,
        root: RootFileSystem | ImageRoot,
        env: dict[str, str],
        cwd: str,
        *,
        has_own_processes: bool,
    ) -> list[str]:
        security = config.security
        words = [self._bubblewrap, "--unshare-user", "--die-with-parent"]
        if has_own_processes:
            words += ["--unshare-pid", "--as-pid-1"]
        words += ["--uid", str(security.run_as_user or 0), "--gid", str(security.run_as_group or 0)]
        words += ["--info-fd", "@INFO@", "--json-status-fd", "@STATUS@", "--cap-drop", "ALL"]
        for name in kept_capabilities(security):
            words += ["--cap-add", f"CAP_{name}"]
        words.append("--clearenv")
        for name, value in env.items():
            words += ["--setenv", name, value]
        words += root.options(cwd)
        # Read last, after every mount: that it was read tells the supervisor that the container's files stand.
        return [*words, "--perms", "0644", "--ro-bind-data", "@READY@", root.resolved("/etc/hostname"), "--chdir", cwd]

    def _root(self, pod: PodRecord, container: ContainerRecord, sandbox: SandboxRecord) -> RootFileSystem | ImageRoot:
        """The container's files: its image's, or this machine's where it has none."""
        config = container.config
        mounts = [
            BindMount(
                resolve_sub_path(pod.volumes[m.volume], m.sub_path) if m.sub_path else pod.volumes[m.volume],
                m.mount_path,
                m.read_only,
            )
            for m in config.mounts
        ]
        if config.termination_message_path:
            mounts.append(BindMount(self.message_file(container), config.termination_message_path, False))
        read_only = config.security.read_only_root
        proc = "/proc" if sandbox.config.host_pid else self._shared_proc(sandbox) if sandbox.first_process else ""
        if not container.image_root:
            return RootFileSystem(self._folder("skeletons"), tuple(mounts), read_only=read_only, proc=proc)
        skeleton = os.path.join(container.folder, "skeleton")
        copy_to = "" if self._has_overlays() else os.path.join(container.folder, "root")
        return ImageRoot(container.image_root, skeleton, tuple(mounts), read_only=read_only, copy_to=copy_to, proc=proc)

    def _has_overlays(self) -> bool:
        """Whether this kernel lets a user namespace have overlays; tried once."""
        if self._overlays is None:
            from lifepod.runtime.levels import overlays_work

            self._overlays = overlays_work()
        return self._overlays

    def _own_files(self, sandbox: SandboxRecord) -> tuple[tuple[str, str, int], ...]:
        """What Kubernetes writes into every container."""
        ip = sandbox.ips[0] if sandbox.ips else "127.0.0.1"
        return (
            ("/etc/hosts", sandbox.config.hosts.replace("%POD_IP%", ip), 0o644),
            ("/etc/resolv.conf", sandbox.config.resolv_conf, 0o644),
            ("/etc/hostname", "", 0o644),
        )

    def _environment(self, sandbox: SandboxRecord, config: ContainerConfig) -> dict[str, str]:
        env = {"PATH": DEFAULT_PATH, "HOSTNAME": sandbox.config.hostname, **dict(config.env)}
        env.setdefault("HOME", "/root" if not config.security.run_as_user else "/")
        if config.tty:
            env.setdefault("TERM", "xterm")
        return env

    def exec_config(self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...]) -> Message:
        sandbox = pod.sandboxes.get(container.config.sandbox_id)
        if sandbox is None or not command:
            raise OrderFailed("", exec_error_text("no command specified" if not command else "the pod sandbox is gone"))
        env = self._environment(sandbox, container.config)
        cwd = container.config.working_dir or "/"
        if not container.image_root:
            cwd = resolve(cwd)

        def in_container(path: str) -> str:
            return self._in_running(container.pid, path)

        try:
            path = find_executable(command[0], env["PATH"], cwd, in_container)
        except NotExecutable as exc:
            raise OrderFailed("", exec_error_text(str(exc))) from exc
        kept = [NUMBERS[name] for name in kept_capabilities(container.config.security)]
        return {
            "enter": container.pid,
            "path": path,
            "argv": list(command),
            "env": env,
            "cwd": cwd,
            "capabilities": kept,
            "seccomp": _seccomp(container.config),
            "alone": _seccomp_of_one_user(container.config),
            **self._limits(container),
        }

    def _in_running(self, pid: int, path: str) -> str:
        """A container's path through its first process; links are followed inside its own root."""
        root = f"/proc/{pid}/root"
        at = os.path.normpath(path)
        for _ in range(40):
            parent = _first_link(root, at)
            if parent is None:
                break
            target = os.readlink(root + parent)
            at = os.path.normpath(os.path.join(os.path.dirname(parent), target) + at[len(parent) :])
        return root + at


def _seccomp(config: ContainerConfig) -> str:
    """The container's seccomp program in hexadecimal, "" when it is unconfined."""
    security = config.security
    if security.privileged or security.seccomp_unconfined:
        return ""
    return default_profile(kept_capabilities(security)).hex()


def _seccomp_of_one_user(config: ContainerConfig) -> str:
    """What is added to `_seccomp` when the container turns out to have one user: for who might change owners on a real node."""
    security = config.security
    may_give_away = not security.run_as_user and "CHOWN" in kept_capabilities(security)
    return owners_stay().hex() if may_give_away else ""


def _first_link(root: str, path: str) -> str | None:
    """The shortest leading part of `path` that is a symbolic link inside `root`."""
    at = ""
    for part in path.strip("/").split("/"):
        at += "/" + part
        if os.path.islink(root + at):
            return at
    return None


def _sub_path_failed(volume: str, container: str) -> OrderFailed:
    """Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: makeMounts."""
    text = f'failed to prepare subPath for volumeMount "{volume}" of container "{container}"'
    return OrderFailed("CreateContainerConfigError", text)
