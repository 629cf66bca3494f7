"""Fuzz the unpacker with atheris: `python tests/runtime/images/fuzz_unpack.py -max_total_time=60`.

Whatever the bytes of a layer are, it is unpacked or refused by name, and nothing outside of the root changes. Not collected by
pytest; `.ci/long` runs it for a minute.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
import tempfile

import atheris

with atheris.instrument_imports():
    from lifepod.runtime.images.errors import LayerRefused
    from lifepod.runtime.images.layer_stream import LayerStream, Limits
    from lifepod.runtime.images.unpack import RootBuilder

_NAMES = ("a", "a/b", "../x", "/x", ".wh.a", "a/.wh..wh..opq", "b", "b/a", "..", ".", "a/../../b")
_TYPES = (
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    b"S",
    b"L",
)


def _tar(given: atheris.FuzzedDataProvider) -> bytes:
    """Entries that make sense, of which some bytes are then changed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=given.PickValueInList([0, 1, 2])) as archive:
        for _ in range(given.ConsumeIntInRange(0, 6)):
            member = tarfile.TarInfo(given.PickValueInList(list(_NAMES)))
            member.type = given.PickValueInList(list(_TYPES))
            member.linkname = given.PickValueInList(list(_NAMES))
            member.mode = given.ConsumeIntInRange(0, 0o7777)
            content = given.ConsumeBytes(600) if member.type == tarfile.REGTYPE else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    made = bytearray(buffer.getvalue()[: 512 * 24])
    for _ in range(given.ConsumeIntInRange(0, 8)):
        made[given.ConsumeIntInRange(0, len(made) - 1)] = given.ConsumeIntInRange(0, 255)
    return bytes(made)


def one_input(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    layers = [_tar(given) for _ in range(2)] if given.ConsumeBool() else [given.ConsumeBytes(4096)]
    outside = tempfile.mkdtemp(prefix="lifepod-fuzz-")
    try:
        for name in ("x", "a", "b"):
            os.mkdir(os.path.join(outside, name))
        root = os.path.join(outside, "root")
        os.mkdir(root)
        builder = RootBuilder(root)
        try:
            for layer in layers:
                builder.apply(LayerStream(io.BytesIO(layer), "fuzzed", limits=Limits(1_000_000, 100)))
            builder.finish()
        except LayerRefused as refused:
            if "layer fuzzed" not in str(refused):
                raise
        assert sorted(os.listdir(outside)) == ["a", "b", "root", "x"], os.listdir(outside)
        assert not any(os.listdir(os.path.join(outside, name)) for name in ("x", "a", "b"))
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def main() -> None:
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
