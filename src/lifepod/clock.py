"""Where time comes from: the protocol only. The real clock is in `assembly`, the virtual one in `simulation`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the present moment."""

    def now(self) -> datetime:
        """The present, in UTC, never earlier than what an earlier call returned."""
        ...


class Ids(Protocol):
    """The one seeded source of every random choice: UIDs, name suffixes, jitter. Arrives as a value, like time."""

    def uid(self) -> str:
        """A fresh UUID (version 4 form)."""
        ...

    def suffix(self, length: int = 5) -> str:
        """Random characters of `bcdfghjklmnpqrstvwxz2456789`, as generateName and controllers append them."""
        ...

    def hexadecimal(self, length: int) -> str:
        """`length` random lower-case hexadecimal digits (container ids)."""
        ...

    def fraction(self) -> float:
        """A random number in [0, 1), for jitter."""
        ...
