"""The objects of the whole API in memory: revisions, conflicts, lists, lists of the past, snapshots.

One counter gives every write its revision. An object is kept as the JSON text of its latest revision (`Record`) plus small
indexes; decoded objects are a bounded cache of immutable dicts. The history (`history.py`) holds the same records, so that
nothing is stored twice. Synchronous, without locks: the caller serialises. Rules of the API (who may change what) are not
here but in `apiserver`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple, TypeAlias

import orjson

from lifepod.api.objects import JsonObject, dig
from lifepod.store.errors import AlreadyExists, Missing, TooOld, WrongRevision
from lifepod.store.history import History
from lifepod.store.index import Index
from lifepod.store.record import Change, ChangeType, Record, key_of
from lifepod.store.selection import EVERYTHING, Selection
from lifepod.store.table import Table

DECODED_LIMIT = 4_096

Records: TypeAlias = list[Record]
Keys: TypeAlias = list[str]
Listeners: TypeAlias = list[Callable[[Change], None]]


class Page(NamedTuple):
    """A part of a list. `revision` is that of the whole list; `last_key` is "" when nothing follows."""

    records: list[Record]
    revision: int
    last_key: str = ""
    remaining: int = 0


class StoreState(NamedTuple):
    """All objects at one revision; shares the records."""

    revision: int
    tables: dict[str, Table]
    owned: Index[str]
    uids: dict[str, Record]


class Store:
    """Objects by resource (`pods`, `jobs.batch`), namespace ("" for cluster-wide ones) and name."""

    def __init__(self, revision: int = 0) -> None:
        self.revision = revision
        self._tables: dict[str, Table] = {}
        self._owned: Index[str] = Index()
        self._uids: dict[str, Record] = {}
        self._decoded: OrderedDict[int, JsonObject] = OrderedDict()
        self.history = History(revision)
        self.epoch = 0
        """Counts restores: a watch of an earlier epoch has ended."""
        self._listeners: Listeners = []

    # ------------------------------------------------------------------------------------------------------------ reading

    def record(self, resource: str, namespace: str, name: str) -> Record | None:
        """What is kept of one object, or None."""
        table = self._tables.get(resource)
        return table.records.get(f"{namespace}/{name}" if namespace else name) if table else None

    def get_encoded(self, resource: str, namespace: str, name: str) -> bytes | None:
        """The JSON text of one object, or None."""
        table = self._tables.get(resource)
        if table is None:
            return None
        record = table.records.get(f"{namespace}/{name}" if namespace else name)
        return record.encoded if record else None

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None:
        """One object, or None."""
        record = self.record(resource, namespace, name)
        return self.decoded(record) if record else None

    def decoded(self, record: Record) -> JsonObject:
        """The object of a record."""
        cache = self._decoded
        obj = cache.get(record.revision)
        if obj is not None:
            cache.move_to_end(record.revision)
            return obj
        found: JsonObject = orjson.loads(record.encoded)
        self._remember(record.revision, found)
        return found

    def _remember(self, revision: int, obj: JsonObject) -> None:
        cache = self._decoded
        cache[revision] = obj
        if len(cache) > DECODED_LIMIT:
            cache.popitem(last=False)

    def list(
        self, resource: str, selection: Selection = EVERYTHING, limit: int = 0, after: str = "", revision: int = 0
    ) -> Page:
        """The matching objects in key order.

        `limit` 0 means all; `after` is a key to go on behind; `revision` asks for the list as it was then (0: now).
        Raises TooOld when that is no longer known.
        """
        table = self._tables.get(resource)
        if revision and revision != self.revision:
            return self._list_past(resource, selection, limit, after, revision)
        if table is None:
            return Page([], self.revision)
        keys = table.candidates(selection, after)
        return self._page(table.records, keys, selection, limit, self.revision)

    def _page(self, records: dict[str, Record], keys: Keys, selection: Selection, limit: int, revision: int) -> Page:
        if selection.is_everything:
            if not limit or len(keys) <= limit:
                return Page([records[key] for key in keys], revision)
            part = keys[:limit]
            return Page([records[key] for key in part], revision, part[-1], len(keys) - limit)
        found: Records = []
        for key in keys:
            record = records[key]
            if not self.matches(record, selection):
                continue
            if limit and len(found) == limit:
                return Page(found, revision, found[-1].key)
            found.append(record)
        return Page(found, revision)

    def matches(self, record: Record, selection: Selection) -> bool:
        """Whether the object of a record belongs to the selection; decoded only when a field is asked for."""
        obj = self.decoded(record) if selection.fields else {}
        return selection.matches(record.namespace, record.labels, obj)

    def _list_past(self, resource: str, selection: Selection, limit: int, after: str, revision: int) -> Page:
        line = self.history.of(resource)
        if revision > self.revision or revision < line.trimmed_at or revision < self.history.start:
            raise TooOld(revision, line.trimmed_at)
        table = self._tables.get(resource)
        records = dict(table.records) if table else {}
        for change in line.newest_first_until(revision):
            if change.old is None:
                records.pop(change.new.key, None)
            else:
                records[change.old.key] = change.old
        prefix = f"{selection.namespace}/" if selection.namespace else ""
        keys = sorted(key for key in records if key > after and key.startswith(prefix))
        return self._page(records, keys, selection, limit, revision)

    def owned_by(self, uid: str) -> Records:
        """The objects of all resources that name `uid` among their owners, ordered by resource and key."""
        found = []
        for entry in sorted(self._owned.keys(uid)):
            resource, _, key = entry.partition(" ")
            found.append(self._tables[resource].records[key])
        return found

    def with_uid(self, uid: str) -> Record | None:
        """The object of that uid, whatever it is, or None."""
        return self._uids.get(uid)

    def resources(self) -> Keys:
        """The resources of which there are objects, sorted."""
        return sorted(name for name, table in self._tables.items() if table.records)

    def count(self, resource: str) -> int:
        """How many objects a resource has."""
        table = self._tables.get(resource)
        return len(table.records) if table else 0

    def keys(self, resource: str, namespace: str = "") -> Keys:
        """The keys of a resource in order, of one namespace or all."""
        table = self._tables.get(resource)
        return table.keys(namespace) if table else []

    # ------------------------------------------------------------------------------------------------------------ writing

    def create(self, resource: str, obj: JsonObject, now: datetime) -> JsonObject:
        """Keep a new object; returns it with its resourceVersion. Raises AlreadyExists."""
        metadata = obj["metadata"]
        key = key_of(metadata.get("namespace", ""), metadata["name"])
        table = self._tables.get(resource)
        if table is None:
            table = self._tables[resource] = Table(resource)
        if key in table.records:
            raise AlreadyExists(resource, key)
        return self._write("ADDED", resource, table, key, obj, None, now)

    def update(self, resource: str, obj: JsonObject, now: datetime, revision: int = 0) -> JsonObject:
        """Put an object in place of the one of its name; returns it as it is now.

        With `revision`, only if that is still the present one (else WrongRevision). A write that changes nothing gets no
        revision and nobody is told. Raises Missing.
        """
        metadata = obj["metadata"]
        key = key_of(metadata.get("namespace", ""), metadata["name"])
        table, old = self._present(resource, key, revision)
        if _same_object(obj, self.decoded(old)):
            return self.decoded(old)
        return self._write("MODIFIED", resource, table, key, obj, old, now)

    def delete(
        self, resource: str, namespace: str, name: str, now: datetime, revision: int = 0, last: JsonObject | None = None
    ) -> JsonObject:
        """Remove an object; returns its final state (`last`, if it changed while going), at the deletion's revision."""
        key = key_of(namespace, name)
        table, old = self._present(resource, key, revision)
        return self._write("DELETED", resource, table, key, last or self.decoded(old), old, now)

    def _present(self, resource: str, key: str, revision: int) -> tuple[Table, Record]:
        table = self._tables.get(resource)
        old = table.records.get(key) if table else None
        if table is None or old is None:
            raise Missing(resource, key)
        if revision and revision != old.revision:
            raise WrongRevision(resource, key)
        return table, old

    def _write(
        self,
        kind: ChangeType,
        resource: str,
        table: Table,
        key: str,
        obj: JsonObject,
        old: Record | None,
        now: datetime,
    ) -> JsonObject:
        self.revision = revision = self.revision + 1
        stamped = _stamped(obj, revision)
        record = _record(resource, stamped, revision, table.field_path)
        old_obj = self._decoded.pop(old.revision, None) if old else None
        if kind == "DELETED":
            table.remove(key)
        else:
            table.put(key, record)
            self._remember(revision, stamped)
        self._index(resource, key, record if kind != "DELETED" else None, old)
        change = Change(kind, record, old, now.timestamp(), stamped, old_obj)
        self.history.append(resource, change)
        for listener in self._listeners:
            listener(change)
        return stamped

    def _index(self, resource: str, key: str, new: Record | None, old: Record | None) -> None:
        owners = new.owners if new else ()
        old_owners = old.owners if old else ()
        if owners != old_owners:
            entry = f"{resource} {key}"
            for uid in old_owners:
                self._owned.remove(uid, entry)
            for uid in owners:
                self._owned.add(uid, entry)
        if new:
            self._uids[new.uid] = new
        elif old:
            self._uids.pop(old.uid, None)

    # ------------------------------------------------------------------------------------------------------------ telling

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` with each change right after it was made; returns what ends that. It must not write."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def objects_of(self, change: Change) -> tuple[JsonObject, JsonObject | None]:
        """A change's object and what it was before."""
        obj = change.obj if change.obj is not None else orjson.loads(change.new.encoded)
        if change.old is None:
            return obj, None
        return obj, change.old_obj if change.old_obj is not None else orjson.loads(change.old.encoded)

    # ---------------------------------------------------------------------------------------------------------- snapshots

    def snapshot(self) -> StoreState:
        """All there is, as a value."""
        tables = {name: table.copy() for name, table in self._tables.items()}
        return StoreState(self.revision, tables, self._owned.copy(), dict(self._uids))

    def restore(self, state: StoreState) -> None:
        """Hold what `snapshot` returned. Revisions never go back; watches of before end (410), the history is empty."""
        self._tables = {name: table.copy() for name, table in state.tables.items()}
        self._owned = state.owned.copy()
        self._uids = dict(state.uids)
        self.revision = max(self.revision, state.revision) + 1
        self._decoded.clear()
        self.history = History(self.revision)
        self.epoch += 1

    def forget_history(self) -> None:
        """Keep the objects and lose what led to them: every watch ends (410), as after a compaction."""
        self.revision += 1
        self.history = History(self.revision)
        self.epoch += 1

    def fork(self) -> Store:
        """A store of its own with the same objects, revision and history-less."""
        other = Store(self.revision)
        other._tables = {name: table.copy() for name, table in self._tables.items()}
        other._owned = self._owned.copy()
        other._uids = dict(self._uids)
        return other

    def load(self, objects: Iterable[tuple[str, bytes]], revision: int) -> None:
        """Start from what a journal kept: (resource, JSON text) pairs; the next write gets a revision above `revision`."""
        for resource, encoded in objects:
            obj: JsonObject = orjson.loads(encoded)
            table = self._tables.get(resource)
            if table is None:
                table = self._tables[resource] = Table(resource)
            record = _record(resource, obj, int(obj["metadata"]["resourceVersion"]), table.field_path)
            table.put(record.key, record)
            self._index(resource, record.key, record, None)
        self.revision = max(self.revision, revision)
        self.history = History(self.revision)


def _stamped(obj: JsonObject, revision: int) -> JsonObject:
    """The object with its resourceVersion, kind and apiVersion first."""
    metadata = {**obj["metadata"], "resourceVersion": str(revision)}
    return {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **obj, "metadata": metadata}


def _record(resource: str, obj: JsonObject, revision: int, field_path: tuple[str, ...]) -> Record:
    metadata = obj["metadata"]
    references = metadata.get("ownerReferences")
    owners = tuple(reference.get("uid", "") for reference in references) if references else ()
    return Record(
        resource,
        metadata.get("namespace", ""),
        metadata["name"],
        metadata.get("uid", ""),
        revision,
        memoryview(orjson.dumps(obj)).tobytes(),  # orjson's own buffer is up to four times as large as its text
        len(obj["kind"]) + len(obj["apiVersion"]) + 27,  # {"kind":"…","apiVersion":"…",
        metadata.get("labels") or {},
        owners,
        str(dig(obj, *field_path) or "") if field_path else "",
    )


def _same_object(new: JsonObject, old: JsonObject) -> bool:
    """Whether two objects are equal but for their resourceVersion. Python's 1 == True == 1.0 is not JSON's."""
    if new.keys() != old.keys():
        return False
    for name, value in new.items():
        if name != "metadata" and value is not old[name] and value != old[name]:
            return False
    metadata, old_metadata = new["metadata"], old["metadata"]
    if metadata.get("resourceVersion") != old_metadata["resourceVersion"]:
        metadata = {**metadata, "resourceVersion": old_metadata["resourceVersion"]}
    if metadata != old_metadata:
        return False
    alike = {**new, "metadata": metadata}
    return orjson.dumps(alike, option=orjson.OPT_SORT_KEYS) == orjson.dumps(old, option=orjson.OPT_SORT_KEYS)
