"""Mixed load with clients that vanish: `python benchmarks/soak.py [seconds]`. Exit code 1 when something was lost.

Writers create, patch and delete; readers list and get; watchers follow, some stop reading, some close in the middle of a line.
At the end: no answer was the server's mistake, every watcher that stayed saw what a fresh list shows, memory is flat.
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

from api_bench import Server

NS = "/api/v1/namespaces/default"
FLAT = 1.25
"""How much the memory of the last third may exceed that of the second."""


class Told:
    """What the clients noted."""

    def __init__(self) -> None:
        self.requests = 0
        self.faults: list[str] = []


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
    chance = random.Random(number)
    count = 0
    while time.monotonic() < ends:
        name = f"w{number}-{chance.randrange(40)}"
        match chance.randrange(5):
            case 0 | 1:
                body = json.dumps(
                    {"metadata": {"name": name, "labels": {"n": str(chance.randrange(3))}}, "data": {"k": "v" * 200}}
                )
                status, text = await _ask(server, "POST", f"{NS}/configmaps", body.encode())
            case 2:
                body = json.dumps({"data": {"k": str(count)}, "metadata": {"labels": {"n": str(chance.randrange(3))}}})
                kind = "application/merge-patch+json"
                status, text = await _ask(server, "PATCH", f"{NS}/configmaps/{name}", body.encode(), kind)
            case 3:
                status, text = await _ask(server, "DELETE", f"{NS}/configmaps/{name}")
            case _:
                status, text = await _ask(server, "GET", f"{NS}/configmaps?limit=50&labelSelector=n%3D1")
        count += 1
        told.requests += 1
        if status >= 500:
            told.faults.append(f"{status} {text[:300]!r}")


async def _watcher(server: Server, told: Told, ends: float, number: int, query: str) -> dict[str, str]:
    """Follow one watch to the end; what it holds then, by name."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=_context(), limit=1 << 22)
    head = f"GET {NS}/configmaps?watch=1{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    held: dict[str, str] = {}
    buffer = b""
    while time.monotonic() < ends + 1.5:
        try:
            size = int((await asyncio.wait_for(reader.readline(), 0.5)).strip() or b"0", 16)
        except TimeoutError:
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
            match chance.randrange(4):
                case 0:
                    writer.transport.pause_reading()
                    writer.write(f"GET {NS}/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\n{token}\r\n".encode())
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


async def _soak(server: Server, seconds: float) -> int:
    told, ends = Told(), time.monotonic() + seconds
    watchers = [
        asyncio.create_task(_watcher(server, told, ends, number, "&labelSelector=n%3D1" if number % 2 else ""))
        for number in range(10)
    ]
    others = [asyncio.create_task(_writer(server, told, ends, number)) for number in range(6)]
    others.append(asyncio.create_task(_rude(server, ends)))
    memory: list[int] = []
    while time.monotonic() < ends:
        await asyncio.sleep(min(seconds / 30, 10))
        memory.append(server.memory_kb())
    await asyncio.gather(*others)
    held = await asyncio.gather(*watchers)
    for number, seen in enumerate(held):
        query = "?labelSelector=n%3D1" if number % 2 else ""
        text = server.ask(server.head("GET", f"{NS}/configmaps{query}"), server.connect())
        listed = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in json.loads(text)["items"]}
        if seen != listed:
            missing = sorted(seen.items() ^ listed.items())[:5]
            told.faults.append(f"watcher {number} holds something else than a list shows: {missing}")
    third = len(memory) // 3
    second, last = max(memory[third : 2 * third]), max(memory[2 * third :])
    if last > second * FLAT:
        told.faults.append(f"memory grows: {second} kB, then {last} kB")
    print(
        f"{told.requests} requests in {seconds:.0f} s; memory {memory[0]} kB, {second} kB, {last} kB; CPU {server.cpu():.1f} s"
    )
    print("\n".join(told.faults[:20]) or "nothing lost")
    return 1 if told.faults else 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    made = Server("api")
    code = asyncio.run(_soak(made, float(sys.argv[1]) if len(sys.argv) > 1 else 600))
    made.stop()
    sys.exit(code)
