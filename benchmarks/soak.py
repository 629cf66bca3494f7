"""Mixed load with clients that vanish: `python benchmarks/soak.py [seconds]`. Exit code 1 when something was lost.

Writers create, patch, apply and delete config maps and pods; readers list and get; watchers follow, some stop reading, some close in
the middle of a line. At the end: no answer was the server's mistake, every watcher that stayed saw what a fresh list shows, memory is
flat. The store's history grows until it is as old as it may be (five minutes): memory is compared from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import ssl
import sys
import time
from functools import lru_cache
from statistics import median

from api_bench import Server, revision_of

from lifepod.store.history import MAX_AGE_SECONDS

NS = "/api/v1/namespaces/default"
FLAT = 1.05
"""How much more memory the last third may show than the first one, of the time since the history is full."""
HISTORY = MAX_AGE_SECONDS
SAMPLE = 5.0
QUIET = 3.0
"""Seconds without a line after which a watcher has heard everything, once nobody writes."""
PACE = 1 / 5
"""Seconds from one request of a writer to its next: a history of five minutes is as large as the load is fast."""
BIG = 4
"""How many large config maps there are for clients that list them and stop reading."""
POD_BODY = {"spec": {"schedulerName": "none", "containers": [{"name": "c", "image": "busybox:1.36"}]}}


class Told:
    """What the clients noted."""

    def __init__(self) -> None:
        self.requests = 0
        self.faults: list[str] = []
        self.written = asyncio.Event()
        """Set when nobody writes any more."""


async def _ask(
    server: Server, method: str, path: str, body: bytes = b"", kind: str = "application/json"
) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=_context())
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    if random.random() < 0.03:  # this client does not wait for its answer
        writer.transport.abort()
        return 0, b""
    got = await reader.read()
    writer.close()
    head_bytes, _, rest = got.partition(b"\r\n\r\n")
    return (int(head_bytes.split()[1]) if head_bytes else 0), rest


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _writer(server: Server, told: Told, ends: float, number: int) -> None:
    chance, due = random.Random(number), time.monotonic()
    while time.monotonic() < ends:
        due = max(due + PACE, time.monotonic() - 1)
        await asyncio.sleep(max(due - time.monotonic(), 0))
        name = f"w{number}-{chance.randrange(40)}"
        work = _pods if chance.random() < 0.3 else _config_maps
        try:
            status, text = await _ask(server, *work(chance, name))
        except OSError as exc:
            told.faults.append(f"{ends - time.monotonic():.0f} s before the end: {exc!r}")
            continue
        told.requests += 1
        if status >= 500:
            told.faults.append(f"{status} {text[:300]!r}")


def _config_maps(chance: random.Random, name: str) -> tuple[str, str, bytes, str]:
    """One request about config maps: method, path, body, its type."""
    path, labels = f"{NS}/configmaps", {"n": str(chance.randrange(3))}
    match chance.randrange(7):
        case 0 | 1:
            body = {"metadata": {"name": name, "labels": labels}, "data": {"k": "v" * 200}}
            return "POST", path, json.dumps(body).encode(), "application/json"
        case 2:
            body = {"data": {"k": str(chance.random())}, "metadata": {"labels": labels}}
            return "PATCH", f"{path}/{name}", json.dumps(body).encode(), "application/merge-patch+json"
        case 3:
            applied = {"apiVersion": "v1", "kind": "ConfigMap", "data": {f"k{chance.randrange(9)}": "x"}}
            query = "fieldManager=soak&force=true"
            return "PATCH", f"{path}/{name}?{query}", json.dumps(applied).encode(), "application/apply-patch+yaml"
        case 4:
            return "DELETE", f"{path}/{name}", b"", ""
        case 5:
            return "GET", f"{path}/{name}", b"", ""
        case _:
            return "GET", f"{path}?limit=50&labelSelector=n%3D1", b"", ""


def _pods(chance: random.Random, name: str) -> tuple[str, str, bytes, str]:
    """One request about pods."""
    path, labels = f"{NS}/pods", {"n": str(chance.randrange(3))}
    match chance.randrange(5):
        case 0 | 1:
            body = {**POD_BODY, "metadata": {"name": name, "labels": labels}}
            return "POST", path, json.dumps(body).encode(), "application/json"
        case 2:
            status = {"status": {"phase": "Running", "message": str(chance.random())}}
            return "PATCH", f"{path}/{name}/status", json.dumps(status).encode(), "application/merge-patch+json"
        case 3:
            return "DELETE", f"{path}/{name}?gracePeriodSeconds=0", b"", ""
        case _:
            return "GET", f"{path}?limit=50", b"", ""


def _watched(number: int) -> tuple[str, str]:
    """The path and selector of one watcher."""
    return f"{NS}/{'pods' if number % 3 == 2 else 'configmaps'}", "labelSelector=n%3D1" if number % 2 else ""


async def _watcher(server: Server, told: Told, number: int) -> dict[str, str]:
    """Follow one watch to the end; what it holds then, by name."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=_context(), limit=1 << 22)
    path, query = _watched(number)
    head = f"GET {path}?watch=1&{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    held: dict[str, str] = {}
    buffer = b""
    while True:
        try:
            size = int((await asyncio.wait_for(reader.readline(), QUIET)).strip() or b"0", 16)
        except TimeoutError:
            if told.written.is_set():
                break
            continue
        if size == 0:
            told.faults.append(f"watcher {number} was ended")
            break
        buffer += (await reader.readexactly(size + 2))[:size]
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            event = json.loads(line)
            meta = event["object"]["metadata"]
            if event["type"] == "DELETED":
                held.pop(meta["name"], None)
            elif event["type"] in ("ADDED", "MODIFIED"):
                held[meta["name"]] = meta["resourceVersion"]
            elif event["type"] == "ERROR":
                told.faults.append(f"watcher {number}: {line[:200]!r}")
    writer.close()
    return held


