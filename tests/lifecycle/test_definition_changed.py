"""A running container whose image is another one now is stopped and started anew (lifecycle.md §4.3, §4.4)."""

from __future__ import annotations

from datetime import UTC, datetime

from lifepod.lifecycle.init_containers import init_actions
from lifepod.lifecycle.pod_actions import pod_actions
from lifepod.lifecycle.version import profile_of
from lifepod.lifecycle.vocabulary import ContainerReport, ContainerSpec, PodSpec, RuntimeReport, SandboxReport

NOW = datetime(2025, 1, 1, tzinfo=UTC)
PROFILE = profile_of("1.34")


def running(name: str, asked: str) -> ContainerReport:
    return ContainerReport(f"id-{name}", name, "s", 0, "running", asked, "ref", NOW, NOW, asked_image=asked)


def report(*containers: ContainerReport) -> RuntimeReport:
    return RuntimeReport((SandboxReport("s", 0, "ready", NOW, ("10.0.0.1",)),), containers)


def no_results(container: str, kind: str, container_id: str) -> str:
    return ""


def test_a_changed_image_restarts_the_container_whatever_the_restart_policy() -> None:
    spec = PodSpec("Never", (ContainerSpec("c", "regular", "new"),))
    todo = pod_actions(spec, report(running("c", "old")), no_results, False, PROFILE)
    assert [(k.container_id, k.message) for k in todo.kills] == [
        ("id-c", "Container c definition changed, will be restarted")
    ]
    assert todo.starts == ("c",)


def test_a_changed_image_of_a_sidecar_restarts_it_and_the_message_says_no_more() -> None:
    spec = PodSpec("Always", (ContainerSpec("c", "regular", "i"),), (ContainerSpec("s", "sidecar", "new"),))
    todo = init_actions(spec, report(running("c", "i"), running("s", "old")), no_results, PROFILE)
    assert [k.message for k in todo.kills] == ["Init container s definition changed"]
    assert todo.starts == ("s",)


def test_a_container_whose_image_nobody_knows_any_more_is_left_alone() -> None:
    spec = PodSpec("Always", (ContainerSpec("c", "regular", "new"),))
    todo = pod_actions(spec, report(running("c", "")), no_results, False, PROFILE)
    assert (todo.kills, todo.starts, todo.kill_pod) == ((), (), False)
