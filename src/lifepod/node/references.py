"""Which agents must hear of which ConfigMaps, Secrets and claims: only those whose pods refer to them.

A thousand nodes that all watched every ConfigMap would make each change cost a thousand looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from lifepod.api.objects import JsonObject

Reference: TypeAlias = tuple[str, str, str]
"""(resource, namespace, name)."""


class References:
    """The index: reference → the parts that asked for it, with how many pods each has that refer to it."""

    def __init__(self) -> None:
        self._parts: dict[Reference, dict[str, int]] = {}

    def add(self, part: str, references: Iterable[Reference]) -> None:
        """A pod of `part` refers to these."""
        for reference in references:
            parts = self._parts.setdefault(reference, {})
            parts[part] = parts.get(part, 0) + 1

    def remove(self, part: str, references: Iterable[Reference]) -> None:
        """That pod is gone."""
        for reference in references:
            parts = self._parts.get(reference, {})
            left = parts.get(part, 0) - 1
            if left > 0:
                parts[part] = left
            else:
                parts.pop(part, None)
                if not parts:
                    self._parts.pop(reference, None)

    def forget(self, part: str) -> None:
        """The part is gone, or starts anew."""
        for reference in [r for r, parts in self._parts.items() if part in parts]:
            self._parts[reference].pop(part)
            if not self._parts[reference]:
                del self._parts[reference]

    def parts_of(self, resource: str, namespace: str, name: str) -> tuple[str, ...]:
        """Who must hear of a change of that object."""
        if not self._parts:
            return ()
        return tuple(self._parts.get((resource, namespace, name), ()))


def volume_references(pod: JsonObject) -> frozenset[Reference]:
    """The ConfigMaps and Secrets that a pod's volumes are made of."""
    namespace = pod["metadata"].get("namespace", "")
    found: set[Reference] = set()
    for volume in pod["spec"].get("volumes") or ():
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for source in sources:
            config_map, secret = source.get("configMap"), source.get("secret")
            if config_map:
                found.add(("configmaps", namespace, config_map.get("name", "")))
            if secret:
                found.add(("secrets", namespace, secret.get("secretName") or secret.get("name", "")))
    return frozenset(found)
