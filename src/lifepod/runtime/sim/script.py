"""Containers that follow an annotation: `sim.lifepod.dev/<container>: run=3s exit=1; run=forever`.

Each attempt of the container takes the next part between semicolons, the last one repeats. Words of a part:
`run=<time>|forever`, `exit=<code>`, `oom`, `ignore-term`, `term-exit=<code>`, `start-error[=<text>]`, `pull=fail`, `pull=slow=<time>`
(or `slow=<time>`), `ready-after=<time>`, `alive-for=<time>`, `log=<line>`, `message=<termination message>`.
"""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from lifepod.errors import LifepodError
from lifepod.runtime.sim.commands import duration
from lifepod.runtime.sim.shell import Listening, World

ANNOTATION_PREFIX = "sim.lifepod.dev/"


class BadScript(LifepodError):
    """The annotation cannot be read."""


class Attempt(NamedTuple):
    """What one attempt of a container does. `run_seconds` None: for ever. Without `term_exit` SIGTERM is ignored."""

    run_seconds: float | None = None
    exit_code: int = 0
    oom: bool = False
    term_exit: int | None = None
    start_error: str = ""
    pull_fails: bool = False
    pull_seconds: float | None = None
    ready_after_seconds: float | None = None
    alive_for_seconds: float | None = None
    log: tuple[str, ...] = ()
    message: str = ""


@lru_cache(maxsize=1024)
def parse_script(text: str) -> tuple[Attempt, ...]:
    """The attempts that an annotation describes, at least one. Raises BadScript."""
    parts = [part.strip() for part in text.split(";")]
    return tuple(_attempt(part) for part in parts if part) or (Attempt(),)


def attempt_of(text: str, number: int) -> Attempt:
    """What attempt `number` (from 0) does."""
    attempts = parse_script(text)
    return attempts[min(number, len(attempts) - 1)]


def _attempt(part: str) -> Attempt:
    attempt = Attempt()
    timed = False
    try:
        words = shlex.split(part)
    except ValueError as exc:
        raise BadScript(f"{part!r}: {exc}") from exc
    for word in words:
        key, _, value = word.partition("=")
        timed = timed or key == "run"
        attempt = _with(attempt, key, value, part)
    ends = attempt.oom or any(word.startswith("exit=") for word in words)
    return attempt._replace(run_seconds=0.0) if ends and not timed else attempt


def _with(attempt: Attempt, key: str, value: str, part: str) -> Attempt:
    match key:
        case "run":
            return attempt._replace(run_seconds=None if value == "forever" else _seconds(value, part))
        case "exit":
            return attempt._replace(exit_code=_code(value, part))
        case "oom":
            return attempt._replace(oom=True)
        case "ignore-term":
            return attempt._replace(term_exit=None)
        case "term-exit":
            return attempt._replace(term_exit=_code(value, part))
        case "start-error":
            return attempt._replace(start_error=value or "exec: no such file or directory")
        case "pull" if value == "fail":
            return attempt._replace(pull_fails=True)
        case "pull" | "slow":
            return attempt._replace(pull_seconds=_seconds(value.removeprefix("slow").lstrip(":="), part))
        case "ready-after":
            return attempt._replace(ready_after_seconds=_seconds(value, part))
        case "alive-for":
            return attempt._replace(alive_for_seconds=_seconds(value, part))
        case "log":
            return attempt._replace(log=(*attempt.log, value))
        case "message":
            return attempt._replace(message=value)
    raise BadScript(f"{part!r}: {key!r} is no word of a container script")


def _seconds(value: str, part: str) -> float:
    if value.endswith("ms") and value[:-2].isdigit():
        return int(value[:-2]) / 1000
    seconds = duration(value)
    if seconds is None:
        raise BadScript(f"{part!r}: {value!r} is no time; write 3s, 5m or 500ms")
    return seconds


def _code(value: str, part: str) -> int:
    if not value.isdigit() or int(value) > 255:
        raise BadScript(f"{part!r}: {value!r} is no exit code")
    return int(value)


class Scripted(NamedTuple):
    """A process that follows an `Attempt`."""

    attempt: Attempt
    started_at: datetime | None = None
    exit_code: int | None = None
    oom: bool = False

    @property
    def wake_at(self) -> datetime | None:
        if self.started_at is None or self.attempt.run_seconds is None or self.exit_code is not None:
            return None
        return self.started_at + timedelta(seconds=self.attempt.run_seconds)

    def ports(self) -> tuple[Listening, ...]:
        return ()

    def run(self, world: World) -> Scripted:
        """Start, or end when the time is over."""
        now = self
        if now.started_at is None:
            for line in self.attempt.log:
                world.log(1, line.encode() + b"\n")
            now = now._replace(started_at=world.now)
        due = now.wake_at
        if due is not None and world.now >= due:
            return now._replace(exit_code=137 if self.attempt.oom else self.attempt.exit_code, oom=self.attempt.oom)
        return now

    def signal(self, world: World, name: str) -> Scripted:
        """SIGTERM ends it only when the script says how."""
        return self if self.attempt.term_exit is None else self._replace(exit_code=self.attempt.term_exit)

    def probe(self, kind: str, now: datetime) -> bool:
        """Whether a probe passes."""
        up = (now - (self.started_at or now)).total_seconds()
        late = self.attempt.ready_after_seconds
        if late is not None and kind in ("readiness", "startup") and up < late:
            return False
        return not (
            self.attempt.alive_for_seconds is not None and kind == "liveness" and up >= self.attempt.alive_for_seconds
        )
