"""What pods cost a node while nothing, or the same thing again and again, happens: CPU per second of the cluster's time, memory.

    python benchmarks/node_bench.py

A whole cluster in virtual time: API, controllers, node agent and scripted containers. CPU of this process per virtual second is the
share of a core that the same cluster would need in real time.
"""

from __future__ import annotations

import gc
import os
import time
from datetime import timedelta

from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.node.node_status import NodeSettings


def pod(name: str, command: list[str]) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "c", "image": "busybox:1.36", "command": command}],
        },
    }


def cluster(nodes: int) -> SimulatedCluster:
    settings = tuple(NodeSettings(f"node{i}", addresses=(f"10.0.{i // 250}.{i % 250 + 1}",)) for i in range(nodes))
    return SimulatedCluster(SimSettings(nodes=settings))


def filled(count: int, command: list[str]) -> SimulatedCluster:
    sim = cluster(-(-count // 100))
    for i in range(count):
        sim.request("POST", "/api/v1/namespaces/default/pods", pod(f"p{i}", command))
    sim.advance(timedelta(minutes=1))
    return sim


def share_of_a_core(sim: SimulatedCluster, span: timedelta) -> float:
    gc.collect()
    began = time.process_time()
    sim.advance(span)
    return (time.process_time() - began) / span.total_seconds()


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    gc.collect()
    before = resident_bytes()
    settled = filled(1000, ["sleep", "1000000"])
    gc.collect()
    stored = sum(len(r.encoded) for r in settled.store.list("pods").records)
    each = (resident_bytes() - before - stored) / 1000
    print(f"1,000 settled pods: {share_of_a_core(settled, timedelta(hours=1)):.2%} of a core (goal <= 1 %)")
    print(
        f"  memory a pod beside its stored object: {each / 1000:.1f} kB, events, history and sim container included (goal <= 20 kB of ours)"
    )
    crashing = filled(500, ["sh", "-c", "sleep 1; exit 1"])
    print(f"500 crash-looping pods: {share_of_a_core(crashing, timedelta(hours=1)):.2%} of a core (goal <= 10 %)")


if __name__ == "__main__":
    main()
