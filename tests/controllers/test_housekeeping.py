"""Namespaces, service accounts, endpoints and the garbage collector (api.md §14, §20)."""

from __future__ import annotations

import pytest

from lifepod.controllers.endpoint_slice import ENDPOINT_SLICE
from lifepod.controllers.endpoints import ENDPOINTS
from lifepod.controllers.namespace import NAMESPACE
from lifepod.controllers.outcome import Look
from lifepod.controllers.owner_gc import OWNER_GC
from lifepod.controllers.service_account import service_account_controller


def namespace(name="x"):
    metadata = {"name": name}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata,
        "spec": {"finalizers": ["kubernetes"]},
        "status": {},
    }


def config_map(name, owner=None, **metadata):
    if owner is not None:
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
        metadata["ownerReferences"] = [{**reference, "blockOwnerDeletion": True}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def delete(cluster, obj, policy):
    namespace_, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    cluster._delete("configmaps", namespace_, name, {"propagationPolicy": policy})
    cluster.settle()


def test_every_namespace_gets_its_account_and_the_ca_and_gets_them_back(cluster):
    cluster.drive(service_account_controller("PEM"))
    cluster.add(namespace())
    cluster.settle()
    assert cluster.get("configmaps", "x", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}
    cluster.delete(cluster.get("serviceaccounts", "x", "default"))
    cluster.settle()
    assert cluster.get("serviceaccounts", "x", "default") is not None


def test_a_deleted_namespace_is_emptied_and_then_released(cluster, make_pod):
    made = cluster.add(namespace())
    cluster.add(config_map("c", namespace="x"))
    pod = make_pod(nodeName="n")
    pod["metadata"]["namespace"] = "x"
    pod = cluster.add(pod)
    cluster.drive(NAMESPACE)
    cluster.delete(made)
    cluster.settle()
    terminating = cluster.again(made)
    remaining = {c["type"]: c for c in terminating["status"]["conditions"]}["NamespaceContentRemaining"]
    assert terminating["status"]["phase"] == "Terminating"
    assert remaining["message"].startswith("Some resources are remaining: ")
    assert cluster.list("configmaps") == []
    cluster.delete(pod)
    cluster.run(5)
    assert cluster.again(made) is None


def test_dependents_go_with_their_last_owner(cluster):
    one, two = cluster.add(config_map("one")), cluster.add(config_map("two"))
    both = config_map("both", owner=one)
    both["metadata"]["ownerReferences"] += config_map("_", owner=two)["metadata"]["ownerReferences"]
    cluster.add(both)
    cluster.add(config_map("single", owner=one))
    cluster.drive(OWNER_GC)
    cluster.delete(one)
    cluster.settle()
    assert [c["metadata"]["name"] for c in cluster.list("configmaps")] == ["both", "two"]
    cluster.delete(two)
    cluster.settle()
    assert cluster.list("configmaps") == []


def test_an_owner_of_that_name_but_another_uid_is_no_owner(cluster):
    owner = cluster.add(config_map("owner"))
    stale = {**owner, "metadata": {**owner["metadata"], "uid": "long gone"}}
    cluster.add(config_map("child", owner=stale))
    cluster.drive(OWNER_GC)
    assert [c["metadata"]["name"] for c in cluster.list("configmaps")] == ["owner"]


def test_foreground_waits_for_the_dependents(cluster):
    owner = cluster.add(config_map("owner"))
    child = cluster.add(config_map("child", owner=owner, finalizers=["x/hold"]))
    cluster.drive(OWNER_GC)
    delete(cluster, owner, "Foreground")
    assert "deletionTimestamp" in cluster.again(child)["metadata"]
    assert cluster.again(owner) is not None
    cluster.change(child, metadata={k: v for k, v in cluster.again(child)["metadata"].items() if k != "finalizers"})
    cluster.settle()
    assert cluster.list("configmaps") == []


def test_orphaned_dependents_stay_without_their_owner(cluster):
    owner = cluster.add(config_map("owner"))
    child = cluster.add(config_map("child", owner=owner))
    cluster.drive(OWNER_GC)
    delete(cluster, owner, "Orphan")
    assert cluster.again(owner) is None
    assert "ownerReferences" not in cluster.again(child)["metadata"]


def service(**spec):
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": "web", "protocol": "TCP"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}


def backend(make_pod, name):
    pod = make_pod(name, labels={"a": "b"}, nodeName="n")
    pod["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": 8080}]
    return pod


