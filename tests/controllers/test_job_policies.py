"""podFailurePolicy and successPolicy as tables; strays; pods beyond the range (lifecycle.md §10.5)."""

from __future__ import annotations

import pytest

from lifepod.controllers.job import JOB
from lifepod.controllers.job_policies import Verdict, fail_job_message, judge_failed_pod, success_rule_met


def failed(codes=None, init=None, conditions=(), phase="Failed"):
    def rows(found):
        return [{"name": name, "state": {"terminated": {"exitCode": code}}} for name, code in (found or {}).items()]

    status = {
        "phase": phase,
        "containerStatuses": rows(codes),
        "initContainerStatuses": rows(init),
        "conditions": [{"type": type_, "status": value} for type_, value in conditions],
    }
    return {"metadata": {"name": "p", "namespace": "ns"}, "status": status}


def with_rules(*rules):
    return {"spec": {"podFailurePolicy": {"rules": list(rules)}}}


def on_codes(operator, values, action="FailJob", container=None):
    rule = {"operator": operator, "values": values, **({"containerName": container} if container else {})}
    return {"action": action, "onExitCodes": rule}


def on_condition(type_, status="True", action="FailJob"):
    return {"action": action, "onPodConditions": [{"type": type_, "status": status}]}


CODE_TEXT = "Container main for pod ns/p failed with exit code 42 matching FailJob rule at index {}"


@pytest.mark.parametrize(
    ("rules", "pod", "verdict"),
    [
        ([], failed({"main": 42}), Verdict()),
        ([on_codes("In", [42])], failed({"main": 42}), Verdict(True, "FailJob", CODE_TEXT.format(0))),
        ([on_codes("In", [1, 2])], failed({"main": 42}), Verdict()),
        ([on_codes("NotIn", [1])], failed({"main": 42}), Verdict(True, "FailJob", CODE_TEXT.format(0))),
        ([on_codes("NotIn", [1])], failed({"main": 0}), Verdict()),
        ([on_codes("In", [42], container="other")], failed({"main": 42}), Verdict()),
        (
            [on_codes("In", [42], container="main")],
            failed({"a": 42, "main": 42}),
            Verdict(True, "FailJob", CODE_TEXT.format(0)),
        ),
        (
            [on_codes("In", [3])],
            failed({"main": 42}, {"setup": 3}),
            Verdict(
                True, "FailJob", "Container setup for pod ns/p failed with exit code 3 matching FailJob rule at index 0"
            ),
        ),
        (
            [on_codes("In", [42], "Ignore")],
            failed({"main": 42}, phase="Running"),
            Verdict(
                False, "Ignore", "Container main for pod ns/p failed with exit code 42 matching Ignore rule at index 0"
            ),
        ),
        (
            [on_codes("In", [9]), on_condition("DisruptionTarget", action="Ignore")],
            failed({"main": 42}, conditions=[("Ready", "False"), ("DisruptionTarget", "True")]),
            Verdict(False, "Ignore", "Pod ns/p has condition DisruptionTarget matching Ignore rule at index 1"),
        ),
        (
            [on_condition("DisruptionTarget")],
            failed({"main": 1}, conditions=[("DisruptionTarget", "False")]),
            Verdict(),
        ),
        (
            [on_condition("Config", "False", "FailIndex")],
            failed({"main": 1}, conditions=[("Config", "False")]),
            Verdict(True, "FailIndex", "Pod ns/p has condition Config matching FailIndex rule at index 0"),
        ),
        (
            [on_codes("In", [1], "Ignore"), on_codes("In", [1], "FailJob")],
            failed({"main": 1}),
            Verdict(
                False, "Ignore", "Container main for pod ns/p failed with exit code 1 matching Ignore rule at index 0"
            ),
        ),
        ([{"action": "Count"}], failed({"main": 1}), Verdict()),
    ],
)
def test_the_first_rule_that_matches_decides(rules, pod, verdict):
    job = with_rules(*rules) if rules else {"spec": {}}
    assert judge_failed_pod(job, pod) == verdict


@pytest.mark.parametrize(("phase", "fails"), [("Running", False), ("Failed", True)])
def test_only_a_pod_that_has_failed_fails_the_job(phase, fails):
    found = fail_job_message(with_rules(on_codes("In", [42])), [failed({"main": 42}, phase=phase)])
    assert (found is not None) is fails


@pytest.mark.parametrize(
    ("rules", "succeeded", "met"),
    [
        ([{"succeededIndexes": "0,2"}], {0, 2}, 0),
        ([{"succeededIndexes": "0,2"}], {0, 1}, None),
        ([{"succeededIndexes": "0-2", "succeededCount": 2}], {1, 2}, 0),
        ([{"succeededIndexes": "0-2", "succeededCount": 2}], {2, 3, 4}, None),
        ([{"succeededCount": 3}], {0, 1, 4}, 0),
        ([{"succeededCount": 3}], {0, 1}, None),
        ([{"succeededIndexes": "4"}, {"succeededCount": 1}], {0}, 1),
        ([], {0, 1, 2, 3, 4}, None),
    ],
)
def test_which_success_rule_is_met(rules, succeeded, met):
    job = {"spec": {"completions": 5, **({"successPolicy": {"rules": rules}} if rules else {})}}
    expected = None if met is None else f"Matched rules at index {met}"
    assert success_rule_met(job, frozenset(succeeded)) == expected


