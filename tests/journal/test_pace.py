"""Where a commit is made: on the loop's thread only as long as the disk is quick."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lifepod.journal.pace import AWAY_FACTOR, QUICK_SECONDS, Pace

QUICK, SLOW = QUICK_SECONDS, QUICK_SECONDS * 4


def test_nothing_is_made_here_before_a_commit_was_measured():
    assert not Pace().is_quick(100.0)


def test_after_a_quick_commit_the_next_is_made_here():
    pace = Pace()
    pace.took(QUICK, 100.0, here=False)
    assert pace.is_quick(100.0)


def test_after_a_slow_commit_of_the_thread_the_next_is_the_thread_s_too_until_one_is_quick():
    pace = Pace()
    pace.took(SLOW, 100.0, here=False)
    assert not pace.is_quick(1000.0)
    pace.took(QUICK, 1000.0, here=False)
    assert pace.is_quick(1000.0)


def test_a_slow_commit_made_here_keeps_all_away_for_ten_times_as_long_however_quick_the_thread_s_are():
    pace = Pace()
    pace.took(SLOW, 100.0, here=True)
    pace.took(QUICK, 100.1, here=False)
    assert not pace.is_quick(100.0 + AWAY_FACTOR * SLOW - 0.001)
    assert pace.is_quick(100.0 + AWAY_FACTOR * SLOW)


@given(st.lists(st.floats(0.0001, 1.0), min_size=1, max_size=300))
def test_whatever_the_disk_does_slow_commits_hold_the_loop_for_a_tenth_of_the_time_at_most(disk):
    pace, now, held, longest = Pace(), 0.0, 0.0, max(disk)
    for seconds in disk * 5:
        here = pace.is_quick(now)
        now += seconds
        if here and seconds > QUICK_SECONDS:
            held += seconds
        pace.took(seconds, now, here=here)
    assert held <= now / AWAY_FACTOR + longest
