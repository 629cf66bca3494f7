"""A container's file system made of an image: the unpacked root under a private writable layer, and mounts over it.

Lowest lies the image's root, over it a `skeleton` folder with what Kubernetes writes into every container and the places of
mounts, and over both a layer of the container's own in memory. Where the kernel knows no overlays in user namespaces, the
container gets a copy of its own. Every target is resolved inside the image first: its links must not lead bubblewrap astray.
"""

from __future__ import annotations

import os
import stat
import subprocess

from lifepod.runtime.images.scoped_path import resolve_in_root
from lifepod.runtime.sandbox.proc_mount import proc_options
from lifepod.runtime.sandbox.root_file_system import BindMount

_KERNEL = ("/proc", "/dev", "/sys")


class ImageRoot:
    """Where everything of one container lies; made like `RootFileSystem`. `copy_to`: a folder for a copy, "" for overlays."""

    def __init__(
        self,
        image_root: str,
        skeleton: str,
        mounts: tuple[BindMount, ...],
        *,
        read_only: bool,
        copy_to: str = "",
        proc: str = "",
    ) -> None:
        self.image_root = image_root
        self.skeleton = skeleton
        self.read_only = read_only
        self.copy_to = copy_to
        self._proc = proc
        self.data: dict[str, str] = {}
        by_depth = sorted(mounts, key=lambda m: m.target.count("/"))
        self.mounts = tuple(BindMount(m.source, self.resolved(m.target), m.read_only) for m in by_depth)

    def resolved(self, path: str) -> str:
        """The path without the image's links."""
        return resolve_in_root(self.image_root, path)

    def write_skeleton(self, own_files: tuple[tuple[str, str, int], ...], cwd: str) -> None:
        """Make the skeleton's files and the places of the mounts and of the working folder."""
        os.makedirs(self.skeleton, exist_ok=True)
        os.chmod(self.skeleton, stat.S_IMODE(os.stat(self.image_root).st_mode))
        for path, content, mode in own_files:
            target = self._in_skeleton(self.resolved(path), is_folder=False)
            with open(target, "w") as file:
                file.write(content)
            os.chmod(target, mode)
        for folder in (*_KERNEL, cwd):
            self._make_place(folder, is_folder=True)
        for mount in self.mounts:
            self._make_place(mount.target, is_folder=os.path.isdir(mount.source))
        if self.copy_to:
            for source in (self.image_root, self.skeleton):
                subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", self.copy_to], check=True)

    def _make_place(self, target: str, *, is_folder: bool) -> None:
        if target.startswith(tuple(f"{top}/" for top in _KERNEL)) or self._is_in_mount(target):
            return
        in_image = self.image_root + target
        if os.path.isdir(in_image) if is_folder else os.path.isfile(in_image):
            return
        path = self._in_skeleton(target, is_folder=is_folder)
        if not is_folder and not os.path.lexists(path):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))

    def _is_in_mount(self, target: str) -> bool:
        return any(target.startswith(m.target.rstrip("/") + "/") for m in self.mounts)

    def _in_skeleton(self, target: str, *, is_folder: bool) -> str:
        """The skeleton's path for a target, with its folders; those that the image has too keep the image's modes."""
        at = ""
        parts = target.strip("/").split("/")
        for part in parts if is_folder else parts[:-1]:
            at += "/" + part
            if os.path.isdir(self.skeleton + at):
                continue
            os.mkdir(self.skeleton + at)
            in_image = self.image_root + at
            mode = stat.S_IMODE(os.stat(in_image).st_mode) if os.path.isdir(in_image) else 0o755
            os.chmod(self.skeleton + at, mode | 0o700)
        return self.skeleton + target

    def options(self, cwd: str) -> list[str]:
        """bubblewrap's options, in order."""
        if self.copy_to:
            words = ["--ro-bind" if self.read_only else "--bind", self.copy_to, "/"]
        else:
            overlay = "--ro-overlay" if self.read_only else "--tmp-overlay"
            words = ["--overlay-src", self.image_root, "--overlay-src", self.skeleton, overlay, "/"]
        words += [*proc_options(self._proc), "--dev", "/dev", "--dir", "/dev/mqueue", "--ro-bind-try", "/sys", "/sys"]
        for mount in self.mounts:
            words += ["--ro-bind" if mount.read_only else "--bind", mount.source, mount.target]
        return words

    def on_disk(self, path: str) -> str:
        """Where a container's path lies on this machine, to look for executables."""
        at = self.resolved(path)
        for mount in reversed(self.mounts):
            if at == mount.target or at.startswith(mount.target + "/"):
                return mount.source + at[len(mount.target) :]
        in_skeleton = self.skeleton + at
        return in_skeleton if os.path.isfile(in_skeleton) else self.image_root + at
