"""What of the runtime's picture makes a sync, and how many (lifecycle.md §7.8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from mini_runtime import T0, Life, Script, World, container, pod_json

from lifepod.lifecycle.news import happened
from lifepod.lifecycle.vocabulary import (
    Action,
    ContainerReport,
    CreateContainer,
    Failed,
    RemoveContainer,
    RuntimeReport,
    RuntimeState,
    SandboxReport,
    SandboxState,
    Seen,
    StartContainer,
)


def report(
    *containers: tuple[str, RuntimeState], sandbox: SandboxState = "ready", ip: str = "10.1.0.5"
) -> RuntimeReport:
    made = [ContainerReport(cid, "c", "sb", 0, state, "i", "ref", T0) for cid, state in containers]
    return RuntimeReport((SandboxReport("sb", 0, sandbox, T0, (ip,) if ip else ()),), tuple(made))


NONE = RuntimeReport()


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        (NONE, report(), 1),
        (NONE, report(("a", "running")), 2),
        (report(ip=""), report(), 1),
        (report(), report(("a", "created")), 0),
        (report(("a", "created")), report(("a", "running")), 1),
        (report(("a", "created")), report(("a", "exited")), 1),
        (report(("a", "running")), report(("a", "running")), 0),
        (report(("a", "running")), report(("a", "exited")), 1),
        (report(("a", "running")), report(("a", "unknown")), 0),
        (report(("a", "exited")), report(), 0),
        (report(("a", "running")), report(), 1),
        (report(("a", "unknown")), report(), 1),
        (report(("a", "created")), report(), 0),
        (report(("a", "exited")), report(("b", "running"), ("a", "exited")), 1),
        (report(("a", "running")), report(("a", "exited"), sandbox="notready", ip=""), 2),
        (report(), NONE, 1),
        (report(sandbox="notready", ip=""), NONE, 0),
    ],
)
def test_what_began_or_ended_counts_and_what_was_only_created_or_forgotten_does_not(
    before: RuntimeReport, after: RuntimeReport, count: int
) -> None:
    assert happened(before, after) == count


@dataclass
class Told(World):
    """A world whose pod names pull secrets that nobody has: every sync says so."""

    def seen(self) -> Seen:
        return super().seen()._replace(missing_pull_secrets=("s",))

    def syncs(self) -> list[float]:
        return [at for at, event in self.events if event.reason == "FailedToRetrieveImagePullSecret"]


@pytest.mark.parametrize(
    ("about", "spec", "syncs"),
    [
        ("the start, its sandbox, its container", {"containers": [container()]}, [0, 0, 0]),
        ("three containers wait for one turn", {"containers": [container(n) for n in "abc"]}, [0, 0, 0]),
        (
            "an init container's start and end, then the other's start",  # 5, as real nodes' events of such pods say
            {"initContainers": [container("first")], "containers": [container()]},
            [0, 0, 0, 8, 8],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_sync_that_began_several_things_is_followed_by_two(
    about: str, spec: dict[str, Any], syncs: list[float]
) -> None:
    script = Script(life=lambda name, attempt: Life(runs=8.0) if name == "first" else Life())
    assert Told(pod_json(spec), script).run(30).syncs() == syncs


def test_pull_secrets_that_nobody_has_are_told_of_every_minute() -> None:
    """lifecycle.md §5: the regular resync."""
    assert Told(pod_json({"containers": [container()]})).run(130).syncs() == [0, 0, 0, 60, 120]


@dataclass
class Stubborn(World):
    """A world whose runtime cannot start the first containers, and leaves them created."""

    refusals: int = 3
    removed: list[str] = field(default_factory=list)

    def _perform(self, action: Action) -> None:
        if isinstance(action, StartContainer) and self.refusals:
            self.refusals -= 1
            self._end(action.number, Failed("RunContainerError", "device is busy"), 0)
            return
        if isinstance(action, RemoveContainer):
            self.removed.append(action.container_id)
        super()._perform(action)


def test_what_could_not_be_started_and_stays_created_is_tried_again_after_10_s_and_forgotten() -> None:
    world = Stubborn(pod_json({"containers": [container()]})).run(60)
    made = [at for at, action in world.actions if isinstance(action, CreateContainer)]
    assert made == [0, 0, 10, 20]  # the sandbox's sync comes at once
    assert world.removed == ["c-0", "c-1", "c-2"]
    assert world.story()[-1] == "Running/Ready c=running#3"
