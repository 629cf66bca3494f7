"""What a quota's status says is used."""

from __future__ import annotations

from lifepod.controllers.resource_quota import RESOURCE_QUOTA


def quota(**hard):
    metadata = {"name": "q", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}, "status": {}}


def test_used_follows_the_pods(cluster, make_pod):
    made = cluster.add(quota(**{"pods": "3", "requests.cpu": "2"}))
    cluster.drive(RESOURCE_QUOTA)
    assert cluster.again(made)["status"] == {
        "hard": {"pods": "3", "requests.cpu": "2"},
        "used": {"pods": "0", "requests.cpu": "0"},
    }
    first = cluster.add(make_pod("a", requests={"cpu": "500m"}))
    cluster.add(make_pod("b", requests={"cpu": "1"}))
    cluster.settle()
    assert cluster.again(made)["status"]["used"] == {"pods": "2", "requests.cpu": "1500m"}
    cluster.finish(first)
    cluster.settle()
    assert cluster.again(made)["status"]["used"] == {"pods": "1", "requests.cpu": "1"}
    cluster.delete(made)
    cluster.settle()
    assert cluster.again(made) is None
