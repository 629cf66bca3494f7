"""A whole cluster in virtual time: store, API, control plane and nodes of scripted containers, put together.

Everything random comes from one seed, everything timed from one clock; `SimulatedCluster.fork` gives a second cluster that goes
its own way from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonObject
from lifepod.apiserver.api import Api
from lifepod.apiserver.bootstrap import bootstrap
from lifepod.assembly.cluster import Cluster, ClusterState
from lifepod.controller_manager.builtin import builtin_parts
from lifepod.controller_manager.store_view import StoreView
from lifepod.node.agent import Agent
from lifepod.node.node_status import NodeSettings
from lifepod.runtime.sim import Program, SimRuntime, service_names
from lifepod.simulation.loop import START, SeededIds, VirtualClock, VirtualLoop
from lifepod.store import Store


class SimSettings(NamedTuple):
    """What a simulated cluster is made of."""

    seed: int = 0
    nodes: tuple[NodeSettings, ...] = (NodeSettings("node1", addresses=("10.0.0.1",)),)
    start: datetime = START
    programs: Mapping[str, Program] = {}
    heartbeat: timedelta | None = timedelta(seconds=10)


class SimulatedCluster:
    """A cluster, its clock and the loop that drives both."""

    def __init__(self, settings: SimSettings | None = None) -> None:
        self.settings = settings or SimSettings()
        self.clock = VirtualClock(self.settings.start)
        self.ids = SeededIds(self.settings.seed)
        self.store = Store()
        self.api = Api(self.store, KindRegistry(builtin_kinds()), self.ids)
        self.cluster = Cluster(self.api)
        self.loop = VirtualLoop(self.cluster, self.clock)
        bootstrap(self.api, self.clock.now())
        view = StoreView(self.store, self.api.kinds)
        for part in builtin_parts(view, self.ids, self.api.settings.root_ca):
            self.cluster.add_part(part)
        for number, node in enumerate(self.settings.nodes):
            self._add_node(node, number)
        self.loop.settle()

    def _add_node(self, node: NodeSettings, number: int) -> None:
        agent = Agent(node, self.cluster, self.cluster.references, heartbeat=self.settings.heartbeat)
        runtime = SimRuntime(
            node.name,
            self.cluster.listener(node.name),
            self.ids,
            lookup=service_names(self.cluster),
            host_ip=node.addresses[0],
            pod_network=f"10.{244 + number // 250 % 11}.{number % 250}" if len(self.settings.nodes) > 1 else "10.244",
            programs=self.settings.programs,
        )
        self.cluster.add_node(agent, runtime)

    def get(self, resource: str, name: str, namespace: str = "default") -> JsonObject | None:
        """One object as it is now."""
        return self.cluster.get(resource, namespace, name)

    def run_until(self, predicate: Callable[[], bool], limit: timedelta) -> bool:
        """Let virtual time pass until `predicate` holds; False after `limit`."""
        return self.loop.run_until(predicate, limit)

    def advance(self, delta: timedelta) -> None:
        """Let exactly `delta` pass."""
        self.loop.advance(delta)

    def snapshot(self) -> ClusterState:
        """The whole state as a value."""
        return self.cluster.snapshot()

    def restore(self, state: ClusterState) -> None:
        """Be again as at the moment of the snapshot."""
        self.cluster.restore(state)
        if state.now is not None:
            self.clock.restore(state.now)

    def fork(self) -> SimulatedCluster:
        """A second cluster with the same state and a life of its own."""
        other = SimulatedCluster(self.settings)
        other.restore(self.snapshot())
        return other
