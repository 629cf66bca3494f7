"""Our `nslookup` on level `host`: asks lifepod's DNS and behaves as busybox 1.28's, exit 0 when the name resolves.

Runs as a script of its own, with nothing but the standard library. LIFEPOD_DNS is the server as `host:port`,
LIFEPOD_DNS_SEARCH the search list; without a server this machine's own resolver is asked.
"""

from __future__ import annotations

import os
import socket
import struct
import sys


def candidates(name: str, search: list[str], dots: int = 5) -> list[str]:
    """The names to try, in a resolver's order: the search list first when the name has few dots."""
    if name.endswith("."):
        return [name.rstrip(".")]
    listed = [f"{name}.{domain}" for domain in search]
    return [*listed, name] if name.count(".") < dots else [name, *listed]


def query(server: tuple[str, int], name: str, timeout: float = 2.0) -> list[str]:
    """The addresses of a name, by one question for A records."""
    number = struct.unpack(">H", os.urandom(2))[0]
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    packet = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.sendto(packet, server)
        answer = sock.recv(4096)
    return _addresses(answer, 12 + len(labels) + 4)


def _addresses(answer: bytes, at: int) -> list[str]:
    found: list[str] = []
    for _ in range(struct.unpack_from(">H", answer, 6)[0]):
        while answer[at] and answer[at] < 0xC0:
            at += answer[at] + 1
        at += 2 if answer[at] >= 0xC0 else 1
        kind, _, _, length = struct.unpack_from(">2HIH", answer, at)
        at += 10
        if kind == 1 and length == 4:
            found.append(socket.inet_ntoa(answer[at : at + 4]))
        at += length
    return found


def resolve(name: str) -> tuple[str, list[str]]:
    """The server's text and the addresses, none when the name does not resolve."""
    server = os.environ.get("LIFEPOD_DNS")
    if not server:
        try:
            found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            return "127.0.0.1", []
        return "127.0.0.1", sorted({str(entry[4][0]) for entry in found})
    host, _, port = server.rpartition(":")
    for candidate in candidates(name, os.environ.get("LIFEPOD_DNS_SEARCH", "").split()):
        try:
            addresses = query((host, int(port)), candidate)
        except OSError:
            continue
        if addresses:
            return host, addresses
    return host, []


def main(arguments: list[str]) -> int:
    names = [word for word in arguments if not word.startswith("-")]
    if not names:
        sys.stderr.write("Usage: nslookup [HOST] [SERVER]\n")
        return 1
    server, addresses = resolve(names[0])
    sys.stdout.write(f"Server:    {server}\nAddress 1: {server}\n\n")
    sys.stdout.flush()
    if not addresses:
        sys.stderr.write(f"nslookup: can't resolve '{names[0]}'\n")
        return 1
    sys.stdout.write(f"Name:      {names[0]}\n")
    for number, address in enumerate(addresses, 1):
        sys.stdout.write(f"Address {number}: {address} {names[0]}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
