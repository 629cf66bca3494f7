"""The live board: every pod with its conditions, containers and what they wait on, the newest events, and logs below.

`render` is a pure function of the story and the time; `LiveBoard` puts it on a terminal, at most four times a second and only
when something changed. Rich is imported only here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lifepod.api.human_duration import human_duration
from lifepod.api.objects import JsonObject, dig, parse_time
from lifepod.api.table_pod import pod_cells
from lifepod.api.table_workloads import job_status_text
from lifepod.diagnosis.findings import Finding
from lifepod.ui.plain import duration, size
from lifepod.ui.story import Story, conditions, container_statuses, since, state_words

if TYPE_CHECKING:
    from lifepod.runtime.images.local_images import Progress

_GOOD, _BUSY, _BAD, _DIM = "green", "yellow", "red", "bright_black"
_CONTAINER_COLOURS = ("cyan", "magenta", "blue", "green", "yellow")
_BAR = 12
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?|[\x00-\x1f\x7f-\x9f]")


class Header:
    """What stands above the pods: where this runs, and how to join in."""

    def __init__(self, title: str, notes: Iterable[str] = ()) -> None:
        self.title = title
        self.notes = list(notes)


def printable(text: str) -> str:
    """What a container wrote, without what would move the cursor or colour our board."""
    return _CONTROL.sub("", text.replace("\t", "  "))


def colour_of(status: str) -> str:
    """How a STATUS looks: good, under way, or bad."""
    word = status.removeprefix("Init:")
    if word in ("Running", "Completed", "Complete", "Succeeded"):
        return _GOOD
    if (
        word in ("Pending", "ContainerCreating", "PodInitializing", "Terminating", "NotReady", "Suspended")
        or word[:1].isdigit()
    ):
        return _BUSY
    return _BAD


def render(
    story: Story,
    header: Header,
    findings: dict[str, tuple[Finding, ...]],
    now: datetime,
    width: int,
    height: int,
) -> RenderableType:
    """The whole board for a terminal of this size. `findings` by pod key say what each pod waits on."""
    parts: list[RenderableType] = [_header(header), _pods(story, findings, now, width)]
    if story.jobs:
        parts.append(_jobs(story, now))
    used = (
        4 + sum(_height_of(pod, findings.get(key, ()), width) for key, pod in story.pods.items()) + 2 * bool(story.jobs)
    )
    room = max(height - used - sum(-(-len(note) // width) for note in header.notes), 6)
    parts += [_events(story, now, max(room // 3, 3), width), _logs(story, max(room - room // 3 - 2, 3), width)]
    return Group(*parts)


def _height_of(pod: JsonObject, findings: tuple[Finding, ...], width: int) -> int:
    return 1 + len(_condition_lines(pod, width)) + len(container_statuses(pod)) + len(findings)


def _header(header: Header) -> RenderableType:
    lines = [Text(header.title, style="bold")]
    lines += [Text(note, style=_DIM) for note in header.notes]
    return Group(*lines, Text())


def _pods(story: Story, findings: dict[str, tuple[Finding, ...]], now: datetime, width: int) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=f"bold {_DIM}", expand=False)
    for name in ("NAME", "READY", "STATUS", "RESTARTS", "AGE"):
        table.add_column(name, no_wrap=True)
    blocks: list[RenderableType] = []
    for key, pod in sorted(story.pods.items()):
        name, ready, status, restarts, age, *_ = (str(cell) for cell in pod_cells(pod, now))
        table.add_row(Text(name, style="bold"), ready, Text(status, style=colour_of(status)), restarts, age)
        blocks.append(_pod_details(story, pod, findings.get(key, ()), now, width))
    return Group(table, Text(), *blocks)


def _pod_details(
    story: Story, pod: JsonObject, findings: tuple[Finding, ...], now: datetime, width: int
) -> RenderableType:
    lines: list[RenderableType] = [*_condition_lines(pod, width)]
    by_subject = {f.subject: f for f in findings}
    statuses = container_statuses(pod)
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True, min_width=4 + max((len(s["name"]) for s in statuses), default=0))
    grid.add_column(no_wrap=True, min_width=max((len(state_words(s)) for s in statuses), default=0))
    grid.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
    for status in statuses:
        words = state_words(status)
        pull = story.pull_of(status)
        grid.add_row(
            Text(f"    {status['name']}"),
            Text(words, style=_state_colour(status)),
            _pulling(pull) if pull is not None else _waiting_on(status, by_subject.get(status["name"]), now),
        )
    lines.append(grid)
    if "" in by_subject and not by_subject[""].cause.startswith(("Nothing is wrong", "It is on its way")):
        lines.append(Text(f"    {by_subject[''].cause}", style=_BUSY, no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def _condition_lines(pod: JsonObject, width: int) -> list[Text]:
    """The pod's name and its conditions, as many in a line as fit; a mark stays with its word."""
    lines = [Text("  ").append(pod["metadata"]["name"] + "  ", style="bold")]
    for kind, value, _ in conditions(pod):
        is_true = value == "True"
        mark = Text("● " if is_true else "○ ", style=_GOOD if is_true else _DIM).append(
            kind, style="" if is_true else _DIM
        )
        if lines[-1].cell_len + mark.cell_len > width:
            lines.append(Text("    "))
        lines[-1].append(mark).append("  ")
    return lines


