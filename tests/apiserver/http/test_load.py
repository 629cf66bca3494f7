"""Many clients of one server process, over TLS: what an idle watch costs, what happens when no more connections can be taken."""

from __future__ import annotations

import json
import resource
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SERVE = """
import asyncio, sys
from lifepod.apiserver.certificates import mint_credentials
from lifepod.apiserver.server import Tls, serve
from lifepod.assembly.control_plane import Around, control_plane
from lifepod.assembly.real_time import RandomIds, RealClock

async def main():
    now = RealClock().now
    credentials = mint_credentials(now())
    plane = control_plane(Around(now, RandomIds(), lambda name: None), credentials, None)
    server = await serve(plane.app.site, tls=Tls(credentials.server, credentials.ca.certificate))
    print(server.port, plane.token, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0.1)

asyncio.run(main())
"""
MAPS = "/api/v1/namespaces/default/configmaps"
IDLE = 500
MOST_KB = 80
"""Fewer watches than the thousands of `watch_bench.py`, so each bears more of what is made once; there 55 to 60 kB are measured."""


class Server:
    """A server in a process of its own, which may be allowed few open files."""

    def __init__(self, files: int) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=limit,
        )
        assert self.process.stdout is not None
        port, self.token = self.process.stdout.readline().split()
        self.port = int(port)
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    def connect(self, patience: float = 10.0) -> ssl.SSLSocket:
        return self._context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=patience))

    def ask(self, connection: ssl.SSLSocket, path: str, method: str = "GET", body: bytes = b"") -> bytes:
        """What came first: a head, and what was sent with it."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536)
        return got

    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self) -> str:
        """What it said on its error stream."""
        return self.process.communicate("")[1]


@pytest.fixture
def start() -> Iterator[Callable[[int], Server]]:
    """Starts servers and sees to their end."""
    started: list[Server] = []

    def begin(files: int) -> Server:
        started.append(Server(files))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_idle_watch_costs_little_and_still_hears_of_a_change(start: Callable[[int], Server]) -> None:
    server = start(4096)
    for _ in range(20):  # what is loaded or made once
        server.ask(server.connect(), f"{MAPS}?watch=1")
    before = server.memory_kb()
    watches = [server.connect() for _ in range(IDLE)]
    for watch in watches:
        assert server.ask(watch, f"{MAPS}?watch=1&labelSelector=seen").startswith(b"HTTP/1.1 200 OK")
    assert (server.memory_kb() - before) / IDLE < MOST_KB
    body = json.dumps({"metadata": {"name": "a", "labels": {"seen": "1"}}}).encode()
    assert b" 201 " in server.ask(server.connect(), MAPS, "POST", body)
    for watch in watches:
        assert b'"type":"ADDED"' in watch.recv(65536)
    assert "Traceback" not in server.stop()


def test_when_no_more_connections_can_be_taken_those_there_are_served_and_later_ones_again(
    start: Callable[[int], Server],
) -> None:
    server = start(64)
    kept = server.connect()
    crowd: list[ssl.SSLSocket] = []
    with suppress(OSError):  # the last one waits for a handshake that nobody begins
        crowd.extend(server.connect(patience=0.3) for _ in range(100))
    assert len(crowd) < 64
    assert server.ask(kept, MAPS).startswith(b"HTTP/1.1 200 OK")
    for connection in crowd:
        connection.close()
    assert server.ask(server.connect(), MAPS).startswith(b"HTTP/1.1 200 OK")
    assert server.process.poll() is None
