"""What a simulated shell process does next: an interpreter whose whole state is one value.

`Shell` is a process: what it still has to do (`todo`, a linked list of frames), its variables, traps and files. `run` goes on until
the process ends or waits for time, a job or a signal; nothing of it lives on Python's stack, so that a process can be copied,
saved and resumed at any virtual moment. The syntax is read in `shell_syntax.py`, the commands are in `commands.py`; a command that
is not known there, or a script that cannot be read, runs until it is stopped.

Signals are a real pid 1's: without a handler SIGTERM is ignored, a trap waits for the command in the foreground to end, `wait` is interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeAlias

from lifepod.runtime.sim import commands
from lifepod.runtime.sim.expansion import Ready, expand
from lifepod.runtime.sim.shell_syntax import (
    AndOr,
    Background,
    For,
    Function,
    If,
    Loop,
    Node,
    Not,
    NotUnderstood,
    Pipeline,
    Redirected,
    Sequence,
    Simple,
    Subshell,
    Substitution,
    Text,
    Word,
    parse,
)

MAX_STEPS = 20_000
"""A script that does so much without waiting is spinning; it is paused, so that virtual time can go on."""
SPIN_PAUSE = timedelta(seconds=1)


class World(Protocol):
    """What a process can see and touch: its container's files, its log, names, the time."""

    @property
    def now(self) -> datetime: ...
    @property
    def hostname(self) -> str: ...
    def read(self, path: str) -> bytes | None: ...
    def is_directory(self, path: str) -> bool: ...
    def names_in(self, path: str) -> tuple[str, ...]: ...
    def write(self, path: str, content: bytes) -> str: ...
    def make_directory(self, path: str) -> str: ...
    def remove(self, path: str) -> bool: ...
    def log(self, stream: int, text: bytes) -> None: ...
    def addresses_of(self, name: str) -> tuple[str, ...]: ...
    def signal_init(self, name: str) -> None: ...
    def processes(self) -> tuple[tuple[int, tuple[str, ...]], ...]: ...


# ------------------------------------------------------------------------------------------------ state


class Target(NamedTuple):
    """Where an output goes: `log` 1 or 2, `file` path, `capture` index, `null`."""

    kind: str
    where: str | int = 0


class Files(NamedTuple):
    """The three standard streams. `stdin` None: what comes to the process from outside (`Shell.input`)."""

    stdin: bytes | None
    out: Target
    err: Target


class Sleeping(NamedTuple):
    """Until a moment (None: for ever). `every`: it is a loop of such sleeps, traps run between two of them."""

    until: datetime | None
    since: datetime
    every: timedelta | None = None


class AwaitingJobs(NamedTuple):
    """In `wait`, for one job or for all (None)."""

    job: int | None


class AwaitingInput(NamedTuple):
    """For more on standard input, or its end."""


class InputMissing(Exception):
    """A command wants more of its input than has come; it is tried again when there is more."""


Wait: TypeAlias = Sleeping | AwaitingJobs | AwaitingInput


class Listening(NamedTuple):
    """A port the process listens on. `root` serves files over HTTP from there; None: it only accepts."""

    port: int
    root: str | None


class EndSequence(NamedTuple):
    items: tuple[Node, ...]


class EndAndOr(NamedTuple):
    operator: str
    right: Node


class EndNot(NamedTuple):
    pass


class EndCondition(NamedTuple):
    node: If


class LoopTested(NamedTuple):
    loop: Loop


class LoopAgain(NamedTuple):
    loop: Loop


class ForNext(NamedTuple):
    node: For
    words: tuple[str, ...]


class PipeNext(NamedTuple):
    stages: tuple[Node, ...]
    files: Files


class RestoreFiles(NamedTuple):
    files: Files


class EndSubshell(NamedTuple):
    variables: Mapping[str, str]
    traps: Mapping[str, Node | None]
    arguments: tuple[str, ...]
    directory: str
    files: Files


class EndSubstitution(NamedTuple):
    """A `$(…)` of `node` has run; its output is the last capture."""

    node: Simple | For
    done: tuple[str, ...]
    files: Files


class EndFunction(NamedTuple):
    arguments: tuple[str, ...]


class EndTrap(NamedTuple):
    status: int


class Again(NamedTuple):
    """A command that waited for input."""

    words: tuple[str, ...]


class ReadScript(NamedTuple):
    """The next command is to be read from standard input; `begun` are its lines so far."""

    begun: str = ""


class Finish(NamedTuple):
    """The process ends with the status it has (after `exec`)."""


