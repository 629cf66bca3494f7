"""Details of rules that a change of one word would break unseen: each test names the rule it holds."""

from __future__ import annotations

from typing import Any

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle.admission import refusal
from lifepod.lifecycle.environment import expanded
from lifepod.lifecycle.init_containers import grace_of
from lifepod.lifecycle.pod_spec import pod_from_json
from lifepod.lifecycle.vocabulary import Refusal, RemoveContainer, StopContainer

PROBE = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("cause", "grace"),
    [("liveness", 5), ("startup", 7), ("readiness", 30), (None, 30)],
)
def test_only_the_probe_that_kills_gives_its_grace_period(cause: Any, grace: int) -> None:
    """lifecycle.md §7.3."""
    probes = {
        "livenessProbe": {**PROBE, "terminationGracePeriodSeconds": 5},
        "startupProbe": {**PROBE, "terminationGracePeriodSeconds": 7},
    }
    spec = pod_from_json(pod_json({"containers": [container(**probes)], "terminationGracePeriodSeconds": 30})).spec
    assert grace_of(spec, spec.containers[0], cause) == grace


def test_a_refused_pod_has_a_start_time() -> None:
    """lifecycle.md §1.5."""
    world = World(pod_json({"containers": [container()]}), refusal=Refusal("OutOfcpu", "no cpu")).run(5)
    assert world.obj is not None
    assert world.obj["status"]["startTime"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "is_refused"), [({"restartPolicy": "Always"}, True), ({}, False)], ids=["sidecar", "init container"]
)
def test_a_port_of_the_node_is_taken_by_a_sidecar_but_not_by_an_init_container(
    kind: dict[str, Any], is_refused: bool
) -> None:
    """lifecycle.md §1.5: NodePorts; an init container is over when the others run."""
    node = {"metadata": {"name": "n"}, "status": {"allocatable": {"pods": "10"}}}
    port = {"ports": [{"containerPort": 80, "hostPort": 80}]}
    other = pod_json({"containers": [container()], "initContainers": [container("i", **kind, **port)]}, "other")
    found = refusal(pod_json({"containers": [container(**port)]}), node, [other])
    assert (found is not None and found.reason == "NodePorts") is is_refused


@pytest.mark.parametrize(
    ("text", "said"),
    [(")a$(A)", ")ax"), ("$(A)$(A", "x$(A"), ("$$(A)", "$(A)"), ("$(B))", "$(B))"), ("$", "$"), ("a$b", "a$b")],
)
def test_a_reference_ends_at_the_next_parenthesis(text: str, said: str) -> None:
    """lifecycle.md §9: `$(NAME)`."""
    assert expanded(text, {"A": "x"}) == said


def test_a_container_without_a_sandbox_that_nobody_knows_is_stopped() -> None:
    """What runs for a pod that is no longer in the API, found by a node agent that begins."""
    world = World(pod_json({"containers": [container()]})).run(10)
    world.report = world.report._replace(sandboxes=())
    world.obj = None
    world.restart_agent()
    world.run(60)
    assert [c.state for c in world.report.containers if c.state == "running"] == []
    assert [a.container for _, a in world.actions if isinstance(a, StopContainer)] == ["c"]


def test_a_dead_container_is_removed_once_though_it_stays_in_the_report() -> None:
    slow = Script(life=lambda name, attempt: Life(1.0, 1), action_seconds=0.5)
    world = World(pod_json({"containers": [container()]}), slow).run(400)
    removed = [a.container_id for _, a in world.actions if isinstance(a, RemoveContainer)]
    assert removed
    assert len(removed) == len(set(removed))


def test_sidecars_are_stopped_after_the_others_when_the_sandbox_is_replaced_too() -> None:
    """lifecycle.md §7.4: the order holds for every stop of a whole pod, not only for its deletion."""
    spec = {
        "containers": [container()],
        "initContainers": [container("s", restartPolicy="Always")],
        "terminationGracePeriodSeconds": 20,
    }
    script = Script(life=lambda name, attempt: Life(on_term=0, term_takes=3.0))
    world = World(pod_json(spec), script).run(10)
    world.at(10, lambda: _sandbox_not_ready(world))
    world.run(60)
    stops = [(a.container, at) for at, a in world.actions if isinstance(a, StopContainer)]
    assert [name for name, _ in stops] == ["c", "s"]
    assert stops[1][1] - stops[0][1] >= 3


def _sandbox_not_ready(world: World) -> None:
    """The sandbox is lost, its containers run on."""
    boxes = tuple(box._replace(state="notready") for box in world.report.sandboxes)
    world.report = world.report._replace(sandboxes=boxes)
