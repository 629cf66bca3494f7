"""A container's file system in image mode `host`: which mounts bubblewrap makes, in which order.

The root is a tmpfs. This machine's /usr, /etc, /var and /opt lie in it under a private writable layer each; of the rest only
what programs need. A `skeleton` folder holds, as the uppermost read-only layer, the files that Kubernetes writes into every
container and the places of the mounts: an ordinary user owns nothing in /etc or /var and could not make them there.
"""

from __future__ import annotations

import os
from typing import NamedTuple

OVERLAID = ("/etc", "/opt", "/usr", "/var")
_OVERLAID_WHEN_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
_SHOWN = ("/nix", "/gnu")
_EMPTY = ("/home", "/media", "/mnt", "/root", "/run", "/srv")
_WRITABLE_IN_VAR = ("cache", "lib", "local", "log", "spool")


class BindMount(NamedTuple):
    """A path of this machine shown in a container."""

    source: str
    target: str
    read_only: bool


class RootFileSystem:
    """Where everything of one container lies. `own_files` are put into the skeleton: (path, content, mode)."""

    def __init__(self, skeleton: str, mounts: tuple[BindMount, ...], *, read_only: bool) -> None:
        self.skeleton = skeleton
        self.read_only = read_only
        self.mounts = tuple(
            BindMount(m.source, resolve(m.target), m.read_only)
            for m in sorted(mounts, key=lambda m: m.target.count("/"))
        )

    def resolved(self, path: str) -> str:
        """The path without this machine's links."""
        return resolve(path)

    def write_skeleton(self, own_files: tuple[tuple[str, str, int], ...], cwd: str) -> None:
        """Make the skeleton's files and the places of the mounts and of the working folder."""
        for folder in (*(f"/var/{name}" for name in _WRITABLE_IN_VAR), *OVERLAID):
            os.makedirs(self.skeleton + folder, exist_ok=True)
        os.makedirs(self.skeleton + "/var/tmp", exist_ok=True)
        os.chmod(self.skeleton + "/var/tmp", 0o1777)
        for path, content, mode in own_files:
            target = self.skeleton + path
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as file:
                file.write(content)
            os.chmod(target, mode)
        if cwd.startswith(_IN_OVERLAYS) and not os.path.lexists(cwd):
            os.makedirs(self.skeleton + cwd, exist_ok=True)
        for mount in self.mounts:
            if mount.target.startswith(_IN_OVERLAYS):
                self._make_place(mount)

    def _make_place(self, mount: BindMount) -> None:
        target = self.skeleton + mount.target
        if os.path.isdir(mount.source):
            os.makedirs(target, exist_ok=True)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))

    def options(self, cwd: str) -> list[str]:
        """bubblewrap's options, in order; the working folder is made when it is missing."""
        words = ["--tmpfs", "/"]
        overlay = "--ro-overlay" if self.read_only else "--tmp-overlay"
        for top in OVERLAID:
            if os.path.isdir(top) and not os.path.islink(top):
                words += ["--overlay-src", top, "--overlay-src", self.skeleton + top, overlay, top]
        for name in _OVERLAID_WHEN_FOLDERS:
            if os.path.islink(name):
                words += ["--symlink", os.readlink(name), name]
            elif os.path.isdir(name):
                words += ["--ro-bind", name, name]
        for name in _SHOWN:
            if os.path.isdir(name):
                words += ["--ro-bind", name, name]
        for name in _EMPTY:
            words += ["--dir", name]
        words += ["--perms", "1777", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev", "--dir", "/dev/mqueue"]
        words += ["--ro-bind-try", "/sys", "/sys"]
        for mount in self.mounts:
            words += ["--ro-bind" if mount.read_only else "--bind", mount.source, mount.target]
        if cwd != "/":
            words += ["--dir", cwd]
        if self.read_only:
            words += ["--remount-ro", "/tmp", "--remount-ro", "/"]
        return words

    def on_disk(self, path: str) -> str:
        """Where a container's path lies on this machine, to look for executables."""
        at = resolve(os.path.normpath(path))
        for mount in reversed(self.mounts):
            if at == mount.target or at.startswith(mount.target + "/"):
                return mount.source + at[len(mount.target) :]
        in_skeleton = self.skeleton + at
        if os.path.isfile(in_skeleton):
            return in_skeleton
        return at if at.startswith(_VISIBLE) else self.skeleton + at


_IN_OVERLAYS = tuple(f"{top}/" for top in OVERLAID)
_VISIBLE = tuple(f"{top}/" for top in (*OVERLAID, *_OVERLAID_WHEN_FOLDERS, *_SHOWN, "/dev", "/proc", "/sys"))


def resolve(path: str) -> str:
    """The path without this machine's symbolic links: bubblewrap would follow an absolute one to the wrong place."""
    return os.path.realpath(path) if path.startswith(_VISIBLE) else os.path.normpath(path)
