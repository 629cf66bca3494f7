"""slirp4netns as the pods' way out: a TCP/IP stack in a program, which makes what pods send into connections of this user.

It runs on the machine's network and holds a tap in the node's. The tap is a port of the bridge, so slirp4netns is a neighbour of
all pods and their gateway, at an address outside of theirs. No rights are needed, no forwarding and no filter rules.
This machine's loopback is closed to pods: slirp4netns would show it at its own address and is told not to; and no packet to
127.0.0.0/8 can leave a pod's network, whose routes its containers have no right to change.
"""

from __future__ import annotations

import os
import signal
import socket

from lifepod.runtime.process import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PROGRAM = "slirp4netns"
TAP = "tap0"
NETWORK = "10.244.255.0/24"
GATEWAY = "10.244.255.2"
"""slirp4netns takes the second address of its network."""
GATEWAY_HARDWARE_ADDRESS = b"\x52\x55" + socket.inet_aton(GATEWAY)
"""As libslirp makes it. Source: libslirp v4.7 src/slirp.c: special_ethaddr, if_encap"""


def run_slirp(program: str, network_namespace: str, ready: int, *, quiet: bool = True) -> NoReturn:
    """Become slirp4netns for that namespace. It ends with its parent, and writes to `ready` when the tap is there."""
    linux.die_with_parent(signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2) if quiet else (0, 1):
        os.dup2(null, fd)
    os.set_inheritable(ready, True)
    words = [PROGRAM, f"--cidr={NETWORK}", "--disable-host-loopback", "--disable-dns", "--enable-sandbox"]
    words += [f"--ready-fd={ready}", "--netns-type=path", network_namespace, TAP]
    os.execve(program, words, {"PATH": "/usr/bin:/bin"})
