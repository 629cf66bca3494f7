"""Why a pod is stopped, and what one that was stopped for good shows of containers nobody saw end (lifecycle.md §1.6, §7.8)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from mini_runtime import World, container, pod_json

from lifepod.lifecycle.pod_spec import spec_from_json
from lifepod.lifecycle.pod_worker import stop_cause
from lifepod.lifecycle.termination import terminated_for_good
from lifepod.lifecycle.vocabulary import Deletion, KillRequest, Pod, StartContainer, StopContainer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KILL = KillRequest("Evicted", "words")
DELETION = Deletion(NOW, 5)
LOST = {
    "exitCode": 137,
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
    "startedAt": None,
    "finishedAt": None,
}
ENDED = {"terminated": {"exitCode": 0}}
FAILED = {"terminated": {"exitCode": 1}}
RUNNING: dict[str, Any] = {"running": {}}
WAITING: dict[str, Any] = {"waiting": {}}


@pytest.mark.parametrize(
    ("deletion", "gone", "kill", "cause"),
    [
        (None, False, None, ""),
        (None, False, KILL, "evicted"),
        (DELETION, False, KILL, "deleted"),
        (DELETION, True, KILL, "removed"),
    ],
)
def test_the_strongest_cause_counts(
    deletion: Deletion | None, gone: bool, kill: KillRequest | None, cause: str
) -> None:
    pod = Pod("ns", "p", "u", 1, spec_from_json({"containers": []}), deletion, {})
    assert stop_cause(pod, gone, kill) == cause


def ended(init: list[tuple[str, dict[str, Any]]], regular: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What a stopped pod of these containers shows; init containers as (kind, state and the like)."""
    spec = spec_from_json(
        {
            "containers": [{"name": f"c{i}"} for i in range(len(regular))],
            "initContainers": [
                {"name": f"i{i}", **({"restartPolicy": "Always"} if kind == "sidecar" else {})}
                for i, (kind, _) in enumerate(init)
            ],
        }
    )
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": f"c{i}", **s} for i, s in enumerate(regular)],
        "initContainerStatuses": [{"name": f"i{i}", **s} for i, (_, s) in enumerate(init)],
    }
    return terminated_for_good(spec, {**status, **more}, False)


def states(made: dict[str, Any], member: str = "containerStatuses") -> list[Any]:
    return [s["state"] for s in made[member]]


def test_a_container_nobody_saw_end_is_told_as_lost_and_the_pod_as_failed() -> None:
    made = ended([], [{"state": RUNNING}, {"state": ENDED}])
    assert states(made) == [{"terminated": LOST}, ENDED]
    assert made["phase"] == "Failed"


@pytest.mark.parametrize(
    ("about", "init", "regular", "is_lost"),
    [
        ("the last init container succeeded", [("init", {"state": ENDED})], {"state": WAITING}, True),
        ("it failed", [("init", {"state": FAILED})], {"state": WAITING}, False),
        ("it still runs", [("init", {"state": RUNNING})], {"state": WAITING}, False),
        ("it failed, but the container ran before", [("init", {"state": FAILED})], {"state": RUNNING}, True),
        (
            "the container waits after an end",
            [("init", {"state": RUNNING})],
            {"state": WAITING, "lastState": FAILED},
            True,
        ),
        (
            "only the first of two is done",
            [("init", {"state": ENDED}), ("init", {"state": WAITING})],
            {"state": WAITING},
            False,
        ),
        (
            "the last is a sidecar that is up",
            [("sidecar", {"state": RUNNING, "started": True})],
            {"state": WAITING},
            True,
        ),
        (
            "the last is a sidecar still starting",
            [("sidecar", {"state": RUNNING, "started": False})],
            {"state": WAITING},
            False,
        ),
        ("the last is a sidecar that ended", [("sidecar", {"state": ENDED})], {"state": WAITING}, False),
    ],
)
def test_containers_are_lost_only_in_a_pod_that_was_initialized(
    about: str, init: list[tuple[str, dict[str, Any]]], regular: dict[str, Any], is_lost: bool
) -> None:
    (state,) = states(ended(init, [regular]))
    assert (state == {"terminated": LOST}) is is_lost, about


def test_without_a_status_of_the_last_init_container_nothing_was_initialized() -> None:
    made = ended([("init", {"state": ENDED})], [{"state": WAITING}], initContainerStatuses=[])
    assert states(made) == [WAITING]


def test_init_containers_up_to_the_last_that_was_tried_are_lost() -> None:
    inits = [("init", {"state": WAITING}), ("init", {"state": RUNNING}), ("init", {"state": WAITING})]
    made = ended(inits, [{"state": WAITING}])
    assert states(made, "initContainerStatuses") == [{"terminated": LOST}, {"terminated": LOST}, WAITING]


def test_a_pod_that_failed_stays_failed_under_a_node_agent_started_anew() -> None:
    world = World(pod_json({"restartPolicy": "Never", "containers": [container()]}))
    world.at(3, lambda: world.exit("c", 1))
    world.at(10, world.restart_agent)
    world.run(60)
    assert world.status["phase"] == "Failed"
    assert len(world.starts("c")) == 1
    assert not [a for at, a in world.actions if at >= 10 and isinstance(a, StartContainer | StopContainer)]
