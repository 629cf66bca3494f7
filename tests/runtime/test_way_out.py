"""Pods reach other hosts by way of slirp4netns, and nothing of this machine's loopback."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifepod.runtime.levels import LevelFinding, offers
from lifepod.runtime.sandbox import SandboxRuntime
from lifepod.runtime.sandbox.way_out import find_way_out

from .conftest import Node, play

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not find_way_out(), reason="needs slirp4netns"),
]
_ECHO = """
import socket, sys
tcp = socket.create_server((sys.argv[1], 0))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((sys.argv[1], tcp.getsockname()[1]))
print(tcp.getsockname()[1], flush=True)
import threading
def datagrams():
    while True:
        data, client = udp.recvfrom(100)
        udp.sendto(b"far datagram", client)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    connection, client = tcp.accept()
    connection.sendall(b"far stream")
    connection.close()
"""
_ASK = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
print(socket.create_connection((host, port), 10).recv(100))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(10)
udp.sendto(b"?", (host, port))
print(udp.recv(100))
"""
_TRY_LOOPBACK = """
import socket, sys
for host in ("127.0.0.1", "127.9.9.9", "10.244.255.2", "255.255.255.255", "0.0.0.0"):
    for device in (b"", b"eth0"):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(socket.AF_INET, kind)
            sock.settimeout(0.1)
            try:
                if device:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.connect((host, int(sys.argv[1])))
                sock.send(b"let me in")
            except OSError:
                pass
for kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW, 1)):
    try:
        socket.socket(*kind)
    except PermissionError:
        print("no packets of one's own")
"""


@pytest.fixture
def far() -> Iterator[tuple[str, str]]:
    """A server (address, port) on another host: a network namespace behind a pair of interfaces."""
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and `ip` to make another host")
    number = os.getpid() % 60000
    name, here, there = f"far{number}", f"fa{number}", f"fb{number}"
    network = f"198.18.{number // 250}.{number % 250}"
    near, address = "198.18.255.1", network if number % 250 else "198.18.254.1"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    ip("netns", "add", name)
    server = None
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", near, "peer", address, "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", address, "peer", near, "dev", there)
        ip("-n", name, "link", "set", there, "up")
        words = ["ip", "netns", "exec", name, sys.executable, "-c", _ECHO, address]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        yield address, server.stdout.readline().strip()
    finally:
        if server is not None:
            server.kill()
            server.wait()
        subprocess.run(["ip", "link", "delete", here], check=False, capture_output=True)
        ip("netns", "delete", name)


def _way_outs(node: Node, node_process: int | None = None) -> list[int]:
    """The processes by which this node's pods reach other hosts."""
    pid = node_process or node.runtime.node.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "slirp4netns"]


def _wait_for_end(pid: int) -> None:
    fd = os.pidfd_open(pid)
    select.select([fd], [], [], 20)
    os.close(fd)


async def _opened(node: Node) -> None:
    assert isinstance(node.runtime, SandboxRuntime)
    assert node.runtime.way_out is not None
    assert await node.runtime.way_out.opened()


@pytest.mark.levels("image", "stand-in")  # the network is the pod's, whatever files its containers have
def test_a_pod_reaches_another_host_and_another_pod(tmp_path: Path, far: tuple[str, str]) -> None:
    async def story(node: Node) -> None:
        sandbox = await node.pod()
        code, output = await node.run(sandbox, "/usr/bin/python3", "-c", _ASK, *far)
        assert (code, output) == (0, b"b'far stream'\nb'far datagram'\n")
        other = await node.pod(uid="u2")
        serve = "import socket; s = socket.create_server(('', 80)); print(1, flush=True); s.accept()[0].sendall(b'pod')"
        server = await node.start(other, "/usr/bin/python3", "-c", serve, uid="u2")
        from lifepod.runtime.base import LogOptions

        await anext(aiter(node.runtime.log("u2", server, LogOptions(follow=True))))
        ip = node.latest["u2"].sandboxes[0].ips[0]
        ask = f"import socket; print(socket.create_connection(('{ip}', 80), 10).recv(10))"
        assert await node.run(sandbox, "/usr/bin/python3", "-c", ask, name="d") == (0, b"b'pod'\n")

    play(SandboxRuntime, tmp_path / "node", story, way_out=find_way_out())


