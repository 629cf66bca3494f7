"""What becomes of containers when lifepod is killed: adopted with `persistent`, gone without."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from lifepod.runtime.base import StopContainerOrder
from lifepod.runtime.host import HostRuntime
from lifepod.runtime.sandbox import SandboxRuntime

LEVELS = [
    pytest.param(HostRuntime, False, id="host"),
    pytest.param(SandboxRuntime, False, id="sandbox", marks=pytest.mark.sandbox),
    pytest.param(SandboxRuntime, True, id="sandbox, shared processes", marks=pytest.mark.sandbox),
]


def _die_after(story, new_node, make, root, **options):
    """Play a story in a child process that then dies without a word."""
    pid = os.fork()
    if pid == 0:
        try:

            async def whole():
                node = new_node(make, root, **options)
                await node.runtime.start()
                await story(node)
                os.kill(os.getpid(), 9)

            asyncio.run(whole())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9


def _is_running(marker):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if marker in file.read():
                    return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize(("make", "shared"), LEVELS)
def test_without_persistence_no_orphan_is_left(make, shared, new_node, tmp_path):
    marker = f"97{os.getpid() % 10000}.25"

    async def story(node):
        sandbox = await node.pod(share_process_namespace=shared)
        await node.start(sandbox, "sh", "-c", f"(setsid sleep {marker} &); sleep {marker}")

    _die_after(story, new_node, make, tmp_path / "node")
    deadline = time.monotonic() + 5
    while _is_running(marker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_running(marker)


@pytest.mark.parametrize(("make", "shared"), LEVELS)
def test_with_persistence_the_next_lifepod_adopts_running_and_ended_containers(make, shared, new_node, tmp_path):
    root = tmp_path / "node"

    async def first(node):
        sandbox = await node.pod(share_process_namespace=shared)
        await node.start(sandbox, "sh", "-c", "exit 6", name="short")
        await node.start(sandbox, "sh", "-c", 'trap "exit 7" TERM; while :; do sleep 0.02; done', name="long")

    async def second():
        node = new_node(make, root, persistent=True)
        await node.runtime.start()
        by_name = {c.name: c for c in node.runtime.reports()["u1"].containers}
        assert by_name["short"].exit_code == 6
        assert by_name["long"].state == "running"
        sandbox = node.runtime.reports()["u1"].sandboxes[0]
        if shared:
            seen = await node.run(
                sandbox.id, "sh", "-c", "cat /proc/1/comm; grep -sl ' 7.*TERM' /proc/[0-9]*/cmdline; true", name="sees"
            )
            assert (seen[0], seen[1].split()[0], seen[1].count(b"cmdline") > 0) == (0, b"pause", True)
        await node.do(StopContainerOrder(by_name["long"].id, 10))
        assert node.shown(by_name["long"].id).exit_code == 7
        assert (sandbox.state, bool(sandbox.ips)) == ("ready", True)
        assert (await node.run(sandbox.id, "sh", "-c", "exit 8", name="new"))[0] == 8
        await node.runtime.close()

    _die_after(first, new_node, make, root, persistent=True)
    asyncio.run(second())
    assert not root.exists()