async def _rude(server: Server, ends: float) -> None:
    """Clients that open watches and stop reading, or vanish, or send half a request or too many headers."""
    chance = random.Random(99)
    kept: list[asyncio.StreamWriter] = []
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=_context(), limit=1024)
            token = f"Authorization: Bearer {server.token}\r\n"
            match chance.randrange(5):
                case 0:
                    writer.transport.pause_reading()
                    writer.write(f"GET {NS}/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\n{token}\r\n".encode())
                case 4:
                    writer.transport.pause_reading()
                    path = "/api/v1/namespaces/kube-public/configmaps"
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{token}\r\n".encode())
                case 1:
                    writer.write(b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nContent-Length: 500\r\n\r\n{")
                case 2:
                    writer.write(
                        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 200) for n in range(600))
                    )
                case _:
                    writer.write(scrap := bytes(chance.randrange(256) for _ in range(50)) + b"\r\n\r\n")
                    del scrap
            kept.append(writer)
            if len(kept) > 20:
                kept.pop(0).transport.abort()
        await asyncio.sleep(0.1)
    for writer in kept:
        writer.transport.abort()


def _compare(server: Server, told: Told, held: list[dict[str, str]]) -> None:
    """Whether every watcher holds what a list shows."""
    for number, seen in enumerate(held):
        path, query = _watched(number)
        text = server.ask(server.head("GET", f"{path}?{query}"), server.connect())
        listed = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in json.loads(text)["items"]}
        if seen != listed:
            missing = sorted(seen.items() ^ listed.items())[:5]
            told.faults.append(f"watcher {number} holds something else than a list shows: {missing}")


async def _fill(server: Server) -> None:
    """Config maps that are large, in a namespace of their own."""
    for number in range(BIG):
        body = {"metadata": {"name": f"big-{number}"}, "data": {"k": "x" * 300_000}}
        await _ask(server, "POST", "/api/v1/namespaces/kube-public/configmaps", json.dumps(body).encode())


def _judge_memory(told: Told, memory: list[int], seconds: float) -> str:
    """What memory did once the history was full; of a shorter run only its last two thirds."""
    begins = HISTORY if seconds > HISTORY + 120 else seconds / 3
    full = memory[int(begins / SAMPLE) :]
    part = max(len(full) // 3, 1)
    early, late = median(full[:part]), median(full[-part:])
    if late > early * FLAT:
        told.faults.append(f"memory grows: {early:.0f} kB {begins:.0f} s after the start, {late:.0f} kB at the end")
    return f"memory {memory[0]} kB, after {begins:.0f} s {early:.0f} kB, at the end {late:.0f} kB"


async def _soak(server: Server, seconds: float) -> int:
    await _fill(server)
    told, ends = Told(), time.monotonic() + seconds
    watchers = [asyncio.create_task(_watcher(server, told, number)) for number in range(12)]
    others = [asyncio.create_task(_writer(server, told, ends, number)) for number in range(6)]
    others.append(asyncio.create_task(_rude(server, ends)))
    memory: list[int] = []
    revisions: list[int] = []
    while time.monotonic() < ends:
        await asyncio.sleep(SAMPLE)
        memory.append(server.memory_kb())
        revisions.append(int(revision_of(server)))
    await asyncio.gather(*others)
    told.written.set()
    held = await asyncio.gather(*watchers)
    _compare(server, told, held)
    judged = _judge_memory(told, memory, seconds)
    print(f"{told.requests} requests in {seconds:.0f} s; {judged}; CPU {server.cpu():.1f} s")
    minute, window = int(60 / SAMPLE), int(HISTORY / SAMPLE)
    print("each minute, kB:", *memory[::minute])
    kept = [revisions[at] - revisions[max(at - window, 0)] for at in range(0, len(revisions), minute)]
    print("changes that the history held:", *kept)
    print("\n".join(told.faults[:20]) or "nothing lost")
    return 1 if told.faults else 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    made = Server("api")
    code = asyncio.run(_soak(made, float(sys.argv[1]) if len(sys.argv) > 1 else 600))
    made.stop()
    sys.exit(code)
