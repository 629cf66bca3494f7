"""Containers of a pod that share a process namespace, or this machine's."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from lifepod.lifecycle.vocabulary import Done
from lifepod.runtime.base import LogOptions, StopContainerOrder, StopSandboxOrder

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=["stand-in", "image"])
def on_kind(request, on_sandbox, on_image):
    """Plays a story in the sandbox, without and with a real image."""
    return on_sandbox if request.param == "stand-in" else on_image


async def first_line(node, container) -> bytes:
    async with asyncio.timeout(20):
        return await anext(aiter(node.runtime.log("u1", container, LogOptions(follow=True))))


async def executed(node, container, *command) -> bytes:
    running = await node.runtime.exec("u1", container, command, stdin=False, tty=False)
    output = b"".join([data async for _, data in running.output()])
    await running.exit_code()
    return output


COMMANDS = "for f in /proc/[0-9]*/cmdline; do cat $f 2>/dev/null | tr '\\0' ' '; echo; done"


def test_containers_see_and_signal_each_other_below_the_pods_first_process(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        server = await node.start(sandbox, "sh", "-c", "trap 'exit 9' HUP; echo $$; while :; do sleep 0.05; done")
        number = int(await first_line(node, server))
        code, seen = await node.run(sandbox, "sh", "-c", f"{COMMANDS}; cat /proc/1/comm; echo me $$", name="d")
        lines = [line.strip() for line in seen.decode().splitlines()]
        assert code == 0
        assert lines[0].strip("\0 ") == "/pause"
        assert any("trap 'exit 9' HUP" in line for line in lines)
        assert lines[-2] == "pause"
        assert int(lines[-1].split()[1]) > 1, "a container's command is not process 1"
        assert await node.run(sandbox, "kill", "-HUP", str(number), name="k") == (0, b"")
        assert (await node.exited(server)).exit_code == 9

    on_kind(story)


def test_signals_act_on_a_command_that_is_not_process_1(on_kind):
    """`sleep` handles no SIGTERM: as process 1 it would live to the end of the grace period."""

    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        container = await node.start(sandbox, "sleep", "100")
        begun = time.monotonic()
        assert await node.do(StopContainerOrder(container, 30)) == Done()
        assert time.monotonic() - begun < 10
        assert (await node.exited(container)).exit_code == 143

    on_kind(story)


def test_a_stop_signal_that_is_not_heard_is_followed_by_a_kill(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        container = await node.start(sandbox, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
        await first_line(node, container)
        assert await node.do(StopContainerOrder(container, 1)) == Done()
        assert (await node.exited(container)).exit_code == 137

    on_kind(story)


def test_what_a_command_leaves_behind_ends_with_it_and_others_live_on(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        other = await node.start(sandbox, "sleep", "1001", name="other")
        code, _ = await node.run(sandbox, "sh", "-c", "(setsid sleep 1002 &) ; sleep 0.1; exit 3", name="leaves")
        assert code == 3
        seen = await executed(node, other, "sh", "-c", COMMANDS)
        assert b"sleep 1001" in seen
        assert b"sleep 1002" not in seen
        assert node.shown(other).state == "running"

    on_kind(story)


def test_orphans_are_reaped(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        script = "for i in 1 2 3 4 5; do sh -c 'sleep 0.01 & :'; done; sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status; echo none"
        assert await node.run(sandbox, "sh", "-c", script) == (0, b"none\n")

    on_kind(story)


def test_exec_is_in_the_pods_namespace_and_in_its_own_containers_files(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        a = await node.start(sandbox, "sh", "-c", "echo a > /tmp/who; sleep 1003", name="a")
        b = await node.start(sandbox, "sh", "-c", "echo b > /tmp/who; echo up; sleep 1004", name="b")
        await first_line(node, b)
        for container, who in ((a, b"a\n"), (b, b"b\n")):
            seen = await executed(node, container, "sh", "-c", f"{COMMANDS}; cat /tmp/who")
            assert b"sleep 1003" in seen
            assert b"sleep 1004" in seen
            assert seen.endswith(who)

    on_kind(story)


def test_the_kernels_settings_are_not_to_be_written(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        _, output = await node.run(sandbox, "sh", "-c", "echo 1 > /proc/sys/vm/drop_caches")
        assert b"Read-only file system" in output

    on_kind(story)


def test_the_sandboxs_end_is_the_end_of_all(on_kind):
    async def story(node):
        sandbox = await node.pod(share_process_namespace=True)
        container = await node.start(sandbox, "sleep", "100")
        first = node.runtime._pods["u1"].sandboxes[sandbox].first_process
        assert _lives(first)
        await node.made(StopSandboxOrder(sandbox))
        assert (await node.exited(container)).exit_code == 137
        async with asyncio.timeout(5):
            while _lives(first):  # noqa: ASYNC110 - the node process reaps it when it comes to it
                await asyncio.sleep(0.01)

    on_kind(story)


def _lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def test_containers_without_it_are_alone_and_process_1(on_kind):
    async def story(node):
        sandbox = await node.pod()
        await node.start(sandbox, "sleep", "1005", name="other")
        code, seen = await node.run(sandbox, "sh", "-c", f"{COMMANDS}; echo $$")
        assert (code, b"1005" in seen, seen.split()[-1]) == (0, False, b"1")

    on_kind(story)


def test_with_host_pid_this_machines_processes_are_seen(on_kind):
    async def story(node):
        sandbox = await node.pod(host_pid=True)
        container = await node.start(sandbox, "sleep", "1006")
        code, seen = await node.run(sandbox, "sh", "-c", f"ls -d /proc/{os.getpid()}; (setsid sleep 1007 &); exit 4")
        assert (code, seen.decode().strip()) == (4, f"/proc/{os.getpid()}")
        seen = await executed(node, container, "sh", "-c", COMMANDS)
        assert b"sleep 1006" in seen
        assert b"sleep 1007" not in seen
        assert await node.do(StopContainerOrder(container, 30)) == Done()
        assert (await node.exited(container)).exit_code == 143

    on_kind(story)
