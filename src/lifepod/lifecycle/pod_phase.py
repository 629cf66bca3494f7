"""Which phase is the pod in? From its container statuses alone, then the rules that keep a phase."""

from __future__ import annotations

from lifepod.api.objects import JsonObject
from lifepod.lifecycle.restart_policy import restarts_after
from lifepod.lifecycle.version import Profile
from lifepod.lifecycle.vocabulary import ContainerSpec, PodSpec

TERMINAL = ("Succeeded", "Failed")


class _Count:
    """How many containers are where (lifecycle.md §1.2)."""

    __slots__ = (
        "failed_init", "failed_init_final", "pending_init", "pending_sidecar", "running", "stopped", "stopped_final",
        "succeeded", "unknown", "waiting",
    )  # fmt: skip

    def __init__(self) -> None:
        self.pending_init = self.pending_sidecar = self.failed_init = self.failed_init_final = 0
        self.unknown = self.running = self.waiting = self.stopped = self.stopped_final = self.succeeded = 0


def phase_from_statuses(
    spec: PodSpec,
    statuses: dict[str, list[JsonObject]],
    has_initialized: bool,
    is_terminal: bool,
    profile: Profile,
    is_static: bool = False,
) -> str:
    """The phase that follows from the statuses. `is_terminal`: every container was stopped for good (lifecycle.md §1.3).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: getPhase
    """
    n = _counted(spec, statuses, profile)
    if n.failed_init_final if profile.container_restart_rules else (n.failed_init and spec.restart_policy == "Never"):
        return "Failed"
    if n.pending_init or (n.pending_sidecar and not has_initialized) or n.waiting:
        return "Pending"
    if n.running and not n.unknown:
        return "Running"
    if n.stopped and not n.running and not n.unknown:
        return _stopped_phase(spec, n, is_terminal and not is_static, profile)
    return "Pending"


def _stopped_phase(spec: PodSpec, n: _Count, is_terminal: bool, profile: Profile) -> str:
    """Nothing runs, something did."""
    done = "Succeeded" if n.stopped == n.succeeded else "Failed"
    if is_terminal:
        return done
    if profile.container_restart_rules:
        return "Running" if n.stopped != n.stopped_final else done
    if spec.restart_policy == "Always":
        return "Running"
    if done == "Succeeded":
        return done
    return "Failed" if spec.restart_policy == "Never" else "Running"


def _counted(spec: PodSpec, statuses: dict[str, list[JsonObject]], profile: Profile) -> _Count:
    n = _Count()
    if spec.init_containers:
        by_name = {s["name"]: s for s in statuses.get("initContainerStatuses") or ()}
        for c in spec.init_containers:
            if c.kind == "sidecar":
                _count_sidecar(n, by_name.get(c.name))
            else:
                _count_init(n, c, spec, by_name.get(c.name), profile)
    by_name = {s["name"]: s for s in statuses.get("containerStatuses") or ()}
    for c in spec.containers:
        _count_regular(n, c, spec, by_name.get(c.name), profile)
    return n


def _ended(status: JsonObject) -> JsonObject | None:
    """How it ended: its terminated state, or while waiting the one before."""
    state = status["state"]
    found: JsonObject | None = state.get("terminated")
    if found is None and "waiting" in state:
        found = (status.get("lastState") or {}).get("terminated")
    return found


def _count_init(n: _Count, c: ContainerSpec, spec: PodSpec, status: JsonObject | None, profile: Profile) -> None:
    ended = _ended(status) if status is not None else None
    if ended is None:
        n.pending_init += 1
    elif ended.get("exitCode", 0) != 0:
        n.failed_init += 1
        if not restarts_after(c, spec, ended["exitCode"], profile):
            n.failed_init_final += 1


def _count_sidecar(n: _Count, status: JsonObject | None) -> None:
    if status is None:
        n.unknown += 1
    elif "running" in status["state"]:
        n.running += 1
        if not status.get("started"):
            n.pending_sidecar += 1
    elif _ended(status) is None:
        n.pending_sidecar += 1
        if "waiting" in status["state"]:
            n.waiting += 1
        else:
            n.unknown += 1


def _count_regular(n: _Count, c: ContainerSpec, spec: PodSpec, status: JsonObject | None, profile: Profile) -> None:
    if status is None or not status["state"]:
        n.unknown += 1
        return
    if "running" in status["state"]:
        n.running += 1
        return
    ended = _ended(status)
    if ended is None:
        n.waiting += 1
        return
    n.stopped += 1
    code = ended.get("exitCode", 0)
    if code == 0 and "terminated" in status["state"]:
        n.succeeded += 1
    if not restarts_after(c, spec, code, profile):
        n.stopped_final += 1


def kept_phase(phase: str, cached: str, api: str) -> str:
    """A terminal phase is never left, whoever showed it (lifecycle.md §1.4.1, §1.4.4).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: generateAPIPodStatus
    """
    if api in TERMINAL:
        return api
    if phase not in TERMINAL and cached in TERMINAL:
        return cached
    return phase
