"""What changed lately, for watches that continue and lists of the past: at most five minutes and 100,000 changes.

A change shares its texts with the store. What only the history still holds, the texts that were replaced or deleted, is limited too:
somebody may write a large object many times a second.

Time comes in with each change. Older positions are answered by the callers with 410.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import cast

from lifepod.store.record import Change

MAX_CHANGES = 100_000
MAX_AGE_SECONDS = 300.0
MAX_REPLACED_BYTES = 256 * 1024 * 1024
WARM_CHANGES = 1_024
"""How many of the newest changes keep their watch line and decoded object ready."""
WARM_BYTES = 16 * 1024 * 1024
"""How large the texts of those may be together."""
_GONE = cast("Change", None)
"""Stands in the place of a change that is forgotten, until the list is shortened."""


class Timeline:
    """The changes of one resource, oldest first. Positions count from the first change ever and stay valid."""

    __slots__ = ("_changes", "_start", "base", "trimmed_at")

    def __init__(self, trimmed_at: int) -> None:
        self._changes: list[Change] = []
        self._start = 0
        self.base = 0
        self.trimmed_at = trimmed_at
        """Changes up to this revision are gone (or never were)."""

    @property
    def end(self) -> int:
        """The position after the newest change."""
        return self.base + len(self._changes) - self._start

    def append(self, change: Change) -> None:
        self._changes.append(change)

    def pop_oldest(self) -> None:
        """Forget the oldest change. The list is shortened now and then, not each time."""
        self.trimmed_at = self._changes[self._start].revision
        self._changes[self._start] = _GONE
        self._start += 1
        self.base += 1
        if self._start > 512 and self._start * 2 > len(self._changes):
            del self._changes[: self._start]
            self._start = 0

    def position_after(self, revision: int) -> int:
        """The position of the first change later than `revision`."""
        found = bisect_right(self._changes, revision, lo=self._start, key=lambda change: change.revision)
        return self.base + found - self._start

    def from_position(self, position: int, limit: int) -> list[Change]:
        """Up to `limit` changes from `position` on, which must not lie before `base`."""
        at = position - self.base + self._start
        return self._changes[at : at + limit]

    def newest_first_until(self, revision: int) -> list[Change]:
        """The changes later than `revision`, newest first."""
        at = self.position_after(revision) - self.base + self._start
        return self._changes[: at - 1 if at else None : -1]


class History:
    """The changes of all resources."""

    def __init__(self, revision: int = 0) -> None:
        self._lines: dict[str, Timeline] = {}
        self._order: deque[tuple[float, int, Timeline]] = deque()
        self._replaced_bytes = 0
        self._warm: deque[Change] = deque()
        self._warm_bytes = 0
        self.start = revision
        """The revision before the first change that was recorded here."""

    def of(self, resource: str) -> Timeline:
        """The changes of one resource."""
        line = self._lines.get(resource)
        if line is None:
            line = self._lines[resource] = Timeline(self.start)
        return line

    def append(self, resource: str, change: Change) -> None:
        """Record a change and forget what is too old or too much."""
        line = self.of(resource)
        line.append(change)
        order, size = self._order, replaced_bytes(change)
        order.append((change.at, size, line))
        self._replaced_bytes += size
        self._warm.append(change)
        self._warm_bytes += len(change.new.encoded)
        oldest_kept = change.at - MAX_AGE_SECONDS
        while len(order) > 1 and (
            len(order) > MAX_CHANGES or order[0][0] < oldest_kept or self._replaced_bytes > MAX_REPLACED_BYTES
        ):
            _, size, line = order.popleft()
            line.pop_oldest()
            self._replaced_bytes -= size
        while len(self._warm) > min(WARM_CHANGES, len(order)) or self._warm_bytes > WARM_BYTES:
            cold = self._warm.popleft()
            self._warm_bytes -= len(cold.new.encoded)
            cold.forget()


def replaced_bytes(change: Change) -> int:
    """How many bytes of text the history alone holds because of a change."""
    last = len(change.new.encoded) if change.type == "DELETED" else 0
    return last + (len(change.old.encoded) if change.old is not None else 0)
