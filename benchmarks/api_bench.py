"""What one request costs the server: CPU from /proc/PID/schedstat, next to the wall. Run: `python benchmarks/api_bench.py [pods]`.

A server process over TLS with an API in it, and one of the same server with an app that answers every request with the same bytes;
this process asks. CPU does not depend on what else the machine does, the wall does. `--durable` does only the creates that
wait for the disk; `--flushes [ms …]` those on disks of a given flush (needs a C compiler).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import socket
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

POD = (
    b'{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"b-","labels":{"app":"bench","tier":"x"}},"spec":{"schedulerName":'
    b'"none","automountServiceAccountToken":false,"containers":[{"name":"main","image":"busybox:1.36","command":["sleep","600"],'
    b'"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"ports":[{"containerPort":80}],"resources":{"requests":{"cpu":'
    b'"10m","memory":"16Mi"}},"readinessProbe":{"httpGet":{"path":"/","port":80}},"volumeMounts":[{"name":"d","mountPath":"/d"}]}],'
    b'"volumes":[{"name":"d","emptyDir":{}}]}}'
)
"""The pod of the comparison with other API servers."""
PODS = "/api/v1/namespaces/default/pods"


# ------------------------------------------------------------------------------------------------------ the server's side


async def _serve(kind: str) -> None:
    from lifepod.apiserver.certificates import mint_credentials
    from lifepod.apiserver.exchange import Response
    from lifepod.apiserver.server import Tls, serve
    from lifepod.assembly.control_plane import Around, control_plane
    from lifepod.assembly.real_time import RandomIds, RealClock, look_for_cycles_seldom

    clock = RealClock()
    credentials = mint_credentials(clock.now())
    tls = Tls(credentials.server, credentials.ca.certificate)
    around, store, folder = Around(clock.now, RandomIds(), lambda name: None), None, None
    if kind == "durable":
        from lifepod.assembly.data_folder import DataFolder
        from lifepod.store import Store

        store, folder = Store(), DataFolder(Path(tempfile.mkdtemp(prefix="lifepod-bench-")))
        folder.attach(store)
        around = around._replace(durable=folder.durable)
    plane = control_plane(around, credentials, store)
    answer = Response(200, b"x" * 2000)
    server = await serve((lambda request: answer) if kind == "bare" else plane.app.site, tls=tls)
    if folder is not None:
        folder.listen_to(lambda: server.turns)
    print(server.port, plane.token, flush=True)
    look_for_cycles_seldom()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0.1)
    if folder is not None:
        folder.close()
        shutil.rmtree(folder.folder)


# ------------------------------------------------------------------------------------------------------ the asking side


class Measured(NamedTuple):
    """Microseconds of one request."""

    cpu: float
    wall: float


class Server:
    """A server process and one kept connection to it."""

    def __init__(self, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        port, self.token = self.process.stdout.readline().split()
        self.port = int(port)
        self.connection = self.connect()

    def connect(self) -> ssl.SSLSocket:
        """A connection of its own."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain)

    def head(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request as bytes."""
        lines = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
        if body:
            lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return lines.encode() + b"\r\n" + body

    def ask(self, request: bytes, connection: ssl.SSLSocket | None = None) -> bytes:
        """One answer, whole."""
        to = connection or self.connection
        to.sendall(request)
        return self.answer(to)

    def answer(self, to: ssl.SSLSocket) -> bytes:
        """The body of the answer to what was asked on a connection."""
        got = b""
        while b"\r\n\r\n" not in got:
            if not (more := to.recv(1 << 20)):
                raise ConnectionError("the server closed the connection")
            got += more
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        parts, have = [body], len(body)
        while have < length:
            parts.append(to.recv(1 << 20))
            have += len(parts[-1])
        return b"".join(parts)

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def busy(self) -> float:
        """Seconds that the server's main thread ran so far, to the nanosecond."""
        with open(f"/proc/{self.process.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9

    def memory_kb(self) -> int:
        """Resident memory."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def pss_kb(self) -> int:
        """Memory that is this process's own, and its share of what it has in common with others."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))

    def first_pod(self) -> str:
        """The name of a pod that there is."""
        listed = json.loads(self.ask(self.head("GET", f"{PODS}?limit=1")))
        return str(listed["items"][0]["metadata"]["name"])

    def measured(self, call: Callable[[], object], count: int) -> Measured:
        """What `call` costs, many times over."""
        for _ in range(min(count // 10 + 1, 50)):
            call()
        cpu, start = self.busy(), time.perf_counter()
        for _ in range(count):
            call()
        wall = time.perf_counter() - start
        return Measured((self.busy() - cpu) / count * 1e6, wall / count * 1e6)

    def stop(self) -> None:
        self.process.communicate("")


def revision_of(server: Server) -> str:
    """The revision of a list of pods."""
    return str(json.loads(server.ask(server.head("GET", f"{PODS}?limit=1")))["metadata"]["resourceVersion"])


class Alone:
    """What SQLite alone gives on this disk: one row of a pod's size a commit."""

    def __init__(self, mode: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="lifepod-bench-")
        self._database = sqlite3.connect(f"{self._folder}/x.sqlite", isolation_level=None)
        self._database.execute(f"PRAGMA journal_mode={mode}")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, body BLOB)")

    def commit(self) -> None:
        """One commit."""
        self._database.execute("INSERT INTO t (body) VALUES (?)", (b"x" * 2000,))

    def close(self) -> None:
        self._database.close()
        shutil.rmtree(self._folder)


def _seconds(call: Callable[[], object], count: int) -> list[float]:
    """How long each of so many calls took."""
    took = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return took


def durable(rounds: int = 40, count: int = 25) -> None:
    """One client's creates that wait for the disk, beside what the disk gives: in turns, for the disk is not ours alone.

    Rates are those of the median call: a neighbour that takes the processor for a while would count against the longer one.
    """
    server, memory, delete, wal = Server("durable"), Server("api"), Alone("DELETE"), Alone("WAL")
    posts = [(each, each.head("POST", PODS, POD)) for each in (server, memory)]
    calls = [*(partial(each.ask, post) for each, post in posts), delete.commit, wal.commit]
    took: list[list[float]] = [[] for _ in calls]
    cpu = 0.0
    for _ in range(rounds):
        cpu -= server.busy()
        took[0] += _seconds(calls[0], count)
        cpu += server.busy()
        for times, call in zip(took[1:], calls[1:], strict=True):
            times += _seconds(call, count)
    for each in (server, memory):
        each.stop()
    for each in (delete, wal):
        each.close()
    rates = [1 / statistics.median(times) for times in took]
    main_thread = f"{cpu / rounds / count * 1e6:.0f} us CPU of its main thread"
    print(f"durable POST a pod, 1 client     {rates[0]:8.0f} a second, {main_thread}; not durable {rates[1]:.0f}")
    print(f"  SQLite alone, as it comes      {rates[2]:8.0f} a second: {rates[0] / rates[2]:.2f}x")
    print(f"  SQLite alone, WAL, FULL        {rates[3]:8.0f} a second: {rates[0] / rates[3]:.2f}x", flush=True)


def by_flush(milliseconds: list[str]) -> None:
    """The same on disks whose flush takes so long."""
    from flush_delay import delayed

    with tempfile.TemporaryDirectory() as folder:
        for each in milliseconds:
            print(f"a flush of {each} ms", flush=True)
            subprocess.run([sys.executable, __file__, "--durable"], env=delayed(float(each), Path(folder)), check=True)


def main(pods: int) -> None:
    """Print one figure a line."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    bare, server = Server("bare"), Server("api")
    get = bare.head("GET", "/x")
    rows = [("bare app of the same server", bare.measured(lambda: bare.ask(get), 6000))]
    post = server.head("POST", PODS, POD)
    rows.append(("POST a pod", server.measured(lambda: server.ask(post), pods)))
    get = server.head("GET", f"{PODS}/{server.first_pod()}")
    rows.append(("GET a pod", server.measured(lambda: server.ask(get), 6000)))
    get = bare.head("GET", "/x")
    rows.append(("bare app, again", bare.measured(lambda: bare.ask(get), 6000)))
    whole = server.head("GET", f"{PODS}?limit=500")
    rows.append(("LIST of 500", server.measured(lambda: server.ask(whole), 300)))
    nothing = server.head("GET", f"{PODS}?labelSelector=app%3Dnope&resourceVersion=0")
    rows.append((f"LIST by label, none of {pods}", server.measured(lambda: server.ask(nothing), 3000)))
    table = server.head("GET", f"{PODS}?limit=500").replace(
        b"Host: x", b"Host: x\r\nAccept: application/json;as=Table;v=v1;g=meta.k8s.io"
    )
    rows.append(("LIST of 500 as Table", server.measured(lambda: server.ask(table), 60)))
    for what, measured in rows:
        print(f"{what:32} {measured.cpu:8.0f} us CPU {measured.wall:8.0f} us wall")
    bare.stop()
    server.stop()
    durable()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
        asyncio.run(_serve(sys.argv[2]))
    elif sys.argv[1:2] == ["--durable"]:
        durable()
    elif sys.argv[1:2] == ["--flushes"]:
        by_flush(sys.argv[2:] or ["0.1", "0.5", "1", "2", "5"])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
