"""Which user and groups a container runs as: its security context over what the image says, names looked up in the image.

Source: containerd v1.7 pkg/cri/server/container_create_linux.go: specOpts; oci/spec_opts.go: WithUser, WithUserID
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lifepod.runtime.image_source import ImageUnusable
from lifepod.runtime.images.scoped_path import resolve_in_root

if TYPE_CHECKING:
    from lifepod.runtime.base import SecurityConfig

_MAX_FILE = 4 * 1024 * 1024


class User(NamedTuple):
    """Numbers, and the home folder that the image's /etc/passwd gives."""

    uid: int
    gid: int
    home: str


def user_of(root: str, image_user: str, security: SecurityConfig) -> User:
    """Raises ImageUnusable when the image's user is a name it does not know."""
    name, _, group = image_user.partition(":")
    entries = _passwd(root)
    if security.run_as_user is not None:
        found = next((e for e in entries if e[1] == security.run_as_user), None)
        uid, gid, home = found[1:] if found else (security.run_as_user, 0, "/")
    elif not name:
        found = next((e for e in entries if e[1] == 0), None)
        uid, gid, home = (0, 0, found[3] if found else "/root")
    else:
        uid, gid, home = _by_name(name, entries)
        if group:
            gid = _group(root, group)
    if security.run_as_group is not None:
        gid = security.run_as_group
    return User(uid, gid, home)


def _by_name(name: str, entries: list[tuple[str, int, int, str]]) -> tuple[int, int, str]:
    number = int(name) if name.isdigit() else None
    for entry in entries:
        if entry[0] == name or entry[1] == number:
            return entry[1:]
    if number is None:
        raise ImageUnusable("CreateContainerError", f"unable to find user {name}: no matching entries in passwd file")
    return number, 0, "/"


def _group(root: str, group: str) -> int:
    if group.isdigit():
        return int(group)
    for line in _lines(root, "/etc/group"):
        fields = line.split(":")
        if len(fields) >= 3 and fields[0] == group and fields[2].isdigit():
            return int(fields[2])
    raise ImageUnusable("CreateContainerError", f"unable to find group {group}: no matching entries in group file")


def _passwd(root: str) -> list[tuple[str, int, int, str]]:
    entries = []
    for line in _lines(root, "/etc/passwd"):
        fields = line.split(":")
        if len(fields) >= 6 and fields[2].isdigit() and fields[3].isdigit():
            entries.append((fields[0], int(fields[2]), int(fields[3]), fields[5] or "/"))
    return entries


def _lines(root: str, path: str) -> list[str]:
    try:
        with open(root + resolve_in_root(root, path), encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_FILE).splitlines()
    except OSError:
        return []
