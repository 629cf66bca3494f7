"""Which kinds exist is told once, and the rest of the API can be looked up from it."""

from __future__ import annotations

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.events import core_event, new_event
from lifepod.api.kinds import KindRegistry

KINDS = KindRegistry(builtin_kinds())

CATEGORY_ALL = {
    "pods", "replicationcontrollers", "services", "daemonsets.apps", "deployments.apps", "replicasets.apps",
    "statefulsets.apps", "horizontalpodautoscalers.autoscaling", "cronjobs.batch", "jobs.batch",
}  # fmt: skip


def test_get_all_means_the_ten_kinds_of_upstream():
    assert {kind.resource for kind in KINDS if "all" in kind.categories} == CATEGORY_ALL


@pytest.mark.parametrize(
    ("short", "resource"),
    [
        ("cm", "configmaps"), ("ev", "events"), ("ep", "endpoints"), ("ns", "namespaces"), ("no", "nodes"),
        ("po", "pods"), ("pvc", "persistentvolumeclaims"), ("pv", "persistentvolumes"), ("rc", "replicationcontrollers"),
        ("quota", "resourcequotas"), ("limits", "limitranges"), ("sa", "serviceaccounts"), ("svc", "services"),
        ("cs", "componentstatuses"), ("deploy", "deployments.apps"), ("rs", "replicasets.apps"),
        ("sts", "statefulsets.apps"), ("ds", "daemonsets.apps"), ("cj", "cronjobs.batch"),
        ("hpa", "horizontalpodautoscalers.autoscaling"), ("csr", "certificatesigningrequests.certificates.k8s.io"),
        ("ing", "ingresses.networking.k8s.io"), ("netpol", "networkpolicies.networking.k8s.io"),
        ("pdb", "poddisruptionbudgets.policy"), ("pc", "priorityclasses.scheduling.k8s.io"),
        ("sc", "storageclasses.storage.k8s.io"), ("crd", "customresourcedefinitions.apiextensions.k8s.io"),
    ],
)  # fmt: skip
def test_a_short_name_means_its_first_kind(short, resource):
    assert next(kind.resource for kind in KINDS if short in kind.short_names) == resource


def test_a_put_creates_only_the_kinds_whose_strategy_allows_it():
    assert {kind.kind for kind in KINDS if kind.create_on_update} == {
        "Lease", "Service", "Event", "Endpoints", "LimitRange", "RuntimeClass",
        "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
    }  # fmt: skip


def test_reviews_are_answered_and_never_kept():
    assert {kind.kind for kind in KINDS if not kind.is_stored} == {
        "Binding", "ComponentStatus", "SelfSubjectReview", "TokenReview", "LocalSubjectAccessReview",
        "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview",
    }  # fmt: skip


def test_a_namespace_cannot_be_deleted_as_part_of_a_collection():
    assert "deletecollection" not in KINDS.of("namespaces").verbs


def test_the_newer_autoscaler_is_the_one_that_is_kept():
    assert KINDS.of("horizontalpodautoscalers.autoscaling").version == "v2"


def test_both_event_groups_keep_their_objects_in_one_place():
    kind = KINDS.named("events.k8s.io/v1", "Event")
    assert kind is not None
    assert kind.stored_as == "events"
    assert KINDS.of("events").stored_as == "events"


def test_an_event_survives_the_way_to_the_other_group_and_back():
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "d"}, "message": "m", "reason": "R",
        "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet"}, "count": 3, "type": "Normal",
        "firstTimestamp": "2025-01-01T00:00:00Z", "lastTimestamp": None, "eventTime": None,
        "reportingComponent": "kubelet", "reportingInstance": "n",
    }  # fmt: skip
    new = new_event(event)
    assert new["regarding"] == {"kind": "Pod", "name": "p"}
    assert (new["note"], new["deprecatedCount"], new["reportingController"]) == ("m", 3, "kubelet")
    assert core_event(new) == event
