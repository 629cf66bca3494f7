"""One node's agent in a cluster: statuses, events, deletion, silence, files that follow their ConfigMap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.lifecycle.vocabulary import KillRequest
from lifepod.node.node_status import NodeSettings
from lifepod.runtime.sim import SimRuntime
from lifepod.turn import Turned


def manifest(
    name: str = "p", script: str = "sleep 600", container: JsonObject | None = None, **spec: Any
) -> JsonObject:
    main = {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script], **(container or {})}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [main], **spec}}


def write(sim: SimulatedCluster, verb: Any, resource: str, name: str, body: JsonObject) -> JsonObject:
    return sim.cluster.write(Write(verb, resource, "default", name, body), sim.clock.now())


def started(obj: JsonObject, seconds: float = 5, settings: SimSettings | None = None) -> SimulatedCluster:
    sim = SimulatedCluster(settings)
    write(sim, "create", "pods", obj["metadata"]["name"], obj)
    sim.advance(timedelta(seconds=seconds))
    return sim


def status(sim: SimulatedCluster, name: str = "p") -> JsonObject:
    found = sim.get("pods", name)
    assert found is not None
    return dict(found["status"])


def reasons(sim: SimulatedCluster) -> list[str]:
    return [e["reason"] for e in sim.cluster.list("events", "default")]


def test_a_pod_runs_and_its_start_is_told_in_order() -> None:
    sim = started(manifest())
    assert status(sim)["phase"] == "Running"
    assert status(sim)["podIP"] == "10.244.0.2"
    assert sorted(reasons(sim)) == ["Created", "Pulled", "Scheduled", "Started"]


def test_the_node_registers_and_renews_its_lease() -> None:
    sim = started(manifest(), 35)
    node = sim.get("nodes", "node1", "")
    held = sim.get("leases.coordination.k8s.io", "node1", "kube-node-lease")
    assert node is not None
    assert held is not None
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
    assert held["spec"]["renewTime"] == "2025-01-01T00:00:30.000000Z"


def test_a_deleted_pod_is_gone_only_after_its_grace_period() -> None:
    sim = started(manifest(terminationGracePeriodSeconds=7))
    write(sim, "delete", "pods", "p", {})
    sim.advance(timedelta(seconds=6))
    assert sim.get("pods", "p") is not None
    sim.advance(timedelta(seconds=2))
    assert sim.get("pods", "p") is None


def test_a_silent_node_tells_nothing_and_catches_up_later() -> None:
    sim = started(manifest(script="sleep 20; exit 0", restartPolicy="Never"))
    agent = sim.cluster.agent("node1")
    assert agent is not None
    agent.pause()
    sim.advance(timedelta(seconds=30))
    assert status(sim)["phase"] == "Running"
    agent.resume()
    sim.cluster.poke(agent.name)
    sim.advance(timedelta(seconds=1))
    assert status(sim)["phase"] == "Succeeded"


def test_an_evicted_pod_fails_with_the_nodes_words() -> None:
    sim = started(manifest())
    agent, pod = sim.cluster.agent("node1"), sim.get("pods", "p")
    assert agent is not None
    assert pod is not None
    agent.evict(pod["metadata"]["uid"], KillRequest("Evicted", "The node was low on resource: memory. ", 1))
    sim.cluster.poke(agent.name)
    sim.advance(timedelta(seconds=5))
    assert (status(sim)["phase"], status(sim)["reason"]) == ("Failed", "Evicted")


def test_files_of_a_config_map_follow_its_changes() -> None:
    sim = SimulatedCluster()
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default"},
        "data": {"k": "old"},
    }
    write(sim, "create", "configmaps", "c", config)
    script = "until grep -q new /c/k; do sleep 1; done"
    volumes = [{"name": "c", "configMap": {"name": "c"}}]
    mounts = {"volumeMounts": [{"name": "c", "mountPath": "/c"}]}
    write(sim, "create", "pods", "p", manifest(script=script, container=mounts, volumes=volumes, restartPolicy="Never"))
    sim.advance(timedelta(seconds=5))
    assert status(sim)["phase"] == "Running"
    write(sim, "update", "configmaps", "c", {**config, "data": {"k": "new"}})
    sim.advance(timedelta(seconds=3))
    assert status(sim)["phase"] == "Succeeded"


def test_a_pod_bound_by_hand_to_a_node_that_is_too_small_is_refused() -> None:
    settings = SimSettings(nodes=(NodeSettings("node1", cpu="1"),))
    request = {"resources": {"requests": {"cpu": "4"}}}
    sim = started(manifest(container=request, nodeName="node1"), settings=settings)
    assert (status(sim)["phase"], status(sim)["reason"]) == ("Failed", "OutOfcpu")


def test_a_container_killed_for_want_of_memory_is_restarted() -> None:
    sim = started(manifest())
    runtime, pod = sim.cluster.runtime("node1"), sim.get("pods", "p")
    assert isinstance(runtime, SimRuntime)
    assert pod is not None
    runtime.kill(pod["metadata"]["uid"], "main", sim.clock.now(), reason="OOMKilled")
    sim.advance(timedelta(seconds=2))
    shown = status(sim)["containerStatuses"][0]
    assert shown["restartCount"] == 1
    assert shown["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_settled_pods_cost_no_timers() -> None:
    sim = started(manifest(script="sleep infinity"), 60, SimSettings(heartbeat=None))
    agent, runtime = sim.cluster.agent("node1"), sim.cluster.runtime("node1")
    assert agent is not None
    assert isinstance(runtime, SimRuntime)
    assert agent.on_news((), sim.clock.now()) == Turned()
    assert runtime.on_news((), sim.clock.now()) == Turned()


def test_why_a_pod_is_as_it_is_can_be_asked() -> None:
    sim = started(manifest(script="exit 1"), 15)
    pod = sim.get("pods", "p")
    assert pod is not None
    assert sim.cluster.decisions(pod["metadata"]["uid"])
