"""A pod's JSON as values: every field of a probe, with and without defaults; what a status keeps of the one before."""

from __future__ import annotations

import pytest
from mini_runtime import World, container, pod_json

from lifepod.lifecycle.pod_spec import pod_from_json
from lifepod.lifecycle.vocabulary import ProbeSpec

ALL = {
    "initialDelaySeconds": 1,
    "timeoutSeconds": 2,
    "periodSeconds": 3,
    "successThreshold": 4,
    "failureThreshold": 5,
    "terminationGracePeriodSeconds": 6,
}


def probe(**fields: object) -> ProbeSpec:
    read = pod_from_json(pod_json({"containers": [container(readinessProbe={"exec": {"command": ["x"]}, **fields})]}))
    found = read.spec.containers[0].readiness_probe
    assert found is not None
    return found


def test_every_field_of_a_probe_is_read() -> None:
    found = probe(**ALL)
    assert (
        found.initial_delay_seconds,
        found.timeout_seconds,
        found.period_seconds,
        found.success_threshold,
        found.failure_threshold,
        found.termination_grace_period_seconds,
    ) == (1, 2, 3, 4, 5, 6)


def test_a_probe_without_fields_has_upstreams_defaults() -> None:
    found = probe()
    assert (
        found.initial_delay_seconds,
        found.timeout_seconds,
        found.period_seconds,
        found.success_threshold,
        found.failure_threshold,
        found.termination_grace_period_seconds,
    ) == (0, 1, 10, 1, 3, None)


@pytest.mark.parametrize("field", ["qosClass", "nominatedNodeName"])
def test_a_status_keeps_what_others_wrote(field: str) -> None:
    obj = pod_json({"containers": [container()]})
    world = World({**obj, "status": {**(obj.get("status") or {}), field: "kept"}})
    world.run(3)
    assert world.status[field] == "kept"


def test_a_startup_probe_that_succeeded_shows_as_started() -> None:
    world = World(pod_json({"containers": [container(startupProbe={"exec": {"command": ["x"]}, "periodSeconds": 1})]}))
    world.run(10)
    (shown,) = world.status["containerStatuses"]
    assert shown["started"] is True


def test_container_statuses_have_no_fields_of_our_own() -> None:
    world = World(pod_json({"containers": [container(startupProbe={"exec": {"command": ["x"]}, "periodSeconds": 1})]}))
    world.run(10)
    allowed = {
        "name",
        "state",
        "lastState",
        "ready",
        "restartCount",
        "image",
        "imageID",
        "containerID",
        "started",
        "resources",
        "allocatedResources",
        "volumeMounts",
        "user",
    }
    for _, out, _ in world.steps:
        for shown in (out.status or {}).get("containerStatuses") or ():
            assert set(shown) <= allowed
