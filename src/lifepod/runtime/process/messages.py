"""How lifepod, its node process and the supervisors speak: one JSON object a packet, with file descriptors beside it."""

from __future__ import annotations

import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO, TypeAlias

    Message: TypeAlias = dict[str, Any]

MAX_PACKET = 128 * 1024
_MAX_FDS = 16


class ConnectionClosed(Exception):
    """The other end is gone."""


def channel() -> tuple[socket.socket, socket.socket]:
    """Two connected ends that keep packets apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> None:
    """Send one packet. Raises OSError when the other end is gone or full."""
    data = json.dumps(message).encode()
    if len(data) > MAX_PACKET:
        raise ValueError(f"a message of {len(data)} bytes does not fit one packet of {MAX_PACKET}")
    if fds:
        socket.send_fds(sock, [data], fds)
    else:
        sock.send(data)


def receive(sock: socket.socket) -> tuple[Message, list[int]]:
    """The next packet. Raises ConnectionClosed at the end, BlockingIOError when there is none yet."""
    try:
        data, fds, _, _ = socket.recv_fds(sock, MAX_PACKET + 1, _MAX_FDS)
    except (ConnectionResetError, BrokenPipeError) as exc:
        raise ConnectionClosed from exc
    if not data:
        raise ConnectionClosed
    message: Message = json.loads(data)
    return message, list(fds)


def in_memory(content: Message) -> TextIO:
    """An open file with the content, for what may be longer than a packet; on no disk where the system can do that."""
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("lifepod"), "w+")
    else:
        import tempfile

        file = tempfile.TemporaryFile("w+")  # noqa: SIM115 - the caller closes it
    json.dump(content, file)
    file.flush()
    return file


def from_file(fd: int) -> Message:
    """What `in_memory` was given."""
    with open(os.dup(fd)) as file:
        file.seek(0)
        content: Message = json.load(file)
        return content
