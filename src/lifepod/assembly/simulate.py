"""Plays a scenario: builds its cluster, lets its time pass, does what it says, and keeps what came of it.

The order of everything is fixed: at one moment first what is due in the cluster, then the scenario's steps in the order of the
file. `lifepod simulate`, the scenario tests and `examples/scenarios` all come through here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import orjson

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import Kind, KindRegistry
from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.assembly.expectations import unmet
from lifepod.assembly.replay import node_settings_of
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.simulation.durations import shown
from lifepod.simulation.loop import START
from lifepod.simulation.scenario import (
    Create,
    Delete,
    Evict,
    Expect,
    Inject,
    Patch,
    Scale,
    Scenario,
    Step,
)
from lifepod.simulation.scenario_lines import DIVIDER, ScenarioError
from lifepod.simulation.scenario_text import ScenarioReader
from lifepod.simulation.story_rows import Row, StoryRows, text_of
from lifepod.store.record import Change, watch_line

LEASES = "leases.coordination.k8s.io"
_MERGE = "application/strategic-merge-patch+json"
EachEvent = Callable[[bytes], None]


class Outcome(NamedTuple):
    """What came of a run. `problems`: expectations that did not hold, each with its place."""

    seed: int
    rows: list[Row]
    problems: tuple[str, ...]
    cluster: SimulatedCluster
    lasted: timedelta

    @property
    def text(self) -> str:
        """The timeline."""
        return text_of(self.rows)


def read_scenario(path: Path) -> Scenario:
    """The scenario of a file. Raises ScenarioError."""
    reader = ScenarioReader(KindRegistry(builtin_kinds()), lambda name: (path.parent / name).read_bytes())
    try:
        return reader.read(path.read_text())
    except ScenarioError as exc:
        raise ScenarioError(exc.message, exc.line, exc.column, exc.hint, str(path)) from None
    except OSError as exc:
        raise ScenarioError(f"cannot be read: {exc.strerror}", 1, 1, source=str(path)) from exc
    except UnicodeDecodeError as exc:
        raise ScenarioError("this is no text", 1, 1, "A scenario is a UTF-8 text file.", str(path)) from exc


def play(
    scenario: Scenario,
    seed: int | None = None,
    source: str = "",
    each_event: EachEvent | None = None,
    until: timedelta | None = None,
) -> Outcome:
    """Run a scenario to its end (or only to the moment `until`). Raises ScenarioError for objects the API refuses at first."""
    return _Play(scenario, scenario.seed if seed is None else seed, source, each_event).run(until)


def rewritten(text: str, timeline: str) -> str:
    """A scenario's text with another expected part."""
    lines = text.splitlines()
    body = lines[: lines.index(DIVIDER)] if DIVIDER in lines else lines
    return "\n".join([*body, DIVIDER, timeline]).rstrip() + "\n"


def difference(scenario: Scenario, outcome: Outcome) -> str:
    """How the run differs from the expected part, as a diff; "" when it does not, or none is written."""
    if scenario.expected is None:
        return ""
    expected = [line for line in scenario.expected if line]
    came = [line for line in outcome.text.splitlines() if line]
    return "\n".join(difflib.unified_diff(expected, came, "expected", "came", lineterm="", n=2))


