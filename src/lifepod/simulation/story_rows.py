"""What happened in a simulation, a row for each step that somebody would tell: pods, Jobs, nodes, what was done, what broke.

Fed with every change of the store; a change that shows nothing new makes no row. The text form is the expected part of scenario
files, so it must be readable, and equal for equal runs.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, dig, parse_time
from lifepod.simulation.durations import shown

_BACK_OFF = re.compile(r"back-off (\S+) ")


class Row(NamedTuple):
    """One step. `cells`: the columns between the subject and the rest. `facts`: the same for programs."""

    at: timedelta
    subject: str
    cells: tuple[str, str]
    rest: str
    facts: JsonObject

    @property
    def is_deed(self) -> bool:
        """Whether somebody did this (a client, a fault), rather than that it followed."""
        return self.subject in (">", "!")


class StoryRows:
    """Collects the rows of one run that starts at `start`."""

    def __init__(self, start: datetime, show: tuple[str, ...] = (), several_nodes: bool = False) -> None:
        self.rows: list[Row] = []
        self._start, self._show, self._several_nodes = start, show, several_nodes
        self._last: dict[str, tuple[tuple[str, str], str]] = {}

    @property
    def shows_more(self) -> bool:
        """Whether kinds besides pods, Jobs and nodes are told of."""
        return bool(self._show)

    def on_change(self, kind: str, resource: str, obj: JsonObject, now: datetime) -> None:
        """Take a change of the store in."""
        plural = resource.partition(".")[0]
        match plural:
            case "pods":
                cells, rest, facts = _of_pod(obj, self._start, self._several_nodes)
            case "jobs":
                cells, rest, facts = _of_job(obj)
            case "nodes":
                cells, rest, facts = _of_node(obj)
            case "events" if "events" in self._show:
                cells, rest, facts = _of_event(obj)
            case _ if plural in self._show:
                cells, rest, facts = _of_other(obj)
            case _:
                return
        subject = _subject(plural, obj)
        if kind == "DELETED":
            cells, rest, facts = ("", ""), "deleted", {"deleted": True}
        is_news = self._last.get(subject) != (cells, rest)
        is_quiet = plural == "nodes" and subject not in self._last and cells == ("Ready", "")
        if kind == "DELETED":
            self._last.pop(subject, None)
        else:
            self._last[subject] = (cells, rest)
        if is_news and not is_quiet:
            self.rows.append(Row(now - self._start, subject, cells, rest, facts))

    def deed(self, mark: str, text: str, now: datetime) -> None:
        """Somebody did something: `>` a client, `!` a fault."""
        facts: JsonObject = {"did": text} if mark == ">" else {"fault": text}
        self.rows.append(Row(now - self._start, mark, ("", ""), text, facts))


def text_of(rows: list[Row]) -> str:
    """The rows as lines of aligned columns."""
    told = [r for r in rows if not r.is_deed]
    widths = [max((len(text) for text in column), default=0) for column in (
        [shown(r.at) for r in rows], [r.subject for r in told], [r.cells[0] for r in told], [r.cells[1] for r in told]
    )]  # fmt: skip
    lines = []
    for row in rows:
        at = shown(row.at).rjust(max(widths[0], 6))
        if row.is_deed:
            lines.append(f"{at}  {row.subject} {row.rest}")
            continue
        columns = (row.subject.ljust(widths[1]), row.cells[0].ljust(widths[2]), row.cells[1].ljust(widths[3]), row.rest)
        lines.append("  ".join([at, *columns]).rstrip())
    return "\n".join(lines)


def json_of(row: Row) -> JsonObject:
    """One row for programs."""
    head: JsonObject = {"at": round(row.at.total_seconds(), 3)}
    if not row.is_deed:
        head["object"] = row.subject
    return {**head, **row.facts}


def _subject(plural: str, obj: JsonObject) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "default")
    name = metadata["name"] if namespace == "default" else f"{namespace}/{metadata['name']}"
    if plural == "pods":
        return str(name)
    if plural == "events":
        about = obj.get("involvedObject") or {}
        return f"event/{about.get('name', '')}"
    return f"{plural.removesuffix('s')}/{name}"


# ------------------------------------------------------------------------------------------------ pods


def _of_pod(pod: JsonObject, start: datetime, with_node: bool) -> tuple[tuple[str, str], str, JsonObject]:
    status = pod.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    is_ready = conditions.get("Ready", {}).get("status") == "True"
    ready = "Ready" if is_ready else "NotReady" if phase == "Running" else ""
    containers = _containers(pod, conditions)
    words = [" | ".join(_container_text(c, start) for c in containers)] if containers else []
    words += _pod_notes(pod, conditions)
    if with_node and dig(pod, "spec", "nodeName"):
        words.append(f"on {pod['spec']['nodeName']}")
    facts: JsonObject = {
        "phase": phase,
        "ready": is_ready,
        "reason": status.get("reason", ""),
        "node": dig(pod, "spec", "nodeName") or "",
        "terminating": "deletionTimestamp" in pod["metadata"],
        "containers": [_container_facts(c) for c in containers],
    }
    return (phase, ready), "  ".join(words), facts


def _containers(pod: JsonObject, conditions: dict[str, JsonObject]) -> list[JsonObject]:
    """Init containers only until they are done; sidecars always."""
    status = pod.get("status") or {}
    sidecars = {c["name"] for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"}
    is_initialized = conditions.get("Initialized", {}).get("status") == "True"
    init = [c for c in status.get("initContainerStatuses") or () if not is_initialized or c["name"] in sidecars]
    return [*init, *(status.get("containerStatuses") or ()), *(status.get("ephemeralContainerStatuses") or ())]


def _pod_notes(pod: JsonObject, conditions: dict[str, JsonObject]) -> list[str]:
    status = pod.get("status") or {}
    notes = []
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        notes.append(f"({scheduled.get('reason', 'not scheduled')})")
    if status.get("reason"):
        notes.append(f"({status['reason']})")
    disrupted = conditions.get("DisruptionTarget", {})
    if disrupted.get("status") == "True" and disrupted.get("reason") != status.get("reason"):
        notes.append(f"({disrupted.get('reason', '')})")
    if "deletionTimestamp" in pod["metadata"]:
        notes.append(f"Terminating grace={pod['metadata'].get('deletionGracePeriodSeconds', 0)}s")
    return notes


def _container_text(status: JsonObject, start: datetime) -> str:
    facts = _container_facts(status)
    words = [facts["name"], facts["state"], facts["reason"]]
    if facts["exitCode"] not in (None, 0) and facts["reason"] != "Completed":
        words.append(f"exit={facts['exitCode']}")
    text = " ".join(word for word in words if word)
    if facts["restarts"]:
        text += f"  restarts={facts['restarts']}"
    again = _again_at(status, start)
    return text + (f"  (again at {again})" if again else "")


def _container_facts(status: JsonObject) -> JsonObject:
    kind, more = _state(status)
    return {
        "name": status["name"],
        "state": kind.capitalize(),
        "reason": more.get("reason") or "",
        "exitCode": more.get("exitCode"),
        "ready": bool(status.get("ready")),
        "restarts": status.get("restartCount", 0),
    }


def _state(status: JsonObject) -> tuple[str, JsonObject]:
    """The container's one state: its name and what is said of it."""
    for kind, more in (status.get("state") or {}).items():
        return kind, more
    return "waiting", {}


