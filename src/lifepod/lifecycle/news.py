"""What is new in the pod's object and in the runtime's report, and which of it makes a sync?"""

from __future__ import annotations

from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.vocabulary import Pod


def take_pod(d: Draft) -> None:
    """The pod's object: what in it makes a sync (a status of our own coming back does not)."""
    seen = d.seen.pod
    if d.kill_request is None and d.seen.kill is not None:
        d.kill_request = d.seen.kill
    if d.refusal is None:
        d.refusal = d.seen.refusal
    if seen is None:
        d.pod_gone = True
        return
    known = d.known_pod
    d.known_pod = seen
    if known is None:
        d.sync_wanted = True
        d.attempts = _attempts_shown(seen)
    elif known is not seen and (
        known.generation != seen.generation or known.deletion != seen.deletion or _gates(known) != _gates(seen)
    ):
        d.sync_wanted = True
        d.retry_at = None


def _attempts_shown(pod: Pod) -> tuple[tuple[str, int], ...]:
    """The attempts that the status tells of: after a restart of the agent the numbers go on."""
    return tuple(
        (s["name"], s.get("restartCount", 0))
        for member in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        for s in pod.status.get(member) or ()
        if s.get("containerID") or s.get("restartCount")
    )


def _gates(pod: Pod) -> list[tuple[str, str]]:
    """The conditions that the pod's readiness gates name."""
    gates = pod.spec.readiness_gates
    return [(c["type"], c["status"]) for c in pod.status.get("conditions") or () if c["type"] in gates] if gates else []


def take_report(d: Draft) -> None:
    """The runtime's picture: any difference makes a sync; attempts are remembered beyond the runtime's memory."""
    report = d.seen.report
    if report is d.report or report == d.report:
        return
    d.report = report
    d.sync_wanted = True
    highest = dict(d.attempts)
    for r in report.containers:
        if r.attempt > highest.get(r.name, -1):
            highest[r.name] = r.attempt
    d.attempts = tuple(highest.items())
