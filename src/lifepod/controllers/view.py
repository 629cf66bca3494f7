"""What a controller may read: a picture of the API's objects, always present, never changed by reading.

`controller_manager/store_view.py` gives it over the store's indexes; tests give it over plain dicts. A controller reads
everything it needs from here at each look, so a lost or doubled notice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from lifepod.api.objects import JsonObject

Key: TypeAlias = tuple[str, ...]
"""What one look is about: mostly (namespace, name); each controller says what its keys mean."""


class View(Protocol):
    """The present objects. Resources are spelled `pods`, `jobs.batch`; namespace "" is that of cluster-wide objects."""

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None:
        """The object of that name, or None."""
        ...

    def list(self, resource: str, namespace: str | None = None) -> Sequence[JsonObject]:
        """All objects of a resource, of one namespace or (None) of all, ordered by namespace and name."""
        ...

    def owned_by(self, uid: str, resource: str) -> Sequence[JsonObject]:
        """The objects of a resource that name `uid` among their owners."""
        ...

    def dependents(self, uid: str) -> Sequence[tuple[str, JsonObject]]:
        """All objects that name `uid` among their owners, each with its resource."""
        ...

    def labelled(self, resource: str, namespace: str, labels: Mapping[str, str]) -> Sequence[JsonObject]:
        """The objects of a namespace that carry all these labels. No labels: all of them."""
        ...

    def on_node(self, node: str) -> Sequence[JsonObject]:
        """The pods whose `spec.nodeName` is this."""
        ...

    def resource_of(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """The resource that an apiVersion and kind mean, and whether it lives in namespaces."""
        ...

    def namespaced_resources(self) -> Sequence[str]:
        """Every resource that lives in namespaces, custom ones too."""
        ...
