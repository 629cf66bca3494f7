"""What stands in for limits where no control group can be made, and what the node says about its limits.

Only memory has a stand-in: the kernel lets no process have more private memory that can be written (RLIMIT_DATA) than twice the container's
limit and 256 MiB. That keeps a leak from taking the machine along and leaves programs within their limits alone: the
stacks of threads count whole, used or not, and each process counts for itself. See docs/decisions/0008.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

_IS_LINUX = sys.platform == "linux"
_HEADROOM = 256 * 1024**2
CONDITION = "lifepod.dev/LimitsEnforced"


class Enforcement(NamedTuple):
    """Whether limits are the kernel's here, as a condition of the node says it."""

    is_whole: bool
    reason: str
    message: str


def data_limit(memory_limit_bytes: int | None) -> int:
    """The most private memory that a process of a container with this limit may have; 0: any."""
    if memory_limit_bytes is None or not _IS_LINUX:
        return 0
    return 2 * memory_limit_bytes + _HEADROOM


def without_groups() -> Enforcement:
    """What the node says where no control group can be made."""
    memory = (
        "a process that takes much more memory than its container's limit (twice that and 256Mi) gets no more, and none is OOMKilled"
        if _IS_LINUX
        else "memory is not limited"
    )
    return Enforcement(False, "NoControlGroups", f"no control group can be made: {memory}; cpu is not limited")


def with_groups(version: int, controllers: frozenset[str]) -> Enforcement:
    """What the node says where some can be made."""
    limited = [name for name in ("memory", "cpu") if name in controllers]
    missing = [name for name in ("memory", "cpu") if name not in controllers]
    text = f"limits on {' and '.join(limited)} are enforced by control groups, version {version}"
    if missing:
        return Enforcement(False, "SomeControlGroups", f"{text}; {missing[0]} is not limited")
    return Enforcement(True, "ControlGroups", text)
