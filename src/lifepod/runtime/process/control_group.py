"""A container's control groups as its supervisor handles them: made, joined by its processes, asked about OOM kills, removed.

What to make and write comes ready in the configuration (`sandbox/cgroups.py` decided it).
"""

from __future__ import annotations

import contextlib
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lifepod.runtime.process.messages import Message

_TRIES, _PAUSE_SECONDS = 200, 0.01


def make(group: Message) -> None:
    """Raises OSError when a group cannot be made; a limit that this kernel does not know is left out."""
    for folder in group["folders"]:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
    for path, text in group["writes"]:
        with contextlib.suppress(FileNotFoundError), open(path, "w") as file:
            file.write(text)


def join(group: Message) -> None:
    """Put the calling process, and what it starts, into the groups."""
    for folder in group["folders"]:
        with open(os.path.join(folder, "cgroup.procs"), "w") as file:
            file.write("0")


def had_oom_kill(group: Message) -> bool:
    """Whether the kernel killed one of the processes because they had too much memory together."""
    try:
        with open(group["oom_file"]) as file:
            return any(line.split()[:1] == ["oom_kill"] and int(line.split()[1]) > 0 for line in file)
    except OSError:
        return False


def remove(group: Message) -> None:
    """Nothing runs in them any more, but the kernel may still be busy with what was executed there at last."""
    left = list(group["folders"])
    for _ in range(_TRIES):
        left = [folder for folder in left if not _is_removed(folder)]
        if not left:
            return
        time.sleep(_PAUSE_SECONDS)


def _is_removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
