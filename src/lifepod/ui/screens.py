"""Who shows a run: the live board on a terminal, plain lines in a pipe, JSON lines for programs.

Each is told what happens (`change`, `event`, `log`) and asked to draw (`tick`); none of them decides anything.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import IO, TYPE_CHECKING, Protocol

import orjson

from lifepod.api.objects import JsonObject, dig, format_micro_time
from lifepod.diagnosis.findings import Finding
from lifepod.ui.plain import change_line, event_line, finding_lines, log_line, pull_line
from lifepod.ui.story import Change, LogLine, Story

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lifepod.runtime.images.local_images import Progress


class Watched(Protocol):
    """A run under way, as far as it is shown."""

    story: Story
    started: datetime

    def findings(self) -> dict[str, tuple[Finding, ...]]: ...


class Ended(Protocol):
    """How a run ended, as far as it is shown."""

    @property
    def exit_code(self) -> int: ...

    @property
    def cause(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def pods(self) -> tuple[JsonObject, ...]: ...

    @property
    def jobs(self) -> tuple[JsonObject, ...]: ...

    @property
    def findings(self) -> dict[str, tuple[Finding, ...]]: ...


class PlainScreen:
    """One line a step; a pod that has stood still for a while says once what it waits for."""

    QUIET_SECONDS = 3.0

    def __init__(
        self, title: str, notes: tuple[str, ...], now: Callable[[], datetime], out: IO[str] | None = None
    ) -> None:
        self._title, self._notes, self._now, self._out = title, notes, now, out or sys.stdout
        self._run: Watched | None = None
        self._start = now()
        self._moved_at = 0.0
        self._told: set[str] = set()
        self._pulls: dict[str, datetime] = {}

    def begin(self, run: Watched) -> None:
        self._run, self._start = run, run.started
        for text in (self._title, *self._notes):
            self._print(text)

    def change(self, change: Change) -> None:
        self._moved_at = time.monotonic()
        self._print(change_line(change, self._start))

    def event(self, event: JsonObject) -> None:
        if event.get("type") == "Warning" and (event.get("count") or 1) == 1:
            name = f"{str(dig(event, 'involvedObject', 'kind')).lower()}/{dig(event, 'involvedObject', 'name')}"
            text = str(event.get("message", "")).replace("\n", " ")
            self._print(event_line("Warning", event.get("reason", ""), name, text, self._start, self._now()))

    def log(self, line: LogLine) -> None:
        self._print(log_line(line))

    def pull(self, progress: Progress) -> None:
        """Its begin and its end; what lies between is the board's."""
        began = self._pulls.get(progress.image)
        if progress.ended:
            self._pulls.pop(progress.image, None)
        elif began is not None:
            return
        else:
            self._pulls[progress.image] = self._now()
        self._print(pull_line(progress, self._start, self._now(), began or self._now()))

    def say(self, text: str) -> None:
        self._print(text)

    def tick(self) -> None:
        if self._run is None or time.monotonic() - self._moved_at < self.QUIET_SECONDS:
            return
        for key, findings in self._run.findings().items():
            for finding in findings:
                if finding.subject and (text := f"{key} {finding.subject} {finding.cause}") not in self._told:
                    self._told.add(text)
                    self._print(f"          pod/{key.rpartition('/')[2]}  {finding.subject}: {finding.cause}")

    def end(self, result: Ended) -> None:
        for line in summary(result, self._now()):
            self._print(line)

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class BoardScreen:
    """The live board. Plain lines take over for what is said before it starts and after it ends."""

    def __init__(self, title: str, notes: tuple[str, ...], now: Callable[[], datetime]) -> None:
        from rich.console import Console

        from lifepod.ui.board import Header, LiveBoard

        self._console = Console()
        self._header, self._now = Header(title, notes), now
        self._board = LiveBoard(self._console)
        self._run: Watched | None = None
        self._dirty, self._second = True, -1

    def begin(self, run: Watched) -> None:
        self._run = run
        self._board.start()

    def change(self, change: Change) -> None:
        self._dirty = True

    def event(self, event: JsonObject) -> None:
        self._dirty = True

    def log(self, line: LogLine) -> None:
        self._dirty = True

    def pull(self, progress: Progress) -> None:
        self._dirty = True

    def say(self, text: str) -> None:
        if self._run is None:
            self._console.print(text, markup=False, highlight=False)
        else:
            self._header.notes += text.splitlines()
            self._dirty = True

    def tick(self) -> None:
        """Draw when something changed; ages and bars move once a second."""
        second = int(time.monotonic())
        if (self._dirty or second != self._second) and self._board.draw(self._picture(), time.monotonic()):
            self._dirty, self._second = False, second

    def end(self, result: Ended) -> None:
        self._board.stop(self._picture())
        for line in summary(result, self._now()):
            self._console.print(line, markup=False, highlight=False)

    def _picture(self) -> RenderableType:
        from lifepod.ui.board import render

        assert self._run is not None
        width, height = self._board.size
        return render(self._run.story, self._header, self._run.findings(), self._now(), width, height)


