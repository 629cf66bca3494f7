"""Events as the API shows them: folded, combined, dropped, and made again once they expired (lifecycle.md §8.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.lifecycle.vocabulary import Event
from lifepod.node.event_recorder import EventRecorder
from lifepod.node.notices import image_substituted, unhonoured_fields

T0 = datetime(2025, 1, 1, tzinfo=UTC)
POD = {"kind": "Pod", "namespace": "default", "name": "p", "uid": "u1", "apiVersion": "v1"}


class Told:
    """A recorder and the Event objects that its writes leave behind."""

    def __init__(self) -> None:
        self.objects: dict[str, JsonObject] = {}
        self.recorder = EventRecorder("node1", lambda namespace, name: name in self.objects)

    def tell(self, message: str, seconds: float, field_path: str = "", kind: str = "Warning") -> Write | None:
        event = Event("Warning" if kind == "Warning" else "Normal", "Unhealthy", message)
        write = self.recorder.write(event, POD, field_path, T0 + timedelta(seconds=seconds))
        if write is not None:
            self.objects[write.name] = {**self.objects.get(write.name, {}), **write.body}
        return write

    @property
    def shown(self) -> list[tuple[int, str]]:
        return [(o["count"], o["message"]) for o in self.objects.values()]


def test_the_same_event_is_counted_on_one_object() -> None:
    told = Told()
    for second in range(3):
        told.tell("no", second)
    assert told.shown == [(3, "no")]
    (only,) = told.objects.values()
    assert (only["firstTimestamp"], only["lastTimestamp"]) == ("2025-01-01T00:00:00Z", "2025-01-01T00:00:02Z")


def test_another_field_path_is_another_event() -> None:
    told = Told()
    told.tell("no", 0, "spec.containers{a}")
    told.tell("no", 1, "spec.containers{b}")
    assert [n for n, _ in told.shown] == [1, 1]


def test_the_tenth_similar_message_and_later_ones_are_combined() -> None:
    told = Told()
    for number in range(12):
        told.tell(f"message {number}", number)
    assert len(told.shown) == 10
    assert told.shown[-1] == (3, "(combined from similar events): message 11")


def test_similar_messages_that_are_ten_minutes_apart_are_not_combined() -> None:
    told = Told()
    for number in range(12):
        told.tell(f"message {number}", number * 601)
    assert [n for n, _ in told.shown] == [1] * 12


def test_the_twenty_sixth_event_is_dropped_and_one_more_is_let_through_after_300_seconds() -> None:
    told = Told()
    assert all(told.tell("no", 0) is not None for _ in range(25))
    assert told.tell("no", 1) is None
    assert told.tell("no", 200) is None
    write = told.tell("no", 302)
    assert write is not None
    assert write.body["count"] == 28, "dropped ones are counted too"


def test_normal_and_warning_events_have_a_share_each() -> None:
    told = Told()
    for _ in range(26):
        told.tell("no", 0)
    assert told.tell("yes", 0, kind="Normal") is not None


def test_an_event_that_has_expired_is_made_again_with_its_count_and_its_first_time() -> None:
    told = Told()
    told.tell("no", 0)
    told.objects.clear()
    write = told.tell("no", 4000)
    assert write is not None
    assert write.verb == "create"
    assert (write.body["count"], write.body["firstTimestamp"]) == (2, "2025-01-01T00:00:00Z")


def test_a_snapshot_goes_on_counting_where_it_was_taken() -> None:
    told = Told()
    told.tell("no", 0)
    state = told.recorder.snapshot()
    told.tell("no", 1)
    told.recorder.restore(state)
    write = told.tell("no", 2)
    assert write is not None
    assert write.body["count"] == 2


def test_a_field_without_effect_is_told_once() -> None:
    pod: JsonObject = {"spec": {"hostIPC": True, "containers": [{"name": "c"}]}}
    (event,) = unhonoured_fields(pod, frozenset())
    assert (event.type, event.reason) == ("Warning", "FieldNotHonoured")
    assert event.message.startswith("spec.hostIPC has no effect on this node: ")
    assert unhonoured_fields(pod, frozenset((event.message,))) == ()


def test_a_substituted_image_is_told_once_a_name() -> None:
    (event,) = image_substituted("busybox:1.36", "image mode host", frozenset())
    assert image_substituted("busybox:1.36", "image mode host", frozenset((event.message,))) == ()
    assert image_substituted("busybox:1.37", "image mode host", frozenset((event.message,))) != ()
