"""What does the status say of each container? From the spec, the runtime's report and the status before.

`started` and `ready` come from the probes and are filled in by `probes.py`'s verdicts through `Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time
from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle.memory import Reason
from lifepod.lifecycle.restart_policy import should_start
from lifepod.lifecycle.version import Profile
from lifepod.lifecycle.vocabulary import ContainerReport, ContainerSpec, PodSpec, RuntimeReport

MAX_MESSAGE_BYTES_OF_POD = 12 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Verdict = Callable[[ContainerSpec, str], tuple[bool, bool]]
"""(container, its container id) → (started, ready by probes), asked only of running containers."""


class StatusInput(NamedTuple):
    """What the statuses of one pod's containers are made from."""

    spec: PodSpec
    report: RuntimeReport
    old: JsonObject
    reasons: tuple[Reason, ...]
    deleting: bool
    scheme: str
    profile: Profile
    verdict: Verdict


def instances_of(report: RuntimeReport, name: str) -> list[ContainerReport]:
    """Every instance of that name, newest first."""
    return [c for c in report.containers if c.name == name]


def newest_of(report: RuntimeReport, name: str) -> ContainerReport | None:
    """The newest instance of that name."""
    for c in report.containers:
        if c.name == name:
            return c
    return None


def container_statuses(given: StatusInput) -> dict[str, list[JsonObject]]:
    """The three lists as they stand in the pod's status: init in spec order, the others sorted by name (lifecycle.md §2.1).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: convertToAPIContainerStatuses
    """
    spec, out = given.spec, {}
    waiting = "PodInitializing" if spec.init_containers else "ContainerCreating"
    limit = MAX_MESSAGE_BYTES_OF_POD // max(
        1, len(spec.containers) + len(spec.init_containers) + len(spec.ephemeral_containers)
    )
    lists = (
        ("initContainerStatuses", spec.init_containers),
        ("containerStatuses", spec.containers),
        ("ephemeralContainerStatuses", spec.ephemeral_containers),
    )
    for member, specs in lists:
        if not specs:
            continue
        old = {s["name"]: s for s in given.old.get(member) or ()}
        made = [_status(given, c, old.get(c.name), waiting, limit) for c in specs]
        if len(made) > 1 and member != "initContainerStatuses":
            made.sort(key=lambda s: str(s["name"]))
        out[member] = made
    return out


def _status(given: StatusInput, c: ContainerSpec, old: JsonObject | None, waiting: str, limit: int) -> JsonObject:
    found = instances_of(given.report, c.name)
    if found:
        status = _from_runtime(given, c, found[0], old, limit)
        if len(found) > 1:
            status["lastState"] = _state(given, found[1], None, limit)
    else:
        status = _from_before(given, c, old, waiting)
    overlay = _failed_start(given, c, found[0] if found else None)
    if overlay is not None:
        if "terminated" in status["state"]:
            status = {**status, "lastState": status["state"]}
        status = {**status, "state": {"waiting": _waiting(overlay.reason, overlay.message)}}
    return _with_readiness(given, c, status)


def _with_readiness(given: StatusInput, c: ContainerSpec, status: JsonObject) -> JsonObject:
    """`started` and `ready` (lifecycle.md §2.1.8)."""
    if c.kind == "ephemeral":
        return status
    state = status["state"]
    running = "running" in state
    started = ready = False
    if running:
        started, ready = given.verdict(c, status.get("containerID", ""))
    if c.kind == "init":
        terminated = state.get("terminated")
        ready = terminated is not None and terminated.get("exitCode", 0) == 0
    if status.get("started") == started and status["ready"] == ready:
        return status
    return {**status, "started": started, "ready": ready}


def _waiting(reason: str, message: str) -> JsonObject:
    out: JsonObject = {}
    if reason:
        out["reason"] = reason
    if message:
        out["message"] = message
    return out


