"""What is new in the pod's object and in the runtime's report, and which of it makes a sync?"""

from __future__ import annotations

from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.vocabulary import Pod, RuntimeReport


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
    """The runtime's picture; attempts are remembered beyond the runtime's memory. A sync under way looks at it when it ends."""
    report = d.seen.report
    if report is d.report or report == d.report:
        return
    if d.sync is None:
        want_syncs(d, d.report)
    d.report = report
    highest = dict(d.attempts)
    for r in report.containers:
        if r.attempt > highest.get(r.name, -1):
            highest[r.name] = r.attempt
    d.attempts = tuple(highest.items())


def want_syncs(d: Draft, before: RuntimeReport) -> None:
    """What happened in the runtime since then makes a sync, two syncs when it is more than one thing.

    The first of a relist's events wakes the pod's worker, all others together wait for their turn: what began in one sync, a
    sandbox and its container say, makes two.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet.go: syncLoopIteration; pkg/kubelet/pod_workers.go: UpdatePod
    """
    found = happened(before, d.seen.report)
    d.sync_wanted = d.sync_wanted or found > 0
    d.is_sync_owed = d.is_sync_owed or found > 1


def happened(before: RuntimeReport, after: RuntimeReport) -> int:
    """How many containers and sandboxes began to run or ended, or went while they were thought to run.

    What is only created, or not known, does not count: what could not be started waits for the usual delay after an error. Nor
    does what the runtime forgets after its end.
    Differs: the address that a sandbox got later counts too; what was created, never ran and is forgotten does not.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/pleg/generic.go: generateEvents, Relist (drops ContainerChanged);
            pkg/kubelet/kubelet.go: isSyncPodWorthy (drops ContainerRemoved)
    """
    containers = {c.id: c.state for c in before.containers}
    sandboxes = {s.id: (s.state, s.ips) for s in before.sandboxes}
    return (
        sum([containers.pop(c.id, None) != c.state and c.state in ("running", "exited") for c in after.containers])
        + sum([sandboxes.pop(s.id, None) != (s.state, s.ips) for s in after.sandboxes])
        + sum([state in ("running", "unknown") for state in containers.values()])
        + sum([state == "ready" for state, _ in sandboxes.values()])
    )
