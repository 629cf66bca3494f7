"""The uncompressed bytes of one layer, read once from front to back, with both of its digests checked on the way.

gzip, zstd and plain tar are told apart by their first bytes. Nothing is held but a chunk, whatever the layer claims to be.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from lifepod.runtime.images.errors import LayerRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 256 * 1024
_MAX_READ = 4 * 1024 * 1024
"""No header of a tar archive is longer; file contents are never read in one piece."""
_RATIO_COUNTS_FROM = 1024**3
_MAX_RATIO = 200
_BLOCK = 512
GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Limits(NamedTuple):
    """How much an image may unpack to."""

    bytes: int = 64 * 1024**3
    entries: int = 2_000_000


DEFAULT_LIMITS = Limits()


class LayerStream:
    """A layer as a file that only goes forward. Raises LayerRefused when the bytes are not what the digests promise.

    `digest` is of the file as it is, `diff_id` of the tar inside; "" is not checked.
    """

    def __init__(
        self, file: BinaryIO, name: str, digest: str = "", diff_id: str = "", limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.name = name
        self.limits = limits
        self.last_header = b""
        self._digest, self._diff_id = digest, diff_id
        self._compressed, self._plain = _hash_for(digest), _hash_for(diff_id)
        self._read_bytes = 0
        self._chunks = self._decompressed(file)
        self._chunk = memoryview(b"")
        self._at = 0
        self._position = 0

    # -------------------------------------------------------------------------------------------- as a file for tarfile

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        """Go forward; a layer has no way back."""
        if position < self._position:
            raise self.refused("its headers point backwards")
        left = position - self._position
        while left:
            piece = self._piece(left)
            if not piece:
                raise self.refused("it ends in the middle of an entry: truncated")
            left -= len(piece)
        return position

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        if size > _MAX_READ or size < 0:
            raise self.refused(f"one of its headers claims {size} bytes")
        piece = self._piece(size)
        if len(piece) == size:
            result = bytes(piece)
        else:
            pieces = [piece]
            size -= len(piece)
            while size and (piece := self._piece(size)):
                pieces.append(piece)
                size -= len(piece)
            result = b"".join(pieces)
        if len(result) <= _BLOCK:
            self.last_header = result
        return result

    def copy(self, fd: int, size: int) -> None:
        """Write the next `size` bytes to an open file."""
        while size:
            piece = self._piece(size)
            if not piece:
                raise self.refused("it ends in the middle of a file: truncated")
            size -= len(piece)
            while piece:
                piece = piece[os.write(fd, piece) :]

    def finish(self) -> None:
        """Read what follows the archive's end and compare the digests."""
        while self._piece(_CHUNK):
            pass
        for wanted, found in ((self._digest, self._compressed), (self._diff_id, self._plain)):
            if found is not None and wanted.partition(":")[2] != found.hexdigest():
                raise self.refused(
                    f"its content has the digest {found.name}:{found.hexdigest()}, not {wanted}: damaged"
                )

    def refused(self, why: str) -> LayerRefused:
        return LayerRefused(f"layer {self.name}: {why}")

    # -------------------------------------------------------------------------------------------- bytes

    def _piece(self, size: int) -> memoryview:
        """The next bytes, at most `size`; empty at the end."""
        left = len(self._chunk) - self._at
        while left <= 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                return memoryview(b"")
            self._chunk, self._at, left = memoryview(chunk), 0, len(chunk)
        taken = min(left, size)
        piece = self._chunk[self._at : self._at + taken]
        self._at += taken
        self._position += taken
        return piece

    def _decompressed(self, file: BinaryIO) -> Iterator[bytes]:
        total = 0
        for chunk in self._by_kind(self._source(file)):
            if not chunk:
                continue
            total += len(chunk)
            if total > self.limits.bytes or (total > _RATIO_COUNTS_FROM and total > _MAX_RATIO * self._read_bytes):
                raise self.refused(f"{self._read_bytes} bytes unpack to more than {total}: a decompression bomb?")
            if self._plain is not None:
                self._plain.update(chunk)
            yield chunk

    def _source(self, file: BinaryIO) -> Iterator[bytes]:
        while chunk := file.read(_CHUNK):
            self._read_bytes += len(chunk)
            if self._compressed is not None:
                self._compressed.update(chunk)
            yield chunk

    def _by_kind(self, source: Iterator[bytes]) -> Iterator[bytes]:
        first = next(source, b"")
        chunks = _again(first, source)
        try:
            if first.startswith(GZIP_MAGIC):
                yield from _inflated(chunks)
            elif first.startswith(ZSTD_MAGIC) or _is_skippable_zstd(first):
                yield from _from_zstd(chunks)
            else:
                yield from chunks
        except zlib.error as exc:
            raise self.refused(f"its gzip stream is damaged ({exc})") from exc
        except _Truncated:
            raise self.refused("its compressed stream ends too early: truncated") from None
        except _BadZstd as exc:
            raise self.refused(f"its zstd stream is damaged ({exc})") from exc


class _Truncated(Exception):
    pass


class _BadZstd(Exception):
    pass


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """gzip with any number of members; zeros after a member are padding, as gzip has it."""
    decoder, is_between = zlib.decompressobj(31), True
    for chunk in chunks:
        rest = chunk.lstrip(b"\0") if is_between else chunk
        while rest:
            is_between = False
            yield decoder.decompress(rest, _CHUNK)
            rest = decoder.unconsumed_tail
            while not rest and not decoder.eof and (more := decoder.decompress(b"", _CHUNK)):
                yield more
            if decoder.eof:
                rest = decoder.unused_data.lstrip(b"\0")
                decoder, is_between = zlib.decompressobj(31), True
    if not is_between:
        raise _Truncated


def _from_zstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """zstd with any number of frames."""
    zstd = _zstd_module()
    decoder, is_between = zstd.ZstdDecompressor(), True
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                is_between = False
                yield decoder.decompress(rest, _CHUNK)
                while not decoder.eof and not decoder.needs_input:
                    yield decoder.decompress(b"", _CHUNK)
                rest = b""
                if decoder.eof:
                    rest = decoder.unused_data
                    decoder, is_between = zstd.ZstdDecompressor(), True
    except zstd.ZstdError as exc:
        raise _BadZstd(str(exc)) from exc
    if not is_between:
        raise _Truncated


def _zstd_module() -> Any:
    """The standard library's from Python 3.14 on, its backport before."""
    import importlib
    import sys

    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _is_skippable_zstd(first: bytes) -> bool:
    return len(first) >= 4 and first[1:4] == b"\x2a\x4d\x18" and first[0] & 0xF0 == 0x50


def _hash_for(digest: str) -> Any:
    """The running hash that a digest names, None for "". Only the algorithms that OCI registers."""
    if not digest:
        return None
    algorithm = digest.partition(":")[0]
    if algorithm not in ("sha256", "sha512"):
        raise LayerRefused(f"digest {digest}: the algorithm {algorithm} is unknown")
    return hashlib.new(algorithm)
