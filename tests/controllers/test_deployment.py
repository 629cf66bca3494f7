"""Stories of Deployments and their ReplicaSets (golden case deployment-rollout)."""

from __future__ import annotations

import pytest

from lifepod.api.writes import ApiError
from lifepod.controllers.deployment import DEPLOYMENT
from lifepod.controllers.deployment_arithmetic import MAXIMUM, fenceposts, portion, scaled_in_proportion
from lifepod.controllers.replica_set import REPLICA_SET
from lifepod.controllers.template_hash import template_hash


def deployment(replicas=1, strategy=None, image="busybox:1.36", **spec):
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "main", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}}, "template": template, **spec}
    spec["strategy"] = strategy or {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec, "status": {}}


def sets(cluster):
    return {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
        for rs in cluster.list("replicasets.apps")
    }


def ready_all(cluster):
    for pod in cluster.list("pods"):
        if pod["status"]["phase"] == "Pending":
            cluster.make_ready(pod)
    cluster.settle()


def rolled(cluster, times=30):
    for _ in range(times):
        ready_all(cluster)
        cluster.run(1)


def with_image(obj, image):
    template = obj["spec"]["template"]
    containers = [{**template["spec"]["containers"][0], "image": image}]
    return {**obj["spec"], "template": {**template, "spec": {**template["spec"], "containers": containers}}}


def conditions(obj):
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in obj["status"]["conditions"]}


def started(cluster, **spec):
    made = cluster.add(deployment(**spec))
    cluster.drive(DEPLOYMENT, REPLICA_SET)
    return made


def test_a_deployment_comes_up_and_says_so_as_upstream_does(cluster):
    made = started(cluster)
    (rs,) = cluster.list("replicasets.apps")
    name = rs["metadata"]["name"]
    now = cluster.again(made)
    assert conditions(now)["Available"] == (
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )
    assert now["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert rs["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] == "2"
    assert rs["metadata"]["labels"]["pod-template-hash"] == name.removeprefix("d-")
    ready_all(cluster)
    now = cluster.again(made)
    assert [c["type"] for c in now["status"]["conditions"]] == ["Available", "Progressing"]
    assert conditions(now) == {
        "Available": ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        "Progressing": ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.'),
    }
    assert {k: v for k, v in now["status"].items() if k != "conditions"} == {
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
    }
    assert cluster.again(rs)["status"] == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 1,
    }
    assert cluster.events("d") == [("d", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 1")]


def test_a_rolling_update_has_the_new_pod_ready_before_the_old_goes(cluster):
    made = started(cluster)
    ready_all(cluster)
    made = cluster.again(made)
    cluster.change(made, spec=with_image(made, "busybox:2"))
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 1, "busybox:2": 1}
    ready_all(cluster)
    assert sets(cluster) == {"busybox:1.36": 0, "busybox:2": 1}
    texts = [e[2] for e in cluster.events("d")]
    assert texts[-1].startswith("Scaled down replica set d-")
    assert texts[-1].endswith(" from 1 to 0")
    assert cluster.again(made)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (0, 1), ("50%", "50%"), ("25%", "25%")])
def test_a_rollout_keeps_within_surge_and_availability(cluster, surge, unavailable):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    made = started(cluster, replicas=4, strategy=strategy)
    ready_all(cluster)
    made = cluster.again(made)
    most, least = 4 + fenceposts(made)[0], 4 - fenceposts(made)[1]
    cluster.change(made, spec=with_image(made, "busybox:2"))
    for _ in range(20):
        cluster.settle()
        pods = [p for p in cluster.list("pods") if "deletionTimestamp" not in p["metadata"]]
        assert len(pods) <= most
        assert sum(1 for p in pods if p["status"]["phase"] == "Running") >= least
        pending = [p for p in pods if p["status"]["phase"] == "Pending"]
        if pending:
            cluster.make_ready(pending[0])
    assert sets(cluster) == {"busybox:1.36": 0, "busybox:2": 4}


