"""What whoever asks for a deprecated version of a custom kind is told.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/customresource_handler.go: defaultDeprecationWarning
        k8s.io/apimachinery v0.34.4 pkg/version/helpers.go: CompareKubeAwareVersionStrings
"""

from __future__ import annotations

import re
from typing import Final

from lifepod.api.objects import JsonObject

_VERSION: Final = re.compile(r"v([0-9]+)(?:(alpha|beta)([0-9]+))?")
_STAGES: Final = ("", "beta", "alpha")


def deprecation_of(spec: JsonObject, version: JsonObject) -> str:
    """The warning for a version of a definition's spec; "" when it is not deprecated."""
    if not version.get("deprecated"):
        return ""
    own = version.get("deprecationWarning")
    if own is not None:
        return str(own)
    group, kind, name = spec["group"], spec["names"]["kind"], version["name"]
    text = f"{group}/{name} {kind} is deprecated"
    others = [v["name"] for v in spec["versions"] if v.get("served") and not v.get("deprecated")]
    better = [other for other in others if _place(other) < _place(name)]
    return f"{text}; use {group}/{min(better, key=_place)} {kind}" if better else text


def _place(version: str) -> tuple[int, int, int, int, str]:
    """Where a version stands among others, the most finished and newest first; names that are no versions come last."""
    read = _VERSION.fullmatch(version)
    if read is None:
        return 1, 0, 0, 0, version
    major, stage, minor = read.groups(default="")
    return 0, _STAGES.index(stage), -int(major), -int(minor or 0), ""
