"""A run that was kept and is played again decides the same, and what is no run is refused."""

from __future__ import annotations

import json

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.api.objects import JsonValue
from lifepod.lifecycle.memory import memory_from_json, memory_to_json, seen_from_json, seen_to_json
from lifepod.lifecycle.recording import Look, Recording, look_from_json, replayed


def deleted_run() -> World:
    """A container that ends again and again in a pod that is deleted."""
    world = World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(2.0, 1)))
    world.at(40, lambda: world.delete(3))
    return world.run(80)


def looks(world: World) -> list[Look]:
    return [Look("uid-1", at, seen) for (seen, _, _), at in zip(world.steps, world.step_moments, strict=True)]


def test_a_run_written_down_and_played_again_takes_the_same_steps() -> None:
    world = deleted_run()
    recording = Recording()
    for look in looks(world):
        recording.add(look)
    read = [look_from_json(json.loads(json.dumps(line))) for line in recording.lines()]
    again = [(step.actions, step.status, step.events) for _, step in replayed(read)]
    assert world.finished
    assert again == [(step.actions, step.status, step.events) for _, step, _ in world.steps]


def test_after_the_end_of_a_pod_the_next_look_at_that_uid_begins_anew() -> None:
    run = looks(deleted_run())
    twice = [step for _, step in replayed([*run, *run])]
    assert twice[: len(run)] == twice[len(run) :]


def test_only_the_last_looks_are_kept() -> None:
    recording = Recording(limit=2)
    run = looks(deleted_run())
    for look in run:
        recording.add(look)
    assert list(recording.looks) == run[-2:]


@pytest.mark.parametrize("value", [None, {}, ["()"], ["#", "Nobody", {}], ["?"], ["#", "Done", {}]])
def test_what_is_neither_memory_nor_look_is_refused(value: JsonValue) -> None:
    with pytest.raises(ValueError, match="not "):
        memory_from_json(value)
    with pytest.raises(ValueError, match="not "):
        seen_from_json(value)


def test_the_one_is_not_taken_for_the_other() -> None:
    _, step, _ = (world := deleted_run()).steps[0]
    with pytest.raises(ValueError, match="not what a step saw"):
        seen_from_json(memory_to_json(step.memory))
    with pytest.raises(ValueError, match="not the memory of a pod"):
        memory_from_json(seen_to_json(world.seen()))
