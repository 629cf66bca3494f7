"""A day of restarts, deletions and lost nodes leaves nothing behind. LIFEPOD_SOAK_PODS makes it larger."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from lifepod.api.objects import JsonObject, dig
from lifepod.assembly.simulate import play, read_scenario
from lifepod.assembly.simulated import SimulatedCluster

PODS = int(os.environ.get("LIFEPOD_SOAK_PODS", "200"))
DAY = f"""
cluster nodes={max(5, PODS // 40)} seed=11
image worker run=2h exit=1 then run=forever term-exit=0
deployment web replicas={PODS // 2}
  container app image=worker
    readiness period=20m
    liveness period=20m
deployment api replicas={PODS - PODS // 2 - 10}
  sidecar proxy runs=5h exit=1
  container app runs=forever term-exit=0
job crunch completions=20 parallelism=10 backoffLimit=1000 ttl=10m
  container main runs=30m exit=0
every 1h delete pod/web-*
every 2h from=90m delete pod/api-*
faults random every=10m until=23h
run until=24h
"""


def _pods_of(sim: SimulatedCluster, node: str) -> list[JsonObject]:
    return [pod for pod in sim.cluster.list("pods") if dig(pod, "spec", "nodeName") == node]


def test_after_a_day_everything_is_as_it_should_be_and_nothing_leaked(tmp_path: Path) -> None:
    path = tmp_path / "day.pod"
    path.write_text(DAY)
    sim = play(read_scenario(path), source="day.pod").cluster
    sim.advance(timedelta(minutes=30))
    wanted = PODS - 10
    running = [p for p in sim.cluster.list("pods") if dig(p, "status", "phase") == "Running"]
    assert len(running) == wanted
    assert sim.faults.active == ()
    for node in sim.cluster.nodes:
        agent, runtime = sim.cluster.agent(node), sim.runtimes[node]
        assert agent is not None
        here = {pod["metadata"]["uid"] for pod in _pods_of(sim, node)}
        assert set(agent.pods) == here
        assert set(runtime.reports()) <= here
        for uid, report in runtime.reports().items():
            live = [c.name for c in report.containers if c.state == "running"]
            assert len(live) == len(set(live)), f"two live instances in {uid}"
    assert len(sim.cluster.list("events")) < 10 * PODS
    assert sim.cluster.list("jobs.batch") == []


def test_when_all_is_deleted_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "hours.pod"
    path.write_text(DAY.replace("24h", "4h").replace("23h", "3h"))
    sim = play(read_scenario(path), source="hours.pod").cluster
    for plural in ("deployments",):
        for obj in sim.cluster.list(f"{plural}.apps"):
            sim.request(
                "DELETE",
                f"/apis/apps/v1/namespaces/default/{plural}/{obj['metadata']['name']}",
                {"propagationPolicy": "Background"},
            )
    for pod in sim.cluster.list("pods"):
        sim.request("DELETE", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}", {})
    sim.advance(timedelta(hours=2))
    assert sim.cluster.list("pods") == []
    assert sim.cluster.list("events") == []
    for node in sim.cluster.nodes:
        agent = sim.cluster.agent(node)
        assert agent is not None
        assert agent.pods == ()
        assert sim.runtimes[node].reports() == {}
