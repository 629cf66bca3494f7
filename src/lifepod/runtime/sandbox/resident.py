"""The node process's resident child: lives in the node's network, and makes sockets there and namespaces for pods.

It keeps one set of namespaces ready for the next pod, since making a network is most of what a pod sandbox costs. What it
makes it passes on and forgets; a namespace ends with the last who holds it.
"""

from __future__ import annotations

import os
import signal
import socket

from lifepod.runtime.process import linux, messages
from lifepod.runtime.sandbox.netlink import Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lifepod.runtime.process.messages import Message

_POD = ("net", "ipc", "uts")


class Resident:
    """Answers requests until the node process is gone. Constructed in the child; raises OSError when it may not."""

    def __init__(self, control: socket.socket) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._control = control
        linux.unshare(linux.CLONE_NEWNET)
        _open_low_ports()
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._ready: tuple[int, ...] = ()
        with new_netlink() as netlink:
            messages.send(control, {}, (netlink.fileno(),))

    def run(self) -> None:
        while True:
            self._prepare()
            try:
                request, fds = messages.receive(self._control)
            except messages.ConnectionClosed:
                return
            try:
                made = self._socket(request, fds) if "kind" in request else self._namespaces(request)
            except OSError as exc:
                messages.send(self._control, {"failed": exc.strerror or str(exc), "errno": exc.errno or 0})
            else:
                messages.send(self._control, {}, made)
                _close(made)
            _close(tuple(fds))

    def _socket(self, request: Message, fds: list[int]) -> tuple[int, ...]:
        """A socket of the node's network, or of the one that is passed."""
        if fds:
            linux.setns(fds[0])
        try:
            return (new_socket(request["kind"]).detach(),)
        finally:
            if fds:
                linux.setns(self._home)

    def _namespaces(self, request: Message) -> tuple[int, ...]:
        """A routing socket and the namespaces of a pod; on the machine's own network only the latter."""
        if request["host_network"]:
            linux.unshare(linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
            socket.sethostname(request["hostname"])
            return tuple(os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in _POD[1:])
        made = self._ready or self._make()
        self._ready = ()
        linux.setns(made[-1])
        socket.sethostname(request["hostname"])
        return made

    def _prepare(self) -> None:
        """Have the next pod's namespaces ready; what fails now is tried again, and told, when they are asked for."""
        try:
            self._ready = self._ready or self._make()
        except OSError:
            return

    def _make(self) -> tuple[int, ...]:
        linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
        try:
            _open_low_ports()
            netlink = Netlink(new_netlink())
            netlink.set_up(netlink.index("lo"))
            return (netlink.detach(), *(os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in _POD))
        finally:
            linux.setns(self._home)


def new_netlink() -> socket.socket:
    """A routing socket of the network this process is in."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)


def new_socket(kind: str) -> socket.socket:
    """A socket, `tcp` or `udp`, of the network this process is in."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)


def _open_low_ports() -> None:
    """Let containers listen below 1024 and ping, as container runtimes do; a read-only /proc/sys forbids it."""
    for name, value in (("ip_unprivileged_port_start", "0"), ("ping_group_range", "0 0")):
        try:
            with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
                file.write(value)
        except OSError:
            continue


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)
