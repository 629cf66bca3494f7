"""What has happened to a set of pods and Jobs so far, collected from watch events.

The story is what the board, the plain lines and `-o json` are made of. It knows what kubectl would print (api/tables) and keeps
the newest events and log lines; how it looks is `board.py`'s and `plain.py`'s affair.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from lifepod.api.image_reference import BadReference
from lifepod.api.image_reference import parse as parse_image
from lifepod.api.objects import JsonObject, dig, parse_time
from lifepod.api.table_pod import pod_status_text
from lifepod.api.table_workloads import job_status_text

if TYPE_CHECKING:
    from lifepod.runtime.images.local_images import Progress

_LOG_LINES, _EVENTS = 500, 200
_BEFORE_THE_START = ("ContainerCreating", "PodInitializing")


class Change(NamedTuple):
    """A step that is worth a line: what it is about, kubectl's STATUS now, and what exactly moved."""

    at: datetime
    subject: str
    status: str
    details: tuple[str, ...]


class LogLine(NamedTuple):
    """One line that a container wrote."""

    pod: str
    container: str
    text: str


class Story:
    """The present picture of the pods, Jobs and events that were asked for."""

    def __init__(self) -> None:
        self.pods: dict[str, JsonObject] = {}
        self.jobs: dict[str, JsonObject] = {}
        self.events: deque[JsonObject] = deque(maxlen=_EVENTS)
        self.logs: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self.gone: dict[str, JsonObject] = {}
        self.pulls: dict[str, Progress] = {}

    def on_pod(self, kind: str, pod: JsonObject, now: datetime) -> Change | None:
        """Take a watch event of a pod in; the line it is worth, if any."""
        key = _key(pod)
        before = self.pods.get(key)
        if kind == "DELETED":
            self.pods.pop(key, None)
            self.gone[key] = pod
            return Change(now, f"pod/{pod['metadata']['name']}", "deleted", ())
        self.pods[key] = pod
        details = tuple(_moved(before or {}, pod))
        status = pod_status_text(pod)
        if before is not None and status == pod_status_text(before) and not details:
            return None
        return Change(now, f"pod/{pod['metadata']['name']}", status, details)

    def on_job(self, kind: str, job: JsonObject, now: datetime) -> Change | None:
        """Take a watch event of a Job in."""
        key = _key(job)
        before = self.jobs.get(key)
        if kind == "DELETED":
            self.jobs.pop(key, None)
            return Change(now, f"job/{job['metadata']['name']}", "deleted", ())
        self.jobs[key] = job
        status = job_status_text(job)
        if before is not None and status == job_status_text(before):
            return None
        condition = _last_true_condition(job)
        details = (f"{condition['reason']}: {condition['message']}",) if condition.get("message") else ()
        return Change(now, f"job/{job['metadata']['name']}", status, details)

    def on_event(self, kind: str, event: JsonObject) -> None:
        """Take a watch event of an Event in; a repeated one moves to the end."""
        if kind == "DELETED":
            return
        name = event["metadata"]["name"]
        for known in self.events:
            if known["metadata"]["name"] == name:
                self.events.remove(known)
                break
        self.events.append(event)

    def on_log(self, line: LogLine) -> None:
        """Take a log line in."""
        self.logs.append(line)

    def on_pull(self, progress: Progress) -> None:
        """Take in how far a pull is; one that has ended is nothing to show."""
        if progress.ended:
            self.pulls.pop(progress.image, None)
        else:
            self.pulls[progress.image] = progress

    def pull_of(self, status: JsonObject) -> Progress | None:
        """The pull that a container waits for, if it does."""
        if not self.pulls or dig(status, "state", "waiting", "reason") not in _BEFORE_THE_START:
            return None
        try:
            return self.pulls.get(str(parse_image(status.get("image", "")).with_default_tag))
        except BadReference:
            return None

    def events_of(self, pod: JsonObject) -> tuple[JsonObject, ...]:
        """The pod's events, oldest first."""
        uid = pod["metadata"].get("uid")
        return tuple(e for e in self.events if dig(e, "involvedObject", "uid") == uid)

    def last_lines_of(self, pod: JsonObject) -> tuple[tuple[str, str], ...]:
        """The newest log line of each of the pod's containers."""
        name = pod["metadata"]["name"]
        return tuple({line.container: line.text for line in self.logs if line.pod == name}.items())


def _key(obj: JsonObject) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def container_statuses(pod: JsonObject) -> list[JsonObject]:
    """Init containers first, then the others, as the status has them."""
    status = pod.get("status") or {}
    return [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
        *(status.get("ephemeralContainerStatuses") or []),
    ]


def state_words(status: JsonObject) -> str:
    """A container's state in a few words: `Running`, `Waiting CrashLoopBackOff`, `Terminated Error (exit code 1)`."""
    state = status.get("state") or {}
    if "running" in state:
        return "Running"
    if "terminated" in state:
        ended = state["terminated"]
        code = f" (exit code {ended.get('exitCode')})" if ended.get("exitCode") else ""
        return f"Terminated {ended.get('reason', '')}{code}"
    return f"Waiting {dig(state, 'waiting', 'reason') or ''}".strip()


def since(status: JsonObject) -> datetime | None:
    """When a container's present state began, if its status tells."""
    state = status.get("state") or {}
    moment = (
        dig(state, "running", "startedAt")
        or dig(state, "terminated", "finishedAt")
        or dig(status, "lastState", "terminated", "finishedAt")
    )
    return parse_time(moment) if moment else None


def conditions(pod: JsonObject) -> list[tuple[str, str, str]]:
    """(type, status, reason) in the order of the pod's life."""
    order = {"PodScheduled": 0, "PodReadyToStartContainers": 1, "Initialized": 2, "ContainersReady": 3, "Ready": 4}
    found = [(c["type"], c["status"], c.get("reason", "")) for c in dig(pod, "status", "conditions") or []]
    return sorted(found, key=lambda c: order.get(c[0], 9))


def _moved(before: JsonObject, after: JsonObject) -> list[str]:
    """What moved between two statuses of a pod: containers first, then conditions."""
    old = {s["name"]: s for s in container_statuses(before)}
    said = []
    for status in container_statuses(after):
        was = old.get(status["name"])
        words = state_words(status)
        restarts = status.get("restartCount", 0)
        if was is not None and state_words(was) == words and was.get("restartCount", 0) == restarts:
            continue
        if was is None and words.startswith("Waiting"):
            continue
        said.append(f"{status['name']} {words}" + (f", restart {restarts}" if restarts else ""))
    known = {c[0]: c[1] for c in conditions(before)}
    said += [kind for kind, value, _ in conditions(after) if value == "True" and known.get(kind) not in (None, "True")]
    said += [f"not {kind}" for kind, value, _ in conditions(after) if value == "False" and known.get(kind) == "True"]
    return said


def _last_true_condition(job: JsonObject) -> JsonObject:
    true = [c for c in dig(job, "status", "conditions") or [] if c.get("status") == "True"]
    return true[-1] if true else {}
