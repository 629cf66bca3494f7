"""What the agent writes of a pod's status: one write a change, and never over what somebody else wrote."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from test_agent import manifest, started, status

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.assembly.simulated import SimulatedCluster

GATE = "example.com/go"


def patch_gate(sim: SimulatedCluster, value: str) -> None:
    body = {"status": {"conditions": [{"type": GATE, "status": value}]}}
    sim.cluster.write(Write("patch", "pods", "default", "p", body, "status", "strategic"), sim.clock.now())


def conditions(sim: SimulatedCluster) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status(sim)["conditions"]}


def test_a_condition_patched_between_the_agents_look_and_its_write_survives() -> None:
    sim = started(manifest(script="sleep 10; exit 1", readinessGates=[{"conditionType": GATE}]))
    through = sim.cluster.carry_out
    meddled: list[str] = []

    def meddle(part: str, write: Write, do: Callable[[], JsonObject]) -> JsonObject:
        if part == "node/node1" and write.subresource == "status" and write.resource == "pods" and not meddled:
            meddled.append(part)
            patch_gate(sim, "True")
        return through(part, write, do)

    sim.cluster.carry_out = meddle
    sim.advance(timedelta(seconds=8))
    assert meddled
    assert conditions(sim)[GATE] == "True"
    assert status(sim)["containerStatuses"][0]["restartCount"] == 1


def test_a_condition_patched_while_the_node_is_silent_survives_its_return() -> None:
    sim = started(manifest(script="sleep 10; exit 1", readinessGates=[{"conditionType": GATE}]))
    agent = sim.cluster.agent("node1")
    assert agent is not None
    agent.pause()
    sim.advance(timedelta(seconds=8))
    patch_gate(sim, "True")
    agent.resume()
    sim.cluster.poke(agent.name)
    sim.advance(timedelta(seconds=2))
    assert conditions(sim)[GATE] == "True"
    assert "terminated" in status(sim)["containerStatuses"][0]["lastState"]


def test_a_write_that_changes_nothing_is_not_made() -> None:
    sim = started(manifest())
    before = sim.get("pods", "p")
    sim.advance(timedelta(minutes=9))
    after = sim.get("pods", "p")
    assert before is not None
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


@pytest.mark.parametrize("image", ["nowhere.invalid/x:1", "busybox:1.36"])
def test_missing_pull_secrets_are_told_whether_an_image_is_pulled_or_not(image: str) -> None:
    """lifecycle.md §8; the event waits for a failed pull only from 1.37 on."""
    sim = started(manifest(container={"image": image}, imagePullSecrets=[{"name": "one"}, {"name": "two"}]))
    events = {e["reason"]: e["message"] for e in sim.cluster.list("events", "default")}
    assert events["FailedToRetrieveImagePullSecret"] == (
        "Unable to retrieve some image pull secrets (one, two); attempting to pull the image may not succeed."
    )


def test_a_field_without_effect_is_told_on_the_node_and_not_on_the_pod() -> None:
    sim = started(manifest(hostIPC=True))
    (event,) = [e for e in sim.cluster.list("events") if e["reason"] == "FieldNotHonoured"]
    assert event["involvedObject"] == {"kind": "Node", "name": "node1", "uid": "node1"}
