"""Watches: what each selection sees of a change, and when the history cannot tell."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.selectors import parse_label_selector
from lifepod.store import Change, FieldTerm, Selection, Store, TooOld, Watch, history

NOW = datetime(2025, 1, 1, tzinfo=UTC)
WEB = Selection("", parse_label_selector("app=web"))


def pod(name, app, phase="Pending"):
    metadata = {"name": name, "namespace": "default", "uid": name, "labels": {"app": app}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": phase}}


def taken(watch):
    lines = [orjson.loads(seen.line) for seen in watch.take()]
    return [(line["type"], line["object"]["metadata"]["resourceVersion"]) for line in lines]


def test_a_watch_sees_what_is_later_than_its_revision_in_order():
    store = Store()
    store.create("pods", pod("a", "web"), NOW)
    watch = Watch(store, "pods", revision=1)
    store.update("pods", pod("a", "db"), NOW)
    store.create("configmaps", pod("x", "web"), NOW)
    store.delete("pods", "default", "a", NOW)
    assert taken(watch) == [("MODIFIED", "2"), ("DELETED", "4")]
    assert taken(watch) == []


def test_what_starts_to_match_is_added_and_what_ceases_is_deleted_with_the_old_body_and_the_new_revision():
    store = Store()
    watch = Watch(store, "pods", WEB)
    store.create("pods", pod("a", "db"), NOW)
    store.update("pods", pod("a", "web"), NOW)
    store.update("pods", pod("a", "web", "Running"), NOW)
    store.update("pods", pod("a", "db", "Failed"), NOW)
    store.delete("pods", "default", "a", NOW)
    events = [orjson.loads(seen.line) for seen in watch.take()]
    assert [(e["type"], e["object"]["metadata"]["resourceVersion"]) for e in events] == [
        ("ADDED", "2"),
        ("MODIFIED", "3"),
        ("DELETED", "4"),
    ]
    assert events[-1]["object"]["status"]["phase"] == "Running"
    assert events[-1]["object"]["metadata"]["labels"] == {"app": "web"}


def test_field_terms_move_objects_in_and_out_of_view():
    store = Store()
    watch = Watch(store, "pods", Selection("", (), (FieldTerm(("status", "phase"), "Running"),)))
    store.create("pods", pod("a", "web"), NOW)
    store.update("pods", pod("a", "web", "Running"), NOW)
    store.update("pods", pod("a", "web", "Succeeded"), NOW)
    assert taken(watch) == [("ADDED", "2"), ("DELETED", "3")]


def test_a_watch_of_a_namespace_sees_nothing_of_others():
    store = Store()
    watch = Watch(store, "pods", Selection("other"))
    store.create("pods", pod("a", "web"), NOW)
    assert taken(watch) == []
    assert watch.revision == 1


def test_a_watch_from_before_the_history_is_refused():
    store = Store()
    store.create("pods", pod("a", "web"), NOW)
    store.create("pods", pod("b", "web"), NOW + timedelta(minutes=6))
    with pytest.raises(TooOld, match=r"too old resource version: 0 \(1\)"):
        Watch(store, "pods", revision=0)


def test_a_watch_that_fell_behind_the_history_ends():
    store = Store()
    watch = Watch(store, "pods")
    store.create("pods", pod("a", "web"), NOW)
    store.create("pods", pod("b", "web"), NOW + timedelta(minutes=6))
    with pytest.raises(TooOld):
        watch.take()


def test_the_history_is_cut_when_the_texts_that_only_it_holds_become_too_much(monkeypatch):
    monkeypatch.setattr(history, "MAX_REPLACED_BYTES", 10_000)
    store = Store()
    watch = Watch(store, "pods")
    store.create("pods", pod("other", "x" * 20_000), NOW)  # large, but the store holds it anyway
    assert taken(watch) == [("ADDED", "1")]
    store.create("pods", pod("a", "x" * 4_000), NOW)
    store.update("pods", pod("a", "y" * 4_000), NOW)
    store.update("pods", pod("a", "z" * 4_000), NOW)
    assert len(watch.take()) == 3
    late = Watch(store, "pods", revision=1)
    store.delete("pods", "default", "a", NOW)
    with pytest.raises(TooOld):
        late.take()
    assert taken(watch) == [("DELETED", "5")]


def changes_in_memory():
    return sum(isinstance(each, Change) and each.new.resource == "measured" for each in gc.get_objects())


def test_what_the_history_forgets_is_freed_at_once():
    store = Store()
    for number in range(600):
        store.create("measured", pod(f"p{number}", "web"), NOW)
    assert changes_in_memory() == 600
    store.create("measured", pod("last", "web"), NOW + timedelta(seconds=301))
    assert changes_in_memory() == 1


def test_large_changes_do_not_keep_their_watch_lines(monkeypatch):
    monkeypatch.setattr(history, "WARM_BYTES", 10_000)
    store = Store()
    watch = Watch(store, "pods")
    for number in range(5):
        store.create("pods", pod(f"p{number}", "x" * 4_000), NOW)
    kept = [seen.change.obj is not None for seen in watch.take()]
    assert kept == [False, False, False, True, True]


def test_a_batch_ends_when_enough_bytes_were_taken_and_the_next_goes_on_there():
    store = Store()
    watch = Watch(store, "pods", WEB)
    for number in range(5):
        store.create("pods", pod(f"p{number}", "web", "x" * 1_000), NOW)
        store.create("pods", pod(f"q{number}", "db", "x" * 1_000), NOW)
    batches = [len(watch.take(100, 2_000)), len(watch.take(100, 2_000)), len(watch.take(100, 2_000))]
    assert batches == [2, 2, 1]
    assert watch.revision == store.revision
    assert not watch.is_behind


def test_a_restore_ends_watches():
    store = Store()
    watch = Watch(store, "pods")
    store.restore(store.snapshot())
    assert watch.is_behind
    with pytest.raises(TooOld):
        watch.take()


def test_the_watch_line_is_made_once_for_all_watchers():
    store = Store()
    watches = [Watch(store, "pods"), Watch(store, "pods", WEB)]
    store.create("pods", pod("a", "web"), NOW)
    first, second = (watch.take()[0].line for watch in watches)
    assert first is second


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["web", "db", "gone"])), max_size=40), st.integers(0, 40)
)
def test_list_then_watch_leads_to_what_a_later_list_shows(steps, cut):
    store = Store()
    view: dict[str, str] = {}
    watch = None
    for number, (name, app) in enumerate(steps):
        if number == cut:
            page = store.list("pods", WEB)
            view = {record.name: record.labels["app"] for record in page.records}
            watch = Watch(store, "pods", WEB, page.revision)
        there = store.record("pods", "default", name)
        if app == "gone":
            if there:
                store.delete("pods", "default", name, NOW)
        elif there:
            store.update("pods", pod(name, app), NOW)
        else:
            store.create("pods", pod(name, app), NOW)
    if watch is None:
        return
    for seen in watch.take():
        event = orjson.loads(seen.line)
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            del view[name]
        else:
            assert (name in view) is (event["type"] == "MODIFIED")
            view[name] = event["object"]["metadata"]["labels"]["app"]
    assert view == {record.name: record.labels["app"] for record in store.list("pods", WEB).records}
