"""When may a container that ended start again?"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.lifecycle.memory import Backoff

INITIAL_DELAY_SECONDS = 10
MAX_DELAY_SECONDS = 300


def has_expired(backoff: Backoff, event_at: datetime) -> bool:
    """Whether what happened at `event_at` counts as stable: 600 s after the delay last changed, the back-off starts over.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet.go: HasExpiredFunc; client-go util/flowcontrol/backoff.go: hasExpired
    """
    return (event_at - backoff.changed_at) > timedelta(seconds=2 * MAX_DELAY_SECONDS)


def may_restart_at(backoff: Backoff | None, finished_at: datetime) -> datetime:
    """When a container that ended at `finished_at` may start again; can lie in the past.

    The first restart is immediate. Later ones wait 10 s, 20 s, 40 s … at most 300 s, counted from the container's end.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_manager.go: doBackOff
            k8s.io/client-go v0.34.4 util/flowcontrol/backoff.go: IsInBackOffSince
    """
    if backoff is None or has_expired(backoff, finished_at):
        return finished_at
    return finished_at + timedelta(seconds=backoff.delay_seconds)


def raised(backoff: Backoff | None, key: str, event_at: datetime, now: datetime, detail: str = "") -> Backoff:
    """The back-off after one more attempt was allowed: 10 s at first (or again, once expired), then twice as long.

    Source: k8s.io/client-go v0.34.4 util/flowcontrol/backoff.go: Next
    """
    if backoff is None or has_expired(backoff, event_at):
        return Backoff(key, INITIAL_DELAY_SECONDS, now, detail)
    return Backoff(key, min(2 * backoff.delay_seconds, MAX_DELAY_SECONDS), now, detail)


def backoff_of(backoffs: tuple[Backoff, ...], key: str) -> Backoff | None:
    """The entry of that key."""
    for b in backoffs:
        if b.key == key:
            return b
    return None


def with_backoff(backoffs: tuple[Backoff, ...], entry: Backoff) -> tuple[Backoff, ...]:
    """The entries with this one put in, in place of an older one of its key."""
    return (*(b for b in backoffs if b.key != entry.key), entry)
