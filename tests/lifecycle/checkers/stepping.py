"""Laws about `step` itself: looking again changes nothing, no action twice, every wake-up has a cause, memory is JSON."""

from __future__ import annotations

from mini_runtime import World

from lifepod.lifecycle import memory_from_json, memory_to_json, step


def looking_again_changes_nothing(world: World) -> None:
    for at, (seen, out, _) in zip(world.step_moments, world.steps, strict=True):
        if out.wake_at is not None and out.wake_at <= at:
            continue
        again = step(out.memory, seen._replace(ended=()), at)
        assert again.actions == ()
        assert again.status is None
        assert again.events == ()


def an_end_is_taken_once(world: World) -> None:
    for at, (seen, out, _) in zip(world.step_moments, world.steps, strict=True):
        if seen.ended and not (out.wake_at is not None and out.wake_at <= at):
            again = step(out.memory, seen, at)
            assert again.actions == ()
            assert again.events == ()


def equal_arguments_give_equal_results(world: World) -> None:
    for at, (seen, out, before) in zip(world.step_moments, world.steps, strict=True):
        assert step(before, seen, at) == out


def no_action_is_repeated_while_it_is_under_way(world: World) -> None:
    for _, out, before in world.steps:
        known = {u.number for u in before.under_way}
        for action in out.actions:
            assert action.number not in known
        last = out.memory.under_way
        assert len({(u.kind, u.container, u.target) for u in last if u.kind not in ("preStop", "probe")}) == len(
            [u for u in last if u.kind not in ("preStop", "probe")]
        )


def the_memory_is_json(world: World) -> None:
    for _, out, _ in world.steps[-20:]:
        assert memory_from_json(memory_to_json(out.memory)) == out.memory
