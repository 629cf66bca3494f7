"""Images from files: what `docker save`, `podman save` and `skopeo copy` write (docker-archive and oci-archive).

The archive is read in place when it is plain; a compressed one is first unpacked beside the store. Blobs are checked on
their way in, layers again when they are unpacked.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import shutil
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO

from lifepod.api.image_reference import BadReference, parse
from lifepod.runtime.images.errors import BadImage, ImportFailed
from lifepod.runtime.images.layer_stream import LayerStream
from lifepod.runtime.images.manifests import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Manifest,
    Platform,
    checked_digest,
    for_platform,
    is_index,
    parse_config,
    parse_json,
    parse_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lifepod.runtime.images.store import Store

_MAX_JSON = 8 * 1024 * 1024
_CHUNK = 1024 * 1024
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class Imported:
    """One image of an archive, its blobs in the store. `names` are full names, perhaps none."""

    def __init__(self, names: tuple[str, ...], target: str, manifest_digest: str, manifest: Manifest) -> None:
        self.names = names
        self.target = target
        self.manifest_digest = manifest_digest
        self.manifest = manifest


def import_archive(path: str, store: Store, platform: Platform) -> list[Imported]:
    """Bring every image of the file into the store. Raises ImportFailed."""
    try:
        with open(path, "rb") as file, _plain(file, store) as plain, tarfile.open(fileobj=plain, mode="r:") as archive:
            members = _Members(archive)
            if "index.json" in members.by_name and "oci-layout" in members.by_name:
                return list(_from_oci(members, store, platform))
            if "manifest.json" in members.by_name:
                return list(_from_docker(members, store))
    except (tarfile.TarError, EOFError, BadImage, RecursionError) as exc:
        raise ImportFailed(f"{path} is no image archive that can be used: {exc}") from exc
    except OSError as exc:
        raise ImportFailed(f"{path} cannot be read: {exc.strerror or exc}") from exc
    raise ImportFailed(f"{path} has neither index.json (oci-archive) nor manifest.json (docker-archive) in it")


def _plain(file: BinaryIO, store: Store) -> BinaryIO:
    """The archive itself, or its unpacked copy without a name when it is compressed."""
    start = file.read(512)
    file.seek(0)
    if len(start) == 512 and start[257:262] == b"ustar":
        return file
    copy = tempfile.TemporaryFile(dir=os.path.join(store.folder, "tmp"))  # noqa: SIM115 - the caller closes it
    stream = LayerStream(file, "archive")
    while chunk := stream.read(_CHUNK):
        copy.write(chunk)
    copy.seek(0)
    return copy


class _Members:
    """The archive's files by name; links between them are followed, as `docker save` uses them for equal layers."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.by_name = {posixpath.normpath(member.name): member for member in archive}

    def open(self, name: str) -> tuple[BinaryIO, int]:
        name = posixpath.normpath(name)
        for _ in range(8):
            member = self.by_name.get(name)
            if member is None:
                break
            if member.isreg():
                file = self._archive.extractfile(member)
                assert file is not None
                return file, member.size  # type: ignore[return-value]  # an IO[bytes]
            if not member.issym() and not member.islnk():
                break
            folder = posixpath.dirname(name) if member.issym() else ""
            name = posixpath.normpath(posixpath.join(folder, member.linkname))
        raise BadImage(f"{name!r} is missing in the archive")

    def read(self, name: str) -> bytes:
        file, size = self.open(name)
        if size > _MAX_JSON:
            raise BadImage(f"{name!r} is {size} bytes long")
        return file.read()


# ------------------------------------------------------------------------------------------------ oci-archive


def _from_oci(members: _Members, store: Store, platform: Platform) -> Iterator[Imported]:
    index = parse_json(members.read("index.json"), "index.json")
    entries = index.get("manifests")
    if not isinstance(entries, list) or not entries:
        raise BadImage("index.json names no image")
    by_digest: dict[str, list[str]] = {}
    for entry in entries:
        if isinstance(entry, dict):
            names = by_digest.setdefault(checked_digest(entry.get("digest")), [])
            names += _names_of(entry)
    for target, names in by_digest.items():
        digest, content = target, _checked_blob(members, target)
        if is_index(parsed := parse_json(content, "the index")):
            digest = for_platform(parsed, platform).digest
            store.add_blob(content)
            content = _checked_blob(members, digest)
        manifest = parse_manifest(content)
        store.add_blob(content)
        for blob in (manifest.config, *manifest.layers):
            _take_blob(members, store, blob.digest)
        yield Imported(tuple(dict.fromkeys(names)), target, digest, manifest)


def _names_of(entry: dict[str, Any]) -> list[str]:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return []
    for key in _NAMES:
        text = str(annotations.get(key) or "")
        # A bare tag is all that `ref.name` has to be; it names no image.
        if text and ("/" in text or ":" in text):
            return _full_names([text])
    return []


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _checked_blob(members: _Members, digest: str) -> bytes:
    content = members.read(_blob_name(digest))
    if hashlib.new(digest.partition(":")[0], content).hexdigest() != digest.partition(":")[2]:
        raise BadImage(f"blob {digest} of the archive is damaged")
    return content


def _take_blob(members: _Members, store: Store, digest: str) -> None:
    if store.has_blob(digest):
        return
    file, _ = members.open(_blob_name(digest))
    running = hashlib.new(digest.partition(":")[0])
    with store.new_blob(digest) as blob:
        if blob is None:
            return
        while chunk := file.read(_CHUNK):
            running.update(chunk)
            blob.write(chunk)
        if running.hexdigest() != digest.partition(":")[2]:
            raise BadImage(f"blob {digest} of the archive is damaged")


# ------------------------------------------------------------------------------------------------ docker-archive


def _from_docker(members: _Members, store: Store) -> Iterator[Imported]:
    try:
        entries = json.loads(members.read("manifest.json"))
    except ValueError as exc:
        raise BadImage(f"manifest.json is no JSON: {exc}") from exc
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise BadImage("manifest.json is no list of images")
    for entry in entries:
        config_text = members.read(str(entry.get("Config")))
        config = parse_config(config_text)
        names = entry.get("Layers")
        if not isinstance(names, list) or len(names) != len(config.diff_ids):
            raise BadImage("manifest.json and the image's configuration disagree about the layers")
        layers = [_take_layer(members, store, str(name)) for name in names]
        described: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": OCI_CONFIG,
                "digest": store.add_blob(config_text),
                "size": len(config_text),
            },
            "layers": [{"mediaType": OCI_LAYER, "digest": digest, "size": size} for digest, size in layers],
        }
        content = json.dumps(described, sort_keys=True).encode()
        digest = store.add_blob(content)
        tags = [str(tag) for tag in entry.get("RepoTags") or ()]
        yield Imported(tuple(_full_names(tags)), digest, digest, parse_manifest(content))


def _take_layer(members: _Members, store: Store, name: str) -> tuple[str, int]:
    """A layer, whose digest only its bytes tell."""
    file, size = members.open(name)
    digest = "sha256:" + _sha256(file)
    if not store.has_blob(digest):
        file.seek(0)
        with store.new_blob(digest) as blob:
            if blob is not None:
                shutil.copyfileobj(file, blob, _CHUNK)
    return digest, size


def _sha256(file: BinaryIO) -> str:
    running = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        running.update(chunk)
    return running.hexdigest()


def _full_names(names: list[str]) -> list[str]:
    full = []
    for name in names:
        try:
            full.append(str(parse(name).with_default_tag))
        except BadReference as exc:
            raise BadImage(f"the archive's image has the name {name!r}: {exc}") from exc
    return full
