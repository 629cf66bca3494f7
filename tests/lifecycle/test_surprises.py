"""What implementers get wrong: the numbered items of lifecycle.md §13 that the core decides."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle.vocabulary import (
    CreateContainer,
    Failed,
    KillRequest,
    MountsFailed,
    Outcome,
    Probed,
    Refusal,
    RunHook,
    RunProbe,
    StartContainer,
    StopContainer,
)

EXEC = {"exec": {"command": ["x"]}}


def world(script: Script | None = None, **spec: Any) -> World:
    spec.setdefault("containers", [container()])
    return World(pod_json(spec), script or Script())


def crashing(code: int = 1, runs: float = 0.0) -> Script:
    return Script(life=lambda name, attempt: Life(runs=runs, code=code))


def status_of(w: World, name: str = "c") -> dict[str, Any]:
    lists = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return next(s for m in lists for s in w.status.get(m) or () if s["name"] == name)


def condition(w: World, kind: str) -> dict[str, Any]:
    return next(c for c in w.status["conditions"] if c["type"] == kind)


def seen_conditions(w: World, kind: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for _, s in w.statuses:
        for c in s["conditions"]:
            told = (c["status"], c.get("reason", ""))
            if c["type"] == kind and (not out or out[-1] != told):
                out.append(told)
    return out


def test_surprise_01_a_crash_loop_is_running_and_a_missing_image_pending() -> None:
    w = world(crashing()).run(5)
    assert w.status["phase"] == "Running"
    assert status_of(w)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    broken = Script(
        image_present=False, pull=lambda image, nth: Failed("", "boom") if image == "bad" else Script().pull(image, nth)
    )
    w = world(broken, containers=[container("app"), container("side", image="bad")]).run(8)
    assert w.story()[-1] == "Pending app=running#0 side=ImagePullBackOff#0"


def test_surprise_02_reasons_lag_one_sync() -> None:
    story = world(crashing(runs=1.0)).run(13).story()
    assert story[1:8] == [
        "Running/Ready c=running#0",
        "Running c=Error#0",
        "Running/Ready c=running#1",
        "Running c=Error#1",
        "Running c=CrashLoopBackOff#1",
        "Running/Ready c=running#2",
        "Running c=Error#2",
    ]


def test_surprise_03_the_back_off_counts_from_the_end_and_starts_over_after_ten_minutes() -> None:
    w = world(crashing(runs=1.0)).run(36)
    assert w.starts("c") == [0, 1, 12, 33]
    w = world(Script(life=lambda name, attempt: Life(runs=700.0 if attempt == 2 else 0.0, code=1))).run(800)
    assert w.starts("c")[:5] == [0, 0, 10, 710, 720]


def test_surprise_04_exit_0_also_backs_off() -> None:
    w = world(crashing(0)).run(5)
    assert status_of(w)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status_of(w)["lastState"]["terminated"]["reason"] == "Completed"


def test_surprise_05_restart_count_goes_on_in_a_new_sandbox() -> None:
    w = world()
    w.at(5, w.lose_sandbox)
    w.run(20)
    assert status_of(w)["restartCount"] == 1
    assert "SandboxChanged" in [r for r, _ in w.told()]


def test_surprise_06_container_statuses_are_sorted_by_name_and_init_ones_are_not() -> None:
    w = world(
        Script(life=lambda name, attempt: Life(runs=0.1 if name in "yx" else None)),
        containers=[container("web"), container("agent")],
        initContainers=[container("y"), container("x")],
    ).run(3)
    assert [s["name"] for s in w.status["containerStatuses"]] == ["agent", "web"]
    assert [s["name"] for s in w.status["initContainerStatuses"]] == ["y", "x"]


def test_surprise_07_image_is_the_runtimes_name_once_created() -> None:
    w = world().run(3)
    first = w.statuses[0][1]["containerStatuses"][0]
    assert (first["image"], first["imageID"], "containerID" in first) == ("busybox:1.36", "", False)
    last = status_of(w)
    assert (last["image"], last["containerID"]) == ("docker.io/library/busybox:1.36", "sim://c-0")


def test_surprise_08_init_containers_and_pods_with_a_sidecar_wait_with_pod_initializing() -> None:
    w = world(initContainers=[container("s", restartPolicy="Always")]).run(1)
    assert w.story()[0] == "Pending s=PodInitializing#0 c=PodInitializing#0"


def test_surprise_09_initialized_turns_pod_completed() -> None:
    w = world(crashing(0, 1.0), restartPolicy="Never", initContainers=[container("i")]).run(5)
    assert seen_conditions(w, "Initialized") == [
        ("False", "ContainersNotInitialized"),
        ("True", ""),
        ("True", "PodCompleted"),
    ]


def test_surprise_10_a_sidecar_is_stopped_and_its_exit_code_does_not_matter() -> None:
    lives = {"c": Life(runs=2.0), "s": Life(on_term=None)}
    w = world(
        Script(life=lambda name, attempt: lives[name]),
        restartPolicy="Never",
        terminationGracePeriodSeconds=2,
        initContainers=[container("s", restartPolicy="Always")],
    ).run(9)
    assert w.story()[-3:] == [
        "Running s=running#0 c=Completed#0",
        "Running s=Error#0 c=Completed#0",
        "Succeeded s=Error#0 c=Completed#0",
    ]


def test_surprise_11_a_sidecar_that_never_starts_up_keeps_the_pod_pending() -> None:
    probe = {**EXEC, "periodSeconds": 1, "failureThreshold": 100}
    w = world(
        Script(probe=lambda name, kind, at: Probed("failure", "no")),
        initContainers=[container("s", restartPolicy="Always", startupProbe=probe)],
    ).run(50)
    assert w.status["phase"] == "Pending"
    assert w.starts("c") == []


def test_surprise_12_a_failing_main_container_keeps_its_sidecar() -> None:
    lives = {"c": Life(runs=1.0, code=1), "s": Life()}
    w = world(
        Script(life=lambda name, attempt: lives[name]),
        restartPolicy="OnFailure",
        initContainers=[container("s", restartPolicy="Always")],
    ).run(5)
    assert status_of(w, "s")["state"].keys() == {"running"}
    assert w.starts("s") == [0]


def test_surprise_13_liveness_under_never_kills_once() -> None:
    probe = {**EXEC, "periodSeconds": 1, "failureThreshold": 1}
    w = world(
        Script(probe=lambda name, kind, at: Probed("failure" if name == "a" else "success", "no")),
        restartPolicy="Never",
        containers=[container("a", livenessProbe=probe), container("b")],
    ).run(9)
    assert w.told("Killing") == [("Killing", "Container a failed liveness probe")]
    assert w.starts("a") == [0]


def test_surprise_14_liveness_kills_are_judged_by_the_instance_before() -> None:
    """An instance that lives 30 s each time restarts four times at once, then waits."""
    probe = {**EXEC, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 30}
    w = world(
        Script(probe=lambda name, kind, at: Probed("failure", "no")), containers=[container(livenessProbe=probe)]
    ).run(175)
    starts = w.starts("c")
    assert [round(b - a) for a, b in pairwise(starts)][:4] == [30, 30, 30, 30]
    assert status_of(w)["state"]["waiting"]["reason"] == "CrashLoopBackOff"


def test_surprise_15_deleting_a_pod_that_cannot_pull() -> None:
    w = world(Script(image_present=False, pull=lambda image, nth: Failed("ErrImagePull", "boom")))
    w.at(5, w.delete)
    w.run(20)
    ended = status_of(w)["state"]["terminated"]
    assert (w.status["phase"], ended["reason"], ended["exitCode"]) == ("Failed", "ContainerStatusUnknown", 137)
    assert w.finished


def test_surprise_15_deleting_during_a_pull_lets_the_one_start_finish_and_then_kills() -> None:
    w = world(Script(image_present=False, pull_seconds=5.0), containers=[container("a"), container("b")])
    w.at(1, w.delete)
    w.run(20)
    assert (w.starts("a"), w.starts("b")) == ([5], [])
    assert w.finished


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (143, "Failed")])
def test_surprise_16_a_deleted_healthy_pod_ends_by_its_exit_code(code: int, phase: str) -> None:
    w = world(Script(life=lambda name, attempt: Life(on_term=code)))
    w.at(3, w.delete)
    w.run(9)
    assert w.status["phase"] == phase
    assert w.finished


def test_surprise_18_a_pre_stop_hook_longer_than_the_grace_is_given_up() -> None:
    w = world(
        Script(life=lambda name, attempt: Life(on_term=None), hook_seconds=lambda name, kind: 60.0),
        terminationGracePeriodSeconds=5,
        containers=[container(lifecycle={"preStop": EXEC})],
    )
    w.at(1, w.delete)
    w.run(20)
    assert [(at, a.grace_seconds) for at, a in w.actions if isinstance(a, StopContainer)] == [(6, 2)]


def test_surprise_18_without_grace_no_hook_runs() -> None:
    w = world(
        Script(probe=lambda name, kind, at: Probed("failure", "no")),
        terminationGracePeriodSeconds=0,
        containers=[
            container(lifecycle={"preStop": EXEC}, livenessProbe={**EXEC, "periodSeconds": 1, "failureThreshold": 1})
        ],
    ).run(2.5)
    assert [a for _, a in w.actions if isinstance(a, RunHook)] == []


def test_surprise_19_hook_time_is_cut_to_whole_seconds() -> None:
    w = world(Script(hook_seconds=lambda name, kind: 1.9), containers=[container(lifecycle={"preStop": EXEC})])
    w.at(1, w.delete)
    w.run(20)
    assert [a.grace_seconds for _, a in w.actions if isinstance(a, StopContainer)] == [29]


def test_surprise_20_a_force_deleted_pod_is_stopped_with_the_specs_grace() -> None:
    w = world(terminationGracePeriodSeconds=7)
    w.at(3, lambda: w.delete(0))
    w.run(20)
    assert [a.grace_seconds for _, a in w.actions if isinstance(a, StopContainer)] == [7]
    assert w.finished


def test_surprise_21_the_deadline_also_hits_a_pod_that_never_ran() -> None:
    w = world(
        Script(image_present=False, pull=lambda image, nth: Failed("ErrImagePull", "boom")), activeDeadlineSeconds=30
    ).run(60)
    assert (w.status["phase"], w.status["reason"]) == ("Failed", "DeadlineExceeded")
    assert status_of(w)["state"]["terminated"]["reason"] == "ContainerStatusUnknown"


def test_surprise_23_the_transition_time_stays_when_only_the_reason_changes() -> None:
    w = world(
        Script(life=lambda name, attempt: Life(runs=5.0)),
        restartPolicy="Never",
        containers=[container(readinessProbe=EXEC)],
    )
    w.script.probe = lambda name, kind, at: Probed("failure", "no")
    w.run(9)
    assert condition(w, "Ready")["reason"] == "PodCompleted"
    assert condition(w, "Ready")["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_surprise_24_a_deleting_pod_stays_ready_until_its_containers_stopped() -> None:
    w = world(Script(life=lambda name, attempt: Life(term_takes=4)))
    w.at(3, w.delete)
    w.run(6)
    assert condition(w, "Ready")["status"] == "True"


def test_surprise_24_readiness_still_flips_during_the_grace_period() -> None:
    probe = {**EXEC, "periodSeconds": 1, "failureThreshold": 1}
    w = world(
        Script(
            life=lambda name, attempt: Life(term_takes=8),
            probe=lambda name, kind, at: Probed("failure" if at > 5 else "success", "no"),
        ),
        containers=[container(readinessProbe=probe)],
    )
    w.at(3, w.delete)
    w.run(7)
    assert condition(w, "Ready")["status"] == "False"


def test_surprise_25_readiness_starts_false() -> None:
    w = world(containers=[container(readinessProbe={**EXEC, "initialDelaySeconds": 3, "periodSeconds": 1})]).run(2)
    assert (status_of(w)["started"], status_of(w)["ready"]) == (True, False)
    assert status_of(w.run(9))["ready"]


def test_surprise_26_liveness_after_a_long_start_up_does_not_wait_again() -> None:
    w = world(
        Script(probe=lambda name, kind, at: Probed("failure" if kind == "startup" and at < 40 else "success", "no")),
        containers=[
            container(
                startupProbe={**EXEC, "periodSeconds": 10, "failureThreshold": 9},
                livenessProbe={**EXEC, "periodSeconds": 10, "initialDelaySeconds": 30},
            )
        ],
    ).run(60)
    tries = [at for at, a in w.actions if isinstance(a, RunProbe) and a.probe == "liveness"]
    assert tries[0] in (40, 50)


def test_surprise_27_the_prober_ticks_on_its_own_clock() -> None:
    w = world(
        Script(image_present=False, pull_seconds=2.0),
        containers=[
            container(livenessProbe={**EXEC, "periodSeconds": 10}, readinessProbe={**EXEC, "periodSeconds": 10})
        ],
    ).run(25)
    at = {k: [t for t, a in w.actions if isinstance(a, RunProbe) and a.probe == k] for k in ("liveness", "readiness")}
    assert at["liveness"] == [10, 20]
    assert at["readiness"][0] == 2


def test_surprise_28_unhealthy_is_told_at_every_failed_attempt() -> None:
    probe = {**EXEC, "periodSeconds": 1, "failureThreshold": 3}
    w = world(
        Script(probe=lambda name, kind, at: Probed("failure", "no")),
        terminationGracePeriodSeconds=5,
        containers=[container(startupProbe=probe)],
    ).run(2.5)
    assert len(w.told("Unhealthy")) == 3
    assert w.told("Killing") == [("Killing", "Container c failed startup probe, will be restarted")]


def test_surprise_29_a_warning_counts_as_success() -> None:
    w = world(
        Script(probe=lambda name, kind, at: Probed("warning", "Probe terminated redirects")),
        containers=[container(readinessProbe=EXEC)],
    ).run(3)
    assert status_of(w)["ready"]
    assert w.told("ProbeWarning")[0][1] == "Readiness probe warning: Probe terminated redirects"


def test_surprise_30_a_prober_that_errs_changes_nothing() -> None:
    probe = {**EXEC, "periodSeconds": 1, "failureThreshold": 1}
    w = world(
        Script(probe=lambda name, kind, at: Probed("unknown", "no such file")),
        containers=[container(livenessProbe=probe)],
    ).run(3.5)
    assert w.starts("c") == [0]
    assert len([a for _, a in w.actions if isinstance(a, RunProbe)]) == 3 * len(w.told("Unhealthy"))
    assert w.told("Unhealthy")[0][1] == "Liveness probe errored and resulted in unknown state: no such file"


def test_surprise_31_back_off_is_normal_for_images_and_a_warning_for_containers() -> None:
    w = world(Script(image_present=False, pull=lambda image, nth: Failed("ErrImagePull", "boom"))).run(5)
    assert {e.type for _, e in w.events if e.reason == "BackOff"} == {"Normal"}
    w = world(crashing()).run(5)
    assert {e.type for _, e in w.events if e.reason == "BackOff"} == {"Warning"}


def test_surprise_32_a_missing_config_map_as_volume_keeps_container_creating() -> None:
    w = world(Script(mounts=lambda at: MountsFailed((("v", 'configmap "x" not found'),)))).run(130)
    assert w.story() == ["Pending c=ContainerCreating#0"]
    assert [at for at, e in w.events if e.reason == "FailedMount"] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 127.5]


def test_surprise_33_config_errors_are_retried_every_10_s_and_start_failures_back_off() -> None:
    error = ("CreateContainerConfigError", 'configmap "x" not found')
    w = world(Script(life=lambda name, attempt: Life(create_error=error))).run(35)
    assert [at for at, a in w.actions if isinstance(a, CreateContainer)] == [0, 0, 10, 20, 30]
    w = world(Script(life=lambda name, attempt: Life(start_error="no such file"))).run(5)
    assert status_of(w)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status_of(w)["lastState"]["terminated"]["reason"] == "StartError"
    assert "Running c=RunContainerError#0" in w.story()


def test_surprise_35_a_failed_post_start_hook_shows_once_then_the_back_off() -> None:
    w = world(
        Script(hook=lambda name, kind: Failed("", "command 'x' exited with 9: , message: \"bad\"")),
        containers=[container(lifecycle={"postStart": EXEC})],
    ).run(4)
    reasons = [line.split("=")[1] for line in w.story()]
    assert reasons == ["ContainerCreating#0", "PostStartHookError#0", "PostStartHookError#1", "CrashLoopBackOff#1"]
    shown = next(s for _, s in w.statuses if "PostStartHookError" in str(s))["containerStatuses"][0]
    assert shown["state"]["waiting"]["message"] == (
        'Exec lifecycle hook ([x]) for Container "c" in Pod "p_default(uid-1)" failed - error: '
        "command 'x' exited with 9: , message: \"bad\""
    )


def test_surprise_36_containers_start_one_after_the_other_and_show_when_the_sync_ends() -> None:
    w = world(
        Script(hook_seconds=lambda name, kind: 4.0),
        containers=[container("a", lifecycle={"postStart": EXEC}), container("b")],
    ).run(9)
    assert (w.starts("a"), w.starts("b")) == ([0], [4])
    assert w.story() == ["Pending a=ContainerCreating#0 b=ContainerCreating#0", "Running/Ready a=running#0 b=running#0"]


def test_surprise_37_ephemeral_containers_start_once_and_decide_nothing() -> None:
    w = world(Script(life=lambda name, attempt: Life(runs=1.0, code=1) if name == "e" else Life()))
    w.at(2, lambda: add_ephemeral(w))
    w.run(30)
    shown = status_of(w, "e")
    assert (shown["ready"], "started" in shown, shown["state"]["terminated"]["exitCode"]) == (False, False, 1)
    assert w.starts("e") == [2]
    assert (w.status["phase"], w.status["observedGeneration"]) == ("Running", 2)


def add_ephemeral(w: World) -> None:
    assert w.obj is not None
    meta, spec = w.obj["metadata"], w.obj["spec"]
    w.obj = {**w.obj, "metadata": {**meta, "generation": 2}, "spec": {**spec, "ephemeralContainers": [container("e")]}}


def test_surprise_44_a_refused_pod_has_no_statuses_and_no_conditions() -> None:
    w = world()
    w.refusal = Refusal("OutOfcpu", "Node didn't have enough resource: cpu, requested: 4000, used: 0, capacity: 2000")
    w.run(3)
    assert w.status["phase"] == "Failed"
    assert w.status["message"].startswith("Pod was rejected: Node didn't have")
    assert "containerStatuses" not in w.status
    assert w.status["conditions"] == []
    assert not [a for _, a in w.actions if isinstance(a, StartContainer)]


def test_surprise_46_a_pods_life_ends_without_a_ready_sandbox() -> None:
    w = world(crashing(0, 1.0), restartPolicy="Never").run(5)
    assert condition(w, "PodReadyToStartContainers")["status"] == "False"


def test_surprise_47_observed_generation_follows_the_deletion() -> None:
    w = world()
    w.at(3, w.delete)
    w.run(9)
    assert w.status["observedGeneration"] == 2


def test_surprise_49_messages_share_12_kib() -> None:
    w = world(
        Script(life=lambda name, attempt: Life(runs=0.1, message="x" * 4096)),
        restartPolicy="Never",
        containers=[container(f"c{i}") for i in range(12)],
    ).run(5)
    assert {len(s["state"]["terminated"]["message"]) for s in w.status["containerStatuses"]} == {1024}


def test_an_evicted_pod_fails_with_the_words_and_the_condition_of_its_eviction() -> None:
    """lifecycle.md §1.5."""
    shared = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": "low"}
    w = world(Script(life=lambda name, attempt: Life(term_takes=0.5)))
    w.at(3, lambda: setattr(w, "kill", KillRequest("Evicted", "The node was low on resource: memory. ", 1, shared)))
    w.run(9)
    assert (w.status["phase"], w.status["reason"]) == ("Failed", "Evicted")
    assert condition(w, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert [s["phase"] for _, s in w.statuses][-2:] == ["Running", "Failed"]
    assert all("DisruptionTarget" not in str(s) for _, s in w.statuses[:-1])


def test_a_readiness_gate_holds_ready_back() -> None:
    """lifecycle.md §3."""
    w = world(readinessGates=[{"conditionType": "example.com/gate"}]).run(3)
    assert condition(w, "ContainersReady")["status"] == "True"
    assert condition(w, "Ready")["message"] == (
        'corresponding condition of pod readiness gate "example.com/gate" does not exist.'
    )
    gate = {"type": "example.com/gate", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}
    w.at(4, lambda: add_condition(w, gate))
    w.run(6)
    assert condition(w, "Ready")["status"] == "True"
    assert w.status["conditions"][0] == gate


def add_condition(w: World, made: dict[str, Any]) -> None:
    assert w.obj is not None
    status = w.obj["status"]
    w.obj = {**w.obj, "status": {**status, "conditions": [*status["conditions"], made]}}


def test_an_agent_that_restarts_leaves_running_containers_alone() -> None:
    """lifecycle.md §5: back-offs are in memory only, so the first restart after it is immediate."""
    w = world(Script(life=lambda name, attempt: Life(runs=None if attempt == 2 else 0.0, code=1))).run(15)
    w.restart_agent()
    w.at(20, lambda: w.exit("c", 1))
    w.run(25)
    assert w.starts("c")[:4] == [0, 0, 10, 20]


def test_the_deadline_is_told_at_each_of_the_four_statuses() -> None:
    w = world(Script(life=lambda name, attempt: Life(term_takes=1)), activeDeadlineSeconds=4).run(9)
    assert len(w.told("DeadlineExceeded")) == 4
    assert w.status["message"] == "Pod was active on the node longer than the specified deadline"


def test_sidecars_are_stopped_in_reverse_order_after_the_containers() -> None:
    """lifecycle.md §7.4."""
    w = world(
        Script(life=lambda name, attempt: Life(term_takes=2)),
        initContainers=[container("s1", restartPolicy="Always"), container("s2", restartPolicy="Always")],
    )
    w.at(5, w.delete)
    w.run(30)
    stops = [(at, a.container, a.grace_seconds) for at, a in w.actions if isinstance(a, StopContainer)]
    assert stops == [(5, "c", 30), (7, "s2", 28), (9, "s1", 26)]


def test_a_sidecar_waits_for_nobody_behind_one_that_does_not_run() -> None:
    """lifecycle.md §7.4."""
    w = world(
        Script(life=lambda name, attempt: Life(0.0, 1) if name == "s2" and attempt else Life(term_takes=2)),
        initContainers=[container(name, restartPolicy="Always") for name in ("s1", "s2", "s3")],
    )
    w.at(2, lambda: w.exit("s2", 1))
    w.at(5, w.delete)
    w.run(30)
    stops = [(at, a.container) for at, a in w.actions if isinstance(a, StopContainer)]
    assert stops == [(5, "c"), (7, "s1"), (7, "s3")]


def test_a_sidecar_that_its_hook_ended_keeps_its_turn() -> None:
    """lifecycle.md §7.4: the one before it still waits for those behind it."""
    w = world(
        Script(life=lambda name, attempt: Life(term_takes=2)),
        initContainers=[container(name, restartPolicy="Always") for name in ("s1", "s2", "s3")],
    )
    w.at(5, w.delete)
    w.at(6, lambda: w.exit("s2", 0))
    w.run(30)
    stops = [(at, a.container) for at, a in w.actions if isinstance(a, StopContainer)]
    assert stops == [(5, "c"), (7, "s3"), (9, "s1")]


def test_a_kill_under_way_is_not_shortened_by_a_second_delete() -> None:
    """lifecycle.md §16: seen on the real node."""
    w = world(Script(life=lambda name, attempt: Life(on_term=None)), terminationGracePeriodSeconds=10)
    w.at(1, w.delete)
    w.at(2, lambda: w.delete(1))
    w.run(30)
    assert [at for at, s in w.statuses if s["phase"] == "Failed"] == [11]


def test_a_pull_that_succeeds_does_not_reset_the_back_off() -> None:
    """lifecycle.md §5: only ten minutes without a failure do."""

    def pull(image: str, nth: int) -> Outcome:
        return Script().pull(image, nth) if nth % 2 else Failed("ErrImagePull", "boom")

    w = world(
        Script(pull=pull, pull_seconds=0.0, life=lambda name, attempt: Life(1.0, 1)),
        containers=[container(imagePullPolicy="Always")],
    ).run(20)
    assert [at for at, event in w.events if event.reason == "Pulling"] == [0, 10, 11]
    assert [b.delay_seconds for b in w.memory.image_backoffs] == [20]
