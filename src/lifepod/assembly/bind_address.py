"""Where the API listens when that is not only this machine, and by which names its certificate must then know it."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def names_of(host: str) -> tuple[str, ...]:
    """What clients may call a server that listens at `host`; nothing beside the usual names for 127.0.0.1.

    Of an address that means all of this machine's addresses these are the machine's name and what it resolves to, and the
    address that packets to others are sent from.
    """
    if host in (LOOPBACK, "localhost"):
        return ()
    if not _means_all(host):
        return (host,)
    own = socket.gethostname()
    found = {own, *_resolved(own), *_outgoing(socket.AF_INET, "192.0.2.1"), *_outgoing(socket.AF_INET6, "2001:db8::1")}
    return tuple(sorted(found))


def _means_all(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _resolved(name: str) -> set[str]:
    try:
        return {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


def _outgoing(family: int, to: str) -> set[str]:
    """This machine's address on the way to another. Nothing is sent: a datagram socket is only connected."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((to, 9))
            return {str(probe.getsockname()[0])}
    except OSError:
        return set()
