"""The whole status of the pod: made at the start of a sync, held back where upstream holds it back, handed out when it differs.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: generateAPIPodStatus; pkg/kubelet/status/status_manager.go
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from lifepod.api.objects import JsonObject, format_time
from lifepod.lifecycle import conditions as cond
from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle import probes
from lifepod.lifecycle.container_status import StatusInput, container_statuses
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.pod_actions import sandbox_need
from lifepod.lifecycle.pod_phase import TERMINAL, kept_phase, phase_from_statuses
from lifepod.lifecycle.pod_worker import deadline_at
from lifepod.lifecycle.vocabulary import ContainerSpec

LISTS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def generate_status(d: Draft, is_terminal: bool = False) -> JsonObject:
    """The status that follows from what is known now; `is_terminal`: every container was stopped for good."""
    pod, spec = d.pod, d.pod.spec
    old = d.status if d.status is not None else pod.status
    lists = container_statuses(
        StatusInput(
            spec,
            d.report,
            old,
            d.reasons,
            pod.deletion is not None or d.pod_gone,
            d.node.scheme,
            d.profile,
            partial(probed, d),
        )
    )
    regular = {c.name for c in spec.containers}
    current = d.report.sandboxes[0].id if d.report.sandboxes else ""
    has_initialized = any(c.name in regular and c.sandbox_id == current for c in d.report.containers)
    phase = phase_from_statuses(spec, lists, has_initialized, is_terminal, d.profile, pod.is_static)
    phase = kept_phase(phase, old.get("phase", ""), pod.status.get("phase", ""))
    reason, message = _words(d, old, phase)
    start_time = old.get("startTime") or pod.status.get("startTime") or format_time(d.now)
    if (
        (at := deadline_at(pod, start_time)) is not None
        and d.now >= at
        and (phase not in TERMINAL or d.deadline_passed)
    ):
        d.deadline_passed = True
        d.events.append(say.deadline_exceeded())
        phase, reason, message = (
            kept_phase("Failed", "", pod.status.get("phase", "")),
            say.DEADLINE_EXCEEDED,
            say.DEADLINE_MESSAGE,
        )
    if d.kill_request is not None and d.worker != "syncing":
        phase, reason, message = "Failed", d.kill_request.reason, d.kill_request.message
    made: JsonObject = {"observedGeneration": pod.generation, "phase": phase, "conditions": []}
    if message:
        made["message"] = message
    if reason:
        made["reason"] = reason
    _addresses(d, made, old)
    made["startTime"] = start_time
    made.update(lists)
    if qos := old.get("qosClass") or pod.status.get("qosClass"):
        made["qosClass"] = qos
    for other in ("nominatedNodeName", "resourceClaimStatuses"):
        if other in pod.status:
            made[other] = pod.status[other]
    made["conditions"] = _conditions(d, made, old, lists)
    _poke_readiness(d, made)
    return made


def _words(d: Draft, old: JsonObject, phase: str) -> tuple[str, str]:
    """status.reason and message: kept while the phase stays, the API's where we have none, cleared when it changes.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: generateAPIPodStatus (lifecycle.md §1.4.2)
    """
    own, shown = (old, d.pod.status) if old.get("phase") == phase else ({}, d.pod.status)
    if not own and shown.get("phase") != phase:
        return "", ""
    return own.get("reason") or shown.get("reason", ""), own.get("message") or shown.get("message", "")


def _addresses(d: Draft, made: JsonObject, old: JsonObject) -> None:
    hosts = d.node.host_ips
    if hosts:
        made["hostIP"] = hosts[0]
        made["hostIPs"] = [{"ip": ip} for ip in hosts]
    ips: tuple[str, ...] = ()
    if d.pod.spec.host_network:
        ips = hosts
    elif d.report.sandboxes and d.report.sandboxes[0].state == "ready":
        ips = d.report.sandboxes[0].ips
    if ips:
        made["podIP"] = ips[0]
        made["podIPs"] = [{"ip": ip} for ip in ips]
    elif old.get("podIP"):
        made["podIP"], made["podIPs"] = old["podIP"], old["podIPs"]


def _conditions(d: Draft, made: JsonObject, old: JsonObject, lists: dict[str, list[JsonObject]]) -> list[JsonObject]:
    """The node agent's own conditions; those of others are merged in by `for_api`."""
    pod, spec, phase = d.pod, d.pod.spec, made["phase"]
    before = old.get("conditions") or []
    verdicts: list[tuple[str, cond.Verdict]] = []
    containers = cond.containers_ready(spec, lists, phase)
    present = pod.status.get("conditions") or []
    verdicts.append(("PodReadyToStartContainers", (not sandbox_need(spec, d.report).needed, "", "")))
    verdicts.append(("Initialized", cond.initialized(spec, lists, phase)))
    verdicts.append(("Ready", cond.ready(spec, containers, present)))
    verdicts.append(("ContainersReady", containers))
    verdicts.append(("PodScheduled", (True, "", "")))
    out = [cond.condition(kind, verdict, pod.generation, before, d.now) for kind, verdict in verdicts]
    if d.kill_request is not None and d.kill_request.condition is not None and d.worker != "syncing":
        shared = d.kill_request.condition
        verdict = (shared.get("status", "True") == "True", shared.get("reason", ""), shared.get("message", ""))
        out.insert(0, cond.condition(shared["type"], verdict, pod.generation, before, d.now))
    return out


