"""ResourceQuotas and LimitRanges: what they fill in and what they refuse, in upstream's words."""

from __future__ import annotations

import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)


def make(api, resource, name, **members):
    return api.create(api.kinds.of(resource), "default", {"metadata": {"name": name}, **members}, OPTIONS)


def pod(resources=None, **spec):
    container = {"name": "main", "image": "busybox", **({"resources": resources} if resources else {})}
    return {"spec": {"containers": [container], **spec}}


@pytest.mark.parametrize(
    ("hard", "first", "second", "why"),
    [
        ({"pods": "1"}, pod(), pod(), "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"),
        (
            {"count/pods": "1"},
            pod(),
            pod(),
            "exceeded quota: q, requested: count/pods=1, used: count/pods=1, limited: count/pods=1",
        ),
        (
            {"requests.cpu": "1", "pods": "9"},
            pod({"requests": {"cpu": "600m"}}),
            pod({"requests": {"cpu": "500m"}}),
            "exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1",
        ),
        (
            {"limits.memory": "1Gi"},
            pod({"limits": {"memory": "1Gi"}}),
            pod({"limits": {"memory": "1Mi"}}),
            "exceeded quota: q, requested: limits.memory=1Mi, used: limits.memory=1Gi, limited: limits.memory=1Gi",
        ),
        ({"cpu": "1"}, pod({"requests": {"cpu": "1"}}), pod(), "failed quota: q: must specify cpu for: main"),
    ],
)
def test_a_quota_without_room_refuses(api, hard, first, second, why):
    make(api, "resourcequotas", "q", spec={"hard": hard})
    make(api, "pods", "a", **first)
    with pytest.raises(ApiError) as refused:
        make(api, "pods", "b", **second)
    assert (refused.value.code, refused.value.status["message"]) == (403, f'pods "b" is forbidden: {why}')


def test_an_ended_pod_makes_room(api):
    make(api, "resourcequotas", "q", spec={"hard": {"pods": "1"}})
    make(api, "pods", "a", **pod())
    kind = api.kinds.of("pods")
    api.patch(kind, "default", "a", b'{"status":{"phase":"Succeeded"}}', "merge", OPTIONS, "status")
    assert make(api, "pods", "b", **pod())["metadata"]["name"] == "b"


def test_other_resources_are_counted_too(api):
    make(
        api,
        "resourcequotas",
        "q",
        spec={"hard": {"configmaps": "1", "count/jobs.batch": "0", "services.nodeports": "1"}},
    )
    with pytest.raises(ApiError, match="exceeded quota: q, requested: configmaps=1, used: configmaps=1"):
        make(api, "configmaps", "more")
    template = {"template": {"spec": {**pod()["spec"], "restartPolicy": "Never"}}}
    with pytest.raises(ApiError, match=r"exceeded quota: q, requested: count/jobs\.batch=1"):
        make(api, "jobs.batch", "j", spec=template)
    ports = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    with pytest.raises(ApiError, match=r"requested: services\.nodeports=2"):
        make(api, "services", "s", spec={"type": "NodePort", "ports": ports})
    make(api, "services", "s", spec={"type": "ClusterIP", "ports": ports})
    with pytest.raises(ApiError, match=r"requested: services\.nodeports=2"):
        api.patch(api.kinds.of("services"), "default", "s", b'{"spec":{"type":"NodePort"}}', "merge", OPTIONS)


def test_a_scoped_quota_counts_only_what_is_in_scope(api):
    make(api, "resourcequotas", "q", spec={"hard": {"pods": "0"}, "scopes": ["Terminating"]})
    make(api, "pods", "a", **pod())
    with pytest.raises(ApiError, match="exceeded quota"):
        make(api, "pods", "b", **pod(activeDeadlineSeconds=5))


def limits(**item):
    return {"spec": {"limits": [{"type": "Container", **item}]}}


def test_a_limit_range_fills_in_what_is_missing(api):
    make(api, "limitranges", "l", **limits(default={"cpu": "1"}, defaultRequest={"cpu": "100m"}))
    made = make(api, "pods", "a", **pod())
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu limit for container main; cpu request for container main"
    )
    assert made["status"]["qosClass"] == "Burstable"


@pytest.mark.parametrize(
    ("item", "resources", "why"),
    [
        (
            {"min": {"cpu": "100m"}},
            {"requests": {"cpu": "50m"}, "limits": {"cpu": "1"}},
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            {"max": {"memory": "1Gi"}},
            {"limits": {"memory": "2Gi"}},
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "400m"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        ),
    ],
)
def test_a_limit_range_refuses_what_is_out_of_bounds(api, item, resources, why):
    make(api, "limitranges", "l", **limits(**item))
    with pytest.raises(ApiError) as refused:
        make(api, "pods", "a", **pod(resources))
    assert (refused.value.code, refused.value.status["message"]) == (403, f'pods "a" is forbidden: {why}')
