"""How a container's log stands on disk (CRI's log format) and how a part of it is read back.

A line is `<RFC 3339 with nanoseconds> stdout|stderr F|P <text>`; `P` means that the line goes on in the next entry of the
same stream. `LogWriter` is used by the supervisor and must stay cheap to import.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from lifepod.runtime.base import LogOptions

_LONGEST_PIECE = 16 * 1024
"""Longer lines are written in pieces. Source: containerd pkg/cri/config: DefaultConfig MaxContainerLogLineSize."""


def format_nanoseconds(epoch_ns: int) -> bytes:
    """RFC 3339 with nine decimals in UTC, as CRI's log lines begin."""
    seconds, rest = divmod(epoch_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ" % rest


class LogWriter:
    """Turns what a container writes into log entries, one stream at a time, and appends them to the file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._open_line: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def write(self, stream: str, data: bytes, epoch_ns: int) -> bool:
        """Append what is complete of `data`; the rest waits for its end. Says whether the file grew."""
        head = b"%s %s " % (format_nanoseconds(epoch_ns), stream.encode())
        *lines, rest = (self._open_line[stream] + data).split(b"\n")
        out: list[bytes] = []
        for line in lines:
            while len(line) > _LONGEST_PIECE:
                out += (head, b"P ", line[:_LONGEST_PIECE], b"\n")
                line = line[_LONGEST_PIECE:]
            out += (head, b"F ", line, b"\n")
        while len(rest) > _LONGEST_PIECE:
            out += (head, b"P ", rest[:_LONGEST_PIECE], b"\n")
            rest = rest[_LONGEST_PIECE:]
        self._open_line[stream] = rest
        if out:
            self._append(b"".join(out))
        return bool(out)

    def finish(self, stream: str, epoch_ns: int) -> bool:
        """The stream ended: its open line is written as it is, without an end.

        Source: containerd v2.1 internal/cri/io/logger.go: redirectLogs
        """
        rest, self._open_line[stream] = self._open_line[stream], b""
        if rest:
            self._append(b"%s %s P %s\n" % (format_nanoseconds(epoch_ns), stream.encode(), rest))
        return bool(rest)

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError:
                # A full disk loses log lines, as on a real node; it must not take the container down.
                return


class LogEntry(NamedTuple):
    """One entry of a log file. `text` carries its newline when the line is complete."""

    time: bytes
    stream: bytes
    text: bytes


def parse_entry(line: bytes) -> LogEntry | None:
    """The entry in a line of the file (newline included), None when it is damaged."""
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[2] not in (b"F", b"P"):
        return None
    text = parts[3] if len(parts) == 4 else b""
    return LogEntry(parts[0], parts[1], text + b"\n" if parts[2] == b"F" else text)


def find_tail_start(file: BinaryIO, lines: int) -> int:
    """The offset at which the last `lines` lines of the file begin.

    Entries are counted, so a line in pieces counts as several, as on a real node.

    Source: k8s.io/kubernetes v1.34.4 staging/src/k8s.io/cri-client/pkg/logs/tail.go: findTailLineStartIndex
    """
    at = file.seek(0, os.SEEK_END)
    wanted, seen, end = lines + 1, 0, at
    if lines == 0:
        return end
    while at > 0:
        size = min(65536, at)
        at -= size
        file.seek(at)
        block = file.read(size)
        here = len(block)
        while (here := block.rfind(b"\n", 0, here)) >= 0:
            seen += 1
            if seen == wanted:
                return at + here + 1
    return 0


class LogSelection:
    """Applies `LogOptions` to entries: what of each goes out, and when the limit of bytes is reached."""

    def __init__(self, options: LogOptions) -> None:
        self._timestamps = options.timestamps
        self._since = None if options.since_epoch is None else format_nanoseconds(round(options.since_epoch * 1e9))
        self._left = options.limit_bytes
        self._is_new_line = True

    @property
    def is_full(self) -> bool:
        """Whether the limit of bytes has been reached."""
        return self._left is not None and self._left <= 0

    def take(self, entry: LogEntry) -> bytes:
        """What of the entry the reader gets; b"" when it is too old. A piece of a line follows the one before without a time.

        Source: k8s.io/cri-client v0.34.4 pkg/logs/logs.go: ReadLogs, logWriter.write
        """
        begins_line, text = self._is_new_line, entry.text
        self._is_new_line = not text or text.endswith(b"\n")
        if self._since is not None and entry.time < self._since:
            return b""
        if self._timestamps and begins_line:
            text = entry.time + b" " + text
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        return text


def read_entries(file: BinaryIO) -> Iterator[LogEntry]:
    """The complete entries from where `file` stands; an incomplete last line is left for the next call."""
    while True:
        start = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(start)
            return
        entry = parse_entry(line)
        if entry is not None:
            yield entry


def read_tail(path: str, lines: int, limit_bytes: int) -> bytes:
    """The last `lines` lines of a log, at most their last `limit_bytes` bytes; b"" when there is no log."""
    try:
        with open(path, "rb") as file:
            file.seek(find_tail_start(file, lines))
            return b"".join(entry.text for entry in read_entries(file))[-limit_bytes:]
    except OSError:
        return b""
