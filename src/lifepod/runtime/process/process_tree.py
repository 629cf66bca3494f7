"""Which processes are below others, by /proc. Small enough for the processes beside lifepod."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def children_of(pid: int, proc: str = "/proc") -> list[int]:
    """The processes that a process has started, or been given, and not yet waited for."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"{proc}/{pid}/task"):
            with open(f"{proc}/{pid}/task/{thread}/children") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        return found
    return found


def with_descendants(first: Iterable[int], proc: str = "/proc") -> Iterator[int]:
    """These processes and all below them."""
    left, seen = list(first), set[int]()
    while left:
        pid = left.pop()
        if pid not in seen:
            seen.add(pid)
            yield pid
            left += children_of(pid, proc)
