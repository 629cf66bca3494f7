"""The objects of one resource, with their order and indexes. `objects.py` owns the tables and gives the revisions."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from lifepod.store.index import Index
from lifepod.store.record import Record, key_of
from lifepod.store.selection import Selection

INDEXED_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": ("spec", "nodeName"),
    "events": ("involvedObject", "name"),
}
"""The one field of a resource that is looked up often enough to keep an index of."""


class Table:
    """Records by key. Listing is in key order; the order is kept by insertion, bytewise by `namespace/name`."""

    __slots__ = ("_fields", "_labels", "_order", "field_path", "records")

    def __init__(self, resource: str) -> None:
        self.records: dict[str, Record] = {}
        self.field_path = INDEXED_FIELDS.get(resource, ())
        self._order: list[str] = []
        self._labels: Index[tuple[str, str]] = Index()
        self._fields: Index[str] = Index()

    def copy(self) -> Table:
        """A table of its own that shares the records."""
        other = Table("")
        other.records = dict(self.records)
        other.field_path = self.field_path
        other._order = list(self._order)
        other._labels = self._labels.copy()
        other._fields = self._fields.copy()
        return other

    def put(self, key: str, record: Record) -> None:
        """Keep a record in place of the one of its key."""
        old = self.records.get(key)
        self.records[key] = record
        if old is None:
            order = self._order
            if not order or key > order[-1]:
                order.append(key)
            else:
                insort(order, key)
        if old is None or old.labels != record.labels:
            if old is not None:
                self._unindex_labels(key, old)
            for pair in record.labels.items():
                self._labels.add(pair, key)
        if old is None or old.field != record.field:
            if old is not None and old.field:
                self._fields.remove(old.field, key)
            if record.field:
                self._fields.add(record.field, key)

    def remove(self, key: str) -> None:
        """Forget the record of a key."""
        old = self.records.pop(key)
        del self._order[bisect_left(self._order, key)]
        self._unindex_labels(key, old)
        if old.field:
            self._fields.remove(old.field, key)

    def _unindex_labels(self, key: str, record: Record) -> None:
        for pair in record.labels.items():
            self._labels.remove(pair, key)

    def keys(self, namespace: str = "", after: str = "") -> list[str]:
        """The keys in order: of a namespace or all, later than `after`."""
        order = self._order
        low = bisect_left(order, f"{namespace}/") if namespace else 0
        high = bisect_left(order, f"{namespace}0") if namespace else len(order)  # "0" follows "/"
        if after:
            low = max(low, bisect_left(order, after + "\0"))
        return order[low:high]

    def candidates(self, selection: Selection, after: str = "") -> list[str]:
        """Keys in order among which every match is: narrowed by the best index that applies."""
        found = self._indexed(selection)
        if found is None:
            return self.keys(selection.namespace, after)
        prefix = f"{selection.namespace}/" if selection.namespace else ""
        return sorted(key for key in found if key.startswith(prefix) and key > after)

    def _indexed(self, selection: Selection) -> Iterable[str] | None:
        best: set[str] | frozenset[str] | None = None
        for term in selection.labels:
            if term.operator == "=" or (term.operator == "in" and len(term.values) < 8):
                keys = self._labels.keys_of_any((term.key, value) for value in term.values)
                best = keys if best is None or len(keys) < len(best) else best
        for wanted in selection.fields:
            if not wanted.equal or not wanted.value:
                continue
            if wanted.path == ("metadata", "name"):
                key = key_of(selection.namespace, wanted.value)
                if key in self.records:
                    return (key,)
                if selection.namespace:
                    return ()
            if wanted.path == self.field_path:
                keys = set(self._fields.keys(wanted.value))
                best = keys if best is None or len(keys) < len(best) else best
        return best
