"""The last resort: a container is a plain process in its own session, on this machine's files and network.

Its folder is a private one. `/dev/termination-log` cannot be a file of its own here, so the path is replaced by the real
file's wherever it stands in the command, arguments and environment; TERMINATION_LOG names it too. The service account
volume is left out with a warning; any other mount is refused, unless it shows a path of this machine at that very path.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING

from lifepod.runtime.executables import DEFAULT_PATH, NotExecutable, find_executable
from lifepod.runtime.process.loose_limits import data_limit
from lifepod.runtime.process.order_failure import OrderFailed, exec_error_text, start_error_text
from lifepod.runtime.process.runtime import ProcessRuntime

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.clock import Clock
    from lifepod.runtime.base import ContainerConfig, Listener
    from lifepod.runtime.process.messages import Message
    from lifepod.runtime.process.records import ContainerRecord, PodRecord, SandboxRecord

SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_WAY_OUT = "use the sandbox level where this machine offers it (`lifepod doctor` says what it needs)"


class HostRuntime(ProcessRuntime):
    """Runs containers as plain processes. `dns_address` (host, port) is where our `nslookup` asks; None: nowhere."""

    level = "host"

    def __init__(
        self,
        node_name: str,
        root_dir: str | os.PathLike[str],
        listener: Listener,
        clock: Clock,
        *,
        node_address: str = "127.0.0.1",
        dns_address: tuple[str, int] | None = None,
        persistent: bool = False,
        on_warning: Callable[[str, str], None] | None = None,
        scratch: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            node_name, root_dir, listener, clock, persistent=persistent, on_warning=on_warning, scratch=scratch
        )
        self.node_address = node_address
        self.dns_address = dns_address
        self._bin = self._folder("bin")
        _write_nslookup(self._bin)

    def check(self, pod: PodRecord, config: ContainerConfig) -> None:
        for mount in config.mounts:
            if mount.mount_path.rstrip("/") == SERVICE_ACCOUNT_PATH:
                self.warn(pod.uid, f"level host cannot mount the service account token at {SERVICE_ACCOUNT_PATH}")
                continue
            source = pod.volumes.get(mount.volume, "")
            if os.path.normpath(os.path.join(source, mount.sub_path)) != os.path.normpath(mount.mount_path):
                raise OrderFailed(
                    "CreateContainerError",
                    f'level host cannot mount volume "{mount.volume}" at {mount.mount_path}: '
                    f"a plain process sees this machine's own files; {_WAY_OUT}, or remove the volumeMount",
                )
        self._check_security(pod, config)
        if config.resources.memory_limit_bytes is not None or config.resources.cpu_limit_millicores is not None:
            self.warn(pod.uid, f'container "{config.name}": {self.enforcement().message}')

    def _check_security(self, pod: PodRecord, config: ContainerConfig) -> None:
        wanted = config.security.run_as_user
        if wanted is not None and wanted != os.getuid() and os.getuid() != 0:
            raise OrderFailed(
                "CreateContainerError",
                f"level host cannot run as user {wanted}: lifepod itself runs as user {os.getuid()}; {_WAY_OUT}",
            )
        if config.security.read_only_root:
            self.warn(pod.uid, f'level host cannot make the root of container "{config.name}" read-only')

    def launch(self, pod: PodRecord, container: ContainerRecord) -> Message:
        config = container.config
        work = os.path.join(container.folder, "work")
        os.makedirs(work, exist_ok=True)
        env = self._environment(pod, container)
        cwd = work
        if config.working_dir:
            cwd = config.working_dir
            if not os.path.isdir(cwd):
                raise OrderFailed(
                    "RunContainerError", start_error_text(f'exec: "{cwd}": working folder does not exist')
                )
        argv = [self._with_message_file(container, word) for word in (*config.command, *config.args)]
        try:
            path = find_executable(argv[0], env["PATH"], cwd)
        except NotExecutable as exc:
            raise OrderFailed("RunContainerError", start_error_text(str(exc))) from exc
        limit = data_limit(config.resources.memory_limit_bytes)
        return {
            "path": path,
            "argv": argv,
            "env": env,
            "cwd": cwd,
            "data_limit": limit,
            **self._user(work, config),
        }

    def _user(self, work: str, config: ContainerConfig) -> Message:
        security = config.security
        if security.run_as_user is None or security.run_as_user == os.getuid():
            return {}
        group = security.run_as_group if security.run_as_group is not None else 0
        os.chown(work, security.run_as_user, group)
        return {"user": [security.run_as_user, group], "groups": list(security.supplemental_groups)}

    def _with_message_file(self, container: ContainerRecord, text: str) -> str:
        return text.replace(container.config.termination_message_path, self.message_file(container))

    def _environment(self, pod: PodRecord, container: ContainerRecord) -> dict[str, str]:
        """The container's variables over a small base; our `nslookup` comes first on the PATH."""
        sandbox = pod.sandboxes.get(container.config.sandbox_id)
        env = {
            "PATH": os.environ.get("PATH", DEFAULT_PATH),
            "HOME": os.path.join(container.folder, "work"),
            "HOSTNAME": sandbox.config.hostname if sandbox is not None else self.node_name,
            "TERMINATION_LOG": self.message_file(container),
        }
        env |= {name: self._with_message_file(container, value) for name, value in container.config.env}
        env["PATH"] = f"{self._bin}:{env['PATH']}"
        if self.dns_address is not None:
            env["LIFEPOD_DNS"] = f"{self.dns_address[0]}:{self.dns_address[1]}"
            env["LIFEPOD_DNS_SEARCH"] = _search_list(sandbox, container.config.pod_namespace)
        return env

    def exec_config(self, pod: PodRecord, container: ContainerRecord, command: tuple[str, ...]) -> Message:
        launch = self.launch(pod, container)
        argv = [self._with_message_file(container, word) for word in command]
        try:
            path = find_executable(argv[0], launch["env"]["PATH"], launch["cwd"])
        except (NotExecutable, IndexError) as exc:
            raise OrderFailed("", exec_error_text(str(exc))) from exc
        return {**launch, "path": path, "argv": argv}

    async def make_sandbox(self, sandbox: SandboxRecord) -> tuple[str, ...]:
        return () if sandbox.config.host_network else (self.node_address,)

    async def drop_sandbox(self, sandbox: SandboxRecord) -> None:
        return

    async def connect(
        self, sandbox: SandboxRecord | None, host: str, port: int, *, inside: bool = False
    ) -> socket.socket:
        import asyncio

        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock


def _search_list(sandbox: SandboxRecord | None, namespace: str) -> str:
    """The search list of the pod's resolv.conf, or Kubernetes' usual one."""
    if sandbox is not None:
        for line in sandbox.config.resolv_conf.splitlines():
            if line.startswith("search "):
                return line[len("search ") :]
    return f"{namespace}.svc.cluster.local svc.cluster.local cluster.local"


def _write_nslookup(folder: str) -> None:
    """Put our `nslookup` into a folder of its own."""
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(os.path.dirname(os.path.dirname(__file__)), "nslookup.py")
    shutil.copyfile(source, os.path.join(folder, "nslookup.py"))
    script = os.path.join(folder, "nslookup")
    with open(script, "w") as file:
        file.write(f'#!/bin/sh\nexec "{sys.executable}" -S -E -s "{folder}/nslookup.py" "$@"\n')
    os.chmod(script, 0o755)
