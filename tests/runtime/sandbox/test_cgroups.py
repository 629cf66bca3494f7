"""Where limits can be set: version 1, version 2 when delegated, else nowhere. On folders that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifepod.runtime.base import Resources
from lifepod.runtime.sandbox.cgroups import find_cgroups

LIMITS = Resources(cpu_limit_millicores=500, memory_limit_bytes=1000)


def machine(tmp_path: Path, groups: str, *mounts: str) -> str:
    """A folder that stands for /proc/self."""
    (tmp_path / "cgroup").write_text(groups)
    lines = (
        f"{number} 1 0:1 / {tmp_path}/{place} rw - {kind}"
        for number, (place, kind) in enumerate(m.split("|") for m in mounts)
    )
    (tmp_path / "mountinfo").write_text("\n".join(lines) + "\n")
    return str(tmp_path)


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    (tmp_path / "m/own").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    proc = machine(
        tmp_path, "4:memory:/own\n1:cpu,cpuacct:/\n0::/\n", "m|cgroup x rw,memory", "c|cgroup x rw,cpu,cpuacct"
    )
    found = find_cgroups(proc)
    assert found is not None
    group = found.group("abc", LIMITS)
    assert group.folders == (f"{tmp_path}/m/own/lifepod-abc", f"{tmp_path}/c/lifepod-abc")
    assert (f"{tmp_path}/c/lifepod-abc/cpu.cfs_quota_us", "50000") in group.writes
    assert (f"{tmp_path}/m/own/lifepod-abc/memory.limit_in_bytes", "1000") in group.writes
    assert found.group("abc", Resources()).folders == ()
    assert found.group("abc", Resources(), 7).folders == (), "there is no folder for it here"


def test_version_2_moves_lifepod_aside_to_turn_controllers_on(tmp_path: Path) -> None:
    own = tmp_path / "u/scope"
    (own / "lifepod-main").mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu io memory pids\n")
    (own / "cgroup.procs").write_text("77\n")
    (own / "cgroup.subtree_control").write_text("")
    found = find_cgroups(machine(tmp_path, "0::/scope\n", "u|cgroup2 x rw"), movable=(77, 76))
    assert (own / "lifepod-main/cgroup.procs").read_text() == "77"
    assert (own / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    assert found is not None
    assert found.group("abc", Resources(), 7).writes == ((f"{own}/lifepod-abc/pids.max", "7"),)
    group = found.group("abc", LIMITS)
    assert group.folders == (f"{own}/lifepod-abc",)
    assert dict(group.writes) == {
        f"{own}/lifepod-abc/memory.max": "1000",
        f"{own}/lifepod-abc/memory.swap.max": "0",
        f"{own}/lifepod-abc/memory.oom.group": "1",
        f"{own}/lifepod-abc/cpu.max": "50000 100000",
    }


def test_without_a_writable_folder_there_are_no_limits(tmp_path: Path) -> None:
    assert find_cgroups(machine(tmp_path, "4:memory:/gone\n0::/\n", "m|cgroup x rw,memory", "u|cgroup2 x rw")) is None
    assert find_cgroups(str(tmp_path / "nothing")) is None


def test_a_container_has_no_more_processes_than_it_may(on_sandbox, on_image) -> None:
    """In its command and in exec together."""
    groups = find_cgroups()
    if groups is None or "pids" not in groups.parents:
        pytest.skip("this machine lets nobody here make control groups")

    async def story(node) -> None:
        sandbox = await node.pod()
        script = "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo all"
        code, output = await node.run(sandbox, "sh", "-c", script)
        assert code != 0
        assert b"fork" in output
        assert b"all" not in output
        code, output = await node.run(sandbox, "sh", "-c", "sleep 0.01 & sleep 0.01 & wait; echo all")
        assert (code, output) == (0, b"all\n")

    on_sandbox(story, max_processes=6)
    on_image(story, max_processes=6)