class JsonScreen:
    """One JSON object a line: every change, warning and log line; the last one is the result with its cause."""

    def __init__(self, now: Callable[[], datetime], out: IO[bytes] | None = None) -> None:
        self._now, self._out = now, out or sys.stdout.buffer

    def begin(self, run: Watched) -> None:
        self._print({"type": "started", "at": format_micro_time(run.started)})

    def change(self, change: Change) -> None:
        self._print(
            {
                "type": "change",
                "at": format_micro_time(change.at),
                "subject": change.subject,
                "status": change.status,
                "details": list(change.details),
            }
        )

    def event(self, event: JsonObject) -> None:
        self._print({"type": "event", "at": format_micro_time(self._now()), "event": event})

    def log(self, line: LogLine) -> None:
        self._print(
            {
                "type": "log",
                "at": format_micro_time(self._now()),
                "pod": line.pod,
                "container": line.container,
                "line": line.text,
            }
        )

    def pull(self, progress: Progress) -> None:
        self._print(
            {
                "type": "pull",
                "at": format_micro_time(self._now()),
                "image": progress.image,
                "state": progress.ended or "pulling",
                "doneBytes": progress.done_bytes,
                "totalBytes": progress.total_bytes,
            }
        )

    def say(self, text: str) -> None:
        self._print({"type": "note", "at": format_micro_time(self._now()), "text": text})

    def tick(self) -> None:
        """Nothing moves by itself here."""

    def end(self, result: Ended) -> None:
        findings = {key: [_finding(f) for f in found] for key, found in result.findings.items()}
        self._print(
            {
                "type": "result",
                "at": format_micro_time(self._now()),
                "exitCode": result.exit_code,
                "cause": result.cause,
                "subject": result.subject,
                "pods": list(result.pods),
                "jobs": list(result.jobs),
                "findings": findings,
            }
        )

    def _print(self, record: JsonObject) -> None:
        self._out.write(orjson.dumps(record) + b"\n")
        self._out.flush()


def _finding(finding: Finding) -> JsonObject:
    return {
        "container": finding.subject,
        "cause": finding.cause,
        "next": finding.happens,
        "at": format_micro_time(finding.at) if finding.at else None,
        "remedy": list(finding.remedy),
        "evidence": list(finding.evidence),
    }


def summary(result: Ended, now: datetime) -> list[str]:
    """How everything ended and why, for people."""
    lines = [""]
    for job in result.jobs:
        true = [c for c in dig(job, "status", "conditions") or [] if c.get("status") == "True"]
        said = f": {true[-1].get('reason')}: {true[-1].get('message')}" if true and true[-1].get("message") else ""
        lines.append(f"job/{job['metadata']['name']}  {true[-1]['type'] if true else 'active'}{said}")
    for pod in result.pods:
        key = f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        lines.append(f"pod/{pod['metadata']['name']}  {dig(pod, 'status', 'phase')}")
        for finding in result.findings.get(key, ()):
            lines += [f"  {line}" for line in finding_lines(finding, now)]
    lines.append(f"exit code {result.exit_code}: {result.cause}")
    return lines
