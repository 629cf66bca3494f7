"""Rules that few pods ever meet: each of these tests fails when its rule is changed by one word, and no story does."""

from __future__ import annotations

from typing import Any

import pytest
from mini_runtime import T0, Life, Script, World, container, pod_json

from lifepod.lifecycle.environment import Lookups
from lifepod.lifecycle.init_containers import init_actions
from lifepod.lifecycle.pod_spec import pod_from_json
from lifepod.lifecycle.version import profile_of
from lifepod.lifecycle.vocabulary import (
    ContainerReport,
    Failed,
    InspectImage,
    MountsFailed,
    PullImage,
    RemoveContainer,
    RuntimeReport,
    RuntimeState,
    SandboxReport,
    StopContainer,
    StopSandbox,
)
from lifepod.lifecycle.volumes import VolumeFile, volume_files

PROBE = {"exec": {"command": ["true"]}, "periodSeconds": 1}
PROFILE = profile_of("1.34")


def test_volumes_that_are_held_back_are_explained_with_their_names_and_when_they_are_tried_again() -> None:
    """lifecycle.md §9."""
    world = World(
        pod_json({"containers": [container()]}), Script(mounts=lambda at: MountsFailed((("v", "no v"),)))
    ).run(0.1)
    (why,) = [b for _, out, _ in world.steps for b in out.because if b.rule == "volumes"]
    assert (why.verdict, why.facts) == ("held back", (("v", "no v"),))
    assert why.until is not None
    assert (why.until - T0).total_seconds() == 0.5


@pytest.mark.parametrize(("policy", "forgotten"), [("Always", ["first-0"]), ("Never", [])])
def test_init_containers_are_forgotten_only_before_a_new_sandbox(policy: str, forgotten: list[str]) -> None:
    """lifecycle.md §4.1: a pod that is only stopped keeps what its init containers said."""
    spec = {"restartPolicy": policy, "initContainers": [container("first")], "containers": [container()]}
    script = Script(life=lambda name, attempt: Life(runs=1.0) if name == "first" else Life())
    world = World(pod_json(spec), script)

    def lose() -> None:
        (sandbox,) = world.report.sandboxes
        world.report = world.report._replace(sandboxes=(sandbox._replace(state="notready", ips=()),))

    world.at(5, lose)
    world.run(5.5)
    assert any(isinstance(a, StopContainer) for _, a in world.actions)
    assert [a.container_id for _, a in world.actions if isinstance(a, RemoveContainer)] == forgotten


@pytest.mark.parametrize(("gate", "is_ready"), [("True", True), ("False", False), (None, False)])
def test_a_probes_verdict_makes_a_pod_ready_only_when_its_readiness_gates_agree(
    gate: str | None, is_ready: bool
) -> None:
    """lifecycle.md §6.2: the condition is told at once, before the next sync."""
    obj = pod_json({"readinessGates": [{"conditionType": "x/y"}], "containers": [container(readinessProbe=PROBE)]})
    if gate is not None:
        obj["status"]["conditions"].append({"type": "x/y", "status": gate})
    world = World(obj, Script(probe_seconds=0.3)).run(10)
    at_verdict = next(s for _, s in world.statuses if s.get("containerStatuses") and s["containerStatuses"][0]["ready"])
    shown = {c["type"]: c["status"] for c in at_verdict["conditions"]}
    assert (shown["ContainersReady"], shown["Ready"]) == ("True", "True" if is_ready else "False")


@pytest.mark.parametrize(
    ("policy", "state", "code", "starts", "is_over"),
    [
        ("Never", "created", None, ("one",), False),  # it was made and never ran: again
        ("Always", "created", None, ("one",), False),
        ("Never", "running", None, (), False),
        ("Never", "exited", 0, ("two",), False),
        ("Never", "exited", 1, (), True),
        ("Always", "exited", 1, ("one",), False),
        ("Always", "unknown", None, ("one",), False),
        ("Never", "unknown", None, (), True),
    ],
)
def test_how_far_the_init_containers_have_come_by_the_first_of_them(
    policy: str, state: RuntimeState, code: int | None, starts: tuple[str, ...], is_over: bool
) -> None:
    """lifecycle.md §4.3."""
    spec = pod_from_json(
        pod_json(
            {
                "restartPolicy": policy,
                "initContainers": [container("one"), container("two")],
                "containers": [container()],
            }
        )
    ).spec
    seen = ContainerReport("one-0", "one", "sb", 0, state, "i", "ref", T0, exit_code=code)
    found = init_actions(spec, RuntimeReport((), (seen,)), lambda name, kind, cid: "", PROFILE)
    assert (found.starts, found.kill_pod, found.initialized) == (starts, is_over, False)


