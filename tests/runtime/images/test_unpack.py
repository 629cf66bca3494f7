"""Layers become a folder: what OCI says of them, and what hostile ones try."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifepod.runtime.images.errors import LayerRefused
from lifepod.runtime.images.layer_stream import LayerStream, Limits
from lifepod.runtime.images.unpack import RootBuilder

from .conftest import Entry, compressed, digest_of, folder, layer, link


def unpacked(root: Path, *layers: bytes, limits: Limits | None = None) -> tuple[str, ...]:
    """Apply tars to a fresh folder; returns what was left out."""
    root.mkdir()
    builder = RootBuilder(str(root))
    for number, tar in enumerate(layers, 1):
        builder.apply(LayerStream(io.BytesIO(tar), f"number {number}", limits=limits or Limits()))
    return builder.finish()


def tree(root: Path) -> dict[str, str]:
    """Every path below the root: a file's text, `-> target` of a link, `/` of a folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            found[name] = "/"
        else:
            found[name] = path.read_text()
    return found


def file(name: str, text: str = "x", **more: object) -> Entry:
    return Entry(name, text.encode(), **more)  # type: ignore[arg-type]


def hard(name: str, target: str) -> Entry:
    return Entry(name, type=tarfile.LNKTYPE, link=target)


WHITEOUTS = {
    "a whiteout removes a file of a lower layer": (
        [layer(file("a"), file("b")), layer(file(".wh.a", ""))],
        {"b": "x"},
    ),
    "a whiteout removes a folder with all it has": (
        [layer(folder("d"), file("d/e/f")), layer(file(".wh.d", ""))],
        {},
    ),
    "a whiteout of what is not there is nothing": ([layer(file("a")), layer(file("q/.wh.b", ""))], {"a": "x"}),
    "a whiteout does not hide what its own layer makes": (
        [layer(file("a", "old")), layer(file("a", "new"), file(".wh.a", ""))],
        {"a": "new"},
    ),
    "an opaque folder hides what lower layers have in it, whatever the order": (
        [layer(file("d/old"), file("d/s/old")), layer(file("d/s/new"), file("d/.wh..wh..opq", ""), file("d/new"))],
        {"d": "/", "d/s": "/", "d/s/new": "x", "d/new": "x"},
    ),
    "aufs' own bookkeeping is no whiteout": ([layer(file(".wh..wh.plnk/1.2", ""), file("a"))], {"a": "x"}),
    "a file over a folder replaces it": ([layer(file("d/f")), layer(file("d", "now"))], {"d": "now"}),
    "a folder over a file replaces it": ([layer(file("d")), layer(folder("d"))], {"d": "/"}),
    "a folder over a link to a folder replaces the link": (
        [layer(folder("a"), file("a/f"), link("l", "a")), layer(folder("l"), file("l/g"))],
        {"a": "/", "a/f": "x", "l": "/", "l/g": "x"},
    ),
    "a file below a link lands where the link leads, inside the root": (
        [layer(folder("usr/lib"), link("lib", "/usr/lib")), layer(file("lib/x"))],
        {"usr": "/", "usr/lib": "/", "usr/lib/x": "x", "lib": "-> /usr/lib"},
    ),
    "a file over a hard link leaves the other name alone": (
        [layer(file("a", "1"), hard("b", "a")), layer(file("b", "2"))],
        {"a": "1", "b": "2"},
    ),
    "a hard link to a link is the link": (
        [layer(link("l", "/etc/shadow"), hard("m", "l"))],
        {"l": "-> /etc/shadow", "m": "-> /etc/shadow"},
    ),
    "links may point anywhere, they are only text": ([layer(link("l", "../../../x"))], {"l": "-> ../../../x"}),
    "a name may start with ./ and end with /": ([layer(folder("./d/"), file("./d//f"))], {"d": "/", "d/f": "x"}),
}


@pytest.mark.parametrize("case", WHITEOUTS, ids=str)
def test_layers_over_layers(case: str, tmp_path: Path) -> None:
    layers, wanted = WHITEOUTS[case]
    unpacked(tmp_path / "root", *layers)
    assert tree(tmp_path / "root") == wanted


def _with_byte(tar: bytes, at: int, value: int) -> bytes:
    return tar[:at] + bytes([value]) + tar[at + 1 :]


def _many(count: int) -> bytes:
    return layer(*(file(f"f{number}") for number in range(count)))