def job(**spec):
    selector = {"matchLabels": {"run": "j"}}
    template = {
        "metadata": {"labels": {"run": "j"}},
        "spec": {"containers": [{"name": "main"}], "restartPolicy": "Never"},
    }
    full = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "selector": selector, "template": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": full, "status": {}}


def test_a_stray_pod_that_matches_is_adopted_with_the_finalizer(cluster, make_pod):
    made = cluster.add(job())
    cluster.add(make_pod("stray", labels={"run": "j"}))
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    assert pod["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]


def test_a_pod_that_comes_later_is_adopted_and_the_one_too_many_deleted(cluster, make_pod):
    cluster.add(job())
    cluster.drive(JOB)
    cluster.add(make_pod("stray", labels={"run": "j"}))
    cluster.add(make_pod("foreign", labels={"run": "other"}))
    cluster.settle()
    assert len(cluster.list("pods")) == 2


def test_a_pod_that_no_longer_matches_is_released_with_its_finalizer(cluster):
    cluster.add(job())
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    cluster.change(pod, metadata={**pod["metadata"], "labels": {"run": "else"}})
    cluster.change(cluster.again(pod), status={"phase": "Running"})
    cluster.settle()
    left = cluster.again(pod)["metadata"]
    assert "ownerReferences" not in left
    assert "finalizers" not in left
    assert len(cluster.list("pods")) == 2


def test_a_job_managed_by_another_is_left_alone(cluster):
    cluster.add(job(managedBy="example.com/other"))
    cluster.drive(JOB)
    assert cluster.list("pods") == []


def test_an_orphaned_tracked_pod_loses_its_finalizer(cluster, make_pod):
    pod = make_pod("p")
    pod["metadata"]["finalizers"] = ["batch.kubernetes.io/job-tracking"]
    cluster.add(pod)
    cluster.drive(JOB)
    assert not cluster.list("pods")[0]["metadata"].get("finalizers")


def test_a_work_queue_is_done_when_one_succeeded_and_the_rest_ended(cluster):
    made = cluster.add(job(parallelism=3, completions=None))
    cluster.drive(JOB)
    first, *rest = cluster.list("pods")
    assert len(rest) == 2
    cluster.finish(first)
    cluster.settle()
    assert [c["type"] for c in cluster.again(made)["status"].get("conditions", [])] == []
    for pod in rest:
        cluster.finish(pod)
    cluster.run(2)
    assert [c["type"] for c in cluster.again(made)["status"]["conditions"]] == ["SuccessCriteriaMet", "Complete"]


def test_more_successes_than_wanted_are_told(cluster):
    made = cluster.add(job(parallelism=2, completions=2))
    cluster.drive(JOB)
    cluster.change(made, spec={**cluster.again(made)["spec"], "completions": 1})
    for pod in cluster.list("pods"):
        cluster.finish(pod)
    cluster.settle()
    reasons = [reason for _, reason, _ in cluster.events("j")]
    assert reasons[-2:] == ["TooManySucceededPods", "Completed"]


def test_too_many_failed_indexes_end_the_job(cluster):
    spec = {
        "completionMode": "Indexed",
        "backoffLimitPerIndex": 0,
        "maxFailedIndexes": 0,
        "parallelism": 3,
        "completions": 3,
    }
    made = cluster.add(job(backoffLimit=2147483647, **spec))
    cluster.drive(JOB)
    first, *_ = cluster.list("pods")
    cluster.finish(first, "Failed")
    cluster.run(2)
    reasons = {c["reason"] for c in cluster.again(made)["status"]["conditions"]}
    assert reasons == {"MaxFailedIndexesExceeded"}


def test_lowering_completions_takes_the_indexes_beyond_first(cluster):
    made = cluster.add(job(completionMode="Indexed", parallelism=3, completions=3))
    cluster.drive(JOB)
    cluster.change(made, spec={**cluster.again(made)["spec"], "completions": 2, "parallelism": 2})
    cluster.settle()
    labels = [p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for p in cluster.list("pods")]
    assert sorted(labels) == ["0", "1"]


def test_replacing_only_failed_pods_waits_for_the_end_of_those_that_go(cluster):
    made = cluster.add(job(completionMode="Indexed", podReplacementPolicy="Failed"))
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    going = {**pod["metadata"], "deletionTimestamp": "2025-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}
    cluster.change(pod, metadata=going)
    cluster.settle()
    assert len(cluster.list("pods")) == 1
    assert cluster.again(made)["status"]["terminating"] == 1
    cluster.finish(pod, "Failed")
    cluster.settle()
    cluster.run(60)
    assert any(not p["metadata"].get("deletionTimestamp") for p in cluster.list("pods"))
