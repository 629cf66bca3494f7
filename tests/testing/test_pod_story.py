"""Assertions on what a pod went through, and what they say when they fail."""

from __future__ import annotations

import pytest

import lifepod

from .manifests import pod


@pytest.fixture
def crashed(kube: lifepod.Kube) -> lifepod.Kube:
    """A pod `web` that ended well after its init container, and one `crasher` that never does."""
    story = pod("web", "sleep", "30", readinessProbe={"exec": {"command": ["true"]}, "initialDelaySeconds": 5})
    story["spec"]["initContainers"] = [{"name": "setup", "image": "busybox", "command": ["sleep", "20"]}]
    kube.apply(story, pod("crasher", "sh", "-c", "sleep 1; exit 1", restart="Always"))
    kube.advance("10m")
    return kube


@pytest.mark.parametrize(
    "marks",
    [
        ("Pending", "Running", "Succeeded"),
        ("pending", "SUCCEEDED"),
        ("Scheduled", "Init:0/1", "setup running", "init done", "main running", "Ready", "NotReady", "Completed"),
        ("ContainersReady", "main Completed"),
    ],
    ids=str,
)
def test_what_it_went_through(crashed: lifepod.Kube, marks: tuple[str, ...]) -> None:
    crashed.pod("web").went(*marks)


@pytest.mark.parametrize("marks", [("Succeeded", "Running"), ("Failed",), ("Ready", "init done", "Init:0/1")], ids=str)
def test_what_it_did_not_go_through(crashed: lifepod.Kube, marks: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match="was never"):
        crashed.pod("web").went(*marks)


def test_never_and_never_before(crashed: lifepod.Kube) -> None:
    crashed.pod("web").never("Failed").never("Ready", before="init done").never("restart 1")
    with pytest.raises(AssertionError, match='was "Ready" before "Succeeded"'):
        crashed.pod("web").never("Ready", before="Succeeded")


def test_restarts_are_counted(crashed: lifepod.Kube) -> None:
    crashed.pod("crasher").restarted(6).restarted(2, within="25s").went("CrashLoopBackOff", "main Running", "restart 6")
    with pytest.raises(AssertionError, match="had 6 restarts, not 3"):
        crashed.pod("crasher").restarted(3)


def test_conditions_through_time(crashed: lifepod.Kube) -> None:
    web = crashed.pod("web")
    web.condition("Ready").was(False, reason="ContainersNotReady")
    web.condition("Ready").was(True).condition("Ready").is_(False, reason="PodCompleted")
    web.condition("PodScheduled").became(True, within="1s")
    with pytest.raises(AssertionError, match="condition Ready was never True with reason Sunshine"):
        web.condition("Ready").was(True, reason="Sunshine")
    with pytest.raises(AssertionError, match="not within 3s"):
        web.condition("Ready").became(True, within="3s")


def test_a_failing_assertion_prints_the_timeline(crashed: lifepod.Kube) -> None:
    with pytest.raises(AssertionError) as caught:
        crashed.pod("web").went("Failed")
    text = str(caught.value)
    assert text.startswith('pod web was never "Failed"\n\npod default/web, from 2025-01-01T00:00:00Z:')
    for line in ("Init:0/1", "setup Running", "main Terminated Completed", "Event Started: Started container setup"):
        assert line in text


@pytest.mark.parametrize("mark", ["Raedy", "main", "sidecar Running", "restart many"])
def test_a_mark_that_could_never_hold_is_a_mistake_of_the_test(crashed: lifepod.Kube, mark: str) -> None:
    with pytest.raises(ValueError, match="nothing that could hold"):
        crashed.pod("web").never(mark)


def test_a_pod_that_never_was(kube: lifepod.Kube) -> None:
    assert kube.pod("nobody").status == "unknown"
    with pytest.raises(AssertionError, match="nothing is known of it"):
        kube.pod("nobody").went("Running")


def test_a_deleted_pod_keeps_its_story(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "600"))
    kube.advance("5s")
    kube.delete("pod", "web", grace_seconds=1)
    kube.advance("5s")
    kube.pod("web").went("Running", "Terminating", "Deleted")
