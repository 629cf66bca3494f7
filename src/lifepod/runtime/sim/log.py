"""A simulated container's log: an immutable value that grows cheaply and forgets its oldest lines beyond a bound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from lifepod.runtime.cri_log import LogEntry

_CHUNK = 128
_MAX_CHUNKS = 128


class Log(NamedTuple):
    """Lines in chunks. `dropped` counts those forgotten, so that a follower's place stays valid."""

    full: tuple[tuple[LogEntry, ...], ...] = ()
    current: tuple[LogEntry, ...] = ()
    dropped: int = 0

    @property
    def end(self) -> int:
        """The number of the line that comes next, counted from the container's start."""
        return self.dropped + len(self.full) * _CHUNK + len(self.current)

    @property
    def whole_end(self) -> int:
        """As `end`, but before a last line that may go on: a log shows lines once they are whole."""
        is_open = bool(self.current) and not self.current[-1].text.endswith(b"\n")
        return self.end - is_open

    def written(self, stream: int, text: bytes, now: datetime) -> Log:
        """The log after a process wrote `text`; an open line is continued."""
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
        name = b"stdout" if stream == 1 else b"stderr"
        log = self
        for line in text.splitlines(keepends=True):
            log = log._with_line(LogEntry(stamp, name, line))
        return log

    def _with_line(self, entry: LogEntry) -> Log:
        last = self.current[-1] if self.current else None
        if last is not None and last.stream == entry.stream and not last.text.endswith(b"\n"):
            joined = entry._replace(text=last.text + entry.text)
            return self._replace(current=(*self.current[:-1], joined))
        if len(self.current) < _CHUNK:
            return self._replace(current=(*self.current, entry))
        full, dropped = (*self.full, self.current), self.dropped
        if len(full) > _MAX_CHUNKS:
            full, dropped = full[1:], dropped + _CHUNK
        return Log(full, (entry,), dropped)

    def since(self, number: int, end: int | None = None) -> Iterator[LogEntry]:
        """The lines from `number` on (and before `end`) that are still kept."""
        at = self.dropped
        for chunk in (*self.full, self.current):
            if at + len(chunk) > number:
                yield from chunk[max(0, number - at) : None if end is None else max(0, end - at)]
            at += len(chunk)

    def tail(self, lines: int, limit_bytes: int) -> bytes:
        """The end of the log: at most `lines` lines, of them at most the last `limit_bytes` bytes."""
        wanted = list(self.since(max(0, self.end - lines)))
        return b"".join(entry.text for entry in wanted)[-limit_bytes:]
