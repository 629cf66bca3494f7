"""Layers become a folder: the root file system of an image, made by an ordinary user from archives that nobody trusts.

Nothing is ever written outside of the root: names that climb or start at `/` are refused, the folder of each entry is found
one component at a time with links followed inside the root only, and every file is made new, never opened through what lies
there. What an ordinary user cannot make (devices, owners, privileged attributes) is left out and said in `notes`.
The tar headers are read by `tarfile`, whose silences (a damaged header counts as the end) are made errors here.
Source: github.com/opencontainers/image-spec v1.1 layer.md; containerd v1.7 pkg/archive/tar.go: applyNaive
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from typing import TYPE_CHECKING, NoReturn

from lifepod.runtime.images.errors import LayerRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lifepod.runtime.images.layer_stream import LayerStream, Limits

_WHITEOUT, _OPAQUE, _AUFS = ".wh.", ".wh..wh..opq", ".wh..wh."
_MAX_LINKS = 40
_MAX_XATTR = 64 * 1024
_PADDING = b"\0" * 512
_XATTR = "SCHILY.xattr."


class RootBuilder:
    """Applies layers, lowest first, to `root`, an empty folder. Call `finish` after the last one.

    One thread, and nobody else may write below `root` meanwhile.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._folders: dict[str, str] = {"": root}
        self._folder_facts: dict[str, tuple[int, int]] = {root: (0o755, -1)}
        self._left_out: dict[str, list[str]] = {}
        self._bytes = 0
        self._entries = 0

    def apply(self, layer: LayerStream) -> None:
        """Unpack one layer to its end. Raises LayerRefused; the root is of no use then."""
        mine = _OwnPaths(self._root)
        member: tarfile.TarInfo | None = None
        try:
            for member in _members(layer):
                self._count(member, layer)
                self._add(member, layer, mine)
            layer.finish()
        except _Refused as exc:
            name = member.name if member is not None else "?"
            raise layer.refused(f"entry {_shown(name)}: {exc}") from None
        except (tarfile.TarError, ValueError, OverflowError, RecursionError, KeyError, IndexError) as exc:
            raise layer.refused(f"its tar archive is damaged ({exc})") from exc
        except OSError as exc:
            name = member.name if member is not None else "?"
            raise layer.refused(f"entry {_shown(name)}: {exc.strerror or exc}") from exc

    def finish(self) -> tuple[str, ...]:
        """Give the folders their modes and times; returns what was left out, in sentences."""
        for path in sorted(self._folder_facts, key=len, reverse=True):
            mode, mtime = self._folder_facts[path]
            if mtime >= 0:
                os.utime(path, ns=(mtime, mtime), follow_symlinks=False)
            os.chmod(path, mode)
        return tuple(_note(kind, names) for kind, names in sorted(self._left_out.items()))

    # -------------------------------------------------------------------------------------------- entries

    def _count(self, member: tarfile.TarInfo, layer: LayerStream) -> None:
        limits: Limits = layer.limits
        self._entries += 1
        if member.isreg():
            self._bytes += member.size
        if self._entries > limits.entries:
            raise layer.refused(f"the image has more than {limits.entries} entries")
        if member.size < 0 or self._bytes > limits.bytes:
            raise layer.refused(f"the image's files are larger than {limits.bytes} bytes together")

    def _add(self, member: tarfile.TarInfo, layer: LayerStream, mine: _OwnPaths) -> None:
        name = _checked(member.name)
        if not name:
            if not member.isdir():
                _refuse("the root of an image is a folder")
            self._folder_facts[self._root] = (member.mode & 0o7777, _mtime(member))
            return
        if name.startswith(_AUFS) and name != _OPAQUE:
            return  # aufs' own bookkeeping
        parent, _, last = name.rpartition("/")
        if last.startswith(_WHITEOUT):
            self._white_out(parent, last, mine)
            return
        folder = self._folders.get(parent) or self._find_folder(parent)
        path = f"{folder}/{last}"
        self._make(member, layer, path)
        if not member.issym() and not member.isdir():
            self._leave_out_owner(member)
        mine.add(folder, path)

    def _make(self, member: tarfile.TarInfo, layer: LayerStream, path: str) -> None:
        if member.isdir():
            self._make_folder(member, path)
        elif member.issym():
            if not member.linkname:
                _refuse("a link to nothing")
            self._replacing(path, lambda: os.symlink(member.linkname, path))
            os.utime(path, ns=(_mtime(member), _mtime(member)), follow_symlinks=False)
        elif member.islnk():
            self._hard_link(member, path)
        elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE):
            self._make_file(member, layer, path)
        elif member.isfifo():
            self._replacing(path, lambda: os.mkfifo(path, member.mode & 0o7777))
        elif member.isdev():
            self._remove(path)
            self._leave_out("device", member.name)
        else:
            _refuse(f"an entry of the unknown type {member.type!r}")

    def _make_folder(self, member: tarfile.TarInfo, path: str) -> None:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                self._remove(path)
                os.mkdir(path, 0o700)
        self._folder_facts[path] = (member.mode & 0o7777, _mtime(member))
        self._leave_out_owner(member)
        if _XATTR in "".join(member.pax_headers):
            self._set_attributes(member, path)

    def _make_file(self, member: tarfile.TarInfo, layer: LayerStream, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except FileExistsError:
            self._remove(path)
            fd = os.open(path, flags, 0o600)
        try:
            if member.sparse is not None:
                _write_sparse(member, layer, fd)
            elif member.size:
                layer.copy(fd, member.size)
            if member.pax_headers and _XATTR in "".join(member.pax_headers):
                self._set_attributes(member, fd)
            os.fchmod(fd, member.mode & 0o7777)
            mtime = _mtime(member)
            os.utime(fd, ns=(mtime, mtime))
        finally:
            os.close(fd)

    def _hard_link(self, member: tarfile.TarInfo, path: str) -> None:
        target = _checked(member.linkname)
        folder, _, last = target.rpartition("/")
        if not last:
            _refuse("a hard link to the root")
        source = f"{self._find_folder(folder, make=False)}/{last}"
        try:
            if stat.S_ISDIR(os.lstat(source).st_mode):
                _refuse(f"a hard link to the folder {_shown(target)}")
        except FileNotFoundError:
            _refuse(f"a hard link to {_shown(target)}, which is not there")
        if source != path:
            self._replacing(path, lambda: os.link(source, path, follow_symlinks=False))

    def _white_out(self, parent: str, last: str, mine: _OwnPaths) -> None:
        """Hide what lower layers have; what this layer itself made stays, whatever the order."""
        name = last[len(_WHITEOUT) :]
        if name in ("", ".", ".."):
            _refuse("a whiteout of a folder above")
        try:
            folder = self._find_folder(parent, make=False)
        except _Missing:
            return
        if last == _OPAQUE:
            for name in os.listdir(folder):
                self._hide(f"{folder}/{name}", mine)
            return
        if last.startswith(_AUFS):
            return  # aufs' own bookkeeping
        if f"{folder}/{name}" not in mine.paths:
            self._hide(f"{folder}/{name}", mine)

    def _hide(self, path: str, mine: _OwnPaths) -> None:
        """Remove a path of lower layers, but for what this layer put below it."""
        if not mine.has(path):
            self._remove(path)
        elif os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                self._hide(f"{path}/{name}", mine)

    # -------------------------------------------------------------------------------------------- places

    def _find_folder(self, name: str, *, make: bool = True) -> str:
        """Where the folder `name` of the image lies; links are followed inside the root, missing folders made."""
        known = self._folders.get(name)
        if known is not None:
            return known
        at: list[str] = []
        rest = name.split("/")[::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not at:
                    _refuse("a link on its way leads out of the root")
                at.pop()
                continue
            path = "/".join((self._root, *at, part))
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:
                if not make:
                    raise _Missing("the folder it names is not there") from None
                os.mkdir(path, 0o700)
                self._folder_facts[path] = (0o755, -1)
                mode = stat.S_IFDIR
            if stat.S_ISLNK(mode):
                links += 1
                if links > _MAX_LINKS:
                    _refuse("links on its way go round in a circle")
                target = os.readlink(path)
                if target.startswith("/"):
                    at.clear()
                rest += target.split("/")[::-1]
            elif stat.S_ISDIR(mode):
                at.append(part)
            elif make:
                _refuse(f"{_shown(part)} on its way is a file")
            else:
                raise _Missing("the folder it names is not there")
        found = "/".join((self._root, *at))
        self._folders[name] = found
        return found

    def _replacing(self, path: str, make: _Make) -> None:
        try:
            make()
        except FileExistsError:
            self._remove(path)
            make()

    def _remove(self, path: str) -> None:
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            self._folders = {"": self._root}
            for gone, _, _ in os.walk(path):
                self._folder_facts.pop(gone, None)
            shutil.rmtree(path)
            return
        if stat.S_ISLNK(mode):
            self._folders = {"": self._root}
        os.unlink(path)

    # -------------------------------------------------------------------------------------------- what is left out

    def _set_attributes(self, member: tarfile.TarInfo, place: int | str) -> None:
        """Users' own attributes are set; others would need privileges, and overlayfs' own would change what is seen."""
        for key, text in member.pax_headers.items():
            if not key.startswith(_XATTR):
                continue
            name, value = key[len(_XATTR) :], text.encode("utf-8", "surrogateescape")
            if not name.startswith("user.") or name.startswith("user.overlay.") or len(value) > _MAX_XATTR:
                self._leave_out("attribute", f"{name} of {member.name}")
                continue
            try:
                os.setxattr(place, name, value)
            except OSError:
                self._leave_out("attribute", f"{name} of {member.name}")

    def _leave_out_owner(self, member: tarfile.TarInfo) -> None:
        if member.uid or member.gid:
            self._leave_out("owner", member.name)

    def _leave_out(self, kind: str, name: str) -> None:
        self._left_out.setdefault(kind, []).append(name)


class _OwnPaths:
    """What the layer under way has made, and the folders above it: its own whiteouts must not hide them."""

    def __init__(self, root: str) -> None:
        self.paths: set[str] = set()
        self._above = {root}

    def add(self, folder: str, path: str) -> None:
        self.paths.add(path)
        while folder not in self._above:
            self._above.add(folder)
            folder = os.path.dirname(folder)

    def has(self, path: str) -> bool:
        return path in self.paths or path in self._above


class _Refused(Exception):
    """Why an entry is refused."""


class _Missing(_Refused):
    """A folder on the way is not there."""


if TYPE_CHECKING:
    from collections.abc import Callable

    _Make = Callable[[], None]


def _refuse(why: str) -> NoReturn:
    raise _Refused(why)


def _members(layer: LayerStream) -> Iterator[tarfile.TarInfo]:
    """The entries, one after the other. An end without the archive's end mark is an error."""
    archive = tarfile.TarFile(fileobj=layer, mode="r", encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]  # forward only
    while (member := archive.next()) is not None:
        yield member
        archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; else every header stays in memory
    if layer.last_header != _PADDING:
        if len(layer.last_header) < len(_PADDING):
            raise layer.refused("it ends without the end mark of a tar archive: truncated")
        raise layer.refused("one of its headers is damaged")


def _checked(name: str) -> str:
    """The name without `./` and slashes at its end. Raises _Refused for what climbs or starts at the root."""
    if name.startswith("/") and name.strip("/"):
        _refuse("an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        _refuse("a name that climbs with `..`")
    if "\0" in name:
        _refuse("a name with a zero byte")
    return "/".join(parts)


def _write_sparse(member: tarfile.TarInfo, layer: LayerStream, fd: int) -> None:
    end = 0
    pieces: Iterable[tuple[int, int]] = member.sparse or ()  # type: ignore[assignment]  # typeshed says bytes
    for offset, size in pieces:
        if offset < end or size < 0 or offset + size > member.size:
            _refuse("a sparse map that contradicts itself")
        end = offset + size
        if size:
            os.lseek(fd, offset, os.SEEK_SET)
            layer.copy(fd, size)
    os.ftruncate(fd, member.size)


def _mtime(member: tarfile.TarInfo) -> int:
    """In nanoseconds; nonsense counts as the epoch."""
    seconds = member.mtime
    return int(seconds * 1_000_000_000) if 0 <= seconds < 2**33 else 0


def _note(kind: str, names: list[str]) -> str:
    count = len(names)
    of = _shown(names[0]) if count == 1 else f"{_shown(names[0])} and {count - 1} more"
    match kind:
        case "device":
            return f"devices are left out: {of}"
        case "owner":
            return f"owners other than root are not kept, the container's user owns everything: {of}"
        case _:
            return f"extended attributes are left out: {of}"


def _shown(name: str) -> str:
    """A name that may be anything, fit for one line of text."""
    return ascii(name if len(name) <= 200 else name[:200] + "…")


__all__ = ["LayerRefused", "RootBuilder"]
