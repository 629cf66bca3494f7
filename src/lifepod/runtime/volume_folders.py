"""A pod's volumes as folders on this machine: made, refreshed, and taken down.

Each volume is one folder below the pod's own; a `host` volume is the machine's path itself. What a container sees of it is
the runtime's affair (a bind mount, or nothing).
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from lifepod.errors import LifepodError
from lifepod.lifecycle.volumes import bytes_of

if TYPE_CHECKING:
    from lifepod.runtime.base import FileContent, VolumeConfig

_DATA_LINK = "..data"


class VolumeFailed(LifepodError):
    """A volume cannot be set up; the text goes into the FailedMount event."""


class SubPathFailed(LifepodError):
    """A subPath cannot be used; the text becomes the waiting message."""


def set_up_volume(folder: str, volume: VolumeConfig) -> str:
    """Make or refresh the volume; returns the path to mount. Raises VolumeFailed."""
    try:
        match volume.kind:
            case "host":
                return check_host_path(volume.host_path, volume.host_type)
            case "claim":
                if not os.path.isdir(volume.host_path):
                    os.makedirs(volume.host_path)
                    os.chmod(volume.host_path, 0o777)  # whoever the container runs as may write
                return volume.host_path
            case "empty":
                if not os.path.isdir(folder):
                    os.makedirs(folder)
                    os.chmod(folder, 0o777)  # not by mkdir's mode: the umask must not narrow it
            case "files":
                os.makedirs(folder, exist_ok=True)
                write_files(folder, volume.files)
    except OSError as exc:
        raise VolumeFailed(f"{exc.filename or folder}: {exc.strerror}") from exc
    return folder


def write_files(folder: str, files: tuple[FileContent, ...]) -> bool:
    """Make `folder` show exactly `files`, switched from one state to the next by one rename. Says whether it changed.

    The content lies in a dated folder, `..data` links to it, and each top-level name links through `..data`, so that a
    reader never sees half of an update.

    Source: k8s.io/kubernetes v1.34.4 pkg/volume/util/atomic_writer.go: Write
    """
    current = os.path.join(folder, _DATA_LINK)
    if os.path.islink(current) and _shows(current, files):
        return False
    old = os.readlink(current) if os.path.islink(current) else None
    fresh = _next_version(old)
    target = os.path.join(folder, fresh)
    shutil.rmtree(target, ignore_errors=True)
    os.mkdir(target)
    os.chmod(target, 0o755)
    for file in files:
        _write_one(target, file)
    link = os.path.join(folder, "..data_tmp")
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(fresh, link)
    os.replace(link, current)
    _link_names(folder, {file.path.split("/", 1)[0] for file in files})
    if old is not None and old != fresh:
        shutil.rmtree(os.path.join(folder, old), ignore_errors=True)
    return True


def _next_version(old: str | None) -> str:
    number = int(old.rsplit("_", 1)[1]) + 1 if old is not None and old.rsplit("_", 1)[-1].isdigit() else 1
    return f"..version_{number}"


def _write_one(target: str, file: FileContent) -> None:
    path = os.path.join(target, file.path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "wb") as out:
        out.write(bytes_of(file.content))
    os.chmod(path, file.mode)


def _shows(root: str, files: tuple[FileContent, ...]) -> bool:
    wanted = {file.path: file for file in files}
    found = 0
    for base, _, names in os.walk(root):
        for name in names:
            path = os.path.join(base, name)
            file = wanted.get(os.path.relpath(path, root))
            if file is None or stat.S_IMODE(os.stat(path).st_mode) != file.mode:
                return False
            with open(path, "rb") as content:
                if content.read() != bytes_of(file.content):
                    return False
            found += 1
    return found == len(wanted)


def _link_names(folder: str, names: set[str]) -> None:
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            os.symlink(os.path.join(_DATA_LINK, name), path)
    for name in os.listdir(folder):
        if not name.startswith("..") and name not in names and os.path.islink(os.path.join(folder, name)):
            os.unlink(os.path.join(folder, name))


# ------------------------------------------------------------------------------------------------ hostPath

_EXPECTED = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "FileOrCreate": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def check_host_path(path: str, host_type: str) -> str:
    """The path when it is what the volume's type says, made first where the type says so. Raises VolumeFailed.

    Source: k8s.io/kubernetes v1.34.4 pkg/volume/hostpath/host_path.go: checkTypeInternal
    """
    if host_type == "DirectoryOrCreate" and not os.path.lexists(path):
        os.makedirs(path, mode=0o755)
    elif host_type == "FileOrCreate" and not os.path.lexists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    if host_type not in _EXPECTED:
        # Type "" checks nothing; a runtime makes a missing path as a folder when it mounts it.
        if not os.path.lexists(path):
            os.makedirs(path, mode=0o755)
        return path
    is_right, wanted = _EXPECTED[host_type]
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = 0
    if not is_right(mode):
        raise VolumeFailed(f"hostPath type check failed: {path} is not {wanted}")
    return path


# ------------------------------------------------------------------------------------------------ subPath


def resolve_sub_path(root: str, sub_path: str) -> str:
    """The path of `sub_path` inside the volume at `root`; a missing folder is made with the volume's mode.

    Links are followed only inside the volume: one that leads out of it is refused.

    Source: k8s.io/kubernetes v1.34.4 pkg/volume/util/subpath/subpath_linux.go: SafeMakeDir, doBindSubPath
    """
    base = os.path.realpath(root)
    path = os.path.realpath(os.path.join(base, sub_path))
    if os.path.commonpath([base, path]) != base:
        raise SubPathFailed(f"subpath {sub_path!r} leads out of the volume")
    if os.path.lexists(path):
        return path
    try:
        mode = stat.S_IMODE(os.stat(base).st_mode)
        missing: list[str] = []
        at = path
        while not os.path.lexists(at):
            missing.append(at)
            at = os.path.dirname(at)
        for folder in reversed(missing):
            os.mkdir(folder)
            os.chmod(folder, mode)
    except OSError as exc:
        raise SubPathFailed(f"{exc.filename}: {exc.strerror}") from exc
    return path


def remove_tree(path: str) -> None:
    """Remove everything below and at `path`, folders without write permission included; absence is fine."""

    def open_and_retry(function: object, name: str, _: object) -> None:
        parent = os.path.dirname(name)
        try:
            os.chmod(parent, 0o700)
            if os.path.isdir(name) and not os.path.islink(name):
                os.chmod(name, 0o700)
                shutil.rmtree(name, ignore_errors=True)
            else:
                os.unlink(name)
        except OSError:
            return

    shutil.rmtree(path, onerror=open_and_retry)
