"""The node's user and mount namespaces: how this process becomes root of them.

Root maps every user; an ordinary user maps only itself, to 0. The namespace is entered before anything else, while the
process has one thread.
"""

from __future__ import annotations

import os

from lifepod.runtime.process import linux

_ALL_USERS = "0 0 4294967295"


def become_node() -> None:
    """Enter fresh user and mount namespaces, as their root. Raises OSError with what to do."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _unshare_mapped_by_child(_ALL_USERS)
        return
    _unshare()
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _unshare() -> None:
    try:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    except OSError as exc:
        raise OSError(exc.errno, f"this machine lets no process make a user namespace ({exc.strerror})") from exc


def _unshare_mapped_by_child(mapping: str) -> None:
    """More than one's own user can only be mapped from outside: a child made before does it."""
    ready_read, ready_write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(ready_write)
            if os.read(ready_read, 1):
                for name in ("uid_map", "gid_map"):
                    with open(f"/proc/{parent}/{name}", "w") as file:
                        file.write(mapping)
                status = 0
        finally:
            os._exit(status)
    os.close(ready_read)
    try:
        _unshare()
        os.write(ready_write, b"x")
    finally:
        os.close(ready_write)
        _, status = os.waitpid(child, 0)
    if status != 0:
        raise OSError(1, "the users of the node's namespace could not be mapped")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
