"""One request's way through its webhooks: a verb is run, stopped where an answer is missing, and run again when it is there.

A verb is a function of the store, the request and the answers; what it asks before it has changed anything. So nothing waits while
a webhook thinks: no lock is held, no state is half-made, and an object that changed meanwhile is met as it then is, as upstream's
update does when it tries again. What a verb draws by chance is the same each time it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.clock import Ids

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

MOST_ROUNDS: Final = 500
"""An object that others change faster than its webhooks answer is given up at last."""


class PodTarget(NamedTuple):
    """A port of a pod."""

    node: str
    pod_uid: str
    port: int


class HostTarget(NamedTuple):
    """A port of a machine, by name or address."""

    host: str
    port: int


class Question(NamedTuple):
    """What is sent to whom. `target` is where its host is to be found, or in words why nowhere."""

    url: str
    target: PodTarget | HostTarget | str
    ca_bundle: bytes
    seconds: int
    body: bytes

    @property
    def key(self) -> str:
        """What makes it the same question, wherever its answerer runs at present."""
        return sha256(self.url.encode() + b"\0" + self.body).hexdigest()


class Reply(NamedTuple):
    """What came back: a body, or in upstream's words why none did."""

    body: bytes = b""
    problem: str = ""


Asker: TypeAlias = Callable[[Question], "Future[Reply]"]
"""Puts a question to a webhook. Never raises, nor does its future: what goes wrong is a reply as well."""


def no_asker(question: Question) -> Future[Reply]:
    """Nobody is there to ask."""
    future: Future[Reply] = Future()
    future.set_result(Reply(problem=f'Post "{question.url}": this API calls no webhooks'))
    return future


class Unanswered(Exception):
    """The verb cannot go on before these are answered. It has changed nothing."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        super().__init__("a webhook must be asked first")
        self.questions = questions


class Session:
    """What one request has been answered so far. `kind`: as which it came; `user`: who asks when a part of the cluster does."""

    def __init__(self, kind: Kind, now: datetime, user: JsonObject | None = None) -> None:
        self.kind, self.now, self.user = kind, now, user
        self.rounds = 0
        self._replies: dict[str, Reply] = {}
        self._drawn: list[str | float] = []

    @contextmanager
    def running(self, api: Api) -> Iterator[None]:
        """While a verb is run for this request."""
        before = api.session, api.ids
        api.session, api.ids = self, _Drawn(api.ids, self._drawn)
        try:
            yield
        finally:
            api.session, api.ids = before

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """The answers. Raises Unanswered."""
        missing = tuple(each for each in questions if each.key not in self._replies)
        if missing:
            raise Unanswered(missing)
        return [self._replies[each.key] for each in questions]

    def take(self, questions: Sequence[Question], replies: Sequence[Reply]) -> None:
        """Keep what was answered."""
        self.rounds += 1
        self._replies.update({question.key: reply for question, reply in zip(questions, replies, strict=True)})


@contextmanager
def nobody_asked(api: Api) -> Iterator[None]:
    """While something is written that belongs to what a verb has written already."""
    before, api.session = api.session, None
    try:
        yield
    finally:
        api.session = before


class _Drawn:
    """Chance that repeats itself: what was drawn in an earlier run comes again, in the same order."""

    def __init__(self, source: Ids, drawn: list[str | float]) -> None:
        self._source, self._drawn = source, drawn
        self._at = 0

    def _draw(self, draw: Callable[[], str | float]) -> str | float:
        if self._at == len(self._drawn):
            self._drawn.append(draw())
        self._at += 1
        return self._drawn[self._at - 1]

    def uid(self) -> str:
        return str(self._draw(self._source.uid))

    def suffix(self, length: int = 5) -> str:
        return str(self._draw(lambda: self._source.suffix(length)))

    def hexadecimal(self, length: int) -> str:
        return str(self._draw(lambda: self._source.hexadecimal(length)))

    def fraction(self) -> float:
        return float(self._draw(self._source.fraction))
