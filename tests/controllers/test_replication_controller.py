"""ReplicationControllers do what ReplicaSets do, with a plain map for a selector."""

from __future__ import annotations

from lifepod.controllers.replica_set import REPLICATION_CONTROLLER


def replication_controller(replicas):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "i"}]}}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"app": "web"}, "template": template},
        "status": {"replicas": 0},
    }


def test_pods_are_made_counted_and_taken_away(cluster):
    made = cluster.add(replication_controller(2))
    cluster.drive(REPLICATION_CONTROLLER)
    pods = cluster.list("pods")
    assert [pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods] == ["ReplicationController"] * 2
    for pod in pods:
        cluster.make_ready(pod)
    cluster.settle()
    status = cluster.again(made)["status"]
    assert (status["replicas"], status["fullyLabeledReplicas"], status["readyReplicas"]) == (2, 2, 2)
    cluster.change(cluster.again(made), spec={**made["spec"], "replicas": 0})
    cluster.settle()
    assert cluster.list("pods") == []


def test_only_pods_that_the_selector_names_are_adopted(cluster, make_pod):
    for name in ("web", "other"):
        cluster.add(make_pod(name, {"app": name}))
    cluster.add(replication_controller(1))
    cluster.drive(REPLICATION_CONTROLLER)
    owned = [pod["metadata"]["name"] for pod in cluster.list("pods") if pod["metadata"].get("ownerReferences")]
    assert owned == ["web"]
