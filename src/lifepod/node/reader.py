"""How a node reads the API's objects: present at once, never changed by reading."""

from __future__ import annotations

from typing import Protocol

from lifepod.api.objects import JsonObject


class Reader(Protocol):
    """Read access; in this process it is the store, on a joined node a cache of watches."""

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None:
        """The object of that name, or None."""
        ...

    def list(self, resource: str, namespace: str = "") -> list[JsonObject]:
        """All objects of a resource, of one namespace or of all."""
        ...
