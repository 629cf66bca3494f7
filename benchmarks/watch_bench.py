"""What a change costs that many watch over TLS: `python benchmarks/watch_bench.py [watchers] [changes]`.

A client process of its own holds the watches; it takes the bytes with epoll as they come and reads the clock after the last of
them, so that its decryption is not counted as the server's time. Then it decrypts and makes sure that everyone heard the same.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import ssl
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from api_bench import POD, PODS, Server, revision_of

FILES = 20_000
LATE = 20.0
"""Seconds after which a watcher that was told nothing is an error."""


class Watcher:
    """One TLS connection whose bytes are taken first and decrypted later."""

    def __init__(self, context: ssl.SSLContext, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        while not self._has_shaken_hands():
            self._incoming.write(self.socket.recv(65536))
        self._tls.write(request)
        self.socket.sendall(self._outgoing.read())
        while b"\r\n\r\n" not in self.read():
            self.take()

    def _has_shaken_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            if self._outgoing.pending:
                self.socket.sendall(self._outgoing.read())
        return True

    def take(self) -> None:
        """Take what came; it stays encrypted."""
        self._incoming.write(self.socket.recv(65536))

    def read(self) -> bytes:
        """What was taken, decrypted."""
        try:
            return self._tls.read(1 << 20)
        except ssl.SSLWantReadError:
            return b""


def _listen(port: int, count: int, request: bytes) -> None:
    """The client process: for each line on stdin, wait until every watcher was told, then say when that was."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    watchers = {each.socket.fileno(): each for each in (Watcher(context, port, request) for _ in range(count))}
    poll = select.epoll()
    for number in watchers:
        poll.register(number, select.EPOLLIN)
    print("ready", flush=True)
    for _ in sys.stdin:
        waiting = set(watchers)
        while waiting:
            ready = poll.poll(LATE)
            if not ready:
                raise TimeoutError(f"{len(waiting)} watchers were told nothing")
            for number, _ in ready:
                watchers[number].take()
                waiting.discard(number)
        last = time.monotonic()
        lines = {watcher.read() for watcher in watchers.values()}
        assert len(lines) == 1, f"watchers were told different things: {sorted(lines)[:2]}"
        print(last, flush=True)


class Told(NamedTuple):
    """Milliseconds until the last of the watchers had the bytes, and of the server's CPU."""

    wall: float
    cpu: float


def changes(server: Server, watchers: int, count: int) -> tuple[float, list[Told]]:
    """Kilobytes of an idle watch, and what each change took."""
    before = server.memory_kb()
    query = f"watch=1&resourceVersion={revision_of(server)}"  # no bookmarks: they would count as told
    request = server.head("GET", f"{PODS}?{query}").decode("latin-1")
    listener = subprocess.Popen(
        [sys.executable, __file__, "--listen", str(server.port), str(watchers), json.dumps(request)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listener.stdin is not None
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    each = (server.memory_kb() - before) / watchers
    post, found = server.head("POST", PODS, POD), []
    for _ in range(count):
        listener.stdin.write("\n")
        listener.stdin.flush()
        time.sleep(0.05)  # until it waits
        cpu, start = server.busy(), time.monotonic()
        server.ask(post)
        last = float(listener.stdout.readline())
        found.append(Told((last - start) * 1e3, (server.busy() - cpu) * 1e3))
    listener.communicate("")
    return each, found


def main(watchers: int, count: int) -> None:
    """Print one figure a line."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    server = Server("api")
    each, found = changes(server, watchers, count)
    server.stop()
    print(f"{'an idle watch':40} {each:8.1f} kB")
    for what, part in (
        ("all told of a change", [told.wall for told in found]),
        ("server's CPU", [t.cpu for t in found]),
    ):
        quick, median, slow = min(part), statistics.median(part), max(part)
        print(f"{f'{watchers} watchers: {what}':40} {quick:8.1f} ms, median {median:.1f}, slowest {slow:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--listen"]:
        _listen(int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]).encode("latin-1"))
    else:
        main(*(int(word) for word in (sys.argv[1:] + ["1000", "20"][len(sys.argv) - 1 :])))