class Shell(NamedTuple):
    """One simulated process. `exit_code` is None while it lives; `wait` says what it waits for."""

    todo: tuple[Any, Any] | None
    variables: Mapping[str, str]
    arguments: tuple[str, ...] = ("sh",)
    functions: Mapping[str, Node] = {}
    traps: Mapping[str, Node | None] = {}
    status: int = 0
    directory: str = "/"
    files: Files = Files(b"", Target("log", 1), Target("log", 2))
    captures: tuple[bytes, ...] = ()
    wait: Wait | None = None
    jobs: tuple[tuple[int, Any], ...] = ()
    last_job: int = 1
    pending: tuple[str, ...] = ()
    listening: tuple[Listening, ...] = ()
    exit_code: int | None = None
    is_init: bool = True
    input: bytes = b""
    input_open: bool = False

    @property
    def wake_at(self) -> datetime | None:
        """When it goes on by itself; None: it does not."""
        moments = [job.wake_at for _, job in self.jobs if job.exit_code is None]
        if isinstance(self.wait, Sleeping) and self.wait.until is not None:
            moments.append(self.wait.until)
        return min((m for m in moments if m is not None), default=None)

    def ports(self) -> tuple[Listening, ...]:
        """Every port it and its jobs listen on."""
        return self.listening + tuple(p for _, job in self.jobs if job.exit_code is None for p in job.ports())

    def run(self, world: World) -> Shell:
        """Go on as far as possible at `world.now`."""
        return Running(self, world).go()

    def fed(self, data: bytes, is_end: bool = False) -> Shell:
        """The process with more on its standard input; it goes on when it is next run."""
        wait = None if isinstance(self.wait, AwaitingInput) else self.wait
        return self._replace(input=self.input + data, input_open=self.input_open and not is_end, wait=wait)

    def signal(self, world: World, name: str) -> Shell:
        """Receive a signal (`TERM`, `INT`, …; KILL never comes here)."""
        running = Running(self, world)
        running.receive(name)
        return running.go()


@lru_cache(maxsize=4096)
def _program(command: tuple[str, ...]) -> Node:
    return Simple((), tuple((Text(word, True),) for word in command))


@lru_cache(maxsize=4096)
def parsed(script: str) -> Node | None:
    """The tree of a script, None when it is not understood."""
    try:
        return parse(script)
    except NotUnderstood:
        return None


def start_shell(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    directory: str = "/",
    is_init: bool = True,
    files: Files | None = None,
    captures: tuple[bytes, ...] = (),
) -> Shell:
    """A process about to run `command` (no shell unless the command is one)."""
    return Shell(
        todo=(_program(command), (Finish(), None)),
        variables=environment,
        directory=directory or "/",
        is_init=is_init,
        files=files or Files(b"", Target("log", 1), Target("log", 2)),
        captures=captures,
    )


# ------------------------------------------------------------------------------------------------ running


