"""Random pods, exits and faults in virtual time: what must hold for every pod (the laws are in `checkers/`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from checkers import containers, statuses, stepping
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle.vocabulary import Done, Failed, ImagePulled, MountsFailed, Probed

LAWS: tuple[Callable[[World], None], ...] = (
    containers.one_live_instance_of_each,
    containers.starts_only_in_a_ready_sandbox,
    containers.init_containers_run_in_order,
    containers.nothing_is_started_after_the_deletion_was_seen,
    containers.everything_is_stopped_once_the_pod_is_deleted,
    containers.grace_is_never_exceeded_by_more_than_the_floor,
    containers.nothing_alive_is_forgotten,
    statuses.restart_counts_never_fall,
    statuses.a_terminal_phase_stays,
    statuses.ready_implies_containers_ready,
    statuses.no_status_repeats_the_one_before,
    statuses.transition_times_move_only_with_the_status,
    statuses.what_runs_again_has_a_last_state,
    stepping.looking_again_changes_nothing,
    stepping.an_end_is_taken_once,
    stepping.equal_arguments_give_equal_results,
    stepping.no_action_is_repeated_while_it_is_under_way,
    stepping.the_memory_is_json,
)

handlers = st.sampled_from([{"exec": {"command": ["x"]}}, {"tcpSocket": {"port": 80}}])


@st.composite
def probes(draw: st.DrawFn, can_have_grace: bool = True) -> dict[str, Any]:
    made = {
        **draw(handlers),
        "periodSeconds": draw(st.integers(1, 4)),
        "failureThreshold": draw(st.integers(1, 3)),
        "initialDelaySeconds": draw(st.integers(0, 3)),
    }
    if can_have_grace and draw(st.booleans()):
        made["terminationGracePeriodSeconds"] = draw(st.integers(1, 5))
    return made


@st.composite
def any_container(draw: st.DrawFn, name: str, probed: bool) -> dict[str, Any]:
    made = container(name, imagePullPolicy=draw(st.sampled_from(["Always", "IfNotPresent", "Never"])))
    if probed:
        for member, grace in (("startupProbe", True), ("livenessProbe", True), ("readinessProbe", False)):
            if draw(st.integers(0, 3)) == 0:
                made[member] = draw(probes(grace))
        hooks = {h: draw(handlers) for h in ("postStart", "preStop") if draw(st.integers(0, 4)) == 0}
        if hooks:
            made["lifecycle"] = hooks
    return made


@st.composite
def any_spec(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "restartPolicy": draw(st.sampled_from(["Always", "OnFailure", "Never"])),
        "terminationGracePeriodSeconds": draw(st.integers(0, 8)),
        "containers": [draw(any_container(f"c{i}", True)) for i in range(draw(st.integers(1, 2)))],
    }
    inits = []
    for i in range(draw(st.integers(0, 3))):
        is_sidecar = draw(st.booleans())
        made = draw(any_container(f"i{i}", is_sidecar))
        inits.append({**made, "restartPolicy": "Always"} if is_sidecar else made)
    if inits:
        spec["initContainers"] = inits
    if draw(st.integers(0, 4)) == 0:
        spec["activeDeadlineSeconds"] = draw(st.integers(1, 30))
    return spec


@st.composite
def any_script(draw: st.DrawFn) -> Script:
    lives = draw(
        st.lists(
            st.builds(
                Life,
                runs=st.sampled_from([None, None, 0.0, 0.4, 3.0, 12.0]),
                code=st.sampled_from([0, 0, 1, 137]),
                on_term=st.sampled_from([0, 143, None]),
                term_takes=st.sampled_from([0.0, 0.5, 4.0]),
                start_error=st.sampled_from(["", "", "", "no such file"]),
                create_error=st.sampled_from(
                    [None, None, None, ("CreateContainerConfigError", 'configmap "x" not found')]
                ),
            ),
            min_size=1,
            max_size=6,
        )
    )
    answers = draw(
        st.lists(st.sampled_from(["success", "success", "failure", "unknown", "warning"]), min_size=1, max_size=7)
    )
    pulls = draw(
        st.lists(
            st.sampled_from([ImagePulled("r", 1, 0.5, 0.5), Failed("ErrImagePull", "boom")]), min_size=1, max_size=3
        )
    )
    hooks_fail, mounts_until, sandbox_fails = (
        draw(st.booleans()),
        draw(st.sampled_from([0, 0, 2])),
        draw(st.sampled_from([0, 0, 1])),
    )
    return Script(
        life=lambda name, attempt: lives[(attempt + sum(map(ord, name))) % len(lives)],
        image_present=draw(st.booleans()),
        pull=lambda image, nth: pulls[nth % len(pulls)],
        probe=lambda name, kind, at: Probed(answers[int(at) % len(answers)], "text"),
        probe_seconds=draw(st.sampled_from([0.0, 0.0, 0.3, 1.5])),
        hook=lambda name, kind: Failed("", "bad") if hooks_fail else Done(),
        hook_seconds=lambda name, kind: 1.9,
        mounts=lambda at: MountsFailed((("v", "not found"),)) if at < mounts_until else Done(),
        sandbox=lambda nth: Failed("", "no network") if nth < sandbox_fails else None,
        action_seconds=draw(st.sampled_from([0.0, 0.05, 0.7])),
    )


PODS, BLOCKS = 10_000, 20


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_law_holds_for_every_pod(block: int) -> None:
    """Ten thousand random pods with faults, in blocks that workers share. A failure shows the pod; `-k "[BLOCK]"` replays it."""

    @seed(block)
    @settings(
        max_examples=PODS // BLOCKS,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(spec=any_spec(), script=any_script(), data=st.data())
    def holds(spec: dict[str, Any], script: Script, data: st.DataObject) -> None:
        _hold_every_law(spec, script, data)

    holds()


def _hold_every_law(spec: dict[str, Any], script: Script, data: st.DataObject) -> None:
    world = World(pod_json(spec), script)
    fault = data.draw(st.sampled_from(["", "", "lose sandbox", "lose writes", "restart the agent"]), label="fault")
    if fault == "lose sandbox":
        world.at(data.draw(st.floats(0.1, 20)), world.lose_sandbox)
    if fault == "restart the agent":
        world.at(data.draw(st.floats(0.1, 20)), world.restart_agent)
    if fault == "lose writes":
        world.at(5, lambda: setattr(world, "lose_writes", 1))
    how = data.draw(st.sampled_from(["", "delete", "force"]), label="end")
    if how:
        world.at(data.draw(st.floats(0.1, 40)), lambda: world.delete(0 if how == "force" else None))
    world.run(80)
    for law in LAWS:
        law(world)
    if how:
        assert world.finished, "a deleted pod is gone 40 s later"


@pytest.mark.parametrize("seconds", [0.2, 3, 15])
def test_left_alone_a_pod_settles(seconds: float) -> None:
    world = World(pod_json({"containers": [container()]}), Script(action_seconds=seconds))
    world.run(120)
    assert world.memory.wake_at is None
    assert world.memory.under_way == ()
