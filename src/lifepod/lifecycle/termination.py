"""How containers are stopped: grace, preStop, the sidecars' turn; and what a pod that was stopped for good shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from lifepod.api.objects import JsonObject
from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle.memory import Kill
from lifepod.lifecycle.vocabulary import ContainerSpec, PodSpec, RuntimeReport

MINIMUM_GRACE_SECONDS = 2


def effective_grace(spec: PodSpec, deletion_grace: int | None, asked: int | None, before: int | None) -> int:
    """The grace period of a whole pod: the least of what was asked so far, else the spec's; at least 1; it only shrinks.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/pod_workers.go: calculateEffectiveGracePeriod
    """
    wishes = [g for g in (deletion_grace, asked, before) if g is not None]
    return max(1, min(wishes) if wishes else spec.termination_grace_period_seconds)


def begin_kill(c: ContainerSpec, container_id: str, grace: int, after: tuple[str, ...], now: datetime) -> Kill:
    """The first stage of stopping a container: its hook, else its turn, else the stop (lifecycle.md §7.2)."""
    kill = Kill(c.name, container_id, grace, "hook", now, None, after=after)
    if c.pre_stop is not None and grace > 0:
        return kill._replace(deadline=now + timedelta(seconds=grace))
    return after_hook(kill, now)


def after_hook(kill: Kill, now: datetime) -> Kill:
    """The hook is over or given up: whole seconds of it are taken from the grace period."""
    left = max(0, kill.grace_seconds - int((now - kill.since).total_seconds()))
    if kill.after and left > 0:
        return kill._replace(
            stage="turn", grace_seconds=left, since=now, deadline=now + timedelta(seconds=left), number=0
        )
    return kill._replace(
        stage="stop", grace_seconds=max(left, MINIMUM_GRACE_SECONDS), since=now, deadline=None, number=0
    )


def after_turn(kill: Kill, now: datetime) -> Kill:
    """Its turn has come, or its grace ran out while it waited."""
    return after_hook(kill._replace(after=()), now)


def let_end_first(spec: PodSpec, name: str, report: RuntimeReport) -> tuple[str, ...]:
    """Whom a sidecar lets end first: the regular containers and the sidecars behind it, but none behind one that does not run.

    A sidecar waits for the next one only; one that does not run waits for nobody (lifecycle.md §7.4).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_termination_order.go: newTerminationOrdering
    """
    running = {r.name for r in report.containers if r.state == "running"}
    names = [c.name for c in spec.init_containers if c.kind == "sidecar"]
    if name not in names:
        return ()
    behind = takewhile(running.__contains__, names[names.index(name) + 1 :])
    return (*(c.name for c in spec.containers if c.name in running), *behind)


def has_turn(kill: Kill, report: RuntimeReport) -> bool:
    """Whether all have ended that end first.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_termination_order.go: waitForTurn
    """
    return not any(r.state == "running" and r.name in kill.after for r in report.containers)


def terminated_for_good(spec: PodSpec, status: JsonObject, is_static: bool) -> JsonObject:
    """The last status of a pod: states that are not Terminated become so, a phase that is not terminal becomes Failed.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/status/status_manager.go: TerminatePod (lifecycle.md §1.6)
    """
    out = dict(status)
    regular = status.get("containerStatuses")
    if regular and _had_initialized(spec, status):
        out["containerStatuses"] = [_as_lost(s) for s in regular]
    init = status.get("initContainerStatuses")
    if init:
        tried = max((i for i, s in enumerate(init) if _left_waiting(s)), default=0)
        out["initContainerStatuses"] = [_as_lost(s) if i <= tried else s for i, s in enumerate(init)]
    if out.get("phase") not in ("Succeeded", "Failed") and not is_static:
        out["phase"] = "Failed"
    return out


def _left_waiting(s: JsonObject) -> bool:
    return "waiting" not in s["state"] or "terminated" in (s.get("lastState") or {})


def _had_initialized(spec: PodSpec, status: JsonObject) -> bool:
    """Source: status_manager.go: hasPodInitialized."""
    if not spec.init_containers:
        return True
    if any(_left_waiting(s) for s in status.get("containerStatuses") or ()):
        return True
    last = spec.init_containers[-1]
    for s in status.get("initContainerStatuses") or ():
        if s["name"] == last.name:
            if last.kind == "sidecar":
                return "running" in s["state"] and bool(s.get("started"))
            ended = s["state"].get("terminated")
            return ended is not None and ended.get("exitCode", 0) == 0
    return False


def _as_lost(s: JsonObject) -> JsonObject:
    if "terminated" in s["state"]:
        return s
    lost = {
        "exitCode": 137,
        "reason": say.CONTAINER_STATUS_UNKNOWN,
        "message": say.LOST_TERMINATED,
        "startedAt": None,
        "finishedAt": None,
    }
    return {**s, "state": {"terminated": lost}}
