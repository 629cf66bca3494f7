"""The node process: a small single-threaded Python from which every supervisor is forked.

Forking from here takes about 2 ms and 1 MB where a fresh Python takes 18 ms; and only a single-threaded process can enter a
user namespace, which lifepod itself, with its threads, cannot. On level `sandbox` it holds the node's user and mount
namespaces and the pods' network, ipc and uts namespaces (`lifepod.runtime.sandbox.pod_namespaces`).
Without `persistent` it ends when lifepod does; with it, it listens on a socket for the next lifepod.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys

from lifepod.runtime.process import messages
from lifepod.runtime.process.exec_helper import run_exec
from lifepod.runtime.process.supervisor import supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from lifepod.runtime.process.messages import Message
    from lifepod.runtime.sandbox.pod_namespaces import PodNamespaces

    Reply = tuple[Message, tuple[int, ...]]


class NodeProcess:
    """Answers one request after the other; what takes time happens in the forked processes."""

    def __init__(self, control: socket.socket, config: Message) -> None:
        self._config = config
        self._controls = [control]
        self._listener: socket.socket | None = None
        self._namespaces: PodNamespaces | None = None
        self._wakeup = os.pipe()
        self._pids: set[int] = set()
        self._way_out = 0
        """The process by which pods reach what is outside of the cluster; 0: none."""

    def run(self) -> None:
        self._prepare()
        poll = select.poll()
        poll.register(self._wakeup[0], select.POLLIN)
        while True:
            for control in self._controls:
                poll.register(control.fileno(), select.POLLIN)
            if self._listener is not None:
                poll.register(self._listener.fileno(), select.POLLIN)
            for fd, _ in poll.poll():
                if fd == self._wakeup[0]:
                    self._reap()
                elif self._listener is not None and fd == self._listener.fileno():
                    self._controls.append(self._listener.accept()[0])
                else:
                    for control in [c for c in self._controls if c.fileno() == fd]:
                        if not self._serve(control):
                            poll.unregister(fd)
                            self._controls.remove(control)
                            control.close()
            if not self._controls and self._listener is None:
                self._clean_up()
                return

    def _clean_up(self) -> None:
        """lifepod is gone: wait until its containers are too, and leave no folder behind, whether or not it could say so."""
        if self._way_out in self._pids:
            os.kill(self._way_out, signal.SIGKILL)
        try:
            while self._pids and (pid := os.waitpid(-1, 0)[0]):
                self._pids.discard(pid)
        except ChildProcessError:
            pass
        from lifepod.runtime.volume_folders import remove_tree

        for folder in self._config.get("leftovers", ()):
            if self._namespaces is not None:
                self._namespaces.unmount_below(folder)
            if os.path.isdir(folder):
                remove_tree(folder)

    def _prepare(self) -> None:
        os.set_blocking(self._wakeup[0], False)
        os.set_blocking(self._wakeup[1], False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C on the terminal is lifepod's to handle
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        problem = ""
        if self._config.get("sandbox"):
            from lifepod.runtime.sandbox.pod_namespaces import PodNamespaces

            try:
                self._namespaces = PodNamespaces(self._config["sandbox"])
            except OSError as exc:
                problem = exc.strerror or str(exc)
        if self._config.get("persistent"):
            self._listener = _listen(self._config["folder"])
        gc.collect()
        gc.freeze()  # children share these pages as long as nobody touches them
        gc.disable()
        messages.send(self._controls[0], {"ready": not problem, "problem": problem, "pid": os.getpid()})

    def _reap(self) -> None:
        try:
            os.read(self._wakeup[0], 4096)
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._pids.discard(pid)
        except (BlockingIOError, ChildProcessError):
            return

    def _serve(self, control: socket.socket) -> bool:
        """Answer one request; False when the other end is gone."""
        try:
            request, fds = messages.receive(control)
        except messages.ConnectionClosed:
            return False
        answer: Message
        passed: tuple[int, ...] = ()
        try:
            answer, passed = getattr(self, f"_do_{request['op']}")(request, fds)
        except OSError as exc:
            answer = {"error": exc.strerror or str(exc)}
        for fd in fds:
            os.close(fd)
        try:
            messages.send(control, {"id": request["id"], **answer}, passed)
        except OSError:
            return False
        finally:
            for fd in passed:
                os.close(fd)
        return True

    # -------------------------------------------------------------------------------------------- requests

    def _do_start(self, request: Message, fds: list[int]) -> Reply:
        """Fork the supervisor of a container of the pod that is named. fds: its connection to lifepod, its config as a file."""
        namespaces = self._pod_fds(request.get("pod"))

        def child() -> None:
            config = messages.from_file(fds[1])
            os.close(fds[1])
            supervise(config, socket.socket(fileno=os.dup(fds[0])), namespaces)

        return self._fork(child, keep=(*fds[:2], *namespaces))

    def _do_exec(self, request: Message, fds: list[int]) -> Reply:
        """Fork an exec helper. fds: its config as a file, its connection, stdin, stdout, stderr."""

        def child() -> None:
            config = messages.from_file(fds[0])
            os.close(fds[0])
            run_exec(config, socket.socket(fileno=os.dup(fds[1])), (fds[2], fds[3], fds[4]))

        return self._fork(child, keep=tuple(fds[:5]))

    def _do_pod(self, request: Message, fds: list[int]) -> Reply:
        """Make a pod's namespaces and network."""
        address, first = self._need_namespaces().make(request)
        return {"ip": address, "first": first}, ()

    def _do_unpod(self, request: Message, fds: list[int]) -> Reply:
        self._need_namespaces().drop(request["pod"])
        return {}, ()

    def _do_way_out(self, request: Message, fds: list[int]) -> Reply:
        """Start the pods' way out of the cluster unless it runs. fds: a pipe that is written to when it is up, or just closed."""
        namespaces, program = self._need_namespaces(), request["program"]
        if self._way_out in self._pids:
            return {"runs": True}, ()
        reply, pidfds = self._fork(lambda: namespaces.run_way_out(program, fds[0]), keep=(fds[0],))
        self._way_out = reply["pid"]
        for fd in pidfds:
            os.close(fd)
        return {"runs": False}, ()

    def _do_attach_way_out(self, request: Message, fds: list[int]) -> Reply:
        self._need_namespaces().attach_way_out()
        return {}, ()

    def _do_socket(self, request: Message, fds: list[int]) -> Reply:
        """A fresh socket in the node's network namespace, or in a pod's."""
        fd = self._need_namespaces().make_socket(request.get("pod"), request["kind"])
        return {}, (fd,)

    def _do_tmpfs(self, request: Message, fds: list[int]) -> Reply:
        self._need_namespaces().mount_tmpfs(request["folder"], request.get("size"))
        return {}, ()

    def _do_sub_path(self, request: Message, fds: list[int]) -> Reply:
        """Make a folder inside a volume that only the node's own mounts show."""
        from lifepod.runtime.volume_folders import SubPathFailed, resolve_sub_path

        try:
            return {"path": resolve_sub_path(request["root"], request["sub_path"])}, ()
        except SubPathFailed as exc:
            raise OSError(str(exc)) from exc

    def _do_unmount(self, request: Message, fds: list[int]) -> Reply:
        self._need_namespaces().unmount(request["folder"])
        return {}, ()

    def _do_remove(self, request: Message, fds: list[int]) -> Reply:
        """Remove folders with what users of containers own, whom only the node's namespace knows."""
        import shutil

        for folder in request["folders"]:
            shutil.rmtree(folder, ignore_errors=True)
        return {}, ()

    def _do_pods(self, request: Message, fds: list[int]) -> Reply:
        return {"pods": {} if self._namespaces is None else self._namespaces.addresses()}, ()

    def _do_stop(self, request: Message, fds: list[int]) -> Reply:
        """End with the last connection, persistent or not."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        return {}, ()

    # -------------------------------------------------------------------------------------------- forking

    def _need_namespaces(self) -> PodNamespaces:
        if self._namespaces is None:
            raise OSError(1, "this node has no namespaces")
        return self._namespaces

    def _pod_fds(self, pod: str | None) -> tuple[int, ...]:
        return () if pod is None else self._need_namespaces().fds(pod)

    def _fork(self, child: Callable[[], None], keep: tuple[int, ...]) -> Reply:
        pid = os.fork()
        if pid == 0:
            self._run_child(child, keep)
        self._pids.add(pid)
        return {"pid": pid}, ((os.pidfd_open(pid),) if hasattr(os, "pidfd_open") else ())

    def _run_child(self, child: Callable[[], None], keep: tuple[int, ...]) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            _close_all_but({0, 1, 2, *keep})
            child()
            status = 0
        except BaseException as exc:  # noqa: BLE001 - nothing above us in this process
            sys.stderr.write(f"lifepod: a helper process failed: {exc!r}\n")
        finally:
            os._exit(status)


def _close_all_but(kept: set[int]) -> None:
    """A supervisor must not hold the node's connections: their end is how others notice that the node is gone."""
    lowest = 0
    for fd in sorted(kept):
        if lowest < fd:  # an empty range would close everything
            os.closerange(lowest, fd)
        lowest = fd + 1
    os.closerange(lowest, 4096)


def _listen(folder: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    path = os.path.join(folder, "control")
    if os.path.lexists(path):
        os.unlink(path)
    listener.bind(f"/proc/self/fd/{at}/control")
    listener.listen(4)
    os.close(at)
    return listener


def main(fd: int) -> None:
    """Serve the connection `fd`; its first packet is the configuration."""
    control = socket.socket(fileno=fd)
    try:
        config, _ = messages.receive(control)
        NodeProcess(control, config).run()
    except (messages.ConnectionClosed, BrokenPipeError):
        return
