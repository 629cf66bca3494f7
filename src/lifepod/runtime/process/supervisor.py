"""One container's supervisor: starts it, writes its log, carries its ends to who is attached, and records how it ended.

Runs in a process of its own, forked from the node process; leads its own session and reaps every orphan of the container.
With `persistent` the exit code is written to a file by rename before anyone is told, so that it outlives lifepod; without it
the connection to lifepod is a lifeline: when it closes, the container is killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import termios
import time

from lifepod.runtime.cri_log import LogWriter
from lifepod.runtime.process import control_group, launch, linux, messages
from lifepod.runtime.process.process_tree import with_descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.runtime.process.messages import Message

FRAME = struct.Struct(">BI")
"""A frame on an attached connection: kind, length. To the container: 0 input, 1 end of input, 2 size; from it: the stream."""
STDIN, STDIN_END, RESIZE = 0, 1, 2
_READ_SIZE = 65536
_MAX_ATTACH_BACKLOG = 1024 * 1024
_DRAIN_SECONDS = 1.0
_KILL_SECONDS, _KILL_PAUSE_SECONDS = 5.0, 0.001


def supervise(config: Message, control: socket.socket, namespaces: tuple[int, ...]) -> None:
    """Run one container to its end. Returns when nothing of it is left."""
    linux.become_subreaper()
    Supervisor(config, control).run(namespaces)


class Supervisor:
    """The state of one supervised container; everything happens in `run`'s loop."""

    def __init__(self, config: Message, control: socket.socket) -> None:
        self._config = config
        self._controls: list[socket.socket] = [control]
        self._followers: set[int] = set()
        self._attached: dict[int, _Attached] = {}
        self._poll = select.poll()
        self._on_ready: dict[int, Callable[[], object]] = {}
        log_fd = os.open(config["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._log = LogWriter(log_fd)
        self._stdin = -1
        self._tty_master = -1
        self._outputs: dict[int, str] = {}
        self._pid = -1
        self._target = -1
        self._target_fd = -1
        self._mounts_of_container = 0
        self._ended: tuple[int, int] | None = None
        self._early_text: bytes | None = None
        self._status_read = -1
        self._ran = True
        self._wakeup = os.pipe()

    # -------------------------------------------------------------------------------------------- start

    def run(self, namespaces: tuple[int, ...]) -> None:
        control = self._controls[0]
        self._listen_to_signals()
        self._watch_control(control)
        try:
            self._start(namespaces)
        except OSError as exc:
            self._tell({"failed": exc.strerror or str(exc), "errno": exc.errno or 0})
            return
        # A short command may have ended before its start was noticed.
        started_at = min(time.time_ns(), self._ended[1]) if self._ended is not None else time.time_ns()
        started: Message = {"started": started_at, "pid": self._target, "supervisor": os.getpid()}
        if self._config.get("persistent"):
            self._write_file("started.json", started)
            self._accept_adopters()
        self._tell(started)
        while self._ended is None:
            self._turn(None)
        self._finish()

    def _start(self, namespaces: tuple[int, ...]) -> None:
        ends = self._make_ends()
        if "bwrap" in self._config:
            if self._config.get("cgroup"):
                control_group.make(self._config["cgroup"])
            self._start_in_sandbox(ends, namespaces)
        else:
            user = launch.Launch(self._config, ends)
            self._pid = self._target = launch.start(user, namespaces)
        for fd in set(ends):
            os.close(fd)

    def _make_ends(self) -> tuple[int, int, int]:
        if self._config.get("tty"):
            master, slave = os.openpty()
            self._tty_master = self._stdin = master
            self._watch_output(master, "stdout")
            return slave, slave, slave
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self._watch_output(out_read, "stdout")
        self._watch_output(err_read, "stderr")
        if self._config.get("stdin"):
            stdin_read, self._stdin = os.pipe()
            os.set_blocking(self._stdin, False)
        else:
            stdin_read = os.open(os.devnull, os.O_RDONLY)
        return stdin_read, out_write, err_write

    def _start_in_sandbox(self, ends: tuple[int, int, int], namespaces: tuple[int, ...]) -> None:
        """Start bubblewrap and wait until the container's file system stands.

        bubblewrap reads the last file (the host name) after all mounts: that is the sign. When it closes the file without
        having read it, the socket says so by an error. What it wrote to stderr before is its own words about a failure.
        """
        info_read, info_write = os.pipe()
        self._status_read, status_write = os.pipe()
        ours, theirs = socket.socketpair()
        ours.sendall(self._config["hostname"].encode() + b"\n")
        ours.shutdown(socket.SHUT_WR)
        fds = {"@INFO@": info_write, "@STATUS@": status_write, "@READY@": theirs.fileno()}
        for word, text in self._config.get("data", {}).items():
            fds[word] = _memory_file(text.encode())
        words = self._config["bwrap"]
        maps, blocked = self._user_maps(), -1
        for filtered in ("seccomp", "alone") if maps is None else ("seccomp",):
            if program := self._config.get(filtered):
                fds[f"@{filtered}@"] = _memory_file(bytes.fromhex(program))
                words = [words[0], "--add-seccomp-fd", f"@{filtered}@", *words[1:]]
        if maps is not None:
            fds["@BLOCK@"], blocked = os.pipe()
            words = [words[0], "--userns-block-fd", "@BLOCK@", *words[1:]]
        argv = [str(fds[word]) if word in fds else word for word in words]
        starting = launch.Launch(
            {**self._config, "path": argv[0], "argv": argv, "seccomp": "", "alone": ""}, ends, tuple(fds.values())
        )
        self._early_text = b""
        self._pid = launch.start(starting, namespaces)
        del fds["@READY@"]
        theirs.close()
        for fd in fds.values():
            os.close(fd)
        said = b"" if maps is None else _map_users(info_read, maps, blocked)
        is_read = False

        def look() -> None:
            nonlocal is_read
            is_read = ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            self._unwatch(ours.fileno())

        self._watch(ours.fileno(), look)
        while not is_read and self._ended is None:
            self._turn(None)
        self._unwatch(ours.fileno())
        ours.close()
        with open(info_read, "rb") as info:
            said += info.read()
        self._mounts_of_container = int(json.loads(said).get("mnt-namespace", 0)) if said else 0
        if self._ended is None:
            self._take_target(int(json.loads(said)["child-pid"]))
        if self._ended is not None and not self._command_ran():
            self._drain()
            raise OSError(errno.EINVAL, self._early_text.decode(errors="replace").strip() or "bubblewrap ended at once")
        early, self._early_text = self._early_text, None
        if early:
            self._output("stderr", early)

    def _user_maps(self) -> tuple[str, str] | None:
        """The users of a container that may have more than one, where this node has more."""
        if not self._config.get("map_users"):
            return None
        from lifepod.runtime.sandbox.user_namespace import container_maps

        return container_maps()

    def _take_target(self, pid: int) -> None:
        """Hold the container's first process, once its command has taken bubblewrap's place: only then exec finds its root.

        A command may have ended before anyone looked; then bubblewrap is about to tell how.
        """
        self._target = pid
        try:
            own = os.readlink(f"/proc/{self._pid}/exe")
            self._target_fd = os.pidfd_open(pid)
            while self._ended is None and os.readlink(f"/proc/{pid}/exe") == own:
                self._turn(1)
        except OSError:
            while self._ended is None:
                self._turn(None)

    def _command_ran(self) -> bool:
        """Once bubblewrap has ended: whether its command was executed at all."""
        if self._status_read >= 0:
            with open(self._status_read, "rb") as status:
                self._ran = b"exit-code" in status.read()
            self._status_read = -1
        return self._ran

    # -------------------------------------------------------------------------------------------- the loop

    def _turn(self, timeout_ms: int | None) -> bool:
        ready = self._poll.poll(timeout_ms)
        for fd, _ in ready:
            handler = self._on_ready.get(fd)
            if handler is not None:
                handler()
        return bool(ready)

    def _watch(self, fd: int, handler: Callable[[], object], events: int = select.POLLIN) -> None:
        self._poll.register(fd, events)
        self._on_ready[fd] = handler

    def _unwatch(self, fd: int) -> None:
        if self._on_ready.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _listen_to_signals(self) -> None:
        read, write = self._wakeup
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._watch(read, self._reap)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wakeup[0], 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._ended = (128 - code if code < 0 else code, time.time_ns())

    # -------------------------------------------------------------------------------------------- output and input

    def _watch_output(self, fd: int, stream: str) -> None:
        os.set_blocking(fd, False)
        self._outputs[fd] = stream
        self._watch(fd, lambda: self._read_output(fd))

    def _read_output(self, fd: int) -> bool:
        """Take what is there; says whether there was any."""
        try:
            data = os.read(fd, _READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:  # a terminal's other end is closed
            data = b""
        if data:
            self._output(self._outputs[fd], data)
            return True
        stream = self._outputs.pop(fd)
        self._unwatch(fd)
        if fd != self._tty_master:
            os.close(fd)
        if self._log.finish(stream, time.time_ns()):
            self._tell_followers()
        return False

    def _output(self, stream: str, data: bytes) -> None:
        if self._early_text is not None and stream == "stderr":
            self._early_text += data
            return
        if self._log.write(stream, data, time.time_ns()):
            self._tell_followers()
        for attached in list(self._attached.values()):
            attached.queue(FRAME.pack(1 if stream == "stdout" else 2, len(data)) + data)
        self._hold_back()

    def _hold_back(self) -> None:
        """An attached reader that does not keep up slows the container down, as a full terminal does."""
        is_full = any(len(attached.backlog) > _MAX_ATTACH_BACKLOG for attached in self._attached.values())
        for fd in self._outputs:
            if fd in self._on_ready:
                self._poll.modify(fd, 0 if is_full else select.POLLIN)

    def write_stdin(self, data: bytes) -> None:
        """Give the container input. Blocks the supervisor while its pipe is full, never longer than it lives."""
        view = memoryview(data)
        while view and self._stdin >= 0 and self._ended is None:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                select.select([self._wakeup[0]], [self._stdin], [], 1.0)
                self._reap()
            except OSError:
                self.end_stdin()

    def end_stdin(self) -> None:
        """The container reads the end of its input."""
        if self._stdin < 0:
            return
        if self._tty_master >= 0:
            os.write(self._tty_master, b"\x04")
            return
        os.close(self._stdin)
        self._stdin = -1

    def resize(self, width: int, height: int) -> None:
        if self._tty_master >= 0:
            fcntl.ioctl(self._tty_master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    # -------------------------------------------------------------------------------------------- who talks to us

    def _watch_control(self, control: socket.socket) -> None:
        self._watch(control.fileno(), lambda: self._hear(control))

    def _accept_adopters(self) -> None:
        """Listen on a socket in the container's folder, for a lifepod that starts after this one died."""
        folder = os.open(self._config["folder"], os.O_PATH | os.O_DIRECTORY)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(f"/proc/self/fd/{folder}/control")  # a socket's own path may be too long
        listener.listen(4)
        os.close(folder)

        def accept() -> None:
            adopter, _ = listener.accept()
            self._controls.append(adopter)
            self._watch_control(adopter)

        self._watch(listener.fileno(), accept)

    def _hear(self, control: socket.socket) -> None:
        try:
            message, fds = messages.receive(control)
        except messages.ConnectionClosed:
            self._lost(control)
            return
        except BlockingIOError:
            return
        if "signal" in message:
            self._signal(int(message["signal"]))
        elif "attach" in message:
            attached = _Attached(self, socket.socket(fileno=fds[0]), bool(message["stdin"]))
            self._attached[attached.fileno] = attached
        elif "follow" in message:
            self._followers.add(control.fileno())
            self._tell_one(control, {"wrote": 1})

    def _lost(self, control: socket.socket) -> None:
        self._unwatch(control.fileno())
        self._followers.discard(control.fileno())
        self._controls.remove(control)
        control.close()
        if not self._controls and not self._config.get("persistent"):
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._pid < 0 or self._ended is not None:
            return
        if "bwrap" in self._config:
            if self._target < 0:
                os.kill(self._pid, signal.SIGKILL)
            elif self._target_fd >= 0:
                with contextlib.suppress(ProcessLookupError):  # its end is about to be told
                    signal.pidfd_send_signal(self._target_fd, number)
        elif number == signal.SIGKILL or _is_caught(self._pid, number):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _tell(self, message: Message) -> None:
        for control in list(self._controls):
            self._tell_one(control, message)

    def _tell_followers(self) -> None:
        for control in self._controls:
            if control.fileno() in self._followers:
                self._tell_one(control, {"wrote": 1})

    def _tell_one(self, control: socket.socket, message: Message) -> None:
        try:
            control.setblocking("wrote" not in message)
            messages.send(control, message)
        except OSError:
            return  # gone, which its own end tells; or so full of notices that one more says nothing
        finally:
            control.setblocking(True)

    # -------------------------------------------------------------------------------------------- attached

    def watch_attached(self, attached: _Attached) -> None:
        events = select.POLLIN | (select.POLLOUT if attached.backlog else 0)
        self._watch(attached.fileno, attached.on_ready, events)

    def drop_attached(self, attached: _Attached) -> None:
        self._unwatch(attached.fileno)
        self._attached.pop(attached.fileno, None)
        attached.sock.close()
        self._hold_back()
        if attached.feeds_stdin and self._ends_with_its_client():
            self.end_stdin()

    def end_input_of(self, attached: _Attached) -> None:
        """A client has no more input: the container reads the end if it has one client only, else the client is let go.

        Source: containerd v2.1 internal/cri/io/container_io.go: Attach
        """
        if self._ends_with_its_client():
            self.end_stdin()
            return
        self._unwatch(attached.fileno)
        self._attached.pop(attached.fileno, None)
        attached.flush_and_close()
        self._hold_back()

    def _ends_with_its_client(self) -> bool:
        return bool(self._config.get("stdin_once")) and self._tty_master < 0

    # -------------------------------------------------------------------------------------------- end

    def _finish(self) -> None:
        assert self._ended is not None
        self._kill_rest()
        self._kill_rest_in_pod()
        self._drain()
        code, at = self._ended
        result: Message = {"code": code, "at": at}
        if not self._command_ran():
            result["never_ran"] = True  # bubblewrap could not execute the command; its words are in the log
        if self._config.get("cgroup"):
            result["oom"] = control_group.had_oom_kill(self._config["cgroup"])
        if self._config.get("persistent"):
            self._write_file("exit.json", result)
        self._tell(result)
        for attached in list(self._attached.values()):
            attached.flush_and_close()
        if self._config.get("cgroup"):
            control_group.remove(self._config["cgroup"])

    def _kill_rest(self) -> None:
        """The end of a container's first process is the end of all of them."""
        while linux.IS_LINUX:
            try:
                with open(f"/proc/self/task/{os.getpid()}/children") as children:
                    rest = children.read().split()
            except OSError:
                return
            for pid in rest:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
            if not rest:
                return

    def _kill_rest_in_pod(self) -> None:
        """The same where the pod's containers share a process namespace: what the first process left went to the pod's.

        Source: github.com/opencontainers/runc v1.2 init_linux.go: signalAllProcesses, for containers without an own namespace
        """
        first = int(self._config.get("first_of_pod", 0))
        deadline = time.monotonic() + _KILL_SECONDS
        while first and self._mounts_of_container and time.monotonic() < deadline:
            rest = [pid for pid in with_descendants((first,)) if self._is_of_container(pid)]
            if not rest:
                return
            for pid in rest:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_KILL_PAUSE_SECONDS)

    def _is_of_container(self, pid: int) -> bool:
        """Each container has mounts of its own."""
        try:
            return os.stat(f"/proc/{pid}/ns/mnt").st_ino == self._mounts_of_container
        except OSError:
            return False

    def _drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._outputs and time.monotonic() < deadline:
            any_data = False
            for fd in list(self._outputs):
                any_data = self._read_output(fd) or any_data
            if not any_data and self._outputs and not select.select(list(self._outputs), [], [], 0.05)[0]:
                break

    def _write_file(self, name: str, content: Message) -> None:
        path = os.path.join(self._config["folder"], name)
        try:
            with open(path + ".new", "w") as file:
                json.dump(content, file)
            os.replace(path + ".new", path)
        except OSError:
            return  # the folder was removed under us: nobody will ask


class _Attached:
    """One connection of somebody who sees the container's output and may feed its input."""

    def __init__(self, supervisor: Supervisor, sock: socket.socket, feeds_stdin: bool) -> None:
        self.sock = sock
        self.fileno = sock.fileno()
        self.feeds_stdin = feeds_stdin
        self.backlog = b""
        self._supervisor = supervisor
        self._read = b""
        sock.setblocking(False)
        supervisor.watch_attached(self)

    def queue(self, data: bytes) -> None:
        self.backlog += data
        self._write()

    def on_ready(self) -> None:
        if self.backlog:
            self._write()
        try:
            data = self.sock.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._supervisor.drop_attached(self)
            return
        self._read += data
        self._take_frames()

    def _take_frames(self) -> None:
        while len(self._read) >= FRAME.size:
            kind, length = FRAME.unpack_from(self._read)
            if len(self._read) < FRAME.size + length:
                return
            payload = self._read[FRAME.size : FRAME.size + length]
            self._read = self._read[FRAME.size + length :]
            if kind == RESIZE:
                self._supervisor.resize(*struct.unpack(">HH", payload))
            elif self.feeds_stdin and kind == STDIN:
                self._supervisor.write_stdin(payload)
            elif self.feeds_stdin and kind == STDIN_END:
                self._supervisor.end_input_of(self)
                return

    def _write(self) -> None:
        try:
            sent = self.sock.send(self.backlog)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._supervisor.drop_attached(self)
            return
        self.backlog = self.backlog[sent:]
        self._supervisor.watch_attached(self)

    def flush_and_close(self) -> None:
        self.sock.settimeout(1.0)
        with contextlib.suppress(OSError):
            self.sock.sendall(self.backlog)
        self.sock.close()


def _memory_file(content: bytes) -> int:
    fd = os.memfd_create("lifepod")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _map_users(info: int, maps: tuple[str, str], blocked: int) -> bytes:
    """Give the container's namespace its users as soon as bubblewrap tells its process, which waits for it meanwhile."""
    said = b""
    while not said.rstrip().endswith(b"}") and (more := os.read(info, _READ_SIZE)):
        said += more
    with contextlib.suppress(OSError, ValueError):  # bubblewrap then finds itself without users, and says so
        child = int(json.loads(said)["child-pid"])
        for name, text in zip(("uid_map", "gid_map"), maps, strict=True):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write(text)
    os.close(blocked)
    return said


def _is_caught(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal.

    A container's first process has pid 1, and the kernel drops signals to pid 1 that it does not handle. A plain process
    has no such shield, so it is given here: `sleep` then dies of SIGKILL after the grace period, as in a pod.
    """
    if not linux.IS_LINUX:
        return True
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    except OSError:
        return False
    return True
