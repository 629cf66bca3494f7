"""Stories of Jobs in virtual time, with pods that end when told (lifecycle.md §10)."""

from __future__ import annotations

import pytest

from lifepod.api.writes import ApiError
from lifepod.controllers.job import JOB
from lifepod.controllers.job_pods import finish_time

LABELS = {"batch.kubernetes.io/controller-uid": "j"}


def job(name="j", template=None, **spec):
    spec = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        **spec,
    }
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1.36"}], **(template or {})}
    spec["template"] = {"metadata": {"labels": LABELS}, "spec": pod}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec, "status": {}}


def conditions(obj):
    return [(c["type"], c["status"], c["reason"]) for c in obj["status"].get("conditions", [])]


def live(cluster):
    return [p for p in cluster.list("pods") if p["status"]["phase"] not in ("Succeeded", "Failed")]


def test_a_job_makes_a_tracked_pod_and_says_so(cluster):
    made = cluster.add(job())
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert pod["metadata"]["generateName"] == "j-"
    assert pod["metadata"]["ownerReferences"][0]["controller"] is True
    status = cluster.again(made)["status"]
    assert status == {
        "startTime": "2025-01-01T00:00:00Z",
        "active": 1,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    assert cluster.events("j") == [("j", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")]


def test_success_is_announced_then_counted_then_complete(cluster):
    made = cluster.add(job())
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    cluster.log.clear()
    cluster.finish(pod)
    cluster.settle()
    statuses = [w.body["status"] for w in cluster.log if w.subresource == "status"]
    assert [[c["type"] for c in s["conditions"]] for s in statuses] == [
        ["SuccessCriteriaMet"],
        ["SuccessCriteriaMet", "Complete"],
    ]
    assert statuses[0]["uncountedTerminatedPods"] == {"succeeded": [pod["metadata"]["uid"]]}
    final = cluster.again(made)["status"]
    assert final["succeeded"] == 1
    assert final["uncountedTerminatedPods"] == {}
    assert final["completionTime"] == "2025-01-01T00:00:00Z"
    assert "active" not in final
    assert "finalizers" not in cluster.again(pod)["metadata"]
    assert cluster.events("j")[-1] == ("j", "Completed", "Job completed")


def test_backoff_limit_one_makes_a_second_pod_after_ten_seconds_and_then_fails(cluster):
    made = cluster.add(job(backoffLimit=1))
    cluster.drive(JOB)
    cluster.run(1)
    cluster.finish(cluster.list("pods")[0], "Failed")
    cluster.run(9)
    assert len(cluster.list("pods")) == 1
    cluster.run(1)
    assert len(cluster.list("pods")) == 2
    cluster.finish(live(cluster)[0], "Failed")
    cluster.run(1)
    final = cluster.again(made)
    assert conditions(final) == [
        ("FailureTarget", "True", "BackoffLimitExceeded"),
        ("Failed", "True", "BackoffLimitExceeded"),
    ]
    assert final["status"]["failed"] == 2
    assert "completionTime" not in final["status"]
    assert cluster.events("j")[-1] == ("j", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


def test_retries_are_ten_twenty_forty_seconds_apart(cluster):
    cluster.add(job(backoffLimit=10))
    cluster.drive(JOB)
    gaps = []
    for _ in range(4):
        cluster.finish(live(cluster)[0], "Failed")
        before = cluster.now
        while not live(cluster):
            cluster.run(1)
        gaps.append((cluster.now - before).total_seconds())
    assert gaps == [10, 20, 40, 80]


def test_a_deadline_stops_the_pods_and_waits_for_them(cluster):
    made = cluster.add(job(activeDeadlineSeconds=4, template={"nodeName": "n", "terminationGracePeriodSeconds": 1}))
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    cluster.run(4)
    assert conditions(cluster.again(made)) == [("FailureTarget", "True", "DeadlineExceeded")]
    assert cluster.again(made)["status"]["terminating"] == 1
    assert ("j", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}") in cluster.events("j")
    cluster.finish(pod, "Failed", 137)
    cluster.delete(pod)
    cluster.run(1)
    final = cluster.again(made)
    assert conditions(final)[-1] == ("Failed", "True", "DeadlineExceeded")
    assert final["status"]["failed"] == 1


def test_completions_are_worked_off_with_the_parallelism_asked_for(cluster):
    made = cluster.add(job(completions=3, parallelism=2))
    cluster.drive(JOB)
    assert len(live(cluster)) == 2
    for pod in live(cluster):
        cluster.finish(pod)
    cluster.settle()
    assert len(live(cluster)) == 1
    cluster.finish(live(cluster)[0])
    cluster.settle()
    assert cluster.again(made)["status"]["succeeded"] == 3
    assert conditions(cluster.again(made))[-1][0] == "Complete"


def test_raising_parallelism_makes_more_pods_and_lowering_deletes_without_counting(cluster):
    made = cluster.add(job(completions=5, parallelism=1))
    cluster.drive(JOB)
    made = cluster.change(made, spec={**made["spec"], "parallelism": 3})
    cluster.settle()
    assert len(live(cluster)) == 3
    cluster.change(made, spec={**made["spec"], "parallelism": 1})
    cluster.settle()
    assert len(cluster.list("pods")) == 1
    assert "failed" not in cluster.again(made)["status"]


def test_an_indexed_job_gives_each_pod_its_index(cluster):
    made = cluster.add(job(completions=3, parallelism=3, completionMode="Indexed"))
    cluster.drive(JOB)
    pods = cluster.list("pods")
    indexes = [p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for p in pods]
    assert indexes == ["0", "1", "2"]
    assert [p["spec"]["hostname"] for p in pods] == ["j-0", "j-1", "j-2"]
    assert pods[1]["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "1"
    assert pods[0]["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    for pod in pods:
        cluster.finish(pod)
    cluster.settle()
    assert cluster.again(made)["status"]["completedIndexes"] == "0-2"
    assert cluster.again(made)["status"]["succeeded"] == 3


def test_a_limit_per_index_fails_that_index_and_at_the_end_the_job(cluster):
    made = cluster.add(
        job(completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=1, backoffLimit=2147483647)
    )
    cluster.drive(JOB)
    first, second = cluster.list("pods")
    cluster.finish(second)
    cluster.finish(first, "Failed")
    cluster.run(10)
    (again,) = live(cluster)
    assert again["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] == "1"
    cluster.finish(again, "Failed")
    cluster.run(1)
    final = cluster.again(made)
    assert final["status"]["failedIndexes"] == "0"
    assert final["status"]["completedIndexes"] == "1"
    assert conditions(final)[-1] == ("Failed", "True", "FailedIndexes")
    assert final["status"]["failed"] == 2


@pytest.mark.parametrize(
    ("action", "reason"), [("FailJob", "PodFailurePolicy"), ("Ignore", None), ("Count", "BackoffLimitExceeded")]
)
def test_a_failure_policy_decides_what_an_exit_code_means(cluster, action, reason):
    rule = {"action": action, "onExitCodes": {"operator": "In", "values": [42]}}
    made = cluster.add(job(backoffLimit=0, podFailurePolicy={"rules": [rule]}, podReplacementPolicy="Failed"))
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    cluster.finish(pod, "Failed", 42)
    cluster.run(11)
    found = conditions(cluster.again(made))
    assert (found[-1][2] if found else None) == reason
    if action == "FailJob":
        assert cluster.again(made)["status"]["conditions"][0]["message"] == (
            f"Container main for pod default/{pod['metadata']['name']} failed with exit code 42 matching FailJob rule at index 0"
        )
    if action == "Ignore":
        assert "failed" not in cluster.again(made)["status"]
        assert len(live(cluster)) == 1


def test_a_success_policy_ends_the_job_and_does_not_count_the_rest_as_failed(cluster):
    policy = {"rules": [{"succeededIndexes": "0"}]}
    made = cluster.add(job(completions=3, parallelism=3, completionMode="Indexed", successPolicy=policy))
    cluster.drive(JOB)
    cluster.finish(cluster.list("pods")[0])
    cluster.run(2)
    final = cluster.again(made)
    assert conditions(final) == [("SuccessCriteriaMet", "True", "SuccessPolicy"), ("Complete", "True", "SuccessPolicy")]
    assert "failed" not in final["status"]
    assert len(cluster.list("pods")) == 1


def test_pods_that_fail_within_a_second_are_counted_together(cluster):
    """lifecycle.md §10.2: the second is no active pod that is deleted because of the first."""
    made = cluster.add(job(completions=2, parallelism=2, backoffLimit=0))
    cluster.drive(JOB)
    first, second = cluster.list("pods")
    cluster.finish(first, "Failed")
    cluster.run(0.5)
    assert conditions(cluster.again(made)) == []
    cluster.finish(second, "Failed")
    cluster.run(2)
    final = cluster.again(made)
    assert final["status"]["failed"] == 2
    assert conditions(final)[-1] == ("Failed", "True", "BackoffLimitExceeded")
    assert "SuccessfulDelete" not in [e[1] for e in cluster.events("j")]


def test_a_pod_that_ends_alone_is_counted_at_once(cluster):
    made = cluster.add(job())
    cluster.drive(JOB)
    cluster.finish(cluster.list("pods")[0])
    cluster.settle()
    assert conditions(cluster.again(made))[-1] == ("Complete", "True", "CompletionsReached")


def test_a_change_of_the_job_does_not_wait_for_pods_that_may_end_together(cluster):
    made = cluster.add(job(completions=2, parallelism=2))
    cluster.drive(JOB)
    cluster.finish(cluster.list("pods")[0])
    cluster.settle()
    made = cluster.again(made)
    cluster.change(made, spec={**made["spec"], "suspend": True}, metadata={**made["metadata"], "generation": 2})
    cluster.settle()
    assert conditions(cluster.again(made)) == [("Suspended", "True", "JobSuspended")]


def test_suspending_deletes_the_pods_without_failures_and_resuming_starts_the_clock_anew(cluster):
    made = cluster.add(job(backoffLimit=0))
    cluster.drive(JOB)
    made = cluster.change(made, spec={**made["spec"], "suspend": True})
    cluster.run(5)
    assert cluster.list("pods") == []
    assert conditions(cluster.again(made)) == [("Suspended", "True", "JobSuspended")]
    cluster.change(made, spec={**made["spec"], "suspend": False})
    cluster.settle()
    resumed = cluster.again(made)
    assert conditions(resumed) == [("Suspended", "False", "JobResumed")]
    assert resumed["status"]["startTime"] == "2025-01-01T00:00:05Z"
    assert len(live(cluster)) == 1
    assert [e[1] for e in cluster.events("j")].count("Resumed") == 1


def test_a_pod_deleted_by_hand_counts_as_a_failure_and_is_replaced_after_the_backoff(cluster):
    made = cluster.add(job(template={"nodeName": "n"}))
    cluster.drive(JOB)
    cluster.delete(cluster.list("pods")[0], grace=30)
    cluster.run(9)
    assert cluster.again(made)["status"]["failed"] == 1
    cluster.run(25)
    assert len(live(cluster)) == 2  # one is still terminating


def test_on_failure_the_restarts_of_the_pods_are_what_is_limited(cluster):
    made = cluster.add(job(backoffLimit=3, template={"restartPolicy": "OnFailure"}))
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 3}]}
    cluster.change(pod, status=status)
    cluster.run(1.9)
    assert conditions(cluster.again(made)) == []  # the container may end by itself first (lifecycle.md §10.2)
    cluster.run(0.2)
    final = cluster.again(made)
    assert conditions(final)[-1] == ("Failed", "True", "BackoffLimitExceeded")
    assert final["status"]["failed"] == 1


def test_pods_of_a_job_that_is_gone_lose_their_finalizer(cluster):
    made = cluster.add(job())
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    cluster.delete(made)
    cluster.settle()
    assert "finalizers" not in cluster.again(pod)["metadata"]


def test_a_refused_pod_is_told_and_tried_again(cluster):
    made = cluster.add(job())
    cluster.refuse = lambda w: (
        ApiError({"code": 403, "reason": "Forbidden", "message": "exceeded quota"}) if w.resource == "pods" else None
    )
    cluster.drive(JOB)
    cluster.run(0.1)
    assert cluster.events("j")[0] == ("j", "FailedCreate", "Error creating: exceeded quota")
    cluster.refuse = lambda w: None
    cluster.run(5)
    assert len(live(cluster)) == 1
    assert cluster.again(made)["status"]["active"] == 1


def test_a_job_that_is_being_deleted_lets_its_pods_go_and_makes_no_more(cluster):
    obj = job(completions=2)
    obj["metadata"]["finalizers"] = ["x/hold"]
    made = cluster.add(obj)
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    cluster.delete(made)
    cluster.settle()
    assert not cluster.again(pod)["metadata"].get("finalizers")
    cluster.finish(pod, "Failed")
    cluster.run(60)
    assert [p["metadata"]["name"] for p in cluster.list("pods")] == [pod["metadata"]["name"]]


def test_a_job_suspended_from_the_start_has_not_begun(cluster):
    made = cluster.add(job(suspend=True))
    cluster.drive(JOB)
    assert "startTime" not in cluster.again(made)["status"]
    cluster.change(made, spec={**made["spec"], "suspend": False})
    cluster.settle()
    assert "startTime" in cluster.again(made)["status"]


def indexed(**spec):
    spec = {"completions": 3, "parallelism": 1, "completionMode": "Indexed", **spec}
    return job(backoffLimitPerIndex=2, backoffLimit=2147483647, **spec)


def test_an_index_that_is_held_back_keeps_its_place(cluster):
    made = cluster.add(indexed())
    cluster.drive(JOB)
    cluster.finish(live(cluster)[0], "Failed")
    cluster.run(9)
    assert live(cluster) == []  # index 1 does not overtake index 0
    assert "active" not in cluster.again(made)["status"]
    cluster.run(1)
    (pod,) = live(cluster)
    assert pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "0"


def test_while_a_replacement_is_held_back_no_pod_is_called_active(cluster):
    made = cluster.add(job(completions=2, parallelism=2))
    cluster.drive(JOB)
    cluster.finish(live(cluster)[0], "Failed")
    cluster.run(2)
    assert len(live(cluster)) == 1
    assert "active" not in cluster.again(made)["status"]
    cluster.run(10)
    assert cluster.again(made)["status"]["active"] == 2


def test_an_indexed_pod_has_the_index_in_hostname_and_name_whatever_the_template_and_the_length(cluster):
    name = "a-name-of-sixty-three-characters-which-is-the-most-that-may-be0"
    obj = indexed(parallelism=3, template={"hostname": "mine"})
    obj["metadata"]["name"] = name
    cluster.add(obj)
    cluster.drive(JOB)
    pod = cluster.list("pods")[1]
    assert pod["spec"]["hostname"] == f"{name}-1"
    assert pod["metadata"]["generateName"] == name[:55] + "-1-"


def test_a_suspended_job_that_has_its_completions_is_complete(cluster):
    made = cluster.add(job(completions=0, suspend=True))
    cluster.drive(JOB)
    assert conditions(cluster.again(made))[-1] == ("Complete", "True", "CompletionsReached")


def test_pods_stopped_by_suspending_are_no_longer_ready(cluster):
    made = cluster.add(job(template={"nodeName": "n", "terminationGracePeriodSeconds": 30}))
    cluster.drive(JOB)
    (pod,) = cluster.list("pods")
    ready = [{"type": "Ready", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"}]
    cluster.change(pod, status={"phase": "Running", "conditions": ready})
    cluster.settle()
    assert cluster.again(made)["status"]["ready"] == 1
    cluster.log.clear()
    cluster.change(cluster.again(made), spec={**made["spec"], "suspend": True})
    cluster.settle()
    first = next(w.body["status"] for w in cluster.log if w.subresource == "status")
    assert (first["ready"], first["terminating"], first.get("active")) == (0, 1, None)


def test_a_sidecars_end_is_the_end_of_its_pod():
    def status(name, at):
        return {"name": name, "state": {"terminated": {"finishedAt": f"2025-01-01T00:00:{at:02}Z"}}}

    pod = {
        "metadata": {"creationTimestamp": "2025-01-01T00:00:00Z"},
        "spec": {"initContainers": [{"name": "first"}, {"name": "side", "restartPolicy": "Always"}]},
        "status": {
            "containerStatuses": [status("main", 5)],
            "initContainerStatuses": [status("first", 59), status("side", 7)],
        },
    }
    assert finish_time(pod).second == 7