class Running:
    """A `Shell` while it runs: the same fields, changed in place, put back into a value at the end."""

    def __init__(self, shell: Shell, world: World) -> None:
        self.world = world
        (
            self.todo,
            self.variables,
            self.arguments,
            self.functions,
            self.traps,
            self.status,
            self.directory,
            self.files,
            self.captures,
            self.wait,
            self.jobs,
            self.last_job,
            self.pending,
            self.listening,
            self.exit_code,
            self.is_init,
            self.input,
            self.input_open,
        ) = shell
        self.steps = 0

    def value(self) -> Shell:
        return Shell(
            self.todo,
            self.variables,
            self.arguments,
            self.functions,
            self.traps,
            self.status,
            self.directory,
            self.files,
            self.captures,
            self.wait,
            self.jobs,
            self.last_job,
            self.pending,
            self.listening,
            self.exit_code,
            self.is_init,
            self.input,
            self.input_open,
        )

    # -------------------------------------------------------------------------------- the loop

    def go(self) -> Shell:
        """Run until something is to be waited for."""
        self._run_jobs()
        self._wake()
        while self.exit_code is None and self.wait is None:
            if self.pending:
                self._start_trap()
            if self.todo is None:
                self.exit_code = self.status
                break
            self.steps += 1
            if self.steps > MAX_STEPS:
                self.wait = Sleeping(self.world.now + SPIN_PAUSE, self.world.now)
                break
            frame, self.todo = self.todo
            _HANDLERS[type(frame)](self, frame)
        if self.exit_code is not None:
            self.jobs, self.listening = (), ()
        return self.value()

    def push(self, *frames: object) -> None:
        """`frames` come next, in that order."""
        for frame in reversed(frames):
            self.todo = (frame, self.todo)

    def _run_jobs(self) -> None:
        if self.jobs:
            self.jobs = tuple((n, job if job.exit_code is not None else job.run(self.world)) for n, job in self.jobs)

    def _wake(self) -> None:
        """End what was waited for, when its time has come."""
        wait = self.wait
        if isinstance(wait, Sleeping):
            if wait.until is not None and self.world.now >= wait.until:
                self.wait, self.listening = None, ()
                self.status = 0
        elif isinstance(wait, AwaitingJobs):
            waited = [job for n, job in self.jobs if wait.job is None or n == wait.job]
            if all(job.exit_code is not None for job in waited):
                self.wait = None
                self.status = (waited[-1].exit_code or 0) if waited and wait.job is not None else 0
                self.jobs = tuple((n, job) for n, job in self.jobs if job.exit_code is None)

    # -------------------------------------------------------------------------------- signals

    def receive(self, name: str) -> None:
        """What a signal does: a trap now or after the command in the foreground, nothing to a pid 1 without one, death else."""
        if name in self.traps:
            if self.traps[name] is None:
                return
            self.pending = (*self.pending, name)
            if isinstance(self.wait, AwaitingJobs):
                self.wait = None
            elif isinstance(self.wait, Sleeping) and self.wait.every is not None:
                self.wait = self.wait._replace(until=_next_turn(self.wait, self.world.now))
        elif not self.is_init and name in ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT"):
            self.exit_code = 128 + commands.SIGNALS[name]

    def _start_trap(self) -> None:
        name, self.pending = self.pending[0], self.pending[1:]
        handler = self.traps.get(name)
        if handler is not None:
            self.push(handler, EndTrap(self.status))

    # -------------------------------------------------------------------------------- standard input

    def stdin(self) -> bytes:
        """All of standard input. Raises InputMissing while more may come."""
        if self.files.stdin is not None:
            return self.files.stdin
        if self.input_open:
            raise InputMissing
        return self.take_input()

    def take_input(self) -> bytes:
        """What has come from outside so far."""
        content, self.input = self.input, b""
        return content

    def read_line(self) -> bytes:
        """The next line of standard input with its end; b"" when there is none. Raises InputMissing."""
        own = self.files.stdin is None
        content = self.input if self.files.stdin is None else self.files.stdin
        line, newline, rest = content.partition(b"\n")
        if own and not newline and self.input_open:
            raise InputMissing
        if own:
            self.input = rest
        else:
            self.files = self.files._replace(stdin=rest)
        return line + newline

    def await_input(self, frame: Again | ReadScript) -> None:
        """Go on with `frame` when there is more."""
        self.push(frame)
        self.wait = AwaitingInput()

    # -------------------------------------------------------------------------------- what commands use

    def write(self, stream: int, text: bytes) -> None:
        """Put `text` on stdout (1) or stderr (2)."""
        target = self.files.out if stream == 1 else self.files.err
        match target.kind:
            case "log":
                self.world.log(int(target.where), text)
            case "file":
                self.world.write(str(target.where), (self.world.read(str(target.where)) or b"") + text)
            case "capture":
                at = int(target.where)
                self.captures = (*self.captures[:at], self.captures[at] + text, *self.captures[at + 1 :])

    def say(self, text: str) -> None:
        """One line on stdout."""
        self.write(1, text.encode() + b"\n")

    def complain(self, text: str) -> int:
        """One line on stderr; answers status 1."""
        self.write(2, text.encode() + b"\n")
        return 1

    def path(self, name: str) -> str:
        """`name` as an absolute path, normalised."""
        out: list[str] = []
        for part in (name if name.startswith("/") else f"{self.directory}/{name}").split("/"):
            if part == "..":
                out[-1:] = []
            elif part not in ("", "."):
                out.append(part)
        return "/" + "/".join(out)

    def sleep(self, seconds: float | None) -> None:
        """Go on after `seconds`; None: never."""
        now = self.world.now
        self.wait = Sleeping(None if seconds is None else now + timedelta(seconds=seconds), now)

    def set(self, name: str, value: str) -> None:
        """Assign a variable."""
        self.variables = {**self.variables, name: value}

    def leave(self, status: int) -> None:
        """`exit`: out of the innermost subshell, or the process ends."""
        self.status = status
        while self.todo is not None:
            frame, self.todo = self.todo
            if isinstance(frame, EndSubshell):
                self.todo = (frame, self.todo)
                return
            if isinstance(frame, EndSubstitution):
                self.todo = (frame, self.todo)
                return
        self.exit_code = status

    def unwind(self, kind: type | tuple[type, ...], keep: bool) -> None:
        """`break`, `continue`, `return`: drop frames up to the next of `kind`."""
        while self.todo is not None:
            frame, rest = self.todo
            if isinstance(frame, (EndSubshell, EndSubstitution)):
                return
            if isinstance(frame, RestoreFiles):
                self.files = frame.files
            if isinstance(frame, kind):
                if isinstance(frame, EndFunction):
                    self.arguments = frame.arguments
                self.todo = (frame, rest) if keep else rest
                return
            self.todo = rest

    def run_script(self, script: str, arguments: tuple[str, ...]) -> None:
        """`sh -c script`: in a subshell of its own, or for ever when it is not understood."""
        tree = parsed(script)
        if tree is None:
            self.sleep(None)
            return
        self.push(tree, self._leave_subshell())
        self.arguments, self.traps = arguments, {n: h for n, h in self.traps.items() if h is None}

    def read_script(self, arguments: tuple[str, ...]) -> None:
        """`sh`: the commands come on standard input."""
        if self.files.stdin is not None:
            self.run_script(self.files.stdin.decode(errors="replace"), arguments)
            return
        self.push(ReadScript(), self._leave_subshell())
        self.arguments, self.traps = arguments, {n: h for n, h in self.traps.items() if h is None}

    def replace(self, words: list[str]) -> None:
        """`exec`: the process becomes the command; traps with a handler are gone, ignored signals stay ignored."""
        self.traps = {name: handler for name, handler in self.traps.items() if handler is None}
        self.todo = (_program(tuple(words)), (Finish(), None))

    def _leave_subshell(self) -> EndSubshell:
        return EndSubshell(self.variables, self.traps, self.arguments, self.directory, self.files)

    def start_job(self, node: Node) -> None:
        """`node &`."""
        self.last_job += 1
        job = Shell(
            todo=(node, None),
            variables=self.variables,
            arguments=self.arguments,
            functions=self.functions,
            traps={n: h for n, h in self.traps.items() if h is None},
            directory=self.directory,
            files=self.files._replace(stdin=b""),
            captures=self.captures,
            is_init=False,
        )
        self.jobs = (*self.jobs, (self.last_job, job.run(self.world)))
        self.variables = {**self.variables, "!": str(self.last_job)}
        self.status = 0


