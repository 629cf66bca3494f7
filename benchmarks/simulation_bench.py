"""Virtual time: a day of a crash loop, ten and a hundred thousand pods to Running, snapshots and forks.

Run: python benchmarks/simulation_bench.py [crash] [10k] [https] [100k] [copies] [random] [fixture]. Seconds are CPU seconds of this
process, for `https` and `fixture` of the wall too.
"""

from __future__ import annotations

import gc
import resource
import subprocess
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


def _big_node(number: int) -> NodeSettings:
    address = f"10.0.{number >> 8}.{number & 255}"
    return NodeSettings(f"node{number}", (address,), cpu="1000", memory="1000Gi", pods="500")


def cluster_of(pods: int, nodes: int) -> SimulatedCluster:
    """A cluster with that many pods Running, one container each."""
    sim = SimulatedCluster(SimSettings(nodes=tuple(_big_node(number) for number in range(nodes))))
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


CLIENT = """
import http.client, json, os, ssl, sys, time
context = ssl.create_default_context(cadata=sys.stdin.read())
host = sys.argv[1].removeprefix("https://")
headers = {"Authorization": "Bearer " + sys.argv[2], "Content-Type": "application/json"}
connection = http.client.HTTPSConnection(host, context=context)
def ask(method, path, body=None):
    connection.request(method, "/api/v1/namespaces/default/pods" + path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, text
    return text
began = time.monotonic()
for number in range(int(sys.argv[3])):
    spec = {"containers": [{"name": "app", "image": "busybox"}]}
    ask("POST", "", json.dumps({"metadata": {"name": f"p{number}"}, "spec": spec}))
created = time.monotonic() - began
while json.loads(ask("GET", "?fieldSelector=status.phase!=Running&limit=1"))["items"]:
    pass
print(f"{created:.1f} s to the last answer, {time.monotonic() - began:.1f} s to Running, {time.process_time():.1f} s CPU of the client")
"""
"""A client of the standard library with one kept connection: it creates pods, then asks until all of them run."""


def https(pods: int = 10_000, nodes: int = 20) -> None:
    """Goal: 10,000 pods created by a client in another process run within 30 s (20 s) by the wall's clock."""
    import lifepod

    with lifepod.cluster(nodes=[_big_node(number) for number in range(nodes)]) as kube:
        began = time.process_time()
        asked = [sys.executable, "-c", CLIENT, kube.url, kube.token, str(pods)]
        told = subprocess.run(asked, input=kube.ca_pem.decode(), capture_output=True, text=True, check=True).stdout
    print(
        f"{pods} pods through HTTPS from another process: {told.strip()}, {time.process_time() - began:.1f} s of the server (goal 20 s)"
    )


SMALL_TESTS = """
import pytest
@pytest.mark.parametrize("number", range(1000))
def test_small(kube, number):
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}})
    kube.advance("5s")
    assert kube.pod("p").phase == "Running"
"""
FIRST_USE = """
import time
began, cpu = time.perf_counter(), time.process_time()
import lifepod
with lifepod.cluster() as kube:
    first, first_cpu = time.perf_counter() - began, time.process_time() - cpu
    kube.kubeconfig
began, again_cpu = time.perf_counter(), time.process_time()
for _ in range(100):
    with lifepod.cluster() as kube:
        kube.kubeconfig
again, again_cpu = time.perf_counter() - began, time.process_time() - again_cpu
print(f"{first * 1000:.0f} ms (CPU {first_cpu * 1000:.0f}), each further {again * 10:.1f} ms (CPU {again_cpu * 10:.1f})")
"""


def fixture() -> None:
    """Goals: import and first use 300 ms, each further test 5 ms, 1,000 small tests 30 s on one core."""
    told = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, check=True).stdout
    print(f"import and first use of a cluster: {told.strip()} (goals 300 ms, 5 ms)")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_small.py").write_text(SMALL_TESTS)
        began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
        told = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=folder).stdout
        spent, cpu = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu
    print(f"1,000 tests of a pod each: {spent:.1f} s, CPU {cpu:.1f} s (goal 30 s): {told.strip().splitlines()[-1]}")


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
    "https": https,
    "fixture": fixture,
    "10k": lambda: scale(10_000, 20, "(goal 10 s)"),
    "100k": lambda: scale(100_000, 1_000, ""),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or ["crash", "random", "copies", "10k", "https", "fixture"]:
        gc.collect()  # of what an earlier one left
        WHAT[name]()