def _poke_readiness(d: Draft, made: JsonObject) -> None:
    """Every status made while a started container is not ready asks its readiness worker to try now (lifecycle.md §6.2).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/prober/prober_manager.go: UpdatePodStatus
    """
    if not d.probes:
        return
    waiting = {
        s["name"]
        for member in LISTS[:2]
        for s in made.get(member) or ()
        if s.get("started") and not s["ready"] and "running" in s["state"]
    }
    if waiting:
        d.probes = tuple(
            w._replace(triggered=True) if w.kind == "readiness" and w.container in waiting and not w.triggered else w
            for w in d.probes
        )


def for_api(d: Draft, made: JsonObject, could_run: bool) -> JsonObject:
    """What is sent: a terminal phase is held back while containers may still run; foreign conditions come first.

    Source: status_manager.go: mergePodStatus (lifecycle.md §1.4.5)
    """
    api = d.pod.status
    turns_terminal = api.get("phase") not in TERMINAL and made["phase"] in TERMINAL
    present = api.get("conditions") or []
    own = made["conditions"]
    shared = [c for c in own if c["type"] in cond.SHARED and not (turns_terminal and could_run)]
    replaced = {c["type"] for c in shared}
    others = [c for c in cond.foreign(present) if c["type"] not in replaced]
    sent = {**made, "conditions": others + shared + [c for c in own if c["type"] not in cond.SHARED]}
    if turns_terminal and could_run:
        sent["phase"] = api.get("phase", "Pending")
        for word in ("reason", "message"):
            sent.pop(word, None)
            if api.get(word):
                sent[word] = api[word]
    if sent["phase"] in TERMINAL:
        reason = "PodCompleted" if sent["phase"] == "Succeeded" else "PodFailed"
        verdict: cond.Verdict = (False, reason, "")
        sent["conditions"] = [
            cond.condition(c["type"], verdict, c["observedGeneration"], own, d.now)
            if c["type"] in ("Ready", "ContainersReady") and c["status"] == "True"
            else c
            for c in sent["conditions"]
        ]
    return sent


def publish(d: Draft, made: JsonObject) -> None:
    """Remember the status and hand it out when it differs from what was handed out last."""
    if d.status is None or d.status["phase"] != made["phase"]:
        d.explain("pod_phase.phase_from_statuses", "", made["phase"], ("reason", made.get("reason", "")))
    d.status = made
    if d.pod_gone:
        return
    sent = for_api(d, made, could_run=d.worker in ("syncing", "terminating"))
    if sent != d.sent and not (d.sent is None and sent == d.pod.status):
        d.status_out = sent
    d.sent = sent


def shown_containers(d: Draft) -> dict[str, probes.ShownContainer]:
    """What the probers see: the containers as the status has them, with whole seconds.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/status/status_manager.go: normalizeStatus
    """
    out: dict[str, probes.ShownContainer] = {}
    if d.status is None:
        return out
    started_at = {c.id: (c.started_at or c.created_at).replace(microsecond=0) for c in d.report.containers}
    for member in LISTS[:2]:
        for s in d.status.get(member) or ():
            container_id = (s.get("containerID") or "").partition("://")[2]
            running = "running" in s["state"]
            since = started_at.get(container_id, d.now + timedelta(0))
            out[s["name"]] = probes.ShownContainer(container_id, running, bool(s.get("started")), since)
    return out


def with_probe_result(d: Draft, container: str, started: bool | None, ready: bool | None) -> None:
    """A prober's verdict is shown at once, whatever the sync is doing.

    Source: status_manager.go: SetContainerReadiness (conditions follow), SetContainerStartup (they do not)
    """
    if d.status is None:
        return
    made = dict(d.status)
    for member in LISTS[:2]:
        found = made.get(member)
        if found and any(s["name"] == container for s in found):
            made[member] = [_flipped(s, started, ready) if s["name"] == container else s for s in found]
    if ready is not None:
        lists = {m: made[m] for m in LISTS if m in made}
        containers = cond.containers_ready(d.pod.spec, lists, made["phase"])
        verdicts = {
            "ContainersReady": containers,
            "Ready": cond.ready(d.pod.spec, containers, d.pod.status.get("conditions") or []),
        }
        made["conditions"] = [
            cond.condition(c["type"], verdicts[c["type"]], d.pod.generation, made["conditions"], d.now)
            if c["type"] in verdicts
            else c
            for c in made["conditions"]
        ]
    publish(d, made)


def _flipped(s: JsonObject, started: bool | None, ready: bool | None) -> JsonObject:
    out = dict(s)
    if started is not None:
        out["started"] = started
    if ready is not None:
        out["ready"] = ready
    return out


def probed(d: Draft, c: ContainerSpec, container_id: str) -> tuple[bool, bool]:
    """(started, ready) of a running container by its probers' results."""
    if not d.probing:
        return c.startup_probe is None, c.startup_probe is None and c.readiness_probe is None
    bare = container_id.partition("://")[2]
    if not probes.is_started(d.probes, c.name, bare):
        return False, False
    return True, probes.is_ready(d.probes, c.name, bare)
