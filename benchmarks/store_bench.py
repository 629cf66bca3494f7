"""What the store costs: microseconds of CPU a call, bytes a pod. Run: `python benchmarks/store_bench.py [pods]`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.selectors import parse_label_selector
from lifepod.api.writes import Write
from lifepod.apiserver.api import Api
from lifepod.apiserver.bootstrap import bootstrap
from lifepod.apiserver.options import ListOptions, WriteOptions
from lifepod.store import Selection, Store, Watch

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class Numbers:
    """Names that count up."""

    def __init__(self) -> None:
        self.count = 0

    def uid(self) -> str:
        self.count += 1
        return f"00000000-0000-4000-8000-{self.count:012d}"

    def suffix(self, length: int = 5) -> str:
        self.count += 1
        return f"{self.count:0{length}d}"[-length:]

    def hexadecimal(self, length: int) -> str:
        return "0" * length

    def fraction(self) -> float:
        return 0.5


def microseconds(call: Callable[[int], object], count: int) -> float:
    """Mean CPU of `call(number)`."""
    start = time.process_time()
    for number in range(count):
        call(number)
    return (time.process_time() - start) / count * 1e6


def main() -> None:
    """Print one figure a line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    api = Api(Store(), KindRegistry(builtin_kinds()), Numbers())
    bootstrap(api, NOW)
    pods = api.kinds.of("pods")
    body = b'{"metadata":{"name":"p%d","labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"busybox:1.36"}]}}'
    options = WriteOptions(NOW)
    create = microseconds(lambda n: api.create(pods, "default", body % n, options), count)
    print(f"Api.create of a pod from JSON   {create:8.1f} µs")
    template = api.store.get("pods", "default", "p0")
    assert template is not None
    store = Store()

    def put(number: int) -> None:
        metadata = {**template["metadata"], "name": f"p{number}", "uid": str(number)}
        store.create("pods", {**template, "metadata": metadata}, NOW)

    print(f"Store.create                    {microseconds(put, count):8.1f} µs")
    print(
        f"Store.get_encoded               {microseconds(lambda n: store.get_encoded('pods', 'default', f'p{n}'), count):8.1f} µs"
    )
    status = {
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}] * 5}
    }

    def write(number: int) -> None:
        api.carry_out(Write("update", "pods", "default", f"p{number}", status, "status"), NOW)

    print(f"Api.carry_out of a status, cold {microseconds(write, min(count, 2_000)):8.1f} µs")
    flip = [{"status": {**status["status"], "message": text}} for text in ("a", "b")]

    def rewrite(number: int) -> None:
        api.carry_out(Write("update", "pods", "default", "p1", flip[number % 2], "status"), NOW)

    print(f"Api.carry_out of a status, warm {microseconds(rewrite, 5_000):8.1f} µs")
    none = ListOptions("default", label_selector="app=none")
    print(
        f"LIST by label, none of {count:<7}  {microseconds(lambda n: api.list_page(pods, none).encoded(api), 2_000):8.1f} µs"
    )
    first = ListOptions("default", limit=500)
    print(
        f"LIST of 500                     {microseconds(lambda n: api.list_page(pods, first).encoded(api), 50):8.1f} µs"
    )
    print(f"snapshot of {count:<7} pods        {microseconds(lambda n: api.store.snapshot(), 3) / 1000:8.1f} ms")
    selection = Selection("", parse_label_selector("app=web"))
    watches = [Watch(api.store, "pods", selection, api.store.revision) for _ in range(1_000)]
    rewrite(1)
    rewrite(0)
    print(f"1,000 watches take a change     {microseconds(lambda n: watches[n].take()[0].line, 1_000):8.1f} µs each")

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory with {count} pods twice {peak:8.1f} MB")


if __name__ == "__main__":
    main()
