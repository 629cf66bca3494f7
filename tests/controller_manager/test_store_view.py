"""The picture that controllers read, over a real store."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.controller_manager.builtin import CONTROLLERS, builtin_parts, time_zone
from lifepod.controller_manager.store_view import StoreView
from lifepod.simulation.loop import SeededIds
from lifepod.store.objects import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def add(store, resource, name, namespace="ns", owner=None, labels=None, **more):
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels or {}}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "kind": "Job", "name": owner, "apiVersion": "batch/v1"}]
    store.create(resource, {"apiVersion": "v1", "kind": "X", "metadata": metadata, **more}, NOW)


@pytest.fixture
def view():
    store = Store()
    add(store, "pods", "a", owner="j", labels={"app": "x"}, spec={"nodeName": "n1"})
    add(store, "pods", "b", labels={"app": "x", "v": "2"}, spec={})
    add(store, "pods", "c", "other", labels={"app": "x"}, spec={"nodeName": "n1"})
    add(store, "configmaps", "m", owner="j")
    add(store, "nodes", "n1", "")
    return StoreView(store, KindRegistry(builtin_kinds()))


def names(objects):
    return [obj["metadata"]["name"] for obj in objects]


def test_reading_by_name_namespace_label_node_and_owner(view):
    assert view.get("pods", "ns", "a")["metadata"]["uid"] == "uid-a"
    assert view.get("pods", "ns", "nobody") is None
    assert names(view.list("pods")) == ["a", "b", "c"]
    assert names(view.list("pods", "ns")) == ["a", "b"]
    assert names(view.labelled("pods", "ns", {"app": "x", "v": "2"})) == ["b"]
    assert names(view.labelled("pods", "ns", {})) == ["a", "b"]
    assert names(view.on_node("n1")) == ["a", "c"]
    assert names(view.owned_by("j", "pods")) == ["a"]
    assert sorted(resource for resource, _ in view.dependents("j")) == ["configmaps", "pods"]


def test_kinds_are_found_by_their_names(view):
    assert view.resource_of("batch/v1", "Job") == ("jobs.batch", True)
    assert view.resource_of("v1", "Node") == ("nodes", False)
    assert view.resource_of("x/v1", "Nothing") is None
    assert sorted(view.namespaced_resources()) == ["configmaps", "pods"]


def test_all_parts_have_names_of_their_own(view):
    parts = builtin_parts(view, SeededIds(0), "pem")
    assert len({part.name for part in parts}) == len(parts) >= len(CONTROLLERS) + 4


def test_time_zones_are_found_by_name_or_not():
    assert str(time_zone("Europe/Berlin")) == "Europe/Berlin"
    assert time_zone("No/Where") is None
    assert time_zone("../etc/passwd") is None
