"""Carrying the probers forward: take the end of a try, begin every try that is due, say when the next one is.

What a result means is `probes.py`'s affair.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle import probes
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.memory import ProbeWorker, UnderWay
from lifepod.lifecycle.pod_phase import TERMINAL
from lifepod.lifecycle.pod_spec import container_named
from lifepod.lifecycle.pod_status import shown_containers, with_probe_result
from lifepod.lifecycle.vocabulary import Ended, Probed, RunProbe


def take_probe(d: Draft, found: UnderWay, ended: Ended) -> None:
    """A try ended: its event, its thresholds, and what the stored result changes at once."""
    worker = next((w for w in d.probes if w.number == found.number), None)
    if worker is None or not isinstance(ended.outcome, Probed):
        if worker is not None:
            _put(d, worker, worker._replace(number=0))
        return
    c = container_named(d.pod.spec, worker.container)
    probe = probes.spec_of(c, worker.kind) if c is not None else None
    runs = any(r.id == found.target and r.state == "running" for r in d.report.containers)
    if c is None or probe is None or not runs or worker.container_id != found.target:
        _put(d, worker, worker._replace(number=0, tries=0))
        return
    outcome, name, kind = ended.outcome, worker.container, worker.kind
    verdict = probes.judged(worker, probe, outcome)
    if verdict.again:
        number = d.next_number("probe", name, found.target)
        d.actions.append(RunProbe(number, name, found.target, kind, probe.handler, probe.timeout_seconds))
        _put(d, worker, verdict.worker._replace(number=number))
        return
    if outcome.result == "failure":
        d.events.append(say.unhealthy(name, kind, outcome.text))
    elif outcome.result == "unknown":
        d.events.append(say.probe_errored(name, kind, outcome.text))
    elif outcome.result == "warning":
        d.events.append(say.probe_warning(name, kind, outcome.text))
    _put(d, worker, verdict.worker)
    if verdict.changed:
        _result_changed(d, verdict.worker)


def _put(d: Draft, old: ProbeWorker, new: ProbeWorker) -> None:
    d.probes = tuple(new if w is old else w for w in d.probes)


def _result_changed(d: Draft, worker: ProbeWorker) -> None:
    """Readiness and startup show at once, then a sync follows; liveness makes a sync when it failed (lifecycle.md §6.2)."""
    is_good = worker.result == "success"
    d.explain("probes.judged", worker.container, worker.result, ("probe", worker.kind), ("in a row", str(worker.run)))
    if worker.kind == "readiness":
        with_probe_result(d, worker.container, None, is_good)
    elif worker.kind == "startup":
        with_probe_result(d, worker.container, is_good, None)
    if worker.kind != "liveness" or not is_good:
        d.sync_wanted = True


def _is_probed(d: Draft) -> bool:
    """A pod whose phase is terminal is not probed any more, even while its containers are still being stopped.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/prober/worker.go: doProbe
    """
    if not d.probes or d.status is None or d.worker not in ("syncing", "terminating"):
        return False
    return d.status["phase"] not in TERMINAL


def run_probes(d: Draft) -> None:
    """Begin every try that is due: at most one at a time per worker."""
    if not _is_probed(d):
        return
    shown = shown_containers(d)
    d.probes = tuple([_ticked(d, w, shown.get(w.container)) if w.number == 0 else w for w in d.probes])


def _ticked(d: Draft, w: ProbeWorker, shown: probes.ShownContainer | None) -> ProbeWorker:
    c = container_named(d.pod.spec, w.container)
    probe = probes.spec_of(c, w.kind) if c is not None else None
    if probe is None or shown is None:
        return w
    period = timedelta(seconds=probe.period_seconds)
    useful = probes.useful_from(w, probe, shown)
    if (useful is None) != w.idle:
        w = w._replace(idle=useful is None)
        if useful is not None:
            w = w._replace(next_tick=probes.tick_at_or_after(w.next_tick, probe.period_seconds, d.now))
    due = useful is not None and d.now >= useful
    if w.triggered:
        w = w._replace(triggered=False, next_tick=d.now + period)
    elif due:
        at = probes.due_at(w, probe, shown)
        due = at is not None and d.now >= at
        if due:
            w = w._replace(next_tick=_tick_after(w.next_tick, period, d.now))
    if not due:
        return w
    if w.container_id != shown.container_id:
        w = w._replace(container_id=shown.container_id, result="", on_hold=False, tries=0)
    number = d.next_number("probe", w.container, shown.container_id)
    d.actions.append(RunProbe(number, w.container, shown.container_id, w.kind, probe.handler, probe.timeout_seconds))
    return w._replace(number=number)


def _tick_after(tick: datetime, period: timedelta, now: datetime) -> datetime:
    """The first tick later than now."""
    return tick + ((now - tick) // period + 1) * period


def probe_moments(d: Draft) -> list[datetime]:
    if not _is_probed(d):
        return []
    shown, moments = shown_containers(d), []
    for w in d.probes:
        c = container_named(d.pod.spec, w.container)
        probe = probes.spec_of(c, w.kind) if c is not None else None
        if w.number == 0 and probe is not None:
            at = probes.due_at(w, probe, shown.get(w.container))
            if at is not None:
                moments.append(at)
    return moments
