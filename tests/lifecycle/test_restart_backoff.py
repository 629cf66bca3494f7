"""Back-offs of containers and images (lifecycle.md §5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.lifecycle.go_duration import go_duration
from lifepod.lifecycle.image_pull import backoff_message, may_pull_at, name_error, pull_error, pull_verdict
from lifepod.lifecycle.memory import Backoff
from lifepod.lifecycle.pod_spec import spec_from_json
from lifepod.lifecycle.restart_backoff import may_restart_at, raised
from lifepod.lifecycle.restart_policy import restarts_after
from lifepod.lifecycle.version import Profile

T = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def test_the_first_restart_is_immediate() -> None:
    assert may_restart_at(None, T) == T


def test_later_restarts_count_from_the_end_of_the_container() -> None:
    assert may_restart_at(Backoff("c", 40, T), after(3)) == after(43)


@pytest.mark.parametrize(("seconds", "waits"), [(600, 40), (601, 0)])
def test_ten_minutes_after_the_last_start_it_starts_over(seconds: int, waits: int) -> None:
    assert may_restart_at(Backoff("c", 40, T), after(seconds)) == after(seconds + waits)


def test_the_delay_doubles_up_to_five_minutes_and_starts_over() -> None:
    entry, delays = None, []
    for _ in range(8):
        entry = raised(entry, "c", T, T)
        delays.append(entry.delay_seconds)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]
    assert raised(entry, "c", after(700), after(700)).delay_seconds == 10


def test_an_image_waits_from_the_failed_pull_until_idle_for_ten_minutes() -> None:
    assert may_pull_at(None, T) == T
    assert may_pull_at(Backoff("i", 10, T), after(3)) == after(10)
    assert may_pull_at(Backoff("i", 10, T), after(30)) == after(30)
    assert may_pull_at(Backoff("i", 300, T), after(601)) == after(601)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (10, "10s"),
        (80, "1m20s"),
        (300, "5m0s"),
        (1.2345, "1.234s"),
        (0.812, "812ms"),
        (61.5, "1m1.5s"),
        (3600, "1h0m0s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize(
    ("policy", "present", "verdict"),
    [
        ("Always", True, "pull"),
        ("Always", False, "pull"),
        ("IfNotPresent", True, "present"),
        ("IfNotPresent", False, "pull"),
        ("Never", True, "present"),
        ("Never", False, "never"),
    ],
)
def test_the_pull_policy_decides(policy: str, present: bool, verdict: str) -> None:
    assert pull_verdict(policy, present) == verdict  # type: ignore[arg-type] # the table is text


def test_a_bad_name_says_what_does_not_parse() -> None:
    assert name_error("Bad//Name:::x") == (
        'Failed to apply default image tag "Bad//Name:::x": couldn\'t parse image name "Bad//Name:::x": '
        "invalid reference format: repository name (/Name) must be lowercase"
    )
    assert name_error("busybox:1.36") == ""


def test_pull_errors_of_the_registry_have_words_of_their_own() -> None:
    assert pull_error("i", "ErrImagePull", "boom") == ("ErrImagePull", "boom")
    assert pull_error("i", "", "RegistryUnavailable: down") == (
        "RegistryUnavailable",
        "image pull failed for i because the registry is unavailable: down",
    )
    assert pull_error("i", "", "SignatureValidationFailed")[0] == "SignatureValidationFailed"
    assert backoff_message("i", "") == 'Back-off pulling image "i"'


@pytest.mark.parametrize(
    ("pod_policy", "own", "rules", "code", "gated", "expected"),
    [
        ("Always", None, [], 0, False, True),
        ("OnFailure", None, [], 0, False, False),
        ("OnFailure", None, [], 1, False, True),
        ("Never", None, [], 1, False, False),
        ("Never", "Always", [], 1, False, False),  # 1.34 does not know a container's own policy
        ("Never", "Always", [], 1, True, True),
        ("Never", "Never", [("Restart", "In", [42])], 42, True, True),
        ("Never", "Never", [("Restart", "In", [42])], 1, True, False),
        ("Never", "Never", [("Restart", "NotIn", [42])], 1, True, True),
        ("Always", "OnFailure", [("Restart", "NotIn", [0])], 0, True, False),
        ("Never", None, [("Restart", "In", [42])], 42, True, False),  # rules need a policy of the container
    ],
)
def test_an_exit_restarts_by_rules_then_policies(
    pod_policy: str, own: str | None, rules: list[tuple[str, str, list[int]]], code: int, gated: bool, expected: bool
) -> None:
    """lifecycle.md §1.1."""
    c = {
        "name": "c",
        "restartPolicy": own,
        "restartPolicyRules": [{"action": a, "exitCodes": {"operator": o, "values": v}} for a, o, v in rules],
    }
    spec = spec_from_json({"restartPolicy": pod_policy, "containers": [c]})
    assert restarts_after(spec.containers[0], spec, code, Profile("x", gated)) is expected
