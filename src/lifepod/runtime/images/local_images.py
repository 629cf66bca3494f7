"""The images of this user: is one here, pull it, import it, remove it, and what is in it.

Everything blocks and may be called from any thread; `local_images` is what the runtime and `lifepod image` share.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from lifepod.runtime.images.docker_config import from_pull_secret, from_user_config
from lifepod.runtime.images.errors import BadImage, ImageError, ImportFailed, LayerRefused, PullFailed
from lifepod.runtime.images.layer_stream import DEFAULT_LIMITS, LayerStream, Limits
from lifepod.runtime.images.manifests import (
    ImageConfig,
    Manifest,
    Platform,
    for_platform,
    is_index,
    parse_config,
    parse_json,
    parse_manifest,
)
from lifepod.runtime.images.store import ImageRecord, Store, chain_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.api.image_reference import ImageReference
    from lifepod.runtime.images.docker_config import Credentials
    from lifepod.runtime.images.registry import Registry

_AT_ONCE = 3
"""Layers fetched in parallel, as containerd's default has it."""


class LocalImage(NamedTuple):
    """An image ready to be run: where its unpacked root lies, what it says of itself, and what was left out."""

    record: ImageRecord
    config: ImageConfig
    chain: str
    root: str
    notes: tuple[str, ...]


class Progress(NamedTuple):
    """How far a pull is, in bytes of what has to be fetched, and how it ended."""

    image: str
    done_bytes: int
    total_bytes: int
    ended: Literal["", "pulled", "failed"] = ""


class Cancelled(ImageError):
    """Whoever wanted the image does not any more."""


