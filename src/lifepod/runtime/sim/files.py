"""The files that a simulated container sees: one small tree a pod, volumes mounted where the container's configuration says.

A tree is an immutable mapping from a place to the bytes of a file, or to None for a folder. Places are `v/<volume>/…` for
volumes and `c/<container id>/…` for what is the container's own; folders that every image has are taken for granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from lifepod.lifecycle.volumes import Content, bytes_of
from lifepod.runtime.base import Mount, VolumeConfig

Tree: TypeAlias = Mapping[str, Content | None]

_EVERY_IMAGE = frozenset(
    [
        "/",
        "/bin",
        "/dev",
        "/dev/shm",
        "/etc",
        "/home",
        "/lib",
        "/mnt",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/srv",
        "/sys",
        "/tmp",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/local",
        "/usr/local/bin",
        "/usr/share",
        "/var",
        "/var/cache",
        "/var/lib",
        "/var/log",
        "/var/run",
        "/var/spool",
        "/var/tmp",
        "/var/run/secrets",
    ]
)


class View(NamedTuple):
    """Where one container finds things: its mounts, and the place of everything else."""

    container_id: str
    mounts: tuple[Mount, ...]

    def place(self, path: str) -> str:
        """Where `path` (absolute, normalised) lies in the pod's tree."""
        mount = self.mount_of(path)
        if mount is None:
            return f"c/{self.container_id}{path}".rstrip("/")
        inside = path[len(mount.mount_path.rstrip("/")) :]
        sub = f"/{mount.sub_path.strip('/')}" if mount.sub_path else ""
        return f"v/{mount.volume}{sub}{inside}".rstrip("/")

    def mount_of(self, path: str) -> Mount | None:
        """The mount that `path` lies on: the one with the longest path."""
        found: Mount | None = None
        for mount in self.mounts:
            at = mount.mount_path.rstrip("/")
            if (path == at or path.startswith(at + "/")) and (
                found is None or len(at) > len(found.mount_path.rstrip("/"))
            ):
                found = mount
        return found


def read(tree: Tree, view: View, path: str) -> bytes | None:
    """A file's bytes; None when there is no file."""
    content = tree.get(view.place(path))
    return bytes_of(content) if content is not None else None


def is_directory(tree: Tree, view: View, path: str) -> bool:
    """Whether `path` is a folder: made, mounted, in every image, or implied by what lies in it."""
    place = view.place(path)
    if place in tree:
        return tree[place] is None
    if path in _EVERY_IMAGE and place.startswith("c/"):
        return True
    inside = place + "/"
    if any(key.startswith(inside) for key in tree):
        return True
    below = path.rstrip("/") + "/"
    return any((m.mount_path.rstrip("/") + "/").startswith(below) for m in view.mounts)


def names_in(tree: Tree, view: View, path: str) -> tuple[str, ...]:
    """The entries of a folder."""
    inside = view.place(path) + "/"
    found = {key[len(inside) :].split("/", 1)[0] for key in tree if key.startswith(inside)}
    below = path.rstrip("/") + "/"
    found |= {m.mount_path[len(below) :].split("/", 1)[0] for m in view.mounts if m.mount_path.startswith(below)}
    if inside.startswith("c/"):
        found |= {
            known[len(below) :] for known in _EVERY_IMAGE if known.startswith(below) and "/" not in known[len(below) :]
        }
    return tuple(sorted(found - {""}))


def why_not_writable(tree: Tree, view: View, path: str, read_only_root: bool) -> str:
    """What the system would say to a new file at `path`; "" when it may be written."""
    mount = view.mount_of(path)
    if mount.read_only if mount is not None else read_only_root and not path.startswith("/dev/"):
        return "Read-only file system"
    if is_directory(tree, view, path):
        return "Is a directory"
    if not is_directory(tree, view, path.rpartition("/")[0] or "/"):
        return "nonexistent directory"
    return ""


def without(tree: Tree, place: str) -> Tree:
    """The tree without what lies at and below `place`."""
    inside = place + "/"
    return {key: value for key, value in tree.items() if key != place and not key.startswith(inside)}


def with_volumes(tree: Tree, volumes: tuple[VolumeConfig, ...]) -> Tree:
    """The tree after the volumes were made or refreshed: files of API objects replace what was there, the others keep theirs."""
    out = dict(tree)
    for volume in volumes:
        place = f"v/{volume.name}"
        if volume.kind == "files":
            out = dict(without(out, place))
            out.update({f"{place}/{file.path.strip('/')}": file.content for file in volume.files})
        out.setdefault(place, None)
    return out


def with_sub_paths(
    tree: Tree, container_id: str, mounts: tuple[Mount, ...], of_files: frozenset[str]
) -> tuple[Tree, tuple[Mount, ...]]:
    """A subPath mount of a volume made of files shows them as they were when the container was made, for good.

    Source: lifecycle.md §9.1 (configMap, secret: not updated in subPath mounts)
    """
    fixed = [m for m in mounts if m.sub_path and m.volume in of_files]
    if not fixed:
        return tree, mounts
    out = dict(tree)
    for mount in fixed:
        source, target = (
            f"v/{mount.volume}/{mount.sub_path.strip('/')}",
            f"c/{container_id}{mount.mount_path}".rstrip("/"),
        )
        out.update(
            {
                target + key[len(source) :]: content
                for key, content in tree.items()
                if (key + "/").startswith(source + "/")
            }
        )
    return out, tuple(m for m in mounts if m not in fixed)


def bytes_below(tree: Tree, place: str) -> int:
    """The size of all files in a volume or a container's own layer."""
    inside = place + "/"
    return sum(len(bytes_of(text)) for key, text in tree.items() if text is not None and key.startswith(inside))
