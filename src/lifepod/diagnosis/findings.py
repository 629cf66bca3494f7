"""What a diagnosis is made of, and the picture it is made from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.lifecycle.vocabulary import Because


class Finding(NamedTuple):
    """One cause. `subject`: the container it is about, "" for the pod. `happens`: what comes next by itself, and `at` when
    (None: not known, or nothing by itself). `remedy`: what to do, a sentence or a command each. `evidence`: what was read."""

    subject: str
    cause: str
    happens: str = ""
    at: datetime | None = None
    remedy: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Picture(NamedTuple):
    """All that a diagnosis may look at.

    `events`: the pod's Events, oldest first. `find(resource, namespace, name)`: another object, None when absent.
    `decisions`: what the core noted, newest last (empty on a cluster that is not ours). `last_lines`: the newest log line
    by container name.
    """

    pod: JsonObject
    now: datetime
    events: tuple[JsonObject, ...] = ()
    find: Callable[[str, str, str], JsonObject | None] = lambda resource, namespace, name: None
    decisions: tuple[Because, ...] = ()
    last_lines: tuple[tuple[str, str], ...] = ()