class LocalImages:
    """The images in one store. `insecure`: registries that may have a bad certificate or speak plain HTTP."""

    def __init__(
        self,
        folder: str | None = None,
        *,
        insecure: tuple[str, ...] = (),
        platform: Platform | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.store = Store(folder)
        self._insecure = insecure
        self._platform = platform or Platform.here()
        self._limits = limits

    # -------------------------------------------------------------------------------------------- what is here

    def find(self, image: ImageReference) -> ImageRecord | None:
        """The image under this name, if it can be run without asking any registry."""
        record = self.store.find(str(image))
        if record is None and image.digest:
            same = (r for r in self.store.records() if image.digest in (r.target, r.manifest))
            record = next(same, None)
        return record if record is not None and self._is_whole(record) else None

    def _is_whole(self, record: ImageRecord) -> bool:
        """Whether nothing was lost or damaged since: what cannot be opened is absent, so that it is pulled again."""
        try:
            config = parse_config(self.store.read_blob(record.config))
        except (BadImage, OSError):
            return False
        return self.store.has_root(chain_of(config.diff_ids)) or all(map(self.store.has_blob, record.layers))

    def open(self, image: ImageReference, ref: str = "") -> LocalImage:
        """The image ready to be run; `ref` says which, should the name have moved. Raises BadImage."""
        record = self.find(image)
        if record is None or (ref and record.ref != ref):
            record = next((r for r in self.store.records() if ref and ref in (r.ref, r.config)), None)
        if record is None:
            raise BadImage(f'image "{image}": not found')
        return self._opened(record)

    def _opened(self, record: ImageRecord) -> LocalImage:
        config = parse_config(self.store.read_blob(record.config))
        chain = chain_of(config.diff_ids)
        if not self.store.has_root(chain):
            self._unpack(record.layers, config)
        return LocalImage(record, config, chain, self.store.root_path(chain), self.store.notes(chain))

    # -------------------------------------------------------------------------------------------- pulling

    def pull(
        self,
        image: ImageReference,
        pull_secrets: tuple[str, ...] = (),
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> ImageRecord:
        """Fetch what is missing and unpack it. Raises PullFailed with containerd's words.

        `pull_secrets` are texts of `.dockerconfigjson`, tried before the user's own docker configuration.
        """
        from lifepod.runtime.images.registry import Registry

        credentials: list[Credentials] = [c for text in pull_secrets for c in from_pull_secret(text, image)]
        if (own := from_user_config(image)) is not None:
            credentials.append(own)
        registry = Registry(image, tuple(credentials), insecure=self._insecure)
        try:
            with self.store.using():
                return self._pulled(image, registry, on_progress or (lambda _: None), cancelled or threading.Event())
        except BadImage as exc:
            raise PullFailed(f'failed to pull and unpack image "{image}": {exc}') from exc
        except OSError as exc:
            raise PullFailed(f'failed to pull and unpack image "{image}": {exc}') from exc
        finally:
            registry.close()

    def _pulled(
        self,
        image: ImageReference,
        registry: Registry,
        on_progress: Callable[[Progress], None],
        cancelled: threading.Event,
    ) -> ImageRecord:
        resolved = registry.resolve()
        target, content = resolved.digest, resolved.content
        digest = target
        parsed = parse_json(content, "the manifest")
        if is_index(parsed, resolved.media_type):
            digest = for_platform(parsed, self._platform).digest
            self.store.add_blob(content)
            content = registry.manifest(digest)
        manifest = parse_manifest(content)
        self.store.add_blob(content)
        self._fetch(image, manifest, registry, on_progress, cancelled)
        config = parse_config(self.store.read_blob(manifest.config.digest))
        layers = tuple(layer.digest for layer in manifest.layers)
        self._unpack(layers, config)
        name = str(image)
        ref = f"{image.domain}/{image.path}@{target}"
        record = ImageRecord(
            name, ref, target, digest, manifest.config.digest, layers, manifest.size_bytes, time.time()
        )
        self.store.save(record)
        return record

    def _fetch(
        self,
        image: ImageReference,
        manifest: Manifest,
        registry: Registry,
        on_progress: Callable[[Progress], None],
        cancelled: threading.Event,
    ) -> None:
        """Get the missing blobs, several at a time; the first failure ends all."""
        blobs = {blob.digest: blob for blob in (manifest.config, *manifest.layers)}
        missing = [blob for blob in blobs.values() if not self.store.has_blob(blob.digest)]
        total, done = sum(blob.size for blob in missing), 0
        lock, stop = threading.Lock(), threading.Event()
        if total:
            on_progress(Progress(str(image), 0, total))

        def fetch(digest: str, size: int) -> None:
            nonlocal done
            with self.store.new_blob(digest) as file:
                if file is None:
                    return

                def write(chunk: bytes) -> None:
                    nonlocal done
                    if stop.is_set() or cancelled.is_set():
                        raise Cancelled(f'the pull of "{image}" was cancelled')
                    file.write(chunk)
                    with lock:
                        done += len(chunk)
                        on_progress(Progress(str(image), done, total))

                registry.fetch(digest, size, write)

        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE, "lifepod-pull") as pool:
            futures = [pool.submit(fetch, blob.digest, blob.size) for blob in missing]
            try:
                for future in concurrent.futures.as_completed(futures):
                    future.result()
            except BaseException:
                stop.set()
                for future in futures:
                    future.cancel()
                raise

    # -------------------------------------------------------------------------------------------- unpacking

    def _unpack(self, layers: tuple[str, ...], config: ImageConfig) -> None:
        """Make the root of these layers unless it is there. Raises LayerRefused."""
        from lifepod.runtime.images.unpack import RootBuilder

        if len(layers) != len(config.diff_ids):
            raise BadImage(f"the image has {len(layers)} layers but its configuration speaks of {len(config.diff_ids)}")
        chain = chain_of(config.diff_ids)
        with self.store.new_root(chain) as making:
            if making is None:
                return
            builder = RootBuilder(os.path.join(making, "root"))
            for number, (digest, diff_id) in enumerate(zip(layers, config.diff_ids, strict=True), 1):
                name = f"{number} of {len(layers)} ({digest})"
                with self.store.open_blob(digest) as file:
                    try:
                        builder.apply(LayerStream(file, name, digest, diff_id, self._limits))
                    except LayerRefused:
                        # Were it only damaged on this disk, the next pull must fetch it again.
                        self.store.drop_blob(digest)
                        raise
            notes = builder.finish()
            with open(os.path.join(making, "notes.json"), "w", encoding="utf-8") as notes_file:
                json.dump(notes, notes_file)

    # -------------------------------------------------------------------------------------------- files

    def import_file(self, path: str, name: ImageReference | None = None) -> list[ImageRecord]:
        """Bring in the images of a docker-archive or oci-archive. Raises ImportFailed."""
        from lifepod.runtime.images.archives import import_archive

        with self.store.using():
            found = import_archive(path, self.store, self._platform)
            if name is not None and len(found) != 1:
                raise ImportFailed(f"{path} has {len(found)} images: they cannot all be called {name}")
            records = []
            for image in found:
                names = (str(name),) if name is not None else image.names
                if not names:
                    raise ImportFailed(f"the image in {path} has no name: give one with --name")
                layers = tuple(layer.digest for layer in image.manifest.layers)
                try:
                    config = parse_config(self.store.read_blob(image.manifest.config.digest))
                    self._unpack(layers, config)
                except BadImage as exc:
                    raise ImportFailed(f"{path}: {exc}") from exc
                for full in names:
                    digest = image.manifest.config.digest
                    records.append(
                        ImageRecord(
                            full,
                            digest,
                            image.target,
                            image.manifest_digest,
                            digest,
                            layers,
                            image.manifest.size_bytes,
                            time.time(),
                        )
                    )
            for record in records:
                self.store.save(record)
        return records

    def prune(self) -> tuple[int, int]:
        """Remove blobs and roots that no name needs and nothing uses; returns how many."""
        kept = set()
        for record in self.store.records():
            try:
                kept.add(chain_of(parse_config(self.store.read_blob(record.config)).diff_ids))
            except (BadImage, OSError):
                continue
        return self.store.prune(kept)
