"""What only the node knows of a pod between two steps: back-offs, probe counts, the sync under way.

Frozen, comparable and JSON-able, so that a run can be recorded, replayed and stepped backwards. Nothing here decides.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.lifecycle import vocabulary as v
from lifepod.lifecycle.vocabulary import KillRequest, Pod, ProbeKind, Refusal, RuntimeReport

WorkerState = Literal["syncing", "terminating", "terminated", "finished"]
StartStage = Literal["queued", "inspect", "pull", "create", "start", "postStart", "hookKill"]
KillStage = Literal["hook", "turn", "stop"]


class UnderWay(NamedTuple):
    """An action that was asked for and has not ended."""

    number: int
    kind: str
    container: str = ""
    target: str = ""


class Backoff(NamedTuple):
    """How long the next attempt waits; `changed_at`: when the delay was last raised. `key` is a container or an image."""

    key: str
    delay_seconds: int
    changed_at: datetime
    detail: str = ""


class Reason(NamedTuple):
    """Why a container's last start failed (the reason cache)."""

    container: str
    reason: str
    message: str


class Kill(NamedTuple):
    """A container being stopped: its preStop hook, its turn among the sidecars, the stop itself. `after`: those that end first."""

    container: str
    container_id: str
    grace_seconds: int
    stage: KillStage
    since: datetime
    deadline: datetime | None
    number: int = 0
    after: tuple[str, ...] = ()


class StartTask(NamedTuple):
    """Start one container: image, create, start, postStart."""

    container: str
    attempt: int = 0
    stage: StartStage = "queued"
    image_ref: str = ""
    container_id: str = ""
    message: str = ""


class KillTask(NamedTuple):
    """Stop one container of a pod that goes on."""

    container: str
    container_id: str
    message: str
    grace_seconds: int
    begun: bool = False


class KillPodTask(NamedTuple):
    """Stop every container and the sandboxes. `purge_init`: forget the init containers afterwards."""

    purge_init: bool = False
    begun: bool = False


class SandboxTask(NamedTuple):
    """Make a pod sandbox."""

    attempt: int
    begun: bool = False


class VolumesTask(NamedTuple):
    """Wait until the volumes stand."""

    begun: bool = False


class PlanTask(NamedTuple):
    """Decide what to stop and start, now that the volumes stand."""


Task: TypeAlias = StartTask | KillTask | KillPodTask | SandboxTask | VolumesTask | PlanTask


class Sync(NamedTuple):
    """A sync under way: the first task is the current one. `failed`: try again after the usual delay. `exited`: when each
    container's newest dead instance ended, as the sync found it. `report`: what the runtime had when it began;
    `is_followed`: another one comes right after it."""

    tasks: tuple[Task, ...]
    sandbox_id: str = ""
    failed: bool = False
    retry_at: datetime | None = None
    exited: tuple[tuple[str, datetime], ...] = ()
    report: RuntimeReport = RuntimeReport()
    is_followed: bool = False


class HeldBack(NamedTuple):
    """A sync that found nothing to do but to wait for back-offs: until then the next ones say the same. `wake_at`: what else is
    due, and when."""

    events: tuple[v.Event, ...]
    until: datetime
    wake_at: datetime | None


class ProbeWorker(NamedTuple):
    """One prober: (container, kind). `result` holds for `container_id`; `next_tick` is on the worker's own clock. `idle`: as
    things stood, a tick could do nothing."""

    container: str
    kind: ProbeKind
    next_tick: datetime
    container_id: str = ""
    result: str = ""
    last: str = ""
    run: int = 0
    tries: int = 0
    on_hold: bool = False
    triggered: bool = False
    number: int = 0
    idle: bool = True


