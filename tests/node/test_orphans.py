"""Containers of pods that the API does not know: found after a restart of the agent, they are stopped and removed."""

from datetime import timedelta

from lifepod.assembly.simulated import SimulatedCluster
from lifepod.lifecycle.vocabulary import RuntimeReport
from lifepod.turn import PodReported

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "1000"]}]},
}


def running_pod() -> tuple[SimulatedCluster, str]:
    sim = SimulatedCluster()
    sim.request("POST", "/api/v1/namespaces/default/pods", POD)
    sim.advance(timedelta(seconds=5))
    return sim, sim.get("pods", "p")["metadata"]["uid"]


def restarted_agent(sim: SimulatedCluster) -> None:
    (node,) = sim.cluster.nodes
    agent, runtime = sim.cluster.agent(node), sim.cluster.runtime(node)
    agent.forget_all()
    for uid, report in runtime.reports().items():
        sim.cluster.tell(agent.name, PodReported(uid, report))


def test_what_nobody_knows_is_stopped_and_leaves_nothing():
    sim, uid = running_pod()
    (node,) = sim.cluster.nodes
    assert uid in sim.cluster.runtime(node).reports()
    agent = sim.cluster.agent(node)
    agent.forget_all()
    sim.store.delete("pods", "default", "p", sim.clock.now())
    restarted_agent(sim)
    sim.advance(timedelta(seconds=10))
    assert sim.cluster.runtime(node).reports() == {}
    assert agent.snapshot().entries == {}


def test_an_empty_report_of_an_unknown_pod_is_nothing():
    sim, _ = running_pod()
    (node,) = sim.cluster.nodes
    agent = sim.cluster.agent(node)
    before = agent.snapshot()
    sim.cluster.tell(agent.name, PodReported("unknown", RuntimeReport()))
    sim.advance(timedelta(seconds=1))
    after = agent.snapshot()
    assert after.orphans == before.orphans == {}
    assert list(after.entries) == list(before.entries)
