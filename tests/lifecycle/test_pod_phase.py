"""The phase follows from the container statuses (lifecycle.md §1.2–1.4)."""

from __future__ import annotations

from typing import Any

import pytest

from lifepod.lifecycle.pod_phase import kept_phase, phase_from_statuses
from lifepod.lifecycle.pod_spec import spec_from_json
from lifepod.lifecycle.version import Profile, profile_of

P134 = profile_of("1.34")
GATED = Profile("1.35", container_restart_rules=True)
Status = dict[str, Any]


def exited(code: int) -> Status:
    return {"state": {"terminated": {"exitCode": code}}, "ready": False}


def running(started: bool = True) -> Status:
    return {"state": {"running": {}}, "ready": started, "started": started}


def waiting(last: int | None = None) -> Status:
    last_state = {} if last is None else {"terminated": {"exitCode": last}}
    return {"state": {"waiting": {}}, "lastState": last_state, "ready": False}


def phase(
    policy: str,
    regular: list[Status],
    init: list[tuple[str, Status]] | None = None,
    terminal: bool = False,
    initialized: bool = False,
    profile: Profile = P134,
    is_static: bool = False,
) -> str:
    spec = spec_from_json(
        {
            "restartPolicy": policy,
            "containers": [{"name": f"c{i}"} for i in range(len(regular))],
            "initContainers": [
                {"name": f"i{i}", **({"restartPolicy": "Always"} if kind == "sidecar" else {})}
                for i, (kind, _) in enumerate(init or [])
            ],
        }
    )
    statuses = {
        "containerStatuses": [{"name": f"c{i}", **s} for i, s in enumerate(regular)],
        "initContainerStatuses": [{"name": f"i{i}", **s} for i, (_, s) in enumerate(init or [])],
    }
    return phase_from_statuses(spec, statuses, initialized, terminal, profile, is_static)


@pytest.mark.parametrize(
    ("policy", "regular", "expected"),
    [
        ("Always", [exited(0), exited(0)], "Running"),  # both are about to be restarted
        ("OnFailure", [exited(0), exited(1)], "Running"),
        ("OnFailure", [exited(0), exited(0)], "Succeeded"),
        ("Never", [exited(0), exited(1)], "Failed"),
        ("Never", [exited(0), exited(0)], "Succeeded"),
        ("Never", [exited(1), running()], "Running"),  # a failure is not final while another runs
        ("Never", [waiting(), running()], "Pending"),  # one has never started
        ("Always", [waiting(1)], "Running"),  # a crash loop
        ("Always", [waiting(1), running()], "Running"),
        ("Always", [running(), {"state": {}}], "Pending"),  # none of the three states
        ("Always", [], "Pending"),
    ],
)
def test_phase_follows_restart_policy(policy: str, regular: list[Status], expected: str) -> None:
    assert phase(policy, regular) == expected


@pytest.mark.parametrize(
    ("policy", "init", "regular", "initialized", "expected"),
    [
        ("Always", [("init", running())], [waiting()], False, "Pending"),
        ("Always", [("init", exited(1))], [waiting()], False, "Pending"),  # falls to the waiting main container
        ("Never", [("init", exited(1))], [waiting()], False, "Failed"),
        ("Never", [("init", waiting(3))], [waiting()], False, "Failed"),
        ("OnFailure", [("init", exited(1))], [waiting()], False, "Pending"),
        ("Always", [("init", exited(0))], [running()], True, "Running"),
        ("Always", [("sidecar", running(False))], [running()], False, "Pending"),  # a sidecar still starting up
        ("Always", [("sidecar", running(False))], [running()], True, "Running"),  # … in a pod that was initialized
        ("Never", [("sidecar", running())], [exited(0)], True, "Running"),  # a running sidecar keeps the pod
        ("Never", [("sidecar", exited(137))], [exited(0)], True, "Succeeded"),  # its end never counts
        ("Always", [("sidecar", waiting())], [running()], True, "Pending"),
        ("Always", [("sidecar", waiting(1))], [running()], True, "Running"),
        ("Always", [("sidecar", {"state": {}})], [running()], True, "Pending"),  # none of the three states
    ],
)
def test_phase_with_init_containers(
    policy: str, init: list[tuple[str, Status]], regular: list[Status], initialized: bool, expected: str
) -> None:
    assert phase(policy, regular, init, initialized=initialized) == expected


@pytest.mark.parametrize(
    ("regular", "expected"),
    [([exited(0)], "Succeeded"), ([exited(0), exited(143)], "Failed"), ([waiting(0)], "Failed")],
)
def test_once_everything_was_stopped_the_restart_policy_does_not_matter(regular: list[Status], expected: str) -> None:
    assert phase("Always", regular, terminal=True) == expected


def test_a_static_pod_that_was_stopped_keeps_running() -> None:
    assert phase("Always", [exited(0)], terminal=True, is_static=True) == "Running"


def test_with_restart_rules_a_stopped_container_that_restarts_keeps_the_pod_running() -> None:
    assert phase("OnFailure", [exited(1)], profile=GATED) == "Running"
    assert phase("Never", [exited(1)], profile=GATED) == "Failed"
    assert phase("Never", [waiting()], [("init", exited(1))], profile=GATED) == "Failed"
    assert phase("Always", [waiting()], [("init", exited(1))], profile=GATED) == "Pending"


def test_a_sidecar_without_a_status_keeps_the_pod_from_running() -> None:
    spec = spec_from_json({"containers": [{"name": "c"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]})
    statuses = {"containerStatuses": [{"name": "c", **running()}], "initContainerStatuses": []}
    assert phase_from_statuses(spec, statuses, True, False, P134) == "Pending"
    told = {**statuses, "initContainerStatuses": [{"name": "s", **running()}]}
    assert phase_from_statuses(spec, told, True, False, P134) == "Running"


@pytest.mark.parametrize(
    ("phase_now", "cached", "api", "expected"),
    [
        ("Running", "Failed", "Running", "Failed"),
        ("Running", "", "Succeeded", "Succeeded"),
        ("Failed", "", "Succeeded", "Succeeded"),
        ("Failed", "Running", "Running", "Failed"),
        ("Pending", "Running", "Running", "Pending"),
    ],
)
def test_a_terminal_phase_is_never_left(phase_now: str, cached: str, api: str, expected: str) -> None:
    """lifecycle.md §1.4.1 and §1.4.4."""
    assert kept_phase(phase_now, cached, api) == expected
