"""When the clock may jump in mode `auto`: what clients do, and what that means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifepod.simulation.clock_modes import (
    AutoRules,
    BadTime,
    Mode,
    Verdict,
    length_of_time,
    mode_named,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SOON = NOW + timedelta(seconds=1)


def asked(rules: AutoRules, wall: float, due: datetime | None = SOON, owes: bool = False, seen: Any = "v1") -> Verdict:
    return rules.verdict(wall, NOW, due, owes, lambda what: seen)


def waiting() -> AutoRules:
    """Somebody has been waiting for long."""
    rules = AutoRules()
    rules.waiting_begins(0.0)
    return rules


def test_time_stands_still_while_nobody_waits() -> None:
    assert asked(AutoRules(), 100.0) == Verdict(False)


def test_time_goes_on_when_somebody_waits_and_nobody_is_busy() -> None:
    assert asked(waiting(), 100.0).jump


def test_it_stands_still_again_when_the_waiter_is_gone() -> None:
    rules = waiting()
    rules.waiting_ends()
    assert not asked(rules, 100.0).jump


BUSY: list[tuple[str, Callable[[AutoRules], Any], float | None]] = [
    ("a request is being answered", lambda rules: rules.request_began(1), None),
    ("a request ended 2 ms ago", lambda rules: rules.request_ended(1, 99.998), 0.003),
    ("watchers were sent something 2 ms ago", lambda rules: rules.delivered(99.998), 0.003),
]


@pytest.mark.parametrize(("what", "happened", "again_in"), BUSY, ids=[case[0] for case in BUSY])
def test_it_waits_while_somebody_is_busy(
    what: str, happened: Callable[[AutoRules], Any], again_in: float | None
) -> None:
    rules = waiting()
    happened(rules)
    verdict = asked(rules, 100.0)
    assert not verdict.jump
    assert verdict.again_in == (None if again_in is None else pytest.approx(again_in, abs=1e-6))


def test_it_waits_until_watchers_have_what_they_are_owed() -> None:
    assert asked(waiting(), 100.0, owes=True) == Verdict(False, 0.005)


def test_it_is_never_faster_than_an_hour_a_second() -> None:
    rules = waiting()
    rules.jumped(100.0)
    verdict = asked(rules, 100.0, due=NOW + timedelta(minutes=30))
    assert verdict == Verdict(False, pytest.approx(0.5))
    assert asked(rules, 100.5, due=NOW + timedelta(minutes=30)).jump


@pytest.mark.parametrize(("due", "may"), [(timedelta(hours=24), True), (timedelta(hours=24, seconds=1), False)])
def test_it_ends_a_day_after_the_last_write_from_outside(due: timedelta, may: bool) -> None:
    rules = waiting()
    rules.touched(NOW)
    assert asked(rules, 1000.0, due=NOW + due).jump is may


def test_without_a_timer_there_is_nothing_to_go_to() -> None:
    assert asked(waiting(), 100.0, due=None) == Verdict(False)


def test_the_same_get_answered_twice_with_the_same_waits() -> None:
    rules = AutoRules()
    rules.read("GET x", "v1", 100.0)
    assert not asked(rules, 100.1).jump
    rules.read("GET x", "v1", 100.2)
    assert asked(rules, 100.3).jump


def test_a_poll_that_has_not_seen_what_changed_holds_the_clock() -> None:
    rules = AutoRules()
    rules.read("GET x", "v1", 100.0)
    rules.read("GET x", "v1", 100.2)
    held = asked(rules, 100.3, seen="v2")
    assert held == Verdict(False, pytest.approx(0.9))
    rules.read("GET x", "v2", 100.4)
    assert not asked(rules, 100.5, seen="v2").jump, "it has news to think about"
    rules.read("GET x", "v2", 100.6)
    assert asked(rules, 100.7, seen="v2").jump


def test_a_poller_that_stays_away_waits_no_longer() -> None:
    rules = AutoRules()
    rules.read("GET x", "v1", 100.0)
    rules.read("GET x", "v1", 100.2)
    assert asked(rules, 101.1).jump
    assert not asked(rules, 101.3).jump


def test_a_write_from_outside_makes_polls_count_from_one_again() -> None:
    rules = AutoRules()
    rules.read("GET x", "v1", 100.0)
    rules.read("GET x", "v1", 100.2)
    rules.touched(NOW)
    assert not asked(rules, 100.3).jump


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800), ("250ms", 0.25), (3, 3), (0.5, 0.5)],
)
def test_lengths_of_time(text: Any, seconds: float) -> None:
    assert length_of_time(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "1x", "-1s", -1, "1h 30", "ten minutes"])
def test_what_is_no_length_of_time(text: Any) -> None:
    with pytest.raises(BadTime):
        length_of_time(text)


@pytest.mark.parametrize(
    ("text", "mode"),
    [("auto", Mode("auto")), ("manual", Mode("manual")), ("real", Mode("real")), ("60x", Mode("real", 60.0))],
)
def test_modes(text: str, mode: Mode) -> None:
    assert mode_named(text) == mode
    assert str(mode) == text


@pytest.mark.parametrize("text", ["", "fast", "0x", "x", "-1x"])
def test_what_is_no_mode(text: str) -> None:
    with pytest.raises(BadTime):
        mode_named(text)


def test_how_long_a_get_was_asked_in_vain_counts_from_the_first_of_the_same_answers() -> None:
    rules = AutoRules()
    assert rules.asked_in_vain("GET x", 100.0) == 0.0
    for seen, wall in (("v1", 100.0), ("v2", 101.0), ("v2", 102.0), ("v2", 104.0)):
        rules.read("GET x", seen, wall)
    assert rules.asked_in_vain("GET x", 105.0) == 4.0
    rules.touched(NOW)
    assert rules.asked_in_vain("GET x", 106.0) == 0.0
