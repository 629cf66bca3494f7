"""Keeps every version of every pod, and their Events, from a cluster's beginning on: what the assertions on stories read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from lifepod.api.objects import dig
from lifepod.diagnosis.timeline import Moment
from lifepod.store import Store
from lifepod.store.record import Change, Record

MAX_VERSIONS = 20_000
"""Of one pod; of more, the oldest quarter is forgotten."""


class Written(NamedTuple):
    """A change, its object still encoded."""

    at: float
    kind: str
    record: Record


class Stories(NamedTuple):
    """All versions of all pods by namespace and name, and all Events."""

    pods: Mapping[tuple[str, str], tuple[Written, ...]]
    events: tuple[Written, ...]


class Recorder:
    """Hears of every change of a store."""

    def __init__(self, store: Store) -> None:
        self._pods: dict[tuple[str, str], list[Written]] = {}
        self._decoded: dict[tuple[str, str], list[Moment]] = {}
        self._events: list[Written] = []
        store.on_change(self._on_change)
        for record in store.list("pods").records:
            self._pods[record.namespace, record.name] = [Written(0.0, "ADDED", record)]

    def _on_change(self, change: Change) -> None:
        record = change.new
        if record.resource == "pods":
            known = self._pods.setdefault((record.namespace, record.name), [])
            known.append(Written(change.at, change.type, record))
            if len(known) > MAX_VERSIONS:
                del known[: MAX_VERSIONS // 4]
                self._decoded.clear()
        elif record.resource == "events" and change.type != "DELETED":
            self._events.append(Written(change.at, change.type, record))

    def versions(self, namespace: str, name: str) -> list[Moment]:
        """All versions of a pod, oldest first."""
        known = self._pods.get((namespace, name), [])
        decoded = self._decoded.setdefault((namespace, name), [])
        decoded += [_moment(written) for written in known[len(decoded) :]]
        return decoded

    def events(self, namespace: str, name: str) -> list[Moment]:
        """All that its Events ever said, oldest first."""
        found = (_moment(written) for written in self._events if written.record.namespace == namespace)
        return [moment for moment in found if dig(moment.obj, "involvedObject", "name") == name]

    def snapshot(self) -> Stories:
        """All that is known now, as a value."""
        return Stories({key: tuple(known) for key, known in self._pods.items()}, tuple(self._events))

    def restore(self, state: Stories) -> None:
        """Know what was known at the snapshot, and nothing else."""
        self._decoded.clear()
        self._pods = {key: list(known) for key, known in state.pods.items()}
        self._events = list(state.events)


def _moment(written: Written) -> Moment:
    return Moment(datetime.fromtimestamp(written.at, UTC), written.kind, orjson.loads(written.record.encoded))
