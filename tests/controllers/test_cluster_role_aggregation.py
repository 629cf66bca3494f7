"""A ClusterRole that gathers others follows them: what is added, changed, and taken away."""

from __future__ import annotations

from lifepod.controllers.cluster_role_aggregation import CLUSTER_ROLE_AGGREGATION

ROLES = "clusterroles.rbac.authorization.k8s.io"


def rules(*verbs):
    return [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]} for verb in verbs]


def role(name, *verbs, part_of="", gathers=""):
    labels = {part_of: "true"} if part_of else {}
    made = {"metadata": {"name": name, "labels": labels}, "rules": rules(*verbs) or None}
    if gathers:
        made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {gathers: "true"}}]}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", **made}


def test_a_role_follows_those_it_gathers_however_far_up(cluster):
    cluster.drive(CLUSTER_ROLE_AGGREGATION)
    cluster.add(role("top", gathers="to-top"))
    cluster.add(role("middle", part_of="to-top", gathers="to-middle"))
    part = cluster.add(role("part", "get", part_of="to-middle"))
    cluster.add(role("other", "delete"))
    cluster.settle()
    assert cluster.get(ROLES, "", "top")["rules"] == rules("get")

    cluster.change(part, rules=rules("list", "watch"))
    cluster.settle()
    assert cluster.get(ROLES, "", "top")["rules"] == rules("list", "watch")

    cluster.delete(cluster.get(ROLES, "", "part"))
    cluster.settle()
    assert cluster.get(ROLES, "", "middle")["rules"] == cluster.get(ROLES, "", "top")["rules"] == []


def test_what_somebody_writes_into_a_gathering_role_goes_and_looking_again_changes_nothing(cluster):
    cluster.drive(CLUSTER_ROLE_AGGREGATION)
    cluster.add(role("top", "delete", gathers="to-top"))
    cluster.add(role("part", "get", part_of="to-top"))
    cluster.settle()
    assert cluster.get(ROLES, "", "top")["rules"] == rules("get")
    written = len(cluster.log)
    cluster.change(cluster.get(ROLES, "", "top"), rules=rules("get"))
    cluster.settle()
    assert len(cluster.log) == written
