"""GET and LIST: selectors, revisions, pages."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import timedelta

import orjson
import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import ListOptions, WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)


@pytest.fixture
def pods(api):
    for name, labels in [("a", {"app": "x"}), ("b", {"app": "y"}), ("c", {"app": "x"})]:
        spec = {"containers": [{"name": "c", "image": "x"}]}
        api.create(
            api.kinds.of("pods"), "default", {"metadata": {"name": name, "labels": labels}, "spec": spec}, OPTIONS
        )
    return api.kinds.of("pods")


def listed(api, kind, **query):
    return api.list(kind, ListOptions(**{"namespace": "default", **query}))


def names(found):
    return [item["metadata"]["name"] for item in found["items"]]


def refusal(api, kind, **query):
    with pytest.raises(ApiError) as refused:
        listed(api, kind, **query)
    return refused.value.code, refused.value.status["message"]


def test_a_list_shows_the_revision_of_everything_and_items_without_kind(api, pods):
    found = listed(api, pods)
    assert (found["kind"], found["apiVersion"]) == ("PodList", "v1")
    assert found["metadata"] == {"resourceVersion": str(api.store.revision)}
    assert names(found) == ["a", "b", "c"]
    assert all("kind" not in item for item in found["items"])


def test_the_encoded_list_is_the_same_list(api, pods):
    page = api.list_page(pods, ListOptions("default"))
    assert orjson.loads(page.encoded(api)) == listed(api, pods)


def test_an_empty_list_has_items(api):
    assert orjson.loads(api.list_page(api.kinds.of("jobs.batch")).encoded(api))["items"] == []


@pytest.mark.parametrize(
    ("labels", "fields", "found"),
    [
        ("app=x", "", ["a", "c"]),
        ("app!=x", "", ["b"]),
        ("", "metadata.name=b", ["b"]),
        ("", "metadata.name=b,metadata.name=b", ["b"]),
        ("", "status.phase=Pending", ["a", "b", "c"]),
        ("", "status.phase!=Pending", []),
        ("", "spec.nodeName=", ["a", "b", "c"]),
        ("app=x", "metadata.name!=a,metadata.namespace=default", ["c"]),
    ],
)
def test_selectors(api, pods, labels, fields, found):
    assert names(listed(api, pods, label_selector=labels, field_selector=fields)) == found


@pytest.mark.parametrize(
    ("resource", "query", "message"),
    [
        ("pods", {"field_selector": "spec.foo=x"}, "field label not supported: spec.foo"),
        ("jobs.batch", {"field_selector": "spec.x=1"}, 'field label "spec.x" not supported for Job'),
        (
            "configmaps",
            {"field_selector": "data.x=1"},
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("pods", {"label_selector": "a=b=c"}, "found '=', expected: ',' or 'end of string'"),
        ("pods", {"label_selector": "a in (b"}, "unable to parse requirement: found '', expected: ',' or ')'"),
        (
            "pods",
            {"continue_token": "a!b"},
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 1",
        ),
        (
            "pods",
            {"continue_token": "x", "resource_version": "5"},
            "specifying resource version is not allowed when using continue",
        ),
    ],
)
def test_bad_queries_are_400(api, resource, query, message):
    assert refusal(api, api.kinds.of(resource), **query) == (400, message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"resource_version_match": "Exact"}, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        (
            {"resource_version_match": "Exact", "resource_version": "0"},
            'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
    ],
)
def test_contradictory_queries_are_422(api, query, message):
    code, text = refusal(api, api.kinds.of("pods"), **query)
    assert code == 422
    assert message in text


def test_a_revision_that_was_never_reached_is_a_timeout(api, pods):
    with pytest.raises(ApiError) as refused:
        listed(api, pods, resource_version="99999")
    status = refused.value.status
    assert status["code"] == 504
    assert status["message"] == f"Timeout: Too large resource version: 99999, current: {api.store.revision}"
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_pages_show_the_first_pages_revision_whatever_happens_between(api, pods):
    first = listed(api, pods, limit=1)
    assert first["metadata"]["remainingItemCount"] == 2
    api.store.delete("pods", "default", "b", NOW)
    second = listed(api, pods, limit=5, continue_token=first["metadata"]["continue"])
    assert (names(first), names(second)) == (["a"], ["b", "c"])
    assert second["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


def test_a_selected_list_does_not_say_how_many_remain(api, pods):
    first = listed(api, pods, limit=1, label_selector="app=x")
    assert names(first) == ["a"]
    assert "remainingItemCount" not in first["metadata"]
    assert names(listed(api, pods, label_selector="app=x", continue_token=first["metadata"]["continue"])) == ["c"]


def test_a_token_that_is_too_old_says_how_to_go_on(api, pods):
    token = listed(api, pods, limit=1)["metadata"]["continue"]
    api.store.delete("pods", "default", "b", NOW)
    api.store.delete("pods", "default", "a", NOW + timedelta(minutes=6))
    with pytest.raises(ApiError) as refused:
        listed(api, pods, continue_token=token)
    status = refused.value.status
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith(
        "The provided continue parameter is too old to display a consistent list result."
    )
    assert names(listed(api, pods, continue_token=status["metadata"]["continue"])) == ["c"]


def test_revision_zero_ignores_the_limit(api, pods):
    found = listed(api, pods, limit=1, resource_version="0")
    assert len(found["items"]) == 3
    assert "continue" not in found["metadata"]


def test_an_exact_revision_shows_the_past(api, pods):
    revision = str(api.store.revision)
    api.store.delete("pods", "default", "b", NOW)
    found = listed(api, pods, resource_version=revision, resource_version_match="Exact")
    assert names(found) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "token",
    [
        b"[]",
        b"{}",
        b'{"v":"x","rv":1,"start":"a"}',
        b'{"v":"meta.k8s.io/v1","rv":"1","start":"a"}',
        b'{"v":"meta.k8s.io/v1","rv":1,"start":""}',
    ],
)
def test_a_token_that_was_never_ours_is_400(api, token):
    text = urlsafe_b64encode(token).rstrip(b"=").decode()
    assert refusal(api, api.kinds.of("pods"), continue_token=text)[0] == 400


def test_an_object_that_is_not_there_is_404_with_its_plural(api):
    with pytest.raises(ApiError) as refused:
        api.get(api.kinds.of("jobs.batch"), "default", "x")
    assert refused.value.status["message"] == 'jobs.batch "x" not found'
    assert refused.value.status["details"] == {"name": "x", "group": "batch", "kind": "jobs"}


def test_the_range_of_service_addresses_can_be_read(api):
    found = api.get(api.kinds.of("servicecidrs.networking.k8s.io"), "", "kubernetes")
    assert found["spec"] == {"cidrs": [api.settings.service_cidr]}
