"""Events folded as client-go's recorder folds them (lifecycle.md §8.1, §8.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lifepod.controller_manager.recorder import Recorder
from lifepod.controllers.outcome import ObjectEvent

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ABOUT = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "j", "namespace": "ns", "uid": "u", "resourceVersion": "7"},
}


class Posted:
    """Every event that was ever posted is still there, until it is said that they expired."""

    is_expired = False

    def get(self, resource, namespace, name):
        return None if self.is_expired else {}


def event(message="m", reason="R"):
    return ObjectEvent(ABOUT, "Normal", reason, message)


def test_an_event_carries_the_fields_upstream_writes():
    body = Recorder("job-controller", Posted()).write(event(), NOW).body
    assert body["involvedObject"] == {
        "kind": "Job",
        "namespace": "ns",
        "name": "j",
        "uid": "u",
        "apiVersion": "batch/v1",
        "resourceVersion": "7",
    }
    assert body["source"] == {"component": "job-controller"}
    assert (body["reportingComponent"], body["reportingInstance"]) == ("job-controller", "")
    assert (body["count"], body["eventTime"], body["firstTimestamp"]) == (1, None, "2025-01-01T00:00:00Z")


def test_a_repeat_patches_the_count():
    recorder = Recorder("c", Posted())
    first = recorder.write(event(), NOW)
    second = recorder.write(event(), NOW + timedelta(seconds=3))
    assert (second.verb, second.name) == ("patch", first.name)
    assert second.body == {"count": 2, "lastTimestamp": "2025-01-01T00:00:03Z", "message": "m"}


def test_an_event_that_has_expired_is_made_again_with_its_count():
    events = Posted()
    recorder = Recorder("c", events)
    first = recorder.write(event(), NOW)
    events.is_expired = True
    second = recorder.write(event(), NOW + timedelta(hours=2))
    assert (second.verb, second.name, second.body["count"]) == ("create", first.name, 2)
    assert (second.body["firstTimestamp"], second.body["lastTimestamp"]) == (
        "2025-01-01T00:00:00Z",
        "2025-01-01T02:00:00Z",
    )


def test_names_differ_even_in_one_instant():
    recorder = Recorder("c", Posted())
    names = {recorder.write(event(f"m{i}"), NOW).name for i in range(9)}
    assert len(names) == 9


def test_the_tenth_similar_event_becomes_one_aggregate():
    recorder = Recorder("c", Posted())
    writes = [recorder.write(event(f"m{i}"), NOW) for i in range(12)]
    assert [w.verb for w in writes] == ["create"] * 10 + ["patch"] * 2
    assert writes[9].body["message"] == "(combined from similar events): m9"
    assert writes[11].body["count"] == 3


def test_a_flood_is_dropped_and_refills_slowly():
    recorder = Recorder("c", Posted())
    writes = [recorder.write(event(), NOW) for _ in range(30)]
    assert sum(1 for w in writes if w is not None) == 25
    assert recorder.write(event(), NOW + timedelta(seconds=300)) is not None


def test_the_schedulers_repeat_is_a_series_and_further_ones_only_count():
    recorder = Recorder("default-scheduler", Posted(), instance="i", modern=True)
    told = ObjectEvent(ABOUT, "Warning", "FailedScheduling", "x" * 2000)
    first, second, third = (recorder.write(told, NOW, "Scheduling") for _ in range(3))
    assert len(first.body["message"]) == 1024
    assert second.body["series"]["count"] == 2
    assert third is None


def test_a_snapshot_remembers_counts():
    recorder, other = Recorder("c", Posted()), Recorder("c", Posted())
    recorder.write(event(), NOW)
    other.restore(recorder.snapshot())
    assert other.write(event(), NOW).verb == "patch"
