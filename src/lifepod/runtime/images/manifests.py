"""What a manifest, an image index and an image's configuration say, checked before anything trusts them.

Source: github.com/opencontainers/image-spec v1.1 manifest.md, image-index.md, config.md; distribution spec: schema 2
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

from lifepod.runtime.images.errors import BadImage

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
OCI_MANIFEST, OCI_CONFIG, OCI_LAYER = (
    MANIFEST_TYPES[0],
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_MAX_LAYERS = 1000
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "AMD64": "amd64"}


class Descriptor(NamedTuple):
    """A blob by its digest."""

    digest: str
    size: int
    media_type: str = ""


class Manifest(NamedTuple):
    """What an image consists of."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size_bytes(self) -> int:
        """What is pulled: configuration and layers, compressed."""
        return self.config.size + sum(layer.size for layer in self.layers)


class ImageConfig(NamedTuple):
    """What an image says of how it wants to be run."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    diff_ids: tuple[str, ...] = ()


class Platform(NamedTuple):
    """What the image is made for."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def here(cls) -> Platform:
        machine = os.uname().machine
        return cls("linux", _ARCHITECTURES.get(machine, machine), "v7" if machine == "armv7l" else "")

    @classmethod
    def parse(cls, text: str) -> Platform:
        """`linux/amd64`, `linux/arm/v7`. Raises ValueError."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueError(f'"{text}" is no platform such as linux/amd64')
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def checked_digest(text: object) -> str:
    """A digest of a known algorithm. Raises BadImage."""
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise BadImage(f"{text!r} is no digest")
    return text


def is_index(content: dict[str, Any], media_type: str = "") -> bool:
    """Whether this is a list of images by platform."""
    return content.get("mediaType", media_type) in INDEX_TYPES or ("manifests" in content and "layers" not in content)


def for_platform(index: dict[str, Any], platform: Platform) -> Descriptor:
    """The image of an index that runs here. Raises BadImage."""
    entries = index.get("manifests")
    candidates = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    fitting = [e for e in candidates if _fits(e.get("platform"), platform)]
    exact = [e for e in fitting if (e.get("platform") or {}).get("variant", "") == platform.variant]
    for entry in (*exact, *fitting):
        return _descriptor(entry)
    images = [e for e in candidates if "platform" not in e and e.get("mediaType") in MANIFEST_TYPES]
    if len(images) == 1 and len(candidates) == 1:
        return _descriptor(images[0])
    raise BadImage(f"no match for platform in manifest: not found (wanted {platform})")


def _fits(found: object, wanted: Platform) -> bool:
    return (
        isinstance(found, dict)
        and found.get("os") == wanted.os
        and found.get("architecture") == wanted.architecture
        and (not wanted.variant or found.get("variant", wanted.variant) == wanted.variant)
    )


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises BadImage."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise BadImage(f"{what} is no JSON: {exc}") from exc
    if not isinstance(content, dict):
        raise BadImage(f"{what} is no JSON object")
    return content


def parse_manifest(data: bytes) -> Manifest:
    """Raises BadImage."""
    content = parse_json(data, "the manifest")
    if content.get("schemaVersion") != 2 or not isinstance(content.get("layers"), list):
        raise BadImage("the manifest is of a form that is not supported (schema 2 and OCI are)")
    layers = tuple(_descriptor(entry) for entry in content["layers"])
    if len(layers) > _MAX_LAYERS:
        raise BadImage(f"the image has {len(layers)} layers, more than {_MAX_LAYERS}")
    return Manifest(_descriptor(content.get("config")), layers)


def _descriptor(entry: object) -> Descriptor:
    if not isinstance(entry, dict):
        raise BadImage("a descriptor of the manifest is no object")
    size = entry.get("size")
    if not isinstance(size, int) or size < 0:
        raise BadImage(f"a descriptor's size is {size!r}")
    return Descriptor(checked_digest(entry.get("digest")), size, str(entry.get("mediaType", "")))


def parse_config(data: bytes) -> ImageConfig:
    """Raises BadImage."""
    content = parse_json(data, "the image's configuration")
    inner = content.get("config") or {}
    rootfs = content.get("rootfs") or {}
    if not isinstance(inner, dict) or not isinstance(rootfs, dict):
        raise BadImage("the image's configuration is of another form")
    diff_ids = rootfs.get("diff_ids") or ()
    pairs = (text.partition("=") for text in _texts(inner.get("Env")))
    return ImageConfig(
        entrypoint=_texts(inner.get("Entrypoint")),
        command=_texts(inner.get("Cmd")),
        env=tuple((name, value) for name, _, value in pairs if name),
        user=str(inner.get("User") or ""),
        working_dir=str(inner.get("WorkingDir") or ""),
        stop_signal=str(inner.get("StopSignal") or ""),
        diff_ids=tuple(checked_digest(d) for d in diff_ids),
    )


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) and "\0" not in v for v in value):
        raise BadImage("the image's configuration has something other than a list of texts")
    return tuple(value)