def _from_before(given: StatusInput, c: ContainerSpec, old: JsonObject | None, waiting: str) -> JsonObject:
    """A container the runtime does not know (lifecycle.md §2.1.1–3)."""
    if old is not None and "terminated" in (old.get("state") or {}):
        return old
    status: JsonObject = {
        "name": c.name,
        "state": {"waiting": {"reason": waiting}},
        "lastState": (old or {}).get("lastState") or {},
        "ready": False,
        "restartCount": (old or {}).get("restartCount", 0),
        "image": c.image,
        "imageID": "",
    }
    if c.kind != "ephemeral":
        status["started"] = False
    if c.mounts:
        status["volumeMounts"] = mounts_shown(c)
    if old is not None and "running" in (old.get("state") or {}) and not status["lastState"]:
        status["lastState"] = {
            "terminated": {
                "exitCode": 137,
                "reason": say.CONTAINER_STATUS_UNKNOWN,
                "message": say.LOST_RUNNING,
                "startedAt": None,
                "finishedAt": None,
            }
        }
        if not given.deleting:
            status["restartCount"] += 1
    return status


def mounts_shown(c: ContainerSpec) -> list[JsonObject]:
    """volumeMounts of a container status."""
    out = []
    for m in c.mounts:
        shown: JsonObject = {"name": m.name, "mountPath": m.mount_path}
        if m.read_only:
            shown["readOnly"] = True
        if m.recursive_read_only:
            shown["recursiveReadOnly"] = m.recursive_read_only
        out.append(shown)
    return out


def _from_runtime(
    given: StatusInput, c: ContainerSpec, r: ContainerReport, old: JsonObject | None, limit: int
) -> JsonObject:
    """What the runtime's newest instance says (lifecycle.md §2.1.4)."""
    restarts = r.attempt
    if r.state == "unknown" and old is not None and "running" in (old.get("state") or {}):
        restarts = old.get("restartCount", 0) + 1
    status: JsonObject = {
        "name": c.name,
        "state": _state(given, r, old, limit),
        "lastState": {},
        "ready": False,
        "restartCount": restarts,
        "image": r.image,
        "imageID": r.image_id,
        "containerID": f"{given.scheme}://{r.id}",
    }
    if c.kind != "ephemeral":
        status["started"] = False
    requests = c.resources.get("requests")
    if requests:
        status["allocatedResources"] = requests
    status["resources"] = {k: c.resources[k] for k in ("limits", "requests") if c.resources.get(k)}
    if c.mounts:
        status["volumeMounts"] = mounts_shown(c)
    if r.user is not None:
        uid, gid, groups = r.user
        status["user"] = {"linux": {"uid": uid, "gid": gid, "supplementalGroups": list(groups)}}
    return status


def _state(given: StatusInput, r: ContainerReport, old: JsonObject | None, limit: int) -> JsonObject:
    if r.state == "running":
        return {"running": {"startedAt": format_time(r.started_at or r.created_at)}}
    if r.state == "exited":
        terminated: JsonObject = {"exitCode": r.exit_code or 0}
        if r.reason:
            terminated["reason"] = r.reason
        if r.message:
            terminated["message"] = cut(r.message, limit)
        terminated["startedAt"] = format_time(r.started_at or EPOCH)
        terminated["finishedAt"] = format_time(r.finished_at or r.created_at)
        terminated["containerID"] = f"{given.scheme}://{r.id}"
        return {"terminated": terminated}
    if r.state == "unknown" and old is not None and "running" in (old.get("state") or {}):
        return {
            "terminated": {
                "exitCode": 137,
                "reason": say.CONTAINER_STATUS_UNKNOWN,
                "message": say.LOST_TERMINATED,
                "startedAt": None,
                "finishedAt": None,
                "containerID": f"{given.scheme}://{r.id}",
            }
        }
    return {"waiting": {}}


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, whole characters."""
    raw = text.encode()
    return text if len(raw) <= limit else raw[:limit].decode(errors="ignore")


def _failed_start(given: StatusInput, c: ContainerSpec, newest: ContainerReport | None) -> Reason | None:
    """The reason cache's entry that is shown as Waiting: only of a container that is to be started (lifecycle.md §2.1.5)."""
    if not given.reasons or not _is_to_be_started(given, c, newest):
        return None
    for entry in given.reasons:
        if entry.container == c.name:
            return entry
    return None


def _is_to_be_started(given: StatusInput, c: ContainerSpec, newest: ContainerReport | None) -> bool:
    if c.kind == "init" and newest is not None and newest.state == "exited" and newest.exit_code == 0:
        return False
    if (
        given.profile.container_restart_rules
        and c.kind == "sidecar"
        and newest is not None
        and newest.state == "exited"
    ):
        return not given.deleting
    return should_start(c, given.spec, newest, given.deleting, given.profile)
