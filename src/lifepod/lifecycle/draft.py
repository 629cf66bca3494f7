"""The memory of a pod while one step changes it, and what the step has gathered so far. Lives only inside `machine.step`."""

from __future__ import annotations

from datetime import datetime

from lifepod.api.objects import JsonObject
from lifepod.lifecycle.memory import HeldBack, PodMemory, Sync, Task, UnderWay
from lifepod.lifecycle.version import profile_of
from lifepod.lifecycle.vocabulary import Action, Because, Event, Pod, Seen, Step


class Draft:
    """A `PodMemory` with assignable fields, beside what was seen and what is to be done."""

    __slots__ = (
        "actions", "again", "attempts", "backoffs", "because", "before", "deadline_passed", "delete_asked", "events", "finished",
        "grace_seconds", "held_back", "image_backoffs", "is_sync_owed", "kill_request", "killing_pod", "kills", "known_pod", "mount_delay_seconds",
        "mount_retry_at", "mounted", "node", "now", "number", "pod_gone", "probes", "probing", "profile", "reasons", "reasons_shown",
        "refresh_at", "refusal", "removed", "report", "resend_at", "retry_at", "seen", "sent", "status", "status_out", "stop_seen_at",
        "sync", "sync_at", "sync_wanted", "under_way", "unmounted", "worker",
    )  # fmt: skip

    def __init__(self, memory: PodMemory, seen: Seen, now: datetime) -> None:
        self.seen, self.now, self.node = seen, now, seen.node
        self.profile = profile_of(seen.node.version)
        self.before = memory
        self.events: list[Event] = []
        self.actions: list[Action] = []
        self.because: list[Because] = []
        self.status_out: JsonObject | None = None
        self.sync_wanted = False
        self.again = False
        self.finished = False
        self.held_back: HeldBack | None = None
        self.removed: set[str] = set()
        (
            self.worker, self.known_pod, self.report, self.pod_gone, self.number, under_way, self.sync, self.sync_at, _wake,
            self.reasons, self.reasons_shown, self.backoffs, self.image_backoffs, self.attempts, self.probes, self.probing,
            self.mounted, self.mount_delay_seconds, self.mount_retry_at, self.kills, self.killing_pod, self.grace_seconds,
            self.kill_request, self.refusal, self.stop_seen_at, self.retry_at, self.deadline_passed, self.unmounted,
            self.delete_asked, self.status, self.sent, self.resend_at, self.refresh_at, _held_back,
            self.is_sync_owed,
        ) = memory  # fmt: skip
        self.under_way: list[UnderWay] = list(under_way)

    @property
    def pod(self) -> Pod:
        """The pod as last seen; it exists from the first look on."""
        assert self.known_pod is not None
        return self.known_pod

    def next_number(self, kind: str, container: str = "", target: str = "") -> int:
        """Number a new action and remember that it is under way."""
        self.number += 1
        self.under_way.append(UnderWay(self.number, kind, container, target))
        return self.number

    def is_under_way(self, kind: str, target: str = "") -> bool:
        """Whether such an action was asked for and has not ended."""
        return any(u.kind == kind and u.target == target for u in self.under_way)

    def set_task(self, task: Task) -> None:
        """Put the current task of the sync as it is now."""
        assert self.sync is not None
        self.sync = Sync((task, *self.sync.tasks[1:]), *self.sync[1:])

    def next_task(self) -> None:
        """The current task of the sync is over."""
        assert self.sync is not None
        self.sync = Sync(self.sync.tasks[1:], *self.sync[1:])

    def explain(
        self, rule: str, subject: str, verdict: str, *facts: tuple[str, str], until: datetime | None = None
    ) -> None:
        """Put a decision on record."""
        self.because.append(Because(rule, subject, verdict, facts, until))

    def frozen(self, wake_at: datetime | None) -> PodMemory:
        """The memory as it is now."""
        return PodMemory(
            self.worker, self.known_pod, self.report, self.pod_gone, self.number, tuple(self.under_way), self.sync, self.sync_at,
            wake_at, self.reasons, self.reasons_shown, self.backoffs, self.image_backoffs, self.attempts, self.probes,
            self.probing, self.mounted, self.mount_delay_seconds, self.mount_retry_at, self.kills, self.killing_pod,
            self.grace_seconds, self.kill_request, self.refusal, self.stop_seen_at, self.retry_at, self.deadline_passed,
            self.unmounted, self.delete_asked, self.status, self.sent, self.resend_at, self.refresh_at, self.held_back,
            self.is_sync_owed,
        )  # fmt: skip

    def step(self, wake_at: datetime | None) -> Step:
        """What this look led to."""
        return Step(
            self.frozen(wake_at),
            self.status_out,
            tuple(self.events),
            tuple(self.actions),
            wake_at,
            tuple(self.because),
            self.finished,
        )
