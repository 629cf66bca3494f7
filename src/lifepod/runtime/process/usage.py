"""What a container has used: by its control groups where it has some, else by /proc of its processes.

By /proc, CPU is that of the processes that live and of those they waited for; memory counts what each process has for itself
and, once, the most that one of them shares with others. Reads a few small files a process, so it is done only when asked.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from lifepod.runtime.base import UsageSample
from lifepod.runtime.process.process_tree import with_descendants

if TYPE_CHECKING:
    from collections.abc import Iterable

_NANO = 10**9


class Used(NamedTuple):
    """CPU since the start in nanoseconds, memory now in bytes; None: cannot be told."""

    cpu: int | None
    memory: int | None


def can_measure() -> bool:
    """Whether this machine has what is read here."""
    return os.path.exists("/proc/self/statm")


def used_by_processes(first: Iterable[int], proc: str = "/proc") -> Used:
    """What these processes and all below them used."""
    cpu = own = shared = 0
    for pid in with_descendants(first, proc):
        try:
            cpu += cpu_of(pid, proc)
            with open(f"{proc}/{pid}/statm") as file:
                _, resident, common = (int(word) for word in file.read().split()[:3])
        except (OSError, ValueError, IndexError):
            continue  # it has ended meanwhile
        own += resident - common
        shared = max(shared, common)
    return Used(cpu, (own + shared) * os.sysconf("SC_PAGE_SIZE"))


def cpu_of(pid: int, proc: str = "/proc") -> int:
    """A process's CPU and that of the children it waited for, in nanoseconds. Raises OSError."""
    with open(f"{proc}/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return ticks * _NANO // os.sysconf("SC_CLK_TCK")


def used_by_groups(folders: Iterable[str]) -> Used:
    """What control groups counted, of version 1 or 2; the working set is without the page cache that can go at once.

    Source: github.com/google/cadvisor v0.52 container/libcontainer/handler.go: setMemoryStats
    """
    cpu: int | None = None
    memory: int | None = None
    for folder in folders:
        if (nanoseconds := _number(f"{folder}/cpuacct.usage")) is not None:
            cpu = nanoseconds
        elif (microseconds := _entry(f"{folder}/cpu.stat", "usage_usec")) is not None:
            cpu = microseconds * 1000
        for usage, inactive in (("memory.usage_in_bytes", "total_inactive_file"), ("memory.current", "inactive_file")):
            if (total := _number(f"{folder}/{usage}")) is not None:
                memory = max(0, total - (_entry(f"{folder}/memory.stat", inactive) or 0))
    return Used(cpu, memory)


def machine_sample(proc: str = "/proc") -> UsageSample | None:
    """What this machine has used since it was started; None where that cannot be read.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/stats: the root group's CPU and working set
    """
    try:
        with open(f"{proc}/stat") as file:
            lines = {words[0]: words[1:] for line in file if (words := line.split())}
        booted = datetime.fromtimestamp(int(lines["btime"][0]), UTC)
    except (OSError, KeyError, ValueError):
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = (int(word) for word in lines["cpu"][:8])
    ticks = user + nice + system + interrupts + soft + stolen
    total, available = _entry(f"{proc}/meminfo", "MemTotal:"), _entry(f"{proc}/meminfo", "MemAvailable:")
    if total is None or available is None:
        return None
    cpu = ticks * _NANO // os.sysconf("SC_CLK_TCK")
    return UsageSample("machine", "", booted, cpu, (total - available) * 1024)


def _number(path: str) -> int | None:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _entry(path: str, name: str) -> int | None:
    """The number behind a name at the start of a line."""
    try:
        with open(path) as file:
            return next((int(line.split()[1]) for line in file if line.split()[:1] == [name]), None)
    except (OSError, ValueError, IndexError):
        return None
