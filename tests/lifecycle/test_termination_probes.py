"""What is probed while a pod stops, and what starts in a sandbox made anew (lifecycle.md §4.1, §6.3, §7)."""

from __future__ import annotations

from mini_runtime import Life, Script, World, container, pod_json

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