def test_the_machines_loopback_is_closed_to_pods(tmp_path: Path, far: tuple[str, str]) -> None:
    """By no address, nor by sockets that are bound to the pod's interface and so do not see its own loopback."""
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", tcp.getsockname()[1]))
    for sock in (tcp, udp):
        sock.setblocking(False)

    async def story(node: Node) -> None:
        sandbox = await node.pod()
        await _opened(node)
        port = str(tcp.getsockname()[1])
        code, output = await node.run(sandbox, "/usr/bin/python3", "-c", _TRY_LOOPBACK, port)
        assert (code, output) == (0, b"no packets of one's own\n" * 2)
        # What was sent before this answer came has arrived, if it ever would.
        code, _ = await node.run(sandbox, "/usr/bin/python3", "-c", _ASK, *far, name="fence")
        assert code == 0
        with pytest.raises(BlockingIOError):
            udp.recvfrom(100)
        with pytest.raises(BlockingIOError):
            tcp.accept()

    with tcp, udp:
        play(SandboxRuntime, tmp_path / "node", story, way_out=find_way_out())


def test_the_way_out_ends_with_the_node_and_not_before(tmp_path: Path) -> None:
    found: list[int] = []

    async def story(node: Node) -> None:
        assert _way_outs(node) == [], "nothing is started before the first pod"
        await node.pod()
        await _opened(node)
        found.extend(_way_outs(node))

    play(SandboxRuntime, tmp_path / "node", story, way_out=find_way_out())
    assert len(found) == 1
    assert not Path(f"/proc/{found[0]}").exists()


def test_a_way_out_that_was_killed_comes_back_with_the_next_pod(tmp_path: Path, far: tuple[str, str]) -> None:
    async def story(node: Node) -> None:
        await node.pod()
        await _opened(node)
        (first,) = _way_outs(node)
        os.kill(first, signal.SIGKILL)
        await asyncio.to_thread(_wait_for_end, first)
        sandbox = await node.pod(uid="u2")
        await _opened(node)
        assert _way_outs(node) not in ([], [first])
        code, _ = await node.run(sandbox, "/usr/bin/python3", "-c", _ASK, *far, uid="u2")
        assert code == 0

    play(SandboxRuntime, tmp_path / "node", story, way_out=find_way_out())


def test_the_way_out_lives_on_with_pods_that_do(tmp_path: Path, far: tuple[str, str]) -> None:
    async def whole() -> None:
        node = Node(SandboxRuntime, tmp_path / "node", persistent=True, way_out=find_way_out())
        await node.runtime.start()
        sandbox = await node.pod()
        await node.start(sandbox, "sleep", "600")
        await _opened(node)
        before = _way_outs(node)
        pid = node.runtime.node.pid
        await node.runtime.close(keep=True)
        next_one = Node(SandboxRuntime, tmp_path / "node", persistent=True, way_out=find_way_out())
        await next_one.runtime.start()
        try:
            await _opened(next_one)
            assert _way_outs(next_one, pid) == before
            code, _ = await next_one.run(sandbox, "/usr/bin/python3", "-c", _ASK, *far, name="d")
            assert code == 0
        finally:
            await next_one.runtime.close()
            node.runtime.node.reap()

    asyncio.run(whole())


def test_a_way_out_that_does_not_work_is_told_once_and_pods_live_on(tmp_path: Path) -> None:
    problems: list[str] = []

    async def story(node: Node) -> None:
        for uid in ("u1", "u2"):
            sandbox = await node.pod(uid=uid)
            assert await node.run(sandbox, "true", uid=uid) == (0, b"")
        assert isinstance(node.runtime, SandboxRuntime)
        assert node.runtime.way_out is not None
        assert not await node.runtime.way_out.opened()

    false = shutil.which("false")
    play(SandboxRuntime, tmp_path / "node", story, way_out=false, on_no_way_out=problems.append)
    assert problems == ["slirp4netns ended at once; `lifepod doctor` says why"]


def _outbound() -> LevelFinding:
    return next(finding for finding in offers() if finding.name == "outbound")


def test_doctor_tries_the_way_out() -> None:
    assert _outbound() == LevelFinding("outbound", True)


@pytest.mark.parametrize(
    ("script", "problem", "advice"),
    [
        ("", "containers reach their cluster and nothing else", "install slirp4netns"),
        ("echo 'no tun' >&2; echo 'child failed(1)' >&2; exit 1", "no tun", "/dev/net/tun"),
        ("exit 0", "slirp4netns ended at once", "/dev/net/tun"),
    ],
)
def test_doctor_says_why_there_is_none(
    script: str, problem: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        (tmp_path / "slirp4netns").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "slirp4netns").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = _outbound()
    assert (found.works, found.problem) == (False, problem)
    assert advice in found.advice
