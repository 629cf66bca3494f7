"""What containers have used, by control groups and by /proc."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lifepod.runtime.base import LogOptions, UsageSample
from lifepod.runtime.process.usage import Used, machine_sample, used_by_groups, used_by_processes

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = 10**9 // os.sysconf("SC_CLK_TCK")


def made(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


def process(pid: int, ticks: tuple[int, int, int, int], pages: tuple[int, int], children: str = "") -> dict[str, str]:
    """`pages`: resident, and of them shared."""
    times = " ".join(map(str, ticks))
    return {
        f"{pid}/stat": f"{pid} (a ) b) S 1 1 1 0 -1 4194304 100 0 0 0 {times} 20 0 1 0 12345 0 0\n",
        f"{pid}/statm": f"500 {pages[0]} {pages[1]} 1 0 50 0\n",
        f"{pid}/task/{pid}/children": children,
    }


def test_by_processes_cpu_is_added_and_what_is_shared_counts_once(tmp_path: Path) -> None:
    files = process(10, (1, 2, 3, 4), (100, 60), "11 12 ") | process(11, (5, 0, 0, 0), (50, 30), "13 ")
    files |= process(13, (0, 7, 0, 0), (10, 0)) | {"12/stat": ""}  # 12 has just ended
    files |= process(99, (1000, 0, 0, 0), (1000, 0))
    assert used_by_processes([10], made(tmp_path, files)) == Used(22 * TICK, (40 + 20 + 10 + 60) * PAGE)


def test_children_of_every_thread_are_found(tmp_path: Path) -> None:
    files = process(10, (1, 0, 0, 0), (1, 0)) | {"10/task/77/children": "11 "} | process(11, (1, 0, 0, 0), (1, 0))
    assert used_by_processes([10, 11], made(tmp_path, files)).cpu == 2 * TICK


GROUPS = {
    "version 2": (
        {
            "cpu.stat": "usage_usec 1500\nuser_usec 1000\n",
            "memory.current": "9000\n",
            "memory.stat": "inactive_file 1000\n",
        },
        Used(1_500_000, 8000),
    ),
    "version 1, both": (
        {
            "cpuacct.usage": "777\n",
            "cpu.stat": "nr_periods 0\n",
            "memory.usage_in_bytes": "5000\n",
            "memory.stat": "inactive_file 1\ntotal_inactive_file 4000\n",
        },
        Used(777, 1000),
    ),
    "version 1, memory only": ({"memory.usage_in_bytes": "5000\n"}, Used(None, 5000)),
    "more inactive than used": (
        {"memory.current": "10\n", "memory.stat": "inactive_file 20\n"},
        Used(None, 0),
    ),
    "none": ({}, Used(None, None)),
}


@pytest.mark.parametrize("case", GROUPS)
def test_by_groups(case: str, tmp_path: Path) -> None:
    files, used = GROUPS[case]
    assert used_by_groups([made(tmp_path, files)]) == used


def test_the_machine_counts_what_is_not_idle(tmp_path: Path) -> None:
    files = {
        "stat": "cpu  1 2 3 1000 500 4 5 6 0 0\ncpu0 1 2 3 1000 500 4 5 6 0 0\nbtime 1767225600\n",
        "meminfo": "MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  400 kB\n",
    }
    booted = datetime(2026, 1, 1, tzinfo=UTC)
    assert machine_sample(made(tmp_path, files)) == UsageSample("machine", "", booted, 21 * TICK, 600 * 1024)
    assert machine_sample(str(tmp_path / "nowhere")) is None


def test_a_container_that_works_has_used_cpu_and_memory(on_level: Callable[..., Any]) -> None:
    """Its children and commands of exec count; what idles uses nothing."""

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        works = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
        busy = await node.start(sandbox, "sh", "-c", f"sh -c '{works}'; echo done; sleep 100; :", name="busy")
        idle = await node.start(sandbox, "sleep", "100", name="idle")
        log = node.runtime.log("u1", busy, LogOptions(follow=True))
        async with asyncio.timeout(20):
            await anext(log)
        first = {sample.name: sample for sample in node.runtime.samples("u1")}
        assert first["busy"].cpu_nanoseconds >= 2 * TICK
        assert first["busy"].cpu_nanoseconds > 3 * first["idle"].cpu_nanoseconds
        assert all(20 * 1024 < sample.memory_bytes < 50 * 1024**2 for sample in first.values())
        assert [first["idle"].id, first["busy"].started_at <= first["idle"].started_at] == [idle, True]
        running = await node.runtime.exec(
            "u1", idle, ("sh", "-c", f"{works}; echo done; sleep 100; :"), stdin=False, tty=False
        )
        async with asyncio.timeout(20):
            await anext(running.output())
        second = {sample.name: sample for sample in node.runtime.samples("u1")}
        assert second["idle"].cpu_nanoseconds >= first["idle"].cpu_nanoseconds + 2 * TICK
        assert node.runtime.samples("unknown") == ()
        await running.close()

    on_level(story)
