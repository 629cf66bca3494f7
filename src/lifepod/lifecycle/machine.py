"""One look at one pod: what is seen goes in, what is to be done comes out. The only file that knows all rules.

`step` is level-based: it compares what it sees with what it remembers, takes the ends of actions, and carries the pod's worker
on: syncing (one sync after the other), terminating, terminated. The rules themselves are in the files beside it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, format_time
from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.kills import advance_kills, kill_every, take_kill_end
from lifepod.lifecycle.memory import HeldBack, PodMemory, StartTask, UnderWay, VolumesTask, with_moments
from lifepod.lifecycle.news import take_pod, take_report, want_syncs
from lifepod.lifecycle.pod_phase import TERMINAL
from lifepod.lifecycle.pod_status import generate_status, publish
from lifepod.lifecycle.pod_worker import deadline_at, stop_cause
from lifepod.lifecycle.probe_runs import probe_moments, run_probes, take_probe
from lifepod.lifecycle.sync_plan import cut_short, new_sync, remove_container, run_tasks, stop_sandboxes, take_sync_end
from lifepod.lifecycle.termination import effective_grace, terminated_for_good
from lifepod.lifecycle.vocabulary import (
    ContainerSpec,
    DeletePod,
    Event,
    Failed,
    Pod,
    PodSpec,
    RemoveSandbox,
    Seen,
    Step,
    UnmountVolumes,
)

ERROR_RETRY = timedelta(seconds=10)
RESYNC = timedelta(seconds=60)
STATUS_RECONCILE = timedelta(seconds=10)
NETWORK_RETRY = timedelta(seconds=1)
HOOK_PATIENCE = timedelta(seconds=60)
REASON_REFRESH = timedelta(seconds=1)
SYNC_KINDS = frozenset(("volumes", "sandbox", "inspect", "pull", "create", "start", "postStart"))


def new_memory() -> PodMemory:
    """The memory of a pod that was never looked at; also after the node agent was restarted."""
    return PodMemory()


def step(memory: PodMemory, seen: Seen, now: datetime) -> Step:
    """Decide what happens to one pod next. Pure: equal arguments give equal results, and none is changed."""
    if _is_settled(memory, seen, now):
        return Step(memory, None, (), (), memory.wake_at)
    if memory.held_back is not None and (again := _still_held_back(memory, memory.held_back, seen, now)):
        return again
    if seen.pod is None and memory.pod is None and (seen.report.containers or seen.report.sandboxes):
        memory = memory._replace(pod=_orphan(seen))
    if memory.worker == "finished" or (seen.pod is None and memory.pod is None):
        return Step(memory._replace(worker="finished", wake_at=None), None, (), (), None, finished=True)
    d = Draft(memory, seen, now)
    take_pod(d)
    take_report(d)
    _take_ended(d)
    advance_kills(d)
    if d.worker == "syncing":
        _sync(d)
    if d.worker == "terminating":
        _terminate(d)
    if d.worker == "terminated":
        _finish(d)
    advance_kills(d)
    run_probes(d)
    _repeat_lost_status(d)
    _resend_later(d)
    _remember_waiting(d)
    return d.step(_wake_at(d))


def _has_news(memory: PodMemory, seen: Seen) -> bool:
    """Whether anything differs from what the last step saw."""
    return bool(
        seen.ended
        or not (seen.pod is memory.pod or seen.pod == memory.pod)
        or not (seen.report is memory.report or seen.report == memory.report)
        or (seen.kill is not None and memory.kill_request is None)
        or (seen.refusal is not None and memory.refusal is None)
        or memory.pod is None
    )


def _still_held_back(memory: PodMemory, waiting: HeldBack, seen: Seen, now: datetime) -> Step | None:
    """A sync in the middle of a back-off, without news: it would say what the last one said, so the rules are not asked again."""
    is_other_due = waiting.wake_at is not None and now >= waiting.wake_at
    if now >= waiting.until or is_other_due or _has_news(memory, seen):
        return None
    sync_at = min(now + ERROR_RETRY, waiting.until)
    wake_at = sync_at if waiting.wake_at is None else min(sync_at, waiting.wake_at)
    return Step(with_moments(memory, sync_at, wake_at), None, waiting.events, (), wake_at)


def _remember_waiting(d: Draft) -> None:
    """Keep in mind a sync that ended in this step and did nothing but hold containers back."""
    if d.worker != "syncing" or d.actions or d.sync is not None:
        return
    until = min((b.until for b in d.because if b.verdict == "held back" and b.until is not None), default=None)
    if until is None or any(e.reason != "BackOff" for e in d.events):
        return
    sync_at, d.sync_at = d.sync_at, None
    d.held_back = HeldBack(tuple(d.events), until, _wake_at(d))
    d.sync_at = sync_at


def _orphan(seen: Seen) -> Pod:
    """What stands for a pod that nobody knows any more but whose containers are here: they are stopped with 1 s of grace.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet.go: SyncTerminatingRuntimePod
    """
    names = dict.fromkeys(c.name for c in reversed(seen.report.containers))
    containers = tuple(ContainerSpec(name, "regular", "") for name in names)
    return Pod("", "", "", 0, PodSpec("Never", containers, termination_grace_period_seconds=1), None, {})


def _is_settled(memory: PodMemory, seen: Seen, now: datetime) -> bool:
    """Nothing is new and nothing is due."""
    return (memory.wake_at is None or now < memory.wake_at) and not _has_news(memory, seen)


# ------------------------------------------------------------------------------------------------ taking what is new


def _take_ended(d: Draft) -> None:
    """Every end is taken once; one that nobody waits for is ignored."""
    for ended in d.seen.ended:
        found = _under_way(d, ended.number)
        if found is None:
            continue
        d.under_way.remove(found)
        if found.kind in SYNC_KINDS:
            take_sync_end(d, found, ended.outcome, ended.at)
        elif found.kind == "probe":
            take_probe(d, found, ended)
        elif found.kind in ("preStop", "stop"):
            take_kill_end(d, found, ended.outcome)
        elif isinstance(ended.outcome, Failed):
            _take_failed_end(d, found)
        elif found.kind == "unmount":
            d.unmounted = True


def _under_way(d: Draft, number: int) -> UnderWay | None:
    for each in d.under_way:
        if each.number == number:
            return each
    return None


def _take_failed_end(d: Draft, found: UnderWay) -> None:
    """What has to be done again after the usual delay."""
    if found.kind in ("stopSandbox", "unmount", "delete"):
        d.retry_at = d.now + ERROR_RETRY
    if found.kind == "delete":
        d.delete_asked = False


# ------------------------------------------------------------------------------------------------ syncing


def _sync(d: Draft) -> None:
    """One sync after the other, until there is a reason to stop the pod."""
    if d.refusal is not None and d.status is None and not d.report.containers:
        _refuse(d)
        return
    cause = stop_cause(d.pod, d.pod_gone, d.kill_request)
    if cause and d.stop_seen_at is None:
        d.stop_seen_at = d.now
    if d.sync is not None:
        _continue_sync(d, cause)
        if d.sync is not None:
            d.sync_wanted = d.sync_wanted or (d.before.sync_at is not None and d.before.sync is not None)
            d.sync_at = d.now if d.sync_wanted else d.sync_at
            return
    if cause:
        _begin_terminating(d, cause)
        return
    if _is_sync_due(d):
        if d.status_out is not None:
            d.again = True
            d.sync_at = d.now
            return
        _begin_sync(d)
    elif d.refresh_at is not None and d.now >= d.refresh_at:
        _refresh_status(d)


def _refresh_status(d: Draft) -> None:
    """Show why the last sync could not start a container; nothing is tried again before its time.

    Differs: a kubelet shows it with whatever sync comes next.
    """
    d.refresh_at, d.reasons_shown = None, d.reasons
    publish(d, generate_status(d))


def _continue_sync(d: Draft, cause: str) -> None:
    if cause:
        cut_short(d)
        _abandon_hook(d)
    run_tasks(d)
    if d.sync is not None and not d.sync.tasks:
        _end_sync(d)


def _abandon_hook(d: Draft) -> None:
    """Differs: a postStart hook that never ends would keep a deleted pod for ever; it is given up 60 s after the grace period."""
    assert d.sync is not None
    assert d.stop_seen_at is not None
    task = d.sync.tasks[0] if d.sync.tasks else None
    if (
        isinstance(task, StartTask)
        and task.stage == "postStart"
        and d.now >= d.stop_seen_at + _own_grace(d) + HOOK_PATIENCE
    ):
        d.sync = d.sync._replace(tasks=())


def _own_grace(d: Draft) -> timedelta:
    deletion = d.pod.deletion
    return timedelta(
        seconds=d.pod.spec.termination_grace_period_seconds if deletion is None else deletion.grace_period_seconds
    )


def _is_sync_due(d: Draft) -> bool:
    """News, a timer, or the deadline; after a failed sandbox only once its retry is due."""
    if d.retry_at is not None:
        if d.now < d.retry_at:
            return False
        d.retry_at = None
        return True
    if d.sync_wanted or (d.sync_at is not None and d.now >= d.sync_at):
        return True
    at = _deadline(d)
    return at is not None and d.now >= at


def _deadline(d: Draft) -> datetime | None:
    if d.worker != "syncing" or d.status is None or d.deadline_passed:
        return None
    return deadline_at(d.pod, d.status.get("startTime"))


def _begin_sync(d: Draft) -> None:
    """The status first, from what earlier syncs left; then what to do (lifecycle.md §4.8)."""
    d.sync_wanted, d.sync_at, d.refresh_at = False, None, None
    d.reasons_shown = d.reasons
    made = generate_status(d)
    publish(d, made)
    _prune_dead(d)
    _prune_sandboxes(d)
    if made["phase"] in TERMINAL:
        _begin_terminating(d, "finished")
        return
    if not d.node.network_ready and not d.pod.spec.host_network:
        d.events.append(say.network_not_ready())
        d.sync_at = d.now + NETWORK_RETRY
        return
    d.sync, d.is_sync_owed, said = new_sync(d), False, len(d.events)
    run_tasks(d)
    if d.sync is not None and not d.sync.tasks:
        if len(d.events) == said:  # another one would find nothing to do either, and say nothing
            d.sync = d.sync._replace(is_followed=False)
        _end_sync(d)


def _end_sync(d: Draft) -> None:
    """When the next sync is: at once when something happened meanwhile, else at the end of a back-off or after the usual delay.

    CrashLoopBackOff is shown by a sync, which says once more that the container is held back. A sync that went well is repeated
    only where the next one has something to say: pull secrets that nobody has.
    Differs: a kubelet repeats a sync that failed after 10 to 15 s, whatever it found, and every other after 60 to 90 s.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/pod_workers.go: completeWork
    """
    assert d.sync is not None
    sync, d.sync = d.sync, None
    want_syncs(d, sync.report)
    moments = []
    if d.sync_wanted or sync.is_followed:
        moments.append(d.now)
    if sync.failed:
        moments.append(d.now + ERROR_RETRY)
    elif d.seen.missing_pull_secrets:
        moments.append(d.now + RESYNC)
    if sync.retry_at is not None:
        moments.append(sync.retry_at)
    if any(r.reason == say.CRASH_LOOP for r in d.reasons if r not in d.reasons_shown):
        moments.append(d.now + REASON_REFRESH)
    elif d.reasons != d.reasons_shown and d.reasons:
        d.refresh_at = d.now + REASON_REFRESH
    if d.sync_at is not None:
        moments.append(d.sync_at)
    d.sync_at = min(moments, default=None)


def _prune_dead(d: Draft) -> None:
    """Of each container one dead instance is kept, the newest; one that never started goes when another took its place.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/pod_container_deletor.go: getContainersToDeleteInPod;
            pkg/kubelet/kuberuntime/kuberuntime_gc.go: evictableContainers
    """
    if len(d.report.containers) < 2:
        return
    dead: set[str] = set()
    newer: set[str] = set()
    for r in d.report.containers:
        if (r.state == "exited" and r.name in dead) or (r.state == "created" and r.name in newer):
            remove_container(d, r.name, r.id)
        newer.add(r.name)
        if r.state == "exited":
            dead.add(r.name)


def _prune_sandboxes(d: Draft) -> None:
    """Old sandboxes that hold no container any more are forgotten.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_gc.go: evictSandboxes
    """
    used = {r.sandbox_id for r in d.report.containers}
    for s in d.report.sandboxes[1:]:
        if s.state != "ready" and s.id not in used and not d.is_under_way("removeSandbox", s.id):
            d.actions.append(RemoveSandbox(d.next_number("removeSandbox", target=s.id), s.id))


def _refuse(d: Draft) -> None:
    """The node does not take the pod: Failed, with no container statuses and no conditions (lifecycle.md §1.5).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet.go: rejectPod
    """
    assert d.refusal is not None
    d.worker, d.unmounted, d.mounted = "terminated", True, False
    d.events.append(Event("Warning", d.refusal.reason, d.refusal.message))
    d.explain("admission.refusal", "", "refused", ("reason", d.refusal.reason), ("message", d.refusal.message))
    api = d.pod.status
    if api.get("phase") in TERMINAL:
        d.status = d.sent = api
        return
    made: JsonObject = {
        "observedGeneration": d.pod.generation,
        "phase": "Failed",
        "conditions": [],
        "message": "Pod was rejected: " + d.refusal.message,
        "reason": d.refusal.reason,
        "startTime": api.get("startTime") or format_time(d.now),
    }
    if "qosClass" in api:
        made["qosClass"] = api["qosClass"]
    publish(d, made)


# ------------------------------------------------------------------------------------------------ terminating, terminated


def _begin_terminating(d: Draft, cause: str) -> None:
    """No way back: statuses once more, then everything is stopped (upstream: SyncTerminatingPod)."""
    d.worker, d.sync, d.sync_at, d.retry_at, d.refresh_at = "terminating", None, None, None, None
    if cause == "evicted" and d.kill_request is not None:
        d.events.append(Event("Warning", d.kill_request.reason, d.kill_request.message))
    deletion = d.pod.deletion
    asked = d.kill_request.grace_period_seconds if d.kill_request is not None else None
    grace = effective_grace(d.pod.spec, deletion.grace_period_seconds if deletion else None, asked, d.grace_seconds)
    d.grace_seconds = grace
    d.explain("pod_worker.stop_cause", "", "stopped", ("cause", cause), ("grace", f"{grace}s"))
    publish(d, generate_status(d))
    _prune_dead(d)
    regular = {c.name for c in d.pod.spec.containers}
    d.probes = tuple(w for w in d.probes if w.kind == "readiness" or w.container not in regular)
    d.killing_pod = True
    kill_every(d, grace)
    advance_kills(d)


def _terminate(d: Draft) -> None:
    """Wait until nothing runs, stop the sandboxes, then tell the final status."""
    if any(k.number == -1 for k in d.kills):
        d.kills = tuple(k for k in d.kills if k.number != -1)
        d.retry_at = d.now + ERROR_RETRY
    if d.retry_at is not None:
        if d.now < d.retry_at:
            return
        d.retry_at = None
    if kill_every(d, d.grace_seconds or 1) or stop_sandboxes(d):
        return
    if d.status_out is not None:
        d.again = True
        return
    d.probes, d.killing_pod = (), False
    made = generate_status(d, is_terminal=True)
    if d.deadline_passed:
        d.events.append(say.deadline_exceeded())
    d.worker = "terminated"
    publish(d, terminated_for_good(d.pod.spec, made, d.pod.is_static))


def _finish(d: Draft) -> None:
    """Once it is deleted: take the volumes down, then the object, when the API shows how it ended (lifecycle.md §1.6)."""
    if d.pod.deletion is None and not d.pod_gone:
        return
    if d.retry_at is not None:
        if d.now < d.retry_at:
            return
        d.retry_at = None
    if not d.unmounted:
        if not d.is_under_way("unmount"):
            d.actions.append(UnmountVolumes(d.next_number("unmount")))
    elif d.pod_gone:
        d.worker, d.finished = "finished", True
    elif not d.delete_asked and d.status_out is None and _shows_the_end(d):
        d.delete_asked = True
        d.actions.append(DeletePod(d.next_number("delete")))


def _shows_the_end(d: Draft) -> bool:
    """The API server has the terminal phase. Source: status_manager.go: canBeDeleted."""
    shown = d.pod.status
    return shown.get("phase") in TERMINAL and (d.sent is None or shown.get("phase") == d.sent.get("phase"))


def _repeat_lost_status(d: Draft) -> None:
    """A changed object that does not carry what was sent: the write was lost or undone, so it is sent again."""
    if d.status_out is not None or d.status is None or d.sent is None or d.seen.pod is None:
        return
    if d.seen.pod is d.before.pod or d.seen.pod == d.before.pod or d.seen.pod.status == d.sent:
        return
    if "conditions" in d.status:
        d.sent = None
        publish(d, d.status)


def _resend_later(d: Draft) -> None:
    """A status that does not come back is sent again after 10 s: once, and while the phase is missing for as long as it takes.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/status/status_manager.go: syncPeriod
    """
    if d.status_out is not None:
        d.resend_at = d.now + STATUS_RECONCILE
        return
    if d.resend_at is None or d.sent is None:
        return
    if d.seen.pod is None or d.seen.pod.status == d.sent:
        d.resend_at = None
    elif d.now >= d.resend_at:
        is_phase_missing = d.seen.pod.status.get("phase") != d.sent.get("phase")
        d.status_out, d.resend_at = d.sent, d.now + STATUS_RECONCILE if is_phase_missing else None


# ------------------------------------------------------------------------------------------------ when to look again


def _wake_at(d: Draft) -> datetime | None:
    """The earliest moment at which something is due without news."""
    moments: list[datetime] = []
    if d.again:
        moments.append(d.now)
    if d.resend_at is not None:
        moments.append(d.resend_at)
    if d.worker == "syncing":
        moments += _sync_moments(d)
    elif d.retry_at is not None:
        moments.append(d.retry_at)
    moments += [k.deadline for k in d.kills if k.deadline is not None and k.stage != "stop"]
    moments += probe_moments(d)
    return max(min(moments), d.now) if moments else None


def _sync_moments(d: Draft) -> list[datetime]:
    moments: list[datetime] = []
    if d.sync is None:
        if d.retry_at is not None:
            moments.append(d.retry_at)
        else:
            moments += [at for at in (d.sync_at, d.refresh_at, _deadline(d)) if at is not None]
        return moments
    if d.retry_at is not None and d.retry_at > d.now:
        moments.append(d.retry_at)
    task = d.sync.tasks[0] if d.sync.tasks else None
    if isinstance(task, VolumesTask) and not task.begun and d.mount_retry_at is not None:
        moments.append(d.mount_retry_at)
    if d.stop_seen_at is not None and isinstance(task, StartTask) and task.stage == "postStart":
        moments.append(d.stop_seen_at + _own_grace(d) + HOOK_PATIENCE)
    return moments
