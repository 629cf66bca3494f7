"""SPDY/3.1 frames, as far as kubectl's port-forward speaks them: bytes in, events out; events in, bytes out. No IO.

Frames are the protocol's of 2013; header blocks are zlib streams that share the protocol's dictionary. There is no flow control:
client-go's SPDY has none either (WINDOW_UPDATE is ignored), so whoever carries the bytes must hold back.

Source: www.chromium.org SPDY protocol draft 3.1 §2; github.com/moby/spdystream v0.5.0 (what client-go speaks)
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple, TypeAlias

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024 - 1
MAX_HEADER_BYTES: Final = 64 * 1024
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_FIN: Final = 1
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 1, 3, 5

_WORDS: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length content-location "
    "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match "
    "if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range "
    "referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get "
    "status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
_TEXTS: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def dictionary() -> bytes:
    """The 1,423 bytes that both sides' compressors start from: words with their lengths, then common values."""
    words = (word.replace("_", " ").encode() for word in _WORDS.split())
    return b"".join(struct.pack(">I", len(word)) + word for word in words) + _TEXTS.encode()


class StreamOpened(NamedTuple):
    stream: int
    headers: dict[str, str]
    finished: bool


class DataArrived(NamedTuple):
    stream: int
    data: bytes
    finished: bool


class StreamReset(NamedTuple):
    stream: int


class Pinged(NamedTuple):
    reply: bytes


class GoneAway(NamedTuple):
    pass


SpdyEvent: TypeAlias = StreamOpened | DataArrived | StreamReset | Pinged | GoneAway


class SpdyError(Exception):
    """The peer does not speak SPDY/3.1."""


class SpdyConnection:
    """The server's side of one SPDY connection."""

    def __init__(self) -> None:
        words = dictionary()
        self._inflate = zlib.decompressobj(zdict=words)
        self._deflate = zlib.compressobj(zdict=words)
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[SpdyEvent]:
        """Bytes from the peer, in pieces of any size. Raises SpdyError."""
        self._buffer += data
        events: list[SpdyEvent] = []
        while len(self._buffer) >= 8:
            head, flags_length = struct.unpack_from(">II", self._buffer)
            flags, length = flags_length >> 24, flags_length & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                break
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            event = self._control(head, flags, body) if head >> 31 else DataArrived(head, body, bool(flags & _FIN))
            if event is not None:
                events.append(event)
        return events

    def _control(self, head: int, flags: int, body: bytes) -> SpdyEvent | None:
        version, kind = head >> 16 & 0x7FFF, head & 0xFFFF
        if version != 3:
            raise SpdyError(f"SPDY version {version} is not served")
        try:
            match kind:
                case 1:
                    (stream,) = struct.unpack_from(">I", body)
                    return StreamOpened(stream & 0x7FFFFFFF, self._headers(body[10:]), bool(flags & _FIN))
                case 2 | 8:
                    self._headers(body[4:])  # the decompressor must see every block
                    return None
                case 3:
                    (stream,) = struct.unpack_from(">I", body)
                    return StreamReset(stream & 0x7FFFFFFF)
                case 6:
                    return Pinged(_frame(_PING, 0, body[:4]))
                case 7:
                    return GoneAway()
                case _:
                    return None
        except (struct.error, zlib.error, UnicodeDecodeError) as problem:
            raise SpdyError(f"malformed SPDY frame of type {kind}: {problem}") from problem

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block, MAX_HEADER_BYTES)
        if self._inflate.unconsumed_tail:
            raise SpdyError("SPDY header block too large")
        (count,) = struct.unpack_from(">I", plain)
        at, texts = 4, list[str]()
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", plain, at)
            if at + 4 + length > len(plain):
                raise SpdyError("SPDY header block too short")
            texts.append(plain[at + 4 : at + 4 + length].decode())
            at += 4 + length
        return {texts[i].lower(): texts[i + 1] for i in range(0, len(texts), 2)}

    def reply(self, stream: int, headers: dict[str, str] | None = None) -> bytes:
        """Accept a stream."""
        pairs = (headers or {}).items()
        block = struct.pack(">I", len(pairs)) + b"".join(
            struct.pack(">I", len(text)) + text for pair in pairs for text in (pair[0].encode(), pair[1].encode())
        )
        packed = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _frame(_SYN_REPLY, 0, struct.pack(">I", stream) + packed)

    @staticmethod
    def data(stream: int, data: bytes, *, finished: bool = False) -> bytes:
        """Bytes of a stream; `finished` half-closes it."""
        return struct.pack(">II", stream, (_FIN if finished else 0) << 24 | len(data)) + data

    @staticmethod
    def reset(stream: int, status: int) -> bytes:
        """End a stream at once, both ways."""
        return _frame(_RST_STREAM, 0, struct.pack(">II", stream, status))


def _frame(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">II", 0x80030000 | kind, flags << 24 | len(body)) + body
