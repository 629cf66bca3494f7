"""One command executed in a running container: enters what must be entered, starts it, and tells its exit code.

Runs in a process of its own, forked from the node process. When the connection to lifepod closes, the command is killed.
"""

from __future__ import annotations

import os
import select
import signal

from lifepod.runtime.process import control_group, launch, linux, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from lifepod.runtime.process.messages import Message


def run_exec(config: Message, control: socket.socket, stdio: tuple[int, int, int]) -> None:
    """Run the command to its end and send `{"exited": code}`, or `{"failed": text}`."""
    linux.become_subreaper()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    try:
        if config.get("cgroup"):
            control_group.join(config.pop("cgroup"))
        capabilities = _enter(config)
        pid = launch.start(launch.Launch(config, stdio), capabilities=capabilities)
    except OSError as exc:
        messages.send(control, {"failed": exc.strerror or str(exc), "errno": exc.errno or 0})
        return
    for fd in set(stdio):
        os.close(fd)
    code = _wait(pid, wake_read, control)
    try:
        messages.send(control, {"exited": code})
    except OSError:
        return


def _enter(config: Message) -> tuple[int, ...] | None:
    """Enter the namespaces of the container's first process; returns the capabilities to keep there.

    Its process namespace may be this machine's own, which nobody has to enter and not everybody may.
    """
    if "enter" not in config:
        return None
    first = int(config["enter"])
    if not _has_one_user(first):
        config["alone"] = ""
    kinds = ["mnt", "net", "ipc", "uts", "user"]
    if _namespace_of(first) != _namespace_of(os.getpid()):
        kinds.insert(1, "pid")
    fds = [os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY) for kind in kinds]
    for fd in fds:
        linux.setns(fd)
        os.close(fd)
    return tuple(config["capabilities"])


def _has_one_user(process: int) -> bool:
    with open(f"/proc/{process}/uid_map") as file:
        return sum(int(line.split()[2]) for line in file) == 1


def _namespace_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}/ns/pid").st_ino


def _wait(pid: int, wake_read: int, control: socket.socket) -> int:
    poll = select.poll()
    poll.register(wake_read, select.POLLIN)
    poll.register(control.fileno(), select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == wake_read:
                os.read(wake_read, 4096)
            else:
                poll.unregister(fd)
                _kill_group(pid)
        while True:
            found, status = os.waitpid(-1, os.WNOHANG)
            if found == pid:
                code = os.waitstatus_to_exitcode(status)
                return 128 - code if code < 0 else code
            if found == 0:
                break


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