@pytest.mark.parametrize(("name", "text"), [("a", b"1"), ("b", b"2"), ("first", b"3"), ("nobody", b"4")])
def test_a_file_tells_the_limit_of_the_container_that_it_names(name: str, text: bytes) -> None:
    """lifecycle.md §9.1; of a container without limits it is what the node has."""

    def limited(name: str, cpu: str) -> dict[str, Any]:
        return container(name, resources={"limits": {"cpu": cpu}})

    pod = pod_json({"containers": [limited("a", "1"), limited("b", "2")], "initContainers": [limited("first", "3")]})
    item = {"path": "cpu", "resourceFieldRef": {"containerName": name, "resource": "limits.cpu"}}
    nowhere = Lookups({}.get, {}.get, (), {"cpu": "4"}, (), ())
    made = volume_files({"downwardAPI": {"items": [item]}}, pod, nowhere, lambda audience, seconds: b"")
    assert made == (VolumeFile("cpu", text, 0o644),)


def test_every_ready_sandbox_is_stopped_though_another_is_being_stopped_already() -> None:
    world = World(pod_json({"containers": [container()]})).run(5)
    (mine,) = world.report.sandboxes
    world.report = world.report._replace(sandboxes=(mine, SandboxReport("sb0", 0, "ready", T0, ("10.1.0.9",))))
    world.script.action_seconds = 1.0
    world._stop_sandbox = lambda sandbox_id: None  # type: ignore[method-assign]  # it takes a while
    world.at(6, world.delete)
    world.run(7.5)
    assert {a.sandbox_id for _, a in world.actions if isinstance(a, StopSandbox)} == {mine.id, "sb0"}


def test_a_container_of_a_former_sandbox_does_not_count_as_initialized_in_the_new_one() -> None:
    """lifecycle.md §1.3: a sidecar that has not started up again keeps the pod Pending."""
    side = container("side", restartPolicy="Always", startupProbe={**PROBE, "initialDelaySeconds": 3})
    world = World(pod_json({"initContainers": [side], "containers": [container()]}))
    world.at(20, world.lose_sandbox)
    world.run(60)
    told = [line for line in world.story() if "side=running#1" in line]
    assert told[0].startswith("Pending")
    assert told[-1].startswith("Running/Ready")


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_an_ended_pod_that_somebody_shows_with_another_phase_is_corrected_before_it_is_deleted(phase: str) -> None:
    """lifecycle.md §1.6."""
    world = World(
        pod_json({"restartPolicy": "Never", "containers": [container()]}), Script(life=lambda n, a: Life(runs=1.0))
    )
    world.run(5)
    assert world.obj is not None
    assert world.status["phase"] == "Succeeded"

    def meddle() -> None:
        assert world.obj is not None
        world.obj = {**world.obj, "status": {**world.obj["status"], "phase": phase}}
        world.lose_writes = 1
        world.delete()

    world.at(6, meddle)
    world.run(40)
    assert world.obj is None
    assert world.statuses[-1][1]["phase"] == "Succeeded"
    assert world.statuses[-1][0] > 6


def test_what_changes_while_an_image_is_pulled_is_seen_to_as_soon_as_the_pull_ended() -> None:
    """lifecycle.md §7.8: an update waits for its turn, not for the delay after an error."""
    script = Script(image_present=False, pull=lambda image, nth: Failed("ErrImagePull", "denied"), pull_seconds=5.0)
    world = World(pod_json({"containers": [container()]}), script)

    def add() -> None:
        assert world.obj is not None
        spec = {**world.obj["spec"], "ephemeralContainers": [container("debug")]}
        world.obj = {**world.obj, "metadata": {**world.obj["metadata"], "generation": 2}, "spec": spec}

    world.at(17, add)  # the second pull lasts from 15 to 20
    world.run(25)
    assert [at for at, a in world.actions if isinstance(a, PullImage)][:2] == [0, 15]
    assert next(at for at, a in world.actions if isinstance(a, InspectImage) and a.container == "debug") == 20
