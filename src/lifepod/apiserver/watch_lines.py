"""What the lines of a watch look like: objects as stored, in another version, as rows of Tables, as metadata alone.

The first is cut from what the store keeps encoded and is shared by all watchers; the others are made for each watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Protocol, TypeAlias

import orjson

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.zero_values import zero_members
from lifepod.apiserver.table_response import Tables, only_metadata
from lifepod.apiserver.watch_stream import LineMaker
from lifepod.store import Record, Seen, Store
from lifepod.store.record import watch_line

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
Shape: TypeAlias = Callable[[JsonObject], JsonObject]
"""From the object as stored to what stands in the event."""


def bookmark_object(kind: Kind, revision: int, *, initial_events_end: bool) -> JsonObject:
    """An object that says nothing but how far the watch has come.

    Source: k8s.io/apiserver v0.34.4 pkg/storage/cacher/cache_watcher.go: updateResourceVersion
    """
    metadata: JsonObject = {"resourceVersion": str(revision)}
    if initial_events_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    unset = {} if kind.is_custom else zero_members(kind.schema)
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata, **unset}


class StoredLines:
    """Objects as the store has them."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def line(self, seen: Seen) -> bytes:
        return seen.line

    def added(self, record: Record) -> bytes:
        """An object that was there when the watch began."""
        return watch_line("ADDED", record.encoded)

    def bookmark(self, revision: int, *, initial_events_end: bool) -> bytes:
        obj = bookmark_object(self._kind, revision, initial_events_end=initial_events_end)
        return orjson.dumps({"type": "BOOKMARK", "object": obj}) + b"\n"


class ShapedLines:
    """Objects in another shape."""

    def __init__(self, kind: Kind, store: Store, shape: Shape) -> None:
        self._kind = kind
        self._store = store
        self._shape = shape

    def line(self, seen: Seen) -> bytes:
        obj, old = self._store.objects_of(seen.change)
        if seen.is_gone_from_view and old is not None:
            stamp = str(seen.change.revision)
            obj = {**old, "metadata": {**old["metadata"], "resourceVersion": stamp}}
        return self._event(seen.type, obj)

    def added(self, record: Record) -> bytes:
        """An object that was there when the watch began."""
        return self._event("ADDED", self._store.decoded(record))

    def bookmark(self, revision: int, *, initial_events_end: bool) -> bytes:
        return self._event("BOOKMARK", bookmark_object(self._kind, revision, initial_events_end=initial_events_end))

    def _event(self, kind: str, obj: JsonObject) -> bytes:
        return orjson.dumps({"type": kind, "object": self._shape(obj)}) + b"\n"


class RecordLines(LineMaker, Protocol):
    """Both of the above: a line maker that can also show what was there already."""

    def added(self, record: Record) -> bytes: ...


def table_shape(tables: Tables, now: Callable[[], datetime]) -> Shape:
    """Each event a Table of one row; only the first carries the column definitions."""
    is_first = True

    def shape(obj: JsonObject) -> JsonObject:
        nonlocal is_first
        columns, is_first = is_first, False
        return tables.one(obj, now(), columns=columns)

    return shape


def metadata_shape(version: str) -> Shape:
    """Each event a PartialObjectMetadata."""
    return lambda obj: only_metadata(obj, version)


def initial_lines(
    lines: RecordLines, records: Iterable[Record], revision: int, *, end_bookmark: bool
) -> Iterator[bytes]:
    """What a watch begins with: an ADDED of each object, then the bookmark that says that this was all."""
    yield from map(lines.added, records)
    if end_bookmark:
        yield lines.bookmark(revision, initial_events_end=True)
