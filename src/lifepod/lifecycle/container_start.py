"""Starting one container: its back-off, its image, create, start, the postStart hook, each an action whose end leads to the next.

How long a back-off lasts is `restart_backoff.py`'s affair, what a pull policy wants `image_pull.py`'s.
"""

from __future__ import annotations

from datetime import datetime

from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle import image_pull
from lifepod.lifecycle import restart_backoff as backoff
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.go_duration import go_duration
from lifepod.lifecycle.kills import drop_failed_kills, start_kill
from lifepod.lifecycle.memory import Reason, StartTask
from lifepod.lifecycle.pod_spec import container_named
from lifepod.lifecycle.vocabulary import (
    ContainerSpec,
    CreateContainer,
    Done,
    Failed,
    ImagePulled,
    ImageSeen,
    InspectImage,
    Outcome,
    PullImage,
    RunHook,
    StartContainer,
)


def run_start(d: Draft, task: StartTask) -> bool:
    c = container_named(d.pod.spec, task.container)
    if c is None:
        d.next_task()
        return True
    if task.stage == "queued":
        return _held_back(d, c) or _begin_start(d, c, task)
    if task.stage == "hookKill":
        if drop_failed_kills(d):
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
    d.set_task(task._replace(stage="inspect"))
    d.actions.append(InspectImage(d.next_number("inspect", c.name), c.name, c.image))
    return False


def _fail(d: Draft, c: ContainerSpec, reason: str, message: str) -> None:
    """The start failed: remembered until one succeeds. A regular init container's failure ends the whole sync."""
    assert d.sync is not None
    d.reasons = (*(r for r in d.reasons if r.container != c.name), Reason(c.name, reason, message))
    if reason not in ("CrashLoopBackOff", "ImagePullBackOff"):
        d.explain("container_start.run_start", c.name, "not started", ("reason", reason), ("message", message))
    rest = () if c.kind == "init" else d.sync.tasks[1:]
    d.sync = d.sync._replace(tasks=rest, failed=True)


def _started(d: Draft, c: ContainerSpec) -> None:
    d.reasons = tuple(r for r in d.reasons if r.container != c.name)
    d.next_task()


def _earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    return b if a is None else a if b is None else min(a, b)


def take_start_end(d: Draft, c: ContainerSpec, task: StartTask, outcome: Outcome, at: datetime) -> None:
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
        d.set_task(task._replace(stage="pull"))
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
    d.set_task(task._replace(stage="create", attempt=attempt, image_ref=image_ref))
    number = d.next_number("create", c.name)
    d.actions.append(CreateContainer(number, c.name, attempt, d.sync.sandbox_id, image_ref))


def _order_start(d: Draft, c: ContainerSpec, task: StartTask, container_id: str) -> None:
    d.events.append(say.created(c.name))
    d.attempts = (*(a for a in d.attempts if a[0] != c.name), (c.name, task.attempt))
    d.set_task(task._replace(stage="start", container_id=container_id))
    d.actions.append(StartContainer(d.next_number("start", c.name), c.name, container_id))


def _after_start(d: Draft, c: ContainerSpec, task: StartTask) -> None:
    d.events.append(say.started(c.name))
    if c.post_start is None:
        _started(d, c)
        return
    d.set_task(task._replace(stage="postStart"))
    number = d.next_number("postStart", c.name, task.container_id)
    d.actions.append(RunHook(number, c.name, task.container_id, "postStart", c.post_start))


def _take_post_start(d: Draft, c: ContainerSpec, task: StartTask, outcome: Outcome) -> None:
    """A failed postStart hook stops the container; what it said becomes the waiting reason (lifecycle.md §7.1)."""
    if not isinstance(outcome, Failed) or c.post_start is None:
        _started(d, c)
        return
    d.events.append(say.hook_failed(c.name, "postStart"))
    message = say.hook_message(c.post_start, c.name, d.pod, outcome.message)
    d.set_task(task._replace(stage="hookKill", message=message))
    if any(r.id == task.container_id and r.state == "running" for r in d.report.containers):
        start_kill(d, c.name, task.container_id, d.pod.spec.termination_grace_period_seconds, "FailedPostStartHook")
