"""Claims and volumes: bound, provisioned, released, protected; and what the scheduler makes of them."""

from __future__ import annotations

import pytest

from lifepod.controllers.ephemeral_claims import EPHEMERAL_CLAIMS
from lifepod.controllers.outcome import NOTHING, Look
from lifepod.controllers.scheduler_claims import claims_obstacle
from lifepod.controllers.volume_binding import best_volume, volume_binding_controller
from lifepod.controllers.volume_phases import VOLUME_PHASES
from lifepod.controllers.volume_protection import VOLUME_PROTECTION

BINDING = volume_binding_controller("/folders")


def storage_class(name="standard", provisioner="lifepod.dev/folder", mode="Immediate"):
    metadata = {"name": name}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": provisioner,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": mode,
    }


def claim(name="data", class_name="standard", size="1Gi", finalizers=(), **spec):
    wants = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    if class_name is not None:
        wants["storageClassName"] = class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "finalizers": list(finalizers)},
        "spec": wants,
        "status": {"phase": "Pending"},
    }


def volume(name="pv", class_name="", size="5Gi", modes=("ReadWriteOnce",), labels=None, **spec):
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": list(modes),
            "storageClassName": class_name,
            "hostPath": {"path": "/x"},
            "persistentVolumeReclaimPolicy": "Retain",
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def mounting(make_pod, name="p", claim_name="data", **spec):
    return make_pod(name, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": claim_name}}], **spec)


def test_a_claim_of_the_default_class_becomes_a_folder(cluster):
    cluster.add(storage_class())
    made = cluster.add(claim())
    cluster.drive(BINDING, VOLUME_PHASES)
    (found,) = cluster.list("persistentvolumes")
    name = f"pvc-{made['metadata']['uid']}"
    assert found["metadata"]["name"] == name
    assert found["spec"]["hostPath"] == {"path": f"/folders/{name}", "type": "DirectoryOrCreate"}
    assert found["status"]["phase"] == "Bound"
    bound = cluster.again(made)
    assert bound["spec"]["volumeName"] == name
    assert bound["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    assert bound["metadata"]["annotations"] == {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
        "volume.beta.kubernetes.io/storage-provisioner": "lifepod.dev/folder",
        "volume.kubernetes.io/storage-provisioner": "lifepod.dev/folder",
    }
    text = f"Successfully provisioned volume {name} using lifepod.dev/folder"
    assert cluster.events() == [("data", "ProvisioningSucceeded", text)]


def test_a_provisioned_volume_goes_with_its_claim(cluster):
    cluster.add(storage_class())
    made = cluster.add(claim())
    cluster.drive(BINDING, VOLUME_PHASES)
    cluster.delete(made)
    cluster.settle()
    assert cluster.list("persistentvolumes") == []


def test_a_retained_volume_is_released_and_not_given_to_the_next(cluster):
    cluster.add(volume())
    made = cluster.add(claim(class_name=""))
    cluster.drive(BINDING, VOLUME_PHASES)
    assert cluster.again(made)["status"]["phase"] == "Bound"
    cluster.delete(made)
    cluster.settle()
    assert cluster.get("persistentvolumes", "", "pv")["status"]["phase"] == "Released"
    again = cluster.add(claim(class_name=""))
    cluster.settle()
    assert cluster.again(again)["status"]["phase"] == "Pending"


def test_a_foreign_volume_with_policy_delete_fails(cluster):
    reference = {"namespace": "default", "name": "gone", "uid": "u"}
    made = cluster.add(volume(claimRef=reference, persistentVolumeReclaimPolicy="Delete"))
    cluster.drive(VOLUME_PHASES)
    assert cluster.again(made)["status"]["phase"] == "Failed"
    assert cluster.events("pv")[0][1] == "VolumeFailedDelete"


def test_a_volume_of_another_provisioner_is_left_to_it(cluster):
    reference = {"namespace": "default", "name": "gone", "uid": "u"}
    foreign = volume(claimRef=reference, persistentVolumeReclaimPolicy="Delete")
    foreign["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "example.com/x"}
    made = cluster.add(foreign)
    cluster.drive(VOLUME_PHASES)
    assert cluster.again(made)["status"]["phase"] == "Released"


def test_a_volume_without_a_claim_is_available(cluster):
    made = cluster.add(volume())
    cluster.drive(VOLUME_PHASES)
    assert cluster.again(made)["status"]["phase"] == "Available"


@pytest.mark.parametrize(
    ("wants", "has", "fits"),
    [
        ({}, {}, True),
        ({"size": "5Gi"}, {}, True),
        ({"size": "6Gi"}, {}, False),
        ({"accessModes": ["ReadWriteMany"]}, {}, False),
        ({"accessModes": ["ReadWriteMany"]}, {"modes": ["ReadWriteOnce", "ReadWriteMany"]}, True),
        ({"class_name": "fast"}, {}, False),
        ({"class_name": "fast"}, {"class_name": "fast"}, True),
        ({"volumeMode": "Block"}, {}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, {}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, {"labels": {"a": "b"}}, True),
        ({}, {"claimRef": {"namespace": "default", "name": "other", "uid": "x"}}, False),
        ({}, {"claimRef": {"namespace": "default", "name": "data"}}, True),
        ({"size": "6Gi"}, {"claimRef": {"namespace": "default", "name": "data"}}, True),
    ],
)
def test_which_volume_fits(cluster, wants, has, fits):
    cluster.add(volume(**has))
    made = cluster.add(claim(**{"class_name": "", **wants}))
    assert (best_volume(cluster, made) is not None) == fits


def test_the_smallest_that_fits_is_taken_and_none_that_is_going(cluster):
    for name, size in (("a", "9Gi"), ("b", "2Gi"), ("c", "3Gi")):
        cluster.add(volume(name, size=size))
    going = volume("d", size="1Gi")
    going["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["x"]}
    cluster.add(going)
    assert best_volume(cluster, cluster.add(claim(class_name="")))["metadata"]["name"] == "b"


@pytest.mark.parametrize(
    ("wants", "class_", "told"),
    [
        (None, None, ("FailedBinding", "no persistent volumes available for this claim and no storage class is set")),
        ("nope", None, ("ProvisioningFailed", 'storageclass.storage.k8s.io "nope" not found')),
        ("ext", "ext", ("ExternalProvisioning", "Waiting for a volume to be created either by the external")),
    ],
)
def test_a_claim_that_waits_says_for_what(cluster, wants, class_, told):
    if class_:
        cluster.add(storage_class(class_, "example.com/x"))
    cluster.add(claim(class_name=wants))
    cluster.drive(BINDING)
    ((_, reason, text),) = cluster.events()
    assert (reason, text[: len(told[1])]) == told


def test_another_provisioner_is_told_by_an_annotation_once(cluster):
    cluster.add(storage_class("ext", "example.com/x"))
    made = cluster.add(claim(class_name="ext"))
    cluster.drive(BINDING)
    marks = cluster.again(made)["metadata"]["annotations"]
    assert marks["volume.kubernetes.io/storage-provisioner"] == "example.com/x"
    assert len(cluster.events()) == 1


def test_a_claim_is_bound_once_its_volume_or_class_appears(cluster):
    first, second = cluster.add(claim("a", class_name="")), cluster.add(claim("b", class_name="late"))
    cluster.drive(BINDING)
    cluster.add(volume())
    cluster.add(storage_class("late"))
    cluster.settle()
    assert [cluster.again(c)["status"]["phase"] for c in (first, second)] == ["Bound", "Bound"]


def test_waiting_for_the_first_consumer(cluster, make_pod):
    cluster.add(storage_class(mode="WaitForFirstConsumer"))
    made = cluster.add(claim())
    cluster.drive(BINDING)
    assert cluster.events() == [
        ("data", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    ]
    cluster.add(mounting(make_pod))
    cluster.settle()
    assert cluster.again(made)["status"]["phase"] == "Bound"


def test_a_volume_named_by_the_user_is_waited_for_and_taken(cluster):
    made = cluster.add(claim(class_name="", volumeName="pv"))
    cluster.drive(BINDING)
    assert cluster.again(made)["status"]["phase"] == "Pending"
    cluster.add(volume(claimRef={"namespace": "default", "name": "data"}))
    cluster.settle()
    assert cluster.again(made)["status"]["phase"] == "Bound"
    assert "pv.kubernetes.io/bound-by-controller" not in cluster.again(made)["metadata"]["annotations"]


def test_a_named_volume_of_another_claim_is_told(cluster):
    cluster.add(volume(claimRef={"namespace": "default", "name": "other", "uid": "x"}))
    cluster.add(claim(class_name="", volumeName="pv"))
    cluster.drive(BINDING)
    assert cluster.events() == [("data", "FailedBinding", 'volume "pv" already bound to a different claim.')]


def test_a_claim_whose_volume_is_gone_is_lost(cluster):
    found = cluster.add(volume())
    made = cluster.add(claim(class_name=""))
    cluster.drive(BINDING)
    cluster.delete(found)
    cluster.settle()
    assert cluster.again(made)["status"]["phase"] == "Lost"
    text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    assert cluster.events("data") == [("data", "ClaimLost", text)]


def test_a_claim_whose_volume_went_to_another_is_lost(cluster):
    found = cluster.add(volume())
    made = cluster.add(claim(class_name=""))
    cluster.drive(BINDING)
    spec = {**cluster.again(found)["spec"], "claimRef": {"namespace": "default", "name": "data", "uid": "other"}}
    cluster.change(found, spec=spec)
    cluster.settle()
    assert cluster.again(made)["status"]["phase"] == "Lost"
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    assert cluster.events("data")[0] == ("data", "ClaimMisbound", text)


def test_a_bound_claim_that_names_no_volume_any_more_is_lost(cluster):
    cluster.add(volume())
    made = cluster.add(claim(class_name=""))
    cluster.drive(BINDING)
    spec = {k: v for k, v in cluster.again(made)["spec"].items() if k != "volumeName"}
    cluster.change(made, spec=spec)
    cluster.settle()
    assert cluster.again(made)["status"]["phase"] == "Lost"
    text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
    assert cluster.events("data")[0] == ("data", "ClaimLost", text)


@pytest.mark.parametrize(
    ("has", "wants", "why"),
    [
        ({"size": "1Mi"}, {}, "requested PV is too small"),
        ({"class_name": "fast"}, {}, "storageClassName does not match"),
        ({"volumeAttributesClassName": "gold"}, {}, "volumeAttributesClassName does not match"),
        ({}, {"volumeMode": "Block"}, "incompatible volumeMode"),
        ({}, {"accessModes": ["ReadWriteMany"]}, "incompatible accessMode"),
    ],
)
def test_a_named_volume_that_does_not_fit_is_told(cluster, has, wants, why):
    cluster.add(volume(**has))
    made = cluster.add(claim(class_name="", volumeName="pv", **wants))
    cluster.drive(BINDING)
    assert cluster.again(made)["status"]["phase"] == "Pending"
    assert cluster.events() == [("data", "VolumeMismatch", f'Cannot bind to requested volume "pv": {why}')]


# ------------------------------------------------------------------------------------------------ protection


def test_a_claim_in_use_goes_only_with_its_pod(cluster, make_pod):
    made = cluster.add(claim(finalizers=["kubernetes.io/pvc-protection"]))
    pod = cluster.add(mounting(make_pod, nodeName="n1"))
    cluster.drive(VOLUME_PROTECTION)
    cluster.delete(made)
    cluster.settle()
    assert cluster.again(made) is not None
    cluster.delete(pod)
    cluster.settle()
    assert cluster.again(made) is None


def test_a_pod_without_a_node_uses_nothing(cluster, make_pod):
    made = cluster.add(claim(finalizers=["kubernetes.io/pvc-protection"]))
    cluster.add(mounting(make_pod))
    cluster.drive(VOLUME_PROTECTION)
    cluster.delete(made)
    cluster.settle()
    assert cluster.again(made) is None


def test_a_bound_volume_stays_until_its_claim_is_gone(cluster):
    found = volume()
    found["metadata"]["finalizers"] = ["kubernetes.io/pv-protection"]
    found = cluster.add(found)
    made = cluster.add(claim(class_name=""))
    cluster.drive(BINDING, VOLUME_PHASES, VOLUME_PROTECTION)
    cluster.delete(found)
    cluster.settle()
    assert cluster.again(found)["status"]["phase"] == "Bound"
    cluster.delete(made)
    cluster.settle()
    assert cluster.again(found) is None


# ------------------------------------------------------------------------------------------------ ephemeral volumes


def ephemeral(make_pod, name="p"):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"storageClassName": "standard"}}
    return make_pod(name, volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}])


