"""What the server refuses of an object for reasons outside the object: zones that are files, a default that there is already."""

from __future__ import annotations

import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)
CLASSES = "priorityclasses.scheduling.k8s.io"


def cron_job(zone):
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    template = {"spec": {"template": {"spec": pod}}}
    return {"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "timeZone": zone, "jobTemplate": template}}


def test_a_time_zone_that_nobody_knows_is_refused(api):
    kind = api.kinds.of("cronjobs.batch")
    with pytest.raises(ApiError) as refused:
        api.create(kind, "default", cron_job("Mars/Olympus"), OPTIONS)
    assert refused.value.status["message"] == (
        'CronJob.batch "c" is invalid: spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'
    )
    assert api.create(kind, "default", cron_job("UTC"), OPTIONS)["spec"]["timeZone"] == "UTC"


def test_there_is_one_default_priority_class_at_most(api):
    kind = api.kinds.of(CLASSES)
    first = api.create(kind, "", {"metadata": {"name": "one"}, "value": 1, "globalDefault": True}, OPTIONS)
    with pytest.raises(ApiError) as refused:
        api.create(kind, "", {"metadata": {"name": "two"}, "value": 2, "globalDefault": True}, OPTIONS)
    assert refused.value.status["code"] == 403
    assert refused.value.status["message"].endswith(
        "PriorityClass one is already marked as default. Only one default can exist"
    )
    assert api.update(kind, "", "one", {**first, "description": "still"}, OPTIONS).obj["globalDefault"]


def test_an_autoscaler_can_be_written_and_read_in_both_versions(api):
    old, new = (api.kinds.at("autoscaling", version, "horizontalpodautoscalers") for version in ("v1", "v2"))
    spec = {
        "maxReplicas": 3,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
        "targetCPUUtilizationPercentage": 50,
    }
    api.create(old, "default", {"metadata": {"name": "h"}, "spec": spec}, OPTIONS)
    target = {"type": "Utilization", "averageUtilization": 50}
    found = api.get(new, "default", "h")
    assert (found["apiVersion"], found["spec"]["metrics"]) == (
        "autoscaling/v2",
        [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    )
    assert api.get(old, "default", "h")["spec"]["targetCPUUtilizationPercentage"] == 50


@pytest.mark.parametrize(
    ("first", "then", "gone"),
    [
        ("NodePort", {"type": "ClusterIP"}, {"externalTrafficPolicy", "nodePort"}),
        ("LoadBalancer", {"type": "ClusterIP"}, {"externalTrafficPolicy", "allocateLoadBalancerNodePorts", "nodePort"}),
        ("ClusterIP", {"type": "ExternalName", "externalName": "a.b"}, {"clusterIP", "clusterIPs", "ipFamilies"}),
    ],
)
def test_a_service_of_another_type_leaves_behind_what_only_the_former_had(api, first, then, gone):
    kind = api.kinds.of("services")
    spec = {"type": first, "ports": [{"port": 80}]}
    made = api.create(kind, "default", {"metadata": {"name": "s"}, "spec": spec}, OPTIONS)
    assert gone <= made["spec"].keys() | made["spec"]["ports"][0].keys()
    changed = api.patch(kind, "default", "s", {"spec": then}, "merge", OPTIONS).obj["spec"]
    assert not gone & (changed.keys() | changed["ports"][0].keys())
