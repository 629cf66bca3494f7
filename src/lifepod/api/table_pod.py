"""What `kubectl get pods` prints of a pod: READY, STATUS, RESTARTS and the wide columns.

STATUS is not the phase: it is the most telling reason found in the container statuses.

Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go: printPod
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.table_times import age, parsed_time, since

NONE = "<none>"
_TERMINAL = ("Succeeded", "Failed")
_COMPLETED: dict[str, list[JsonObject]] = {
    "Succeeded": [
        {
            "type": "Completed",
            "status": "True",
            "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }
    ],
    "Failed": [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}],
}


class _Restarts(NamedTuple):
    """How often containers were restarted, and when the last of their runs ended."""

    times: int = 0
    at: str = ""

    def and_of(self, container: JsonObject) -> _Restarts:
        return _Restarts(self.times + (container.get("restartCount") or 0), max(self.at, _ended_before(container)))


class _Tally(NamedTuple):
    """What one pass over container statuses found. `reason` None: nothing beyond the phase."""

    reason: str | None
    ready: int
    restarts: _Restarts
    of_sidecars: _Restarts = _Restarts()
    has_running: bool = False


def pod_conditions(pod: JsonObject) -> list[JsonObject]:
    """The row's conditions: kubectl hides completed pods by them (`--show-all`'s successor)."""
    return _COMPLETED.get((pod.get("status") or {}).get("phase") or "", [])


def pod_cells(pod: JsonObject, now: datetime) -> list[JsonValue]:
    """The nine cells of a pod's row, the wide ones included."""
    spec: JsonObject = pod.get("spec") or {}
    status: JsonObject = pod.get("status") or {}
    metadata: JsonObject = pod.get("metadata") or {}
    tally = pod_tally(pod)
    total = len(spec.get("containers") or []) + len(_sidecars(spec))
    ips = status.get("podIPs") or []
    return [
        metadata.get("name", ""),
        f"{tally.ready}/{total}",
        tally.reason,
        _restarts_text(tally.restarts, now),
        age(metadata, now),
        (ips[0].get("ip") if ips else "") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, status),
    ]


def pod_status_text(pod: JsonObject) -> str:
    """The STATUS column: `Running`, `Init:0/2`, `CrashLoopBackOff`, `Terminating`…"""
    return pod_tally(pod).reason or ""


def pod_tally(pod: JsonObject) -> _Tally:
    """STATUS, the number of ready containers, and the restarts that count."""
    spec: JsonObject = pod.get("spec") or {}
    status: JsonObject = pod.get("status") or {}
    conditions: list[JsonObject] = status.get("conditions") or []
    phase: str = status.get("phase") or ""
    reason: str = status.get("reason") or phase
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in conditions):
        reason = "SchedulingGated"
    sidecars = _sidecars(spec)
    init = _init_tally(status, sidecars, len(spec.get("initContainers") or []))
    tally = init._replace(reason=init.reason or reason)
    if init.reason is None or _is_true(conditions, "Initialized"):
        main = _main_tally(status, init)
        if main.reason is not None:
            reason = main.reason
        elif init.reason is not None:
            reason = init.reason
        if reason == "Completed" and main.has_running:
            reason = "Running" if _is_true(conditions, "Ready") else "NotReady"
        tally = main._replace(reason=reason)
    if (pod.get("metadata") or {}).get("deletionTimestamp") is not None:
        if status.get("reason") == "NodeLost":
            return tally._replace(reason="Unknown")
        if phase not in _TERMINAL:
            return tally._replace(reason="Terminating")
    return tally


def _sidecars(spec: JsonObject) -> frozenset[str]:
    init = spec.get("initContainers")
    if not init:
        return frozenset()
    return frozenset(c.get("name", "") for c in init if c.get("restartPolicy") == "Always")


def _init_tally(status: JsonObject, sidecars: frozenset[str], total: int) -> _Tally:
    """The first init container that is not done decides; what is behind it does not count."""
    ready, restarts, of_sidecars = 0, _Restarts(), _Restarts()
    for index, container in enumerate(status.get("initContainerStatuses") or []):
        is_sidecar = container.get("name") in sidecars
        restarts = restarts.and_of(container)
        of_sidecars = of_sidecars.and_of(container) if is_sidecar else of_sidecars
        state: JsonObject = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if is_sidecar and container.get("started"):
            ready += 1 if container.get("ready") else 0
            continue
        if terminated is not None:
            reason = f"Init:{terminated.get('reason') or _exit_text(terminated)}"
        elif waiting is not None and waiting.get("reason") not in (None, "", "PodInitializing"):
            reason = f"Init:{waiting['reason']}"
        else:
            reason = f"Init:{index}/{total}"
        return _Tally(reason, ready, restarts, of_sidecars)
    return _Tally(None, ready, restarts, of_sidecars)


def _main_tally(status: JsonObject, init: _Tally) -> _Tally:
    """From the last container to the first, so that the first one's reason stays; sidecars' restarts count too."""
    reason: str | None = None
    restarts, ready, has_running = init.of_sidecars, init.ready, False
    for container in reversed(status.get("containerStatuses") or []):
        restarts = restarts.and_of(container)
        state: JsonObject = container.get("state") or {}
        waiting, terminated = state.get("waiting"), state.get("terminated")
        if waiting is not None and waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = terminated.get("reason") or _exit_text(terminated)
        elif container.get("ready") and state.get("running") is not None:
            has_running = True
            ready += 1
    return _Tally(reason, ready, restarts, has_running=has_running)


def _exit_text(terminated: JsonObject) -> str:
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode') or 0}"


def _ended_before(container: JsonObject) -> str:
    """When the container's last run ended; "" when it has none. These texts sort like the times they name."""
    terminated = (container.get("lastState") or {}).get("terminated")
    return (terminated.get("finishedAt") or "") if terminated else ""


def _restarts_text(restarts: _Restarts, now: datetime) -> str:
    if restarts.times and restarts.at and parsed_time(restarts.at) is not None:
        return f"{restarts.times} ({since(restarts.at, now)} ago)"
    return str(restarts.times)


def _readiness_gates(spec: JsonObject, status: JsonObject) -> str:
    gates = spec.get("readinessGates")
    if not gates:
        return NONE
    held = {c.get("type"): c.get("status") for c in reversed(status.get("conditions") or [])}
    return f"{sum(held.get(gate.get('conditionType')) == 'True' for gate in gates)}/{len(gates)}"


def _is_true(conditions: list[JsonObject], kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)
