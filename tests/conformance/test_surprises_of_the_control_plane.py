"""The items of lifecycle.md §13 that are not the core's alone: what the API server, the controllers and kubectl's columns show."""

from datetime import timedelta

import pytest

from lifepod.api.table_pod import pod_status_text
from lifepod.api.writes import ApiError
from lifepod.assembly.simulated import SimulatedCluster

PODS, JOBS = "/api/v1/namespaces/default/pods", "/apis/batch/v1/namespaces/default/jobs"


def pod(name: str = "p", *command: str, **spec) -> dict:
    containers = [{"name": "c", "image": "busybox:1.36", "command": list(command or ("sleep", "1000"))}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def job(command: str, policy: str = "Never", **spec) -> dict:
    template = {"spec": pod("", "sh", "-c", command, restartPolicy=policy)["spec"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template, **spec}}


def after(sim: SimulatedCluster, seconds: float) -> SimulatedCluster:
    sim.advance(timedelta(seconds=seconds))
    return sim


def terminated(reason: str, code: int) -> dict:
    return {"terminated": {"reason": reason, "exitCode": code}}


def test_surprise_17_an_unscheduled_or_finished_pod_is_deleted_at_once_whatever_the_grace():
    sim = SimulatedCluster()
    sim.request("POST", PODS, pod("nowhere", nodeSelector={"no": "node"}))
    sim.request("POST", PODS, pod("done", "true", restartPolicy="Never"))
    after(sim, 5)
    for name in ("nowhere", "done"):
        sim.request("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 30})
        assert sim.get("pods", name) is None


def test_surprise_22_the_reason_of_a_pod_is_kept_until_its_phase_changes():
    sim = SimulatedCluster()
    gated = pod(schedulingGates=[{"name": "example.com/wait"}])
    gated["metadata"]["annotations"] = {"sim.lifepod.dev/c": "pull=slow=5s"}
    gated["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    sim.request("POST", PODS, gated)
    change = {"status": {"reason": "Somebody", "message": "said so"}}
    sim.request("PATCH", f"{PODS}/p/status", change, "application/merge-patch+json")
    sim.request("PATCH", f"{PODS}/p", {"spec": {"schedulingGates": None}}, "application/merge-patch+json")
    after(sim, 1)
    pending = sim.get("pods", "p")["status"]
    assert (pending["phase"], pending["reason"], pending["message"]) == ("Pending", "Somebody", "said so")
    after(sim, 10)
    running = sim.get("pods", "p")["status"]
    assert running["phase"] == "Running"
    assert "reason" not in running
    assert "message" not in running


def test_surprise_34_why_a_container_waits_stands_in_the_status():
    sim = SimulatedCluster()
    sim.request("POST", PODS, pod("p", "false"))
    after(sim, 5)
    (container,) = sim.get("pods", "p")["status"]["containerStatuses"]
    assert container["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=c")


@pytest.mark.parametrize(("policy", "failed", "starts"), [("Never", 4, 4), ("OnFailure", 1, 4)])
def test_surprise_38_a_job_fails_at_the_pod_after_the_limit_or_at_the_restart_of_it(policy, failed, starts):
    sim = SimulatedCluster()
    sim.request("POST", JOBS, job("exit 1", policy, backoffLimit=3))
    after(sim, 400)
    status = sim.get("jobs.batch", "j")["status"]
    assert status["failed"] == failed
    assert [c["type"] for c in status["conditions"]] == ["FailureTarget", "Failed"]
    started = [e for e in sim.cluster.list("events", "default") if e["reason"] == "Started"]
    assert sum(e.get("count", 1) for e in started) == starts


def test_surprise_40_deleting_a_pod_of_a_job_by_hand_counts_as_a_failure():
    sim = SimulatedCluster()
    sim.request("POST", JOBS, job("sleep 1000", backoffLimit=4))
    after(sim, 5)
    (first,) = sim.cluster.list("pods", "default")
    sim.request("DELETE", f"{PODS}/{first['metadata']['name']}", {"gracePeriodSeconds": 1})
    after(sim, 30)
    assert sim.get("jobs.batch", "j")["status"]["failed"] == 1
    (second,) = sim.cluster.list("pods", "default")
    assert second["metadata"]["name"] != first["metadata"]["name"]


def test_surprise_41_suspending_a_job_costs_no_failure_and_resets_its_start():
    sim = SimulatedCluster()
    sim.request("POST", JOBS, job("sleep 1000"))
    after(sim, 5)
    started = sim.get("jobs.batch", "j")["status"]["startTime"]
    for suspend in (True, False):
        sim.request("PATCH", f"{JOBS}/j", {"spec": {"suspend": suspend}}, "application/merge-patch+json")
        after(sim, 60)
    status = sim.get("jobs.batch", "j")["status"]
    assert status.get("failed", 0) == 0
    assert status["startTime"] > started


def test_surprise_42_the_verdict_comes_before_the_end():
    sim = SimulatedCluster()
    sim.request("POST", JOBS, job("exit 0"))
    after(sim, 10)
    conditions = sim.get("jobs.batch", "j")["status"]["conditions"]
    assert [c["type"] for c in conditions] == ["SuccessCriteriaMet", "Complete"]


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (terminated("Completed", 0), terminated("Error", 1), "Completed"),
        (terminated("Error", 1), terminated("Completed", 0), "Error"),
    ],
)
def test_surprise_45_of_two_ended_containers_the_first_by_name_is_shown_in_1_34(first, second, shown):
    statuses = [{"name": "a", "state": first}, {"name": "b", "state": second}]
    assert (
        pod_status_text({"metadata": {}, "spec": {}, "status": {"phase": "Failed", "containerStatuses": statuses}})
        == shown
    )


def test_surprise_51_a_containers_reason_hides_the_pods():
    evicted = {"phase": "Failed", "reason": "Evicted"}
    statuses = [{"name": "c", "state": terminated("Error", 137)}]
    assert (
        pod_status_text({"metadata": {}, "spec": {}, "status": {**evicted, "containerStatuses": statuses}}) == "Error"
    )
    assert pod_status_text({"metadata": {}, "spec": {}, "status": evicted}) == "Evicted"


def test_surprise_52_rules_of_a_containers_own_are_not_taken_in_silence_before_1_35():
    sim = SimulatedCluster()
    ruled = pod(restartPolicy="Never")
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    ruled["spec"]["containers"][0] |= {"restartPolicy": "Never", "restartPolicyRules": [rule]}
    with pytest.raises(ApiError) as refused:
        sim.request("POST", PODS, ruled)
    assert refused.value.code == 422
