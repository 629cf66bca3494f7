"""The store: revisions, conflicts, order, lists of the past, snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from lifepod.api.selectors import parse_label_selector
from lifepod.store import AlreadyExists, FieldTerm, Missing, Selection, Store, TooOld, WrongRevision

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def pod(name, namespace="default", labels=None, **more):
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **more}


def names(page):
    return [record.name for record in page.records]


def test_every_write_gets_the_next_revision_of_one_counter():
    store = Store()
    first = store.create("pods", pod("a"), NOW)
    second = store.create("configmaps", pod("a"), NOW)
    assert (first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]) == ("1", "2")


def test_the_encoded_form_begins_with_kind_and_apiversion_which_a_list_item_lacks():
    store = Store()
    store.create("pods", pod("a", spec={"x": 1}), NOW)
    record = store.record("pods", "default", "a")
    assert record.encoded.startswith(b'{"kind":"Pod","apiVersion":"v1","metadata":')
    bare = orjson.loads(record.bare_encoded())
    assert "kind" not in bare
    assert "apiVersion" not in bare
    assert bare["spec"] == {"x": 1}


def test_creating_a_name_twice_is_refused():
    store = Store()
    store.create("pods", pod("a"), NOW)
    with pytest.raises(AlreadyExists):
        store.create("pods", pod("a"), NOW)


def test_a_write_that_changes_nothing_gets_no_revision_and_tells_nobody():
    store = Store()
    told = []
    made = store.create("pods", pod("a", spec={"n": 1}), NOW)
    store.on_change(told.append)
    again = store.update("pods", pod("a", spec={"n": 1}), NOW)
    assert again == made
    assert store.revision == 1
    assert told == []


@pytest.mark.parametrize(("before", "after"), [(True, 1), (1, 1.0), (0, False)])
def test_values_that_python_calls_equal_but_json_does_not_are_a_change(before, after):
    store = Store()
    store.create("pods", pod("a", spec={"n": before}), NOW)
    changed = store.update("pods", pod("a", spec={"n": after}), NOW)
    assert changed["metadata"]["resourceVersion"] == "2"


def test_a_write_based_on_an_old_revision_conflicts():
    store = Store()
    store.create("pods", pod("a", spec={"n": 1}), NOW)
    store.update("pods", pod("a", spec={"n": 2}), NOW, revision=1)
    with pytest.raises(WrongRevision):
        store.update("pods", pod("a", spec={"n": 3}), NOW, revision=1)


def test_updating_or_deleting_what_is_not_there_is_refused():
    store = Store()
    with pytest.raises(Missing):
        store.update("pods", pod("a"), NOW)
    with pytest.raises(Missing):
        store.delete("pods", "default", "a", NOW)


def test_a_deletion_has_its_own_revision_in_the_final_object():
    store = Store()
    store.create("pods", pod("a"), NOW)
    final = store.delete("pods", "default", "a", NOW)
    assert final["metadata"]["resourceVersion"] == "2"
    assert store.get("pods", "default", "a") is None


def test_lists_are_ordered_bytewise_by_namespace_slash_name():
    store = Store()
    for namespace, name in [("b", "x"), ("a-b", "x"), ("a", "y"), ("a", "x")]:
        store.create("pods", pod(name, namespace), NOW)
    order = [(r.namespace, r.name) for r in store.list("pods").records]
    assert order == [("a-b", "x"), ("a", "x"), ("a", "y"), ("b", "x")]
    assert names(store.list("pods", Selection(namespace="a"))) == ["x", "y"]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=web", ["a", "b"]),
        ("app!=web", ["c", "d"]),
        ("app in (web,db)", ["a", "b", "c"]),
        ("app,tier=x", ["b"]),
        ("!app", ["d"]),
        ("app=none", []),
    ],
)
def test_lists_by_label(selector, found):
    store = Store()
    store.create("pods", pod("a", labels={"app": "web"}), NOW)
    store.create("pods", pod("b", labels={"app": "web", "tier": "x"}), NOW)
    store.create("pods", pod("c", labels={"app": "db"}), NOW)
    store.create("pods", pod("d"), NOW)
    assert names(store.list("pods", Selection("default", parse_label_selector(selector)))) == found


def test_a_changed_label_is_found_under_its_new_value_only():
    store = Store()
    store.create("pods", pod("a", labels={"app": "web"}), NOW)
    store.update("pods", pod("a", labels={"app": "db"}), NOW)
    assert names(store.list("pods", Selection("", parse_label_selector("app=web")))) == []
    assert names(store.list("pods", Selection("", parse_label_selector("app=db")))) == ["a"]


def test_pods_are_found_by_their_node():
    store = Store()
    store.create("pods", pod("a", spec={"nodeName": "n1"}), NOW)
    store.create("pods", pod("b", spec={}), NOW)
    wanted = Selection("", (), (FieldTerm(("spec", "nodeName"), "n1"),))
    assert names(store.list("pods", wanted)) == ["a"]
    store.update("pods", pod("b", spec={"nodeName": "n1"}), NOW)
    assert names(store.list("pods", wanted)) == ["a", "b"]
    unbound = Selection("", (), (FieldTerm(("spec", "nodeName"), ""),))
    assert names(store.list("pods", unbound)) == []


def test_pages_go_on_after_the_last_key_and_say_how_many_remain():
    store = Store()
    for name in "abcde":
        store.create("pods", pod(name), NOW)
    page = store.list("pods", limit=2)
    assert (names(page), page.last_key, page.remaining) == (["a", "b"], "default/b", 3)
    page = store.list("pods", limit=3, after=page.last_key)
    assert (names(page), page.last_key) == (["c", "d", "e"], "")


def test_a_list_of_the_past_shows_what_was_there_then():
    store = Store()
    store.create("pods", pod("a", spec={"n": 1}), NOW)
    store.create("pods", pod("b"), NOW)
    store.update("pods", pod("a", spec={"n": 2}), NOW)
    store.delete("pods", "default", "b", NOW)
    store.create("pods", pod("c"), NOW)
    page = store.list("pods", revision=2)
    assert [(r.name, r.revision) for r in page.records] == [("a", 1), ("b", 2)]
    assert page.revision == 2


def test_a_list_of_the_past_older_than_five_minutes_is_refused():
    store = Store()
    store.create("pods", pod("a"), NOW)
    store.create("pods", pod("b"), NOW + timedelta(seconds=1))
    store.create("pods", pod("c"), NOW + timedelta(seconds=302))
    with pytest.raises(TooOld):
        store.list("pods", revision=1)
    assert names(store.list("pods", revision=2)) == ["a", "b"]


def test_a_snapshot_is_untouched_by_later_writes_and_restoring_never_takes_revisions_back():
    store = Store()
    store.create("pods", pod("a", labels={"x": "y"}), NOW)
    state = store.snapshot()
    store.delete("pods", "default", "a", NOW)
    store.create("pods", pod("b"), NOW)
    store.restore(state)
    assert names(store.list("pods")) == ["a"]
    assert names(store.list("pods", Selection("", parse_label_selector("x=y")))) == ["a"]
    made = store.create("pods", pod("c"), NOW)
    assert int(made["metadata"]["resourceVersion"]) > 3


def test_a_fork_goes_its_own_way():
    store = Store()
    store.create("pods", pod("a"), NOW)
    other = store.fork()
    other.create("pods", pod("b"), NOW)
    assert names(store.list("pods")) == ["a"]
    assert names(other.list("pods")) == ["a", "b"]


def test_owned_objects_are_found_across_resources():
    store = Store()
    owned = pod("child")
    owned["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "j", "uid": "job-uid"}]
    store.create("pods", owned, NOW)
    store.create("configmaps", owned, NOW)
    assert [r.resource for r in store.owned_by("job-uid")] == ["configmaps", "pods"]
    store.delete("pods", "default", "child", NOW)
    assert [r.resource for r in store.owned_by("job-uid")] == ["configmaps"]