class PodMemory(NamedTuple):
    """All that the core remembers of one pod. `status`: as last generated; `sent`: as last handed out to be written;
    `refresh_at`: when the status is made again to show what the last sync found, without a sync; `is_sync_owed`: the next sync
    is followed by another."""

    worker: WorkerState = "syncing"
    pod: Pod | None = None
    report: RuntimeReport = RuntimeReport()
    pod_gone: bool = False
    number: int = 0
    under_way: tuple[UnderWay, ...] = ()
    sync: Sync | None = None
    sync_at: datetime | None = None
    wake_at: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    reasons_shown: tuple[Reason, ...] = ()
    backoffs: tuple[Backoff, ...] = ()
    image_backoffs: tuple[Backoff, ...] = ()
    attempts: tuple[tuple[str, int], ...] = ()
    probes: tuple[ProbeWorker, ...] = ()
    probing: bool = False
    mounted: bool = False
    mount_delay_seconds: float = 0.0
    mount_retry_at: datetime | None = None
    kills: tuple[Kill, ...] = ()
    killing_pod: bool = False
    grace_seconds: int | None = None
    kill_request: KillRequest | None = None
    refusal: Refusal | None = None
    stop_seen_at: datetime | None = None
    retry_at: datetime | None = None
    deadline_passed: bool = False
    unmounted: bool = False
    delete_asked: bool = False
    status: JsonObject | None = None
    sent: JsonObject | None = None
    resend_at: datetime | None = None
    refresh_at: datetime | None = None
    held_back: HeldBack | None = None
    is_sync_owed: bool = False


_SYNC_AT = PodMemory._fields.index("sync_at")


def with_moments(memory: PodMemory, sync_at: datetime | None, wake_at: datetime | None) -> PodMemory:
    """The memory with other moments at which to sync and to wake up; what a pod in back-off changes every ten seconds, so not by name."""
    return PodMemory._make((*memory[:_SYNC_AT], sync_at, wake_at, *memory[_SYNC_AT + 2 :]))


_CLASSES = {
    c.__name__: c
    for c in (
        UnderWay, Backoff, Reason, Kill, StartTask, KillTask, KillPodTask, SandboxTask, VolumesTask, PlanTask, Sync, HeldBack, ProbeWorker,
        PodMemory, v.ExecHandler, v.HttpGetHandler, v.TcpHandler, v.GrpcHandler, v.SleepHandler, v.ProbeSpec, v.RestartRule,
        v.MountShown, v.ContainerSpec, v.PodSpec, v.Deletion, v.Pod, v.SandboxReport, v.ContainerReport, v.RuntimeReport,
        v.KillRequest, v.Refusal, v.Event, v.Seen, v.NodeFacts, v.Ended, v.Done, v.Failed, v.ImageSeen,
        v.ImagePulled, v.MountsFailed, v.Probed,
    )
}  # fmt: skip


def seen_to_json(seen: v.Seen) -> JsonValue:
    """What a step saw, as JSON; `seen_from_json` gives an equal value back."""
    return _encoded(seen)


def seen_from_json(value: JsonValue) -> v.Seen:
    """What `seen_to_json` wrote. Raises ValueError on anything else."""
    decoded = _decoded(value)
    if not isinstance(decoded, v.Seen):
        raise ValueError("not what a step saw")
    return decoded


def memory_to_json(memory: PodMemory) -> JsonValue:
    """The memory as JSON; `memory_from_json` gives an equal one back."""
    return _encoded(memory)


def memory_from_json(value: JsonValue) -> PodMemory:
    """What `memory_to_json` wrote. Raises ValueError on anything else."""
    decoded = _decoded(value)
    if not isinstance(decoded, PodMemory):
        raise ValueError("not the memory of a pod")
    return decoded


def _encoded(value: JsonValue) -> JsonValue:
    """Tuples and times have no JSON of their own: they become tagged lists; only fields that differ from their default stay."""
    if isinstance(value, datetime):
        return ["@", value.isoformat()]
    if isinstance(value, tuple):
        cls = _CLASSES.get(type(value).__name__)
        if cls is not None:
            defaults = cls._field_defaults
            fields = {
                f: _encoded(x)
                for f, x in zip(cls._fields, value, strict=True)
                if f not in defaults or defaults[f] != x or type(defaults[f]) is not type(x)
            }
            return ["#", type(value).__name__, fields]
        return ["()", *map(_encoded, value)]
    if isinstance(value, dict):
        return {k: _encoded(x) for k, x in value.items()}
    if isinstance(value, list):
        return ["[]", *map(_encoded, value)]
    return value


def _decoded(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {k: _decoded(x) for k, x in value.items()}
    if not isinstance(value, list):
        return value
    match value:
        case ["@", text]:
            return datetime.fromisoformat(text).astimezone(UTC)
        case ["()", *rest]:
            return tuple(map(_decoded, rest))
        case ["[]", *rest]:
            return [_decoded(x) for x in rest]
        case ["#", name, fields] if name in _CLASSES:
            return _CLASSES[name](**{k: _decoded(x) for k, x in fields.items()})
    raise ValueError(f"not a part of a pod's memory: {value!r}")