def _sparse(numbers: str, size: int) -> bytes:
    """A sparse file in GNU's form 0.1, its map as given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("s")
        member.size = 4
        member.pax_headers = {"GNU.sparse.map": numbers, "GNU.sparse.size": str(size)}
        archive.addfile(member, io.BytesIO(b"data"))
    return buffer.getvalue()


HOSTILE = {
    "a name that climbs": (layer(file("../evil")), r"entry '\.\./evil': a name that climbs"),
    "a name that climbs in its middle": (layer(file("a/../../evil")), "climbs"),
    "an absolute name": (layer(file("/etc/evil")), "an absolute name"),
    "a hard link that climbs": (layer(hard("x", "../../etc/passwd")), "climbs"),
    "a hard link with an absolute target": (layer(hard("x", "/etc/passwd")), "an absolute name"),
    "a hard link to nothing": (layer(hard("x", "nothing")), "which is not there"),
    "a hard link to a folder": (layer(folder("d"), hard("x", "d")), "a hard link to the folder"),
    "a hard link through a link that leads out": (layer(link("d", ".."), hard("x", "d/y")), "leads out of the root"),
    "a file below a link that leads out": (layer(link("d", "../.."), file("d/evil")), "leads out of the root"),
    "a folder below a link that leads out": (
        layer(link("d", "a/../../.."), folder("a"), folder("d/e")),
        "out of the root",
    ),
    "a whiteout below a link that leads out": (layer(link("d", "../.."), file("d/.wh.x", "")), "leads out of the root"),
    "a whiteout of the folder above": (layer(file("d/.wh...", "")), "a whiteout of a folder above"),
    "a file below a file": (layer(file("a"), file("a/b")), "'a' on its way is a file"),
    "links in a circle": (layer(link("a", "b"), link("b", "a"), file("a/f")), "round in a circle"),
    "a root that is a file": (layer(file("./")), "the root of an image is a folder|damaged"),
    "an unknown type of entry": (layer(Entry("x", type=b"Z")), "unknown type"),
    "a damaged header": (_with_byte(layer(file("a"), file("b")), 1024 + 3, 0x41), "one of its headers is damaged"),
    "a first header that is damaged": (_with_byte(layer(file("a")), 3, 0x41), "damaged"),
    "an archive without its end": (layer(file("a"))[:1024], "without the end mark.*truncated"),
    "an archive cut in a header": (layer(file("a"), file("b"))[:1200], "truncated"),
    "an archive cut in a file": (layer(file("a", "x" * 5000))[:3000], "truncated"),
    "nothing at all": (b"", "damaged|truncated"),
    "a gzip stream cut short": (compressed(_many(9), "gzip")[:-20], "truncated"),
    "a gzip stream that is damaged": (
        _with_byte(compressed(_many(9), "gzip"), 200, 0),
        "gzip stream is damaged|damaged",
    ),
    "a zstd stream cut short": (compressed(_many(9), "zstd")[:-8], "truncated"),
    "a zstd stream that is damaged": (_with_byte(compressed(_many(9), "zstd"), 6, 0xFF), "zstd stream is damaged"),
    "more entries than may be": (_many(12), "more than 10 entries"),
    "more bytes than may be": (layer(file("a", "x" * 200_000)), "larger than 100000 bytes|decompression bomb"),
    "a small file that unpacks to too much": (gzip.compress(layer(file("a", "\0" * 200_000))), "bomb|larger"),
    "a sparse file larger than may be": (_sparse("0,4", 2**40), "larger than 100000 bytes"),
    "a sparse map beyond the file": (_sparse("500,4", 100), "sparse map that contradicts itself"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_a_hostile_or_damaged_layer_is_refused_by_its_name(case: str, tmp_path: Path) -> None:
    tar, text = HOSTILE[case]
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(LayerRefused, match=f"layer number 1: .*({text})"):
        unpacked(outside / "root", tar, limits=Limits(bytes=100_000, entries=10))
    assert os.listdir(outside) == ["root"]
    assert os.listdir(tmp_path) == ["outside"]


def test_a_link_swapped_under_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("safe")
    unpacked(tmp_path / "root", layer(file("a")), layer(link("a", str(victim))), layer(file("a", "evil")))
    assert (victim.read_text(), tree(tmp_path / "root")) == ("safe", {"a": "evil"})


def test_modes_times_and_setuid_bits_are_kept(tmp_path: Path) -> None:
    unpacked(tmp_path / "root", layer(folder("d", 0o1777), file("d/f", mode=0o4755, mtime=1_234_567)))
    found = os.stat(tmp_path / "root/d/f")
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o4755, 1_234_567)
    assert stat.S_IMODE(os.stat(tmp_path / "root/d").st_mode) == 0o1777


def test_a_folder_without_write_permission_gets_its_files_first(tmp_path: Path) -> None:
    unpacked(tmp_path / "root", layer(folder("d", 0o555), file("d/f")))
    assert stat.S_IMODE(os.stat(tmp_path / "root/d").st_mode) == 0o555
    assert (tmp_path / "root/d/f").exists()


def test_sparse_files_keep_their_holes(tmp_path: Path) -> None:
    unpacked(tmp_path / "root", _sparse("1000000,4", 2_000_000))
    made = tmp_path / "root/s"
    assert made.stat().st_size == 2_000_000
    assert made.read_bytes()[1_000_000:1_000_004] == b"data"
    assert made.stat().st_blocks * 512 < 100_000


def test_what_an_ordinary_user_cannot_make_is_left_out_and_said(tmp_path: Path) -> None:
    left_out = unpacked(
        tmp_path / "root",
        layer(
            Entry("dev/null", type=tarfile.CHRTYPE),
            Entry("dev/sda", type=tarfile.BLKTYPE),
            file("home/me", uid=1000),
            file("ping", xattrs=(("security.capability", "x"), ("user.overlay.opaque", "y"))),
        ),
    )
    assert left_out == (
        "extended attributes are left out: 'security.capability of ping' and 1 more",
        "devices are left out: 'dev/null' and 1 more",
        "owners other than root are not kept, the container's user owns everything: 'home/me'",
    )
    assert os.listdir(tmp_path / "root/dev") == []


def test_users_own_attributes_are_kept(tmp_path: Path) -> None:
    unpacked(tmp_path / "root", layer(file("f", xattrs=(("user.colour", "blue"),))))
    assert os.getxattr(tmp_path / "root/f", "user.colour") == b"blue"


@pytest.mark.parametrize("kind", ["", "gzip", "zstd"])
def test_both_digests_are_checked(kind: str, tmp_path: Path) -> None:
    tar = layer(file("a"))
    packed = compressed(tar, kind)
    for digest, diff_id, text in (
        (digest_of(packed), digest_of(tar), ""),
        (digest_of(b""), digest_of(tar), digest_of(packed)),
        (digest_of(packed), digest_of(b""), digest_of(tar)),
    ):
        stream = LayerStream(io.BytesIO(packed), "z", digest, diff_id)
        root = tmp_path / str(len(os.listdir(tmp_path)))
        root.mkdir()
        builder = RootBuilder(str(root))
        if not text:
            builder.apply(stream)
            continue
        with pytest.raises(LayerRefused, match=f"has the digest {text}, not .*: damaged"):
            builder.apply(stream)


def test_several_gzip_members_and_padding_are_one_stream(tmp_path: Path) -> None:
    tar = layer(file("a"), file("b"))
    unpacked(tmp_path / "root", gzip.compress(tar[:700]) + gzip.compress(tar[700:]) + b"\0" * 512)
    assert tree(tmp_path / "root") == {"a": "x", "b": "x"}


_names = st.text("ab./", max_size=8) | st.sampled_from(["../x", "/x", "a/.wh.b", ".wh..wh..opq", "a/../b", ".wh..."])
_entries = st.builds(
    Entry,
    _names,
    st.sampled_from([b"", b"1", b"2" * 600]),
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]),
    _names,
    st.sampled_from([0o644, 0o000, 0o7777]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layers=st.lists(st.lists(_entries, max_size=8), min_size=1, max_size=3), data=st.data())
def test_whatever_the_layers_are_nothing_outside_of_the_root_changes(
    layers: list[list[Entry]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tars = [
        layer(*(e if e.type == tarfile.REGTYPE else e._replace(content=b"") for e in entries)) for entries in layers
    ]
    if data.draw(st.booleans()):
        tars[0] = _with_byte(tars[0], data.draw(st.integers(0, len(tars[0]) - 1)), data.draw(st.integers(0, 255)))
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x").write_text("safe")
    (outside / "b").mkdir()
    with contextlib.suppress(LayerRefused):
        unpacked(outside / "root", *tars)
    assert sorted(os.listdir(outside)) == ["b", "root", "x"]
    assert (outside / "x").read_text() == "safe"
    assert os.listdir(outside / "b") == []