def test_recreate_waits_until_the_old_pods_are_gone(cluster):
    made = started(cluster, replicas=2, strategy={"type": "Recreate"})
    for pod in cluster.list("pods"):
        cluster.change(pod, spec={**pod["spec"], "nodeName": "n"})
    ready_all(cluster)
    made = cluster.again(made)
    cluster.change(made, spec=with_image(made, "busybox:2"))
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 0}
    for pod in cluster.list("pods"):
        cluster.delete(pod)
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 0, "busybox:2": 2}


def test_no_progress_within_the_deadline_is_said(cluster):
    made = started(cluster, progressDeadlineSeconds=60)
    cluster.run(59)
    assert conditions(cluster.again(made))["Progressing"][0] == "True"
    cluster.run(3)
    (rs,) = cluster.list("replicasets.apps")
    assert conditions(cluster.again(made))["Progressing"] == (
        "False",
        "ProgressDeadlineExceeded",
        f'ReplicaSet "{rs["metadata"]["name"]}" has timed out progressing.',
    )


def test_scaling_while_paused_only_scales(cluster):
    made = started(cluster)
    ready_all(cluster)
    made = cluster.again(made)
    cluster.change(made, spec={**with_image(made, "busybox:2"), "paused": True, "replicas": 3})
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 3}
    assert conditions(cluster.again(made))["Progressing"][:2] == ("Unknown", "DeploymentPaused")
    made = cluster.again(made)
    cluster.change(made, spec={**made["spec"], "paused": False})
    rolled(cluster)
    assert sets(cluster) == {"busybox:1.36": 0, "busybox:2": 3}


def test_undo_takes_the_old_replica_set_again_under_a_new_revision(cluster):
    made = started(cluster)
    ready_all(cluster)
    for image in ("busybox:2", "busybox:1.36"):
        made = cluster.again(made)
        cluster.change(made, spec=with_image(made, image))
        rolled(cluster, 5)
    assert sets(cluster) == {"busybox:1.36": 1, "busybox:2": 0}
    revisions = {
        rs["spec"]["replicas"]: rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        for rs in cluster.list("replicasets.apps")
    }
    assert revisions == {1: "3", 0: "2"}


def test_old_replica_sets_beyond_the_history_limit_go(cluster):
    made = started(cluster, revisionHistoryLimit=1)
    ready_all(cluster)
    for image in ("busybox:2", "busybox:3", "busybox:4"):
        made = cluster.again(made)
        cluster.change(made, spec=with_image(made, image))
        rolled(cluster, 5)
    assert sets(cluster) == {"busybox:3": 0, "busybox:4": 1}


def test_scaling_during_a_rollout_is_shared_out(cluster):
    made = started(cluster, replicas=10)
    ready_all(cluster)
    made = cluster.again(made)
    cluster.change(made, spec=with_image(made, "busybox:2"))
    cluster.settle()
    before = sets(cluster)
    made = cluster.again(made)
    cluster.change(made, spec={**made["spec"], "replicas": 20})
    cluster.settle()
    after = sets(cluster)
    assert sum(after.values()) == 25
    assert all(after[image] > before[image] for image in before)


def test_a_taken_name_counts_as_a_collision(cluster):
    made = deployment()
    name = "d-" + template_hash(made["spec"]["template"])
    cluster.add(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"x": "y"}}, "template": {"spec": {}}},
        }
    )
    made = cluster.add(made)
    cluster.drive(DEPLOYMENT)
    assert cluster.again(made)["status"]["collisionCount"] == 1
    assert len(cluster.list("replicasets.apps")) == 2


@pytest.mark.parametrize(
    ("value", "total", "up", "pods"),
    [("25%", 10, True, 3), ("25%", 10, False, 2), (3, 10, True, 3), (None, 5, True, 0)],
)
def test_a_portion_is_a_number_or_a_percentage(value, total, up, pods):
    assert portion(value, total, round_up=up) == pods


# ------------------------------------------------------------------------------------------------ ReplicaSets alone


