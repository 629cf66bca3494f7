"""Running a verb again and again until all its webhooks have been asked: the only place where a request waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeVar

from lifepod.apiserver.exchange import Whole
from lifepod.apiserver.webhook_session import MOST_ROUNDS, Reply, Session, Unanswered
from lifepod.apiserver.webhooks import given_up

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

T = TypeVar("T")
_waits_in_place: Final[ContextVar[bool]] = ContextVar("waits_in_place", default=False)
"""Whether a webhook's answer is waited for by the thread itself: where a caller without a loop wants its answer at once."""


async def with_answers(api: Api, lock: AbstractContextManager[object], session: Session, run: Callable[[], T]) -> T:
    """What `run` leads to, the webhooks it needs having been asked. The lock is held while it runs, not while they are asked."""
    while session.rounds < MOST_ROUNDS:
        try:
            with lock, session.running(api):
                return run()
        except Unanswered as stopped:
            questions = stopped.questions
        futures = [api.ask(question) for question in questions]
        session.take(questions, [await _Soon(future) for future in futures])
    raise given_up()


def answered_in_place(waiting: Awaitable[Whole]) -> Whole:
    """The answer to a request that waits for nothing but webhooks, by this thread. Raises what waits for something else as an error."""
    running = waiting.__await__()
    token = _waits_in_place.set(True)
    try:
        next(running)
    except StopIteration as done:
        answer: Whole = done.value
        return answer
    finally:
        _waits_in_place.reset(token)
        running.close()
    raise RuntimeError("this request is not answered at once")


class _Soon:
    """A reply to wait for, with a loop or without one."""

    def __init__(self, future: Future[Reply]) -> None:
        self._future = future

    def __await__(self) -> Generator[object, None, Reply]:
        if _waits_in_place.get():
            return self._future.result()
        return (yield from asyncio.wrap_future(self._future).__await__())
