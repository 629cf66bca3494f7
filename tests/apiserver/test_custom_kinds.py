"""CustomResourceDefinitions: served at once, withdrawn with their objects."""

from __future__ import annotations

import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import DeleteOptions, WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
WIDGETS = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "subresources": {"status": {}},
            }
        ],
    },
}


@pytest.fixture
def widgets(api):
    kind = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    made = api.create(kind, "", WIDGETS, OPTIONS)
    assert {c["type"]: c["status"] for c in made["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert made["status"]["storedVersions"] == ["v1"]
    return api.kinds.of("widgets.example.com")


def test_objects_of_a_new_kind_are_pruned_and_keep_their_status_apart(api, widgets):
    body = {"metadata": {"name": "w"}, "spec": {"size": 1, "bogus": 2}}
    made = api.create(widgets, "default", body, OPTIONS)
    assert made["apiVersion"] == "example.com/v1"
    assert made["spec"] == {"size": 1}
    assert made["metadata"]["generation"] == 1
    patched = api.patch(
        widgets, "default", "w", b'{"status":{"x":1},"spec":{"size":9}}', "merge", OPTIONS, "status"
    ).obj
    assert (patched["status"], patched["spec"], patched["metadata"]["generation"]) == ({"x": 1}, {"size": 1}, 1)


def test_custom_objects_take_no_strategic_patch(api, widgets):
    api.create(widgets, "default", {"metadata": {"name": "w"}}, OPTIONS)
    with pytest.raises(ApiError) as refused:
        api.patch(widgets, "default", "w", b"{}", "strategic", OPTIONS)
    assert refused.value.code == 415


def test_a_withdrawn_definition_takes_its_objects_along(api, widgets):
    api.create(widgets, "default", {"metadata": {"name": "w"}}, OPTIONS)
    kind = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    api.delete(kind, "", "widgets.example.com", DeleteOptions(), OPTIONS)
    assert api.kinds.at("example.com", "v1", "widgets") is None
    assert api.store.keys("widgets.example.com") == []
