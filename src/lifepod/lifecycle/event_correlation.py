"""Is an event posted anew, counted on an older one, folded with similar ones, or dropped? (lifecycle.md §8.1)

One `ObjectEvents` per (source, object): frozen, so the agent's state can be copied.

Source: k8s.io/client-go v0.34.4 tools/record/events_cache.go: EventCorrelate
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from lifepod.lifecycle.vocabulary import Event

SIMILAR_LIMIT = 10
SIMILAR_WINDOW = timedelta(seconds=600)
BURST = 25
REFILL_SECONDS = 300
MAX_ENTRIES = 256
COMBINED = "(combined from similar events): "


VerdictKind = Literal["post", "patch", "drop"]
Tokens: TypeAlias = tuple[tuple[str, float, datetime], ...]
Entry = TypeVar("Entry")


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
    tokens: Tokens = ()


class Verdict(NamedTuple):
    """What becomes of an event. `post`: a new object; `patch`: count (`times`), lastTimestamp and message of the object `name`."""

    kind: VerdictKind
    name: str = ""
    message: str = ""
    times: int = 1
    first_at: datetime | None = None


def correlate(
    state: ObjectEvents, event: Event, field_path: str, name: str, now: datetime
) -> tuple[ObjectEvents, Verdict]:
    """What becomes of `event`; `name` is used when a new object is made."""
    group = (event.type, event.reason)
    similar: Similar | None = None
    for known in state.similar:
        if known.key == group:
            similar = known
            break
    messages = similar.messages if similar is not None and now - similar.last_at <= SIMILAR_WINDOW else ()
    if event.message not in messages:
        messages = (*messages, event.message)
    is_combined = len(messages) >= SIMILAR_LIMIT
    if is_combined:
        messages = messages[-SIMILAR_LIMIT:]
    message = COMBINED + event.message if is_combined else event.message
    key = ("combined", *group) if is_combined else (field_path, *group, event.message)
    older: Posted | None = None
    for posted in state.posted:
        if posted.key == key:
            older = posted
            break
    entry = Posted(key, name, 1, now) if older is None else Posted(key, older.name, older.times + 1, older.first_at)
    tokens, allowed = _token(state.tokens, event.type, now)
    state = ObjectEvents(
        _last(state.posted, older, entry), _last(state.similar, similar, Similar(group, messages, now)), tokens
    )
    kind: VerdictKind = "drop" if not allowed else "post" if older is None else "patch"
    return state, Verdict(kind, entry.name, message, entry.times, entry.first_at)


def _last(entries: tuple[Entry, ...], old: Entry | None, new: Entry) -> tuple[Entry, ...]:
    """The entries with `new` as the last, in place of `old`; the oldest go when there are too many."""
    if old is None:
        return (*entries, new)[-MAX_ENTRIES:]
    return (*[e for e in entries if e is not old], new)


def _token(tokens: Tokens, kind: str, now: datetime) -> tuple[Tokens, bool]:
    """The spam filter: 25 at once, one more every 300 s; patches count too."""
    left, others = float(BURST), []
    for each in tokens:
        if each[0] == kind:
            left = min(left, each[1] + (now - each[2]).total_seconds() / REFILL_SECONDS)
        else:
            others.append(each)
    allowed = left >= 1
    after = (kind, left - 1 if allowed else left, now)
    return (*others, after), allowed
