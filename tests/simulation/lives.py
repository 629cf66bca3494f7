"""Eventful lives of a cluster, and what is told of them; shared by the tests of replays and copies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lifepod.api.writes import ApiError
from lifepod.assembly.replay import replay
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.node.node_status import NodeSettings
from lifepod.simulation.faults import RandomFaults
from lifepod.simulation.recording import decoded
from lifepod.store.record import Change, watch_line

NODES = tuple(NodeSettings(f"node{n}", addresses=(f"10.0.0.{n}",)) for n in (1, 2))
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def told(sim: SimulatedCluster) -> list[bytes]:
    """All watch events of a cluster from now on, heartbeats included."""
    lines: list[bytes] = []

    def on_change(change: Change) -> None:
        lines.append(watch_line(change.type, change.new.encoded))

    sim.store.on_change(on_change)
    return lines


def lived_again(sim: SimulatedCluster, until: timedelta | None = None) -> list[bytes]:
    lines: list[list[bytes]] = []
    replay(decoded(sim.inputs.recording().encoded()), until, watch=lambda other: lines.append(told(other)))
    return lines[0]


def eventful(seed: int = 3) -> tuple[SimulatedCluster, list[bytes]]:
    """A cluster with requests at odd moments, refused ones too, and faults."""
    sim = SimulatedCluster(SimSettings(seed=seed, nodes=NODES, scripts={"worker": "run=7s exit=1; run=forever"}))
    lines = told(sim)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "worker"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    sim.advance(timedelta(seconds=1, microseconds=1234))
    sim.request(
        "POST", DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    )
    sim.faults.draw(RandomFaults(timedelta(seconds=9)))
    sim.advance(timedelta(seconds=33.7))
    with pytest.raises(ApiError):
        sim.request(
            "POST",
            DEPLOYMENTS,
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec},
        )
    sim.faults.inject("container-killed web-*")
    sim.run_until(lambda: False, timedelta(minutes=4))
    sim.request("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 5}}, "application/merge-patch+json")
    sim.request("GET", PODS)
    for _ in range(5):
        sim.loop.step()
    sim.faults.end("node-silent")
    sim.request("DELETE", f"{DEPLOYMENTS}/web")
    sim.advance(timedelta(minutes=3))
    return sim, lines
