"""What a simulated process can see and touch: the side effects of one run, gathered in one place and put back as values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from lifepod.runtime.base import ContainerConfig
from lifepod.runtime.sim import files
from lifepod.runtime.sim.files import Tree, View
from lifepod.runtime.sim.log import Log

Lookup: TypeAlias = Callable[[str, str], tuple[str, ...]]
"""(namespace of the asking pod, name) → addresses."""


class ContainerWorld:
    """One container's world during one run. `tree` and `log` are new values when something was written."""

    def __init__(
        self,
        config: ContainerConfig,
        container_id: str,
        tree: Tree,
        log: Log,
        hostname: str,
        lookup: Lookup,
        now: datetime,
        further: tuple[tuple[int, tuple[str, ...]], ...] = (),
    ) -> None:
        self.tree = tree
        self.logged = log
        self.now = now
        self.hostname = hostname
        self._view = View(container_id, config.mounts)
        self._read_only_root = config.security.read_only_root
        self._namespace = config.pod_namespace
        self._lookup = lookup
        self._processes = ((1, config.command + config.args or ("sleep", "infinity")), *further)
        self.signals: list[str] = []
        """What the container's first process has been sent by another of its processes."""

    def read(self, path: str) -> bytes | None:
        return files.read(self.tree, self._view, path)

    def is_directory(self, path: str) -> bool:
        return files.is_directory(self.tree, self._view, path)

    def names_in(self, path: str) -> tuple[str, ...]:
        return files.names_in(self.tree, self._view, path)

    def write(self, path: str, content: bytes) -> str:
        """Make or replace a file; answers what the system says against it, or ""."""
        place = self._view.place(path)
        if place in self.tree and self.tree[place] is not None:
            mount = self._view.mount_of(path)
            problem = "Read-only file system" if mount is not None and mount.read_only else ""
        else:
            problem = files.why_not_writable(self.tree, self._view, path, self._read_only_root)
        if not problem:
            self.tree = {**self.tree, place: content}
        return problem

    def make_directory(self, path: str) -> str:
        """Make a folder, its parents too; answers what the system says against it, or ""."""
        mount = self._view.mount_of(path)
        if mount.read_only if mount is not None else self._read_only_root:
            return "Read-only file system"
        parts = path.strip("/").split("/")
        made: dict[str, bytes | None] = {}
        for count in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:count])
            if not self.is_directory(folder):
                made[self._view.place(folder)] = None
        self.tree = {**self.tree, **made}
        return ""

    def remove(self, path: str) -> bool:
        """Remove a file or a whole folder; says whether there was one."""
        there = self.read(path) is not None or self.is_directory(path)
        self.tree = files.without(self.tree, self._view.place(path))
        return there

    def log(self, stream: int, text: bytes) -> None:
        self.logged = self.logged.written(stream, text, self.now)

    def signal_init(self, name: str) -> None:
        self.signals.append(name)

    def processes(self) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Numbers and command lines: the container's first, then those that were run in it."""
        return self._processes

    def addresses_of(self, name: str) -> tuple[str, ...]:
        return self._lookup(self._namespace, name)