def _state_colour(status: JsonObject) -> str:
    state = status.get("state") or {}
    if "running" in state:
        return _GOOD if status.get("ready") or status.get("started") else _BUSY
    if "terminated" in state:
        return _GOOD if state["terminated"].get("exitCode") == 0 else _BAD
    reason = dig(state, "waiting", "reason")
    return _DIM if reason in ("PodInitializing", "ContainerCreating", None) else _BAD


def _pulling(pull: Progress) -> Text:
    """A bar that fills with the bytes of an image; then it is unpacked."""
    text = Text()
    filled = _BAR * pull.done_bytes // max(pull.total_bytes, 1)
    text.append("━" * filled, style=_BUSY)
    text.append("━" * (_BAR - filled), style=_DIM)
    if pull.done_bytes >= pull.total_bytes:
        text.append(f" unpacking {size(pull.total_bytes)}", style=_BUSY)
    else:
        percent = 100 * pull.done_bytes // pull.total_bytes
        text.append(f" pulling {percent} % of {size(pull.total_bytes)}", style=_BUSY)
    return text


def _waiting_on(status: JsonObject, finding: Finding | None, now: datetime) -> Text:
    """A bar that fills until what comes next, and the cause in words; else how long the state has lasted."""
    began = since(status)
    text = Text()
    if finding is not None and finding.at is not None and began is not None and finding.at > began:
        total, gone = (finding.at - began).total_seconds(), (now - began).total_seconds()
        filled = min(max(int(_BAR * gone / total), 0), _BAR)
        text.append("━" * filled, style=_BUSY)
        text.append("━" * (_BAR - filled), style=_DIM)
        text.append(f" again in {duration((finding.at - now).total_seconds())}  ", style=_BUSY)
    elif began is not None:
        text.append(f"{duration((now - began).total_seconds())}  ", style=_DIM)
    if finding is not None:
        text.append(finding.cause, style=_DIM)
    return text


def _jobs(story: Story, now: datetime) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for key in sorted(story.jobs):
        job = story.jobs[key]
        status = job.get("status") or {}
        counts = "  ".join(f"{name} {status[name]}" for name in ("active", "succeeded", "failed") if status.get(name))
        table.add_row(
            Text(f"  job/{job['metadata']['name']}", style="bold"),
            Text(job_status_text(job), style=colour_of(job_status_text(job))),
            counts,
        )
    return Group(table, Text())


def _events(story: Story, now: datetime, rows: int, width: int) -> RenderableType:
    lines: list[RenderableType] = [Text("events", style=f"bold {_DIM}")]
    for event in list(story.events)[-rows:]:
        moment = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
        age = human_duration(now - parse_time(moment)) if moment else ""
        count = f" (x{event['count']})" if (event.get("count") or 1) > 1 else ""
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"  {age:>5}  ", style=_DIM)
        line.append(f"{event.get('reason', '')}{count} ", style=_BAD if event.get("type") == "Warning" else "")
        line.append(f"{dig(event, 'involvedObject', 'name')}  ", style=_DIM)
        line.append(printable(str(event.get("message", "")).replace("\n", " ")))
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return Group(*lines, Text())


def _logs(story: Story, rows: int, width: int) -> RenderableType:
    lines: list[RenderableType] = [Text("logs", style=f"bold {_DIM}")]
    names: dict[str, int] = {}
    for line in story.logs:
        names.setdefault(f"{line.pod}/{line.container}", len(names))
    for line in list(story.logs)[-rows:]:
        colour = _CONTAINER_COLOURS[names[f"{line.pod}/{line.container}"] % len(_CONTAINER_COLOURS)]
        shown = Text(no_wrap=True, overflow="ellipsis")
        shown.append(f"  {line.container} │ ", style=colour)
        shown.append(printable(line.text))
        shown.truncate(width, overflow="ellipsis")
        lines.append(shown)
    return Group(*lines)


class LiveBoard:
    """The board on a terminal. `draw` is cheap to call often: what is too soon is drawn by the next call."""

    def __init__(self, console: Console, per_second: int = 4) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, screen=False, transient=False, vertical_overflow="crop")
        self._gap = 1 / per_second
        self._last = float("-inf")

    def start(self) -> None:
        """Take the terminal."""
        self._live.start()

    def draw(self, board: RenderableType, monotonic: float) -> bool:
        """Draw unless the last time was less than a quarter of a second ago. False: not drawn."""
        if monotonic - self._last < self._gap:
            return False
        self._last = monotonic
        self._live.update(board, refresh=True)
        return True

    def stop(self, board: RenderableType | None = None) -> None:
        """Leave the terminal, the last picture standing."""
        if board is not None:
            self._live.update(board, refresh=True)
        self._live.stop()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal."""
        return self._console.size.width, self._console.size.height
