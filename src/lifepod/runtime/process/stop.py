"""Stopping a container: which signal, who waits for the end, and when SIGKILL comes."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.runtime.base import Order


class Stop:
    """A stop under way: who waits for it, and when SIGKILL comes."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self._kill: asyncio.TimerHandle | None = None

    def kill_no_later_than(self, seconds: float, kill: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._kill is not None:
            if self._kill.when() <= when:
                return
            self._kill.cancel()
        self._kill = loop.call_at(when, kill)

    def finish(self) -> list[Order]:
        """It has ended: SIGKILL is called off; returns the orders that waited."""
        if self._kill is not None:
            self._kill.cancel()
        return self.orders


def signal_number(name: str) -> int:
    """The number of a signal as images and specs write it: `TERM`, `SIGTERM`, `RTMIN+3`, `15`."""
    text = name.upper().removeprefix("SIG")
    if text.isdigit():
        return int(text)
    if text.startswith("RTMIN+"):
        return int(signal.SIGRTMIN) + int(text[6:])
    return int(getattr(signal, f"SIG{text}", signal.SIGTERM))
