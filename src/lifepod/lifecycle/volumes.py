"""Which files do volumes made of API objects hold, and why can one not be set up? (lifecycle.md §9.1)"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.lifecycle.environment import ConfigError, Lookups, container_of, field_text, resource_text, secret_bytes

DEFAULT_MODE = 0o644


class Late:
    """A file's bytes, made when somebody first reads them, always the same: a token, which most containers never look at.

    `content`: the bytes, or what makes them.
    """

    __slots__ = ("_content",)

    def __init__(self, content: bytes | Callable[[], bytes]) -> None:
        self._content = content

    def read(self) -> bytes:
        """The bytes."""
        if not isinstance(self._content, bytes):
            self._content = self._content()
        return self._content

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Late) and self.read() == other.read())

    def __hash__(self) -> int:
        """From the bytes alone, the same in every process."""
        return int.from_bytes(self.read()[-8:])

    def __reduce__(self) -> tuple[type[Late], tuple[bytes]]:
        return Late, (self.read(),)


Content = bytes | Late
Token = Callable[[str, int], Content]
"""(audience, seconds until it expires) → a service account token."""


def bytes_of(content: Content) -> bytes:
    """A file's bytes, made by now."""
    return content.read() if isinstance(content, Late) else content


class VolumeFile(NamedTuple):
    """One file, its path inside the volume."""

    path: str
    content: Content
    mode: int


class MountError(NamedTuple):
    """The volume cannot be set up: what stands after `MountVolume.SetUp failed for volume "v" : `."""

    message: str


Files = tuple[VolumeFile, ...]


def is_made_of_files(volume: JsonObject) -> bool:
    """Whether the volume's content comes from API objects."""
    return any(k in volume for k in ("configMap", "secret", "downwardAPI", "projected"))


def volume_files(volume: JsonObject, pod: JsonObject, lookups: Lookups, token: Token) -> Files | MountError:
    """The whole content of a configMap, secret, downwardAPI or projected volume."""
    if (source := volume.get("configMap")) is not None:
        return _config_map(source, source.get("defaultMode"), lookups)
    if (source := volume.get("secret")) is not None:
        return _secret({**source, "name": source.get("secretName", "")}, source.get("defaultMode"), lookups)
    if (source := volume.get("downwardAPI")) is not None:
        return _downward(source, source.get("defaultMode"), pod, lookups)
    if (source := volume.get("projected")) is not None:
        return _projected(source, pod, lookups, token)
    return MountError("unsupported volume")


def _projected(volume: JsonObject, pod: JsonObject, lookups: Lookups, token: Token) -> Files | MountError:
    """The sources one after the other; a later one wins. All errors are told together.

    Source: k8s.io/kubernetes v1.34.4 pkg/volume/projected/projected.go: collectData
    """
    mode, out, errors = volume.get("defaultMode"), {}, []
    for source in volume.get("sources") or ():
        made: Files | MountError = ()
        if (s := source.get("configMap")) is not None:
            made = _config_map(s, mode, lookups)
        elif (s := source.get("secret")) is not None:
            made = _secret(s, mode, lookups)
        elif (s := source.get("downwardAPI")) is not None:
            made = _downward(s, mode, pod, lookups)
        elif (s := source.get("serviceAccountToken")) is not None:
            content = token(s.get("audience") or "", s.get("expirationSeconds") or 3600)
            made = (VolumeFile(s["path"], content, DEFAULT_MODE if mode is None else mode),)
        if isinstance(made, MountError):
            errors.append(made.message)
            continue
        out.update({f.path: f for f in made})
    if errors:
        return MountError(errors[0] if len(errors) == 1 else "[" + ", ".join(errors) + "]")
    return tuple(out.values())


def _config_map(source: JsonObject, mode: int | None, lookups: Lookups) -> Files | MountError:
    found = lookups.config_map(source.get("name", ""))
    if found is None:
        return () if source.get("optional") else MountError(f'configmap "{source.get("name", "")}" not found')
    payload = {k: v.encode() for k, v in (found.get("data") or {}).items()}
    payload |= {k: base64.b64decode(v) for k, v in (found.get("binaryData") or {}).items()}
    return _picked(source, payload, mode, "configmap references non-existent config key: ")


def _secret(source: JsonObject, mode: int | None, lookups: Lookups) -> Files | MountError:
    found = lookups.secret(source.get("name", ""))
    if found is None:
        return () if source.get("optional") else MountError(f'secret "{source.get("name", "")}" not found')
    payload = {k: secret_bytes(v) for k, v in (found.get("data") or {}).items()}
    return _picked(source, payload, mode, "references non-existent secret key: ")


def _picked(source: JsonObject, payload: dict[str, bytes], mode: int | None, missing: str) -> Files | MountError:
    """All keys, or the listed items only.

    Source: k8s.io/kubernetes v1.34.4 pkg/volume/configmap/configmap.go: MakePayload
    """
    default = DEFAULT_MODE if mode is None else mode
    items = source.get("items")
    if not items:
        return tuple(VolumeFile(k, payload[k], default) for k in sorted(payload))
    out = []
    for item in items:
        key = item["key"]
        if key not in payload:
            if source.get("optional"):
                continue
            return MountError(missing + key)
        own = item.get("mode")
        out.append(VolumeFile(item["path"], payload[key], default if own is None else own))
    return tuple(out)


def _downward(source: JsonObject, mode: int | None, pod: JsonObject, lookups: Lookups) -> Files | MountError:
    out = []
    for item in source.get("items") or ():
        if ref := item.get("fieldRef"):
            text = field_text(pod, ref.get("fieldPath", ""), lookups)
        else:
            ref = item.get("resourceFieldRef") or {}
            text = resource_text(ref, container_of(pod, ref.get("containerName", "")), lookups)
        if isinstance(text, ConfigError):
            return MountError(text.message)
        own = item.get("mode")
        out.append(
            VolumeFile(item["path"], text.encode(), (DEFAULT_MODE if mode is None else mode) if own is None else own)
        )
    return tuple(out)
