"""DaemonSets: where pods belong, how ended ones are replaced, how templates are exchanged."""

from __future__ import annotations

import pytest

from lifepod.controllers.daemon_pods import belongs, target_node
from lifepod.controllers.daemon_set import DAEMON_SET

TAINT = {"key": "k", "effect": "NoSchedule"}


def daemon_set(strategy=None, **spec):
    template_spec = {"containers": [{"name": "main", "image": "i"}], **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "ds", "annotations": {"deprecated.daemonset.template.generation": "4"}},
        "spec": {
            "selector": {"matchLabels": {"app": "ds"}},
            "template": {"metadata": {"labels": {"app": "ds"}}, "spec": template_spec},
            "updateStrategy": strategy
            or {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        },
        "status": {},
    }


def live(cluster):
    return [p for p in cluster.list("pods") if not p["metadata"].get("deletionTimestamp")]


def nodes_of(cluster):
    return sorted(target_node(p) for p in live(cluster))


def run_all(cluster):
    for pod in live(cluster):
        if pod["status"]["phase"] == "Pending":
            cluster.change(pod, spec={**pod["spec"], "nodeName": target_node(pod)})
            cluster.make_ready(pod)
    cluster.settle()


def update(cluster, made, image="new"):
    spec = cluster.again(made)["spec"]
    template = {**spec["template"], "spec": {"containers": [{"name": "main", "image": image}]}}
    cluster.change(made, spec={**spec, "template": template})
    cluster.settle()


def images(cluster):
    return sorted((target_node(p), p["spec"]["containers"][0]["image"]) for p in live(cluster))


def gone(cluster):
    for pod in list(cluster.list("pods")):
        if pod["metadata"].get("deletionTimestamp"):
            cluster.delete(pod, grace=0)
    cluster.settle()


