"""The picture that controllers read, over the store's indexes in this process (`controllers.view.View`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonObject
from lifepod.api.selectors import LabelTerm
from lifepod.store.objects import Store
from lifepod.store.selection import FieldTerm, Selection


class StoreView:
    """Reads straight from the store: always the latest revision, nothing is copied."""

    def __init__(self, store: Store, kinds: KindRegistry) -> None:
        self._store, self._kinds = store, kinds

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None:
        """The object of that name, or None."""
        return self._store.get(resource, namespace, name)

    def list(self, resource: str, namespace: str | None = None) -> Sequence[JsonObject]:
        """All objects of a resource, of one namespace or (None) of all."""
        return self._decoded(resource, Selection(namespace=namespace or ""))

    def labelled(self, resource: str, namespace: str, labels: Mapping[str, str]) -> Sequence[JsonObject]:
        """The objects of a namespace that carry all these labels."""
        terms = tuple(LabelTerm(key, "=", (value,)) for key, value in labels.items())
        return self._decoded(resource, Selection(namespace=namespace, labels=terms))

    def on_node(self, node: str) -> Sequence[JsonObject]:
        """The pods whose `spec.nodeName` is this."""
        return self._decoded("pods", Selection(fields=(FieldTerm(("spec", "nodeName"), node),)))

    def owned_by(self, uid: str, resource: str) -> Sequence[JsonObject]:
        """The objects of a resource that name `uid` among their owners."""
        return [self._store.decoded(r) for r in self._store.owned_by(uid) if r.resource == resource]

    def dependents(self, uid: str) -> Sequence[tuple[str, JsonObject]]:
        """All objects that name `uid` among their owners, each with its resource."""
        return [(record.resource, self._store.decoded(record)) for record in self._store.owned_by(uid)]

    def resource_of(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """The resource that an apiVersion and kind mean, and whether it lives in namespaces."""
        found = self._kinds.named(api_version, kind)
        return (found.resource, found.namespaced) if found else None

    def namespaced_resources(self) -> Sequence[str]:
        """Every resource that lives in namespaces and of which there are objects."""
        namespaced = {kind.resource for kind in self._kinds if kind.namespaced}
        return [resource for resource in self._store.resources() if resource in namespaced]

    def _decoded(self, resource: str, selection: Selection) -> Sequence[JsonObject]:
        store = self._store
        if not store.count(resource):
            return ()
        return [store.decoded(record) for record in store.list(resource, selection).records]