def replica_set(replicas, **spec):
    template = {"metadata": {"labels": {"app": "r"}}, "spec": {"containers": [{"name": "main", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "r"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "r"}, "spec": spec}


def test_a_replica_set_replaces_a_pod_that_ended(cluster):
    cluster.add(replica_set(2))
    cluster.drive(REPLICA_SET)
    first = cluster.list("pods")[0]
    cluster.finish(first, "Failed")
    cluster.settle()
    assert len([p for p in cluster.list("pods") if p["status"]["phase"] == "Pending"]) == 2


def test_a_stray_pod_that_matches_is_adopted_and_one_that_no_longer_does_is_released(cluster, make_pod):
    stray = cluster.add(make_pod("stray", labels={"app": "r"}))
    made = cluster.add(replica_set(1))
    cluster.drive(REPLICA_SET)
    assert [p["metadata"]["name"] for p in cluster.list("pods")] == ["stray"]
    owned = cluster.again(stray)
    assert owned["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    cluster.change(stray, metadata={**owned["metadata"], "labels": {"app": "other"}})
    cluster.settle()
    assert "ownerReferences" not in cluster.again(stray)["metadata"]
    assert len(cluster.list("pods")) == 2


def test_scaling_down_takes_pending_before_ready_pods(cluster):
    made = cluster.add(replica_set(3))
    cluster.drive(REPLICA_SET)
    keep = cluster.list("pods")[1]
    cluster.make_ready(keep)
    cluster.change(made, spec={**made["spec"], "replicas": 1})
    cluster.settle()
    assert [p["metadata"]["name"] for p in cluster.list("pods")] == [keep["metadata"]["name"]]


def test_available_comes_min_ready_seconds_after_ready(cluster):
    made = cluster.add(replica_set(1, minReadySeconds=10))
    cluster.drive(REPLICA_SET)
    cluster.make_ready(cluster.list("pods")[0])
    cluster.run(9)
    assert "availableReplicas" not in cluster.again(made)["status"]
    cluster.run(1)
    assert cluster.again(made)["status"]["availableReplicas"] == 1


# ------------------------------------------------------------------------------------------------ refused pods


def quota_exceeded(write):
    from tests.controllers.conftest import refusal

    return refusal(403, "Forbidden", "exceeded quota") if write.resource == "pods" and write.verb == "create" else None


def test_pods_that_cannot_be_created_are_a_replica_failure_until_they_can(cluster):
    cluster.refuse = quota_exceeded
    made = started(cluster, replicas=2)
    cluster.run(1)
    (rs,) = cluster.list("replicasets.apps")
    (failure,) = rs["status"]["conditions"]
    assert (failure["type"], failure["reason"], failure["message"]) == (
        "ReplicaFailure",
        "FailedCreate",
        "exceeded quota",
    )
    assert conditions(cluster.again(made))["ReplicaFailure"] == ("True", "FailedCreate", "exceeded quota")
    assert ("FailedCreate", "Error creating: exceeded quota") in [e[1:] for e in cluster.events(rs["metadata"]["name"])]
    cluster.refuse = lambda write: None
    cluster.run(60)
    assert not cluster.list("replicasets.apps")[0]["status"].get("conditions")
    assert "ReplicaFailure" not in conditions(cluster.again(made))
    assert len(cluster.list("pods")) == 2


def test_pods_that_cannot_be_deleted_are_told_as_such(cluster):
    from tests.controllers.conftest import refusal

    made = cluster.add(replica_set(2))
    cluster.drive(REPLICA_SET)
    cluster.refuse = lambda w: refusal(500, "InternalError", "stuck") if w.verb == "delete" else None
    cluster.change(made, spec={**cluster.again(made)["spec"], "replicas": 1})
    cluster.run(1)
    (failure,) = cluster.again(made)["status"]["conditions"]
    assert (failure["reason"], failure["message"]) == ("FailedDelete", "stuck")


# ------------------------------------------------------------------------------------------------ rarer turns


def test_unhealthy_old_pods_go_first(cluster):
    made = started(
        cluster, replicas=4, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
    )
    ready_all(cluster)
    cluster.change(made, spec=with_image(cluster.again(made), "bad"))
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 2, "bad": 2}
    cluster.change(made, spec=with_image(cluster.again(made), "good"))
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 2, "bad": 0, "good": 2}
    rolled(cluster)
    assert sets(cluster) == {"busybox:1.36": 0, "bad": 0, "good": 4}


def test_scaling_down_during_a_rollout_is_shared_out(cluster):
    made = started(
        cluster, replicas=10, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    )
    ready_all(cluster)
    cluster.change(made, spec=with_image(cluster.again(made), "new"))
    cluster.settle()
    before = sets(cluster)
    cluster.change(made, spec={**cluster.again(made)["spec"], "replicas": 5})
    cluster.settle()
    after = sets(cluster)
    assert sum(after.values()) <= 5 + 3
    assert all(after[image] <= before[image] for image in before)
    rolled(cluster)
    assert sets(cluster) == {"busybox:1.36": 0, "new": 5}


def test_scaling_to_nothing_during_a_rollout(cluster):
    made = started(cluster, replicas=4)
    ready_all(cluster)
    cluster.change(made, spec=with_image(cluster.again(made), "new"))
    cluster.settle()
    cluster.change(made, spec={**cluster.again(made)["spec"], "replicas": 0})
    rolled(cluster)
    assert set(sets(cluster).values()) == {0}


def test_a_changed_minimum_goes_on_to_the_replica_set(cluster):
    made = started(cluster)
    ready_all(cluster)
    cluster.change(made, spec={**cluster.again(made)["spec"], "minReadySeconds": 7})
    cluster.settle()
    assert cluster.list("replicasets.apps")[0]["spec"]["minReadySeconds"] == 7


def test_resuming_goes_on_and_is_told(cluster):
    made = started(cluster)
    ready_all(cluster)
    cluster.change(made, spec={**with_image(cluster.again(made), "new"), "paused": True})
    cluster.settle()
    assert conditions(cluster.again(made))["Progressing"] == ("Unknown", "DeploymentPaused", "Deployment is paused")
    assert "new" not in sets(cluster)
    cluster.change(made, spec={**cluster.again(made)["spec"], "paused": False})
    rolled(cluster)
    assert sets(cluster) == {"busybox:1.36": 0, "new": 1}


def test_a_deployment_without_a_deadline_has_no_progressing_condition(cluster):
    made = started(cluster, progressDeadlineSeconds=None)
    ready_all(cluster)
    assert set(conditions(cluster.again(made))) == {"Available"}


def test_scaling_a_recreated_deployment(cluster):
    made = started(cluster, replicas=1, strategy={"type": "Recreate"})
    ready_all(cluster)
    cluster.change(made, spec={**cluster.again(made)["spec"], "replicas": 3})
    cluster.settle()
    assert sets(cluster) == {"busybox:1.36": 3}


def test_a_deployment_that_is_being_deleted_only_tells(cluster):
    made = deployment()
    made["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
    made = cluster.add(made)
    cluster.drive(DEPLOYMENT, REPLICA_SET)
    assert cluster.list("replicasets.apps") == []
    assert cluster.again(made)["status"]["observedGeneration"] == 1


def sized_set(name, size, before):
    annotations = {MAXIMUM: str(before)} if before else {}
    metadata = {"name": name, "creationTimestamp": f"2025-01-01T00:00:0{name}Z", "annotations": annotations}
    return {"metadata": metadata, "spec": {"replicas": size}}


@pytest.mark.parametrize(
    ("about", "want", "sizes", "before", "shown", "expected"),
    [
        ("twice as many", 20, (5, 5), 10, 10, {"0": 10, "1": 10}),
        ("what is left over goes to the newest of the largest", 11, (5, 5), 10, 10, {"1": 6}),
        ("and is taken from the oldest of them", 9, (5, 5), 10, 10, {"0": 4}),
        ("halves are rounded up", 10, (10, 5, 5), 20, 20, {"0": 4, "1": 3, "2": 3}),
        ("none is left", 0, (3, 2), 5, 5, {"0": 0, "1": 0}),
        ("one without pods gets none", 20, (10, 0), 10, 10, {"0": 20}),
        ("it is as it should be", 10, (5, 5), 10, 10, {}),
        ("nothing is noted: the size shown counts", 20, (5, 5), None, 10, {"0": 10, "1": 10}),
        ("nor shown: the largest takes it all", 5, (4, 4), None, 0, {"0": 1}),
        ("there is no set", 5, (), None, 0, {}),
    ],
)
def test_scaling_in_the_middle_of_a_rollout_is_shared_out_by_size(about, want, sizes, before, shown, expected):
    made = deployment(replicas=want, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}})
    active = [sized_set(str(i), size, before) for i, size in enumerate(sizes)]
    assert scaled_in_proportion({**made, "status": {"replicas": shown}}, active) == expected, about


