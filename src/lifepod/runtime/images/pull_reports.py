"""How far a pull is, carried from its threads to the loop: the beginning, the end, and in between at most four times a second."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from lifepod.runtime.images.local_images import Progress
    from lifepod.runtime.images.store import ImageRecord

_GAP_SECONDS = 0.25


class PullReports:
    """The reports of one pull. `hear` is called on the loop's thread; of a pull that fetches nothing it hears nothing."""

    def __init__(
        self,
        hear: Callable[[Progress], None],
        loop: asyncio.AbstractEventLoop,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hear, self._loop, self._monotonic = hear, loop, monotonic
        self._told_at = float("-inf")
        self._last: Progress | None = None

    def take(self, progress: Progress) -> None:
        """From the pull's threads, one at a time."""
        now = self._monotonic()
        self._last = progress
        if 0 < progress.done_bytes < progress.total_bytes and now - self._told_at < _GAP_SECONDS:
            return
        self._told_at = now
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody hears any more
            self._loop.call_soon_threadsafe(self._hear, progress)

    def end(self, pull: asyncio.Future[ImageRecord]) -> None:
        """The pull is over, one way or the other; called on the loop's thread."""
        if self._last is not None:
            is_there = not pull.cancelled() and pull.exception() is None
            self._hear(self._last._replace(ended="pulled" if is_there else "failed"))
