"""What has a pod gone through, and when? From the versions of it that a watcher saw: marks to ask about, lines to read.

A *mark* is a word that holds for one version of a pod: a phase (`Running`), what kubectl's STATUS column says (`Init:0/2`,
`CrashLoopBackOff`), a condition (`Ready`, `NotReady`, `init done`), a container's state (`main Running`, `main OOMKilled`), the
sum of restarts (`restart 3`), `Terminating`, `Deleted`. Capitals do not matter.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject, dig
from lifepod.api.table_pod import pod_status_text

INIT_DONE = "init done"
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_USUAL = (
    "Pending", "Running", "Succeeded", "Failed", "Unknown", "Ready", "NotReady", "Scheduled", "Unscheduled", INIT_DONE,
    "Initialized", "ContainersReady", "PodScheduled", "PodReadyToStartContainers", "DisruptionTarget", "ContainerCreating",
    "PodInitializing", "CrashLoopBackOff", "Completed", "Error", "OOMKilled", "ErrImagePull", "ImagePullBackOff",
    "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
    "StartError", "ContainerCannotRun", "DeadlineExceeded", "Evicted", "NodeLost", "Preempted", "Terminating", "Deleted",
    "SchedulingGated", "ContainerStatusUnknown", "Init:CrashLoopBackOff", "Init:Error", "UnexpectedAdmissionError",
    "Terminated", "Waiting",
)  # fmt: skip


class Moment(NamedTuple):
    """A version of a pod, or one of its Events, and when it was written. `kind` is the watch event's type."""

    at: datetime
    kind: str
    obj: JsonObject


class Line(NamedTuple):
    """One line of a timeline."""

    at: datetime
    status: str
    details: str


# ------------------------------------------------------------------------------------------------ marks


def marks(moment: Moment) -> frozenset[str]:
    """All words that hold for a version of a pod, in lower case."""
    pod = moment.obj
    if moment.kind == "DELETED":
        return frozenset(("deleted",))
    words = [
        str(dig(pod, "status", "phase") or "Pending"),
        pod_status_text(pod),
        str(dig(pod, "status", "reason") or ""),
    ]
    if pod["metadata"].get("deletionTimestamp"):
        words.append("Terminating")
    words += _of_conditions(pod)
    for status in container_statuses(pod):
        words += _of_container(status)
    words.append(f"restart {restarts(pod)}")
    return frozenset(_plain(word) for word in words if word)


def _of_conditions(pod: JsonObject) -> list[str]:
    words = []
    for condition in dig(pod, "status", "conditions") or []:
        kind, holds = str(condition["type"]), condition.get("status") == "True"
        words.append(kind if holds else f"Not{kind}")
        if kind == "Initialized" and holds:
            words.append(INIT_DONE)
        if kind == "PodScheduled":
            words.append("Scheduled" if holds else "Unscheduled")
    return words


def _of_container(status: JsonObject) -> list[str]:
    name, words = status["name"], []
    for state, facts in (status.get("state") or {}).items():
        words.append(f"{name} {state}")
        reason = (facts or {}).get("reason")
        if reason:
            words += [reason, f"{name} {reason}"]
    last = dig(status, "lastState", "terminated", "reason")
    if last:
        words += [last, f"{name} {last}"]
    if status.get("ready"):
        words.append(f"{name} ready")
    if status.get("restartCount"):
        words.append(f"{name} restart {status['restartCount']}")
    return words


def _plain(word: str) -> str:
    return " ".join(word.lower().split())


def container_statuses(pod: JsonObject) -> list[JsonObject]:
    """Init containers first, then the others, as the status has them."""
    return [status for part in _STATUSES for status in dig(pod, "status", part) or []]


def restarts(pod: JsonObject, container: str = "") -> int:
    """How often containers were restarted: all together, or one."""
    return sum(
        int(status.get("restartCount") or 0)
        for status in container_statuses(pod)
        if not container or status["name"] == container
    )


def first_holding(moments: Sequence[Moment], mark: str, begin: int = 0) -> int | None:
    """The place of the first version from `begin` on for which the mark holds, or None."""
    wanted = _plain(mark)
    return next((i for i in range(begin, len(moments)) if wanted in marks(moments[i])), None)


