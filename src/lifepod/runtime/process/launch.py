"""How a forked child becomes a program: its ends, its session, its user, its folder, and the error if it cannot.

Used by the supervisor and by exec; runs in a child of the node process.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import termios

from lifepod.runtime.process import control_group, linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lifepod.runtime.process.messages import Message


class Launch:
    """A program to be executed. `namespaces` are entered first; `passed` fds stay open in it under their numbers."""

    def __init__(self, config: Message, stdio: tuple[int, int, int], passed: tuple[int, ...] = ()) -> None:
        self.path: str = config["path"]
        self.argv: list[str] = config["argv"]
        self.env: dict[str, str] = config["env"]
        self.cwd: str = config["cwd"]
        self.tty: bool = bool(config.get("tty"))
        self.user: list[int] | None = config.get("user")
        self.groups: list[int] = config.get("groups", [])
        self.group: Message | None = config.get("cgroup")
        self.data_limit: int = config.get("data_limit", 0)
        self.seccomp = [bytes.fromhex(config[name]) for name in ("seccomp", "alone") if config.get(name)]
        self.stdio = stdio
        self.passed = passed


def start(launch: Launch, before_exec: tuple[int, ...] = (), *, capabilities: tuple[int, ...] | None = None) -> int:
    """Fork and execute; returns the pid once the program runs. Raises OSError with the reason when it cannot.

    `before_exec` are namespaces to enter in the child. `capabilities` are those it keeps, None: as they are.
    """
    error_read, error_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(launch, before_exec, capabilities, error_write)
    os.close(error_write)
    with open(error_read, "rb") as pipe:
        problem = pipe.read()
    if problem:
        os.waitpid(pid, 0)
        number, _, text = problem.partition(b" ")
        raise OSError(int(number), text.decode())
    return pid


def _become(
    launch: Launch, namespaces: tuple[int, ...], capabilities: tuple[int, ...] | None, error_write: int
) -> NoReturn:
    step = "start"
    try:
        signal.set_wakeup_fd(-1)
        # Also those that lifepod itself was started to ignore, as shells do for what runs in the background, and nohup.
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.setsid()
        linux.die_with_parent(signal.SIGKILL)
        for target, fd in enumerate(launch.stdio):
            os.dup2(fd, target)
        if launch.tty:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if launch.group:
            control_group.join(launch.group)
        for fd in namespaces:
            linux.setns(fd)
        for fd in launch.passed:
            os.set_inheritable(fd, True)
        step = "chdir"
        os.chdir(launch.cwd)  # before the change of user: a container's own folder lies where no other user may go
        step = "start"
        if launch.user is not None:
            os.setgroups(launch.groups)
            os.setresgid(launch.user[1], launch.user[1], launch.user[1])
            os.setresuid(launch.user[0], launch.user[0], launch.user[0])
            linux.die_with_parent(signal.SIGKILL)  # a change of user clears it
        if capabilities is not None:
            linux.keep_capabilities(capabilities)
            linux.set_no_new_privileges()
        for program in launch.seccomp:
            linux.refuse_calls(program)
        if launch.data_limit:
            _limit_data(launch.data_limit)
        step = "exec"
        os.umask(0o022)
        os.execve(launch.path, launch.argv, launch.env)
    except OSError as exc:
        os.write(error_write, f"{exc.errno or 1} {step}: {exc.strerror or exc}".encode())
    except Exception as exc:  # noqa: BLE001 - the last thing a child can do is say why
        os.write(error_write, f"1 {step}: {exc!r}".encode())
    finally:
        os._exit(127)


def _limit_data(count: int) -> None:
    """What this process, and each that it starts, may have of private memory that can be written."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    count = count if most == resource.RLIM_INFINITY else min(count, most)
    resource.setrlimit(resource.RLIMIT_DATA, (count, count))
