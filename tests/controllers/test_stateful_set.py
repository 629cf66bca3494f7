"""StatefulSets as upstream's TestStatefulSetControl has them: order, identity, claims, updates, revisions."""

from __future__ import annotations

import pytest
from tests.controllers.conftest import refusal

from lifepod.controllers.revision_history import template_of
from lifepod.controllers.stateful_set import STATEFUL_SET
from lifepod.controllers.volume_binding import volume_binding_controller

RESOURCE = "statefulsets.apps"


def stateful_set(replicas=3, claims=(), **spec):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "i"}]}}
    templates = [
        {
            "metadata": {"name": c},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        for c in claims
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "serviceName": "svc",
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            **({"volumeClaimTemplates": templates} if templates else {}),
            **spec,
        },
        "status": {"replicas": 0},
    }


def names(cluster):
    return [pod["metadata"]["name"] for pod in cluster.list("pods")]


def ready(cluster, *only):
    """Every pod that is not ready becomes so, one after the other, as the set makes them."""
    for _ in range(20):
        todo = [
            p
            for p in cluster.list("pods")
            if p["status"]["phase"] == "Pending" and (not only or p["metadata"]["name"] in only)
        ]
        if not todo:
            return
        for pod in todo:
            cluster.make_ready(pod)
        cluster.settle()


def changed(cluster, made, image="new", **more):
    spec = cluster.again(made)["spec"]
    template = {**spec["template"], "spec": {"containers": [{"name": "main", "image": image}]}}
    cluster.change(made, spec={**spec, "template": template, **more})
    cluster.settle()


def images(cluster):
    return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in cluster.list("pods")}


def finish_deletions(cluster):
    for pod in list(cluster.list("pods")):
        if pod["metadata"].get("deletionTimestamp"):
            cluster.delete(pod, grace=0)
    cluster.settle()


def test_pods_come_one_after_the_other(cluster):
    cluster.add(stateful_set())
    cluster.drive(STATEFUL_SET)
    assert names(cluster) == ["web-0"]
    ready(cluster, "web-0")
    assert names(cluster) == ["web-0", "web-1"]
    ready(cluster)
    assert names(cluster) == ["web-0", "web-1", "web-2"]


def test_a_pod_has_a_stable_identity(cluster):
    made = cluster.add(stateful_set(1, ordinals={"start": 5}))
    cluster.drive(STATEFUL_SET)
    (pod,) = cluster.list("pods")
    revision = cluster.again(made)["status"]["updateRevision"]
    assert pod["metadata"]["name"] == "web-5"
    assert pod["metadata"]["generateName"] == "web-"
    assert pod["metadata"]["labels"] == {
        "app": "web",
        "apps.kubernetes.io/pod-index": "5",
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": "web-5",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-5", "svc")


def test_parallel_makes_all_at_once(cluster):
    cluster.add(stateful_set(podManagementPolicy="Parallel"))
    cluster.drive(STATEFUL_SET)
    assert names(cluster) == ["web-0", "web-1", "web-2"]


def test_each_pod_has_its_claims_and_tells_of_them(cluster):
    cluster.add(stateful_set(1, claims=["data"]))
    cluster.drive(STATEFUL_SET)
    (claim,) = cluster.list("persistentvolumeclaims")
    (pod,) = cluster.list("pods")
    assert claim["metadata"]["name"] == "data-web-0"
    assert claim["metadata"]["labels"] == {"app": "web"}
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]
    assert cluster.events("web") == [
        ("web", "SuccessfulCreate", "create Claim data-web-0 Pod web-0 in StatefulSet web success"),
        ("web", "SuccessfulCreate", "create Pod web-0 in StatefulSet web successful"),
    ]


def test_a_claim_takes_the_place_of_the_templates_volume_of_its_name(cluster):
    made = stateful_set(1, claims=["data"])
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    cluster.add(made)
    cluster.drive(STATEFUL_SET)
    (pod,) = cluster.list("pods")
    assert [sorted(v) for v in pod["spec"]["volumes"]] == [["name", "persistentVolumeClaim"], ["emptyDir", "name"]]


