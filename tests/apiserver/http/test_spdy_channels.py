"""An exec's streams over SPDY, whatever bytes come and however they are cut."""

from __future__ import annotations

import asyncio
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from lifepod.apiserver.spdy import SpdyConnection, dictionary
from lifepod.apiserver.spdy_channels import SpdyChannels


class Tunnel:
    """Gives these messages, then the end."""

    def __init__(self, messages: list[bytes]) -> None:
        self._messages = messages
        self.sent = b""

    async def receive(self) -> bytes | None:
        return self._messages.pop(0) if self._messages else None

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


def opening(packer: zlib._Compress, stream: int, kind: str) -> bytes:
    block = struct.pack(">II", 1, len("streamType")) + b"streamType" + struct.pack(">I", len(kind)) + kind.encode()
    packed = packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack(">IIIIBB", 0x80030001, 10 + len(packed), stream, 0, 0, 0) + packed


async def everything(messages: list[bytes], wanted: frozenset[int]) -> tuple[bool, list[bytes]]:
    channels = SpdyChannels(Tunnel(messages))
    is_open = await channels.opened(wanted)
    found = []
    while (message := await channels.receive()) is not None:
        found.append(message)
    await channels.send(b"\x01late")
    await channels.close()
    return is_open, found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_no_bytes_break_it(messages: list[bytes]) -> None:
    asyncio.run(everything(messages, frozenset((1, 3))))


@given(st.binary(max_size=200), st.lists(st.integers(0, 400), max_size=12), st.binary(max_size=40))
def test_input_comes_whole_however_it_is_cut_and_what_follows_it(data: bytes, places: list[int], rest: bytes) -> None:
    packer = zlib.compressobj(zdict=dictionary())
    frames = opening(packer, 1, "error") + opening(packer, 3, "stdin")
    frames += SpdyConnection.data(3, data) + SpdyConnection.data(3, b"", finished=True)
    is_open, found = asyncio.run(everything([*cut(frames, places), rest], frozenset((0, 3))))
    assert is_open
    assert b"".join(message[1:] for message in found if message[:1] == b"\x00") == data
    assert b"\xff\x00" in found


def test_a_client_that_opens_too_little_gets_no_process() -> None:
    packer = zlib.compressobj(zdict=dictionary())
    assert asyncio.run(everything([opening(packer, 1, "error")], frozenset((1, 3)))) == (False, [])
