"""A watch: a cursor over the history that sees one selection of one resource.

Pull model: `take` gives what happened since the last call; who must wake up asks `Store.on_change`. An object that starts to
match is ADDED, one that ceases to is DELETED as it last matched, with the change's own revision.

Source: k8s.io/apiserver v0.34.4 pkg/storage/cacher/cache_watcher.go: convertToWatchEvent
"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.store.errors import TooOld
from lifepod.store.objects import Store
from lifepod.store.record import Change, ChangeType
from lifepod.store.selection import EVERYTHING, Selection


class Seen(NamedTuple):
    """One event of a watch."""

    type: ChangeType
    change: Change

    @property
    def line(self) -> bytes:
        """The event as a line of the stream, in the stored version."""
        return self.change.line_as(self.type)

    @property
    def is_gone_from_view(self) -> bool:
        """Whether the object still exists but no longer matches: shown as it was, with the change's revision."""
        return self.type == "DELETED" and self.change.type != "DELETED"


class Watch:
    """Changes of a resource later than `revision`. Raises TooOld, here or in `take`, when the history cannot tell."""

    def __init__(self, store: Store, resource: str, selection: Selection = EVERYTHING, revision: int = 0) -> None:
        self._store = store
        self._epoch = store.epoch
        self._line = store.history.of(resource)
        self.resource = resource
        self.selection = selection
        self.revision = revision
        if revision < self._line.trimmed_at:
            raise TooOld(revision, self._line.trimmed_at)
        self._position = self._line.position_after(revision)

    @property
    def is_behind(self) -> bool:
        """Whether there may be something to take."""
        return self._position < self._line.end or self._epoch != self._store.epoch

    def take(self, limit: int = 1_000, enough_bytes: int = 0) -> list[Seen]:
        """What happened since the last call, oldest first, of at most `limit` changes.

        With `enough_bytes`, no further change is taken once what was seen is larger than that.
        """
        line = self._line
        if self._epoch != self._store.epoch or self._position < line.base:
            raise TooOld(self.revision, self._store.history.of(self.resource).trimmed_at)
        if self._position == line.end:
            return []
        changes = line.from_position(self._position, limit)
        seen, size = [], 0
        for change in changes:
            self._position += 1
            kind = self._seen_as(change)
            if kind:
                seen.append(Seen(kind, change))
                size += len(change.new.encoded)
                if enough_bytes and size > enough_bytes:
                    break
        self.revision = change.revision
        return seen

    def _seen_as(self, change: Change) -> ChangeType | None:
        selection = self.selection
        if selection.is_everything:
            outside = selection.namespace and change.new.namespace != selection.namespace
            return None if outside else change.type
        obj, old_obj = self._store.objects_of(change) if selection.fields else ({}, {})
        new, old = change.new, change.old
        is_in = change.type != "DELETED" and selection.matches(new.namespace, new.labels, obj)
        was_in = old is not None and selection.matches(old.namespace, old.labels, old_obj or {})
        if is_in:
            return "MODIFIED" if was_in else "ADDED"
        return "DELETED" if was_in else None
