"""When does a probe run, and what does its result change?

Each (container, kind) has a worker with a clock of its own. Ticks are arithmetic: nothing wakes up for a tick that could do
nothing. Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/prober/worker.go, prober_manager.go
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.lifecycle.memory import ProbeWorker
from lifepod.lifecycle.vocabulary import ContainerSpec, PodSpec, Probed, ProbeKind, ProbeSpec

MAX_TRIES = 3
INITIAL: dict[ProbeKind, str] = {"readiness": "failure", "liveness": "success", "startup": ""}
"""What counts as the result of a new container before any try reached its threshold."""


class ShownContainer(NamedTuple):
    """What the status shows of a container; a prober knows no more."""

    container_id: str
    running: bool
    started: bool
    started_at: datetime


def spec_of(c: ContainerSpec, kind: ProbeKind) -> ProbeSpec | None:
    """The container's probe of that kind."""
    if kind == "startup":
        return c.startup_probe
    return c.liveness_probe if kind == "liveness" else c.readiness_probe


def new_workers(spec: PodSpec, now: datetime) -> tuple[ProbeWorker, ...]:
    """One worker per probe, in spec order; its first tick is now.

    Source: prober_manager.go: AddPod
    """
    kinds: tuple[ProbeKind, ...] = ("startup", "readiness", "liveness")
    sidecars = tuple(c for c in spec.init_containers if c.kind == "sidecar")
    return tuple(
        ProbeWorker(c.name, k, now) for c in spec.containers + sidecars for k in kinds if spec_of(c, k) is not None
    )


def result_for(workers: tuple[ProbeWorker, ...], container: str, kind: ProbeKind, container_id: str) -> str | None:
    """The stored result of that very container, "" while there is none, None when nobody probes."""
    for w in workers:
        if w.container == container and w.kind == kind:
            return w.result if w.container_id == container_id else ""
    return None


def is_started(workers: tuple[ProbeWorker, ...], container: str, container_id: str) -> bool:
    """`started` of a running container: startup succeeded, or nobody asks (lifecycle.md §2.1.8)."""
    return result_for(workers, container, "startup", container_id) in (None, "success")


def is_ready(workers: tuple[ProbeWorker, ...], container: str, container_id: str) -> bool:
    """`ready` of a running, started container."""
    return result_for(workers, container, "readiness", container_id) in (None, "success")


def useful_from(worker: ProbeWorker, probe: ProbeSpec, shown: ShownContainer | None) -> datetime | None:
    """From when on a tick of this worker could run its probe; None: not as things stand (lifecycle.md §6.2)."""
    if shown is None or not shown.running or not shown.container_id:
        return None
    if worker.container_id == shown.container_id and worker.on_hold:
        return None
    if shown.started == (worker.kind == "startup"):
        return None
    return shown.started_at + timedelta(seconds=probe.initial_delay_seconds)


def tick_at_or_after(tick: datetime, period_seconds: int, moment: datetime) -> datetime:
    """The first tick of the worker's clock that is not before `moment`."""
    if tick >= moment:
        return tick
    period = timedelta(seconds=period_seconds)
    return tick + -(-(moment - tick) // period) * period


def due_at(worker: ProbeWorker, probe: ProbeSpec, shown: ShownContainer | None) -> datetime | None:
    """When this worker's next useful tick is; in the past when it was missed while a try was under way."""
    useful = useful_from(worker, probe, shown)
    if useful is None:
        return None
    return tick_at_or_after(worker.next_tick, probe.period_seconds, useful)


class Judged(NamedTuple):
    """A worker after a try. `changed`: the stored result is another one than before."""

    worker: ProbeWorker
    again: bool = False
    changed: bool = False


def judged(worker: ProbeWorker, probe: ProbeSpec, outcome: Probed) -> Judged:
    """What one answer does to the worker: up to 3 tries while the prober itself fails, then thresholds (lifecycle.md §6.2.9–11).

    Source: worker.go: doProbe; prober.go: runProbeWithRetries
    """
    if outcome.result == "unknown":
        if worker.tries + 1 < MAX_TRIES:
            return Judged(worker._replace(tries=worker.tries + 1), again=True)
        return Judged(worker._replace(tries=0, number=0))
    answer = "failure" if outcome.result == "failure" else "success"
    run = worker.run + 1 if worker.last == answer else 1
    after = worker._replace(last=answer, run=run, tries=0, number=0)
    if run < (probe.failure_threshold if answer == "failure" else probe.success_threshold):
        return Judged(after)
    changed = (worker.result or INITIAL[worker.kind]) != answer
    after = after._replace(result=answer)
    if (worker.kind == "liveness" and answer == "failure") or worker.kind == "startup":
        after = after._replace(on_hold=True, run=0)
    return Judged(after, changed=changed)
