"""Carrying one sync forward: volumes, then stop, sandbox, start, one task after the other (upstream: SyncPod).

While a task is under way no status is made. Which tasks there are is `pod_actions.py`'s affair.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle import image_pull
from lifepod.lifecycle import restart_backoff as backoff
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.go_duration import go_duration
from lifepod.lifecycle.kills import kill_every, start_kill
from lifepod.lifecycle.memory import (
    KillPodTask,
    KillTask,
    PlanTask,
    Reason,
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
    ContainerSpec,
    CreateContainer,
    CreateSandbox,
    Done,
    Failed,
    ImagePulled,
    ImageSeen,
    InspectImage,
    MountsFailed,
    MountVolumes,
    Outcome,
    ProbeKind,
    PullImage,
    RemoveContainer,
    RunHook,
    StartContainer,
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
                _set_task(d, task._replace(begun=True))
                d.actions.append(CreateSandbox(d.next_number("sandbox"), task.attempt))
            return False
        case StartTask():
            return _run_start(d, task)


def _set_task(d: Draft, task: Task) -> None:
    assert d.sync is not None
    d.sync = Sync((task, *d.sync.tasks[1:]), *d.sync[1:])


def _next_task(d: Draft) -> None:
    assert d.sync is not None
    d.sync = Sync(d.sync.tasks[1:], *d.sync[1:])


# ------------------------------------------------------------------------------------------------ volumes and the plan


def _run_volumes(d: Draft, task: VolumesTask) -> bool:
    if d.mounted:
        _next_task(d)
        return True
    if not task.begun and (d.mount_retry_at is None or d.now >= d.mount_retry_at):
        _set_task(d, VolumesTask(begun=True))
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
        _set_task(d, task._replace(begun=True))
    if _kill_failed(d):
        return True
    if kill_every(d, d.pod.spec.termination_grace_period_seconds) or stop_sandboxes(d):
        return False
    d.killing_pod = False
    if task.purge_init:
        init = {c.name for c in d.pod.spec.init_containers}
        for r in d.report.containers:
            if r.name in init:
                remove_container(d, r.name, r.id)
    _next_task(d)
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


def _kill_failed(d: Draft) -> bool:
    """A stop that the runtime refused ends the sync; the next one tries again."""
    if not any(k.number == -1 for k in d.kills):
        return False
    assert d.sync is not None
    d.kills, d.killing_pod = (), False
    d.sync = d.sync._replace(tasks=(), failed=True)
    return True


def _run_kill(d: Draft, task: KillTask) -> bool:
    if not task.begun:
        _set_task(d, task._replace(begun=True))
        start_kill(d, task.container, task.container_id, task.grace_seconds, task.message)
        return False
    if _kill_failed(d):
        return True
    if any(k.container_id == task.container_id for k in d.kills):
        return False
    _next_task(d)
    return True


# ------------------------------------------------------------------------------------------------ starting one container


def _run_start(d: Draft, task: StartTask) -> bool:
    c = container_named(d.pod.spec, task.container)
    if c is None:
        _next_task(d)
        return True
    if task.stage == "queued":
        return _held_back(d, c) or _begin_start(d, c, task)
    if task.stage == "hookKill":
        if _kill_failed(d):
            return True
        if any(k.container_id == task.container_id for k in d.kills):
            return False
        _fail(d, c, "PostStartHookError", task.message)
        return True
    return False


def _held_back(d: Draft, c: ContainerSpec) -> bool:
    """The back-off of a container that has ended before; judged by the instances seen when the sync began.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_manager.go: doBackOff
    """
    assert d.sync is not None
    finished_at = next((at for name, at in d.sync.exited if name == c.name), None)
    if finished_at is None:
        return False
    key = f"{c.name} {c.image}"
    entry = backoff.backoff_of(d.backoffs, key)
    at = backoff.may_restart_at(entry, finished_at)
    if entry is not None and d.now < at:
        delay = go_duration(entry.delay_seconds)
        d.events.append(say.crash_loop_event(c.name, d.pod))
        d.explain(
            "restart_backoff.may_restart_at",
            c.name,
            "held back",
            ("delay", delay),
            ("finished", finished_at.isoformat()),
            until=at,
        )
        d.sync = d.sync._replace(retry_at=_earliest(d.sync.retry_at, at))
        _fail(d, c, say.CRASH_LOOP, say.crash_loop_message(delay, c.name, d.pod))
        return True
    d.backoffs = backoff.with_backoff(d.backoffs, backoff.raised(entry, key, finished_at, d.now))
    return False


def _begin_start(d: Draft, c: ContainerSpec, task: StartTask) -> bool:
    if wrong := image_pull.name_error(c.image):
        d.events.append(say.inspect_failed(c.name, wrong))
        d.events.append(say.start_failed(c.name, "InvalidImageName"))
        _fail(d, c, "InvalidImageName", wrong)
        return True
    _set_task(d, task._replace(stage="inspect"))
    d.actions.append(InspectImage(d.next_number("inspect", c.name), c.name, c.image))
    return False


def _fail(d: Draft, c: ContainerSpec, reason: str, message: str) -> None:
    """The start failed: remembered until one succeeds. A regular init container's failure ends the whole sync."""
    assert d.sync is not None
    d.reasons = (*(r for r in d.reasons if r.container != c.name), Reason(c.name, reason, message))
    if reason not in ("CrashLoopBackOff", "ImagePullBackOff"):
        d.explain("sync_plan.run_tasks", c.name, "not started", ("reason", reason), ("message", message))
    rest = () if c.kind == "init" else d.sync.tasks[1:]
    d.sync = d.sync._replace(tasks=rest, failed=True)


