"""A node falls silent and comes back: what its pods, its taints and the events show (lifecycle.md §1.5, §13.43)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from test_agent import manifest, write

from lifepod.api.objects import JsonObject
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.node.node_status import NodeSettings

LOST_AFTER = timedelta(seconds=55)
"""50 s after the last lease, which may be 10 s old."""


def cluster_with(pod: JsonObject) -> SimulatedCluster:
    nodes = (NodeSettings("a", addresses=("10.0.0.1",)), NodeSettings("b", addresses=("10.0.0.2",)))
    sim = SimulatedCluster(SimSettings(nodes=nodes))
    write(sim, "create", "pods", "p", pod)
    sim.advance(timedelta(seconds=5))
    return sim


def on_a(toleration_seconds: int | None = None) -> JsonObject:
    more: dict[str, Any] = {"nodeSelector": {"kubernetes.io/hostname": "a"}}
    if toleration_seconds is not None:
        more["tolerations"] = [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": toleration_seconds,
            }
            for key in ("unreachable", "not-ready")
        ]
    return manifest(**more)


def silence(sim: SimulatedCluster, node: str) -> None:
    agent = sim.cluster.agent(node)
    assert agent is not None
    agent.pause()


def speak(sim: SimulatedCluster, node: str) -> None:
    agent = sim.cluster.agent(node)
    assert agent is not None
    agent.resume()
    sim.cluster.poke(agent.name)


def shown(sim: SimulatedCluster, resource: str, name: str, namespace: str = "default") -> JsonObject:
    obj = sim.get(resource, name, namespace)
    assert obj is not None
    return obj


def conditions(obj: JsonObject) -> dict[str, str]:
    return {c["type"]: c["status"] for c in obj["status"]["conditions"]}


def events(sim: SimulatedCluster, kind: str) -> list[tuple[str, str]]:
    found = [e for e in sim.cluster.list("events") if e["involvedObject"]["kind"] == kind]
    return [(e["reason"], e["message"]) for e in found]


def test_a_silent_node_becomes_unknown_and_only_ready_of_its_pods_turns_false() -> None:
    sim = cluster_with(on_a())
    silence(sim, "a")
    sim.advance(LOST_AFTER)
    node, pod = shown(sim, "nodes", "a", ""), shown(sim, "pods", "p")
    assert set(conditions(node).values()) == {"Unknown"}
    assert [(t["key"], t["effect"]) for t in node["spec"]["taints"]] == [
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    ]
    assert pod["status"]["phase"] == "Running"
    assert (conditions(pod)["Ready"], conditions(pod)["ContainersReady"]) == ("False", "True")
    assert ("NodeNotReady", "Node is not ready") in events(sim, "Pod")
    assert conditions(shown(sim, "nodes", "b", ""))["Ready"] == "True"


@pytest.mark.parametrize(("tolerated", "seconds"), [(30, 30), (None, 300)])
def test_a_pod_is_deleted_when_its_toleration_ends(tolerated: int | None, seconds: int) -> None:
    sim = cluster_with(on_a(tolerated))
    silence(sim, "a")
    sim.advance(LOST_AFTER)
    sim.advance(timedelta(seconds=seconds - 15))
    assert "deletionTimestamp" not in shown(sim, "pods", "p")["metadata"]
    sim.advance(timedelta(seconds=15))
    pod = shown(sim, "pods", "p")
    assert "deletionTimestamp" in pod["metadata"], "nobody can confirm the end: the object stays"
    assert conditions(pod)["DisruptionTarget"] == "True"
    assert ("TaintManagerEviction", "Marking for deletion Pod default/p") in events(sim, "Pod")


def test_a_node_that_comes_back_in_time_keeps_its_pods() -> None:
    sim = cluster_with(on_a(60))
    silence(sim, "a")
    sim.advance(LOST_AFTER)
    speak(sim, "a")
    sim.advance(timedelta(seconds=120))
    node, pod = shown(sim, "nodes", "a", ""), shown(sim, "pods", "p")
    assert conditions(node)["Ready"] == "True"
    assert not node["spec"].get("taints")
    assert "deletionTimestamp" not in pod["metadata"]
    assert conditions(pod)["Ready"] == "True"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_node_that_comes_back_too_late_ends_the_pods_that_were_deleted_meanwhile() -> None:
    sim = cluster_with({**on_a(30), "spec": {**on_a(30)["spec"], "terminationGracePeriodSeconds": 3}})
    silence(sim, "a")
    sim.advance(timedelta(seconds=120))
    assert "deletionTimestamp" in shown(sim, "pods", "p")["metadata"]
    speak(sim, "a")
    sim.advance(timedelta(seconds=5))
    assert sim.get("pods", "p") is None


def test_the_clock_of_a_node_may_be_ahead_without_harm() -> None:
    sim = cluster_with(on_a())
    agent = sim.cluster.agent("a")
    assert agent is not None
    agent.skew = timedelta(seconds=3)
    sim.advance(timedelta(minutes=5))
    assert conditions(shown(sim, "nodes", "a", ""))["Ready"] == "True"
