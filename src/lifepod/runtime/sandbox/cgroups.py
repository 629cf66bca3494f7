"""Limits by control groups, where this machine lets lifepod make them: which folders to make, and what to write into them.

Version 2 where the own group is delegated (systemd's `Delegate=yes`, containers), version 1 where its folders are writable.
The supervisor makes a container's groups, puts the container into them and removes them (`process/supervisor.py`).
Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/cm/helpers_linux.go: MilliCPUToQuota, MilliCPUToShares;
        opencontainers/cgroups utils.go: ConvertCPUSharesToCgroupV2Value
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lifepod.runtime.base import Resources

_PERIOD = 100_000
_MIN_QUOTA = 1000
_CONTROLLERS = ("memory", "cpu", "pids")


class Group(NamedTuple):
    """A container's control groups: folders to be made, (file, text) to be written, and the file that counts OOM kills."""

    folders: tuple[str, ...] = ()
    writes: tuple[tuple[str, str], ...] = ()
    oom_file: str = ""


class Cgroups:
    """The folders below which groups can be made, by controller; `version` 2 has one for all."""

    def __init__(self, version: int, parents: dict[str, str]) -> None:
        self.version = version
        self.parents = parents

    def group(self, container_id: str, resources: Resources, max_processes: int | None = None) -> Group:
        """What a container with these limits needs; nothing when it has none."""
        memory, cpu = resources.memory_limit_bytes, resources.cpu_limit_millicores
        writes: list[tuple[str, str]] = []
        folders: dict[str, str] = {}
        oom_file = ""
        for controller, limit in (("memory", memory), ("cpu", cpu), ("pids", max_processes)):
            if limit is None or controller not in self.parents:
                continue
            folder = folders[controller] = os.path.join(self.parents[controller], f"lifepod-{container_id[:32]}")
            for name, text in self._files(controller, limit):
                writes.append((os.path.join(folder, name), text))
            if controller == "memory":
                oom_file = os.path.join(folder, "memory.events" if self.version == 2 else "memory.oom_control")
        return Group(tuple(dict.fromkeys(folders.values())), tuple(writes), oom_file)

    def _files(self, controller: str, limit: int) -> tuple[tuple[str, str], ...]:
        quota = max(_MIN_QUOTA, limit * _PERIOD // 1000)
        match controller, self.version:
            case "memory", 2:
                return (("memory.max", str(limit)), ("memory.swap.max", "0"), ("memory.oom.group", "1"))
            case "memory", _:
                return (("memory.limit_in_bytes", str(limit)), ("memory.memsw.limit_in_bytes", str(limit)))
            case "pids", _:
                return (("pids.max", str(limit)),)
            case _, 2:
                return (("cpu.max", f"{quota} {_PERIOD}"),)
            case _:
                return (("cpu.cfs_period_us", str(_PERIOD)), ("cpu.cfs_quota_us", str(quota)))


def find_cgroups(process: str = "/proc/self", movable: tuple[int, ...] = ()) -> Cgroups | None:
    """What this machine offers; None when no limit on memory can be set. `process` is where the own facts are read.

    Call it before any other process is started, see `_enabled`. `movable` are lifepod and whoever started it.
    """
    own, mounts = _own_groups(f"{process}/cgroup"), _mounts(f"{process}/mountinfo")
    parents: dict[str, str] = {}
    for controller in _CONTROLLERS:
        mounted = next((place for kind, options, place in mounts if kind == "cgroup" and controller in options), None)
        if mounted is not None and controller in own:
            folder = os.path.join(mounted, own[controller].strip("/")).rstrip("/")
            if _can_make(folder):
                parents[controller] = folder
    if "memory" in parents:
        return Cgroups(1, parents)
    unified = next((place for kind, _, place in mounts if kind == "cgroup2"), None)
    if unified is None or "" not in own:
        return None
    folder = os.path.join(unified, own[""].strip("/")).rstrip("/")
    enabled = _enabled(folder, movable or (os.getpid(), os.getppid()))
    return Cgroups(2, dict.fromkeys(enabled, folder)) if "memory" in enabled else None


def _enabled(folder: str, movable: tuple[int, ...]) -> set[str]:
    """The controllers that groups below the folder can have; turned on where that is allowed.

    The kernel wants no process beside groups with controllers: when nobody else is there, lifepod moves into a group of its own.
    """
    wanted = [name for name in _CONTROLLERS if name in _read(f"{folder}/cgroup.controllers").split()]
    if not wanted or not _can_make(folder):
        return set()
    present = _read(f"{folder}/cgroup.procs").split()
    if present and set(present) <= {str(pid) for pid in movable}:
        with contextlib.suppress(OSError):
            os.makedirs(f"{folder}/lifepod-main", exist_ok=True)
            for pid in present:
                _write(f"{folder}/lifepod-main/cgroup.procs", pid)
    with contextlib.suppress(OSError):
        _write(f"{folder}/cgroup.subtree_control", " ".join(f"+{name}" for name in wanted))
    return set(wanted) & set(_read(f"{folder}/cgroup.subtree_control").replace("+", "").split())


def _can_make(folder: str) -> bool:
    """By trying: what the modes say is not what root may, nor what a read-only mount allows."""
    place = os.path.join(folder, f"lifepod-try-{os.getpid()}")
    try:
        os.mkdir(place)
        os.rmdir(place)
    except OSError:
        return False
    return True


def _own_groups(path: str) -> dict[str, str]:
    """Controller → the own group's path; version 2's under ""."""
    own = {}
    for line in _read(path).splitlines():
        _, controllers, group = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = group
    return own


def _mounts(path: str) -> list[tuple[str, list[str], str]]:
    """(kind, options, place) of the control group file systems that show their hierarchy from its root."""
    found = []
    for line in _read(path).splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) >= 5 and len(kinds) >= 3 and kinds[0].startswith("cgroup") and fields[3] == "/":
            found.append((kinds[0], kinds[2].split(","), fields[4]))
    return found


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