def test_every_node_gets_a_pod_that_is_pinned_to_it(cluster, make_node):
    for name in ("n1", "n2"):
        cluster.add(make_node(name))
    made = cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    assert nodes_of(cluster) == ["n1", "n2"]
    pod = live(cluster)[0]
    assert pod["metadata"]["generateName"] == "ds-"
    assert pod["metadata"]["labels"]["pod-template-generation"] == "4"
    assert "controller-revision-hash" in pod["metadata"]["labels"]
    assert [t["key"].split("/")[1] for t in pod["spec"]["tolerations"]] == [
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
    ]
    assert cluster.events("ds")[0][1:] == ("SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
    assert cluster.again(made)["status"] == {
        "currentNumberScheduled": 2,
        "desiredNumberScheduled": 2,
        "numberMisscheduled": 0,
        "numberReady": 0,
        "observedGeneration": 1,
        "updatedNumberScheduled": 2,
        "numberUnavailable": 2,
    }
    run_all(cluster)
    status = cluster.again(made)["status"]
    assert (status["numberReady"], status["numberAvailable"]) == (2, 2)
    assert "numberUnavailable" not in status


def test_a_pod_on_the_hosts_network_tolerates_a_node_without_one(cluster, make_node):
    cluster.add(make_node())
    cluster.add(daemon_set(hostNetwork=True))
    cluster.drive(DAEMON_SET)
    assert live(cluster)[0]["spec"]["tolerations"][-1]["key"] == "node.kubernetes.io/network-unavailable"


@pytest.mark.parametrize(
    ("template", "node", "expected"),
    [
        ({}, {}, (True, True)),
        ({"nodeName": "other"}, {}, (False, False)),
        ({"nodeName": "n1"}, {}, (True, True)),
        ({"nodeSelector": {"disk": "ssd"}}, {}, (False, False)),
        ({"nodeSelector": {"disk": "ssd"}}, {"labels": {"disk": "ssd"}}, (True, True)),
        ({}, {"taints": [TAINT]}, (False, True)),
        ({}, {"taints": [{**TAINT, "effect": "NoExecute"}]}, (False, False)),
        ({}, {"taints": [{**TAINT, "effect": "PreferNoSchedule"}]}, (True, True)),
        ({"tolerations": [{"key": "k", "operator": "Exists"}]}, {"taints": [TAINT]}, (True, True)),
        ({}, {"taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}, (True, True)),
    ],
)
def test_where_a_pod_belongs(make_node, template, node, expected):
    assert tuple(belongs(daemon_set(**template), make_node("n1", **node))) == expected


def test_a_new_node_gets_its_pod_and_a_tainted_one_loses_it(cluster, make_node):
    first = cluster.add(make_node("n1"))
    made = cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    cluster.add(make_node("n2"))
    cluster.settle()
    assert nodes_of(cluster) == ["n1", "n2"]
    cluster.change(first, spec={"taints": [{**TAINT, "effect": "NoExecute"}]})
    cluster.settle()
    assert nodes_of(cluster) == ["n2"]
    assert cluster.again(made)["status"]["numberMisscheduled"] == 1


def test_a_heartbeat_of_a_node_is_no_reason_to_look(cluster, make_node):
    node = cluster.add(make_node("n1"))
    cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    before = len(cluster.log)
    cluster.change(node, status={**node["status"], "conditions": []})
    cluster.settle()
    assert len(cluster.log) == before


def test_a_waiting_pod_of_a_vanished_node_goes(cluster, make_node):
    node = cluster.add(make_node("n1"))
    cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    cluster.delete(node)
    cluster.settle()
    assert live(cluster) == []


def test_failed_pods_are_replaced_ever_more_slowly(cluster, make_node):
    cluster.add(make_node("n1"))
    cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    waits = []
    for _ in range(3):
        (pod,) = live(cluster)
        began = cluster.now
        cluster.finish(pod, "Failed")
        cluster.settle()
        while pod["metadata"]["uid"] in [p["metadata"]["uid"] for p in cluster.list("pods")]:
            cluster.run(1)
        waits.append((cluster.now - began).total_seconds())
    assert waits == [0, 1, 2]
    reasons = [
        (reason, text.split(" on ")[1]) for _, reason, text in cluster.events("ds") if reason == "FailedDaemonPod"
    ]
    assert reasons == [("FailedDaemonPod", "node n1, will try to kill it")] * 3


def test_a_node_that_was_quiet_for_long_starts_anew(cluster, make_node):
    cluster.add(make_node("n1"))
    cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    for _ in range(2):
        (pod,) = live(cluster)
        cluster.finish(pod, "Failed")
        cluster.settle()
        cluster.run(1900)
    (pod,) = live(cluster)
    cluster.finish(pod, "Failed")
    cluster.settle()
    assert live(cluster)[0]["metadata"]["uid"] != pod["metadata"]["uid"]


def test_a_pod_that_succeeded_is_replaced_at_once(cluster, make_node):
    cluster.add(make_node("n1"))
    cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    (pod,) = live(cluster)
    cluster.finish(pod, "Succeeded")
    cluster.settle()
    assert live(cluster)[0]["metadata"]["uid"] != pod["metadata"]["uid"]
    name = pod["metadata"]["name"]
    text = f"Found succeeded daemon pod default/{name} on node n1, will try to delete it"
    assert ("ds", "SucceededDaemonPod", text) in cluster.events("ds")


def test_of_two_pods_on_a_node_the_older_stays(cluster, make_node, make_pod):
    cluster.add(make_node("n1"))
    cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    (old,) = live(cluster)
    cluster.run(5)
    cluster.add(make_pod("stray", labels={"app": "ds"}, nodeName="n1"))
    cluster.settle()
    assert [p["metadata"]["name"] for p in live(cluster)] == [old["metadata"]["name"]]


def test_a_rolling_update_takes_one_node_after_the_other(cluster, make_node):
    for name in ("n1", "n2"):
        cluster.add(make_node(name))
    made = cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    update(cluster, made)
    assert images(cluster) == [("n2", "i")]
    gone(cluster)
    assert images(cluster) == [("n1", "new"), ("n2", "i")]
    run_all(cluster)
    gone(cluster)
    assert images(cluster) == [("n1", "new"), ("n2", "new")]
    run_all(cluster)
    assert cluster.again(made)["status"]["updatedNumberScheduled"] == 2


def test_old_pods_that_are_not_available_go_at_once(cluster, make_node):
    for name in ("n1", "n2"):
        cluster.add(make_node(name))
    made = cluster.add(daemon_set())
    cluster.drive(DAEMON_SET)
    update(cluster, made)
    assert images(cluster) == [("n1", "new"), ("n2", "new")]


def test_on_delete_waits_for_the_user(cluster, make_node):
    cluster.add(make_node("n1"))
    made = cluster.add(daemon_set({"type": "OnDelete"}))
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    update(cluster, made)
    assert images(cluster) == [("n1", "i")]


def test_a_surge_puts_the_new_beside_the_old(cluster, make_node):
    for name in ("n1", "n2"):
        cluster.add(make_node(name))
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    made = cluster.add(daemon_set(surge))
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    update(cluster, made)
    assert images(cluster) == [("n1", "i"), ("n1", "new"), ("n2", "i")]
    run_all(cluster)
    assert images(cluster) == [("n1", "new"), ("n2", "i"), ("n2", "new")]
    run_all(cluster)
    assert images(cluster) == [("n1", "new"), ("n2", "new")]


def test_while_surging_an_old_pod_that_fell_ill_goes_at_once(cluster, make_node):
    cluster.add(make_node("n1"))
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    made = cluster.add(daemon_set(surge))
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    update(cluster, made)
    (old,) = [p for p in live(cluster) if p["spec"]["containers"][0]["image"] == "i"]
    cluster.make_ready(old, ready=False)
    cluster.settle()
    assert images(cluster) == [("n1", "new")]


def test_revisions_of_live_pods_are_kept(cluster, make_node):
    cluster.add(make_node("n1"))
    made = daemon_set({"type": "OnDelete"})
    made["spec"]["revisionHistoryLimit"] = 0
    made = cluster.add(made)
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    update(cluster, made, "b")
    update(cluster, made, "c")
    assert sorted(r["revision"] for r in cluster.list("controllerrevisions.apps")) == [1, 3]


def test_an_empty_selector_is_told_and_nothing_done(cluster, make_node):
    cluster.add(make_node("n1"))
    made = daemon_set()
    made["spec"]["selector"] = {}
    cluster.add(made)
    cluster.drive(DAEMON_SET)
    text = "This daemon set is selecting all pods. A non-empty selector is required."
    assert cluster.events("ds") == [("ds", "SelectingAll", text)]
    assert live(cluster) == []


def test_a_set_that_is_being_deleted_is_left_to_the_garbage_collector(cluster, make_node):
    cluster.add(make_node("n1"))
    made = daemon_set()
    made["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
    cluster.add(made)
    cluster.drive(DAEMON_SET)
    assert live(cluster) == []


def test_minimum_ready_seconds_count_before_available(cluster, make_node):
    cluster.add(make_node("n1"))
    made = daemon_set()
    made["spec"]["minReadySeconds"] = 10
    made = cluster.add(made)
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    assert cluster.again(made)["status"]["numberUnavailable"] == 1
    cluster.run(10)
    assert cluster.again(made)["status"]["numberAvailable"] == 1


def test_while_surging_a_pod_that_goes_does_not_hold_up_the_next(cluster, make_node):
    cluster.add(make_node("n1"))
    cluster.add(daemon_set({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}))
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    (pod,) = cluster.list("pods")
    going = {**pod["metadata"], "deletionTimestamp": "2025-01-01T00:00:30Z", "finalizers": ["x"]}
    cluster.change(pod, metadata=going)
    cluster.settle()
    assert len(cluster.list("pods")) == 2


def test_while_surging_an_old_pod_that_is_ready_but_not_yet_available_stays(cluster, make_node):
    cluster.add(make_node("n1"))
    wanted = daemon_set({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
    wanted["spec"]["minReadySeconds"] = 30
    made = cluster.add(wanted)
    cluster.drive(DAEMON_SET)
    run_all(cluster)
    update(cluster, made)
    run_all(cluster)
    assert images(cluster) == [("n1", "i"), ("n1", "new")]
    cluster.run(30)
    assert images(cluster) == [("n1", "new")]
