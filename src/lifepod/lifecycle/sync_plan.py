"""Carrying one sync forward: volumes, then stop, sandbox, start, one task after the other (upstream: SyncPod).

While a task is under way no status is made. Which tasks there are is `pod_actions.py`'s affair; how one container is started
`container_start.py`'s.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle.container_start import run_start, take_start_end
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.kills import drop_failed_kills, kill_every, start_kill
from lifepod.lifecycle.memory import (
    KillPodTask,
    KillTask,
    PlanTask,
    SandboxTask,
    StartTask,
    Sync,
    Task,
    UnderWay,
    VolumesTask,
)
from lifepod.lifecycle.pod_actions import pod_actions
from lifepod.lifecycle.pod_spec import container_named
from lifepod.lifecycle.probes import new_workers, result_for
from lifepod.lifecycle.vocabulary import (
    CreateSandbox,
    Done,
    Failed,
    MountsFailed,
    MountVolumes,
    Outcome,
    ProbeKind,
    RemoveContainer,
    StopSandbox,
)

FIRST_MOUNT_DELAY = 0.5
MAX_MOUNT_DELAY = 122.0


def run_tasks(d: Draft) -> None:
    """Take the sync as far as it goes without waiting."""
    while d.sync is not None and d.sync.tasks:
        task = d.sync.tasks[0]
        if not _run(d, task):
            return


def _run(d: Draft, task: Task) -> bool:
    """Begin or continue the current task. Whether it is over."""
    match task:
        case VolumesTask():
            return _run_volumes(d, task)
        case PlanTask():
            _plan(d)
            return True
        case KillPodTask():
            return _run_kill_pod(d, task)
        case KillTask():
            return _run_kill(d, task)
        case SandboxTask():
            if not task.begun:
                d.set_task(task._replace(begun=True))
                d.actions.append(CreateSandbox(d.next_number("sandbox"), task.attempt))
            return False
        case StartTask():
            return run_start(d, task)


# ------------------------------------------------------------------------------------------------ volumes and the plan


def _run_volumes(d: Draft, task: VolumesTask) -> bool:
    if d.mounted:
        d.next_task()
        return True
    if not task.begun and (d.mount_retry_at is None or d.now >= d.mount_retry_at):
        d.set_task(VolumesTask(begun=True))
        d.actions.append(MountVolumes(d.next_number("volumes")))
    return False


def _plan(d: Draft) -> None:
    """Probers begin here, once the volumes stand; then what to do is decided on what the runtime has now.

    Pull secrets that nobody has are told of with every sync, whether an image is pulled or not; from 1.37 on only when a pull failed.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet.go: SyncPod; pkg/kubelet/kubelet_pods.go: getPullSecretsForPod
    """
    assert d.sync is not None
    spec = d.pod.spec
    if d.seen.missing_pull_secrets:
        d.events.append(say.pull_secrets_missing(d.seen.missing_pull_secrets))
    if not d.probing:
        d.probing, d.probes = True, new_workers(spec, d.now)

    def results(container: str, kind: ProbeKind, container_id: str) -> str:
        return result_for(d.probes, container, kind, container_id) or ""

    todo = pod_actions(spec, d.report, results, d.pod.deletion is not None, d.profile)
    tasks: list[Task] = []
    if todo.kill_pod:
        tasks.append(KillPodTask(purge_init=todo.create_sandbox))
    tasks += todo.kills
    if todo.create_sandbox:
        tasks.append(SandboxTask(todo.attempt))
    tasks += [StartTask(name) for name in todo.starts]
    if todo.changed:
        d.events.append(say.sandbox_changed())
    if tasks:
        names = " ".join(t.container for t in tasks if isinstance(t, (StartTask, KillTask)))
        d.explain("pod_actions.pod_actions", "", "acted", ("containers", names), ("stops the pod", str(todo.kill_pod)))
    exited: dict[str, datetime] = {}
    for r in d.report.containers:
        if r.state == "exited":
            exited.setdefault(r.name, r.finished_at or r.created_at)
    d.sync = d.sync._replace(tasks=tuple(tasks), sandbox_id=todo.sandbox_id, exited=tuple(exited.items()))


# ------------------------------------------------------------------------------------------------ stopping


def _run_kill_pod(d: Draft, task: KillPodTask) -> bool:
    """Everything is stopped, then the sandboxes; before a new sandbox the init containers are forgotten."""
    if not task.begun:
        d.killing_pod = True
        d.set_task(task._replace(begun=True))
    if drop_failed_kills(d):
        return True
    if kill_every(d, d.pod.spec.termination_grace_period_seconds) or stop_sandboxes(d):
        return False
    d.killing_pod = False
    if task.purge_init:
        init = {c.name for c in d.pod.spec.init_containers}
        for r in d.report.containers:
            if r.name in init:
                remove_container(d, r.name, r.id)
    d.next_task()
    return True


def stop_sandboxes(d: Draft) -> bool:
    """Stop every sandbox that is ready. Whether one still is."""
    left = False
    for s in d.report.sandboxes:
        if s.state == "ready":
            left = True
            is_held_back = d.retry_at is not None and d.now < d.retry_at
            if not is_held_back and not d.is_under_way("stopSandbox", s.id):
                d.actions.append(StopSandbox(d.next_number("stopSandbox", target=s.id), s.id))
    return left


def remove_container(d: Draft, name: str, container_id: str) -> None:
    """Let the runtime forget a dead container, once."""
    if not d.is_under_way("remove", container_id) and container_id not in d.removed:
        d.removed.add(container_id)
        d.actions.append(RemoveContainer(d.next_number("remove", name, container_id), name, container_id))


def _run_kill(d: Draft, task: KillTask) -> bool:
    if not task.begun:
        d.set_task(task._replace(begun=True))
        start_kill(d, task.container, task.container_id, task.grace_seconds, task.message)
        return False
    if drop_failed_kills(d):
        return True
    if any(k.container_id == task.container_id for k in d.kills):
        return False
    d.next_task()
    return True


# ------------------------------------------------------------------------------------------------ ends of actions


def take_sync_end(d: Draft, ended: UnderWay, outcome: Outcome, at: datetime) -> None:
    """An action of the sync ended: go to the next stage of the current task."""
    if d.sync is None or not d.sync.tasks:
        return
    task = d.sync.tasks[0]
    match ended.kind, task:
        case "volumes", VolumesTask():
            _take_mounts(d, outcome, at)
        case "sandbox", SandboxTask():
            _take_sandbox(d, outcome)
        case _, StartTask(container=ended.container):
            c = container_named(d.pod.spec, task.container)
            if c is not None and ended.kind == task.stage:
                take_start_end(d, c, task, outcome, at)


def _take_mounts(d: Draft, outcome: Outcome, at: datetime) -> None:
    """Failed volumes are tried again after 0.5 s, doubled each time, at most 122 s.

    Source: k8s.io/kubernetes v1.34.4 pkg/util/goroutinemap/exponentialbackoff/exponential_backoff.go
    """
    if isinstance(outcome, MountsFailed | Failed):
        errors = outcome.errors if isinstance(outcome, MountsFailed) else (("", outcome.message),)
        for volume, text in errors:
            d.events.append(say.mount_failed(volume, text))
        d.mount_delay_seconds = min(max(FIRST_MOUNT_DELAY, 2 * d.mount_delay_seconds), MAX_MOUNT_DELAY)
        d.mount_retry_at = at + timedelta(seconds=d.mount_delay_seconds)
        d.explain("volumes", "", "held back", *errors, until=d.mount_retry_at)
        d.set_task(VolumesTask())
        return
    d.mounted, d.mount_retry_at, d.mount_delay_seconds = True, None, 0.0
    d.next_task()


def _take_sandbox(d: Draft, outcome: Outcome) -> None:
    assert d.sync is not None
    if isinstance(outcome, Failed):
        if d.pod.deletion is None and not d.pod_gone:
            d.events.append(say.sandbox_failed(outcome.message))
        d.retry_at = d.now + timedelta(seconds=10)
        d.sync = d.sync._replace(tasks=(), failed=True)
        return
    d.sync = d.sync._replace(tasks=d.sync.tasks[1:], sandbox_id=outcome.value if isinstance(outcome, Done) else "")


def new_sync(d: Draft) -> Sync:
    """The tasks every sync begins with."""
    tasks: tuple[Task, ...] = (PlanTask(),) if d.mounted else (VolumesTask(), PlanTask())
    return Sync(tasks, report=d.report, is_followed=d.is_sync_owed)


def cut_short(d: Draft) -> None:
    """The pod is to be stopped: what is under way may finish, nothing more is begun (lifecycle.md §13.15).

    Waiting for volumes is dropped at once, and stops under way are waited for by the termination.
    """
    if d.sync is None:
        return
    task = d.sync.tasks[0] if d.sync.tasks else None
    waits = isinstance(task, SandboxTask) and task.begun
    waits = waits or (isinstance(task, StartTask) and task.stage not in ("queued", "hookKill"))
    d.sync = d.sync._replace(tasks=(task,) if waits and task is not None else ())
