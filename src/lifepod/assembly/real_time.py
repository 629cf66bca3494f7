"""Real time and real chance: the clock of the wall, random ids, and the asyncio driver of a cluster."""

from __future__ import annotations

import asyncio
import gc
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RealClock:
    """The wall's time, made steady: it never goes back, whatever is done to the machine's clock."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=(time.monotonic_ns() + self._offset_ns) // 1000)


class RandomIds:
    """Ids that nobody can foresee."""

    def uid(self) -> str:
        return str(uuid.uuid4())

    def suffix(self, length: int = 5) -> str:
        number, letters = secrets.randbelow(len(_LETTERS) ** length), ""
        for _ in range(length):
            number, at = divmod(number, len(_LETTERS))
            letters += _LETTERS[at]
        return letters

    def hexadecimal(self, length: int) -> str:
        return secrets.token_hex((length + 1) // 2)[:length]

    def fraction(self) -> float:
        return secrets.randbits(53) / 2**53


def look_for_cycles_seldom() -> None:
    """Let Python look for cycles when 100,000 objects have come, not 700: what a server keeps is values without any.

    Otherwise a fifth of a create's time goes there, in pauses of up to half a second.
    """
    gc.freeze()
    gc.set_threshold(100_000, 1_000, 10)


class Turnable(Protocol):
    """What is driven."""

    def turn(self, now: datetime) -> datetime | None: ...


class RealDriver:
    """Calls `turn` from the running loop: soon after `wake`, and when the next timer is due.

    `on_failure` hears of an exception out of a turn (a bug of ours); the driver goes on.
    """

    def __init__(
        self, cluster: Turnable, now: Callable[[], datetime], on_failure: Callable[[BaseException], None]
    ) -> None:
        self._cluster, self._now, self._on_failure = cluster, now, on_failure
        self._loop = asyncio.get_running_loop()
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def wake(self) -> None:
        """Take a turn as soon as the loop is free. On the loop's thread only."""
        if self._soon is None and not self._is_stopped:
            self._soon = self._loop.call_soon(self._turn)

    def stop(self) -> None:
        """Take no more turns."""
        self._is_stopped = True
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()

    def _turn(self) -> None:
        self._soon = None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        now = self._now()
        try:
            due = self._cluster.turn(now)
        except Exception as exc:  # noqa: BLE001 - the outermost edge: one bad look must not end the cluster
            self._on_failure(exc)
            due = now + timedelta(seconds=1)
        if due is not None and not self._is_stopped:
            self._later = self._loop.call_later(max((due - self._now()).total_seconds(), 0), self._turn)
