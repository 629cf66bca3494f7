"""How much of the disk a folder takes: asked of pods with limits only, so it is a plain walk with an end."""

from __future__ import annotations

import os

MAX_ENTRIES = 50_000
"""Beyond that the rest is not counted: measuring must not hold up the node."""


def folder_bytes(path: str) -> int:
    """The blocks that all files below take; what cannot be read counts nothing."""
    total, left, folders = 0, MAX_ENTRIES, [path]
    while folders and left > 0:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        left -= len(entries)
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
            except OSError:
                continue
    return total


def file_bytes(path: str) -> int:
    """The blocks of one file, 0 when there is none."""
    try:
        return os.stat(path).st_blocks * 512
    except OSError:
        return 0
