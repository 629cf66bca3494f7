"""Single rules as tables: owners, claims, the end of a pod, taints, what a new pod carries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.api.objects import format_time
from lifepod.controllers.claims import claim_names
from lifepod.controllers.job_pods import finish_time, restarts_of
from lifepod.controllers.outcome import Change
from lifepod.controllers.ownership import controller_key, controller_of
from lifepod.controllers.pod_facts import pod_from_template
from lifepod.controllers.pod_gc import POD_GC
from lifepod.controllers.taint_eviction import TAINT_EVICTION, evicted_at
from lifepod.controllers.ttl_after_finished import expires_at

T = datetime(2025, 1, 1, tzinfo=UTC)


def at(seconds):
    return format_time(T + timedelta(seconds=seconds))


def owned(*references):
    return {"metadata": {"name": "p", "namespace": "ns", "ownerReferences": list(references)}}


SET = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": True}


@pytest.mark.parametrize(
    ("about", "obj", "key"),
    [
        ("its controller", owned(SET), ("ns", "rs")),
        ("its controller after another owner", owned({**SET, "controller": False, "name": "x"}, SET), ("ns", "rs")),
        ("no owner", owned(), None),
        ("only an owner that does not control it", owned({**SET, "controller": False}), None),
        ("one of another kind", owned({**SET, "kind": "StatefulSet"}), None),
        ("one of that kind of another API group", owned({**SET, "apiVersion": "example.com/v1"}), None),
    ],
)
def test_who_controls_an_object(about, obj, key):
    assert controller_key(obj, "ReplicaSet", "apps") == key, about


def test_an_object_without_references_has_no_controller():
    assert controller_of({"metadata": {}}) is None


def test_a_pod_mounts_the_claims_it_names_and_those_made_for_it(make_pod):
    pod = make_pod(
        volumes=[
            {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "b", "ephemeral": {"volumeClaimTemplate": {}}},
            {"name": "c", "emptyDir": {}},
        ]
    )
    assert list(claim_names(pod)) == ["data", "p-b"]


def ended(*seconds):
    return [{"state": {"terminated": {"finishedAt": at(s)} if s is not None else {}}} for s in seconds]


@pytest.mark.parametrize(
    ("about", "status", "metadata", "seconds"),
    [
        ("the last of its containers", {"containerStatuses": ended(3, 7, 5)}, {}, 7),
        (
            "not ready any more, while one container has not ended",
            {
                "containerStatuses": ended(3, None),
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at(4)}],
            },
            {"deletionTimestamp": at(40)},
            4,
        ),
        (
            "still ready, but deleted: when that was asked for",
            {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(4)}]},
            {"deletionTimestamp": at(40), "deletionGracePeriodSeconds": 30},
            10,
        ),
        ("deleted without grace", {}, {"deletionTimestamp": at(40)}, 40),
        ("nothing is known", {}, {}, 1),
    ],
)
def test_when_a_pod_of_a_job_ended(about, status, metadata, seconds):
    """lifecycle.md §10.3."""
    pod = {"metadata": {"name": "p", "creationTimestamp": at(1), **metadata}, "status": status}
    assert finish_time(pod) == T + timedelta(seconds=seconds), about


def test_restarts_count_only_in_pods_that_have_not_ended():
    def pod(phase, restarts):
        return {"status": {"phase": phase, "containerStatuses": [{"restartCount": restarts}]}}

    assert restarts_of([pod("Running", 1), pod("Failed", 10), pod("Pending", 2), pod("Succeeded", 10)]) == 3


TAINT = {"key": "k", "effect": "NoExecute", "timeAdded": at(100)}


@pytest.mark.parametrize(
    ("about", "taints", "tolerations", "seconds"),
    [
        ("no taint", [], [], None),
        ("not tolerated: at once", [TAINT], [], 100),
        ("tolerated for ever", [TAINT], [{"key": "k", "operator": "Exists"}], None),
        ("for a while", [TAINT], [{"key": "k", "operator": "Exists", "tolerationSeconds": 30}], 130),
        (
            "the shortest counts",
            [TAINT, {**TAINT, "key": "other", "timeAdded": at(110)}],
            [
                {"key": "k", "operator": "Exists", "tolerationSeconds": 30},
                {"key": "other", "operator": "Exists", "tolerationSeconds": 5},
            ],
            115,
        ),
        (
            "one for ever beside one for a while",
            [TAINT],
            [{"key": "k", "operator": "Exists"}, {"operator": "Exists", "tolerationSeconds": 30}],
            130,
        ),
        ("less than nothing is at once", [TAINT], [{"operator": "Exists", "tolerationSeconds": -5}], 100),
    ],
)
def test_when_taints_drive_a_pod_away(make_pod, about, taints, tolerations, seconds):
    expected = None if seconds is None else T + timedelta(seconds=seconds)
    assert evicted_at(make_pod(tolerations=tolerations), taints) == expected, about


@pytest.mark.parametrize(
    ("about", "type_", "node", "keys"),
    [
        ("a pod on a node", "ADDED", "n1", [("default", "p")]),
        ("one that waits for a node", "ADDED", None, []),
        ("one that is gone", "DELETED", "n1", []),
    ],
)
def test_taints_matter_to_pods_on_nodes(cluster, make_pod, about, type_, node, keys):
    pod = cluster.add(make_pod(**({"nodeName": node} if node else {})))
    change = Change(cluster, type_, "pods", pod, None)
    assert list(TAINT_EVICTION.keys(change)) == keys, about


@pytest.mark.parametrize(
    ("about", "spec", "conditions", "seconds"),
    [
        ("complete", {"ttlSecondsAfterFinished": 10}, [("Complete", "True", at(5))], 15),
        ("failed", {"ttlSecondsAfterFinished": 0}, [("Failed", "True", at(5))], 5),
        ("not ended", {"ttlSecondsAfterFinished": 10}, [("Complete", "False", at(5))], None),
        ("without a limit", {}, [("Complete", "True", at(5))], None),
        ("nobody knows since when", {"ttlSecondsAfterFinished": 10}, [("Complete", "True", None)], None),
    ],
)
def test_when_a_job_expires(about, spec, conditions, seconds):
    shown = [{"type": t, "status": s, "lastTransitionTime": moment} for t, s, moment in conditions]
    expected = None if seconds is None else T + timedelta(seconds=seconds)
    assert expires_at({"spec": spec, "status": {"conditions": shown}}) == expected, about


def test_a_pod_made_without_a_prefix_has_its_own_name_alone():
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s", "namespace": "ns", "uid": "u"}}
    named = pod_from_template(owner, {"metadata": {"labels": {"a": "b"}}}, "", "s-0")["metadata"]
    generated = pod_from_template(owner, {}, "s-", "s-x")["metadata"]
    assert ("generateName" in named, named["labels"]) == (False, {"a": "b"})
    assert (generated["generateName"], "labels" in generated) == ("s-", False)


def test_a_pod_that_ended_on_a_vanished_node_is_removed_as_it_is(cluster, make_pod):
    ended_pod = cluster.add(make_pod("ended", nodeName="gone"))
    cluster.finish(ended_pod)
    running = cluster.add(make_pod("running", nodeName="gone"))
    cluster.drive(POD_GC)
    cluster.run(39)
    assert cluster.list("pods") != []
    cluster.log.clear()
    cluster.run(1)
    assert cluster.again(ended_pod) is None
    assert cluster.again(running) is None
    assert [(w.verb, w.name) for w in cluster.log if w.name == "ended"] == [("delete", "ended")]
    assert [w.verb for w in cluster.log if w.name == "running"][-1] == "delete"
    assert len([w for w in cluster.log if w.name == "running"]) == 2


def test_a_pod_that_was_deleted_before_it_had_a_node_is_removed(cluster, make_pod):
    pod = make_pod("p")
    pod["metadata"] |= {"deletionTimestamp": at(30), "deletionGracePeriodSeconds": 30}
    made = cluster.add(pod)
    waits = cluster.add(make_pod("waits"))
    cluster.drive(POD_GC)
    assert cluster.again(made) is None
    assert cluster.again(waits) is not None
