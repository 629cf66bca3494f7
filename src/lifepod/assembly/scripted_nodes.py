"""Nodes of scripted containers in real time: `lifepod up --runtime sim --nodes 1000` needs no namespaces and runs no process.

The same `SimRuntime` as in virtual time; its timers lie in the cluster's heap, which the driver of real time calls.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime

from lifepod.assembly.cluster import Cluster
from lifepod.clock import Ids
from lifepod.node.agent import Agent
from lifepod.node.node_status import NodeSettings
from lifepod.node.pod_volumes import MintToken
from lifepod.runtime.base import NodeStreams
from lifepod.runtime.sim import SimRuntime, service_names
from lifepod.runtime.sim.streams import SimStreams

_PODS_PER_THIRD_NUMBER = 250


def add_scripted_nodes(
    cluster: Cluster, count: int, ids: Ids, now: Callable[[], datetime], mint: MintToken
) -> dict[str, NodeStreams]:
    """Add `node1` … `node<count>` and their runtimes; returns their logs, processes and ports by node."""
    streams: dict[str, NodeStreams] = {}
    for number in range(count):
        name, address = f"node{number + 1}", _address(number)
        agent = Agent(NodeSettings(name, addresses=(address,)), cluster, cluster.references, mint=mint)
        runtime = SimRuntime(
            name,
            cluster.listener(name),
            ids,
            lookup=service_names(cluster),
            host_ip=address,
            pod_network=_pod_network(number) if count > 1 else "10.244",
        )
        cluster.add_node(agent, runtime)
        streams[name] = SimStreams(runtime, now, nullcontext(), _poke(cluster, runtime.name))
    return streams


def _poke(cluster: Cluster, part: str) -> Callable[[], None]:
    return lambda: cluster.poke(part)


def _address(number: int) -> str:
    return f"10.0.{number // _PODS_PER_THIRD_NUMBER}.{number % _PODS_PER_THIRD_NUMBER + 1}"


def _pod_network(number: int) -> str:
    return f"10.{244 + number // _PODS_PER_THIRD_NUMBER % 11}.{number % _PODS_PER_THIRD_NUMBER}"
