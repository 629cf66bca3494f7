"""Which init containers and sidecars are to be started or stopped, and is the pod initialized?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lifepod.lifecycle.container_status import newest_of
from lifepod.lifecycle.memory import KillTask
from lifepod.lifecycle.restart_policy import restarts_after, restarts_if_killed
from lifepod.lifecycle.version import Profile
from lifepod.lifecycle.vocabulary import ContainerReport, ContainerSpec, PodSpec, ProbeKind, RuntimeReport

ProbeResults = Callable[[str, ProbeKind, str], str]
"""(container, kind, container id) → `success`, `failure`, or "" while there is none."""


class InitActions(NamedTuple):
    """`initialized`: regular containers may be looked at. `starts` in spec order."""

    initialized: bool
    kill_pod: bool = False
    starts: tuple[str, ...] = ()
    kills: tuple[KillTask, ...] = ()


def grace_of(spec: PodSpec, container: ContainerSpec, cause: ProbeKind | None) -> int:
    """The grace period of a kill by a probe: the probe's own, else the pod's (lifecycle.md §7.3).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: setTerminationGracePeriod
    """
    probe = container.liveness_probe if cause == "liveness" else container.startup_probe if cause == "startup" else None
    own = probe.termination_grace_period_seconds if probe is not None else None
    return spec.termination_grace_period_seconds if own is None else own


def init_actions(spec: PodSpec, report: RuntimeReport, results: ProbeResults, profile: Profile) -> InitActions:
    """From the last to the first: the first one seen from behind says how far the pod has come (lifecycle.md §4.3).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: computeInitContainerActions
    """
    inits = spec.init_containers
    if not inits:
        return InitActions(True)
    regular = {c.name for c in spec.containers}
    initialized = any(r.name in regular and r.state in ("created", "running") for r in _newest_each(report))
    reached, starts, kills = initialized, [], []
    last = len(inits) - 1
    for i in range(last, -1, -1):
        c, seen = inits[i], newest_of(report, inits[i].name)
        if seen is None:
            if reached and c.kind == "sidecar":
                starts.append(i)
            continue
        if reached and c.kind != "sidecar":
            continue
        done = False
        if seen.state == "created":
            starts.append(i)
        elif seen.state == "running":
            if c.kind == "sidecar":
                done, again, kill = _running_sidecar(spec, c, seen, results)
                kills += kill
                if done and i != last and not reached:
                    starts.append(i + 1)
                if again:
                    starts.append(i)
        elif c.kind == "sidecar":
            kills += _kill_unknown(spec, c, seen)
            starts.append(i)
        elif seen.state == "exited" and (seen.exit_code or 0) == 0:
            done = True
            if i != last:
                starts.append(i + 1)
        elif not _restarts(c, spec, seen, profile):
            return InitActions(False, kill_pod=True)
        else:
            kills += _kill_unknown(spec, c, seen)
            starts.append(i)
        initialized = initialized or (done and i == last)
        reached = True
    if not reached:
        starts.append(0)
    return InitActions(initialized, False, tuple(inits[i].name for i in reversed(starts)), tuple(reversed(kills)))


def _restarts(c: ContainerSpec, spec: PodSpec, seen: ContainerReport, profile: Profile) -> bool:
    """Of one in the unknown state there is no exit code that a rule could be asked about."""
    if seen.state != "exited":
        return restarts_if_killed(c, spec, profile)
    return restarts_after(c, spec, seen.exit_code or 0, profile)


def is_changed(container: ContainerSpec, seen: ContainerReport) -> bool:
    """Whether a running container was made from another image than the spec names now: it is stopped and started anew.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_manager.go: containerChanged;
            pkg/kubelet/container/helpers.go: HashContainer (name and image)
    """
    return seen.asked_image not in ("", container.image)


def _newest_each(report: RuntimeReport) -> list[ContainerReport]:
    seen: dict[str, ContainerReport] = {}
    for r in report.containers:
        seen.setdefault(r.name, r)
    return list(seen.values())


def _running_sidecar(
    spec: PodSpec, c: ContainerSpec, seen: ContainerReport, results: ProbeResults
) -> tuple[bool, bool, list[KillTask]]:
    """(has started up, start again, what to stop first)."""
    if c.startup_probe is not None:
        startup = results(c.name, "startup", seen.id)
        if startup == "failure":
            text = f"Init container {c.name} failed startup probe"
            return False, True, [KillTask(c.name, seen.id, text, grace_of(spec, c, "startup"))]
        if startup != "success":
            return False, False, []
    if is_changed(c, seen):
        text = f"Init container {c.name} definition changed"
        return True, True, [KillTask(c.name, seen.id, text, spec.termination_grace_period_seconds)]
    if c.liveness_probe is not None and results(c.name, "liveness", seen.id) == "failure":
        text = f"Init container {c.name} failed liveness probe"
        return True, True, [KillTask(c.name, seen.id, text, grace_of(spec, c, "liveness"))]
    return True, False, []


def _kill_unknown(spec: PodSpec, c: ContainerSpec, seen: ContainerReport) -> list[KillTask]:
    if seen.state != "unknown":
        return []
    text = 'Init container is in "unknown" state, try killing it before restart'
    return [KillTask(c.name, seen.id, text, spec.termination_grace_period_seconds)]
