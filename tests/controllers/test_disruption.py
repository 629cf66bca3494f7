"""PodDisruptionBudgets: what may be evicted, as upstream's disruption_test.go has it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lifepod.api.objects import format_time
from lifepod.controllers.disruption import DISRUPTION, selector_text


def budget(selector=None, **spec):
    wanted = {"selector": {"matchLabels": {"app": "x"}} if selector is None else selector, **spec}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b"},
        "spec": wanted,
        "status": {},
    }


def owner(cluster, kind="ReplicaSet", replicas=4, name="rs", above=None):
    references = [above] if above else []
    metadata = {"name": name, "ownerReferences": references}
    made = cluster.add({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": replicas}})
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": made["metadata"]["uid"], "controller": True}


def pods(cluster, make_pod, count, ready=True, reference=None):
    made = []
    for i in range(count):
        pod = make_pod(f"p{i}", labels={"app": "x"})
        if reference:
            pod["metadata"]["ownerReferences"] = [reference]
        made.append(cluster.make_ready(cluster.add(pod), ready=ready))
    return made


def counts(cluster, made):
    status = cluster.again(made)["status"]
    names = ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed")
    return tuple(status[name] for name in names)


@pytest.mark.parametrize(
    ("spec", "scale", "expected"),
    [
        ({"minAvailable": 2}, 4, (3, 2, 3, 1)),
        ({"minAvailable": 3}, 4, (3, 3, 3, 0)),
        ({"minAvailable": "50%"}, 4, (3, 2, 4, 1)),
        ({"minAvailable": "51%"}, 4, (3, 3, 4, 0)),
        ({"maxUnavailable": 1}, 4, (3, 3, 4, 0)),
        ({"maxUnavailable": 2}, 4, (3, 2, 4, 1)),
        ({"maxUnavailable": "30%"}, 4, (3, 2, 4, 1)),
        ({"maxUnavailable": 9}, 4, (3, 0, 4, 3)),
        ({}, 4, (3, 0, 0, 0)),
    ],
)
def test_how_many_may_go(cluster, make_pod, spec, scale, expected):
    made = cluster.add(budget(**spec))
    pods(cluster, make_pod, 3, reference=owner(cluster, replicas=scale))
    cluster.drive(DISRUPTION)
    assert counts(cluster, made) == expected
    (condition,) = cluster.again(made)["status"]["conditions"]
    enough = expected[3] > 0
    assert (condition["status"], condition["reason"]) == (
        ("True", "SufficientPods") if enough else ("False", "InsufficientPods")
    )


def test_a_replica_sets_scale_is_its_deployments(cluster, make_pod):
    made = cluster.add(budget(maxUnavailable=1))
    deployment = owner(cluster, "Deployment", 6, "d")
    pods(cluster, make_pod, 3, reference=owner(cluster, replicas=3, above=deployment))
    cluster.drive(DISRUPTION)
    assert counts(cluster, made)[2] == 6


def test_pods_that_are_not_ready_or_are_going_are_not_healthy(cluster, make_pod):
    made = cluster.add(budget(minAvailable=1))
    first, second, _ = pods(cluster, make_pod, 3)
    cluster.drive(DISRUPTION)
    assert counts(cluster, made) == (3, 1, 3, 2)
    cluster.make_ready(first, ready=False)
    metadata = {**cluster.again(second)["metadata"], "deletionTimestamp": "2025-01-01T00:00:30Z", "finalizers": ["x"]}
    cluster.change(second, metadata=metadata)
    cluster.settle()
    assert counts(cluster, made) == (1, 1, 3, 0)


def test_no_pods_allow_no_disruption_and_are_told(cluster):
    made = cluster.add(budget(minAvailable=0))
    cluster.drive(DISRUPTION)
    assert counts(cluster, made) == (0, 0, 0, 0)
    assert cluster.events("b") == [("b", "NoPods", "No matching pods found")]


def test_an_unknown_owner_stops_all_evictions(cluster, make_pod):
    made = cluster.add(budget(maxUnavailable=1))
    pods(
        cluster,
        make_pod,
        1,
        reference={"apiVersion": "x/v1", "kind": "Thing", "name": "t", "uid": "u", "controller": True},
    )
    cluster.drive(DISRUPTION)
    status = cluster.again(made)["status"]
    assert (status["disruptionsAllowed"], status["conditions"][0]["reason"]) == (0, "SyncFailed")
    text = 'Failed to calculate the number of expected pods: found no controllers for pod "p0"'
    assert cluster.events("b")[0] == ("b", "CalculateExpectedPodCountFailed", text)


def test_plain_pods_have_no_scale(cluster, make_pod):
    made = cluster.add(budget(maxUnavailable=1))
    pods(cluster, make_pod, 2)
    cluster.drive(DISRUPTION)
    assert counts(cluster, made) == (2, 0, 0, 0)
    shown = "&LabelSelector{MatchLabels:map[string]string{app: x,},MatchExpressions:[]LabelSelectorRequirement{},}"
    _, reason, text = cluster.events("b")[0]
    assert reason == "UnmanagedPods"
    assert text.startswith(f"Pods selected by this PodDisruptionBudget (selector: {shown}) were found to be unmanaged.")


def test_a_selector_is_shown_as_go_prints_it():
    expressions = [{"key": "a", "operator": "In", "values": ["x", "y"]}, {"key": "b", "operator": "Exists"}]
    assert selector_text({"matchExpressions": expressions}) == (
        "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:a,Operator:In,Values:[x y],},LabelSelectorRequirement{Key:b,Operator:Exists,Values:[],},},}"
    )


def test_an_eviction_not_yet_seen_counts_for_two_minutes(cluster, make_pod):
    made = cluster.add(budget(minAvailable=1))
    pods(cluster, make_pod, 2)
    cluster.drive(DISRUPTION)
    noted = {"p0": format_time(cluster.now), "vanished": format_time(cluster.now)}
    cluster.change(made, status={**cluster.again(made)["status"], "disruptedPods": noted})
    cluster.settle()
    assert counts(cluster, made) == (1, 1, 2, 0)
    assert cluster.again(made)["status"]["disruptedPods"] == {"p0": noted["p0"]}
    cluster.run(timedelta(minutes=2).total_seconds())
    assert counts(cluster, made) == (2, 1, 2, 1)
    assert "disruptedPods" not in cluster.again(made)["status"]
    assert cluster.events("p0") == [
        ("p0", "NotDeleted", "Pod was expected by PDB default/default to be deleted but it wasn't")
    ]


def test_scaling_the_owner_counts_anew(cluster, make_pod):
    made = cluster.add(budget(maxUnavailable=1))
    reference = owner(cluster, replicas=3)
    pods(cluster, make_pod, 3, reference=reference)
    cluster.drive(DISRUPTION)
    assert counts(cluster, made)[2] == 3
    replica_set = cluster.get("replicasets.apps", "default", "rs")
    cluster.change(replica_set, spec={"replicas": 2})
    cluster.settle()
    assert counts(cluster, made) == (3, 1, 2, 2)
    before = len(cluster.log)
    cluster.change(replica_set, status={"replicas": 3})
    cluster.settle()
    assert len(cluster.log) == before
