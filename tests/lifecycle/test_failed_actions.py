"""What the runtime could not do is asked for again, and told; a notice that comes twice changes nothing (lifecycle.md §4.6, §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle.vocabulary import (
    Action,
    DeletePod,
    Failed,
    InspectImage,
    Outcome,
    Probed,
    Refusal,
    RemoveContainer,
    RemoveSandbox,
    RunProbe,
    Seen,
    StopContainer,
    StopSandbox,
    UnmountVolumes,
)


@dataclass
class Faulty(World):
    """A world in which the first actions of some kinds fail, or every end is told twice."""

    fails: dict[type, list[Outcome]] = field(default_factory=dict)
    doubled: bool = False
    missing_secrets: tuple[str, ...] = ()

    def _perform(self, action: Action) -> None:
        left = self.fails.get(type(action))
        if left:
            self._end(action.number, left.pop(0), 0)
        else:
            super()._perform(action)

    def seen(self) -> Seen:
        twice = tuple(e for e in self.ended for _ in range(2)) if self.doubled else tuple(self.ended)
        return super().seen()._replace(ended=twice, missing_pull_secrets=self.missing_secrets)


BOOM = Failed("", "boom")
SLOW = Script(life=lambda name, attempt: Life(on_term=0, term_takes=1.0))


def times(world: World, kind: type) -> list[float]:
    return [at for at, action in world.actions if isinstance(action, kind)]


@pytest.mark.parametrize("kind", [UnmountVolumes, DeletePod, StopSandbox], ids=lambda kind: kind.__name__)
def test_what_failed_while_a_pod_goes_is_tried_again_after_10_s(kind: type) -> None:
    world = Faulty(pod_json({"containers": [container()]}), SLOW, fails={kind: [BOOM]})
    world.at(3, world.delete)
    world.run(60)
    first, second = times(world, kind)
    assert second - first == 10
    assert world.finished
    assert world.obj is None


PROBE = {"exec": {"command": ["x"]}, "periodSeconds": 1, "failureThreshold": 1}


def test_a_container_that_could_not_be_stopped_for_its_probe_is_stopped_with_the_next_sync() -> None:
    world = Faulty(
        pod_json({"containers": [container(livenessProbe=PROBE)]}),
        Script(probe=lambda name, kind, at: Probed("failure" if at < 8 else "success")),
        fails={StopContainer: [BOOM]},
    )
    world.run(40)
    assert world.told("FailedKillPod") == [("FailedKillPod", "error killing pod: boom")]
    first, second = times(world, StopContainer)
    assert second - first == 10
    assert len(world.starts("c")) == 2


def test_a_container_whose_hook_failed_and_that_could_not_be_stopped_is_told_of() -> None:
    hook = {"postStart": {"exec": {"command": ["x"]}}}
    world = Faulty(
        pod_json({"restartPolicy": "Never", "containers": [container(lifecycle=hook)]}),
        Script(hook=lambda name, kind: BOOM),
        fails={StopContainer: [BOOM]},
    )
    world.run(9)
    assert [reason for reason, _ in world.told("FailedPostStartHook", "FailedKillPod")] == [
        "FailedPostStartHook",
        "FailedKillPod",
    ]


def test_a_failed_pre_stop_hook_is_told_and_the_container_stopped_all_the_same() -> None:
    hook = {"preStop": {"exec": {"command": ["x"]}}}
    world = World(pod_json({"containers": [container(lifecycle=hook)]}), Script(hook=lambda name, kind: BOOM))
    world.at(3, world.delete)
    world.run(60)
    assert world.told("FailedPreStopHook") == [("FailedPreStopHook", "PreStopHook failed")]
    assert times(world, StopContainer) == [3]
    assert world.finished


@pytest.mark.parametrize(
    ("failed", "reason", "message"),
    [
        (BOOM, "ImageInspectError", 'Failed to inspect image "": boom'),
        (Failed("", "Failed to inspect image: gone"), "ImageInspectError", "Failed to inspect image: gone"),
        (Failed("InvalidImageName", "no name"), "InvalidImageName", "no name"),
    ],
)
def test_an_image_that_cannot_be_looked_at_is_why_the_container_waits(
    failed: Failed, reason: str, message: str
) -> None:
    world = Faulty(pod_json({"containers": [container()]}), fails={InspectImage: [failed] * 2})
    world.run(5)
    assert world.status["containerStatuses"][0]["state"] == {"waiting": {"reason": reason, "message": message}}
    world.run(15)
    assert len(world.starts("c")) == 1


def test_a_name_that_is_no_image_is_never_looked_for() -> None:
    world = World(pod_json({"containers": [container(image="No/Such Name")]})).run(15)
    assert world.status["containerStatuses"][0]["state"]["waiting"]["reason"] == "InvalidImageName"
    assert [reason for reason, _ in world.told("InspectFailed")] != []
    assert times(world, InspectImage) == []


@pytest.mark.parametrize(("is_present", "times_told"), [(True, 3), (False, 3)])
def test_pull_secrets_that_nobody_has_are_told_of_with_every_sync(is_present: bool, times_told: int) -> None:
    """lifecycle.md §8. A pod that runs has one sync that starts it and two that see its sandbox and its container."""

    def run(*missing: str) -> list[tuple[str, str]]:
        script = Script(image_present=is_present, pull=lambda image, nth: Failed("ErrImagePull", "denied"))
        world = Faulty(pod_json({"containers": [container()]}), script, missing_secrets=missing)
        return world.run(15).told("FailedToRetrieveImagePullSecret")

    text = "Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed."
    assert run("a", "b") == [("FailedToRetrieveImagePullSecret", text)] * times_told
    assert run() == []


def test_a_probe_that_came_to_no_answer_is_tried_at_the_next_tick() -> None:
    world = Faulty(pod_json({"containers": [container(readinessProbe=PROBE)]}), fails={RunProbe: [BOOM, BOOM]})
    world.run(10)
    assert len(times(world, RunProbe)) > 4
    assert world.status["containerStatuses"][0]["ready"] is True
    assert world.told("Unhealthy") == []


def test_an_end_that_is_told_twice_counts_once() -> None:
    spec = {"containers": [container(readinessProbe=PROBE)], "initContainers": [container("i")]}
    script = Script(life=lambda name, attempt: Life(1.0, 0) if name == "i" else Life(5.0, 1))
    once, twice = (Faulty(pod_json(spec), script, doubled=doubled).run(60) for doubled in (False, True))
    assert twice.statuses == once.statuses
    assert twice.events == once.events
    assert twice.actions == once.actions


@pytest.mark.parametrize(
    ("about", "status", "phase", "reason", "has_class"),
    [
        ("a new pod", {}, "Failed", "OutOfcpu", True),
        ("one whose class nobody worked out", {"qosClass": None}, "Failed", "OutOfcpu", False),
        ("one that has ended before", {"phase": "Succeeded", "reason": "Done"}, "Succeeded", "Done", True),
    ],
)
def test_a_refused_pod_fails_unless_it_has_ended_before(
    about: str, status: dict[str, Any], phase: str, reason: str, has_class: bool
) -> None:
    """lifecycle.md §1.5."""
    made = pod_json({"containers": [container()]})
    shown = {k: v for k, v in {**made["status"], **status}.items() if v is not None}
    world = World({**made, "status": shown}, refusal=Refusal("OutOfcpu", "no cpu")).run(5)
    assert world.obj is not None
    now = world.obj["status"]
    assert (now["phase"], now["reason"], "qosClass" in now) == (phase, reason, has_class), about
    assert world.starts("c") == []
    assert world.told("OutOfcpu") == [("OutOfcpu", "no cpu")]


def test_before_a_new_sandbox_the_init_containers_are_forgotten_and_run_again() -> None:
    spec = {"containers": [container()], "initContainers": [container("i")]}
    script = Script(life=lambda name, attempt: Life(1.0, 0) if name == "i" else Life())
    world = World(pod_json(spec), script)
    world.at(10, world.lose_sandbox)
    world.run(40)
    removed = [a.container for _, a in world.actions if isinstance(a, RemoveContainer)]
    assert "i" in removed
    assert len(world.starts("i")) == 2


def test_a_sandbox_that_holds_nothing_any_more_is_forgotten() -> None:
    world = World(pod_json({"containers": [container()]}))
    for at in (10, 30, 80):
        world.at(at, world.lose_sandbox)
    world.run(200)
    assert world.sandboxes_made == 4
    gone = [a.sandbox_id for _, a in world.actions if isinstance(a, RemoveSandbox)]
    assert gone == ["sb1", "sb2"]
    assert [box.id for box in world.report.sandboxes] == ["sb4", "sb3"]


def test_a_status_that_somebody_undoes_is_written_again() -> None:
    world = World(pod_json({"containers": [container()]}))

    def undo() -> None:
        assert world.obj is not None
        world.obj = {**world.obj, "status": {**world.obj["status"], "podIP": "6.6.6.6"}}

    world.at(5, undo)
    world.run(20)
    assert world.obj is not None
    assert world.obj["status"]["podIP"] == "10.1.0.5"


def test_a_sandbox_that_fails_for_a_pod_that_is_being_deleted_is_not_told_of() -> None:
    def told(deleted: bool) -> int:
        script = Script(sandbox=lambda nth: BOOM, action_seconds=2.0)
        world = World(pod_json({"containers": [container()]}), script)
        if deleted:
            world.at(3, lambda: world.delete(5))
        return len(world.run(5).told("FailedCreatePodSandBox"))

    assert (told(False), told(True)) == (1, 0)


def test_a_prober_that_only_fails_itself_has_three_tries_each_time() -> None:
    """lifecycle.md §6.2.9."""
    world = World(
        pod_json({"containers": [container(livenessProbe={**PROBE, "periodSeconds": 10})]}),
        Script(probe=lambda name, kind, at: Probed("unknown", "no such file")),
    ).run(25)
    assert len(times(world, RunProbe)) == 9
    assert len(world.told("Unhealthy")) == 3


def test_a_pod_deleted_before_its_image_came_ends_failed_and_keeps_why_it_was_not_ready() -> None:
    """lifecycle.md §13.15: only conditions that are still True are rewritten when the phase becomes terminal (§1.4.5)."""
    script = Script(image_present=False, pull=lambda image, nth: Failed("ErrImagePull", "denied"))
    world = World(pod_json({"containers": [container()]}), script)
    world.at(4, world.delete)
    world.run(20)
    last = world.statuses[-1][1]
    assert last["phase"] == "Failed"
    assert {c["type"]: c.get("reason") for c in last["conditions"]}["Ready"] == "ContainersNotReady"
    assert last["containerStatuses"][0]["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
