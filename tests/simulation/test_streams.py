"""Talking to simulated containers: attach with input, exec with a terminal, a followed log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from lifepod.assembly.simulated import SimulatedCluster
from lifepod.runtime.base import ExecStream, LogOptions
from lifepod.runtime.sim.streams import SimStreams

Story = Callable[[SimulatedCluster, SimStreams, str, str], Awaitable[None]]


def tell(script: str, story: Story, **container: Any) -> None:
    """Run a pod of one container, then the story with its node's streams, the pod's uid and the container's id."""
    sim = SimulatedCluster()
    container = {"name": "c", "image": "busybox", "command": ["sh", "-c", script], **container}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    sim.request("POST", "/api/v1/namespaces/default/pods", body)
    assert sim.run_until(lambda: (sim.get("pods", "p") or {})["status"].get("phase") == "Running", timedelta(minutes=1))
    sim.advance(timedelta(seconds=1))
    pod = sim.get("pods", "p")
    assert pod is not None
    found = pod["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
    streams = sim.streams(pod["spec"]["nodeName"])
    assert isinstance(streams, SimStreams)
    asyncio.run(asyncio.wait_for(story(sim, streams, pod["metadata"]["uid"], found), 20))


async def all_of(stream: ExecStream) -> list[tuple[int, bytes]]:
    return [piece async for piece in stream.output()]


ECHO = "while read line; do echo got $line; echo err $line >&2; done; echo end"


def test_an_attached_client_gives_input_and_sees_both_outputs_until_the_end() -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        attached = await streams.attach(uid, container, stdin=True, tty=False)
        await attached.write(b"one\n")
        await attached.close_stdin()
        assert await all_of(attached) == [(1, b"got one\n"), (2, b"err one\n"), (1, b"end\n")]
        assert await attached.exit_code() == 0

    tell(ECHO, story, stdin=True, stdinOnce=True)


def test_without_stdin_once_only_the_visit_ends() -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        for word in ("one", "two"):
            attached = await streams.attach(uid, container, stdin=True, tty=False)
            output = attached.output()
            await attached.write(word.encode() + b"\n")
            assert await anext(output) == (1, f"got {word}\n".encode())
            await attached.close_stdin()
            async for _, text in output:
                assert text == f"err {word}\n".encode()
        pod = sim.get("pods", "p")
        assert pod is not None
        assert pod["status"]["phase"] == "Running"

    tell(ECHO, story, stdin=True)


def test_a_container_without_stdin_reads_an_end_at_once() -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        assert streams.log_now(uid, container) == b"end\n"

    tell(f"{ECHO}; sleep 1d", story)


def test_a_terminal_shows_what_is_typed_and_one_output() -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        shell = await streams.exec(uid, container, ("sh",), stdin=True, tty=True)
        await shell.write(b"echo out; echo err >&2\r")
        await shell.write(b"exit 3\r")
        pieces = await all_of(shell)
        assert {channel for channel, _ in pieces} == {1}
        text = b"".join(text for _, text in pieces)
        assert b"echo out; echo err >&2\r\n" in text
        assert b"out\r\nerr\r\n" in text
        assert await shell.exit_code() == 3

    tell("sleep 1d", story)


def test_control_d_ends_the_input_of_a_terminal() -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        process = await streams.exec(uid, container, ("wc", "-c"), stdin=True, tty=True)
        await process.write(b"four\x04")
        assert b"".join([text for _, text in await all_of(process)]) == b"four4\r\n"
        assert await process.exit_code() == 0

    tell("sleep 1d", story)


def test_a_followed_log_has_every_line_that_came_in_pieces() -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        lines = streams.log(uid, container, LogOptions(follow=True))
        following = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        sim.advance(timedelta(seconds=10))
        found = await following
        async for more in lines:
            found += more
        assert found == b"first second\nthird"

    tell("printf 'first '; sleep 5; echo second; sleep 1; printf third", story)


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("printf abc | tr a-c A-C", b"ABC"),
        ("printf 'a b  c' | tr -s ' ' '\\n'", b"a\nb\nc"),
        ("printf 'ab12' | tr -d '[:digit:]'", b"ab"),
        ("printf 'x-1_y' | tr -dc 'a-z0-9'", b"x1y"),
        ("printf 'hello' | tr '[:lower:]' '[:upper:]' | head -c 3", b"HEL"),
        ("printf '%s' aabb | tr -s ab", b"ab"),
        ("printf four > /tmp/f; stat -c '%n %s %F %a %U' /tmp/f; stat -c %F /tmp", b"/tmp/f 4 regular file 644 root\ndirectory\n"),
        ("stat -c %s /nosuch || echo $?", b"stat: can't stat '/nosuch': No such file or directory\n1\n"),
    ],
)  # fmt: skip
def test_commands_of_scripts(command: str, output: bytes) -> None:
    async def story(sim: SimulatedCluster, streams: SimStreams, uid: str, container: str) -> None:
        assert streams.exec_now(uid, container, ("sh", "-c", f"({command}) 2>&1"))[1] == output

    tell("sleep 1d", story)