def test_an_ephemeral_volume_gets_a_claim_owned_by_the_pod(cluster, make_pod):
    pod = cluster.add(ephemeral(make_pod))
    cluster.drive(EPHEMERAL_CLAIMS)
    (found,) = cluster.list("persistentvolumeclaims")
    assert found["metadata"]["name"] == "p-scratch"
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    cluster.delete(found)
    cluster.settle()
    assert len(cluster.list("persistentvolumeclaims")) == 1


def test_a_claim_of_somebody_else_in_its_place_is_told(cluster, make_pod):
    cluster.add(claim("p-scratch"))
    cluster.add(ephemeral(make_pod))
    cluster.drive(EPHEMERAL_CLAIMS)
    ((_, reason, text),) = cluster.events("p")
    assert reason == "FailedBinding"
    assert text.endswith("PVC default/p-scratch was not created for pod default/p (pod is not owner)")


def test_pods_without_ephemeral_volumes_or_that_are_going_get_none(cluster, make_pod):
    going = ephemeral(make_pod)
    going["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["x"]}
    cluster.add(going)
    both = make_pod("q", volumes=[{"name": "e", "emptyDir": {}}])
    cluster.add(both)
    cluster.drive(EPHEMERAL_CLAIMS)
    assert cluster.list("persistentvolumeclaims") == []


def test_only_the_ephemeral_volumes_of_a_pod_get_a_claim_and_only_one_each(cluster, make_pod):
    pod = ephemeral(make_pod)
    pod["spec"]["volumes"] += [{"name": "e", "emptyDir": {}}]
    pod = cluster.add(pod)
    cluster.drive(EPHEMERAL_CLAIMS)
    assert EPHEMERAL_CLAIMS.reconcile(Look(cluster, ("default", "p"), cluster.now, cluster.ids)) == NOTHING
    assert [c["metadata"]["name"] for c in cluster.list("persistentvolumeclaims")] == ["p-scratch"]


# ------------------------------------------------------------------------------------------------ the scheduler's view


def bound(made):
    return {**made, "spec": {**made["spec"], "volumeName": "pv"}, "status": {"phase": "Bound"}}


@pytest.mark.parametrize(
    ("claims", "classes", "text", "is_passing"),
    [
        ([], [], 'persistentvolumeclaim "data" not found', False),
        ([bound(claim())], [], None, False),
        ([claim(class_name="")], [], "pod has unbound immediate PersistentVolumeClaims", False),
        ([claim()], [storage_class()], "pod has unbound immediate PersistentVolumeClaims", True),
        ([claim()], [storage_class(mode="WaitForFirstConsumer")], "pod has unbound immediate", True),
        ([claim()], [storage_class(provisioner="x", mode="WaitForFirstConsumer")], None, False),
        (
            [{**bound(claim()), "status": {"phase": "Lost"}}],
            [],
            'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv"',
            False,
        ),
    ],
)
def test_what_keeps_a_pod_from_being_scheduled(cluster, make_pod, claims, classes, text, is_passing):
    for obj in (*claims, *classes):
        cluster.add(obj)
    found = claims_obstacle(cluster, mounting(make_pod), 1)
    if text is None:
        assert found is None
    else:
        assert text in found.message
        assert found.is_passing == is_passing


def test_a_claim_that_is_going_and_an_ephemeral_one_still_to_come(cluster, make_pod):
    going = claim(finalizers=["x"])
    going["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    cluster.add(going)
    found = claims_obstacle(cluster, mounting(make_pod), 1)
    assert 'persistentvolumeclaim "data" is being deleted' in found.message
    later = claims_obstacle(cluster, ephemeral(make_pod), 1)
    assert later.is_passing
    assert 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-scratch"' in later.message


def test_a_real_obstacle_is_told_before_a_passing_one(cluster, make_pod):
    cluster.add(storage_class())
    cluster.add(claim())
    volumes = [
        {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}
        for name, claim_name in (("a", "data"), ("b", "missing"))
    ]
    found = claims_obstacle(cluster, make_pod(volumes=[*volumes, {"name": "c", "emptyDir": {}}]), 1)
    assert 'persistentvolumeclaim "missing" not found' in found.message
