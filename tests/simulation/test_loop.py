"""Virtual time: jumps from timer to timer, the same way for the same seed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.runtime.sim import Container
from lifepod.simulation import loop
from lifepod.simulation.loop import START, SeededIds, VirtualClock, VirtualLoop


class Ticker:
    """Due every minute."""

    def __init__(self) -> None:
        self.calls: list[datetime] = []

    def turn(self, now: datetime) -> datetime:
        self.calls.append(now)
        return START + (((now - START) // timedelta(minutes=1)) + 1) * timedelta(minutes=1)


def pod(name: str, command: list[str], **spec: Any) -> JsonObject:
    container = {"name": "main", "image": "busybox:1.36", "command": command}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


def create(sim: SimulatedCluster, obj: JsonObject) -> None:
    sim.cluster.write(Write("create", "pods", "default", "", obj), sim.clock.now())


def phase(sim: SimulatedCluster, name: str) -> str | None:
    found = sim.get("pods", name)
    return found["status"]["phase"] if found else None


def story(sim: SimulatedCluster) -> list[bytes]:
    told: list[bytes] = []
    sim.store.on_change(lambda change: told.append(change.new.encoded))
    return told


def test_time_jumps_to_the_next_timer_and_no_further_than_asked() -> None:
    clock = VirtualClock()
    ticker = Ticker()
    loop = VirtualLoop(ticker, clock)
    loop.advance(timedelta(minutes=2, seconds=30))
    assert clock.now() == START + timedelta(minutes=2, seconds=30)
    assert START + timedelta(minutes=2) in ticker.calls
    assert loop.step() == START + timedelta(minutes=3)


def test_run_until_gives_up_at_the_limit() -> None:
    sim = SimulatedCluster()
    assert not sim.run_until(lambda: False, timedelta(minutes=1))
    assert sim.clock.now() == START + timedelta(minutes=1)


def test_one_seed_gives_one_story_and_another_seed_another() -> None:
    stories = []
    for seed in (1, 1, 2):
        sim = SimulatedCluster(SimSettings(seed=seed))
        told = story(sim)
        create(sim, pod("p", ["sh", "-c", "sleep 1; exit 1"]))
        sim.advance(timedelta(minutes=5))
        stories.append(told)
    assert stories[0] == stories[1] != stories[2]


def test_a_fork_goes_its_own_way_and_the_same_way_when_left_alone() -> None:
    sim = SimulatedCluster()
    create(sim, pod("p", ["sh", "-c", "sleep 10; exit 0"], restartPolicy="Never"))
    sim.advance(timedelta(seconds=5))
    fork = sim.fork()
    fork.cluster.write(Write("delete", "pods", "default", "p", {"gracePeriodSeconds": 0}), fork.clock.now())
    sim.advance(timedelta(seconds=10))
    fork.advance(timedelta(seconds=10))
    assert phase(sim, "p") == "Succeeded"
    assert phase(fork, "p") is None


def test_restoring_a_snapshot_repeats_what_came_after() -> None:
    sim = SimulatedCluster()
    create(sim, pod("p", ["sh", "-c", "sleep 2; exit 1"]))
    sim.advance(timedelta(seconds=3))
    state = sim.snapshot()
    ends = []
    for _ in range(2):
        sim.restore(state)
        sim.advance(timedelta(minutes=3))
        found = sim.get("pods", "p")
        assert found is not None
        ends.append((found["status"], sim.clock.now()))
    assert ends[0] == ends[1]


def test_a_program_in_python_is_forked_by_running_it_again_on_its_answers() -> None:
    def worker(c: Container) -> Generator[Any, Any, None]:
        yield c.log("up")
        yield c.handle("TERM")
        got = yield c.sleep(30)
        yield c.exit(7 if got is None else 0)

    sim = SimulatedCluster(SimSettings(programs={"worker": worker}))
    manifest = pod("w", [], restartPolicy="Never")
    manifest["spec"]["containers"][0] |= {"image": "worker"}
    create(sim, manifest)
    sim.advance(timedelta(seconds=20))
    fork = sim.fork()
    fork.cluster.write(Write("delete", "pods", "default", "w", {}), fork.clock.now())
    fork.run_until(lambda: phase(fork, "w") != "Running", timedelta(seconds=5))
    sim.advance(timedelta(seconds=20))
    assert phase(sim, "w") == "Failed"
    assert phase(fork, "w") in ("Succeeded", None)


def test_uids_look_like_version_four() -> None:
    ids = SeededIds(3)
    for _ in range(50):
        uid = ids.uid()
        assert uid[14] == "4"
        assert uid[19] in "89ab"


class Knotted:
    """Each turn leaves objects that hold each other."""

    def __init__(self) -> None:
        self.left: list[weakref.ref[Any]] = []

    def turn(self, now: datetime) -> datetime | None:
        knots = [Knot() for _ in range(2_000)]
        for knot in knots:
            knot.other = knot
        self.left.append(weakref.ref(knots[0]))
        return None


class Knot:
    other: Knot | None = None


def test_what_a_turn_made_is_not_looked_through_at_once_but_neither_kept_for_good(monkeypatch: Any) -> None:
    monkeypatch.setattr(loop, "_MOST_UNSEEN_OBJECTS", 20_000)
    gc.collect()
    loop._Unseen.objects, loop._Unseen.left = 0, 0
    knotted = Knotted()
    virtual = VirtualLoop(knotted, VirtualClock())
    virtual.settle()
    assert knotted.left[0]() is not None
    for _ in range(10):
        virtual.settle()
    assert knotted.left[0]() is None
    assert gc.isenabled()


def test_what_somebody_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        VirtualLoop(Knotted(), VirtualClock()).settle()
        assert gc.get_freeze_count() >= frozen - 100  # what died meanwhile
    finally:
        gc.unfreeze()