def _started(d: Draft, c: ContainerSpec) -> None:
    d.reasons = tuple(r for r in d.reasons if r.container != c.name)
    _next_task(d)


def _earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    return b if a is None else a if b is None else min(a, b)


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
                _take_start_end(d, c, task, outcome, at)


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
        _set_task(d, VolumesTask())
        return
    d.mounted, d.mount_retry_at, d.mount_delay_seconds = True, None, 0.0
    _next_task(d)


def _take_sandbox(d: Draft, outcome: Outcome) -> None:
    assert d.sync is not None
    if isinstance(outcome, Failed):
        if d.pod.deletion is None and not d.pod_gone:
            d.events.append(say.sandbox_failed(outcome.message))
        d.retry_at = d.now + timedelta(seconds=10)
        d.sync = d.sync._replace(tasks=(), failed=True)
        return
    d.sync = d.sync._replace(tasks=d.sync.tasks[1:], sandbox_id=outcome.value if isinstance(outcome, Done) else "")


def _take_start_end(d: Draft, c: ContainerSpec, task: StartTask, outcome: Outcome, at: datetime) -> None:
    match task.stage:
        case "inspect":
            _take_inspected(d, c, task, outcome)
        case "pull":
            _take_pulled(d, c, task, outcome, at)
        case "create":
            if isinstance(outcome, Failed):
                d.events.append(say.start_failed(c.name, outcome.message))
                _fail(d, c, outcome.reason or "CreateContainerError", outcome.message)
            else:
                _order_start(d, c, task, outcome.value if isinstance(outcome, Done) else "")
        case "start":
            if isinstance(outcome, Failed):
                d.events.append(say.start_failed(c.name, outcome.message))
                _fail(d, c, outcome.reason or "RunContainerError", outcome.message)
            else:
                _after_start(d, c, task)
        case "postStart":
            _take_post_start(d, c, task, outcome)


def _take_inspected(d: Draft, c: ContainerSpec, task: StartTask, outcome: Outcome) -> None:
    """The image is there or not: by pull policy, take it, pull it, or refuse."""
    if isinstance(outcome, Failed):
        reason = outcome.reason or "ImageInspectError"
        message = outcome.message
        if reason == "ImageInspectError" and not message.startswith("Failed to inspect image"):
            message = f'Failed to inspect image "": {message}'
        d.events.append(say.inspect_failed(c.name, message))
        d.events.append(say.start_failed(c.name, reason))
        _fail(d, c, reason, message)
        return
    ref = outcome.ref if isinstance(outcome, ImageSeen) else None
    verdict = image_pull.pull_verdict(c.image_pull_policy, ref is not None)
    if verdict == "present":
        d.events.append(say.present(c.name, c.image))
        _order_create(d, c, task, ref or "")
    elif verdict == "never":
        message = say.never_pulled_message(c.image)
        d.events.append(say.never_pulled(c.name, c.image))
        d.events.append(say.start_failed(c.name, "ErrImageNeverPull"))
        _fail(d, c, "ErrImageNeverPull", message)
    elif not _pull_held_back(d, c):
        d.events.append(say.pulling(c.name, c.image))
        _set_task(d, task._replace(stage="pull"))
        d.actions.append(PullImage(d.next_number("pull", c.name), c.name, c.image))


