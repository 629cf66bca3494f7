"""The story as plain lines, for pipes, logs and CI: one line a step, no control codes, nothing repeated."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lifepod.diagnosis.findings import Finding
from lifepod.ui.story import Change, LogLine

if TYPE_CHECKING:
    from lifepod.runtime.images.local_images import Progress


def elapsed(start: datetime, at: datetime) -> str:
    """` 12.3s` since the start."""
    return f"{max((at - start).total_seconds(), 0):7.1f}s"


def change_line(change: Change, start: datetime) -> str:
    """`   0.3s  pod/web  Running  app Running; Ready`."""
    details = "; ".join(change.details)
    return f"{elapsed(start, change.at)}  {change.subject}  {change.status}{f'  {details}' if details else ''}"


def event_line(event_type: str, reason: str, subject: str, message: str, start: datetime, at: datetime) -> str:
    """A Kubernetes Event; only warnings are worth a line."""
    return f"{elapsed(start, at)}  {subject}  {event_type} {reason}: {message}"


def pull_line(progress: Progress, start: datetime, at: datetime, began: datetime) -> str:
    """`   0.4s  image docker.io/library/busybox:1.36  pulling 2.2 MB`, and how it ended."""
    words = (
        f"{progress.ended or 'pulling'} {size(progress.total_bytes)}" if progress.ended != "failed" else "not pulled"
    )
    took = f" in {(at - began).total_seconds():.1f} s" if progress.ended == "pulled" else ""
    return f"{elapsed(start, at)}  image {progress.image}  {words}{took}"


def log_line(line: LogLine) -> str:
    """`          | web app | text`."""
    return f"          | {line.pod} {line.container} | {line.text}"


def finding_lines(finding: Finding, now: datetime) -> list[str]:
    """The cause, what happens next, what to do; indented to stand under their pod."""
    subject = f"{finding.subject}: " if finding.subject else ""
    lines = [f"{subject}{finding.cause}"]
    lines += [f"  {text}" for text in finding.evidence]
    if finding.happens:
        first, semicolon, more = finding.happens.rstrip(".").partition(";")
        when = f" in {duration((finding.at - now).total_seconds())}" if finding.at and finding.at > now else ""
        lines.append(f"  next: {first}{when}{semicolon}{more}.")
    lines += [f"  do: {text}" for text in finding.remedy]
    return lines


def size(count: int) -> str:
    """`512 B`, `2.2 MB`."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """`8s`, `2m40s`."""
    whole = max(round(seconds), 0)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes and rest else f"{minutes}m" if minutes else f"{rest}s"
