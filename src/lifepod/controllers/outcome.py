"""What a look of a controller leads to, and what a controller is.

A controller is a value (`Controller`): whom it listens to, which key a change concerns, and `reconcile`, a pure function of
the present picture. `controller_manager/manager.py` carries the outcome out: stage by stage, dropping the rest at the first
refusal and looking again later, as a worker of upstream's controllers does when a call fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.clock import Ids
from lifepod.controllers.view import Key, View

Memory: TypeAlias = object
"""What only the controller knows of a key between two looks; a frozen value, or None. Each controller says its type."""


class ObjectEvent(NamedTuple):
    """A Kubernetes Event about `about` (an object with apiVersion, kind and metadata)."""

    about: JsonObject
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class Wish(NamedTuple):
    """One write, the event that tells of its success, and the one that tells of its failure (the error is appended)."""

    write: Write
    then: ObjectEvent | None = None
    otherwise: ObjectEvent | None = None


Stage: TypeAlias = tuple[Wish, ...]


class Because(NamedTuple):
    """Why something was (not) done: the rule as `file.function`, what it saw, and when it looks again by itself."""

    rule: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    until: datetime | None = None


class Outcome(NamedTuple):
    """What one look leads to.

    stages      writes in order; those of one stage are sent together, the next stage only if all were accepted
    events      posted once every stage was accepted
    wake_at     look again no later than this
    not_before  look again no sooner than this, whatever changes (large keys are batched)
    memory      given back at the next look; None forgets
    """

    stages: tuple[Stage, ...] = ()
    events: tuple[ObjectEvent, ...] = ()
    wake_at: datetime | None = None
    not_before: datetime | None = None
    memory: Memory = None
    because: tuple[Because, ...] = ()


NOTHING = Outcome()


class Refused(NamedTuple):
    """A write of the last look that the API refused: which, and in what words."""

    write: Write
    message: str


class Look(NamedTuple):
    """Everything that one look may depend on. `refused`: why the last look of this key came to nothing, None if it did not."""

    view: View
    key: Key
    now: datetime
    ids: Ids
    memory: Memory = None
    refused: Refused | None = None


class Change(NamedTuple):
    """A change of an object, as `turn.Changed` tells it: `obj` is the last state, `old` the one before (None: added)."""

    view: View
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: str
    obj: JsonObject
    old: JsonObject | None


class Controller(NamedTuple):
    """One controller. `component` is the name its events carry; `resources` what it hears of ("*": everything).

    `not_statuses_of`: of these resources it need not hear when nothing but the status changed.
    """

    name: str
    component: str
    resources: tuple[str, ...]
    keys: Callable[[Change], Iterable[Key]]
    reconcile: Callable[[Look], Outcome]
    not_statuses_of: tuple[str, ...] = ()


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of some moments, where None means never."""
    known = [m for m in moments if m is not None]
    return min(known) if known else None


def status_wish(resource: str, obj: JsonObject, status: JsonObject) -> Wish:
    """Write an object's status, only if nobody changed the object meanwhile."""
    metadata = obj["metadata"]
    body = {**obj, "status": status}
    return Wish(Write("update", resource, metadata.get("namespace", ""), metadata["name"], body, subresource="status"))


def slow_start(wishes: Sequence[Wish]) -> tuple[Stage, ...]:
    """Stages of 1, 2, 4, … wishes, so that a quota that refuses the first spares the API the other 499.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/replicaset/replica_set.go: slowStartBatch
    """
    stages: list[Stage] = []
    at, size = 0, 1
    while at < len(wishes):
        stages.append(tuple(wishes[at : at + size]))
        at, size = at + size, size * 2
    return tuple(stages)