def test_a_set_of_a_deployment_takes_over_how_long_a_pod_must_be_ready(cluster):
    started(cluster, minReadySeconds=7)
    assert [rs["spec"]["minReadySeconds"] for rs in cluster.list("replicasets.apps")] == [7]


def test_a_recreated_deployment_is_scaled_once_its_old_pods_are_gone(cluster):
    made = started(cluster, replicas=1, strategy={"type": "Recreate"})
    ready_all(cluster)
    cluster.change(made, spec={**with_image(cluster.again(made), "busybox:2"), "replicas": 3})
    rolled(cluster)
    assert sets(cluster) == {"busybox:1.36": 0, "busybox:2": 3}


def test_a_recreated_deployment_comes_back_from_nothing(cluster):
    made = started(cluster, replicas=2, strategy={"type": "Recreate"})
    ready_all(cluster)
    for size in (0, 3):
        cluster.change(made, spec={**cluster.again(made)["spec"], "replicas": size})
        rolled(cluster, 3)
        assert sets(cluster) == {"busybox:1.36": size}


def test_the_deployments_annotations_go_on_to_its_replica_set(cluster):
    made = started(cluster)
    now = cluster.again(made)
    annotations = {**now["metadata"]["annotations"], "kubernetes.io/change-cause": "a new image"}
    cluster.change(now, metadata={**now["metadata"], "annotations": annotations})
    cluster.settle()
    (rs,) = cluster.list("replicasets.apps")
    assert rs["metadata"]["annotations"]["kubernetes.io/change-cause"] == "a new image"
    assert rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