def _next_turn(wait: Sleeping, now: datetime) -> datetime:
    """When the sleep under way inside a loop of sleeps ends."""
    every = wait.every or timedelta(0)
    gone = (now - wait.since) // every if every else 0
    return wait.since + (gone + 1) * every


# ------------------------------------------------------------------------------------------------ frames


def _simple(run: Running, node: Simple) -> None:
    _expand_and_run(run, node, ())


def _substitutions(words: tuple[Word, ...]) -> list[Substitution]:
    return [part for word in words for part in word if isinstance(part, Substitution)]


def _all_words(node: Simple | For) -> tuple[Word, ...]:
    return node.words if isinstance(node, For) else tuple(w for _, w in node.assignments) + node.words


def _expand_and_run(run: Running, node: Simple | For, done: tuple[str, ...]) -> None:
    """Run the command substitutions one by one, then the command itself."""
    wanted = _substitutions(_all_words(node))
    if len(done) < len(wanted):
        frame = EndSubstitution(node, done, run.files)
        run.push(wanted[len(done)].body, frame)
        run.files = Files(b"", Target("capture", len(run.captures)), run.files.err)
        run.captures = (*run.captures, b"")
        return
    ready = Ready(run.variables, run.arguments, run.status, run.last_job, done)
    if isinstance(node, For):
        run.push(ForNext(node, tuple(expand(node.words, ready, run))))
        return
    values = [(name, "".join(expand((word,), ready, run, split=False))) for name, word in node.assignments]
    words = expand(node.words, ready, run)
    if not words:
        run.variables = {**run.variables, **dict(values)}
        run.status = 0 if not done else run.status
        return
    if values:
        run.push(EndSubshell({**run.variables}, run.traps, run.arguments, run.directory, run.files))
        run.variables = {**run.variables, **dict(values)}
    _call(run, words)


