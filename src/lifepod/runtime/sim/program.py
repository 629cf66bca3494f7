"""Containers written in Python: `def worker(c): yield c.log("up"); yield c.sleep(3); yield c.exit(1)`.

A program is a generator function. It yields wishes made with its `Container` handle and is sent each one's answer. What it was
answered is kept, so that a copy of the process (a fork, a snapshot) is made by running the function again on the same answers:
a program must depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from lifepod.runtime.sim.shell import Listening, World


class Log(NamedTuple):
    text: str
    stream: int


class Sleep(NamedTuple):
    """Answered by None when the time is over, by the signal's name when one came first that the program handles."""

    seconds: float | None


class Exit(NamedTuple):
    code: int
    oom: bool


class Handle(NamedTuple):
    signal: str


class Listen(NamedTuple):
    port: int
    status: int


class CloseListener(NamedTuple):
    port: int


class Answer(NamedTuple):
    """From now on probes of this kind pass or fail."""

    probe: str
    passes: bool


class OnExec(NamedTuple):
    """`respond(command)` gives (exit code, output) to every exec."""

    respond: Callable[[tuple[str, ...]], tuple[int, str]]


class Read(NamedTuple):
    path: str


class Write(NamedTuple):
    path: str
    content: str


class Resolve(NamedTuple):
    name: str


class Now(NamedTuple):
    pass


Wish: TypeAlias = Log | Sleep | Exit | Handle | Listen | CloseListener | Answer | OnExec | Read | Write | Resolve | Now
Program: TypeAlias = "Callable[[Container], Generator[Wish, Any, None]]"


class Container:
    """What a program is handed: facts about its container, and a method for each wish; yield what they return."""

    def __init__(
        self, name: str, pod: str, namespace: str, attempt: int, env: dict[str, str], command: tuple[str, ...]
    ) -> None:
        self.name, self.pod, self.namespace = name, pod, namespace
        self.attempt, self.env, self.command = attempt, env, command

    def log(self, text: str, stream: int = 1) -> Log:
        """Write a line to stdout (2: stderr)."""
        return Log(text, stream)

    def sleep(self, seconds: float) -> Sleep:
        """Let time pass."""
        return Sleep(seconds)

    def forever(self) -> Sleep:
        """Wait until a signal comes that the program handles, or the end."""
        return Sleep(None)

    def exit(self, code: int = 0) -> Exit:
        """End."""
        return Exit(code, False)

    def oom(self) -> Exit:
        """Be killed for want of memory."""
        return Exit(137, True)

    def handle(self, signal: str = "TERM") -> Handle:
        """From now on `sleep` and `forever` are answered with this signal's name instead of ignoring it."""
        return Handle(signal)

    def listen(self, port: int, status: int = 200) -> Listen:
        """Accept connections; HTTP requests are answered with `status`."""
        return Listen(port, status)

    def close(self, port: int) -> CloseListener:
        """Accept them no longer."""
        return CloseListener(port)

    def ready(self, passes: bool = True) -> Answer:
        """Let readiness probes pass or fail from now on, whatever they ask."""
        return Answer("readiness", passes)

    def alive(self, passes: bool = True) -> Answer:
        """Likewise liveness probes."""
        return Answer("liveness", passes)

    def started(self, passes: bool = True) -> Answer:
        """Likewise startup probes."""
        return Answer("startup", passes)

    def on_exec(self, respond: Callable[[tuple[str, ...]], tuple[int, str]]) -> OnExec:
        """Answer execs (probes and hooks too)."""
        return OnExec(respond)

    def read(self, path: str) -> Read:
        """Answered with the file's text, None when there is none."""
        return Read(path)

    def write(self, path: str, content: str) -> Write:
        """Make or replace a file."""
        return Write(path, content)

    def resolve(self, name: str) -> Resolve:
        """Answered with the addresses that the cluster's DNS has for `name`."""
        return Resolve(name)

    def now(self) -> Now:
        """Answered with the time."""
        return Now()


class _Live:
    """A running generator and how many answers it has had. A copy of the process must have one of its own."""

    def __init__(self) -> None:
        self.generator: Generator[Wish, Any, None] | None = None
        self.sent = 0


