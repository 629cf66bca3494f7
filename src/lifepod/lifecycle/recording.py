"""A run of the core, kept so that it can be replayed: what each step was shown, and when. Steps are pure, so nothing else is needed.

`Recording` is bounded; of a pod whose first looks were dropped the replay begins with the oldest that is left, from a new memory,
as after a restart of the node agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.lifecycle.memory import PodMemory, seen_from_json, seen_to_json
from lifepod.lifecycle.vocabulary import Seen, Step

LOOKS_KEPT = 10_000


class Look(NamedTuple):
    """One step's arguments but for the memory, which the steps before it made."""

    uid: str
    at: datetime
    seen: Seen


class Recording:
    """The last looks of a node, oldest first. Give `add` to the agent as `on_look`."""

    def __init__(self, limit: int = LOOKS_KEPT) -> None:
        self.looks: deque[Look] = deque(maxlen=limit)

    def add(self, look: Look) -> None:
        """Keep a look; the oldest goes when there are too many."""
        self.looks.append(look)

    def lines(self) -> Iterator[JsonObject]:
        """One JSON object a look, to be written to a file."""
        return map(look_to_json, self.looks)


def look_to_json(look: Look) -> JsonObject:
    """A look as JSON."""
    return {"uid": look.uid, "at": look.at.isoformat(), "seen": seen_to_json(look.seen)}


def look_from_json(line: JsonObject) -> Look:
    """What `look_to_json` wrote. Raises ValueError on anything else."""
    return Look(line["uid"], datetime.fromisoformat(line["at"]).astimezone(UTC), seen_from_json(line["seen"]))


def replayed(looks: Iterable[Look]) -> Iterator[tuple[Look, Step]]:
    """Every look with what the core decides on it, now as then."""
    from lifepod.lifecycle.machine import step

    memories: dict[str, PodMemory] = {}
    for look in looks:
        done = step(memories.get(look.uid) or PodMemory(), look.seen, look.at)
        memories[look.uid] = done.memory
        if done.finished:
            del memories[look.uid]
        yield look, done
