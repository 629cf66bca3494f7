"""What is probed while a pod stops, and what starts in a sandbox made anew (lifecycle.md §4.1, §6.3, §7)."""

from __future__ import annotations

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle.vocabulary import Probed, RunProbe

PROBE = {"exec": {"command": ["x"]}, "periodSeconds": 1, "failureThreshold": 1}


def test_while_a_pod_stops_only_readiness_is_probed() -> None:
    world = World(
        pod_json({"containers": [container(livenessProbe=PROBE, readinessProbe=PROBE)]}),
        Script(life=lambda name, attempt: Life(on_term=0, term_takes=10.0)),
    )
    world.at(5, world.delete)
    world.run(12)
    _, out, _ = world.steps[-1]
    assert {worker.kind for worker in out.memory.probes} == {"readiness"}


def test_in_a_new_sandbox_an_ephemeral_container_is_not_started_again() -> None:
    world = World(pod_json({"containers": [container()]}))
    meta, spec = world.obj["metadata"], world.obj["spec"]

    def add() -> None:
        world.obj = {
            **world.obj,
            "metadata": {**meta, "generation": 2},
            "spec": {**spec, "ephemeralContainers": [container("e")]},
        }

    world.at(2, add)
    world.at(6, world.lose_sandbox)
    world.run(30)
    assert len(world.starts("e")) == 1
    assert len(world.starts("c")) == 2


def test_a_pod_whose_phase_is_terminal_is_not_probed_while_its_containers_stop() -> None:
    world = World(
        pod_json({"containers": [container(readinessProbe=PROBE)], "activeDeadlineSeconds": 5}),
        Script(life=lambda name, attempt: Life(term_takes=10.0), probe=lambda name, kind, at: Probed("failure", "no")),
    ).run(20)
    assert max(at for at, action in world.actions if isinstance(action, RunProbe)) < 5


@pytest.mark.parametrize(("policy", "told"), [("Always", True), ("Never", False)])
def test_a_lost_sandbox_is_told_of_only_when_another_one_is_made(policy: str, told: bool) -> None:
    world = World(pod_json({"containers": [container()], "restartPolicy": policy}))
    world.at(5, world.lose_sandbox)
    world.run(30)
    assert bool(world.told("SandboxChanged")) == told
