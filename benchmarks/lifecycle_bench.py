"""How long one `step` of a one-container pod takes: goal ≤ 20 µs without news, ≤ 100 µs with. Run: python benchmarks/lifecycle_bench.py"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lifecycle"))

from mini_runtime import World, container, pod_json

from lifepod.lifecycle import step


def microseconds(look: Callable[[], object], times: int) -> float:
    """The mean CPU time of one call."""
    began = time.process_time()
    for _ in range(times):
        look()
    return (time.process_time() - began) / times * 1e6


def main() -> None:
    world = World(pod_json({"containers": [container()]}))
    world.run(5)
    settled = world.seen()
    (sandbox,) = settled.report.sandboxes
    news = settled._replace(report=settled.report._replace(sandboxes=(sandbox._replace(ips=("10.1.0.6",)),)))
    quiet = microseconds(lambda: step(world.memory, settled, world.now), 50_000)
    busy = microseconds(lambda: step(world.memory, news, world.now), 5_000)
    print(f"without news {quiet:.2f} µs (goal 20), with news {busy:.1f} µs (goal 100)")


if __name__ == "__main__":
    main()
