"""The words of events and of the decision log: all of them, exactly (lifecycle.md §8; issue: the decision log)."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle import event_reasons as words
from lifepod.lifecycle.conditions import initialized
from lifepod.lifecycle.pod_spec import pod_from_json
from lifepod.lifecycle.vocabulary import ExecHandler, HttpGetHandler, SleepHandler

POD = pod_from_json(pod_json({"containers": [container()]}))
WHO = "p_default(uid-1)"


@pytest.mark.parametrize(
    ("event", "type_", "reason", "message", "about"),
    [
        (
            words.crash_loop_event("c", POD),
            "Warning",
            "BackOff",
            f"Back-off restarting failed container c in pod {WHO}",
            "c",
        ),
        (words.image_backoff_event("c", "i"), "Normal", "BackOff", 'Back-off pulling image "i"', "c"),
        (words.pulling("c", "i"), "Normal", "Pulling", 'Pulling image "i"', "c"),
        (words.present("c", "i"), "Normal", "Pulled", 'Container image "i" already present on machine', "c"),
        (
            words.pulled("c", "i", "1s", "2s", 7),
            "Normal",
            "Pulled",
            'Successfully pulled image "i" in 1s (2s including waiting). Image size: 7 bytes.',
            "c",
        ),
        (
            words.pull_secrets_missing(("a", "b")),
            "Warning",
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed.",
            None,
        ),
        (words.pull_failed("c", "i", "e"), "Warning", "Failed", 'Failed to pull image "i": e', "c"),
        (words.start_failed("c", "e"), "Warning", "Failed", "Error: e", "c"),
        (words.inspect_failed("c", "e"), "Warning", "InspectFailed", "e", "c"),
        (
            words.never_pulled("c", "i"),
            "Warning",
            "ErrImageNeverPull",
            'Container image "i" is not present with pull policy of Never',
            "c",
        ),
        (words.created("c"), "Normal", "Created", "Created container: c", "c"),
        (words.started("c"), "Normal", "Started", "Started container c", "c"),
        (words.killing("c"), "Normal", "Killing", "Stopping container c", "c"),
        (words.killing("c", "why"), "Normal", "Killing", "why", "c"),
        (words.hook_failed("c", "postStart"), "Warning", "FailedPostStartHook", "PostStartHook failed", "c"),
        (words.hook_failed("c", "preStop"), "Warning", "FailedPreStopHook", "PreStopHook failed", "c"),
        (
            words.sandbox_changed(),
            "Normal",
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            None,
        ),
        (words.sandbox_failed("e"), "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: e", None),
        (words.mount_failed("v", "e"), "Warning", "FailedMount", 'MountVolume.SetUp failed for volume "v" : e', None),
        (
            words.deadline_exceeded(),
            "Normal",
            "DeadlineExceeded",
            "Pod was active on the node longer than the specified deadline",
            None,
        ),
        (
            words.network_not_ready(),
            "Warning",
            "NetworkNotReady",
            "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:Network plugin returns error: cni plugin not initialized",
            None,
        ),
        (words.kill_failed("e"), "Warning", "FailedKillPod", "error killing pod: e", None),
        (words.unhealthy("c", "liveness", "t"), "Warning", "Unhealthy", "Liveness probe failed: t", "c"),
        (
            words.probe_errored("c", "startup", "t"),
            "Warning",
            "Unhealthy",
            "Startup probe errored and resulted in unknown state: t",
            "c",
        ),
        (words.probe_warning("c", "readiness", "t"), "Warning", "ProbeWarning", "Readiness probe warning: t", "c"),
    ],
)
def test_an_event_says(event, type_, reason, message, about) -> None:
    assert (event.type, event.reason, event.message, event.container) == (type_, reason, message, about)


@pytest.mark.parametrize(
    ("handler", "error", "said"),
    [
        (
            ExecHandler(("a", "b")),
            "e",
            f'Exec lifecycle hook ([a b]) for Container "c" in Pod "{WHO}" failed - error: e',
        ),
        (SleepHandler(3), "e", f'Sleep lifecycle hook (3) for Container "c" in Pod "{WHO}" failed - error: e'),
        (ExecHandler(("a",)), "Exec lifecycle hook ([a]) said so", "Exec lifecycle hook ([a]) said so"),
    ],
)
def test_a_failed_hook_says(handler, error, said) -> None:
    assert words.hook_message(handler, "c", POD, error) == said


def test_a_failed_http_hook_says_its_path() -> None:
    handler = HttpGetHandler(path="/x", port=80)
    said = words.hook_message(handler, "c", POD, "e")
    assert said == f'HTTP lifecycle hook (/x) for Container "c" in Pod "{WHO}" failed - error: e'


def test_messages_of_waiting_containers() -> None:
    assert words.crash_loop_message("10s", "c", POD) == f"back-off 10s restarting failed container=c pod={WHO}"
    assert words.never_pulled_message("i") == 'Container image "i" is not present with pull policy of Never'


def log(world: World) -> list[tuple[float, str, str, str, tuple[tuple[str, str], ...]]]:
    return [
        (round(at, 1), b.rule, b.subject, b.verdict, b.facts)
        for at, (_, out, _) in zip(world.step_times, world.steps, strict=True)
        for b in out.because
    ]


def test_the_decision_log_of_a_crash_loop() -> None:
    world = World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(runs=2.0, code=1)))
    world.at(8, world.delete)
    world.run(60)
    acted = ("pod_actions.pod_actions", "", "acted", (("containers", "c"), ("stops the pod", "False")))
    held = (
        "restart_backoff.may_restart_at",
        "c",
        "held back",
        (("delay", "10s"), ("finished", "2026-01-01T00:00:04+00:00")),
    )
    assert log(world) == [
        (0.0, "pod_phase.phase_from_statuses", "", "Pending", (("reason", ""),)),
        (0.0, *acted),
        (0.0, "pod_phase.phase_from_statuses", "", "Running", (("reason", ""),)),
        (2.0, *acted),
        (4.0, *acted),
        (4.0, *held),
        (5.0, *acted),
        (5.0, *held),
        (8.0, "pod_worker.stop_cause", "", "stopped", (("cause", "deleted"), ("grace", "30s"))),
        (8.0, "pod_phase.phase_from_statuses", "", "Failed", (("reason", ""),)),
    ]


def test_a_decision_says_when_it_looks_again() -> None:
    world = World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(runs=0.0, code=1)))
    world.run(3)
    untils = {b.until for _, out, _ in world.steps for b in out.because if b.verdict == "held back"}
    assert untils == {datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=10)}


def test_every_rule_of_the_log_is_a_function_that_can_be_read() -> None:
    probe = {"exec": {"command": ["x"]}, "periodSeconds": 1, "failureThreshold": 1}
    worlds = [
        World(pod_json({"containers": [container(livenessProbe=probe)]})),
        World(pod_json({"containers": [container(imagePullPolicy="Never")]}), Script(image_present=False)),
        World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(runs=0.0, code=1))),
    ]
    rules = set()
    for world in worlds:
        world.at(5, world.delete)
        rules |= {rule for _, rule, _, _, _ in log(world.run(60))}
    assert len(rules) >= 5
    for rule in rules:
        module, _, name = rule.partition(".")
        found = importlib.import_module(f"lifepod.lifecycle.{module}")
        assert not name or hasattr(found, name) or rule == "probes.judged", rule


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ({"running": {}}, (True, "", "")),
        ({"terminated": {}}, (True, "", "")),
        ({"waiting": {}}, (False, "ContainersNotInitialized", "containers with incomplete status: [i]")),
    ],
)
def test_a_regular_container_that_began_means_initialized(state, verdict) -> None:
    spec = pod_from_json(pod_json({"containers": [container()], "initContainers": [container("i")]})).spec
    statuses = {
        "initContainerStatuses": [{"name": "i", "ready": False, "state": {}}],
        "containerStatuses": [{"name": "c", "state": state}],
    }
    assert initialized(spec, statuses, "Running") == verdict
