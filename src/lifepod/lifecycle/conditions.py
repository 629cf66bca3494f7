"""Which conditions does the pod have, and since when?

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/status/generate.go
"""

from __future__ import annotations

from datetime import datetime

from lifepod.api.objects import JsonObject, format_time
from lifepod.lifecycle.vocabulary import PodSpec

OWN = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
SHARED = ("DisruptionTarget",)
NOT_OURS_TO_KEEP = frozenset((*OWN, "PodResizePending", "PodResizeInProgress", "AllContainersRestarting"))

Verdict = tuple[bool, str, str]
"""(True?, reason, message)"""


def _listed(names: list[str]) -> str:
    return "[" + " ".join(names) + "]"


def initialized(spec: PodSpec, statuses: dict[str, list[JsonObject]], phase: str) -> Verdict:
    """Init containers are done, or a regular one has begun (lifecycle.md §3).

    Source: generate.go: GeneratePodInitializedCondition
    """
    by_name = {s["name"]: s for s in statuses.get("initContainerStatuses") or ()}
    unknown, incomplete = [], []
    for c in spec.init_containers:
        status = by_name.get(c.name)
        if status is None:
            unknown.append(c.name)
        elif not (status.get("started") if c.kind == "sidecar" else status["ready"]):
            incomplete.append(c.name)
    if phase == "Succeeded" and not unknown:
        return True, "PodCompleted", ""
    for s in statuses.get("containerStatuses") or ():
        if "running" in s["state"] or "terminated" in s["state"]:
            return True, "", ""
    parts = []
    if unknown:
        parts.append("containers with unknown status: " + _listed(unknown))
    if incomplete:
        parts.append("containers with incomplete status: " + _listed(incomplete))
    return (False, "ContainersNotInitialized", ", ".join(parts)) if parts else (True, "", "")


def containers_ready(spec: PodSpec, statuses: dict[str, list[JsonObject]], phase: str) -> Verdict:
    """Every regular container and sidecar is ready.

    Source: generate.go: GenerateContainersReadyCondition
    """
    if phase == "Failed":
        return False, "PodFailed", ""
    if phase == "Succeeded":
        return False, "PodCompleted", ""
    by_name = {
        s["name"]: s for member in ("initContainerStatuses", "containerStatuses") for s in statuses.get(member) or ()
    }
    unknown, unready = [], []
    sidecars = [c for c in spec.init_containers if c.kind == "sidecar"]
    for c in (*sidecars, *spec.containers):
        status = by_name.get(c.name)
        if status is None:
            unknown.append(c.name)
        elif not status["ready"]:
            unready.append(c.name)
    parts = []
    if unknown:
        parts.append("containers with unknown status: " + _listed(unknown))
    if unready:
        parts.append("containers with unready status: " + _listed(unready))
    return (False, "ContainersNotReady", ", ".join(parts)) if parts else (True, "", "")


def ready(spec: PodSpec, containers: Verdict, present: list[JsonObject]) -> Verdict:
    """ContainersReady, and every readiness gate's condition is True.

    Source: generate.go: GeneratePodReadyCondition
    """
    if not containers[0] or not spec.readiness_gates:
        return containers
    lacking = []
    by_type = {c["type"]: c["status"] for c in present}
    for gate in spec.readiness_gates:
        if gate not in by_type:
            lacking.append(f'corresponding condition of pod readiness gate "{gate}" does not exist.')
        elif by_type[gate] != "True":
            lacking.append(f'the status of pod readiness gate "{gate}" is not "True", but {by_type[gate]}')
    return (False, "ReadinessGatesNotReady", ", ".join(lacking)) if lacking else containers


def condition(kind: str, verdict: Verdict, generation: int, before: list[JsonObject], now: datetime) -> JsonObject:
    """One condition; lastTransitionTime moves only when the status does."""
    status = "True" if verdict[0] else "False"
    since = None
    for each in before:
        if each["type"] == kind and each["status"] == status:
            since = each.get("lastTransitionTime")
            break
    made: JsonObject = {
        "type": kind,
        "observedGeneration": generation,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since or format_time(now),
    }
    if verdict[1]:
        made["reason"] = verdict[1]
    if verdict[2]:
        made["message"] = verdict[2]
    return made


def foreign(present: list[JsonObject]) -> list[JsonObject]:
    """Conditions of others, which are kept as they are."""
    return [c for c in present if c["type"] not in NOT_OURS_TO_KEEP]
