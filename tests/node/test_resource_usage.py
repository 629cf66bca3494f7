"""Which two samples a rate is made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.node.resource_usage import ResourceUsage
from lifepod.runtime.base import UsageSample

START = datetime(2026, 1, 1, tzinfo=UTC)
MI = 1024**2


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Machine:
    """Containers that use CPU evenly, by pod: (id, name, started at second, cores). Time is turned by `now`."""

    def __init__(self, **pods: list[tuple[str, str, float, float]]) -> None:
        self.pods = pods
        self.now = 0.0
        self.measured: list[str] = []
        self.usage = ResourceUsage(self._samples, self._node)

    def _samples(self, uid: str) -> tuple[UsageSample, ...]:
        self.measured.append(uid)
        return tuple(
            UsageSample(key, name, at(since), int((self.now - since) * cores * 1e9), 3 * MI)
            for key, name, since, cores in self.pods.get(uid, [])
        )

    def _node(self) -> UsageSample:
        self.measured.append("node")
        return UsageSample("machine", "", at(-86400), int(self.now * 2e9) + 5 * 10**12, 7 * MI)

    def look(self, second: float, uid: str = "u") -> bool:
        self.now = second
        return self.usage.look_at_pods([uid], at(second))

    def shown(self, uid: str = "u") -> tuple[float, float, list[tuple[str, float]]] | None:
        """When, over how many seconds, and each container's cores; None: not known."""
        found = self.usage.pod(uid)
        if found is None:
            return None
        used = [(c.name, round(c.cpu_nanocores / 1e9, 3)) for c in found.containers]
        return (found.at - START).total_seconds(), found.window.total_seconds(), used


@pytest.mark.parametrize(
    ("looks", "shown"),
    [
        ([9.9], None),  # too young
        ([10], (10, 10, [("c", 0.5)])),  # since its start
        ([12, 26.9], (12, 12, [("c", 0.5)])),  # asked again too soon: the same answer
        ([12, 27], (27, 15, [("c", 0.5)])),  # since the last look
        ([12, 27, 80], (80, 53, [("c", 0.5)])),
        ([5, 11], (11, 11, [("c", 0.5)])),  # what was too young was not noted
        ([60], (60, 60, [("c", 0.5)])),
    ],
)
def test_a_rate_is_counted_from_the_last_look_or_from_a_late_start(looks, shown) -> None:
    machine = Machine(u=[("1", "c", 0, 0.5)])
    for second in looks:
        assert machine.look(second) is False
    assert machine.shown() == shown


@pytest.mark.parametrize("before", [(), (10,)], ids=["never seen", "seen long ago"])
def test_what_was_not_seen_for_a_minute_is_looked_at_twice(before) -> None:
    """The average of an hour would say nothing of now."""
    machine = Machine(u=[("1", "c", 0, 0.5)])
    for second in before:
        machine.look(second)
    assert machine.look(3600) is True
    assert machine.shown() is None
    machine.pods["u"] = [("1", "c", 0, 0.5)]
    assert machine.look(3600.4) is True, "another who asks has to wait as well"
    assert machine.look(3601) is False
    assert machine.shown() == (3601, 1, [("c", 0.5)])


def test_a_container_that_was_started_anew_hides_its_pod_until_it_is_known() -> None:
    machine = Machine(u=[("1", "a", 0, 0.5), ("2", "b", 0, 1)])
    machine.look(12)
    assert machine.shown() == (12, 12, [("a", 0.5), ("b", 1)])
    machine.pods["u"][1] = ("3", "b", 25, 2)
    machine.look(30)
    assert machine.shown() is None
    machine.look(36)
    assert machine.shown() == (36, 36, [("a", 0.5), ("b", 2)])


def test_a_pod_of_which_nothing_runs_is_not_known() -> None:
    machine = Machine(u=[("1", "c", 0, 0.5)])
    machine.look(12)
    machine.pods["u"] = []
    machine.look(30)
    assert machine.shown() is None


def test_cpu_that_got_lost_counts_as_none() -> None:
    """A process that nobody waited for takes what it used with it."""
    machine = Machine(u=[("1", "c", 0, 1)])
    machine.look(20)
    machine.pods["u"] = [("1", "c", 0, 0.1)]
    machine.look(40)
    assert machine.shown() == (40, 20, [("c", 0)])


def test_the_node_is_looked_at_like_a_pod_that_has_run_for_long() -> None:
    machine = Machine()
    assert machine.usage.look_at_node(at(0)) is True
    machine.now = 1
    assert machine.usage.look_at_node(at(1)) is False
    found = machine.usage.node()
    assert found is not None
    assert (found.containers[0].cpu_nanocores, found.containers[0].memory_bytes) == (2_000_000_000, 7 * MI)
    assert machine.usage.look_at_node(at(15)) is False
    assert machine.measured == ["node", "node"]


def test_nothing_is_kept_of_pods_that_nobody_asks_for() -> None:
    machine = Machine(u=[("1", "c", 0, 0.5)], v=[("2", "c", 0, 0.5)])
    machine.look(12)
    machine.look(3700, "v")
    assert machine.shown() is None
