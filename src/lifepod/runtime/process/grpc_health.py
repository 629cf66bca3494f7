"""One call of the gRPC health service over a connected socket: just enough HTTP/2 for one unary request.

Requests need no compression. Of an answer only the message and `grpc-status` are looked at; its headers are read without
Huffman coding except for the static codes of digits, which is all that `grpc-status` needs.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_UNIMPLEMENTED = 12
_NOT_FOUND = 5
# The Huffman codes of the digits (RFC 7541, appendix B), five bits for 0-2 and six for 3-9.
_DIGIT_CODES = {"00000": "0", "00001": "1", "00010": "2"} | {f"{0b011001 + i:06b}": str(3 + i) for i in range(7)}


class HealthUnknown(Exception):
    """The service gave no status; the text is the prober's."""


class NotGrpc(Exception):
    """Who answers does not speak HTTP/2: to a gRPC client that is no connection."""


class HealthLink:
    """A connection to a gRPC server that has greeted us."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer


async def open_health(sock: socket.socket) -> HealthLink:
    """Exchange greetings: a gRPC client counts as connected once the server's settings came. Raises NotGrpc.

    Source: google.golang.org/grpc internal/transport/http2_client.go: NewHTTP2Client (server preface)
    """
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        writer.write(_GREETING)
        head = await reader.readexactly(9)
        length = int.from_bytes(head[:3], "big")
        if head[3] != _SETTINGS or length > _MAX_SETTINGS:
            raise NotGrpc
        await reader.readexactly(length)
        writer.write(_frame(_SETTINGS, _ACK, 0, b""))
    except (asyncio.IncompleteReadError, OSError) as exc:
        writer.close()
        raise NotGrpc from exc
    except BaseException:
        writer.close()
        raise
    return HealthLink(reader, writer)


async def check_health(link: HealthLink, authority: str, service: str, agent: str) -> str:
    """The health status's name. Raises HealthUnknown."""
    reader, writer = link.reader, link.writer
    try:
        writer.write(_request(authority, service, agent))
        message, grpc_status = await _read_answer(reader, writer)
    except (asyncio.IncompleteReadError, OSError) as exc:
        raise HealthUnknown(f"error: health rpc probe failed: rpc error: code = Unavailable desc = {exc}") from exc
    finally:
        writer.close()
    if grpc_status == _UNIMPLEMENTED:
        raise HealthUnknown(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            "unknown service grpc.health.v1.Health"
        )
    if grpc_status == _NOT_FOUND:
        raise HealthUnknown("error: health rpc probe failed: rpc error: code = NotFound desc = unknown service")
    if grpc_status != 0:
        raise HealthUnknown(f"error: health rpc probe failed: rpc error: code = Code({grpc_status})")
    return _STATUSES.get(_status_field(message), "UNKNOWN")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


# A header table of size 0: the server then refers to nothing that we would have to remember.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, struct.pack(">HI", 1, 0))
_MAX_SETTINGS = 16384


def _literal(name: str, value: str) -> bytes:
    """A header as an unindexed literal without Huffman coding."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, out = len(data) - 127, b"\x7f"
    while rest >= 128:
        out += bytes([rest % 128 + 128])
        rest //= 128
    return out + bytes([rest]) + data


def _request(authority: str, service: str, agent: str) -> bytes:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "user-agent": agent,
        "te": "trailers",
    }
    block = b"".join(_literal(name, value) for name, value in headers.items())
    name = service.encode()
    message = b"\x0a" + bytes([len(name)]) + name if name else b""
    body = struct.pack(">BI", 0, len(message)) + message
    return _frame(_HEADERS, _END_HEADERS, 1, block) + _frame(_DATA, _END_STREAM, 1, body)


async def _read_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, int]:
    body = b""
    status = 0
    while True:
        head = await reader.readexactly(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = await reader.readexactly(length)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, payload))
        elif kind in (_GOAWAY, _RST_STREAM):
            raise HealthUnknown("error: health rpc probe failed: rpc error: code = Unavailable desc = stream closed")
        elif kind == _DATA and stream == 1:
            body += payload
        elif kind in (_HEADERS, _CONTINUATION):
            status = _grpc_status(payload) or status
        if flags & _END_STREAM and kind in (_DATA, _HEADERS) and stream == 1:
            return body[5:], status


def _grpc_status(block: bytes) -> int:
    """The number in `grpc-status`, 0 when the block has none; the name stands plain or Huffman-coded in it."""
    for name in (b"grpc-status", bytes.fromhex("9acac8b21234da8f")):
        at = block.find(name)
        if at < 0:
            continue
        value = block[at + len(name) :]
        length = value[0] & 0x7F
        text = value[1 : 1 + length]
        if value[0] & 0x80:
            return int(_digits(text) or "2")
        return int(text or b"2")
    return 0


def _digits(coded: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in coded)
    out = ""
    while bits:
        for size in (5, 6):
            if bits[:size] in _DIGIT_CODES:
                out, bits = out + _DIGIT_CODES[bits[:size]], bits[size:]
                break
        else:
            break
    return out


def _status_field(message: bytes) -> int:
    """Field 1 of HealthCheckResponse."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
