"""A run can be replayed from what the core was shown: the same decisions, statuses and events."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from test_agent import manifest, reasons, started, status, write

from lifepod.assembly.simulated import SimulatedCluster
from lifepod.lifecycle.recording import Recording, look_from_json, replayed


def recorded() -> tuple[SimulatedCluster, Recording]:
    sim, recording = SimulatedCluster(), Recording()
    agent = sim.cluster.agent("node1")
    assert agent is not None
    agent.on_look = recording.add
    probe = {"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 3}}
    write(sim, "create", "pods", "p", manifest(script="sleep 1; exit 1", container=probe))
    sim.advance(timedelta(minutes=4))
    return sim, recording


@pytest.mark.parametrize("through_json", [False, True])
def test_a_replay_decides_what_the_run_decided(through_json: bool) -> None:
    sim, recording = recorded()
    looks = list(recording.looks)
    if through_json:
        looks = [look_from_json(json.loads(json.dumps(line))) for line in recording.lines()]
    assert looks == list(recording.looks)
    steps = [step for _, step in replayed(looks)]
    last = [s.status for s in steps if s.status is not None][-1]
    assert last == status(sim)
    assert {e.reason for s in steps for e in s.events} == set(reasons(sim)) - {"Scheduled"}


def test_what_the_core_decided_can_be_read() -> None:
    sim, _ = recorded()
    pod = sim.get("pods", "p")
    assert pod is not None
    found = sim.cluster.decisions(pod["metadata"]["uid"])
    held = [b for b in found if b.rule == "restart_backoff.may_restart_at"]
    assert held
    assert held[-1].subject == "main"
    assert held[-1].until is not None
    assert dict(held[-1].facts)["delay"] in ("1m20s", "2m40s")


def test_a_phase_is_put_on_record() -> None:
    sim = started(manifest(script="exit 0", restartPolicy="Never"))
    pod = sim.get("pods", "p")
    assert pod is not None
    said = [b.verdict for b in sim.cluster.decisions(pod["metadata"]["uid"]) if b.rule.startswith("pod_phase")]
    assert said == ["Pending", "Running", "Succeeded"]


def test_a_recording_keeps_no_more_than_it_may() -> None:
    _, whole = recorded()
    short = Recording(limit=5)
    for look in whole.looks:
        short.add(look)
    assert list(short.looks) == list(whole.looks)[-5:]
    assert all(step is not None for _, step in replayed(short.looks))