def _call(run: Running, words: list[str]) -> None:
    """Run one command: a function of the script, a command known here, else whatever it is, until it is stopped."""
    function = run.functions.get(words[0])
    if function is not None:
        run.push(function, EndFunction(run.arguments))
        run.arguments = (run.arguments[0], *words[1:])
        return
    command = commands.COMMANDS.get(words[0].rsplit("/", 1)[-1])
    if command is None:
        run.sleep(None)
        return
    try:
        status = command(run, words)
    except InputMissing:
        run.await_input(Again(tuple(words)))
        return
    if status is not None:
        run.status = status


def _again(run: Running, frame: Again) -> None:
    _call(run, list(frame.words))


def _read_script(run: Running, frame: ReadScript) -> None:
    """Run the next command of standard input; lines are put together until they can be read."""
    try:
        line = run.read_line().decode(errors="replace")
    except InputMissing:
        run.await_input(frame)
        return
    if not line:
        if frame.begun:
            run.sleep(None)
        return
    text = frame.begun + line
    tree = parsed(text) if text.strip() else Sequence(())
    if tree is None:
        run.push(ReadScript(text))
    else:
        run.push(tree, ReadScript())


def _end_substitution(run: Running, frame: EndSubstitution) -> None:
    text = run.captures[-1].decode(errors="replace").rstrip("\n")
    run.captures, run.files = run.captures[:-1], frame.files
    _expand_and_run(run, frame.node, (*frame.done, text))


def _sequence(run: Running, node: Sequence) -> None:
    _end_sequence(run, EndSequence(node.items))


def _end_sequence(run: Running, frame: EndSequence) -> None:
    if len(frame.items) > 1:
        run.push(frame.items[0], EndSequence(frame.items[1:]))
    elif frame.items:
        run.push(frame.items[0])


def _background(run: Running, node: Background) -> None:
    run.start_job(node.body)


def _and_or(run: Running, node: AndOr) -> None:
    run.push(node.left, EndAndOr(node.operator, node.right))


def _end_and_or(run: Running, frame: EndAndOr) -> None:
    if (run.status == 0) == (frame.operator == "&&"):
        run.push(frame.right)


def _not(run: Running, node: Not) -> None:
    run.push(node.body, EndNot())


def _end_not(run: Running, frame: EndNot) -> None:
    run.status = 0 if run.status else 1


def _pipeline(run: Running, node: Pipeline) -> None:
    _pipe_stage(run, PipeNext(node.stages, run.files), run.files.stdin)


def _pipe_stage(run: Running, frame: PipeNext, stdin: bytes | None) -> None:
    """One stage after the other: what the first wrote is the next one's input."""
    stage, rest = frame.stages[0], frame.stages[1:]
    if not rest:
        run.push(Subshell(stage), RestoreFiles(frame.files))
        run.files = frame.files._replace(stdin=stdin)
        return
    run.push(Subshell(stage), PipeNext(rest, frame.files))
    run.files = Files(stdin, Target("capture", len(run.captures)), frame.files.err)
    run.captures = (*run.captures, b"")


def _pipe_next(run: Running, frame: PipeNext) -> None:
    stdin, run.captures = run.captures[-1], run.captures[:-1]
    _pipe_stage(run, frame, stdin)


def _subshell(run: Running, node: Subshell) -> None:
    run.push(node.body, EndSubshell(run.variables, run.traps, run.arguments, run.directory, run.files))
    run.traps = {n: h for n, h in run.traps.items() if h is None}


def _end_subshell(run: Running, frame: EndSubshell) -> None:
    run.variables, run.traps, run.arguments, run.directory, run.files = frame


def _redirected(run: Running, node: Redirected) -> None:
    before = run.files
    ready = Ready(run.variables, run.arguments, run.status, run.last_job, ())
    for redirect in node.redirects:
        if _substitutions((redirect.target,)):
            run.sleep(None)
            return
        name = "".join(expand((redirect.target,), ready, run, split=False))
        problem = _open(run, redirect.fd, redirect.operator, name)
        if problem:
            run.files = before
            run.status = run.complain(f"sh: {problem}")
            return
    if isinstance(node.body, Simple) and [p.text for w in node.body.words for p in w if isinstance(p, Text)] == [
        "exec"
    ]:
        return
    run.push(node.body, RestoreFiles(before))


