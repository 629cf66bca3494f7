"""What faults do to whole nodes of a simulated cluster."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError, Write
from lifepod.lifecycle.vocabulary import KillRequest
from lifepod.node.node_status import Pressures
from lifepod.simulation.faults import Fault

if TYPE_CHECKING:
    from lifepod.assembly.simulated import SimulatedCluster

RUNTIME_DOWN = "container runtime is down"
EVICT_EVERY = timedelta(seconds=10)
"""How often the node looks whether it is still short. Source: pkg/kubelet/kubelet.go: evictionMonitoringPeriod."""
_FINISHED = ("Succeeded", "Failed")
Due: TypeAlias = tuple[tuple[datetime, str, str, int], ...]


class NodeFaults:
    """Begins and ends them. `due`: evictions still to come (when, node, resource, how many)."""

    def __init__(self, sim: SimulatedCluster) -> None:
        self._sim = sim
        self.due: Due = ()

    def names(self) -> list[str]:
        """The nodes that a fault can strike."""
        return [n for n in self._sim.cluster.nodes if self._sim.cluster.get("nodes", "", n) is not None]

    def begin(self, fault: Fault, now: datetime) -> bool:
        """Let it happen to the node; False when there is no such node."""
        name = fault.target
        agent = self._sim.cluster.agent(name)
        if agent is None:
            return False
        match fault.kind:
            case "node-not-ready":
                agent.suffer(agent.pressures._replace(runtime_down=RUNTIME_DOWN))
            case "node-silent":
                agent.pause()
            case "node-gone":
                self._sim.remove_machine(name)
                self._delete_node(name, now)
            case "node-restart":
                self._restart(name, now)
            case "memory-pressure" | "disk-pressure":
                self._pressure(fault, now)
            case "clock-skew":
                self._sim.set_skew(name, fault.duration("by"))
        self._sim.cluster.poke(agent.name)
        return True

    def end(self, fault: Fault, now: datetime) -> None:
        """Undo what lasts."""
        agent = self._sim.cluster.agent(fault.target)
        if agent is None:
            return
        match fault.kind:
            case "node-not-ready":
                agent.suffer(agent.pressures._replace(runtime_down=""))
            case "node-silent":
                agent.resume()
            case "node-gone":
                self._sim.add_machine(fault.target)
            case "memory-pressure" | "disk-pressure":
                word = fault.kind.partition("-")[0]
                agent.suffer(_with(agent.pressures, word, False))
                self.due = tuple(d for d in self.due if d[1] != fault.target)
            case "clock-skew":
                self._sim.set_skew(fault.target, timedelta(0))
        self._sim.cluster.poke(agent.name)

    def take_up(self, faults: tuple[Fault, ...]) -> None:
        """What lies in no snapshot of an agent or runtime: the clocks that are wrong at present."""
        for name in self._sim.cluster.nodes:
            skews = [f.duration("by") for f in faults if f.kind == "clock-skew" and f.target == name]
            self._sim.set_skew(name, skews[-1] if skews else timedelta(0))

    def _delete_node(self, name: str, now: datetime) -> None:
        for resource, namespace in (("nodes", ""), ("leases.coordination.k8s.io", "kube-node-lease")):
            try:
                self._sim.cluster.write(Write("delete", resource, namespace, name, {}), now)
            except ApiError:
                continue

    def _restart(self, name: str, now: datetime) -> None:
        """Every sandbox is lost at once; the agent hears of it when the machine is up again."""
        runtime, agent = self._sim.runtimes[name], self._sim.cluster.agent(name)
        assert agent is not None
        runtime.reboot(now)
        agent.forget_all()
        self._sim.cluster.begin_anew(name)

    # ------------------------------------------------------------------------------------------------ pressure

    def _pressure(self, fault: Fault, now: datetime) -> None:
        agent = self._sim.cluster.agent(fault.target)
        assert agent is not None
        word = fault.kind.partition("-")[0]
        agent.suffer(_with(agent.pressures, word, True))
        resource = "memory" if word == "memory" else "ephemeral-storage"
        self.due += ((now, fault.target, resource, int(fault.option("evict"))),)

    def keep_evicting(self, now: datetime) -> datetime | None:
        """Evict one pod of each node that is still short; when to look again."""
        later: Due = ()
        for at, node, resource, left in self.due:
            if at > now:
                later += ((at, node, resource, left),)
            elif left > 0:
                self._evict_one(node, resource)
                later += ((now + EVICT_EVERY, node, resource, left - 1),) if left > 1 else ()
        self.due = later
        return min((d[0] for d in later), default=None)

    def _evict_one(self, node: str, resource: str) -> None:
        """Kill the pod that stands first in the kubelet's ranking.

        Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/eviction/helpers.go: rankMemoryPressure, evictionMessage;
                pkg/kubelet/eviction/eviction_manager.go: synchronize, evictPod
        """
        agent = self._sim.cluster.agent(node)
        assert agent is not None
        ranked = sorted(self._live_pods(node), key=_rank)
        if not ranked or agent.is_paused:
            return
        pod = ranked[0]
        message = f"The node was low on resource: {resource}. Threshold quantity: 100Mi, available: 0. "
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": message,
        }
        agent.evict(pod["metadata"]["uid"], KillRequest("Evicted", message, 1, condition))
        self._sim.cluster.poke(agent.name)

    def _live_pods(self, node: str) -> list[JsonObject]:
        """What may be evicted: no finished and no critical pods."""
        return [
            pod
            for pod in self._sim.cluster.list("pods")
            if dig(pod, "spec", "nodeName") == node
            and dig(pod, "status", "phase") not in _FINISHED
            and "deletionTimestamp" not in pod["metadata"]
            and (dig(pod, "spec", "priority") or 0) < 2_000_000_000
        ]


def _with(pressures: Pressures, word: str, is_short: bool) -> Pressures:
    return pressures._replace(memory=is_short) if word == "memory" else pressures._replace(disk=is_short)


def _rank(pod: JsonObject) -> tuple[bool, int, str]:
    """Those that use more than they asked for first (who asked for nothing always does), then by priority, then by name."""
    is_best_effort = dig(pod, "status", "qosClass") == "BestEffort"
    return (not is_best_effort, dig(pod, "spec", "priority") or 0, pod["metadata"]["name"])
