"""What a container sees as /proc: bubblewrap's options. Who makes a /proc that several share is `process_namespace.py`'s."""

from __future__ import annotations

_COVERED = ("sys", "sysrq-trigger", "irq", "bus")
"""What bubblewrap makes read-only in each /proc that it mounts itself."""


def proc_options(shown: str) -> list[str]:
    """bubblewrap's options for /proc: a fresh one of the container's own, or the folder that shows another."""
    if not shown:
        return ["--proc", "/proc"]
    words = ["--bind", shown, "/proc"]
    for name in _COVERED:
        words += ["--ro-bind-try", f"{shown}/{name}", f"/proc/{name}"]
    return words
