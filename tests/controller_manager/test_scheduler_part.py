"""The scheduler's part: refused bindings, rests, series of events, snapshots."""

from __future__ import annotations

from datetime import timedelta

from tests.controllers.conftest import SmallCluster, refusal

from lifepod.controller_manager.scheduler import SchedulerPart


def node(name="n1", pods="110", **spec):
    labels = {"kubernetes.io/hostname": name}
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": pods}
    metadata = {"name": name, "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": spec,
        "status": {"allocatable": allocatable},
    }


def pod(name="p", **spec):
    container = {"name": "main", "image": "i", "resources": {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def started(*objects):
    cluster = SmallCluster()
    for obj in objects:
        cluster.add(obj)
    part = SchedulerPart(cluster)
    cluster.drive(parts=[part])
    return cluster, part


def place_of(cluster, made):
    found = cluster.again(made)
    return found and found["spec"].get("nodeName")


def only_bindings(error):
    return lambda write: error if write.subresource == "binding" else None


def test_a_refused_binding_is_told_and_tried_again():
    cluster, _ = started(node(pods="1"))
    cluster.refuse = only_bindings(refusal(500, "InternalError", "boom"))
    made = cluster.add(pod())
    cluster.settle()
    condition = cluster.again(made)["status"]["conditions"][0]
    assert (condition["reason"], condition["message"]) == (
        "SchedulerError",
        'running Bind plugin "DefaultBinder": boom',
    )
    cluster.refuse = lambda write: None
    cluster.run(10)
    assert place_of(cluster, made) == "n1"


def test_a_conflict_gives_the_room_back_without_a_word():
    cluster, _ = started(node(pods="1"))
    cluster.refuse = only_bindings(refusal(409, "Conflict", "changed"))
    cluster.add(pod())
    cluster.settle()
    cluster.refuse = lambda write: None
    assert cluster.events() == []
    other = cluster.add(pod("other"))
    cluster.settle()
    assert place_of(cluster, other) == "n1"


def test_a_pod_deleted_while_it_waits_is_forgotten():
    cluster, _ = started()
    made = cluster.add(pod())
    cluster.settle()
    cluster.delete(made)
    cluster.add(node())
    cluster.run(10)
    assert place_of(cluster, made) is None


def test_a_node_that_goes_takes_its_room_along():
    cluster, _ = started(node())
    cluster.delete(cluster.get("nodes", "", "n1"))
    made = cluster.add(pod())
    cluster.settle()
    assert "no nodes available to schedule pods" in cluster.again(made)["status"]["conditions"][0]["message"]


def test_a_pod_bound_by_others_takes_room_too():
    cluster, _ = started(node(pods="1"), pod("there", nodeName="n1"))
    made = cluster.add(pod())
    cluster.settle()
    assert place_of(cluster, made) is None


def test_a_pod_whose_wishes_change_is_tried_at_once():
    cluster, _ = started(node())
    made = cluster.add(pod(nodeSelector={"no": "such"}))
    cluster.settle()
    changed = cluster.again(made)
    cluster.change(made, spec={k: v for k, v in changed["spec"].items() if k != "nodeSelector"})
    cluster.settle()
    assert place_of(cluster, made) == "n1"


def test_new_labels_of_a_placed_pod_count_for_its_neighbours():
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    cluster, _ = started(node(), pod("there", nodeName="n1"))
    made = cluster.add(pod(affinity=near))
    cluster.settle()
    assert place_of(cluster, made) is None
    there = cluster.get("pods", "default", "there")
    cluster.change(there, metadata={**there["metadata"], "labels": {"app": "x"}})
    cluster.run(10)
    assert place_of(cluster, made) == "n1"


def test_a_claim_just_being_bound_is_waited_for_without_an_event():
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c"},
        "spec": {"storageClassName": "standard"},
    }
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"}}
    cluster, part = started(node(), claim, {**storage, "provisioner": "lifepod.dev/folder"})
    made = cluster.add(pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]))
    cluster.settle()
    assert (place_of(cluster, made), cluster.events()) == (None, [])
    found = cluster.list("persistentvolumeclaims")[0]
    cluster.change(found, spec={**found["spec"], "volumeName": "pv"})
    cluster.settle()
    assert place_of(cluster, made) == "n1"
    assert part.snapshot().waiting == {}


def test_repeats_become_a_series_that_is_told_at_its_end():
    cluster, _ = started(node(unschedulable=True))
    cluster.add(pod())
    cluster.settle()
    for seconds in (20, 20, 20):
        found = cluster.get("nodes", "", "n1")
        cluster.change(found, metadata={**found["metadata"], "labels": {"turn": str(cluster.now)}})
        cluster.run(seconds)
    (event,) = cluster.list("events")
    seen = event["series"]["count"]
    assert seen == 2
    cluster.run(timedelta(minutes=13).total_seconds())
    (event,) = cluster.list("events")
    assert event["series"]["count"] == 4


def test_a_restored_part_goes_on():
    cluster, part = started(node(pods="1"), pod("a"))
    waiting = cluster.add(pod("b"))
    cluster.settle()
    other = SchedulerPart(cluster)
    other.restore(part.snapshot())
    cluster.parts[0] = other
    cluster.finish(cluster.get("pods", "default", "a"))
    cluster.run(10)
    assert place_of(cluster, waiting) == "n1"
