"""Which file a command's first word names, and the words of the container runtime when it names none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NotExecutable(Exception):
    """The word names nothing that can be executed; the text is runc's."""


def find_executable(word: str, path: str, cwd: str, real: Callable[[str], str] = lambda name: name) -> str:
    """The path to execute for `word`, as the container sees it. `real` says where a container's path lies on this machine.

    Source: opencontainers/runc libcontainer/standard_init_linux.go; Go os/exec: LookPath
    """
    if "/" in word:
        full = os.path.join(cwd, word)
        _check(word, real(full))
        return full
    found_forbidden = False
    for folder in path.split(":"):
        full = os.path.join(cwd, folder, word)
        on_disk = real(full)
        if os.path.isfile(on_disk):
            if os.access(on_disk, os.X_OK):
                return full
            found_forbidden = True
    if found_forbidden:
        raise NotExecutable(f'exec: "{word}": permission denied')
    raise NotExecutable(f'exec: "{word}": executable file not found in $PATH')


def _check(word: str, on_disk: str) -> None:
    if not os.path.lexists(on_disk) or not os.path.exists(on_disk):
        raise NotExecutable(f'exec: "{word}": stat {word}: no such file or directory')
    if os.path.isdir(on_disk):
        raise NotExecutable(f'exec: "{word}": is a directory')
    if not os.access(on_disk, os.X_OK):
        raise NotExecutable(f'exec: "{word}": permission denied')
