"""When is a `lifepod run` over, and with which exit code? From the objects alone.

It ends when every Job that was applied is Complete or Failed and every applied pod without a controller has ended; or when
what `--until` asks holds, or can no longer come to hold. The exit code is that of the first container that made a pod or Job
fail, 1 where something else did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from lifepod.api.objects import JsonObject, JsonValue, dig

ENDED = ("Succeeded", "Failed")


class Until(NamedTuple):
    """What `--until` asks: pods Ready, Jobs Complete (pods Succeeded where there is no Job), or a field of every object."""

    kind: Literal["Ready", "Complete", "jsonpath"]
    path: tuple[str | int, ...] = ()
    value: str | None = None


class Ending(NamedTuple):
    """A run that is over. `cause` is a sentence; `subject` names the object it is about, "" for the whole."""

    exit_code: int
    cause: str
    subject: str = ""


class BadUntil(ValueError):
    """`--until` cannot be read; the text says what may stand there."""


def until_from(text: str) -> Until:
    """Read `Ready`, `Complete`, `jsonpath={.status.phase}=Running`. Raises BadUntil."""
    if text.lower() in ("ready", "condition=ready"):
        return Until("Ready")
    if text.lower() in ("complete", "condition=complete"):
        return Until("Complete")
    match = re.fullmatch(r"jsonpath=['\"]?\{?\.?([^}=]*)\}?['\"]?(?:=(.*))?", text)
    if not match or not match[1]:
        raise BadUntil(f'"{text}" is none of Ready, Complete, jsonpath={{.status.phase}}=Running')
    steps = tuple(int(m[1]) if m[1] else m[2] for m in re.finditer(r"\[(\d+)\]|([^.\[\]]+)", match[1]))
    return Until("jsonpath", steps, match[2])


def ending(
    until: Until | None,
    applied_pods: Sequence[JsonObject],
    applied_jobs: Sequence[JsonObject],
    pods: Iterable[JsonObject],
    others: Sequence[JsonObject] = (),
    keeps_running: bool = False,
) -> Ending | None:
    """How the run has ended, or None while it goes on.

    `pods`: all pods seen, those that controllers made included (also deleted ones, as last seen). `others`: the other applied
    objects, for jsonpath. `keeps_running`: something applied never ends by itself (a Deployment).
    """
    pods = list(pods)
    if until is not None:
        return _until_ending(until, applied_pods, applied_jobs, pods, others)
    if (
        keeps_running
        or not all(_has_ended(pod) for pod in applied_pods)
        or not all(job_end(job) for job in applied_jobs)
    ):
        return None
    return final_code(applied_pods, applied_jobs, pods)


def _until_ending(
    until: Until,
    applied_pods: Sequence[JsonObject],
    applied_jobs: Sequence[JsonObject],
    pods: list[JsonObject],
    others: Sequence[JsonObject],
) -> Ending | None:
    if until.kind == "jsonpath":
        objects = [*applied_pods, *applied_jobs] or list(others)
        return (
            Ending(0, "what --until asks holds")
            if objects and all(_holds(obj, until) for obj in objects)
            else _lost(applied_pods, applied_jobs, pods)
        )
    if until.kind == "Complete":
        if applied_jobs and all(job_end(job) == "Complete" for job in applied_jobs):
            return Ending(0, "every Job is Complete")
        if applied_jobs:
            return _lost((), applied_jobs, pods)
        if applied_pods and all(dig(pod, "status", "phase") == "Succeeded" for pod in applied_pods):
            return Ending(0, "every pod has succeeded")
        return _lost([pod for pod in applied_pods if dig(pod, "status", "phase") == "Failed"], (), pods)
    awaited = list(applied_pods) or [pod for pod in pods if _is_live(pod)]
    if awaited and all(_is_ready(pod) for pod in awaited):
        return Ending(0, "every pod is Ready")
    return _lost(applied_pods, applied_jobs, pods)


def _lost(
    applied_pods: Sequence[JsonObject], applied_jobs: Sequence[JsonObject], pods: list[JsonObject]
) -> Ending | None:
    """What `--until` waits for cannot come any more: a pod or Job that must still change has ended."""
    for obj in [*(p for p in applied_pods if _has_ended(p)), *(j for j in applied_jobs if job_end(j) == "Failed")]:
        failed = final_code(applied_pods, applied_jobs, pods)
        name = obj["metadata"]["name"]
        if failed.exit_code:
            return failed
        return Ending(1, f"what --until waits for can no longer happen: {name} has ended", name)
    return None


def _holds(obj: JsonObject, until: Until) -> bool:
    at: JsonValue = obj
    for step in until.path:
        if isinstance(step, int):
            if not isinstance(at, list) or step >= len(at):
                return False
        elif not isinstance(at, dict) or step not in at:
            return False
        at = at[step]
    shown = {True: "true", False: "false"}.get(at, str(at)) if isinstance(at, bool) else str(at)
    return shown == until.value if until.value is not None else at not in (None, "", [], {})


def _has_ended(pod: JsonObject) -> bool:
    return dig(pod, "status", "phase") in ENDED


def _is_live(pod: JsonObject) -> bool:
    return not _has_ended(pod) and not pod["metadata"].get("deletionTimestamp")


def _is_ready(pod: JsonObject) -> bool:
    conditions = dig(pod, "status", "conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def job_end(job: JsonObject) -> Literal["Complete", "Failed"] | None:
    """Which of its two ends a Job has reached."""
    for condition in dig(job, "status", "conditions") or []:
        if condition.get("status") == "True" and condition.get("type") == "Complete":
            return "Complete"
        if condition.get("status") == "True" and condition.get("type") == "Failed":
            return "Failed"
    return None


def final_code(
    applied_pods: Sequence[JsonObject], applied_jobs: Sequence[JsonObject], pods: list[JsonObject]
) -> Ending:
    """The exit code of a run whose pods and Jobs have all ended."""
    failed = [pod for pod in applied_pods if dig(pod, "status", "phase") == "Failed"]
    for job in applied_jobs:
        if job_end(job) == "Failed":
            uid = job["metadata"].get("uid")
            own = [p for p in pods if any(o.get("uid") == uid for o in p["metadata"].get("ownerReferences") or [])]
            failed += own or [job]
    if not failed:
        return Ending(0, "everything succeeded")
    causes = sorted((c for obj in failed for c in _failures(obj)), key=lambda c: c[0])
    if causes:
        _, code, pod, container = causes[0]
        return Ending(code, f'container "{container}" of pod "{pod}" ended with exit code {code}', pod)
    first = failed[0]
    reason = dig(first, "status", "reason") or next(
        (c.get("reason") for c in dig(first, "status", "conditions") or [] if c.get("type") == "Failed"), ""
    )
    return Ending(1, f"{first['metadata']['name']} failed{f' ({reason})' if reason else ''}", first["metadata"]["name"])


def _failures(pod: JsonObject) -> list[tuple[str, int, str, str]]:
    """(finishedAt, exit code, pod, container) of every container that ended badly. A pod with a reason of its own (evicted,
    past its deadline) failed for that, not for the code its containers were killed with."""
    if dig(pod, "status", "reason"):
        return []
    status, found = pod.get("status") or {}, []
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(part) or []:
            ended = dig(container, "state", "terminated") or dig(container, "lastState", "terminated") or {}
            if ended.get("exitCode"):
                found.append(
                    (
                        str(ended.get("finishedAt") or "9"),
                        int(ended["exitCode"]),
                        pod["metadata"]["name"],
                        container["name"],
                    )
                )
    return found
