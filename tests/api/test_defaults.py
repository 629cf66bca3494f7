"""What the API server fills in, checked against what a real one made of the same manifests."""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.defaults_core import default_namespace, default_secret, default_service
from lifepod.api.defaults_pod import default_container, default_pod
from lifepod.api.defaults_workloads import default_cron_job, default_job, default_stateful_set
from lifepod.api.kinds import KindRegistry
from lifepod.api.pull_policy import default_pull_policy

_SPEC = importlib.util.spec_from_file_location("recordings", Path(__file__).with_name("recordings.py"))
recordings = importlib.util.module_from_spec(_SPEC)
sys.modules.setdefault("recordings", recordings)
_SPEC.loader.exec_module(recordings)

KINDS = KindRegistry(builtin_kinds())
ADMITTED = (
    "priority",
    "preemptionPolicy",
    "serviceAccount",
    "serviceAccountName",
    "tolerations",
    "volumes",
    "nodeName",
)


def without_admission(spec):
    spec = {name: value for name, value in spec.items() if name not in ADMITTED}
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [{k: v for k, v in c.items() if k != "volumeMounts"} for c in spec[name]]
    return spec


@pytest.mark.parametrize(
    ("applied", "made"), [pytest.param(a, m, id=name) for name, a, m in recordings.applied_objects()]
)
def test_an_applied_object_becomes_what_a_real_server_made_of_it(applied, made):
    kind = KINDS.named(applied["apiVersion"], applied["kind"])
    applied["metadata"]["uid"] = made["metadata"]["uid"]
    defaulted = kind.default(applied)
    prepared = kind.prepare_create(defaulted)
    assert without_admission(prepared["spec"]) == without_admission(made["spec"])
    assert prepared["metadata"].get("labels") == made["metadata"].get("labels")
    assert kind.default(defaulted) is defaulted


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("localhost:5000/busybox", "Always"),
        ("localhost:5000/busybox:1", "IfNotPresent"),
        ("busybox:1.36", "IfNotPresent"),
        ("busybox@sha256:" + "0" * 64, "IfNotPresent"),
        ("Bad/name", "Always"),  # an upper-case first part is a host
        ("bad/Name", "IfNotPresent"),
    ],
)
def test_only_the_tag_latest_is_always_pulled(image, policy):
    assert default_pull_policy(image) == policy


def test_limits_stand_in_for_missing_requests_of_a_pod_only():
    container = {
        "name": "c",
        "image": "i:1",
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
    }
    pod = default_pod({"spec": {"containers": [container]}})
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert default_container(container)["resources"]["requests"] == {"cpu": "500m"}


def test_on_the_host_network_a_container_port_is_a_host_port():
    container = {"name": "c", "image": "i:1", "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 8081}]}
    pod = default_pod({"spec": {"hostNetwork": True, "containers": [container]}})
    assert [port["hostPort"] for port in pod["spec"]["containers"][0]["ports"]] == [80, 8081]


@pytest.mark.parametrize(
    ("volume", "filled"),
    [
        ({"name": "v"}, {"emptyDir": {}}),
        ({"name": "v", "hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"name": "v", "secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"name": "v", "configMap": {"name": "m", "defaultMode": 256}}, {"configMap": {"name": "m", "defaultMode": 256}}),
        (
            {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {"projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}},
        ),
    ],
)  # fmt: skip
def test_a_volume_source_gets_its_own_defaults(volume, filled):
    pod = default_pod({"spec": {"containers": [], "volumes": [volume]}})
    assert pod["spec"]["volumes"] == [{"name": "v", **filled}]


@pytest.mark.parametrize(
    ("spec", "completions", "parallelism"),
    [
        ({}, 1, 1),
        ({"parallelism": 3}, None, 3),
        ({"completions": 5}, 5, 1),
        ({"completions": 5, "parallelism": 2}, 5, 2),
    ],
)
def test_a_job_without_completions_but_with_parallelism_is_a_work_queue(spec, completions, parallelism):
    job = default_job({"metadata": {}, "spec": {**spec, "template": {"spec": {}}}})
    assert (job["spec"].get("completions"), job["spec"]["parallelism"]) == (completions, parallelism)


def test_a_limit_per_index_leaves_the_overall_limit_open():
    job = default_job({"spec": {"backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": []}, "template": {}}})
    assert (job["spec"]["backoffLimit"], job["spec"]["podReplacementPolicy"]) == (2147483647, "Failed")


def test_a_job_with_its_own_selector_gets_no_labels():
    job = {
        "metadata": {"name": "j", "uid": "u"},
        "spec": {"manualSelector": True, "template": {"metadata": {"labels": {"a": "b"}}}},
    }
    prepared = KINDS.of("jobs.batch").prepare_create(default_job(job))
    assert prepared["spec"]["template"]["metadata"]["labels"] == {"a": "b"}
    assert "selector" not in prepared["spec"]


def test_secret_texts_become_data():
    secret = default_secret({"data": {"a": "QQ=="}, "stringData": {"b": "x"}})
    assert secret == {"type": "Opaque", "data": {"a": "QQ==", "b": base64.b64encode(b"x").decode()}}


def test_a_namespace_is_labelled_with_its_name():
    namespace = default_namespace({"metadata": {"name": "n"}})
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert KINDS.of("namespaces").prepare_create(namespace)["spec"] == {"finalizers": ["kubernetes"]}


@pytest.mark.parametrize(
    ("spec", "more"),
    [
        ({}, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}),
        ({"type": "NodePort"}, {"sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "externalTrafficPolicy": "Cluster"}),
        ({"type": "ExternalName"}, {"sessionAffinity": "None"}),
        ({"ports": [{"port": 80}]}, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
                                     "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}),
    ],
)  # fmt: skip
def test_a_service_is_inside_the_cluster_unless_it_says_otherwise(spec, more):
    assert default_service({"spec": spec})["spec"] == {**spec, **more}


def test_a_stateful_set_keeps_its_claims():
    stateful_set = default_stateful_set({"spec": {"template": {}}})
    assert stateful_set["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    assert stateful_set["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def test_a_cron_job_leaves_the_jobs_own_defaults_to_the_job():
    cron_job = default_cron_job(
        {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {}}}}}}
    )
    assert "backoffLimit" not in cron_job["spec"]["jobTemplate"]["spec"]
    assert cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"


def test_every_kind_is_defaulted_once():
    for kind in KINDS:
        obj = kind.default({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "n"}, "spec": {}})
        assert kind.default(obj) == obj, kind.kind
