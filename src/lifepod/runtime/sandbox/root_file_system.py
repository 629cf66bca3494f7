"""A container's file system in image mode `host`: which mounts bubblewrap makes, in which order.

The root is a tmpfs. This machine's /usr, /etc, /var and /opt lie in it under a private writable layer each; of the rest only
what programs need. A `skeleton` folder is the uppermost read-only layer: our own files, and the places of the mounts, since an
ordinary user owns nothing in /etc or /var and could not make them there. It is made once for all containers with the same
places; what Kubernetes writes into each container goes past the disk (`data`).
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from lifepod.runtime.sandbox.host_folders import HostFolders, mount_points
from lifepod.runtime.sandbox.proc_mount import proc_options

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Where everything of one container lies; `skeletons` is the folder for the skeletons of all.

    `proc` is a folder that shows the processes of the pod, "" for those of the container alone. `data` are texts for files that bubblewrap makes, by the word of its options that stands for the file's descriptor.
    """

    def __init__(self, skeletons: str, mounts: tuple[BindMount, ...], *, read_only: bool, proc: str = "") -> None:
        self.skeleton = os.path.join(skeletons, "none yet")
        self.read_only = read_only
        self.data: dict[str, str] = {}
        self.mounts = tuple(
            BindMount(m.source, resolve(m.target), m.read_only)
            for m in sorted(mounts, key=lambda m: m.target.count("/"))
        )
        self._skeletons = skeletons
        self._proc = proc
        self._data_paths: dict[str, str] = {}

    def resolved(self, path: str) -> str:
        """The path without this machine's links."""
        return resolve(path)

    def write_skeleton(self, own_files: tuple[tuple[str, str, int], ...], cwd: str) -> None:
        """Make the places of the own files (path, content, mode), of the mounts and of the working folder."""
        for number, (path, content, _) in enumerate(own_files):
            if content:
                self.data[f"@DATA{number}@"] = content
                self._data_paths[f"@DATA{number}@"] = resolve(path)
        files = {path: ("", mode) for path, _, mode in own_files}
        files |= {path: (content, mode) for path, content, mode in _STAND_IN_FILES}
        folders = [*(f"/var/{name}" for name in _WRITABLE_IN_VAR), *OVERLAID, "/var/tmp"]
        if cwd.startswith(_IN_OVERLAYS) and not os.path.lexists(cwd):
            folders.append(cwd)
        for mount in self.mounts:
            if mount.target.startswith(_IN_OVERLAYS):
                if os.path.isdir(mount.source):
                    folders.append(mount.target)
                else:
                    files.setdefault(mount.target, ("", 0o644))
        name = hashlib.sha256(repr((folders, sorted(files.items()))).encode()).hexdigest()[:32]
        self.skeleton = os.path.join(self._skeletons, name)
        if not os.path.isdir(self.skeleton):
            _write_skeleton(self.skeleton, folders, files)

    def options(self, cwd: str) -> list[str]:
        """bubblewrap's options, in order; the working folder is made when it is missing."""
        words = ["--tmpfs", "/"]
        shown = host_folders(self._skeletons)
        for top in _shown_tops():
            words += shown.options(top, self.skeleton, read_only=self.read_only)
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
        words += [
            "--perms",
            "1777",
            "--tmpfs",
            "/tmp",
            *proc_options(self._proc),
            "--dev",
            "/dev",
            "--dir",
            "/dev/mqueue",
        ]
        words += ["--ro-bind-try", "/sys", "/sys"]
        for word, path in self._data_paths.items():
            words += ["--perms", "0644", "--bind-data", word, path]
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


def host_folders(skeletons: str) -> HostFolders:
    """This machine's folders as they can be shown now."""
    return HostFolders(os.path.join(skeletons, "copies"), mount_points())


def copy_what_must_be(skeletons: str) -> Callable[[], None] | None:
    """What has to be done, and may take a second, before containers can show this machine's folders; None for nothing."""
    shown = host_folders(skeletons)
    missing = shown.missing(_shown_tops())
    return functools.partial(shown.copy, missing) if missing else None


def _shown_tops() -> tuple[str, ...]:
    return tuple(top for top in OVERLAID if os.path.isdir(top) and not os.path.islink(top))


_IN_OVERLAYS = tuple(f"{top}/" for top in OVERLAID)
_VISIBLE = tuple(f"{top}/" for top in (*OVERLAID, *_OVERLAID_WHEN_FOLDERS, *_SHOWN, "/dev", "/proc", "/sys"))


def _write_skeleton(skeleton: str, folders: list[str], files: dict[str, tuple[str, int]]) -> None:
    """Make a skeleton; it appears whole or not at all."""
    unfinished = skeleton + ".new"
    shutil.rmtree(unfinished, ignore_errors=True)
    for folder in folders:
        os.makedirs(unfinished + folder, exist_ok=True)
    os.chmod(unfinished + "/var/tmp", 0o1777)
    for path, (content, mode) in files.items():
        target = unfinished + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w") as file:
            file.write(content)
        os.chmod(target, mode)
    os.rename(unfinished, skeleton)


def resolve(path: str) -> str:
    """The path without this machine's symbolic links: bubblewrap would follow an absolute one to the wrong place."""
    return os.path.realpath(path) if path.startswith(_VISIBLE) else os.path.normpath(path)


_NSLOOKUP = """#!/bin/sh
# busybox 1.28's manners: exit 0 when the name resolves, by way of the search list.
name=
for word in "$@"; do
  case "$word" in -*) ;; *) name=$word; break ;; esac
done
[ -n "$name" ] || { echo "Usage: nslookup [HOST] [SERVER]" >&2; exit 1; }
server=$(while read -r key value _; do [ "$key" = nameserver ] && { echo "$value"; break; }; done < /etc/resolv.conf)
echo "Server:    ${server:-127.0.0.1}"
echo "Address 1: ${server:-127.0.0.1}"
echo
found=$(getent ahostsv4 "$name") || { echo "nslookup: can't resolve '$name'" >&2; exit 1; }
echo "Name:      $name"
number=0
echo "$found" | while read -r address kind canonical; do
  [ "$kind" = STREAM ] || continue
  number=$((number + 1))
  echo "Address $number: $address ${canonical:-$name}"
done
exit 0
"""

_STAND_IN_FILES = (
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        0o644,
    ),
    ("/usr/local/sbin/nslookup", _NSLOOKUP, 0o755),
    ("/usr/bin/nslookup", _NSLOOKUP, 0o755),
)
"""Names by DNS, and our `nslookup` over this machine's."""
