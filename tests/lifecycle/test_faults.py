"""What the node does when something below it fails (lifecycle.md §4.6–4.8, §7)."""

from __future__ import annotations

from typing import Any

from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle import new_memory, step
from lifepod.lifecycle.conditions import containers_ready, initialized
from lifepod.lifecycle.pod_spec import pod_from_json, spec_from_json
from lifepod.lifecycle.vocabulary import (
    CreateSandbox,
    Done,
    Ended,
    Failed,
    NodeFacts,
    RuntimeReport,
    Seen,
    StopContainer,
    UnmountVolumes,
)


def test_without_a_network_no_sandbox_is_made_until_it_is_ready() -> None:
    world = World(pod_json({"containers": [container()]}), node=NodeFacts("n", ("10.0.0.1",), network_ready=False))
    world.at(2.5, lambda: setattr(world, "node", NodeFacts("n", ("10.0.0.1",))))
    world.run(9)
    assert [at for at, e in world.events if e.reason == "NetworkNotReady"] == [0, 1, 2]
    assert [at for at, a in world.actions if isinstance(a, CreateSandbox)] == [3]


def test_a_post_start_hook_that_never_ends_is_given_up_a_minute_after_the_grace_of_a_deletion() -> None:
    hook = {"postStart": {"exec": {"command": ["sleep", "inf"]}}}
    world = World(
        pod_json({"terminationGracePeriodSeconds": 4, "containers": [container(lifecycle=hook)]}),
        Script(hook_seconds=lambda name, kind: 1e6),
    )
    world.at(3, world.delete)
    world.run(100)
    assert [at for at, a in world.actions if isinstance(a, StopContainer)] == [67]
    assert world.finished


def test_a_sandbox_that_cannot_be_made_is_tried_every_10_s() -> None:
    world = World(
        pod_json({"containers": [container()]}), Script(sandbox=lambda nth: Failed("", "no net") if nth < 2 else None)
    )
    world.run(30)
    assert [at for at, a in world.actions if isinstance(a, CreateSandbox)] == [0, 10, 20]
    assert world.told("FailedCreatePodSandBox")[0][1] == "Failed to create pod sandbox: no net"


def deleted(world: World) -> Any:
    """What a node hears of a pod that is deleted while its container runs, ready to be stopped."""
    world.run(5)
    world.delete(5)
    return world.seen()


def test_a_stop_that_fails_is_tried_again_after_10_s() -> None:
    world = World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(on_term=None)))
    seen = deleted(world)
    first = step(world.memory, seen, world.now)
    (stop,) = first.actions
    failed = step(first.memory, seen._replace(ended=(Ended(stop.number, Failed("", "stuck"), world.now),)), world.now)
    assert failed.actions == ()
    assert [e.reason for e in failed.events] == ["FailedKillPod"]
    assert failed.wake_at is not None
    assert (failed.wake_at - world.now).total_seconds() == 10
    again = step(failed.memory, seen, failed.wake_at)
    assert [type(a) for a in again.actions] == [StopContainer]


def test_volumes_that_do_not_come_down_are_tried_again_after_10_s() -> None:
    world = World(pod_json({"containers": [container()]}))
    world.run(5)
    world.delete(0)
    world.report = RuntimeReport()
    first = step(world.memory, world.seen(), world.now)
    (unmount,) = first.actions
    assert isinstance(unmount, UnmountVolumes)
    failed = step(
        first.memory, world.seen()._replace(ended=(Ended(unmount.number, Failed("", "busy"), world.now),)), world.now
    )
    assert failed.wake_at is not None
    again = step(failed.memory, world.seen(), failed.wake_at)
    (unmount,) = again.actions
    done = step(again.memory, world.seen()._replace(ended=(Ended(unmount.number, Done(), world.now),)), failed.wake_at)
    assert done.finished


def test_a_pod_nobody_ever_saw_is_finished() -> None:
    out = step(new_memory(), Seen(None, RuntimeReport(), NodeFacts("n", ())), World(None).now)
    assert out.finished


def test_statuses_that_are_missing_are_told_as_unknown() -> None:
    spec = spec_from_json({"containers": [{"name": "x"}], "initContainers": [{"name": "i"}]})
    assert containers_ready(spec, {}, "Pending") == (False, "ContainersNotReady", "containers with unknown status: [x]")
    assert initialized(spec, {}, "Pending") == (
        False,
        "ContainersNotInitialized",
        "containers with unknown status: [i]",
    )


def test_a_static_pod_is_known_by_its_annotation() -> None:
    obj = pod_json({"containers": [container()]})
    assert not pod_from_json(obj).is_static
    obj["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}
    assert pod_from_json(obj).is_static


def test_containers_of_a_pod_that_nobody_knows_any_more_are_stopped() -> None:
    """The agent was restarted after the object had gone."""
    world = World(pod_json({"terminationGracePeriodSeconds": 60, "containers": [container()]}))
    world.run(5)
    world.obj = None
    world.restart_agent()
    world.run(20)
    assert [a.grace_seconds for _, a in world.actions if isinstance(a, StopContainer)] == [2]
    assert world.finished
