"""Where images lie on disk: blobs by their digest, unpacked roots by what they are made of, and names.

One folder serves all clusters of a user, and several processes at once. What stands under its final name is whole: everything
is made under `tmp/` and renamed. Locks are the kernel's (flock), so a killed process leaves none behind; what it left in
`tmp/` is swept by the next one that may.

    blobs/sha256/<hex>   as pulled        names/<hash>.json   which image a name is
    roots/<chain>/       unpacked         tmp/                under way; a file in it is locked while in use
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from lifepod.runtime.images.errors import BadImage
from lifepod.runtime.volume_folders import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ImageRecord(NamedTuple):
    """An image under one name. `ref` is what a status shows as imageID; `config` names its configuration's blob."""

    name: str
    ref: str
    target: str
    manifest: str
    config: str
    layers: tuple[str, ...]
    size_bytes: int
    added_at: float = 0.0


def default_folder(environment: Mapping[str, str] = os.environ) -> str:
    """The user's cache folder."""
    home = environment.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "lifepod", "images")


class Store:
    """The store in one folder, made if need be."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = os.path.abspath(folder or default_folder())
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        for name in ("blobs/sha256", "blobs/sha512", "roots", "names", "tmp"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700, exist_ok=True)
        # Files with setuid bits and devices of images lie below: nobody else may get in.
        os.chmod(self.folder, 0o700)

    def _path(self, *parts: str) -> str:
        return os.path.join(self.folder, *parts)

    # -------------------------------------------------------------------------------------------- blobs

    def blob_path(self, digest: str) -> str:
        algorithm, _, value = digest.partition(":")
        return self._path("blobs", algorithm, value)

    def has_blob(self, digest: str) -> bool:
        return os.path.exists(self.blob_path(digest))

    def open_blob(self, digest: str) -> BinaryIO:
        return open(self.blob_path(digest), "rb")

    def read_blob(self, digest: str) -> bytes:
        """A small blob, checked again. Raises BadImage when the disk has damaged it."""
        with self.open_blob(digest) as file:
            content = file.read()
        if hashlib.new(digest.partition(":")[0], content).hexdigest() != digest.partition(":")[2]:
            self.drop_blob(digest)
            raise BadImage(f"the stored {digest} is damaged; it was dropped: pull the image again")
        return content

    def drop_blob(self, digest: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.blob_path(digest))

    def add_blob(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        with self.new_blob(digest) as blob:
            if blob is not None:
                blob.write(content)
        return digest

    @contextlib.contextmanager
    def new_blob(self, digest: str) -> Iterator[BinaryIO | None]:
        """An empty file that becomes the blob if the block ends well; None when another process made it meanwhile."""
        partial = self._path("tmp", digest.replace(":", "-"))
        with _locked(partial) as file:
            if self.has_blob(digest):
                _unlink(partial)
                yield None
                return
            file.truncate(0)
            file.seek(0)
            yield file
            file.flush()
            os.chmod(partial, 0o600)
            os.replace(partial, self.blob_path(digest))

    # -------------------------------------------------------------------------------------------- unpacked roots

    def root_path(self, chain: str) -> str:
        """Where the root made of these layers lies, `chain` being `chain_of` them."""
        return self._path("roots", chain, "root")

    def has_root(self, chain: str) -> bool:
        return os.path.isdir(self.root_path(chain))

    @contextlib.contextmanager
    def new_root(self, chain: str) -> Iterator[str | None]:
        """An empty folder that becomes the root if the block ends well; None when another process made it meanwhile."""
        name = f"root-{chain}"
        with _locked(self._path("tmp", name + ".lock")):
            if self.has_root(chain):
                yield None
                return
            making = self._path("tmp", name)
            remove_tree(making)
            os.makedirs(os.path.join(making, "root"))
            try:
                yield making
                os.rename(making, self._path("roots", chain))
            except BaseException:
                remove_tree(making)
                raise

    def notes(self, chain: str) -> tuple[str, ...]:
        """What was left out when the root was unpacked."""
        try:
            with open(self._path("roots", chain, "notes.json"), encoding="utf-8") as file:
                return tuple(json.load(file))
        except (OSError, ValueError):
            return ()

    def hold_root(self, chain: str) -> int:
        """An fd that keeps `prune` from the root while it is open. Raises FileNotFoundError."""
        fd = os.open(self._path("roots", chain), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            if not self.has_root(chain):
                raise FileNotFoundError(self.root_path(chain))
        except BaseException:
            os.close(fd)
            raise
        return fd

    # -------------------------------------------------------------------------------------------- names

    def _name_path(self, name: str) -> str:
        return self._path("names", hashlib.sha256(name.encode()).hexdigest() + ".json")

    def find(self, name: str) -> ImageRecord | None:
        """The image under a full name, if it is here."""
        return _read_record(self._name_path(name))

    def records(self) -> list[ImageRecord]:
        """Every name, sorted."""
        found = (_read_record(self._path("names", f)) for f in os.listdir(self._path("names")) if f.endswith(".json"))
        return sorted(record for record in found if record is not None)

    def save(self, record: ImageRecord) -> None:
        path = self._name_path(record.name)
        fresh = f"{path}.{secrets.token_hex(4)}"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump(record._asdict(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)

    def forget(self, name: str) -> bool:
        """Remove a name; what it named stays until `prune`."""
        try:
            os.unlink(self._name_path(name))
        except FileNotFoundError:
            return False
        return True

    # -------------------------------------------------------------------------------------------- sweeping

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """While blobs are fetched that no name holds yet: `prune` waits."""
        with _locked(self._path("lock"), shared=True):
            yield

    def prune(self, kept_chains: set[str]) -> tuple[int, int]:
        """Remove what no name needs and no running container uses; returns how many blobs and roots went."""
        blobs = roots = 0
        with _locked(self._path("lock")):
            kept = {d for r in self.records() for d in (r.target, r.manifest, r.config, *r.layers)}
            for algorithm in ("sha256", "sha512"):
                for value in os.listdir(self._path("blobs", algorithm)):
                    if f"{algorithm}:{value}" not in kept:
                        _unlink(self._path("blobs", algorithm, value))
                        blobs += 1
            for chain in os.listdir(self._path("roots")):
                if chain not in kept_chains and self._remove_root(chain):
                    roots += 1
            for name in os.listdir(self._path("tmp")):
                path = self._path("tmp", name)
                (remove_tree if os.path.isdir(path) else _unlink)(path)
            for name in os.listdir(self._path("names")):
                if not name.endswith(".json"):
                    _unlink(self._path("names", name))
        return blobs, roots

    def _remove_root(self, chain: str) -> bool:
        path = self._path("roots", chain)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            doomed = self._path("tmp", f"doomed-{chain}")
            os.rename(path, doomed)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        remove_tree(doomed)
        return True


def chain_of(diff_ids: tuple[str, ...]) -> str:
    """What an unpacked root is known by: its layers in their order.

    Source: github.com/opencontainers/image-spec v1.1 config.md: Layer ChainID
    """
    chain = diff_ids[0] if diff_ids else "sha256:" + hashlib.sha256(b"").hexdigest()
    for diff_id in diff_ids[1:]:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest()
    return chain.replace(":", "-")


@contextlib.contextmanager
def _locked(path: str, *, shared: bool = False) -> Iterator[BinaryIO]:
    """The file at `path`, made if need be, under a lock; renamed away by another process, the new one is taken."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if _is_same(file, path):
                yield file
                return
        finally:
            file.close()


def _is_same(file: BinaryIO, path: str) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    ours = os.fstat(file.fileno())
    return (found.st_ino, found.st_dev) == (ours.st_ino, ours.st_dev)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _read_record(path: str) -> ImageRecord | None:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        return ImageRecord(**{**content, "layers": tuple(content["layers"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