def _again_at(status: JsonObject, start: datetime) -> str:
    """When a container that waits out its back-off starts again: its message says how long after its end."""
    if dig(status, "state", "waiting", "reason") != "CrashLoopBackOff":
        return ""
    match = _BACK_OFF.match(dig(status, "state", "waiting", "message") or "")
    ended = dig(status, "lastState", "terminated", "finishedAt")
    seconds = _go_seconds(match[1]) if match else None
    if seconds is None or not ended:
        return ""
    return shown(parse_time(ended) + timedelta(seconds=seconds) - start)


def _go_seconds(text: str) -> float | None:
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|m|s)", text)
    return sum(float(n) * {"h": 3600, "m": 60, "s": 1}[u] for n, u in parts) if parts else None


# ------------------------------------------------------------------------------------------------ other kinds


def _of_job(job: JsonObject) -> tuple[tuple[str, str], str, JsonObject]:
    status = job.get("status") or {}
    true = [c for c in status.get("conditions") or () if c.get("status") == "True"]
    words = [f"{name}={status[name]}" for name in ("active", "ready", "succeeded", "failed") if status.get(name)]
    words += [f"{c['type']}" + (f" ({c['reason']})" if c.get("reason") else "") for c in true]
    facts: JsonObject = {name: status.get(name, 0) for name in ("active", "ready", "succeeded", "failed")}
    if not words:
        words = ["active=0"] if status.get("startTime") else ["created"]
    return ("", ""), " ".join(words), {**facts, "conditions": [c["type"] for c in true]}


def _of_node(node: JsonObject) -> tuple[tuple[str, str], str, JsonObject]:
    conditions: dict[str, JsonObject] = {c["type"]: c for c in dig(node, "status", "conditions") or ()}
    ready = conditions.get("Ready", {})
    is_ready = ready.get("status") == "True"
    pressed = [kind for kind, c in conditions.items() if kind != "Ready" and c.get("status") == "True"]
    taints = [
        t["key"].removeprefix("node.kubernetes.io/") + f":{t['effect']}" for t in dig(node, "spec", "taints") or ()
    ]
    words = [] if is_ready else [str(ready.get("reason", ""))]
    words += pressed
    words += [f"taints {', '.join(taints)}"] if taints else []
    facts: JsonObject = {"ready": is_ready, "pressures": pressed, "taints": taints}
    return ("Ready" if is_ready else "NotReady", ""), "  ".join(words), facts


def _of_event(event: JsonObject) -> tuple[tuple[str, str], str, JsonObject]:
    count = event.get("count") or dig(event, "series", "count") or 1
    text = event.get("message") or event.get("note") or ""
    words = f"{event.get('reason', '')}: {text}" + (f" (x{count})" if count > 1 else "")
    facts: JsonObject = {"type": event.get("type"), "reason": event.get("reason"), "message": text, "count": count}
    return ("", ""), words, facts


def _of_other(obj: JsonObject) -> tuple[tuple[str, str], str, JsonObject]:
    status = obj.get("status") or {}
    names = ("replicas", "readyReplicas", "updatedReplicas", "phase")
    words = [f"{name}={status[name]}" for name in names if status.get(name)]
    return ("", ""), " ".join(words) or "created", {name: status.get(name) for name in names if name in status}
