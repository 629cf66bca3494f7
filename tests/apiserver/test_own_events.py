"""Events of the cluster's own parts take a short way: what is kept must be what the long one keeps."""

from __future__ import annotations

import pytest

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write
from lifepod.apiserver.create import create
from lifepod.apiserver.options import SYSTEM, WriteOptions

from .conftest import NOW

LONG_WAY = WriteOptions(NOW, SYSTEM, "lifepod", "Ignore")


def event(name: str = "p.1", **metadata: object) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
        "reason": "Pulled",
        "message": "Image is present",
        "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": "2025-01-01T00:00:00Z",
        "eventTime": None,
        "type": "Normal",
    }


def post(api, body: JsonObject, namespace: str = "default") -> JsonObject:
    return api.carry_out(Write("create", "events", namespace, body["metadata"]["name"], body), NOW)


def without_chance(obj: JsonObject) -> JsonObject:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "resourceVersion", "name")}
    return {**obj, "metadata": metadata}


def test_the_short_way_keeps_what_the_long_way_keeps(api):
    short = post(api, event("p.1"))
    long = create(api, api.kinds.of("events"), "default", event("p.2"), LONG_WAY)
    assert list(short) == list(long)
    assert list(short["metadata"]) == list(long["metadata"])
    assert without_chance(short) == without_chance(long)
    assert api.store.get("events", "default", "p.1") == short


def test_labels_and_owners_go_the_long_way(api):
    with pytest.raises(ApiError) as refused:
        post(api, event(labels={"not a label": "x"}))
    assert refused.value.code == 422


@pytest.mark.parametrize(
    ("name", "namespace", "code"),
    [("p.1", "default", 409), ("Not A Name", "default", 422), ("p.2", "missing", 404), ("x" * 254, "default", 422)],
)
def test_the_short_way_refuses_what_the_long_way_refuses(api, name, namespace, code):
    post(api, event("p.1"))
    with pytest.raises(ApiError) as refused:
        post(api, event(name, namespace=namespace), namespace)
    assert refused.value.code == code


def test_a_terminating_namespace_and_a_full_quota_take_no_events(api):
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/events": "1"}}}
    api.create(api.kinds.of("resourcequotas"), "default", quota, LONG_WAY)
    post(api, event("p.1"))
    with pytest.raises(ApiError) as refused:
        post(api, event("p.2"))
    assert (refused.value.code, "exceeded quota" in str(refused.value)) == (403, True)
    api.create(api.kinds.of("namespaces"), "", {"metadata": {"name": "going"}}, LONG_WAY)
    api.carry_out(Write("delete", "namespaces", "", "going", {}), NOW)
    with pytest.raises(ApiError) as late:
        post(api, event("p.3", namespace="going"), "going")
    assert (late.value.code, "being terminated" in str(late.value)) == (403, True)
