"""What faults do to single pods and containers of a simulated cluster."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import TYPE_CHECKING

from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.api.writes import ApiError, Write
from lifepod.runtime.sim import SimRuntime
from lifepod.simulation.faults import Fault

if TYPE_CHECKING:
    from lifepod.assembly.simulated import SimulatedCluster

_FINISHED = ("Succeeded", "Failed")


class PodFaults:
    """Carries them out."""

    def __init__(self, sim: SimulatedCluster) -> None:
        self._sim = sim

    def names(self, with_containers: bool) -> list[str]:
        """What a fault can strike: `namespace/pod` of pods not ended, or `namespace/pod/container` of what runs."""
        found = []
        for pod in self._sim.cluster.list("pods"):
            if dig(pod, "status", "phase") in _FINISHED or "deletionTimestamp" in pod["metadata"]:
                continue
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            if not with_containers:
                found.append(name)
                continue
            status = pod.get("status") or {}
            for member in ("initContainerStatuses", "containerStatuses"):
                found += [
                    f"{name}/{c['name']}" for c in status.get(member) or () if "running" in (c.get("state") or {})
                ]
        return found

    def strike(self, fault: Fault, now: datetime) -> bool:
        """Let it happen; False when it cannot."""
        namespace, name, container = (*fault.target.split("/"), "")[:3]
        pod = self._sim.cluster.get("pods", namespace, name)
        if pod is None:
            return False
        match fault.kind:
            case "pod-deleted":
                grace = fault.option("grace").removesuffix("s")
                return self._write(Write("delete", "pods", namespace, name, _delete_options(grace)), now)
            case "evicted":
                body = {"metadata": {"name": name, "namespace": namespace}}
                return self._write(Write("create", "pods", namespace, name, body, "eviction"), now)
            case "preemption":
                return self._preempt(pod, now)
            case "sandbox-lost":
                return self._lose_sandbox(pod, now)
            case "oom":
                return self._kill(pod, container, 137, "OOMKilled", now)
            case "container-killed":
                return self._kill(pod, container, 128 + _number_of(fault.option("signal")), "", now)
        return False

    def _write(self, write: Write, now: datetime) -> bool:
        try:
            self._sim.cluster.write(write, now)
        except ApiError:
            return False
        return True

    def _runtime(self, pod: JsonObject) -> SimRuntime | None:
        return self._sim.runtimes.get(dig(pod, "spec", "nodeName") or "")

    def _lose_sandbox(self, pod: JsonObject, now: datetime) -> bool:
        runtime = self._runtime(pod)
        uid = pod["metadata"]["uid"]
        if runtime is None or runtime.pod(uid) is None:
            return False
        runtime.lose_sandbox(uid, now)
        self._sim.cluster.poke(runtime.name)
        return True

    def _kill(self, pod: JsonObject, container: str, code: int, reason: str, now: datetime) -> bool:
        runtime = self._runtime(pod)
        if runtime is None or not runtime.kill(pod["metadata"]["uid"], container, now, code, reason):
            return False
        self._sim.cluster.poke(runtime.name)
        return True

    def _preempt(self, pod: JsonObject, now: datetime) -> bool:
        """What the scheduler does to a victim: the condition, the event, the deletion.

        Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/preemption/executor.go: newExecutor (PreemptPod)
        """
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        message = "default-scheduler: preempting to accommodate a higher priority pod"
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": message,
            "lastTransitionTime": format_time(now),
        }
        status = {"status": {"conditions": [condition]}}
        self._write(Write("patch", "pods", namespace, name, status, "status", "strategic"), now)
        self._write(Write("create", "events", namespace, "", self._preempted_event(pod, now)), now)
        return self._write(Write("delete", "pods", namespace, name, {}), now)

    def _preempted_event(self, pod: JsonObject, now: datetime) -> JsonObject:
        metadata = pod["metadata"]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{self._sim.ids.hexadecimal(16)}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Normal",
            "reason": "Preempted",
            "message": f"Preempted by a higher priority pod on node {dig(pod, 'spec', 'nodeName') or ''}",
            "source": {"component": "default-scheduler"},
            "firstTimestamp": format_time(now),
            "lastTimestamp": format_time(now),
            "count": 1,
        }


def _delete_options(grace: str) -> JsonObject:
    return {"gracePeriodSeconds": int(grace)} if grace else {}


def _number_of(name: str) -> int:
    """`KILL`, `SIGKILL` or `9`."""
    if name.isdigit():
        return int(name)
    found = getattr(signal, f"SIG{name.upper().removeprefix('SIG')}", None)
    return int(found) if found is not None else 9
