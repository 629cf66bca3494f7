"""What a person waits for: `lifepod version`, `lifepod up`, a pod's way to Running, many pods at once, and what idling costs.

    python benchmarks/up_bench.py [--pods 20] [--burst 30]

Times are what a client sees: a watcher on the real HTTPS API, one HTTP connection a request. Bytecode is compiled first.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import contextlib
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lifepod
from lifepod.client import kubeconfig
from lifepod.client.base import Client
from lifepod.client.http import Http

PROGRAM = (sys.executable, "-c", "from lifepod.cli import main; main(prog_name='lifepod')")
PODS = "/api/v1/namespaces/default/pods"


def say(what: str, value: str, goal: str = "") -> None:
    print(f"{what:<44}{value:>28}   {goal}", flush=True)


def median_of(runs: int, work: Any) -> float:
    return statistics.median(work() for _ in range(runs))


def seconds_of(*words: str) -> float:
    started = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def cpu_seconds_of(*words: str) -> float:
    """The CPU a command costs, which a busy machine changes less than the time it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_seconds() -> float:
    """How long everything takes that `lifepod up` needs, in a fresh Python."""
    code = "import time; t = time.perf_counter(); import lifepod.assembly.up; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


class Up:
    """One `lifepod up` in a process of its own."""

    def __init__(self, *words: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="lifepod-bench-")
        self.kubeconfig = Path(self.folder.name, "kubeconfig")
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [*PROGRAM, "up", "--kubeconfig", str(self.kubeconfig), *words],
            env={**os.environ, "LIFEPOD_HOME": f"{self.folder.name}/home"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " is up at " in line, line
        self.ready = time.perf_counter() - started
        self.ready_cpu = self.cpu_seconds()

    def pids(self) -> list[int]:
        """The process and everything below it."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (thread / "children").read_text().split())
        return found

    def pss_kilobytes(self) -> int:
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    total += int(line.split()[1]) if line.startswith("Pss:") else 0
        return total

    def cpu_seconds(self) -> float:
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def client(self) -> Client:
        return Client(Http(kubeconfig.load([self.kubeconfig], None)))

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.folder.cleanup()


def pod(name: str, script: str, policy: str = "Always") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": policy,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script]}],
        },
    }


class Watcher:
    """Notes when each pod was first seen in each phase; `gone` when it was deleted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[tuple[str, str], float] = {}
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for event in self._client.watch(PODS, {}):
            phase = "gone" if event.type == "DELETED" else event.object["status"].get("phase", "")
            self._seen.setdefault((event.object["metadata"]["name"], phase), time.perf_counter())
            self._changed.set()

    async def when(self, name: str, phase: str) -> float:
        async with asyncio.timeout(60):
            while (name, phase) not in self._seen:
                self._changed.clear()
                await self._changed.wait()
        return self._seen[name, phase]

    def close(self) -> None:
        self._task.cancel()


async def time_pods(up: Up, client: Client, pods: int, burst: int) -> None:
    watcher = Watcher(client)
    running, gone, succeeded = [], [], []
    for n in range(pods + 2):
        started = time.perf_counter()
        await client.request("POST", PODS, pod(f"r{n}", "trap 'exit 0' TERM; sleep 600 & wait"))
        running.append(await watcher.when(f"r{n}", "Running") - started)
        await asyncio.sleep(0.05)  # let the shell set its trap
        started = time.perf_counter()
        await client.request("DELETE", f"{PODS}/r{n}")
        gone.append(await watcher.when(f"r{n}", "gone") - started)
        started = time.perf_counter()
        await client.request("POST", PODS, pod(f"d{n}", "exit 0", "Never"))
        succeeded.append(await watcher.when(f"d{n}", "Succeeded") - started)
    for what, times, goal in (
        ("create → Running, p50 (p95)", running, "goal ≤ 60 ms"),
        ("delete → gone, p50 (p95)", gone, ""),
        ("create → Succeeded, p50 (p95)", succeeded, ""),
    ):
        warm = sorted(times[2:])  # the first ones load what is loaded late
        say(what, f"{statistics.median(warm) * 1000:.0f} ms ({warm[int(len(warm) * 0.95)] * 1000:.0f} ms)", goal)
    cpu = up.cpu_seconds()
    started = time.perf_counter()
    await asyncio.gather(*(client.request("POST", PODS, pod(f"b{n}", "sleep 600 & wait")) for n in range(burst)))
    last = max([await watcher.when(f"b{n}", "Running") for n in range(burst)])
    say(f"{burst} pods at once", f"{burst / (last - started):.0f} pods/s", "goal ≥ 40 pods/s")
    say(f"{burst} pods at once, CPU a pod, all processes", f"{(up.cpu_seconds() - cpu) / burst * 1000:.0f} ms")
    watcher.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=20)
    parser.add_argument("--burst", type=int, default=30)
    parser.add_argument("--runtime", default="sandbox")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(os.path.dirname(lifepod.__file__), quiet=1)
    say("import lifepod.assembly.up", f"{median_of(7, import_seconds) * 1000:.0f} ms")
    say("lifepod version", f"{median_of(7, lambda: seconds_of(*PROGRAM, 'version')) * 1000:.0f} ms", "goal ≤ 100 ms")
    say("lifepod version, CPU", f"{median_of(7, lambda: cpu_seconds_of(*PROGRAM, 'version')) * 1000:.0f} ms")
    ready, cpu = [], []
    for _ in range(5):
        up = Up("--runtime", options.runtime)
        ready.append(up.ready)
        cpu.append(up.ready_cpu)
        up.end()
    say("lifepod up → ready, from the command's start", f"{statistics.median(ready) * 1000:.0f} ms", "goal ≤ 300 ms")
    say("lifepod up → ready, CPU of all processes", f"{statistics.median(cpu) * 1000:.0f} ms")
    up = Up("--runtime", options.runtime)
    time.sleep(3)
    say("idle memory, PSS in all", f"{up.pss_kilobytes() / 1024:.0f} MB", "goal ≤ 80 MB")
    before = up.cpu_seconds()
    time.sleep(10)
    say("idle CPU", f"{(up.cpu_seconds() - before) * 10:.2f} % of a core")
    asyncio.run(time_pods(up, up.client(), options.pods, options.burst))
    up.end()


if __name__ == "__main__":
    main()
