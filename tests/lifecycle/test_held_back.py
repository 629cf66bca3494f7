"""Syncs in the middle of a back-off are cheap, and say exactly what a whole sync would say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle import step
from lifepod.lifecycle.memory import HeldBack, PodMemory, memory_from_json, memory_to_json, with_moments
from lifepod.lifecycle.vocabulary import Probed, Seen, Step

START = datetime(2025, 1, 1, tzinfo=UTC)
PROBE = {"exec": {"command": ["true"]}, "periodSeconds": 7}
PATIENT = {**PROBE, "periodSeconds": 20, "failureThreshold": 100}


@dataclass
class Thorough(World):
    """A world whose node forgets that a sync was quiet, so that every sync asks all rules."""

    def _look(self) -> datetime | None:
        self.memory = self.memory._replace(held_back=None)
        return super()._look()


def flapping(name: str, kind: str, at: float) -> Probed:
    """A probe that changes its mind every 33 s."""
    return Probed("success") if int(at / 33) % 2 else Probed("failure", "no")


PODS: list[tuple[str, dict[str, Any]]] = [
    ("one container", {"containers": [container()]}),
    ("with probes", {"containers": [container(livenessProbe=PROBE, readinessProbe=PROBE)]}),
    ("beside one that runs and is probed", {"containers": [container(), container("runs", readinessProbe=PROBE)]}),
    ("beside one that runs and fails slowly", {"containers": [container(), container("runs", livenessProbe=PATIENT)]}),
    ("a deadline in the middle of a back-off", {"activeDeadlineSeconds": 75, "containers": [container()]}),
    ("an init container", {"initContainers": [container("first")], "containers": [container("runs")]}),
]


def life(name: str, attempt: int) -> Life:
    return Life() if name == "runs" else Life(1.0, 1)


def next_generation(world: World) -> None:
    """News in the middle of a back-off, after which its syncs no longer end with it."""
    assert world.obj is not None
    world.obj = {**world.obj, "metadata": {**world.obj["metadata"], "generation": 2}}


SCRIPTS = {
    "probes succeed": Script(life=life),
    "probes flap": Script(life=life, probe=flapping, probe_seconds=1.0),
    "a probe fails when a sync is due": Script(
        life=life, probe=lambda name, kind, at: Probed("failure", "no"), probe_seconds=4.0
    ),
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize(("about", "spec"), PODS, ids=[about for about, _ in PODS])
def test_a_quiet_sync_says_what_a_whole_one_says(about: str, spec: dict[str, Any], script: Script) -> None:
    def told(world: World) -> World:
        world.at(93.5, lambda: next_generation(world))
        return world.run(400)

    quick, thorough = (told(cls(pod_json(spec), script)) for cls in (World, Thorough))
    assert quick.events == thorough.events
    assert quick.statuses == thorough.statuses
    assert quick.actions == thorough.actions
    assert sum(e.reason == "BackOff" for _, e in quick.events) > 5
    assert any(step.memory.held_back for _, step, _ in quick.steps)


def test_a_quiet_sync_survives_being_written_down() -> None:
    world = World(pod_json({"containers": [container()]}), Script(life=life)).run(60)
    assert world.memory.held_back is not None
    assert memory_from_json(memory_to_json(world.memory)) == world.memory


def quiet_syncs(spec: dict[str, Any]) -> list[tuple[Seen, Step, PodMemory, datetime]]:
    world = World(pod_json(spec), Script(life=life)).run(400)
    return [
        (seen, out, before, now)
        for (seen, out, before), now in zip(world.steps, world.step_moments, strict=True)
        if before.held_back is not None and out.memory.held_back is before.held_back and out.events
    ]


SLOW_PROBE = {**PROBE, "periodSeconds": 23}
RARE: list[tuple[str, dict[str, Any]]] = [
    ("nothing else is due", {"containers": [container()]}),
    ("a probe is due between two syncs", {"containers": [container(), container("runs", readinessProbe=SLOW_PROBE)]}),
    ("a deadline is due between two syncs", {"activeDeadlineSeconds": 60, "containers": [container()]}),
]


@pytest.mark.parametrize(("about", "spec"), RARE, ids=[about for about, _ in RARE])
def test_a_quiet_sync_wakes_up_when_a_whole_one_would(about: str, spec: dict[str, Any]) -> None:
    found = quiet_syncs(spec)
    for seen, out, before, now in found:
        whole = step(before._replace(held_back=None), seen, now)
        assert (out.wake_at, out.events, out.actions) == (whole.wake_at, whole.events, whole.actions)
        assert out.memory.sync_at == whole.memory.sync_at
    earlier = [out for _, out, _, _ in found if out.wake_at != out.memory.sync_at]
    assert found
    assert bool(earlier) is (about != "nothing else is due")


def test_only_the_two_moments_of_a_memory_change() -> None:
    memory = PodMemory(number=7, mounted=True, held_back=HeldBack((), START, None))
    later = START + timedelta(seconds=10)
    assert with_moments(memory, START, later) == memory._replace(sync_at=START, wake_at=later)
    assert with_moments(memory, None, None) == memory._replace(sync_at=None, wake_at=None)


def test_a_back_off_is_said_when_it_begins_and_again_by_the_sync_that_shows_it() -> None:
    """Recordings of a kubelet say BackOff six times until the third CrashLoopBackOff is shown."""
    world = World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(runs=1.0, code=1)))
    world.run(6)
    said = [text for reason, text in world.told("BackOff")]
    assert len(said) == 2
    shown = world.statuses[-1][1]["containerStatuses"][0]["state"]
    assert shown["waiting"]["reason"] == "CrashLoopBackOff"
