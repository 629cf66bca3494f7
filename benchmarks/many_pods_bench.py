"""What many pods cost: created over HTTPS by 16 clients, then kept. Run: `python benchmarks/many_pods_bench.py [pods]`.

Memory is that of the server process as the kernel counts it (PSS, RSS); `--data` keeps the pods on disk too.
"""

from __future__ import annotations

import sys
import time

from api_bench import POD, PODS, Server, revision_of

CLIENTS = 16


def _fill(server: Server, pods: int) -> None:
    """Create pods from 16 connections: each asks again when all were answered."""
    post = server.head("POST", PODS, POD)
    clients = [server.connect() for _ in range(CLIENTS)]
    for _ in range(pods // CLIENTS):
        for client in clients:
            client.sendall(post)
        for client in clients:
            assert server.answer(client)[:20].startswith(b'{"kind":"Pod"'), "a pod was refused"


def _row(what: str, figure: float, unit: str) -> None:
    print(f"{what:44} {figure:10.1f} {unit}", flush=True)


def main(pods: int, kind: str) -> None:
    """Print one figure a line."""
    server = Server(kind)
    _row("the server with nothing stored, PSS", server.pss_kb() / 1024, "MB")
    before, cpu, start = server.pss_kb(), server.cpu(), time.perf_counter()
    _fill(server, pods)
    seconds, cpu = time.perf_counter() - start, server.cpu() - cpu
    _row(f"{pods} pods created, {CLIENTS} clients", pods / seconds, f"a second, {cpu / pods * 1e6:.0f} us CPU each")
    _row(f"with {pods} pods, PSS", server.pss_kb() / 1024, f"MB; RSS {server.memory_kb() / 1024:.1f} MB")
    _row("a pod", (server.pss_kb() - before) / pods, "kB")
    server.connection = server.connect()  # the first was closed: nothing was asked on it
    first = server.head("GET", f"{PODS}?limit=500")
    _row("LIST of 500", server.measured(lambda: server.ask(first), 100).cpu, "us CPU")
    nothing = server.head("GET", f"{PODS}?labelSelector=app%3Dnope&resourceVersion=0")
    _row("LIST by label, none found", server.measured(lambda: server.ask(nothing), 1000).cpu, "us CPU")
    get = server.head("GET", f"{PODS}/{server.first_pod()}")
    _row("GET a pod", server.measured(lambda: server.ask(get), 1000).cpu, "us CPU")
    whole = server.head("GET", PODS)
    start, size = time.perf_counter(), len(server.ask(whole))
    _row(
        "LIST of all",
        (time.perf_counter() - start) * 1e3,
        f"ms, {size / 1e6:.1f} MB; PSS {server.pss_kb() / 1024:.1f} MB after",
    )
    assert revision_of(server)
    server.stop()


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--data"]
    main(int(words[0]) if words else 100_000, "durable" if "--data" in sys.argv else "api")
