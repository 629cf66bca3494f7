"""Silent and vanished nodes, NoExecute taints, and Jobs that expire (lifecycle.md §1.5, §3, §10.6, §13.43)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lifepod.api.objects import format_micro_time, format_time
from lifepod.controllers.node_lifecycle import NODE_LIFECYCLE
from lifepod.controllers.owner_gc import OWNER_GC
from lifepod.controllers.pod_gc import POD_GC
from lifepod.controllers.taint_eviction import TAINT_EVICTION
from lifepod.controllers.ttl_after_finished import TTL_AFTER_FINISHED

TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]


def beat(cluster, lease=None):
    spec = {"holderIdentity": "n1", "leaseDurationSeconds": 40, "renewTime": format_micro_time(cluster.now)}
    if lease is None:
        metadata = {"name": "n1", "namespace": "kube-node-lease"}
        return cluster.add(
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        )
    return cluster.change(lease, spec=spec)


@pytest.fixture
def silent(cluster, make_node, make_pod):
    """A node that was Ready with one Ready pod, and speaks no more; (node, pod, lease)."""
    node = make_node()
    moment = format_time(cluster.now)
    node["status"]["conditions"] = [
        {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment,
        }
    ]
    node = cluster.add(node)
    lease = beat(cluster)
    pod = cluster.add(make_pod(nodeName="n1", tolerations=TOLERATIONS))
    cluster.make_ready(pod)
    cluster.drive(NODE_LIFECYCLE, TAINT_EVICTION, POD_GC)
    return node, pod, lease


def ready(obj):
    return next(c for c in obj["status"]["conditions"] if c["type"] == "Ready")


def test_a_node_that_beats_stays_ready(cluster, silent):
    node, _, lease = silent
    for _ in range(12):
        cluster.run(10)
        beat(cluster, lease)
    assert ready(cluster.again(node))["status"] == "True"
    assert "taints" not in cluster.again(node)["spec"]


def test_a_silent_node_is_unknown_and_its_pods_are_not_ready_after_fifty_seconds(cluster, silent):
    node, pod, _ = silent
    cluster.run(49)
    assert ready(cluster.again(node))["status"] == "True"
    cluster.run(1)
    now = cluster.again(node)
    assert ready(now)["status"] == "Unknown"
    assert (ready(now)["reason"], ready(now)["message"]) == (
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
    )
    assert {(t["key"], t["effect"]) for t in now["spec"]["taints"]} == {
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    }
    told = cluster.again(pod)
    assert ready(told)["status"] == "False"
    assert told["status"]["phase"] == "Running"
    assert ("p", "NodeNotReady", "Node is not ready") in cluster.events("p")


def test_the_pod_is_deleted_when_its_toleration_is_over(cluster, silent):
    _, pod, _ = silent
    cluster.run(349)
    assert "deletionTimestamp" not in cluster.again(pod)["metadata"]
    cluster.run(1)
    gone = cluster.again(pod)
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
    target = next(c for c in gone["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert (target["reason"], target["message"]) == (
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint",
    )
    assert cluster.events("p")[-1] == ("p", "TaintManagerEviction", "Marking for deletion Pod default/p")


def test_a_node_that_comes_back_in_time_keeps_its_pods(cluster, silent):
    node, pod, lease = silent
    cluster.run(100)
    moment = format_time(cluster.now)
    condition = {**ready(cluster.again(node)), "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": moment}
    beat(cluster, lease)
    cluster.change(node, status={**node["status"], "conditions": [condition]})
    for _ in range(40):
        cluster.run(10)
        beat(cluster, lease)
    assert cluster.again(node)["spec"].get("taints") in (None, [])
    assert "deletionTimestamp" not in cluster.again(pod)["metadata"]
    assert cluster.events("p")[-1] == ("p", "TaintManagerEviction", "Cancelling deletion of Pod default/p")


def test_a_pod_without_toleration_goes_at_once(cluster, make_node, make_pod):
    pod = cluster.add(make_pod(nodeName="n1"))
    node = cluster.add(make_node())
    cluster.drive(TAINT_EVICTION)
    cluster.change(node, spec={"taints": [{"key": "x", "effect": "NoExecute"}]})
    cluster.settle()
    assert "deletionTimestamp" in cluster.again(pod)["metadata"]


def test_a_cordoned_node_gets_its_taint_and_loses_it(cluster, make_node):
    node = make_node(unschedulable=True)
    node["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    node = cluster.add(node)
    cluster.drive(NODE_LIFECYCLE)
    assert [t["key"] for t in cluster.again(node)["spec"]["taints"]] == ["node.kubernetes.io/unschedulable"]
    cluster.change(node, spec={**cluster.again(node)["spec"], "unschedulable": False})
    cluster.settle()
    assert cluster.again(node)["spec"].get("taints") in (None, [])


def test_pods_of_a_node_that_is_gone_fail_and_are_removed(cluster, make_node, make_pod):
    node = cluster.add(make_node())
    pod = cluster.add(make_pod(nodeName="n1"))
    cluster.drive(POD_GC)
    cluster.delete(node)
    cluster.run(39)
    assert cluster.again(pod) is not None
    cluster.log.clear()
    cluster.run(2)
    patch, delete = cluster.log
    assert patch.body["status"]["phase"] == "Failed"
    assert patch.body["status"]["conditions"][0]["message"] == "PodGC: node no longer exists"
    assert delete.body["gracePeriodSeconds"] == 0
    assert cluster.again(pod) is None


def test_a_finished_job_with_a_ttl_goes_with_its_pods(cluster, make_pod):
    ended = {
        "type": "Complete",
        "status": "True",
        "lastTransitionTime": format_time(cluster.now + timedelta(seconds=5)),
    }
    job = cluster.add(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "j"},
            "spec": {"ttlSecondsAfterFinished": 60},
            "status": {"conditions": [ended]},
        }
    )
    pod = make_pod()
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": job["metadata"]["uid"]}
    pod["metadata"]["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    pod = cluster.add(pod)
    cluster.drive(TTL_AFTER_FINISHED, OWNER_GC)
    cluster.run(64)
    assert cluster.again(job) is not None
    cluster.run(1)
    assert cluster.again(job) is None
    assert cluster.again(pod) is None


@pytest.mark.parametrize(
    ("about", "conditions", "taints"),
    [
        ("all is well", {"Ready": "True", "MemoryPressure": "False"}, set()),
        ("memory is short", {"Ready": "True", "MemoryPressure": "True"}, {("memory-pressure", "NoSchedule")}),
        (
            "not ready and no network",
            {"Ready": "False", "NetworkUnavailable": "True"},
            {("not-ready", "NoSchedule"), ("not-ready", "NoExecute"), ("network-unavailable", "NoSchedule")},
        ),
    ],
)
def test_taints_follow_the_conditions_of_a_node(cluster, make_node, about, conditions, taints):
    node = make_node(taints=[{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}])
    moment = format_time(cluster.now)
    node["status"]["conditions"] = [
        {"type": kind, "status": status, "lastHeartbeatTime": moment, "lastTransitionTime": moment}
        for kind, status in conditions.items()
    ]
    node = cluster.add(node)
    cluster.drive(NODE_LIFECYCLE)
    found = cluster.again(node)["spec"].get("taints") or []
    assert {(t["key"].removeprefix("node.kubernetes.io/"), t["effect"]) for t in found} == taints, about


def test_a_node_that_has_not_spoken_yet_keeps_its_taints(cluster, make_node):
    given = [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    node = cluster.add(make_node(taints=given))
    cluster.drive(NODE_LIFECYCLE)
    assert cluster.again(node)["spec"]["taints"] == given


def going(cluster, pod):
    metadata = {**cluster.again(pod)["metadata"], "deletionTimestamp": "2025-01-01T00:00:30Z", "finalizers": ["x/hold"]}
    cluster.change(pod, metadata=metadata)
    cluster.settle()


def test_a_pod_without_a_node_that_is_to_go_has_failed(cluster, make_pod):
    pod = cluster.add(make_pod())
    cluster.drive(POD_GC)
    going(cluster, pod)
    assert cluster.again(pod)["status"]["phase"] == "Failed"


@pytest.mark.parametrize(
    ("taint", "status", "is_removed"),
    [
        ("node.kubernetes.io/out-of-service", "Unknown", True),
        ("node.kubernetes.io/out-of-service", "True", False),
        ("other", "Unknown", False),
    ],
)
def test_pods_that_are_to_go_leave_a_node_that_is_out_of_service(
    cluster, make_node, make_pod, taint, status, is_removed
):
    node = make_node()
    node["status"]["conditions"] = [{"type": "Ready", "status": status}]
    node = cluster.add(node)
    pod, stays = cluster.add(make_pod(nodeName="n1")), cluster.add(make_pod("q", nodeName="n1"))
    cluster.drive(POD_GC)
    going(cluster, pod)
    assert cluster.again(pod)["status"]["phase"] != "Failed"
    cluster.log.clear()
    cluster.change(node, spec={"taints": [{"key": taint, "effect": "NoExecute"}]})
    cluster.settle()
    assert (cluster.again(pod)["status"]["phase"] == "Failed") is is_removed
    deletions = [w.name for w in cluster.log if w.verb == "delete"]
    assert deletions == ([pod["metadata"]["name"]] if is_removed else [])
    assert cluster.again(stays)["status"]["phase"] != "Failed"
