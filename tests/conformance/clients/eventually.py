"""Waiting for what a cluster of real processes does in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")
TRIES, PAUSE = 400, 0.05


def eventually(look: Callable[[], Found]) -> Found:
    """What `look` finds, as soon as it finds something; fails after twenty seconds."""
    for _ in range(TRIES):
        if found := look():
            return found
        time.sleep(PAUSE)
    raise AssertionError("it never came about")


async def eventually_async(look: Callable[[], Awaitable[Found]]) -> Found:
    """The same, for what must be awaited."""
    for _ in range(TRIES):
        if found := await look():
            return found
        await asyncio.sleep(PAUSE)
    raise AssertionError("it never came about")
