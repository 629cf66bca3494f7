"""What the store keeps of one object at one revision, and of one change."""

from __future__ import annotations

from typing import Literal, NamedTuple

from lifepod.api.objects import JsonObject

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


def key_of(namespace: str, name: str) -> str:
    """The key of an object within its resource. Keys sort as upstream lists objects: bytewise by `namespace/name`."""
    return f"{namespace}/{name}" if namespace else name


class Record(NamedTuple):
    """One object at one revision: its JSON text and what is indexed of it. Shared by tables, history and snapshots.

    `encoded` begins with `{"kind":…,"apiVersion":…,` (`bare` says after how many bytes), so that a list, whose items carry
    neither, is made by cutting.
    """

    resource: str
    namespace: str
    name: str
    uid: str
    revision: int
    encoded: bytes
    bare: int
    labels: dict[str, str]
    owners: tuple[str, ...]
    field: str

    @property
    def key(self) -> str:
        """The key within the resource."""
        return key_of(self.namespace, self.name)

    def bare_encoded(self) -> bytes:
        """The object without its kind and apiVersion, as a list holds it."""
        return b"{" + self.encoded[self.bare :]


class Change:
    """One change in the history: what was written at one revision. `old` is None when added.

    A deletion's `new` is the final object at the deletion's revision. The watch line is made at first need and shared by
    every watcher; the history lets go of it once most have read it.
    """

    __slots__ = ("_gone", "_line", "at", "new", "obj", "old", "old_obj", "revision", "type")

    def __init__(
        self,
        type: ChangeType,  # noqa: A002 - the word the API uses
        new: Record,
        old: Record | None,
        at: float,
        obj: JsonObject,
        old_obj: JsonObject | None,
    ) -> None:
        self.type: ChangeType = type
        self.new = new
        self.old = old
        self.revision = new.revision
        self.at = at
        self.obj: JsonObject | None = obj
        self.old_obj = old_obj
        self._line: bytes | None = None
        self._gone: bytes | None = None

    @property
    def line(self) -> bytes:
        """This change as a line of an unfiltered watch."""
        if self._line is None:
            self._line = watch_line(self.type, self.new.encoded)
        return self._line

    def line_as(self, kind: ChangeType) -> bytes:
        """This change as a line of a filtered watch: ADDED or DELETED when the object started or ceased to match.

        What ceased to match is shown as it last matched, with this change's revision.
        """
        if kind == self.type:
            return self.line
        if kind != "DELETED":
            return watch_line(kind, self.new.encoded)
        if self._gone is None:
            assert self.old is not None
            self._gone = watch_line("DELETED", restamped(self.old, self.revision))
        return self._gone

    def forget(self) -> None:
        """Let go of what can be made again."""
        self._line = self._gone = self.obj = self.old_obj = None


def watch_line(kind: str, encoded: bytes) -> bytes:
    """One line of a watch stream."""
    return b'{"type":"' + kind.encode() + b'","object":' + encoded + b"}\n"


def restamped(record: Record, revision: int) -> bytes:
    """The record's JSON text with another resourceVersion."""
    stamp = b'"resourceVersion":"%d"' % record.revision
    return record.encoded.replace(stamp, b'"resourceVersion":"%d"' % revision, 1)
