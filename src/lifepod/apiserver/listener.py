"""Takes connections off a socket, as long as there are files for them.

Not asyncio's own server: when no file is left, that one tells the log so a thousand times a second, and before it does, it has taken
the last file from whoever reads a log or starts a container. Here some stay for them, and clients wait in the backlog meanwhile.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Final

BACKLOG: Final = 1024
AT_ONCE: Final = 100
"""How many connections are taken before whoever is connected is heard again."""
RETRY_SECONDS: Final = 0.1
_KEPT_SHARE: Final = 8
"""Of so many files one is kept from clients."""


class Listener:
    """Listens on a bound socket until it is closed. `connect` makes a connection's protocol, `count` says how many there are."""

    def __init__(
        self, sock: socket.socket, connect: Callable[[], asyncio.BaseProtocol], count: Callable[[], int]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock, self._connect, self._count = sock, connect, count
        self._begun: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._resume()

    def close(self) -> None:
        """Take no more connections."""
        if self._paused is not None:
            self._paused.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._sock.fileno(), self._on_ready)

    def _on_ready(self) -> None:
        most = most_connections()
        for _ in range(AT_ONCE):
            if self._count() + len(self._begun) >= most:
                self._pause()
                return
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file, no memory: EMFILE, ENFILE, ENOBUFS, ENOMEM
                self._pause()
                return
            connection.setblocking(False)
            task: asyncio.Task[object] = self._loop.create_task(
                self._loop.connect_accepted_socket(self._connect, connection)
            )
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    def _pause(self) -> None:
        """Leave who waits in the backlog for a moment."""
        self._loop.remove_reader(self._sock.fileno())
        self._paused = self._loop.call_later(RETRY_SECONDS, self._resume)


def most_connections() -> int:
    """How many clients this process may have: not every file that it may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - soft // _KEPT_SHARE if soft != resource.RLIM_INFINITY else 1 << 30


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket at `host`:`port`; 0: any free port. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
