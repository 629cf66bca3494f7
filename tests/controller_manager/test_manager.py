"""The part that drives a controller: busy keys, stages, retries, timers, snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lifepod.api.writes import ApiError, Write
from lifepod.controller_manager.manager import ControllerPart
from lifepod.controllers.outcome import Controller, ObjectEvent, Outcome, Wish, slow_start
from lifepod.turn import Answered, Changed

NOW = datetime(2025, 1, 1, tzinfo=UTC)
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns", "uid": "u"}}


def wish(name, verb="patch", **events):
    return Wish(Write(verb, "pods", "ns", name, {}), **events)


def told(reason):
    return ObjectEvent(POD, "Normal", reason, reason)


def refused(code=409, message="no"):
    return ApiError({"code": code, "reason": "Conflict", "message": message})


class Posted:
    """A view in which every event that was posted is still there."""

    def get(self, resource, namespace, name):
        return {}


class Script:
    """A controller that answers each look with the next outcome, and keeps the looks."""

    def __init__(self, *outcomes):
        self.outcomes, self.looks = list(outcomes), []
        keys = lambda change: [("ns", change.obj["metadata"]["name"])]  # noqa: E731 - as controllers have it
        self.controller = Controller("c", "component", ("pods",), keys, self.reconcile)
        self.part = ControllerPart(self.controller, Posted(), None)

    def reconcile(self, look):
        self.looks.append(look)
        return self.outcomes.pop(0) if self.outcomes else Outcome()

    def change(self, now=NOW):
        return self.part.on_news((Changed("ADDED", "pods", POD, None),), now)

    def answer(self, turned, error=None, now=NOW, part=None):
        news = tuple(Answered(w, None if error else POD, error) for w in turned.effects if w.resource != "events")
        return (part or self.part).on_news(news, now)


def posted(turned):
    return [w.body["reason"] for w in turned.effects if w.resource == "events" and w.verb == "create"]


def written(turned):
    return [w.name for w in turned.effects if w.resource != "events"]


def test_stages_follow_one_another_and_the_events_come_last():
    script = Script(Outcome(((wish("a", then=told("A")),), (wish("b"),)), (told("Done"),)))
    first = script.change()
    assert (written(first), posted(first)) == (["a"], [])
    second = script.answer(first)
    assert (written(second), posted(second)) == (["b"], ["A"])
    third = script.answer(second)
    assert (written(third), posted(third)) == ([], ["Done"])
    assert len(script.looks) == 1


def test_news_of_a_busy_key_waits_for_its_answers():
    script = Script(Outcome(((wish("a"),),)))
    first = script.change()
    script.change()
    assert len(script.looks) == 1
    script.answer(first)
    assert len(script.looks) == 2


def test_a_refusal_drops_the_later_stages_and_is_tried_again_ever_more_slowly():
    outcome = Outcome(((wish("a", otherwise=told("Failed: ")),), (wish("b"),)), (told("Done"),))
    script = Script(outcome, outcome, outcome)
    turned, now, waits = script.change(), NOW, []
    for _ in range(3):
        turned = script.answer(turned, refused(), now)
        assert (written(turned), posted(turned)) == ([], [] if waits else ["Failed: "])
        waits.append(turned.wake_at - now)
        now = turned.wake_at
        turned = script.part.on_news((), now)
    assert waits == [timedelta(milliseconds=m) for m in (5, 10, 20)]
    assert [look.refused and look.refused.message for look in script.looks] == [None, "no", "no", "no"]


def test_a_success_forgets_the_failures():
    outcome = Outcome(((wish("a"),),))
    script = Script(outcome, outcome, outcome)
    turned = script.answer(script.change(), refused())
    again = script.part.on_news((), turned.wake_at)
    script.answer(again, now=turned.wake_at)
    script.change(turned.wake_at)
    assert script.looks[-1].refused is None


def test_what_is_gone_already_was_deleted_as_wished():
    script = Script(Outcome(((wish("a", "delete"),), (wish("b", "create"),))))
    second = script.answer(script.change(), refused(404))
    assert written(second) == ["b"]
    third = script.answer(second, refused(404))
    assert third.wake_at is not None


def test_a_timer_leads_to_a_look_and_an_earlier_outcome_replaces_it():
    script = Script(Outcome(wake_at=NOW + timedelta(seconds=5)), Outcome(wake_at=NOW + timedelta(seconds=9)))
    assert script.change().wake_at == NOW + timedelta(seconds=5)
    assert script.change().wake_at == NOW + timedelta(seconds=9)
    script.part.on_news((), NOW + timedelta(seconds=5))
    assert len(script.looks) == 2
    script.part.on_news((), NOW + timedelta(seconds=9))
    assert len(script.looks) == 3


def test_a_key_at_rest_is_looked_at_when_its_rest_is_over():
    script = Script(Outcome(not_before=NOW + timedelta(seconds=1), memory="m"))
    script.change()
    resting = script.change()
    assert (len(script.looks), resting.wake_at) == (1, NOW + timedelta(seconds=1))
    script.part.on_news((), NOW + timedelta(seconds=1))
    assert [look.memory for look in script.looks] == [None, "m"]


def test_a_snapshot_goes_on_where_it_was_taken():
    script = Script(Outcome(((wish("a"),), (wish("b"),)), (told("Done"),), wake_at=NOW + timedelta(seconds=5)))
    first = script.change()
    state = script.part.snapshot()
    assert written(script.answer(first)) == ["b"]
    other = ControllerPart(script.controller, Posted(), None)
    other.restore(state)
    second = script.answer(first, part=other)
    assert written(second) == ["b"]
    third = script.answer(second, part=other)
    assert (posted(third), third.wake_at) == (["Done"], NOW + timedelta(seconds=5))
    assert written(script.answer(first, part=other)) == []


def test_an_answer_that_nobody_waits_for_is_ignored():
    script = Script()
    stray = Answered(Write("create", "events", "ns", "e", {}, tag="event"), None, refused())
    assert script.part.on_news((stray,), NOW).effects == ()


def test_slow_start_doubles():
    sizes = [len(stage) for stage in slow_start([wish(str(i)) for i in range(10)])]
    assert sizes == [1, 2, 4, 3]
