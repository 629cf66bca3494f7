"""What a volume, and the sources inside it, mean when fields are left out.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Volume and the volume sources
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject
from lifepod.api.pull_policy import default_pull_policy

_MODE = 0o644
_TOKEN_SECONDS = 3600
_WITH_MODE = ("secret", "configMap", "downwardAPI", "projected")


def default_volume(volume: JsonObject) -> JsonObject:
    """A volume with no source is an emptyDir; files of secrets, config maps and the like are readable by all (0644)."""
    changed: JsonObject = {}
    if not any(value is not None for name, value in volume.items() if name != "name"):
        return {**volume, "emptyDir": {}}
    for source in _WITH_MODE:
        held = volume.get(source)
        if held is not None and held.get("defaultMode") is None:
            changed[source] = {**held, "defaultMode": _MODE}
    for source, default in _DEFAULTS.items():
        held = volume.get(source)
        if held is not None:
            given: JsonObject = changed.get(source) or held
            filled = default(given)
            if filled is not given:
                changed[source] = filled
    return {**volume, **changed} if changed else volume


def _default_host_path(source: JsonObject) -> JsonObject:
    return source if source.get("type") is not None else {**source, "type": ""}


def _default_image(source: JsonObject) -> JsonObject:
    if source.get("pullPolicy"):
        return source
    return {**source, "pullPolicy": default_pull_policy(str(source.get("reference") or ""))}


def _default_ephemeral(source: JsonObject) -> JsonObject:
    template = source.get("volumeClaimTemplate")
    if template is None or (template.get("spec") or {}).get("volumeMode") is not None:
        return source
    spec = {**(template.get("spec") or {}), "volumeMode": "Filesystem"}
    return {**source, "volumeClaimTemplate": {**template, "spec": spec}}


def _default_downward(source: JsonObject) -> JsonObject:
    items = source.get("items")
    if not items:
        return source
    filled = [_default_downward_file(item) for item in items]
    return source if all(a is b for a, b in zip(filled, items, strict=True)) else {**source, "items": filled}


def _default_downward_file(item: JsonObject) -> JsonObject:
    ref = item.get("fieldRef")
    return {**item, "fieldRef": {**ref, "apiVersion": "v1"}} if ref is not None and not ref.get("apiVersion") else item


def _default_projected(source: JsonObject) -> JsonObject:
    projections = source.get("sources")
    if not projections:
        return source
    filled = [_default_projection(projection) for projection in projections]
    same = all(a is b for a, b in zip(filled, projections, strict=True))
    return source if same else {**source, "sources": filled}


def _default_projection(projection: JsonObject) -> JsonObject:
    token = projection.get("serviceAccountToken")
    if token is not None and token.get("expirationSeconds") is None:
        return {**projection, "serviceAccountToken": {**token, "expirationSeconds": _TOKEN_SECONDS}}
    downward = projection.get("downwardAPI")
    if downward is not None:
        filled = _default_downward(downward)
        return projection if filled is downward else {**projection, "downwardAPI": filled}
    return projection


def _default_iscsi(source: JsonObject) -> JsonObject:
    return source if source.get("iscsiInterface") else {**source, "iscsiInterface": "default"}


def _default_rbd(source: JsonObject) -> JsonObject:
    usual = {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}
    missing = {name: value for name, value in usual.items() if not source.get(name)}
    return {**source, **missing} if missing else source


def _default_scale_io(source: JsonObject) -> JsonObject:
    usual = {"storageMode": "ThinProvisioned", "fsType": "xfs"}
    missing = {name: value for name, value in usual.items() if not source.get(name)}
    return {**source, **missing} if missing else source


_DEFAULTS = {
    "hostPath": _default_host_path,
    "image": _default_image,
    "ephemeral": _default_ephemeral,
    "downwardAPI": _default_downward,
    "projected": _default_projected,
    "iscsi": _default_iscsi,
    "rbd": _default_rbd,
    "scaleIO": _default_scale_io,
}
