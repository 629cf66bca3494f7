"""The process namespace that the containers of a pod share, and its first process. Runs inside the node process.

bubblewrap cannot mount /proc of a namespace that it did not make, so the first process does, in a folder of the node's, and the
containers get that folder (`proc_mount.py`). A container's first process is then no process 1: signals act on it as on any program, and
what it leaves behind goes to the pod's first process; the supervisor ends it (`process/supervisor.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

from lifepod.runtime.process import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x2, 0x4, 0x8
_NAME = b"/pause"


class FirstProcess:
    """Process 1 of a pod's namespace: reaps orphans, and with it all others end."""

    def __init__(self, proc_folder: str) -> None:
        """Start it. Raises OSError with the reason when this machine refuses."""
        os.makedirs(proc_folder, exist_ok=True)
        said_read, said_write = os.pipe()
        if os.fork() == 0:
            os.close(said_read)
            _be_parent(proc_folder, said_write)
        os.close(said_write)
        with open(said_read, "rb") as pipe:
            pid, _, problem = pipe.read().decode().partition("\n")
        if problem or not pid:
            raise OSError(1, f"no process namespace can be shared here: {problem}")
        self.pid = int(pid)
        self._proc_folder = proc_folder
        self._pidfd = os.pidfd_open(self.pid)
        self.namespace = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY)

    def end(self) -> None:
        """End it, and every process of its namespace with it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        with contextlib.suppress(OSError):
            linux.unmount(self._proc_folder)


def _be_parent(proc_folder: str, said: int) -> NoReturn:
    """Make the namespace; whoever does can start nothing outside of it any more, so it is not the node process that does.

    It waits for the first process, and each ends with its parent: the pod with the node process, however that ends.
    """
    try:
        signal.set_wakeup_fd(-1)
        linux.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        linux.unshare(linux.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            _be_first(proc_folder, said)
        os.write(said, f"{pid}\n".encode())
        os.closerange(0, 4096)
        os.waitpid(pid, 0)
    except OSError as exc:
        os.write(said, f"\n{exc.strerror or exc}".encode())
    finally:
        os._exit(0)


def _be_first(proc_folder: str, said: int) -> NoReturn:
    try:
        linux.die_with_parent(signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # which process 1 does not hear
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then keeps no dead children
        linux.mount("proc", proc_folder, "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        _take_name(_NAME)
        os.chdir("/")
        os.closerange(0, 4096)
        while True:
            signal.pause()
    except OSError as exc:
        os.write(said, f"\n{exc.strerror or exc}".encode())
    finally:
        os._exit(1)


def _take_name(name: bytes) -> None:
    """What `ps` shows: not the node process's command line, which is that of another program."""
    with open("/proc/self/stat") as file:
        start, end = (int(field) for field in file.read().rpartition(")")[2].split()[45:47])
    if start and end - start > len(name):
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, name, len(name))
    linux.set_name(name.rpartition(b"/")[2])
