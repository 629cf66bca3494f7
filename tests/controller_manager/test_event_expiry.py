"""Events are gone an hour after they were last written; one that is written again stays an hour longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lifepod.api.writes import Write
from lifepod.controller_manager.event_expiry import EventExpiry
from lifepod.turn import Changed, ChangeType

START = datetime(2025, 1, 1, tzinfo=UTC)


def changed(name: str, kind: ChangeType = "ADDED") -> Changed:
    return Changed(kind, "events", {"metadata": {"name": name, "namespace": "team"}}, None)


def minutes(count: int) -> datetime:
    return START + timedelta(minutes=count)


def test_an_event_is_deleted_after_its_hour() -> None:
    part = EventExpiry()
    assert part.on_news((changed("a"),), START).wake_at == minutes(60)
    assert part.on_news((), minutes(59)).effects == ()
    assert part.on_news((), minutes(60)).effects == (Write("delete", "events", "team", "a", {}),)


def test_one_that_is_written_again_begins_its_hour_anew() -> None:
    part = EventExpiry()
    part.on_news((changed("a"), changed("b")), START)
    part.on_news((changed("a", "MODIFIED"),), minutes(30))
    assert [e.name for e in part.on_news((), minutes(60)).effects if isinstance(e, Write)] == ["b"]
    assert [e.name for e in part.on_news((), minutes(90)).effects if isinstance(e, Write)] == ["a"]


def test_one_that_is_gone_is_forgotten() -> None:
    part = EventExpiry()
    part.on_news((changed("a"),), START)
    assert part.on_news((changed("a", "DELETED"),), minutes(1)) == ((), None)


def test_a_copy_goes_on_where_the_other_was() -> None:
    part, other = EventExpiry(), EventExpiry()
    part.on_news((changed("a"),), START)
    other.restore(part.snapshot())
    assert other.on_news((), minutes(60)) == part.on_news((), minutes(60))