def _pull_held_back(d: Draft, c: ContainerSpec) -> bool:
    assert d.sync is not None
    entry = backoff.backoff_of(d.image_backoffs, c.image)
    at = image_pull.may_pull_at(entry, d.now)
    if entry is None or at <= d.now:
        return False
    d.events.append(say.image_backoff_event(c.name, c.image))
    d.events.append(say.start_failed(c.name, "ImagePullBackOff"))
    d.explain("image_pull.may_pull_at", c.name, "held back", ("delay", go_duration(entry.delay_seconds)), until=at)
    d.sync = d.sync._replace(retry_at=_earliest(d.sync.retry_at, at))
    _fail(d, c, "ImagePullBackOff", image_pull.backoff_message(c.image, entry.detail))
    return True


def _take_pulled(d: Draft, c: ContainerSpec, task: StartTask, outcome: Outcome, at: datetime) -> None:
    if isinstance(outcome, ImagePulled):
        d.image_backoffs = backoff.without_backoff(d.image_backoffs, c.image)
        pull, waited = go_duration(outcome.pull_seconds), go_duration(outcome.waited_seconds)
        d.events.append(say.pulled(c.name, c.image, pull, waited, outcome.size_bytes))
        _order_create(d, c, task, outcome.ref)
        return
    failed = outcome if isinstance(outcome, Failed) else Failed("", "")
    reason, message = image_pull.pull_error(c.image, failed.reason, failed.message)
    d.events.append(say.pull_failed(c.name, c.image, failed.message))
    d.events.append(say.start_failed(c.name, reason))
    entry = backoff.backoff_of(d.image_backoffs, c.image)
    entry = backoff.raised(entry, c.image, at, at, f"{reason}: {message}")
    d.image_backoffs = backoff.with_backoff(d.image_backoffs, entry)
    _fail(d, c, reason, message)


def _order_create(d: Draft, c: ContainerSpec, task: StartTask, image_ref: str) -> None:
    """The attempt's number: one more than the last that was ever created of that name (lifecycle.md §2.3)."""
    assert d.sync is not None
    attempt = max((a for name, a in d.attempts if name == c.name), default=-1) + 1
    _set_task(d, task._replace(stage="create", attempt=attempt, image_ref=image_ref))
    number = d.next_number("create", c.name)
    d.actions.append(CreateContainer(number, c.name, attempt, d.sync.sandbox_id, image_ref))


def _order_start(d: Draft, c: ContainerSpec, task: StartTask, container_id: str) -> None:
    d.events.append(say.created(c.name))
    d.attempts = (*(a for a in d.attempts if a[0] != c.name), (c.name, task.attempt))
    _set_task(d, task._replace(stage="start", container_id=container_id))
    d.actions.append(StartContainer(d.next_number("start", c.name), c.name, container_id))


def _after_start(d: Draft, c: ContainerSpec, task: StartTask) -> None:
    d.events.append(say.started(c.name))
    if c.post_start is None:
        _started(d, c)
        return
    _set_task(d, task._replace(stage="postStart"))
    number = d.next_number("postStart", c.name, task.container_id)
    d.actions.append(RunHook(number, c.name, task.container_id, "postStart", c.post_start))


def _take_post_start(d: Draft, c: ContainerSpec, task: StartTask, outcome: Outcome) -> None:
    """A failed postStart hook stops the container; what it said becomes the waiting reason (lifecycle.md §7.1)."""
    if not isinstance(outcome, Failed) or c.post_start is None:
        _started(d, c)
        return
    d.events.append(say.hook_failed(c.name, "postStart"))
    message = say.hook_message(c.post_start, c.name, d.pod, outcome.message)
    _set_task(d, task._replace(stage="hookKill", message=message))
    if any(r.id == task.container_id and r.state == "running" for r in d.report.containers):
        start_kill(d, c.name, task.container_id, d.pod.spec.termination_grace_period_seconds, "FailedPostStartHook")


def new_sync(d: Draft) -> Sync:
    """The tasks every sync begins with."""
    return Sync((PlanTask(),) if d.mounted else (VolumesTask(), PlanTask()))


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
