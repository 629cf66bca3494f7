"""What a pod's volumes are made of at this moment: files of API objects, folders, or why a volume cannot be had.

Source: k8s.io/kubernetes v1.34.4 pkg/volume/configmap/configmap.go, secret/secret.go, projected/projected.go,
        downwardapi/downwardapi.go: collectData, MakePayload
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from lifepod.api.objects import JsonObject, dig
from lifepod.api.quantity import parse_quantity
from lifepod.node.container_environment import ConfigError, PodPlace, Reader, field_value, resource_value
from lifepod.runtime.base import FileContent, VolumeConfig

MintToken = Callable[[JsonObject, str, int], str]
"""(pod, audience, seconds) → a service account token."""


class VolumeError(ConfigError):
    """One volume cannot be set up."""


def pod_volumes(
    place: PodPlace, reader: Reader, mint: MintToken
) -> tuple[tuple[VolumeConfig, ...], tuple[tuple[str, str], ...]]:
    """The volumes that stand, and (volume, text) of those that do not."""
    made: list[VolumeConfig] = []
    failed: list[tuple[str, str]] = []
    for volume in place.pod["spec"].get("volumes") or ():
        try:
            made.append(_volume(volume, place, reader, mint))
        except ConfigError as exc:
            failed.append((volume["name"], str(exc)))
    return tuple(made), tuple(failed)


def _volume(volume: JsonObject, place: PodPlace, reader: Reader, mint: MintToken) -> VolumeConfig:
    name = volume["name"]
    namespace = place.pod["metadata"].get("namespace", "")
    if "emptyDir" in volume:
        source = volume["emptyDir"] or {}
        limit = source.get("sizeLimit")
        size = int(parse_quantity(str(limit)).value) if limit else None
        return VolumeConfig(name, "empty", source.get("medium", ""), size)
    if "hostPath" in volume:
        source = volume["hostPath"] or {}
        return VolumeConfig(name, "host", host_path=source.get("path", ""), host_type=source.get("type") or "")
    if "persistentVolumeClaim" in volume:
        return _claim(volume, namespace, reader)
    if "ephemeral" in volume:
        claim = {"claimName": f"{place.pod['metadata']['name']}-{name}"}
        return _claim({"name": name, "persistentVolumeClaim": claim}, namespace, reader)
    files: tuple[FileContent, ...]
    if "projected" in volume:
        source = volume["projected"] or {}
        mode = source.get("defaultMode", 0o644)
        files = tuple(f for s in source.get("sources") or () for f in _files(s, mode, place, reader, mint))
    elif any(kind in volume for kind in ("configMap", "secret", "downwardAPI")):
        kind = next(k for k in ("configMap", "secret", "downwardAPI") if k in volume)
        mode = (volume[kind] or {}).get("defaultMode", 0o644)
        files = tuple(_files(volume, mode, place, reader, mint))
    else:
        return VolumeConfig(name, "empty")
    return VolumeConfig(name, "files", files=files)


def _claim(volume: JsonObject, namespace: str, reader: Reader) -> VolumeConfig:
    """A bound claim is a folder named after its volume.

    Source: pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go: getPVCExtractPV
    """
    name = (volume["persistentVolumeClaim"] or {}).get("claimName", "")
    claim = reader.get("persistentvolumeclaims", namespace, name)
    if claim is None:
        raise VolumeError(f'failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found')
    if dig(claim, "status", "phase") != "Bound" or not dig(claim, "spec", "volumeName"):
        raise VolumeError(f"PVC is not bound: {namespace}/{name}")
    return VolumeConfig(volume["name"], "claim", host_path=str(dig(claim, "spec", "volumeName")))


def _files(source: JsonObject, mode: int, place: PodPlace, reader: Reader, mint: MintToken) -> list[FileContent]:
    namespace = place.pod["metadata"].get("namespace", "")
    if source.get("configMap") is not None:
        wanted = source["configMap"]
        return _of_object(reader, "configmaps", namespace, wanted.get("name", ""), wanted, mode)
    if source.get("secret") is not None:
        wanted = source["secret"]
        return _of_object(reader, "secrets", namespace, wanted.get("secretName") or wanted.get("name", ""), wanted, mode)
    if source.get("downwardAPI") is not None:
        return [_downward(item, mode, place) for item in source["downwardAPI"].get("items") or ()]
    if source.get("serviceAccountToken") is not None:
        wanted = source["serviceAccountToken"]
        token = mint(place.pod, wanted.get("audience", ""), wanted.get("expirationSeconds") or 3600)
        return [FileContent(wanted.get("path", "token"), token.encode(), mode)]
    return []


def _of_object(
    reader: Reader, resource: str, namespace: str, name: str, wanted: JsonObject, mode: int
) -> list[FileContent]:
    """The keys of a ConfigMap or Secret as files. Raises VolumeError."""
    obj = reader.get(resource, namespace, name)
    optional = bool(wanted.get("optional"))
    if obj is None:
        if optional:
            return []
        raise VolumeError(f'{resource[:-1]} "{name}" not found')
    contents = _contents(obj)
    items = wanted.get("items")
    if not items:
        return [FileContent(key, content, mode) for key, content in sorted(contents.items())]
    found = []
    for item in items:
        if item["key"] in contents:
            item_mode = item.get("mode")
            found.append(FileContent(item["path"], contents[item["key"]], mode if item_mode is None else item_mode))
        elif not optional:
            what = "configmap references non-existent config" if resource == "configmaps" else "references non-existent secret"
            raise VolumeError(f"{what} key: {item['key']}")
    return found


def _contents(obj: JsonObject) -> dict[str, bytes]:
    if obj.get("kind") == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {**{key: text.encode() for key, text in (obj.get("data") or {}).items()}, **binary}


def _downward(item: JsonObject, mode: int, place: PodPlace) -> FileContent:
    item_mode = item.get("mode")
    if item.get("fieldRef"):
        text = field_value(item["fieldRef"].get("fieldPath", ""), place)
    else:
        text = resource_value(item.get("resourceFieldRef") or {}, {}, place)
    return FileContent(item["path"], text.encode(), mode if item_mode is None else item_mode)