def misspelt(moments: Iterable[Moment], mark: str) -> str | None:
    """What is wrong with a mark that could never hold: a message, or None when it could."""
    wanted = _plain(mark)
    known = {_plain(word): word for word in _USUAL}
    names: set[str] = set()
    for moment in moments:
        names |= {container["name"] for part in ("initContainers", "containers", "ephemeralContainers")
                  for container in dig(moment.obj, "spec", part) or []}  # fmt: skip
        known.update((word, word) for word in marks(moment))
    first, _, rest = wanted.partition(" ")
    if wanted in known or re.fullmatch(r"restart \d+|init:\S+|not\w+", wanted) or (first in names and rest):
        return None
    near = difflib.get_close_matches(wanted, known, 1)
    hint = f' Did you mean "{known[near[0]]}"?' if near else ""
    return f'"{mark}" is nothing that could hold for this pod.{hint}'


# ------------------------------------------------------------------------------------------------ lines


def timeline(moments: Sequence[Moment]) -> list[Line]:
    """What moved, a line for each time; versions and Events must be in the order in which they were written."""
    lines, before = [], None
    for moment in moments:
        if moment.obj.get("kind") == "Event":
            lines.append(_event_line(moment))
            continue
        line = _line(before, moment)
        if line is not None:
            lines.append(line)
        before = moment.obj
    return lines


def _event_line(moment: Moment) -> Line:
    event = moment.obj
    count = event.get("count") or 1
    often = f" (x{count})" if count > 1 else ""
    return Line(moment.at, "", f"Event {event.get('reason')}{often}: {event.get('message', '')}")


def _line(before: JsonObject | None, moment: Moment) -> Line | None:
    pod = moment.obj
    if moment.kind == "DELETED":
        return Line(moment.at, "Deleted", "")
    details = [*_moved_containers(before or {}, pod), *_moved_conditions(before or {}, pod)]
    status = pod_status_text(pod)
    if before is not None and not details and status == pod_status_text(before):
        return None
    return Line(moment.at, status, ", ".join(details))


def _moved_containers(before: JsonObject, after: JsonObject) -> list[str]:
    old = {status["name"]: state_words(status) for status in container_statuses(before)}
    return [
        f"{status['name']} {state_words(status)}"
        for status in container_statuses(after)
        if old.get(status["name"]) != state_words(status)
    ]


def state_words(status: JsonObject) -> str:
    """`Running`, `Waiting CrashLoopBackOff restart 2`, `Terminated Error (exit code 1)`."""
    state = status.get("state") or {"waiting": {}}
    name, facts = next(iter(state.items()))
    words = [name.capitalize(), str((facts or {}).get("reason") or "")]
    code = (facts or {}).get("exitCode")
    if code:
        words.append(f"(exit code {code})")
    if status.get("restartCount"):
        words.append(f"restart {status['restartCount']}")
    return " ".join(word for word in words if word)


def _moved_conditions(before: JsonObject, after: JsonObject) -> list[str]:
    old = {c["type"]: c["status"] for c in dig(before, "status", "conditions") or []}
    return [
        c["type"] if c["status"] == "True" else _unfulfilled(c)
        for c in dig(after, "status", "conditions") or []
        if old.get(c["type"]) != c["status"]
    ]


def _unfulfilled(condition: JsonObject) -> str:
    reason = condition.get("reason")
    return f"not {condition['type']} ({reason})" if reason else f"not {condition['type']}"


def timeline_text(title: str, moments: Sequence[Moment], most: int = 60) -> str:
    """The timeline as text, times counted from its beginning; of a long one the first and the last lines."""
    lines = timeline(moments)
    if not lines:
        return f"{title}: nothing is known of it"
    start = lines[0].at
    shown = [f"{_offset(line.at, start):>12}  {line.status:<18} {line.details}".rstrip() for line in lines]
    if len(shown) > most:
        left_out = len(shown) - most
        shown = [*shown[: most // 3], f"{'':>12}  … {left_out} lines left out …", *shown[-(most - most // 3) :]]
    return "\n".join([f"{title}, from {start:%Y-%m-%dT%H:%M:%SZ}:", *shown])


def _offset(at: datetime, start: datetime) -> str:
    seconds = (at - start).total_seconds()
    if seconds < 100:
        return f"+{seconds:.2f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"+{hours}h{minutes:02}m{rest:02}s" if hours else f"+{minutes}m{rest:02}s"
