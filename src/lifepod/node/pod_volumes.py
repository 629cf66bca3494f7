"""What a pod's volumes are made of at this moment: files of API objects, folders, or why a volume cannot be had.

The files are decided in `lifecycle/volumes.py`; here are the objects looked up, and the volumes that are folders.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from lifepod.api.objects import JsonObject, dig
from lifepod.api.quantity import parse_quantity
from lifepod.lifecycle.environment import Lookups
from lifepod.lifecycle.volumes import Content, MountError, is_made_of_files, volume_files
from lifepod.node.reader import Reader
from lifepod.runtime.base import FileContent, VolumeConfig

MintToken: TypeAlias = Callable[[JsonObject, str, int], Content]
"""(pod, audience, seconds) → a service account token."""
VolumesMade: TypeAlias = tuple[tuple[VolumeConfig, ...], tuple[tuple[str, str], ...]]


def pod_volumes(pod: JsonObject, lookups: Lookups, reader: Reader, mint: MintToken) -> VolumesMade:
    """The volumes that stand, and (volume, text) of those that do not."""
    made: list[VolumeConfig] = []
    failed: list[tuple[str, str]] = []
    for volume in pod["spec"].get("volumes") or ():
        config = _volume(volume, pod, lookups, reader, mint)
        if isinstance(config, MountError):
            failed.append((volume["name"], config.message))
        else:
            made.append(config)
    return tuple(made), tuple(failed)


def _volume(
    volume: JsonObject, pod: JsonObject, lookups: Lookups, reader: Reader, mint: MintToken
) -> VolumeConfig | MountError:
    name = volume["name"]
    if is_made_of_files(volume):
        files = volume_files(volume, pod, lookups, partial(mint, pod))
        if isinstance(files, MountError):
            return files
        return VolumeConfig(name, "files", files=tuple(FileContent(f.path, f.content, f.mode) for f in files))
    if "hostPath" in volume:
        source = volume["hostPath"] or {}
        return VolumeConfig(name, "host", host_path=source.get("path", ""), host_type=source.get("type") or "")
    if "persistentVolumeClaim" in volume:
        return _claim(name, (volume["persistentVolumeClaim"] or {}).get("claimName", ""), pod, reader)
    if "ephemeral" in volume:
        return _claim(name, f"{pod['metadata']['name']}-{name}", pod, reader)
    source = volume.get("emptyDir") or {}
    limit = source.get("sizeLimit")
    size = parse_quantity(str(limit)).value if limit else None
    return VolumeConfig(name, "empty", source.get("medium") or "", size)


def _claim(volume: str, claim_name: str, pod: JsonObject, reader: Reader) -> VolumeConfig | MountError:
    """A bound claim is the folder that its volume names.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go: getPVCExtractPV
    """
    namespace = pod["metadata"].get("namespace", "")
    claim = reader.get("persistentvolumeclaims", namespace, claim_name)
    if claim is None:
        return MountError(f'failed to fetch PVC from API server: persistentvolumeclaims "{claim_name}" not found')
    if dig(claim, "status", "phase") != "Bound" or not dig(claim, "spec", "volumeName"):
        return MountError("PVC is not bound")
    name = str(dig(claim, "spec", "volumeName"))
    bound = reader.get("persistentvolumes", "", name)
    if bound is None:
        return MountError(f'failed to fetch PV {name} from API server: persistentvolumes "{name}" not found')
    source = dig(bound, "spec", "hostPath") or dig(bound, "spec", "local")
    if source is None:
        return MountError(f"no volume plugin matched: {name} is not a folder of this machine (hostPath, local)")
    return VolumeConfig(volume, "claim", host_path=str(source["path"]))
