"""The node's user and mount namespaces: how this process becomes root of them, and which users containers may have.

Root maps every user. An ordinary user maps itself to 0 and, where /etc/subuid and /etc/subgid give it ranges and newuidmap is
installed, those after it; else itself alone. The namespace is entered before anything else, while the process has one thread.
"""

from __future__ import annotations

import os

from lifepod.runtime.process import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ALL_USERS = "0 0 4294967295"
_FAR_USERS = 0x70000000
"""Where the users of containers begin when the node is root: far from this machine's own."""
_CONTAINER_USERS = 65536


def become_node() -> None:
    """Enter fresh user and mount namespaces, as their root. Raises OSError with what to do."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _unshare_mapped_by_child(lambda node: _write_maps(node, _ALL_USERS))
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        return
    ranges = granted_ranges(uid)
    if ranges is None:
        _unshare()
    else:
        _unshare_mapped_by_child(lambda node: _map_ranges(node, ((uid, ranges[0]), (gid, ranges[1]))))
    if not _is_mapped("uid_map"):
        _write("self", "uid_map", f"0 {uid} 1")
    if not _is_mapped("gid_map"):
        _write("self", "setgroups", "deny")
        _write("self", "gid_map", f"0 {gid} 1")


def container_maps() -> tuple[str, str] | None:
    """The user and group maps of a container with more than one user, as this process sees them; None when it has but one."""
    maps = tuple(_container_map(name) for name in ("uid_map", "gid_map"))
    return (maps[0], maps[1]) if all(maps) else None


def _container_map(name: str) -> str:
    """Root is the node's root; the others are the next that the node has."""
    with open(f"/proc/self/{name}") as file:
        known = [[int(word) for word in line.split()] for line in file]
    for first, _, count in known:
        if first == 0 and count > _FAR_USERS + _CONTAINER_USERS:
            return f"0 0 1\n1 {_FAR_USERS} {_CONTAINER_USERS - 1}\n"
        if first == 1:
            return f"0 0 1\n1 1 {min(count, _CONTAINER_USERS - 1)}\n"
    return ""


def granted_ranges(uid: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """(first, count) of users and of groups that the machine grants this user."""
    if not all(_program(name) for name in ("newuidmap", "newgidmap")):
        return None
    names = (str(uid), _name_of(uid))
    users, groups = _range_in("/etc/subuid", names), _range_in("/etc/subgid", names)
    return (users, groups) if users and groups else None


def _range_in(path: str, names: tuple[str, ...]) -> tuple[int, int] | None:
    try:
        with open(path) as file:
            fields = [line.strip().split(":") for line in file]
    except OSError:
        return None
    for entry in fields:
        if len(entry) == 3 and entry[0] in names and entry[1].isdigit() and entry[2].isdigit():
            return int(entry[1]), int(entry[2])
    return None


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _program(name: str) -> str:
    for folder in os.environ.get("PATH", "/usr/bin:/bin").split(":"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    return ""


def _map_ranges(node: int, own: tuple[tuple[int, tuple[int, int]], tuple[int, tuple[int, int]]]) -> None:
    """By the machine's own helpers, which alone may map what /etc/subuid grants. Refused, nothing is mapped."""
    null = os.open(os.devnull, os.O_RDWR)
    for name, (own_id, (first, count)) in zip(("newuidmap", "newgidmap"), own, strict=True):
        words = [name, str(node), "0", str(own_id), "1", "1", str(first), str(count)]
        quiet = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (1, 2)]
        os.waitpid(os.posix_spawn(_program(name), words, os.environ, file_actions=quiet), 0)


def _write_maps(node: int, mapping: str) -> None:
    for name in ("uid_map", "gid_map"):
        _write(str(node), name, mapping)


def _write(process: str, name: str, text: str) -> None:
    with open(f"/proc/{process}/{name}", "w") as file:
        file.write(text)


def _is_mapped(name: str) -> bool:
    with open(f"/proc/self/{name}") as file:
        return bool(file.read().strip())


def _unshare() -> None:
    try:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    except OSError as exc:
        raise OSError(exc.errno, f"this machine lets no process make a user namespace ({exc.strerror})") from exc


def _unshare_mapped_by_child(map_node: Callable[[int], None]) -> None:
    """More than one's own user can only be mapped from outside: a child made before does it."""
    ready_read, ready_write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(ready_write)
            if os.read(ready_read, 1):
                map_node(parent)
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
