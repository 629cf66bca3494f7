"""Where the next commit is made: here, on the loop's own thread, or by the journal's thread.

Handing over costs two wake-ups of threads, more than a quick disk takes; a slow disk must not hold the loop.
"""

from __future__ import annotations

from typing import Final

QUICK_SECONDS: Final = 0.003
"""A commit up to this long may hold the loop, about as long as a list of 500 pods does."""
AWAY_FACTOR: Final = 10
"""One that held it longer keeps the next ones away for so many times as long: slow ones take a tenth of the time at most."""


class Pace:
    """What the last commits took. Every commit is told of, wherever it was made."""

    __slots__ = ("_away_until", "_last")

    def __init__(self) -> None:
        self._last = float("inf")
        self._away_until = 0.0

    def is_quick(self, now: float) -> bool:
        """Whether the next commit may be made here: the last was quick, and none that was made here was slow lately."""
        return self._last <= QUICK_SECONDS and now >= self._away_until

    def took(self, seconds: float, now: float, *, here: bool) -> None:
        """A commit ended after `seconds`."""
        self._last = seconds
        if here and seconds > QUICK_SECONDS:
            self._away_until = now + AWAY_FACTOR * seconds