class _Play:
    """One run under way."""

    def __init__(self, scenario: Scenario, seed: int, source: str, each_event: EachEvent | None) -> None:
        self._scenario, self._seed, self._source = scenario, seed, source
        self._each_event = each_event
        start = scenario.start or START
        self._sim = SimulatedCluster(_settings(scenario, seed, start))
        for node in scenario.nodes:
            if node.skew:
                self._sim.set_skew(node.name, node.skew)
        self._start = start
        self._story = StoryRows(start, scenario.show, len(scenario.nodes) > 1)
        self._problems: list[str] = []

    def run(self, until: timedelta | None) -> Outcome:
        """Play it."""
        sim, scenario = self._sim, self._scenario
        tell_story(sim, self._story, self._each_event)
        for what in scenario.random:
            sim.faults.draw(what)
        limit = scenario.run.limit if until is None else min(until, scenario.run.limit)
        end = self._start + limit
        for at, step in self._moments(limit):
            if self._advance_to(self._start + at):
                break
            self._do(step)
        self._advance_to(end)
        if scenario.run.holds is not None and until is None and (why := unmet(sim.cluster, scenario.run.holds)):
            self._problems.append(f"{self._source}: the run came to its limit of {shown(limit)}: {why}")
        return Outcome(self._seed, self._story.rows, tuple(self._problems), sim, sim.clock.now() - self._start)

    def _moments(self, limit: timedelta) -> list[tuple[timedelta, Step]]:
        """Every time a step is to be done, in order."""
        found: list[tuple[timedelta, Step]] = []
        for step in self._scenario.steps:
            at = step.at
            last = min(limit, step.until) if step.until is not None else limit
            while at <= last:
                found.append((at, step))
                if step.every is None:
                    break
                at += step.every
        return sorted(found, key=_order)

    def _advance_to(self, moment: datetime) -> bool:
        """Let time pass until then; True when the run's own end came first."""
        holds = self._scenario.run.holds
        sim = self._sim
        delta = moment - sim.clock.now()
        if holds is None:
            sim.advance(delta)
            return False
        return sim.run_until(lambda: not unmet(sim.cluster, holds), delta)

    # ------------------------------------------------------------------------------------------------ steps

    def _do(self, step: Step) -> None:
        sim = self._sim
        now = sim.clock.now()
        match step.action:
            case Inject(fault, is_end):
                if is_end and not sim.faults.end(fault.kind, fault.target):
                    self._problem(step, f"no fault {fault.kind} is under way")
                elif not is_end and not sim.faults.inject(fault):
                    self._problem(step, f"there is nothing that fault {fault} could strike")
            case Expect() as wanted:
                if why := unmet(sim.cluster, wanted):
                    self._problem(step, why)
            case Create(objects, _) if now == self._start:
                self._ask(step, objects, is_setup=True)
            case _:
                self._story.deed(">", step.text, now)
                self._ask(step, (), is_setup=False)
        sim.loop.settle()

    def _problem(self, step: Step, what: str) -> None:
        at = shown(self._sim.clock.now() - self._start)
        self._problems.append(f"{self._source}:{step.place.line}: at {at}: {what}")

    def _ask(self, step: Step, objects: tuple[JsonObject, ...], is_setup: bool) -> None:
        """Ask the API for what the step wants. At the start a refusal is a mistake in the file, later it is part of the story."""
        try:
            self._request(step)
        except ApiError as exc:
            if is_setup:
                raise ScenarioError(str(exc), step.place.line, step.place.column, "", self._source) from exc
            self._story.deed(">", f"refused: {exc}", self._sim.clock.now())

    def _request(self, step: Step) -> None:
        sim = self._sim
        match step.action:
            case Create(objects):
                for obj in objects:
                    self._create(step, obj)
            case Delete(resource, namespace, pattern, grace):
                name = self._one_of(resource, namespace, pattern)
                body: JsonObject = {"propagationPolicy": "Background"}
                if grace is not None:
                    body["gracePeriodSeconds"] = grace
                sim.request("DELETE", _path(self._kind(resource), namespace, name), body)
            case Scale(resource, namespace, name, replicas):
                patch: JsonObject = {"spec": {"replicas": replicas}}
                sim.request("PATCH", _path(self._kind(resource), namespace, name), patch, _MERGE)
            case Patch(resource, namespace, name, patch):
                sim.request("PATCH", _path(self._kind(resource), namespace, name), patch, _MERGE)
            case Evict(namespace, pattern):
                name = self._one_of("pods", namespace, pattern)
                body = {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": name, "namespace": namespace},
                }
                sim.request("POST", _path(self._kind("pods"), namespace, name) + "/eviction", body)

    def _create(self, step: Step, obj: JsonObject) -> None:
        kind = self._sim.api.kinds.named(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
        if kind is None:
            message = f'there is no kind "{obj.get("kind")}" in {obj.get("apiVersion")}'
            raise ScenarioError(message, step.place.line, step.place.column, "", self._source)
        namespace = obj["metadata"].get("namespace", "default")
        self._sim.request("POST", _path(kind, namespace, ""), obj)

    def _one_of(self, resource: str, namespace: str, pattern: str) -> str:
        """The first object whose name begins like a pattern `web-*`; any other name is meant as it stands."""
        if not pattern.endswith("*"):
            return pattern
        names = (obj["metadata"]["name"] for obj in self._sim.cluster.list(resource, namespace))
        return next((name for name in names if name.startswith(pattern[:-1])), pattern)

    def _kind(self, resource: str) -> Kind:
        return self._sim.api.kinds.of(resource)


_TOLD = ("pods", "jobs", "nodes")


def tell_story(sim: SimulatedCluster, story: StoryRows, each_event: EachEvent | None = None) -> None:
    """Have a cluster's changes and faults told from now on. Heartbeats are left out: they would drown the rest."""

    def on_change(change: Change) -> None:
        resource = change.new.resource
        if resource == LEASES:
            return
        if each_event is not None:
            each_event(watch_line(change.type, change.new.encoded))
        if resource.partition(".")[0] in _TOLD or story.shows_more:
            obj = change.obj if change.obj is not None else orjson.loads(change.new.encoded)
            story.on_change(change.type, resource, obj, sim.clock.now())

    sim.store.on_change(on_change)
    sim.faults.told.append(lambda at, line: story.deed("!", line, at))


def _order(each: tuple[timedelta, Step]) -> tuple[timedelta, bool]:
    """By time; a fault from the start on is there before the first object."""
    at, step = each
    return at, not (at == timedelta(0) and isinstance(step.action, Inject))


def _path(kind: Kind, namespace: str, name: str) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    middle = f"/namespaces/{namespace}" if kind.namespaced else ""
    return f"{root}{middle}/{kind.plural}" + (f"/{name}" if name else "")


def _settings(scenario: Scenario, seed: int, start: datetime) -> SimSettings:
    nodes = tuple(node_settings_of(line, number) for number, line in enumerate(scenario.nodes, 1))
    return SimSettings(seed=seed, nodes=nodes, start=start, scripts=dict(scenario.scripts))
