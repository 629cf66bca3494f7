"""When a run is over and which exit code it has."""

import pytest

from lifepod.diagnosis.run_end import BadUntil, Until, ending, until_from


def pod(name, phase, *codes, ready=False, owner=None, reason=None, at="2025-01-01T00:00:0"):
    statuses = [
        {"name": f"c{i}", "state": {"terminated": {"exitCode": code, "finishedAt": f"{at}{i}Z"}}}
        for i, code in enumerate(codes)
    ]
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    meta = {"name": name, "ownerReferences": [{"uid": owner}] if owner else []}
    status = {"phase": phase, "containerStatuses": statuses, "conditions": conditions}
    return {"metadata": meta, "status": {**status, "reason": reason} if reason else status}


def job(name, end=None, reason="BackoffLimitExceeded"):
    conditions = [{"type": end, "status": "True", "reason": reason}] if end else []
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("pods", "jobs", "made", "code"),
    [
        ([pod("a", "Running")], [], [], None),
        ([pod("a", "Succeeded", 0), pod("b", "Running")], [], [], None),
        ([pod("a", "Succeeded", 0)], [], [], 0),
        ([pod("a", "Failed", 3)], [], [], 3),
        ([pod("a", "Failed", 0, 7)], [], [], 7),
        ([pod("a", "Failed", 5, at="2025-01-01T00:00:3"), pod("b", "Failed", 4)], [], [], 4),
        ([pod("a", "Failed", 137, reason="DeadlineExceeded")], [], [], 1),
        ([pod("a", "Failed", reason="Evicted")], [], [], 1),
        ([], [job("j")], [], None),
        (
            [],
            [job("j", "Complete")],
            [pod("j-1", "Failed", 9, owner="uid-j"), pod("j-2", "Succeeded", 0, owner="uid-j")],
            0,
        ),
        ([], [job("j", "Failed")], [pod("j-1", "Failed", 9, owner="uid-j")], 9),
        ([], [job("j", "Failed", "DeadlineExceeded")], [], 1),
        ([pod("a", "Succeeded", 0)], [job("j")], [], None),
    ],
)
def test_a_run_ends_when_all_has_ended_with_the_code_of_the_first_failure(pods, jobs, made, code):
    end = ending(None, pods, jobs, [*pods, *made])
    assert (end and end.exit_code) == code


def test_what_never_ends_by_itself_keeps_the_run_going():
    assert ending(None, [], [], [], keeps_running=True) is None
    assert ending(None, [], [], []).exit_code == 0


@pytest.mark.parametrize(
    ("until", "pods", "jobs", "made", "code"),
    [
        ("Ready", [pod("a", "Running", ready=True)], [], [], 0),
        ("Ready", [pod("a", "Running", ready=True), pod("b", "Pending")], [], [], None),
        ("Ready", [pod("a", "Succeeded", 0)], [], [], 1),
        ("Ready", [pod("a", "Failed", 6)], [], [], 6),
        ("Ready", [], [], [pod("d-1", "Running", ready=True)], 0),
        ("Ready", [], [], [], None),
        ("Complete", [], [job("j", "Complete")], [], 0),
        ("Complete", [], [job("j", "Failed")], [pod("j-1", "Failed", 2, owner="uid-j")], 2),
        ("jsonpath={.status.phase}=Running", [pod("a", "Running")], [], [], 0),
        ("jsonpath={.status.phase}=Running", [pod("a", "Pending")], [], [], None),
        ("jsonpath='{.status.containerStatuses[0].name}'", [pod("a", "Running", 0)], [], [], 0),
    ],
)
def test_until_ends_a_run_when_it_holds_or_cannot_hold_any_more(until, pods, jobs, made, code):
    end = ending(until_from(until), pods, jobs, [*pods, *made])
    assert (end.exit_code if end else None) == code


def test_until_is_read_as_kubectl_wait_would():
    assert until_from("ready") == Until("Ready")
    assert until_from("jsonpath={.status.conditions[0].type}=X") == Until(
        "jsonpath", ("status", "conditions", 0, "type"), "X"
    )
    with pytest.raises(BadUntil, match="none of Ready"):
        until_from("sometime")
