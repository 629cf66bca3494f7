"""A simulated container's log: which lines it shows, and what it forgets."""

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.runtime.sim.log import Log

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def log_of(*texts: bytes, stream: int = 1) -> Log:
    log = Log()
    for second, text in enumerate(texts):
        log = log.written(stream, text, NOW + timedelta(seconds=second))
    return log


def shown(log: Log, number: int, end: int | None = None) -> bytes:
    return b"".join(entry.text for entry in log.since(number, end))


@pytest.mark.parametrize(
    ("texts", "whole"),
    [((), b""), ((b"a\n",), b"a\n"), ((b"a\nb",), b"a\n"), ((b"a\nb", b"c\n"), b"a\nbc\n"), ((b"open",), b"")],
)
def test_only_lines_that_are_whole_are_shown_while_it_may_go_on(texts: tuple[bytes, ...], whole: bytes) -> None:
    log = log_of(*texts)
    assert shown(log, 0, log.whole_end) == whole
    assert shown(log, 0) == b"".join(texts)


def test_a_line_has_the_time_of_its_end() -> None:
    (entry,) = log_of(b"a", b"b\n").since(0)
    assert (entry.text, entry.time) == (b"ab\n", b"2026-01-01T00:00:01.000000000Z")


def test_what_a_follower_saw_stays_its_place_when_old_lines_are_forgotten() -> None:
    log = log_of(*(b"%d\n" % number for number in range(20_000)))
    assert log.dropped > 0
    assert shown(log, log.end - 2, log.end - 1) == b"19998\n"
    assert shown(log, 0, log.dropped + 1) == b"%d\n" % log.dropped
