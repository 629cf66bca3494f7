"""Which sandboxes and containers are to be started, stopped, made anew? (upstream: computePodActions)"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.lifecycle.container_status import newest_of
from lifepod.lifecycle.init_containers import ProbeResults, grace_of, init_actions, is_changed
from lifepod.lifecycle.memory import KillTask
from lifepod.lifecycle.restart_policy import effective_policy, restarts_if_killed, should_start
from lifepod.lifecycle.version import Profile
from lifepod.lifecycle.vocabulary import ContainerSpec, PodSpec, ProbeKind, RuntimeReport


class PodActions(NamedTuple):
    """What one sync does, in this order: stop, make the sandbox, start. `changed`: it takes the place of an old one."""

    sandbox_id: str = ""
    kill_pod: bool = False
    create_sandbox: bool = False
    attempt: int = 0
    changed: bool = False
    kills: tuple[KillTask, ...] = ()
    starts: tuple[str, ...] = ()


class SandboxNeed(NamedTuple):
    """Whether a new sandbox is needed. `old_id`: the one it replaces, "" when none or of another network mode."""

    needed: bool
    attempt: int = 0
    old_id: str = ""
    current_id: str = ""


def sandbox_need(spec: PodSpec, report: RuntimeReport) -> SandboxNeed:
    """The newest sandbox must be the only ready one, of the right network mode, with an address (lifecycle.md §4.1).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/util/util.go: PodSandboxChanged
    """
    if not report.sandboxes:
        return SandboxNeed(True)
    newest = report.sandboxes[0]
    again = SandboxNeed(True, newest.attempt + 1, newest.id)
    if sum(s.state == "ready" for s in report.sandboxes) > 1 or newest.state != "ready":
        return again
    if newest.host_network != spec.host_network:
        return SandboxNeed(True, newest.attempt + 1, "")
    if not spec.host_network and not newest.ips:
        return again
    return SandboxNeed(False, newest.attempt, newest.id, newest.id)


def pod_actions(
    spec: PodSpec, report: RuntimeReport, results: ProbeResults, deleting: bool, profile: Profile
) -> PodActions:
    """What to do about a pod whose volumes stand.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_manager.go: computePodActions
    """
    need = sandbox_need(spec, report)
    if need.needed:
        return _with_new_sandbox(spec, report, need, profile)
    ephemeral = tuple(c.name for c in spec.ephemeral_containers if newest_of(report, c.name) is None)
    init = init_actions(spec, report, results, profile)
    if init.kill_pod:
        return PodActions(need.current_id, kill_pod=True)
    if not init.initialized:
        return PodActions(need.current_id, kills=init.kills, starts=ephemeral + init.starts)
    keep, kills, starts = 0, list(init.kills), []
    for c in spec.containers:
        seen = newest_of(report, c.name)
        if seen is None or seen.state != "running":
            if should_start(c, spec, seen, deleting, profile):
                starts.append(c.name)
                if seen is not None and seen.state == "unknown":
                    text = 'Container is in "unknown" state, try killing it before restart'
                    kills.append(KillTask(c.name, seen.id, text, spec.termination_grace_period_seconds))
            continue
        is_other = is_changed(c, seen)
        cause = None if is_other else _cause_to_kill(c, seen.id, results)
        if not is_other and cause is None:
            keep += 1
            continue
        text = f"Container {c.name} " + ("definition changed" if is_other else f"failed {cause} probe")
        if is_other or restarts_if_killed(c, spec, profile):
            text += ", will be restarted"
            starts.append(c.name)
        kills.append(KillTask(c.name, seen.id, text, grace_of(spec, c, cause)))
    if not keep and not starts:
        return PodActions(need.current_id, kill_pod=True)
    return PodActions(need.current_id, kills=tuple(kills), starts=ephemeral + init.starts + tuple(starts))


def _cause_to_kill(c: ContainerSpec, container_id: str, results: ProbeResults) -> ProbeKind | None:
    """The probe that says a running container must go (lifecycle.md §4.4)."""
    if c.liveness_probe is not None and results(c.name, "liveness", container_id) == "failure":
        return "liveness"
    if c.startup_probe is not None and results(c.name, "startup", container_id) == "failure":
        return "startup"
    return None


def _with_new_sandbox(spec: PodSpec, report: RuntimeReport, need: SandboxNeed, profile: Profile) -> PodActions:
    """What starts in a new sandbox, if one is made at all; ephemeral containers wait for the next sync (lifecycle.md §4.1)."""
    kill_only = PodActions(need.old_id, kill_pod=True)
    if spec.restart_policy == "Never" and need.attempt != 0 and report.containers:
        return kill_only
    regular = {c.name for c in spec.containers}
    starts = tuple(c.name for c in spec.containers if not _is_done(c, spec, report, profile))
    if not starts and any(r.name in regular for r in report.containers):
        return kill_only
    if spec.init_containers:
        starts = (spec.init_containers[0].name,)
    return PodActions(need.old_id, bool(report.sandboxes), True, need.attempt, bool(need.old_id), (), starts)


def _is_done(c: ContainerSpec, spec: PodSpec, report: RuntimeReport, profile: Profile) -> bool:
    """A container that runs once on success and did."""
    seen = newest_of(report, c.name)
    once = effective_policy(c, spec, profile) == "OnFailure"
    return once and seen is not None and seen.state == "exited" and seen.exit_code == 0
