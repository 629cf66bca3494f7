"""What the pod's status says beside the containers: words, addresses, and verdicts of probes (lifecycle.md §1.4, §2.3, §6.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from mini_runtime import container, pod_json

from lifepod.lifecycle import new_memory
from lifepod.lifecycle.conditions import ready
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.pod_spec import pod_from_json, spec_from_json
from lifepod.lifecycle.pod_status import for_api, generate_status, shown_containers, with_probe_result
from lifepod.lifecycle.vocabulary import NodeFacts, RuntimeReport, SandboxReport, Seen

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NODE = NodeFacts("n", ("10.0.0.1",))
BOX = SandboxReport("sb", 0, "ready", NOW, ("10.1.0.5", "fd00::5"))
EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "no room"}


def draft(
    api: dict[str, Any],
    remembered: dict[str, Any] | None = None,
    node: NodeFacts = NODE,
    boxes: tuple[SandboxReport, ...] = (),
    **spec: Any,
) -> Draft:
    """A look at a pod that the API server shows like this, by an agent that remembers a status of its own or none."""
    made = pod_json({"containers": [container()], **spec})
    pod = pod_from_json({**made, "status": {**made["status"], **api}})
    report = RuntimeReport(boxes)
    memory = new_memory()._replace(pod=pod, report=report, status=remembered)
    return Draft(memory, Seen(pod, report, node), NOW)


@pytest.mark.parametrize(
    ("about", "api", "remembered", "phase", "words"),
    [
        (
            "words of the same phase stay",
            {},
            {"phase": "Pending", "reason": "R", "message": "m"},
            "Pending",
            ("R", "m"),
        ),
        ("those of another phase go", {}, {"phase": "Running", "reason": "R", "message": "m"}, "Pending", (None, None)),
        ("an agent started anew takes the API's", EVICTED, None, "Failed", ("Evicted", "no room")),
        (
            "what we have no words for keeps the API's",
            {"phase": "Pending", "reason": "R", "message": "m"},
            {"phase": "Pending"},
            "Pending",
            ("R", "m"),
        ),
        (
            "a phase that somebody else ended is kept with its words",
            EVICTED,
            {"phase": "Running", "reason": "R", "message": "m"},
            "Failed",
            ("Evicted", "no room"),
        ),
    ],
)
def test_reason_and_message_go_with_the_phase(
    about: str, api: dict[str, Any], remembered: dict[str, Any] | None, phase: str, words: tuple[str | None, str | None]
) -> None:
    """lifecycle.md §1.4.2."""
    made = generate_status(draft(api, remembered))
    assert (made["phase"], (made.get("reason"), made.get("message"))) == (phase, words), about


@pytest.mark.parametrize(
    ("about", "made", "addresses"),
    [
        ("a sandbox's own", draft({}, boxes=(BOX,)), ("10.0.0.1", "10.1.0.5", ["10.1.0.5", "fd00::5"])),
        ("the host's", draft({}, hostNetwork=True), ("10.0.0.1", "10.0.0.1", ["10.0.0.1"])),
        ("none before there is a sandbox", draft({}), ("10.0.0.1", None, None)),
        (
            "those of a sandbox that is gone stay",
            draft({"podIP": "10.1.0.9", "podIPs": [{"ip": "10.1.0.9"}]}),
            ("10.0.0.1", "10.1.0.9", ["10.1.0.9"]),
        ),
        ("a node without an address", draft({}, node=NodeFacts("n", ()), boxes=(BOX,)), (None, "10.1.0.5", None)),
    ],
)
def test_the_addresses_shown(
    about: str, made: Draft, addresses: tuple[str | None, str | None, list[str] | None]
) -> None:
    status = generate_status(made)
    host, pod, pods = addresses
    assert (status.get("hostIP"), status.get("podIP")) == (host, pod), about
    if pods is not None:
        assert [x["ip"] for x in status["podIPs"]] == pods
    assert ("hostIPs" in status) is (host is not None)


@pytest.mark.parametrize("could_run", [True, False])
def test_the_end_of_a_pod_is_held_back_while_its_containers_may_run_and_the_words_of_before_stay(
    could_run: bool,
) -> None:
    """lifecycle.md §1.4.5."""
    d = draft({"phase": "Running", "reason": "Before", "message": "still here"})
    made = {"phase": "Failed", "conditions": [], "reason": "Evicted", "message": "no room"}
    sent = for_api(d, made, could_run)
    expected = ("Running", "Before", "still here") if could_run else ("Failed", "Evicted", "no room")
    assert (sent["phase"], sent["reason"], sent["message"]) == expected


def test_before_the_first_status_there_is_nothing_to_probe_and_nothing_to_flip() -> None:
    d = draft({})
    assert shown_containers(d) == {}
    with_probe_result(d, "c", None, True)
    assert (d.status, d.status_out) == (None, None)


GATED = spec_from_json(
    {"containers": [{"name": "c"}], "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]}
)


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ({"a": "True", "b": "True"}, ""),
        (
            {"a": "True"},
            'corresponding condition of pod readiness gate "b" does not exist.',
        ),
        (
            {"a": "False"},
            'the status of pod readiness gate "a" is not "True", but False, '
            'corresponding condition of pod readiness gate "b" does not exist.',
        ),
    ],
)
def test_every_readiness_gate_must_be_true(present: dict[str, str], message: str) -> None:
    conditions = [{"type": kind, "status": status} for kind, status in present.items()]
    verdict = ready(GATED, (True, "", ""), conditions)
    assert verdict == ((False, "ReadinessGatesNotReady", message) if message else (True, "", ""))
