"""The few rtnetlink messages that a pod's network needs, written by hand: links, addresses, routes.

A socket belongs to the network namespace it was made in, so whoever holds one can set that namespace up from outside.
"""

from __future__ import annotations

import os
import socket
import struct

_NLMSG_ERROR = 2
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK, _RTM_SETLINK, _RTM_NEWADDR, _RTM_NEWROUTE, _RTM_NEWNEIGH = (
    16,
    17,
    18,
    19,
    20,
    24,
    28,
)
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_PROTINFO, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 12, 18, 28
_NESTED, _IFLA_BRPORT_UNICAST_FLOOD = 0x8000, 9
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_IFF_UP = 0x1
_AF_INET, _AF_BRIDGE = 2, 7
_NDA_LLADDR, _NUD_NOARP, _NTF_MASTER = 2, 0x40, 0x4
_RTNH_F_ONLINK = 0x4
_RT_TABLE_MAIN, _RT_TABLE_LOCAL = 254, 255
_RTN_UNICAST, _RTN_LOCAL, _RTN_UNREACHABLE = 1, 2, 7
_SCOPE_UNIVERSE, _SCOPE_HOST = 0, 254
_PROTOCOL_BOOT = 3


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def _name(text: str) -> bytes:
    return _attribute(_IFLA_IFNAME, text.encode() + b"\0")


def _link(index: int = 0, *, up: bool = False) -> bytes:
    flags = _IFF_UP if up else 0
    return struct.pack("BxHiII", 0, 0, index, flags, flags)


class Netlink:
    """One network namespace's routing socket. Every call raises OSError with the kernel's reason."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sequence = 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def detach(self) -> int:
        """The socket's descriptor, from now on the caller's."""
        return self._sock.detach()

    def close(self) -> None:
        self._sock.close()

    def _request(self, kind: int, flags: int, body: bytes, what: str) -> bytes:
        self._sequence += 1
        header = struct.pack("IHHII", 16 + len(body), kind, _REQUEST | flags, self._sequence, 0)
        self._sock.send(header + body)
        answer = self._sock.recv(65536)
        answer_kind = struct.unpack_from("H", answer, 4)[0]
        if answer_kind == _NLMSG_ERROR:
            code = struct.unpack_from("i", answer, 16)[0]
            if code != 0:
                raise OSError(-code, f"{what}: {os.strerror(-code)}")
        return answer

    def index(self, name: str) -> int:
        """The number of an interface."""
        answer = self._request(_RTM_GETLINK, 0, _link() + _name(name), f"find interface {name}")
        return int(struct.unpack_from("i", answer, 16 + 4)[0])

    def set_up(self, index: int) -> None:
        self._request(_RTM_NEWLINK, _ACK, _link(index, up=True), "set an interface up")

    def add_bridge(self, name: str, hardware_address: bytes) -> None:
        """A bridge that keeps its address: it would else take one of its ports', and change it with them."""
        body = _link() + _name(name) + _attribute(_IFLA_ADDRESS, hardware_address)
        body += _attribute(_IFLA_LINKINFO, _attribute(_IFLA_INFO_KIND, b"bridge\0"))
        self._request(_RTM_NEWLINK, _ACK | _CREATE | _EXCL, body, f"add bridge {name}")

    def add_uplink(self, index: int, bridge: int, hardware_address: bytes) -> None:
        """Put an interface on the bridge that gets what is for `hardware_address` and nothing that is meant for others."""
        body = _link(index, up=True) + _attribute(_IFLA_MASTER, struct.pack("I", bridge))
        self._request(_RTM_NEWLINK, _ACK, body, "put an interface on the bridge")
        head = struct.pack("BxHiII", _AF_BRIDGE, 0, index, 0, 0)
        port = _attribute(_IFLA_PROTINFO | _NESTED, _attribute(_IFLA_BRPORT_UNICAST_FLOOD, b"\0"))
        self._request(_RTM_SETLINK, _ACK, head + port, "keep others' packets from an interface")
        neighbour = struct.pack("BxxxiHBB", _AF_BRIDGE, index, _NUD_NOARP, _NTF_MASTER, 0)
        body = neighbour + _attribute(_NDA_LLADDR, hardware_address)
        self._request(_RTM_NEWNEIGH, _ACK | _CREATE, body, "tell the bridge who is behind an interface")

    def add_veth(self, name: str, bridge: int, peer: str, peer_namespace: int) -> None:
        """A pair of interfaces: `name` here on the bridge and up, `peer` in the namespace that the fd stands for."""
        other = _link() + _name(peer) + _attribute(_IFLA_NET_NS_FD, struct.pack("I", peer_namespace))
        info = _attribute(_IFLA_INFO_KIND, b"veth\0") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, other))
        body = _link(up=True) + _name(name) + _attribute(_IFLA_MASTER, struct.pack("I", bridge))
        body += _attribute(_IFLA_LINKINFO, info)
        self._request(_RTM_NEWLINK, _ACK | _CREATE | _EXCL, body, f"add interface {name}")

    def delete(self, name: str) -> None:
        self._request(_RTM_DELLINK, _ACK, _link() + _name(name), f"delete interface {name}")

    def add_address(self, index: int, address: str, prefix: int) -> None:
        packed = socket.inet_aton(address)
        body = struct.pack("BBBBi", _AF_INET, prefix, 0, _SCOPE_UNIVERSE, index)
        body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
        self._request(_RTM_NEWADDR, _ACK | _CREATE | _EXCL, body, f"add address {address}")

    def add_route(self, gateway: str, network: str = "0.0.0.0", prefix: int = 0, *, link: int = 0) -> None:
        """By default the default route. With `link` the gateway is a neighbour there, whatever its address."""
        flags = _RTNH_F_ONLINK if link else 0
        head = struct.pack(
            "BBBBBBBBI", _AF_INET, prefix, 0, 0, _RT_TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _RTN_UNICAST, flags
        )
        body = head + _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
        if prefix:
            body += _attribute(_RTA_DST, socket.inet_aton(network))
        if link:
            body += _attribute(_RTA_OIF, struct.pack("I", link))
        self._request(_RTM_NEWROUTE, _ACK | _CREATE, body, f"add a route by {gateway}")

    def add_unreachable(self, network: str, prefix: int) -> None:
        """Let no gateway be asked for these addresses."""
        head = struct.pack(
            "BBBBBBBBI", _AF_INET, prefix, 0, 0, _RT_TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _RTN_UNREACHABLE, 0
        )
        body = head + _attribute(_RTA_DST, socket.inet_aton(network))
        self._request(_RTM_NEWROUTE, _ACK | _CREATE, body, f"close {network}/{prefix}")

    def add_local_range(self, network: str, prefix: int, index: int) -> None:
        """Make every address of the range this namespace's own, so that it can listen on any of them."""
        head = struct.pack(
            "BBBBBBBBI", _AF_INET, prefix, 0, 0, _RT_TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _RTN_LOCAL, 0
        )
        body = head + _attribute(_RTA_DST, socket.inet_aton(network)) + _attribute(_RTA_OIF, struct.pack("I", index))
        self._request(_RTM_NEWROUTE, _ACK | _CREATE, body, f"add local range {network}/{prefix}")
