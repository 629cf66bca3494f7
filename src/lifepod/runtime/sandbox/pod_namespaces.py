"""Inside the node process: the node's own namespaces and network, and those of each pod.

The node process stays on the machine's network (for pods with `hostNetwork`) in a user and mount namespace of its own. A
resident child (`resident.py`) holds the node's network namespace: a bridge, the Services' whole range as local addresses; it
makes sockets there and namespaces for pods. Whoever gives pods a way out of the cluster (`way_out.py`) is one more neighbour on
the bridge. A pod's network, ipc and uts namespaces are kept alive by the fds held here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import sys

from lifepod.runtime.process import linux, messages
from lifepod.runtime.sandbox.netlink import Netlink
from lifepod.runtime.sandbox.process_namespace import FirstProcess
from lifepod.runtime.sandbox.resident import Resident, new_socket
from lifepod.runtime.sandbox.slirp import GATEWAY, GATEWAY_HARDWARE_ADDRESS, TAP, run_slirp
from lifepod.runtime.sandbox.user_namespace import become_node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from lifepod.runtime.process.messages import Message

_BRIDGE = "lifepod0"
_BRIDGE_HARDWARE_ADDRESS = b"\x02lifep"
_MS_NOSUID, _MS_NODEV = 0x2, 0x4


class _Pod:
    def __init__(self, address: str, link: str, fds: tuple[int, ...]) -> None:
        self.first: FirstProcess | None = None
        self.address = address
        self.link = link
        self.fds = fds


class PodNamespaces:
    """Makes the node's namespaces when constructed. Raises OSError with the reason when this machine refuses."""

    def __init__(self, config: Message) -> None:
        self._pods: dict[str, _Pod] = {}
        self._network = ipaddress.IPv4Network(config["pod_cidr"])
        self._services = ipaddress.IPv4Network(config["service_cidr"])
        self._last_offset = 1
        self._last_link = 0
        become_node()
        self._resident_pid, self._resident, fds = _fork_talking(lambda control: Resident(control).run())
        self._netlink = Netlink(socket.socket(fileno=fds[0]))
        self._set_up_node()

    @property
    def gateway(self) -> str:
        """The bridge's address, and the source of what the node sends to pods."""
        return str(self._network[1])

    def _set_up_node(self) -> None:
        link = self._netlink
        loopback = link.index("lo")
        link.set_up(loopback)
        link.add_local_range(str(self._services.network_address), self._services.prefixlen, loopback)
        link.add_bridge(_BRIDGE, _BRIDGE_HARDWARE_ADDRESS)
        self._bridge = link.index(_BRIDGE)
        link.add_address(self._bridge, self.gateway, self._network.prefixlen)
        link.set_up(self._bridge)

    # -------------------------------------------------------------------------------------------- pods

    def make(self, request: Message) -> tuple[str, int]:
        """A pod's namespaces; returns its address, "" on the machine's own network, and its first process, 0 for none."""
        first = FirstProcess(request["proc"]) if request.get("proc") else None
        try:
            pod = self._with_network(request)
        except OSError:
            if first is not None:
                first.end()
            raise
        if first is not None:
            pod.first, pod.fds = first, (*pod.fds, first.namespace)
        self._pods[request["pod"]] = pod
        return pod.address, first.pid if first is not None else 0

    def _with_network(self, request: Message) -> _Pod:
        is_on_host = bool(request["host_network"])
        fds = self._ask({"hostname": request["hostname"], "host_network": is_on_host})
        if is_on_host:
            return _Pod("", "", fds)
        netlink_fd, *namespace_fds = fds
        inside = Netlink(socket.socket(fileno=netlink_fd))
        address = self._free_address()
        link = self._free_link()
        try:
            self._netlink.add_veth(link, self._bridge, "eth0", namespace_fds[0])
            eth0 = inside.index("eth0")
            inside.add_address(eth0, address, self._network.prefixlen)
            inside.set_up(eth0)
            if request.get("way_out"):
                # A socket bound to eth0 does not see lo's route: what it sends to 127.0.0.1 would end on this machine's own.
                inside.add_unreachable("127.0.0.0", 8)
                inside.add_route(self.gateway, str(self._services.network_address), self._services.prefixlen)
                inside.add_route(GATEWAY, link=eth0)
            else:
                inside.add_route(self.gateway)
        except OSError:
            for fd in namespace_fds:
                os.close(fd)
            raise
        finally:
            inside.close()
        return _Pod(address, link, tuple(namespace_fds))

    def _free_address(self) -> str:
        """The next address after the last one given, so that one is not soon used again."""
        used = {pod.address for pod in self._pods.values()}
        size = self._network.num_addresses
        for _ in range(size):
            self._last_offset = self._last_offset % (size - 2) + 1
            address = str(self._network[self._last_offset])
            if self._last_offset > 1 and address not in used:
                return address
        raise OSError(28, f"no free address left in {self._network}")

    def _free_link(self) -> str:
        self._last_link += 1
        return f"veth{self._last_link}"

    def drop(self, pod_id: str) -> None:
        """Let the pod's namespaces go; they end with their last process."""
        pod = self._pods.pop(pod_id, None)
        if pod is None:
            return
        if pod.link:
            with contextlib.suppress(OSError):  # already gone with the namespace
                self._netlink.delete(pod.link)
        for fd in pod.fds:
            os.close(fd)
        if pod.first is not None:
            pod.first.end()

    def fds(self, pod_id: str) -> tuple[int, ...]:
        """The pod's namespaces, to be entered."""
        pod = self._pods.get(pod_id)
        if pod is None:
            raise OSError(2, "the pod's sandbox is gone")
        return pod.fds

    def addresses(self) -> dict[str, str]:
        return {pod_id: pod.address for pod_id, pod in self._pods.items()}

    # -------------------------------------------------------------------------------------------- the way out

    def run_way_out(self, program: str, ready: int, *, quiet: bool = True) -> NoReturn:
        """Become the pods' way out of the cluster (in a child); it writes to `ready` when its tap is there."""
        run_slirp(program, f"/proc/{self._resident_pid}/ns/net", ready, quiet=quiet)

    def attach_way_out(self) -> None:
        """Make the tap a neighbour of the pods."""
        self._netlink.add_uplink(self._netlink.index(TAP), self._bridge, GATEWAY_HARDWARE_ADDRESS)

    # -------------------------------------------------------------------------------------------- sockets and mounts

    def make_socket(self, pod_id: str | None, kind: str) -> int:
        """A fresh socket in the node's network namespace, or in a pod's."""
        if pod_id is None:
            return self._ask({"kind": kind})[0]
        fds = self.fds(pod_id)
        is_on_host = not self._pods[pod_id].address
        return new_socket(kind).detach() if is_on_host else self._ask({"kind": kind}, fds[:1])[0]

    def _ask(self, request: Message, fds: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Have the resident make something. Raises OSError with its failure."""
        messages.send(self._resident, request, fds)
        return _answer(self._resident)

    def mount_tmpfs(self, folder: str, size: int | None) -> None:
        """A tmpfs that all containers started from here can be given."""
        options = "mode=0777" + (f",size={size}" if size else "")
        linux.mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, options)

    def unmount(self, folder: str) -> None:
        linux.unmount(folder)

    def unmount_below(self, folder: str) -> None:
        """Whatever was mounted for pods in a folder that is about to go."""
        with open("/proc/self/mounts") as mounts:
            places = [line.split(" ")[1].encode().decode("unicode_escape") for line in mounts]
        for place in places:
            if place.startswith(folder.rstrip("/") + "/"):
                with contextlib.suppress(OSError):
                    linux.unmount(place)


def _fork_talking(child: Callable[[socket.socket], None]) -> tuple[int, socket.socket, tuple[int, ...]]:
    """Fork a child that first sends some fds; returns its pid, the connection to it and them. Raises OSError with its failure."""
    ours, theirs = messages.channel()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run(child, theirs)
    theirs.close()
    return pid, ours, _answer(ours)


def _answer(sock: socket.socket) -> tuple[int, ...]:
    try:
        said, fds = messages.receive(sock)
    except messages.ConnectionClosed:
        raise OSError(5, "a helper of the node process ended unexpectedly") from None
    if "failed" in said:
        raise OSError(said["errno"], said["failed"])
    return tuple(fds)


def _run(child: Callable[[socket.socket], None], control: socket.socket) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        child(control)
        status = 0
    except OSError as exc:
        messages.send(control, {"failed": exc.strerror or str(exc), "errno": exc.errno or 0})
    except BaseException as exc:  # noqa: BLE001 - nothing above us in this process
        sys.stderr.write(f"lifepod: a helper of the node process failed: {exc!r}\n")
    finally:
        os._exit(status)
