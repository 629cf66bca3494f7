"""DNS messages as bytes (RFC 1035): just the parts that a cluster's server needs."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

A, NS, CNAME, SOA, PTR, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 28, 33, 41, 255
IN = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED = 0, 1, 2, 3, 4
_PLAIN_UDP_SIZE = 512


class BadMessage(ValueError):
    """Not a question that can be understood."""


class Question(NamedTuple):
    """One question. `name` is in lower case and without the last dot; `asked` as the client spelled it."""

    number: int
    flags: int
    name: str
    asked: bytes
    kind: int
    udp_size: int


class Record(NamedTuple):
    """A resource record. `data` is its encoded payload, names in it uncompressed."""

    name: str
    kind: int
    ttl: int
    data: bytes


def encode_name(name: str) -> bytes:
    """A name as labels. Raises BadMessage when a label is empty or too long."""
    out = b""
    for label in name.strip(".").split(".") if name.strip(".") else ():
        raw = label.encode("idna" if not label.isascii() else "ascii")
        if not 0 < len(raw) < 64:
            raise BadMessage(f"bad label {label!r}")
        out += bytes([len(raw)]) + raw
    return out + b"\0"


def parse_question(packet: bytes) -> Question:
    """The question of a packet. Raises BadMessage."""
    try:
        number, flags, questions, _, _, additional = struct.unpack_from(">6H", packet)
        if flags & 0x8000 or questions != 1:
            raise BadMessage("not one question")
        labels: list[str] = []
        at = 12
        while packet[at]:
            if packet[at] > 63:
                raise BadMessage("compressed question")
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii"))
            at += packet[at] + 1
        kind, _ = struct.unpack_from(">2H", packet, at + 1)
        end = at + 5
        udp_size = _PLAIN_UDP_SIZE
        if additional and packet[end] == 0 and struct.unpack_from(">H", packet, end + 1)[0] == OPT:
            udp_size = max(_PLAIN_UDP_SIZE, struct.unpack_from(">H", packet, end + 3)[0])
    except (struct.error, IndexError, UnicodeDecodeError) as exc:
        raise BadMessage(str(exc)) from exc
    return Question(number, flags, ".".join(labels).lower(), packet[12:end], kind, udp_size)


def has_answers(reply: bytes) -> bool:
    """Whether a reply brings any record of the name that was asked for."""
    return len(reply) >= 12 and struct.unpack_from(">H", reply, 6)[0] > 0


def answer(
    question: Question,
    code: int,
    answers: tuple[Record, ...] = (),
    authority: tuple[Record, ...] = (),
    additional: tuple[Record, ...] = (),
) -> bytes:
    """The reply's bytes, whole."""
    flags = 0x8400 | (question.flags & 0x0100) | (0x0080 if question.flags & 0x0100 else 0) | code
    head = struct.pack(">6H", question.number, flags, 1, len(answers), len(authority), len(additional))
    return head + question.asked + b"".join(_record(question, r) for r in (*answers, *authority, *additional))


def truncated(question: Question) -> bytes:
    """The reply that tells a UDP client to ask again by TCP."""
    flags = 0x8600 | (question.flags & 0x0100)
    return struct.pack(">6H", question.number, flags, 1, 0, 0, 0) + question.asked


def _record(question: Question, record: Record) -> bytes:
    # Most records answer the name asked for: a pointer to it is the compression that matters.
    name = b"\xc0\x0c" if record.name == question.name else encode_name(record.name)
    return name + struct.pack(">2HIH", record.kind, IN, record.ttl, len(record.data)) + record.data


def address_data(ip: str) -> bytes:
    """An A record's payload."""
    return ipaddress.IPv4Address(ip).packed


def service_data(port: int, target: str, weight: int) -> bytes:
    """An SRV record's payload."""
    return struct.pack(">3H", 0, weight, port) + encode_name(target)


def authority_data(zone: str, serial: int) -> bytes:
    """An SOA record's payload."""
    names = encode_name(f"ns.dns.{zone}") + encode_name(f"hostmaster.{zone}")
    return names + struct.pack(">5I", serial, 7200, 1800, 86400, 5)
