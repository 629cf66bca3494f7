"""How a folder of this machine is shown in a container under a private layer, also where something is mounted below it.

The kernel makes no overlay of a folder with mounts below that whoever asks could not undo (they may hide something). Docker
mounts files into /etc, other programs mount below /var and /usr. Such a folder is shown piece by piece: its files as a copy, each
of its folders as an overlay of its own, and what cannot be had so, read-only. What /etc holds is small and copied whole.
Source: linux fs/namespace.c: clone_private_mount, has_locked_children
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    How = Literal["overlay", "copy", "as it is"]

_copying = threading.Lock()

_COPIED = "/etc"
_DEEPEST = 2
_MOST_PIECES = 64
_OCTAL = re.compile(r"\\([0-7]{3})")


def mount_points(path: str = "/proc/self/mountinfo") -> tuple[str, ...]:
    """Where something is mounted now."""
    with open(path, "rb") as file:
        return _places(file.read())


@functools.lru_cache(maxsize=2)
def _places(mounts: bytes) -> tuple[str, ...]:
    """The places in a text that is nearly always the same as the last one."""
    places = [line.split(" ", 5)[4] for line in os.fsdecode(mounts).splitlines()]
    return tuple(_OCTAL.sub(lambda match: chr(int(match[1], 8)), place) for place in places)


class HostFolders:
    """Makes bubblewrap's options. `copies` is the folder for copies, made once each; `places` is where something is mounted."""

    def __init__(self, copies: str, places: tuple[str, ...]) -> None:
        self._copies, self._places = copies, places

    def options(self, folder: str, skeleton: str, *, read_only: bool) -> list[str]:
        """Show a folder of this machine under a private layer, `skeleton` being the uppermost of what is there already."""
        words = []
        for piece, how in self._pieces(folder):
            if how == "as it is":
                words += ["--ro-bind", piece, piece]
                continue
            below = [self._copy_of(piece)] if how == "copy" else [piece]
            if piece != folder:
                below.insert(0, os.path.join(self._copy_of(os.path.dirname(piece)), os.path.basename(piece)))
            layers = [layer for layer in (*below, skeleton + piece) if os.path.isdir(layer)]
            words += [word for layer in layers for word in ("--overlay-src", layer)]
            words += ["--ro-overlay" if read_only else "--tmp-overlay", piece]
        return words

    def missing(self, folders: tuple[str, ...]) -> list[str]:
        """What has still to be copied before `options` of these folders hold."""
        pieces = [piece for folder in folders for piece, how in self._pieces(folder) if how == "copy"]
        return [piece for piece in pieces if not os.path.isdir(self._copy_of(piece))]

    def copy(self, folders: list[str]) -> None:
        """Copy these folders' files and links and the places of their folders; each appears whole or not at all."""
        with _copying:
            for folder in folders:
                copy = self._copy_of(folder)
                if not os.path.isdir(copy):
                    shutil.rmtree(copy + ".new", ignore_errors=True)
                    os.makedirs(self._copies, exist_ok=True)
                    _copy_folder(folder, copy + ".new", whole=folder == _COPIED)
                    os.rename(copy + ".new", copy)

    def _pieces(self, folder: str, depth: int = 1) -> Iterator[tuple[str, How]]:
        """The folder, then what has to be shown on top of it."""
        if not self._has_mounts_below(folder):
            yield folder, "overlay"
            return
        names = _folders_in(folder) if folder != _COPIED else []
        if depth > _DEEPEST or names is None or len(names) > _MOST_PIECES:
            yield folder, "as it is"
            return
        yield folder, "copy"
        for name in names:
            yield from self._pieces(os.path.join(folder, name), depth + 1)

    def _has_mounts_below(self, folder: str) -> bool:
        return any(place.startswith(f"{folder}/") for place in self._places)

    def _copy_of(self, folder: str) -> str:
        return os.path.join(self._copies, hashlib.sha256(folder.encode()).hexdigest()[:32])


def _folders_in(folder: str) -> list[str] | None:
    """The names of the folder's folders; None when they may not be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return None


def _copy_folder(folder: str, copy: str, *, whole: bool) -> None:
    """Copy what this user may read; of folders below only their places unless `whole`."""
    os.mkdir(copy)
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # nobody in a container could read it either
                _copy_entry(entry, os.path.join(copy, entry.name), whole=whole)
    shutil.copymode(folder, copy)


def _copy_entry(entry: os.DirEntry[str], target: str, *, whole: bool) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
    elif entry.is_dir():
        if whole:
            _copy_folder(entry.path, target, whole=True)
        else:
            os.mkdir(target)
            shutil.copymode(entry.path, target)
    elif entry.is_file():
        shutil.copy(entry.path, target)