def test_a_replica_set_that_cannot_be_made_is_told_and_made_later(cluster):
    def refuse(write):
        refused = (write.verb, write.resource) == ("create", "replicasets.apps")
        return ApiError({"code": 403, "reason": "Forbidden", "message": "exceeded quota"}) if refused else None

    cluster.refuse = refuse
    made = started(cluster)
    cluster.run(1)
    ((name, reason, text), *_) = cluster.events("d")
    assert (name, reason) == ("d", "ReplicaSetCreateError")
    assert text.startswith('Failed to create new replica set "d-')
    assert text.endswith('": exceeded quota')
    assert conditions(cluster.again(made))["Progressing"] == ("False", "ReplicaSetCreateError", text)
    cluster.refuse = lambda write: None
    cluster.run(10)
    assert len(sets(cluster)) == 1
    assert conditions(cluster.again(made))["Progressing"][0] == "True"


def test_a_replica_set_that_is_there_already_is_found(cluster):
    made = started(cluster, progressDeadlineSeconds=2147483647)
    assert "Progressing" not in conditions(cluster.again(made))
    cluster.log.clear()
    cluster.change(made, spec={**made["spec"], "progressDeadlineSeconds": 600})
    cluster.settle()
    patches = [
        w.body["status"]["conditions"] for w in cluster.log if w.resource == "deployments.apps" and w.verb == "patch"
    ]
    (name,) = (rs["metadata"]["name"] for rs in cluster.list("replicasets.apps"))
    assert (patches[0][-1]["reason"], patches[0][-1]["message"]) == (
        "FoundNewReplicaSet",
        f'Found new replica set "{name}"',
    )