def test_a_claim_that_is_going_holds_its_pod_back(cluster):
    cluster.add(stateful_set(1, claims=["data"]))
    held = {"name": "data-web-0", "finalizers": ["x"], "deletionTimestamp": "2025-01-01T00:00:00Z"}
    claim = cluster.add({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": held, "spec": {}})
    cluster.drive(STATEFUL_SET)
    assert names(cluster) == []
    cluster.change(claim, metadata={**cluster.again(claim)["metadata"], "finalizers": []})
    cluster.settle()
    assert names(cluster) == ["web-0"]


def test_a_claim_missing_for_a_pending_pod_is_made_again(cluster):
    cluster.add(stateful_set(1, claims=["data"]))
    cluster.drive(STATEFUL_SET)
    cluster.delete(cluster.list("persistentvolumeclaims")[0])
    cluster.settle()
    assert [c["metadata"]["name"] for c in cluster.list("persistentvolumeclaims")] == ["data-web-0"]


def test_scaling_down_takes_the_last_one_first_and_waits_for_its_end(cluster):
    made = cluster.add(stateful_set())
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    for pod in cluster.list("pods"):
        cluster.change(pod, spec={**pod["spec"], "nodeName": "n1"})
    cluster.change(made, spec={**made["spec"], "replicas": 1})
    cluster.settle()
    assert [p["metadata"]["name"] for p in cluster.list("pods") if p["metadata"].get("deletionTimestamp")] == ["web-2"]
    finish_deletions(cluster)
    finish_deletions(cluster)
    assert names(cluster) == ["web-0"]
    deleted = [text for _, reason, text in cluster.events("web") if reason == "SuccessfulDelete"]
    assert deleted == [
        "delete Pod web-2 in StatefulSet web successful",
        "delete Pod web-1 in StatefulSet web successful",
    ]


def test_an_unhealthy_pod_blocks_scaling_down_of_the_others(cluster):
    made = cluster.add(stateful_set())
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    cluster.make_ready(cluster.get("pods", "default", "web-0"), ready=False)
    cluster.change(made, spec={**made["spec"], "replicas": 1})
    cluster.settle()
    assert names(cluster) == ["web-0", "web-1", "web-2"]


def test_the_first_unhealthy_pod_may_be_scaled_away(cluster):
    made = cluster.add(stateful_set())
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    cluster.make_ready(cluster.get("pods", "default", "web-2"), ready=False)
    cluster.change(made, spec={**made["spec"], "replicas": 2})
    cluster.settle()
    assert names(cluster) == ["web-0", "web-1"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_ended_is_replaced(cluster, phase):
    cluster.add(stateful_set(1))
    cluster.drive(STATEFUL_SET)
    (old,) = cluster.list("pods")
    cluster.finish(old, phase)
    cluster.settle()
    (new,) = cluster.list("pods")
    assert new["metadata"]["uid"] != old["metadata"]["uid"]


def test_an_update_goes_from_the_last_pod_down(cluster):
    made = cluster.add(stateful_set())
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    changed(cluster, made)
    assert images(cluster) == {"web-0": "i", "web-1": "i", "web-2": "new"}
    ready(cluster, "web-2")
    assert images(cluster) == {"web-0": "i", "web-1": "new", "web-2": "new"}
    status = cluster.again(made)["status"]
    assert (status["updatedReplicas"], status["currentReplicas"]) == (2, 1)
    assert status["currentRevision"] != status["updateRevision"]
    ready(cluster)
    status = cluster.again(made)["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert (status["currentReplicas"], status["updatedReplicas"], status["readyReplicas"]) == (3, 3, 3)


def test_a_partition_keeps_the_pods_below_it(cluster):
    made = cluster.add(stateful_set())
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    changed(cluster, made, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    ready(cluster)
    assert images(cluster) == {"web-0": "i", "web-1": "i", "web-2": "new"}
    cluster.delete(cluster.get("pods", "default", "web-0"))
    cluster.settle()
    ready(cluster)
    assert images(cluster)["web-0"] == "i"


def test_a_partition_beyond_all_pods_updates_none(cluster):
    made = cluster.add(stateful_set(2))
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    changed(cluster, made, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 9}})
    assert set(images(cluster).values()) == {"i"}


def test_on_delete_updates_only_what_the_user_deletes(cluster):
    made = cluster.add(stateful_set(2, updateStrategy={"type": "OnDelete"}))
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    changed(cluster, made)
    assert set(images(cluster).values()) == {"i"}
    cluster.delete(cluster.get("pods", "default", "web-0"))
    cluster.settle()
    assert images(cluster) == {"web-0": "new", "web-1": "i"}


def test_a_way_back_reuses_the_old_revision_with_a_new_number(cluster):
    made = cluster.add(stateful_set(1))
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    first = cluster.again(made)["status"]["updateRevision"]
    changed(cluster, made)
    ready(cluster)
    changed(cluster, made, image="i")
    ready(cluster)
    assert cluster.again(made)["status"]["updateRevision"] == first
    assert sorted(r["revision"] for r in cluster.list("controllerrevisions.apps")) == [2, 3]


def test_revisions_beyond_the_limit_go_oldest_first(cluster):
    made = cluster.add(stateful_set(1, revisionHistoryLimit=1))
    cluster.drive(STATEFUL_SET)
    for image in ("a", "b", "c"):
        changed(cluster, made, image=image)
        ready(cluster)
    kept = [template_of(r)["spec"]["containers"][0]["image"] for r in cluster.list("controllerrevisions.apps")]
    assert sorted(kept) == ["b", "c"]


def test_a_revision_of_that_name_with_another_template_costs_a_collision(cluster):
    made = cluster.add(stateful_set(1))
    cluster.drive(STATEFUL_SET)
    (revision,) = cluster.list("controllerrevisions.apps")
    cluster.change(revision, data={"spec": {"template": {}}})
    cluster.change(made, metadata={**cluster.again(made)["metadata"], "labels": {"x": "y"}})
    cluster.settle()
    assert cluster.again(made)["status"]["collisionCount"] == 1


def test_minimum_ready_seconds_delay_the_next_pod(cluster):
    cluster.add(stateful_set(2, minReadySeconds=10))
    cluster.drive(STATEFUL_SET)
    ready(cluster, "web-0")
    assert names(cluster) == ["web-0"]
    cluster.run(10)
    assert names(cluster) == ["web-0", "web-1"]


def test_lost_identity_labels_come_back(cluster):
    cluster.add(stateful_set(1))
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    (pod,) = cluster.list("pods")
    cluster.change(pod, metadata={**pod["metadata"], "labels": {"app": "web"}})
    cluster.settle()
    labels = cluster.list("pods")[0]["metadata"]["labels"]
    assert labels["statefulset.kubernetes.io/pod-name"] == "web-0"
    assert ("web", "SuccessfulUpdate", "update Pod web-0 in StatefulSet web successful") in cluster.events("web")


def test_a_pod_of_another_name_is_not_adopted(cluster, make_pod):
    cluster.add(make_pod("stray", labels={"app": "web"}))
    cluster.add(stateful_set(1))
    cluster.drive(STATEFUL_SET)
    assert "ownerReferences" not in cluster.get("pods", "default", "stray")["metadata"]


@pytest.mark.parametrize(
    ("policy", "owner_of_kept", "owner_of_condemned"),
    [
        ({"whenDeleted": "Retain", "whenScaled": "Retain"}, [], []),
        ({"whenDeleted": "Delete", "whenScaled": "Retain"}, ["StatefulSet"], ["StatefulSet"]),
        ({"whenDeleted": "Retain", "whenScaled": "Delete"}, [], ["Pod"]),
        ({"whenDeleted": "Delete", "whenScaled": "Delete"}, ["StatefulSet"], ["Pod"]),
    ],
)
def test_retention_is_written_as_ownership(cluster, policy, owner_of_kept, owner_of_condemned):
    made = cluster.add(stateful_set(2, claims=["data"], persistentVolumeClaimRetentionPolicy=policy))
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    for pod in cluster.list("pods"):
        cluster.change(pod, spec={**pod["spec"], "nodeName": "n1"})
    cluster.change(made, spec={**made["spec"], "replicas": 1})
    cluster.settle()
    owners = {
        c["metadata"]["name"]: [r["kind"] for r in c["metadata"].get("ownerReferences") or ()]
        for c in cluster.list("persistentvolumeclaims")
    }
    assert owners == {"data-web-0": owner_of_kept, "data-web-1": owner_of_condemned}


def test_a_set_that_is_being_deleted_makes_nothing_more(cluster):
    made = stateful_set(2)
    made["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
    cluster.add(made)
    cluster.drive(STATEFUL_SET)
    assert names(cluster) == []


def test_a_refused_pod_is_told_of(cluster):
    from tests.controllers.conftest import refusal

    cluster.add(stateful_set(1))
    cluster.refuse = lambda w: refusal(403, "Forbidden", "no") if w.resource == "pods" and w.verb == "create" else None
    cluster.drive(STATEFUL_SET)
    assert cluster.events("web")[0] == ("web", "FailedCreate", "create Pod web-0 in StatefulSet web failed error: no")


def test_claims_are_bound_by_folders_end_to_end(cluster):
    cluster.add(stateful_set(1, claims=["data"]))
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"}}
    cluster.add({**storage, "provisioner": "lifepod.dev/folder", "reclaimPolicy": "Delete"})
    cluster.drive(STATEFUL_SET, volume_binding_controller("/v"))
    (claim,) = cluster.list("persistentvolumeclaims")
    cluster.change(claim, spec={**claim["spec"], "storageClassName": "standard"})
    cluster.settle()
    assert cluster.again(claim)["status"]["phase"] == "Bound"


@pytest.mark.parametrize(("service", "subdomain"), [("svc", "svc"), ("", None)])
def test_the_subdomain_of_a_pod_is_the_sets_service_if_it_names_one(cluster, service, subdomain):
    cluster.add(stateful_set(1, serviceName=service))
    cluster.drive(STATEFUL_SET)
    assert cluster.list("pods")[0]["spec"].get("subdomain") == subdomain


def test_a_refused_claim_is_told_of(cluster):
    cluster.refuse = lambda w: refusal(403, "Forbidden", "no") if w.resource == "persistentvolumeclaims" else None
    cluster.add(stateful_set(1, claims=["data"]))
    cluster.drive(STATEFUL_SET)
    text = "create Claim data-web-0 for Pod web-0 in StatefulSet web failed error: no"
    assert cluster.events("web")[0] == ("web", "FailedCreate", text)


def test_an_update_is_through_only_when_as_many_pods_as_wanted_have_it(cluster):
    made = cluster.add(stateful_set(1))
    cluster.drive(STATEFUL_SET)
    ready(cluster)
    first = cluster.again(made)["status"]["currentRevision"]
    changed(cluster, made, replicas=2)
    cluster.settle()
    ready(cluster, "web-1")
    cluster.delete(cluster.get("pods", "default", "web-0"))
    cluster.settle()
    assert cluster.again(made)["status"]["currentRevision"] == first
    ready(cluster)
    status = cluster.again(made)["status"]
    assert status["currentRevision"] == status["updateRevision"] != first
