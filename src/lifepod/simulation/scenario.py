"""A scenario as values: what there is at first, what happens when, how long it runs, and what is expected of it.

`scenario_text.py` reads one from a file, `assembly/simulate.py` plays it. Moments count from the scenario's start.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject
from lifepod.simulation.faults import Fault, RandomFaults


class At(NamedTuple):
    """Where something stands in the scenario's file; both count from 1."""

    line: int
    column: int


class Create(NamedTuple):
    """Objects come into being. `source` is what the file says, for messages."""

    objects: tuple[JsonObject, ...]
    source: str


class Delete(NamedTuple):
    """Somebody deletes an object. `grace_seconds` None: the object's own."""

    resource: str
    namespace: str
    name: str
    grace_seconds: int | None = None


class Scale(NamedTuple):
    """Somebody changes the number of replicas."""

    resource: str
    namespace: str
    name: str
    replicas: int


class Evict(NamedTuple):
    """Somebody asks for a pod's eviction, which its disruption budget may refuse."""

    namespace: str
    name: str


class Patch(NamedTuple):
    """Somebody changes fields of an object (a strategic merge)."""

    resource: str
    namespace: str
    name: str
    body: JsonObject


class Inject(NamedTuple):
    """A fault begins (or, `is_end`, the faults of that name end)."""

    fault: Fault
    is_end: bool = False


class Expect(NamedTuple):
    """Something must hold at this moment. `words` are (what, wanted) pairs such as ("phase", "Running")."""

    resource: str
    namespace: str
    name: str
    words: tuple[tuple[str, str], ...]


Action: TypeAlias = Create | Delete | Scale | Evict | Patch | Inject | Expect


class Step(NamedTuple):
    """An action at a moment; with `every` again and again, until `until`."""

    at: timedelta
    action: Action
    place: At
    text: str
    every: timedelta | None = None
    until: timedelta | None = None


class NodeLine(NamedTuple):
    """A node of the scenario."""

    name: str
    cpu: str = "8"
    memory: str = "16Gi"
    pods: str = "110"
    ephemeral_storage: str = "100Gi"
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[JsonObject, ...] = ()
    skew: timedelta = timedelta(0)
    addresses: tuple[str, ...] = ()


class RunUntil(NamedTuple):
    """When the run ends: after a time, or as soon as something holds (then `limit` is the longest)."""

    limit: timedelta
    holds: Expect | None = None


class Scenario(NamedTuple):
    """A whole scenario. `expected` are the lines after `----`, None when there are none."""

    nodes: tuple[NodeLine, ...]
    steps: tuple[Step, ...]
    run: RunUntil
    scripts: tuple[tuple[str, str], ...] = ()
    seed: int = 0
    start: datetime | None = None
    random: tuple[RandomFaults, ...] = ()
    show: tuple[str, ...] = ()
    expected: tuple[str, ...] | None = None