def test_endpoints_follow_readiness(cluster, make_pod):
    cluster.add(service())
    pods = [cluster.add(backend(make_pod, name)) for name in ("p", "q")]
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    cluster.make_ready(pods[0], "10.0.0.1")
    cluster.make_ready(pods[1], "10.0.0.2", ready=False)
    cluster.settle()
    (subset,) = cluster.get("endpoints", "default", "s")["subsets"]
    assert [a["ip"] for a in subset["addresses"]] == ["10.0.0.1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.0.0.2"]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
    (piece,) = cluster.list("endpointslices.discovery.k8s.io")
    assert [e["conditions"]["ready"] for e in piece["endpoints"]] == [True, False]
    assert piece["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    cluster.finish(pods[0])
    cluster.settle()
    assert "addresses" not in cluster.get("endpoints", "default", "s")["subsets"][0]
    assert len(cluster.list("endpointslices.discovery.k8s.io")[0]["endpoints"]) == 1


def test_a_slice_holds_at_most_a_hundred_endpoints(cluster, make_pod):
    cluster.add(service())
    for i in range(150):
        cluster.make_ready(cluster.add(backend(make_pod, f"p{i}")), f"10.0.{i // 250}.{i % 250}")
    cluster.drive(ENDPOINT_SLICE)
    assert sorted(len(s["endpoints"]) for s in cluster.list("endpointslices.discovery.k8s.io")) == [50, 100]


def test_endpoints_go_with_their_service(cluster):
    made = cluster.add(service())
    cluster.drive(ENDPOINTS)
    assert cluster.get("endpoints", "default", "s") is not None
    cluster.delete(made)
    cluster.settle()
    assert cluster.get("endpoints", "default", "s") is None


def test_unready_addresses_are_published_where_asked_for(cluster, make_pod):
    cluster.add(service(publishNotReadyAddresses=True))
    cluster.make_ready(cluster.add(backend(make_pod, "p")), ready=False)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    assert "addresses" in cluster.get("endpoints", "default", "s")["subsets"][0]
    assert cluster.list("endpointslices.discovery.k8s.io")[0]["endpoints"][0]["conditions"]["ready"] is True


def test_a_dependent_of_a_vanished_and_a_living_owner_forgets_the_vanished_one(cluster):
    living = cluster.add(config_map("living"))
    gone = {**living, "metadata": {**living["metadata"], "uid": "gone", "name": "gone"}}
    both = config_map("child", owner=living)
    both["metadata"]["ownerReferences"] += config_map("_", owner=gone)["metadata"]["ownerReferences"]
    child = cluster.add(both)
    cluster.drive(OWNER_GC)
    assert [r["name"] for r in cluster.again(child)["metadata"]["ownerReferences"]] == ["living"]


def test_an_owner_of_an_unknown_kind_counts_as_there(cluster):
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [{"apiVersion": "x/v1", "kind": "Thing", "name": "t", "uid": "u"}]
    child = cluster.add(child)
    cluster.drive(OWNER_GC)
    assert cluster.again(child) is not None
    cluster.delete(child)
    cluster.settle()
    assert cluster.again(child) is None


def test_an_owner_in_another_namespace_owns_nothing_and_that_is_told(cluster):
    owner = cluster.add(config_map("owner"))
    child = cluster.add(config_map("child", owner=owner, namespace="other"))
    cluster.drive(OWNER_GC)
    assert cluster.again(child) is None
    (event,) = [e for e in cluster.list("events") if e["reason"] == "OwnerRefInvalidNamespace"]
    uid = owner["metadata"]["uid"]
    assert event["message"] == (
        f'ownerRef [v1/ConfigMap, namespace: other, name: owner, uid: {uid}] does not exist in namespace "other"'
    )


def test_a_cluster_wide_object_is_never_collected_with_an_owner_from_a_namespace(cluster):
    owner = cluster.add(config_map("owner"))
    volume = config_map("volume", owner=owner)
    volume = cluster.add({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": volume["metadata"], "spec": {}})
    cluster.drive(OWNER_GC)
    cluster.delete(owner)
    cluster.settle()
    assert cluster.again(volume) is not None


def test_foreground_goes_on_through_the_generations(cluster):
    owner = cluster.add(config_map("owner"))
    child = cluster.add(config_map("child", owner=owner))
    grandchild = cluster.add(config_map("grandchild", owner=child, finalizers=["x/hold"]))
    for obj in (child, grandchild):
        references = [{**r, "blockOwnerDeletion": True} for r in cluster.again(obj)["metadata"]["ownerReferences"]]
        cluster.change(obj, metadata={**cluster.again(obj)["metadata"], "ownerReferences": references})
    cluster.drive(OWNER_GC)
    delete(cluster, owner, "Foreground")
    assert [c["metadata"]["name"] for c in cluster.list("configmaps")] == ["child", "grandchild", "owner"]
    held = cluster.again(grandchild)["metadata"]
    cluster.change(grandchild, metadata={k: v for k, v in held.items() if k != "finalizers"})
    cluster.settle()
    assert cluster.list("configmaps") == []


def test_a_changed_certificate_is_set_right(cluster):
    cluster.add(namespace())
    cluster.drive(service_account_controller("PEM"))
    found = cluster.get("configmaps", "x", "kube-root-ca.crt")
    cluster.change(found, data={"ca.crt": "forged"})
    cluster.settle()
    assert cluster.get("configmaps", "x", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}


def test_content_held_by_a_finalizer_holds_its_namespace_and_is_told(cluster):
    made = cluster.add(namespace())
    held = cluster.add(config_map("held", namespace="x", finalizers=["x/hold"]))
    cluster.drive(NAMESPACE)
    cluster.delete(made)
    cluster.run(6)
    shown = {c["type"]: c for c in cluster.again(made)["status"]["conditions"]}
    assert shown["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: x/hold in 1 resource instances"
    )
    assert shown["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps has 1 resource instances"
    )
    kept = cluster.again(held)["metadata"]
    cluster.change(held, metadata={k: v for k, v in kept.items() if k != "finalizers"})
    cluster.run(6)
    assert cluster.again(made) is None


def test_a_large_namespace_is_counted_only_now_and_then(cluster):
    made = cluster.add(namespace())
    for i in range(120):
        cluster.add(config_map(f"c{i}", namespace="x", finalizers=["x/hold"]))
    cluster.drive(NAMESPACE)
    cluster.delete(made)
    cluster.settle()
    looks = len([w for w in cluster.log if w.subresource == "status"])
    for obj in cluster.list("configmaps", "x")[:50]:
        kept = obj["metadata"]
        cluster.change(obj, metadata={k: v for k, v in kept.items() if k != "finalizers"})
        cluster.settle()
    assert len([w for w in cluster.log if w.subresource == "status"]) == looks
    cluster.run(1)
    assert len([w for w in cluster.log if w.subresource == "status"]) > looks


def test_a_namespace_that_somebody_else_holds_is_left_to_them(cluster):
    made = cluster.add({**namespace(), "spec": {"finalizers": ["kubernetes", "x/hold"]}})
    cluster.drive(NAMESPACE)
    cluster.delete(made)
    cluster.run(30)
    assert cluster.again(made)["spec"]["finalizers"] == ["x/hold"]
    assert len([w for w in cluster.log if w.subresource == "finalize"]) == 1


@pytest.mark.parametrize(
    ("finalizers", "policy"),
    [([], "Background"), (["orphan"], "Orphan"), (["foregroundDeletion"], "Foreground")],
)
def test_how_a_dependent_goes_is_said_by_its_own_finalizers(cluster, finalizers, policy):
    owner = cluster.add(config_map("owner"))
    cluster.add(config_map("child", owner=owner, finalizers=finalizers))
    cluster.drive(OWNER_GC)
    cluster.delete(owner)
    cluster.settle()
    (asked,) = [w for w in cluster.log if w.verb == "delete" and w.name == "child"]
    assert asked.body["propagationPolicy"] == policy


def test_more_addresses_than_endpoints_can_hold_are_cut_and_said_to_be(cluster, make_pod):
    cluster.add(service())
    for i in range(1001):
        cluster.make_ready(cluster.add(backend(make_pod, f"p{i}")), f"10.0.{i // 250}.{i % 250}")
    (stage,) = ENDPOINTS.reconcile(Look(cluster, ("default", "s"), cluster.now, cluster.ids)).stages
    body = stage[0].write.body
    assert sum(len(subset["addresses"]) for subset in body["subsets"]) == 1000
    assert body["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"] == "truncated"


def test_a_slice_that_becomes_empty_goes(cluster, make_pod):
    cluster.add(service())
    pods = [cluster.make_ready(cluster.add(backend(make_pod, f"p{i}")), f"10.0.0.{i}") for i in range(101)]
    cluster.drive(ENDPOINT_SLICE)
    slices = cluster.list("endpointslices.discovery.k8s.io")
    (small,) = [s for s in slices if len(s["endpoints"]) == 1]
    (alone,) = [p for p in pods if p["metadata"]["uid"] == small["endpoints"][0]["targetRef"]["uid"]]
    cluster.delete(alone)
    cluster.run(5)
    assert [len(s["endpoints"]) for s in cluster.list("endpointslices.discovery.k8s.io")] == [100]