class Programmed(NamedTuple):
    """A process that follows a program. `answers` are all it was ever sent."""

    program: Program
    container: Container
    live: _Live
    answers: tuple[object, ...] = ()
    until: datetime | None = None
    waits: bool = False
    pending: tuple[str, ...] = ()
    handled: tuple[str, ...] = ()
    listeners: tuple[tuple[int, int], ...] = ()
    probes: tuple[tuple[str, bool], ...] = ()
    respond: Callable[[tuple[str, ...]], tuple[int, str]] | None = None
    exit_code: int | None = None
    oom: bool = False

    @property
    def wake_at(self) -> datetime | None:
        return self.until if self.waits and self.exit_code is None else None

    def ports(self) -> tuple[Listening, ...]:
        return tuple(Listening(port, None) for port, _ in self.listeners)

    def run(self, world: World) -> Programmed:
        """Carry wishes out until one takes time."""
        at = self
        if at.waits:
            if at.pending:
                at = at._answered(at.pending[0])._replace(waits=False, pending=at.pending[1:])
            elif at.until is not None and world.now >= at.until:
                at = at._answered(None)._replace(waits=False)
            else:
                return at
        while at.exit_code is None and not at.waits:
            wish = at._next_wish()
            if wish is None:
                return at._replace(exit_code=0)
            at = at._carry_out(wish, world)
        return at

    def signal(self, world: World, name: str) -> Programmed:
        """A signal without a handler is ignored, as by any pid 1."""
        return self._replace(pending=(*self.pending, name)).run(world) if name in self.handled else self

    def probe(self, kind: str) -> bool | None:
        """What the program said of such probes; None: nothing."""
        return dict(self.probes).get(kind)

    def _answered(self, answer: object) -> Programmed:
        return self._replace(answers=(*self.answers, answer))

    def _next_wish(self) -> Wish | None:
        """What the generator wants next; a copy runs its own from the start."""
        live, count = self.live, len(self.answers)
        if count == 0:
            live.generator, live.sent = self.program(self.container), 0
            return next(live.generator, None)
        if live.generator is None or live.sent != count - 1:
            live.generator = self.program(self.container)
            next(live.generator, None)
            for answer in self.answers[:-1]:
                _send(live.generator, answer)
        live.sent = count
        return _send(live.generator, self.answers[-1])

    def _carry_out(self, wish: Wish, world: World) -> Programmed:
        match wish:
            case Sleep(seconds):
                until = None if seconds is None else world.now + timedelta(seconds=seconds)
                waiting = self._replace(waits=True, until=until)
                return waiting.run(world) if waiting.pending else waiting
            case Exit(code, oom):
                return self._replace(exit_code=code, oom=oom)
            case Log(text, stream):
                world.log(stream, text.encode() + b"\n")
            case Handle(name):
                return self._answered(None)._replace(handled=(*self.handled, name))
            case Listen(port, status):
                return self._answered(None)._replace(listeners=(*self.listeners, (port, status)))
            case CloseListener(port):
                return self._answered(None)._replace(listeners=tuple(x for x in self.listeners if x[0] != port))
            case Answer(kind, passes):
                return self._answered(None)._replace(probes=(*self.probes, (kind, passes)))
            case OnExec(respond):
                return self._answered(None)._replace(respond=respond)
            case Read(path):
                content = world.read(path)
                return self._answered(None if content is None else content.decode(errors="replace"))
            case Write(path, content):
                world.write(path, content.encode())
            case Resolve(name):
                return self._answered(world.addresses_of(name))
            case Now():
                return self._answered(world.now)
        return self._answered(None)


def _send(generator: Generator[Wish, Any, None], answer: object) -> Wish | None:
    try:
        return generator.send(answer)
    except StopIteration:
        return None


def start_program(program: Program, container: Container) -> Programmed:
    """A process about to run `program`."""
    return Programmed(program, container, _Live())


def copied(process: Programmed) -> Programmed:
    """The same process with a generator of its own."""
    return process._replace(live=_Live())
