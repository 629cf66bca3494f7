"""Virtual time: a day of a crash loop, ten and a hundred thousand pods to Running, snapshots and forks.

Run: python benchmarks/simulation_bench.py [crash] [10k] [100k] [copies] [random]. Seconds are CPU seconds of this process.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from lifepod.apiserver.options import SYSTEM, WriteOptions
from lifepod.assembly.simulate import play, read_scenario
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.node.node_status import NodeSettings
from lifepod.store.record import Change

DAY = """
pod crasher
  container app runs=1s exit=1
    liveness period=10s
run until=24h
"""
RANDOM = Path(__file__).parents[1] / "examples" / "scenarios" / "random-faults.pod"


def megabytes() -> int:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def crash() -> None:
    """Goal: at most 1 s."""
    with tempfile.NamedTemporaryFile("w", suffix=".pod") as file:
        file.write(DAY)
        file.flush()
        scenario = read_scenario(Path(file.name))
    began = time.process_time()
    outcome = play(scenario)
    print(
        f"24 h crash loop with a liveness probe: {time.process_time() - began:.2f} s, {len(outcome.rows)} rows (goal 1 s)"
    )


def random() -> None:
    """The example of 200 pods with a random fault every 20 s."""
    began = time.process_time()
    outcome = play(read_scenario(RANDOM))
    print(f"30 min of 200 pods with random faults: {time.process_time() - began:.2f} s, {len(outcome.rows)} rows")


def cluster_of(pods: int, nodes: int) -> SimulatedCluster:
    """A cluster with that many pods Running, one container each."""
    settings = tuple(
        NodeSettings(f"node{n}", (f"10.0.{n >> 8}.{n & 255}",), cpu="1000", memory="1000Gi", pods="500")
        for n in range(nodes)
    )
    sim = SimulatedCluster(SimSettings(nodes=settings))
    running: set[str] = set()

    def on_change(change: Change) -> None:
        if change.new.resource == "pods" and change.obj is not None and change.obj["status"].get("phase") == "Running":
            running.add(change.new.name)

    sim.store.on_change(on_change)
    kind, options = sim.api.kinds.of("pods"), WriteOptions(sim.clock.now(), SYSTEM, "benchmark", "Ignore")
    for number in range(pods):
        spec = {"containers": [{"name": "app", "image": "busybox"}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}"}, "spec": spec}
        sim.api.create(kind, "default", body, options)
    assert sim.run_until(lambda: len(running) >= pods, timedelta(hours=1))
    return sim


def scale(pods: int, nodes: int, goal: str) -> SimulatedCluster:
    """Create pods in process and let them come to Running."""
    began = time.process_time()
    sim = cluster_of(pods, nodes)
    print(f"{pods} pods on {nodes} nodes to Running: {time.process_time() - began:.1f} s, {megabytes()} MB {goal}")
    return sim


def copies() -> None:
    """Goals: fork of 1,000 pods at most 50 ms, reset at most 5 ms."""
    sim = cluster_of(1_000, 10)

    def milliseconds(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return (time.process_time() - began) * 1000

    state = sim.snapshot()
    print(
        f"1,000 pods: snapshot {milliseconds(sim.snapshot):.1f} ms, restore {milliseconds(lambda: sim.restore(state)):.1f} ms, ",
        end="",
    )
    print(f"fork {milliseconds(sim.fork):.1f} ms (goal 50 ms)")
    empty = SimulatedCluster()
    first = empty.snapshot()
    empty.advance(timedelta(minutes=1))
    print(
        f"an empty cluster: made {milliseconds(SimulatedCluster):.1f} ms, reset {milliseconds(lambda: empty.restore(first)):.1f} ms (goal 5 ms)"
    )


WHAT: dict[str, Callable[[], object]] = {
    "crash": crash,
    "random": random,
    "copies": copies,
    "10k": lambda: scale(10_000, 20, "(goal 10 s)"),
    "100k": lambda: scale(100_000, 1_000, ""),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or ["crash", "random", "copies", "10k"]:
        WHAT[name]()