def _open(run: Running, fd: int, operator: str, name: str) -> str:
    """Redirect one stream; answers what went wrong."""
    if operator == ">&":
        source = {"1": run.files.out, "2": run.files.err}.get(name, Target("null"))
        run.files = run.files._replace(out=source) if fd == 1 else run.files._replace(err=source)
        return ""
    if operator == "<":
        path = run.path(name)
        content = b"" if name == "/dev/null" else run.world.read(path)
        if content is None:
            return f"can't open {name}: no such file"
        run.files = run.files._replace(stdin=content)
        return ""
    target = _device(name)
    if target is None:
        path = run.path(name)
        kept = run.world.read(path) if operator == ">>" else None
        problem = run.world.write(path, kept or b"")
        if problem:
            return f"can't create {name}: {problem}"
        target = Target("file", path)
    run.files = run.files._replace(out=target) if fd == 1 else run.files._replace(err=target)
    return ""


def _device(name: str) -> Target | None:
    if name == "/dev/null":
        return Target("null")
    if name in ("/dev/stdout", "/proc/1/fd/1", "/proc/self/fd/1"):
        return Target("log", 1)
    if name in ("/dev/stderr", "/proc/1/fd/2", "/proc/self/fd/2"):
        return Target("log", 2)
    return None


def _restore_files(run: Running, frame: RestoreFiles) -> None:
    run.files = frame.files


def _if(run: Running, node: If) -> None:
    run.push(node.condition, EndCondition(node))


def _end_condition(run: Running, frame: EndCondition) -> None:
    if run.status == 0:
        run.push(frame.node.then)
    else:
        run.status = 0
        if frame.node.otherwise is not None:
            run.push(frame.node.otherwise)


def _loop(run: Running, node: Loop) -> None:
    every = _sleeps_only(node)
    if every is not None:
        now = run.world.now
        run.push(node)
        run.wait = Sleeping(None, now, every)
        return
    run.push(node.condition, LoopTested(node))


def _sleeps_only(node: Loop) -> timedelta | None:
    """How long one turn lasts of a loop that does nothing but sleep, for ever; such a loop needs no turns at all."""
    if node.ends_on_success or _plain_command(node.condition) not in ((":",), ("true",)):
        return None
    words = _plain_command(node.body)
    if len(words) != 2 or words[0] != "sleep":
        return None
    seconds = commands.duration(words[1])
    return timedelta(seconds=seconds) if seconds else None


def _plain_command(node: Node) -> tuple[str, ...]:
    """The words of a command without expansions; () when it is anything else."""
    if not isinstance(node, Simple) or node.assignments:
        return ()
    if any(len(word) != 1 or not isinstance(word[0], Text) for word in node.words):
        return ()
    return tuple(word[0].text for word in node.words if isinstance(word[0], Text))


def _loop_tested(run: Running, frame: LoopTested) -> None:
    if (run.status == 0) != frame.loop.ends_on_success:
        run.push(frame.loop.body, LoopAgain(frame.loop))
    else:
        run.status = 0


def _loop_again(run: Running, frame: LoopAgain) -> None:
    run.push(frame.loop.condition, LoopTested(frame.loop))


def _for(run: Running, node: For) -> None:
    _expand_and_run(run, node, ())


def _for_next(run: Running, frame: ForNext) -> None:
    if frame.words:
        run.set(frame.node.name, frame.words[0])
        run.push(frame.node.body, ForNext(frame.node, frame.words[1:]))


def _function(run: Running, node: Function) -> None:
    run.functions = {**run.functions, node.name: node.body}
    run.status = 0


def _end_function(run: Running, frame: EndFunction) -> None:
    run.arguments = frame.arguments


def _end_trap(run: Running, frame: EndTrap) -> None:
    run.status = frame.status


def _finish(run: Running, frame: Finish) -> None:
    run.exit_code = run.status


LOOPS = (LoopAgain, ForNext)
_HANDLERS: dict[type, Any] = {
    Simple: _simple,
    Sequence: _sequence,
    Background: _background,
    AndOr: _and_or,
    Not: _not,
    Pipeline: _pipeline,
    Subshell: _subshell,
    Redirected: _redirected,
    If: _if,
    Loop: _loop,
    For: _for,
    Function: _function,
    EndSequence: _end_sequence,
    EndAndOr: _end_and_or,
    EndNot: _end_not,
    EndCondition: _end_condition,
    LoopTested: _loop_tested,
    LoopAgain: _loop_again,
    ForNext: _for_next,
    PipeNext: _pipe_next,
    RestoreFiles: _restore_files,
    EndSubshell: _end_subshell,
    EndSubstitution: _end_substitution,
    EndFunction: _end_function,
    EndTrap: _end_trap,
    Again: _again,
    ReadScript: _read_script,
    Finish: _finish,
}
