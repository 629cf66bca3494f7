"""Is an event posted anew, counted on an older one, folded with similar ones, or dropped? (lifecycle.md §8.1)

One `ObjectEvents` per (source, object): frozen, so the agent's state can be copied.

Source: k8s.io/client-go v0.34.4 tools/record/events_cache.go: EventCorrelate
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from lifepod.lifecycle.vocabulary import Event

SIMILAR_LIMIT = 10
SIMILAR_WINDOW = timedelta(seconds=600)
BURST = 25
REFILL_SECONDS = 300
MAX_ENTRIES = 256
COMBINED = "(combined from similar events): "


class Posted(NamedTuple):
    """An event object that exists. `key`: what makes another one the same."""

    key: tuple[str, ...]
    name: str
    times: int
    first_at: datetime


class Similar(NamedTuple):
    """The distinct messages of one reason within the running window."""

    key: tuple[str, ...]
    messages: tuple[str, ...]
    last_at: datetime


class ObjectEvents(NamedTuple):
    """What is remembered of the events of one object from one source. `tokens` per type: (type, left, counted at)."""

    posted: tuple[Posted, ...] = ()
    similar: tuple[Similar, ...] = ()
    tokens: tuple[tuple[str, float, datetime], ...] = ()


class Verdict(NamedTuple):
    """What becomes of an event. `post`: a new object; `patch`: count (`times`), lastTimestamp and message of the object `name`."""

    kind: Literal["post", "patch", "drop"]
    name: str = ""
    message: str = ""
    times: int = 1
    first_at: datetime | None = None


def correlate(
    state: ObjectEvents, event: Event, field_path: str, name: str, now: datetime
) -> tuple[ObjectEvents, Verdict]:
    """What becomes of `event`; `name` is used when a new object is made."""
    group = (event.type, event.reason)
    similar = next((s for s in state.similar if s.key == group), None)
    if similar is None or now - similar.last_at > SIMILAR_WINDOW:
        similar = Similar(group, (), now)
    messages = similar.messages if event.message in similar.messages else (*similar.messages, event.message)
    is_combined = len(messages) >= SIMILAR_LIMIT
    if is_combined:
        messages = messages[-(SIMILAR_LIMIT):]
    kept = tuple(s for s in state.similar if s.key != group)
    state = state._replace(similar=(*kept, similar._replace(messages=messages, last_at=now))[-MAX_ENTRIES:])
    message = COMBINED + event.message if is_combined else event.message
    key = ("combined", *group) if is_combined else (field_path, *group, event.message)
    older = next((p for p in state.posted if p.key == key), None)
    entry = Posted(key, name, 1, now) if older is None else older._replace(times=older.times + 1)
    rest = tuple(p for p in state.posted if p.key != key)
    state = state._replace(posted=(*rest, entry)[-MAX_ENTRIES:])
    state, allowed = _token(state, event.type, now)
    if not allowed:
        return state, Verdict("drop", entry.name, message, entry.times, entry.first_at)
    return state, Verdict("post" if older is None else "patch", entry.name, message, entry.times, entry.first_at)


def _token(state: ObjectEvents, kind: str, now: datetime) -> tuple[ObjectEvents, bool]:
    """The spam filter: 25 at once, one more every 300 s; patches count too."""
    found = next((t for t in state.tokens if t[0] == kind), (kind, float(BURST), now))
    left = min(float(BURST), found[1] + (now - found[2]).total_seconds() / REFILL_SECONDS)
    allowed = left >= 1
    after = (kind, left - 1 if allowed else left, now)
    return state._replace(tokens=(*(t for t in state.tokens if t[0] != kind), after)), allowed
