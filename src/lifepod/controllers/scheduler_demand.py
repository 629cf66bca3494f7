"""What a pod demands of a node, read off its spec once: resources, ports, selectors, tolerations.

`Demand.shape` is equal for pods that no node-only rule can tell apart; the scheduler keeps its indexes by it.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import labels_of
from lifepod.controllers.quantities import milli, whole

DEFAULT_CPU_MILLICORES = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024


class Amounts(NamedTuple):
    """Resources: `named` holds extended ones and ephemeral-storage as (name, amount), sorted."""

    cpu_millicores: int = 0
    memory_bytes: int = 0
    named: tuple[tuple[str, int], ...] = ()

    def plus(self, other: Amounts) -> Amounts:
        """The sum, resource by resource."""
        return self._joined(other, 1)

    def minus(self, other: Amounts) -> Amounts:
        """The difference, resource by resource."""
        return self._joined(other, -1)

    def _joined(self, other: Amounts, sign: int) -> Amounts:
        named = self.named
        if other.named:
            sums = dict(named)
            for name, amount in other.named:
                sums[name] = sums.get(name, 0) + sign * amount
            named = tuple(sorted(sums.items()))
        return Amounts(
            self.cpu_millicores + sign * other.cpu_millicores, self.memory_bytes + sign * other.memory_bytes, named
        )

    def at_least(self, other: Amounts) -> Amounts:
        """The greater of both, resource by resource."""
        greatest = dict(self.named)
        for name, amount in other.named:
            greatest[name] = max(greatest.get(name, 0), amount)
        return Amounts(
            max(self.cpu_millicores, other.cpu_millicores),
            max(self.memory_bytes, other.memory_bytes),
            tuple(sorted(greatest.items())),
        )


NO_AMOUNTS = Amounts()

HostPort = tuple[str, str, int]
"""(protocol, host IP, port)."""


class Demand(NamedTuple):
    """What one pod asks of a node.

    requests  what its containers ask for; `scored` the same with upstream's stand-ins for what is not asked
    shape     equal for pods alike to all rules that look only at the node's own facts
    spec      the pod's spec, for the rules themselves
    """

    requests: Amounts
    scored: tuple[int, int]
    ports: tuple[HostPort, ...]
    shape: bytes
    namespace: str
    labels: dict[str, str]
    spec: JsonObject

    @property
    def looks_at_pods(self) -> bool:
        """Whether other pods matter to where this one may go."""
        affinity = self.spec.get("affinity") or {}
        return bool(
            affinity.get("podAffinity") or affinity.get("podAntiAffinity") or self.spec.get("topologySpreadConstraints")
        )


def demand_of(pod: JsonObject) -> Demand:
    """Read a pod's demand."""
    spec = pod["spec"]
    affinity = spec.get("affinity")
    shape = orjson.dumps(
        [
            spec.get("nodeSelector"),
            affinity.get("nodeAffinity") if affinity else None,
            spec.get("tolerations"),
            spec.get("nodeName"),
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    requests = requests_of(spec)
    return Demand(
        requests=requests,
        scored=_scored(spec, requests),
        ports=_host_ports(spec),
        shape=shape,
        namespace=pod["metadata"].get("namespace", ""),
        labels=labels_of(pod),
        spec=spec,
    )


def requests_of(spec: JsonObject) -> Amounts:
    """What a pod asks for: the containers' sum with the sidecars', or the greatest moment of initialization if more.

    Source: k8s.io/component-helpers v0.34.4 resource/helpers.go: PodRequests
    """
    total = NO_AMOUNTS
    for container in spec.get("containers") or ():
        asked = _container_requests(container)
        total = asked if total is NO_AMOUNTS else total.plus(asked)
    if spec.get("initContainers"):
        total = _with_init_containers(spec["initContainers"], total)
    for member in ("requests",):
        level = (spec.get("resources") or {}).get(member)
        if level:
            total = _overridden(total, level)
    return total.plus(_amounts(spec["overhead"])) if spec.get("overhead") else total


def _with_init_containers(containers: list[JsonObject], total: Amounts) -> Amounts:
    sidecars, highest = NO_AMOUNTS, NO_AMOUNTS
    for container in containers:
        asked = _container_requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars = sidecars.plus(asked)
            highest = highest.at_least(sidecars)
        else:
            highest = highest.at_least(sidecars.plus(asked))
    return total.plus(sidecars).at_least(highest)


def _overridden(total: Amounts, level: JsonObject) -> Amounts:
    """Pod-level requests stand in for the containers' sums of the same resource."""
    return Amounts(
        milli(level["cpu"]) if "cpu" in level else total.cpu_millicores,
        whole(level["memory"]) if "memory" in level else total.memory_bytes,
        total.named,
    )


def _container_requests(container: JsonObject) -> Amounts:
    resources = container.get("resources")
    if not resources:
        return NO_AMOUNTS
    asked = resources.get("requests")
    return _amounts(asked) if asked else NO_AMOUNTS


def _amounts(asked: JsonObject) -> Amounts:
    named = tuple(sorted((k, whole(v)) for k, v in asked.items() if k not in ("cpu", "memory", "pods")))
    return Amounts(milli(asked.get("cpu", 0)), whole(asked.get("memory", 0)), named)


def allocatable_of(node: JsonObject) -> tuple[Amounts, int]:
    """What a node has to give: its resources and how many pods."""
    given = (node.get("status") or {}).get("allocatable") or (node.get("status") or {}).get("capacity") or {}
    return _amounts(given), whole(given.get("pods", 0))


def _scored(spec: JsonObject, requests: Amounts) -> tuple[int, int]:
    """CPU and memory for scoring: a container that asks for nothing counts as 100m and 200Mi, so that such pods spread too.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/util/pod_resources.go: GetNonzeroRequestForResource
    """
    cpu, memory = requests.cpu_millicores, requests.memory_bytes
    for container in spec.get("containers") or ():
        asked = (container.get("resources") or {}).get("requests") or {}
        cpu += 0 if "cpu" in asked else DEFAULT_CPU_MILLICORES
        memory += 0 if "memory" in asked else DEFAULT_MEMORY_BYTES
    return cpu, memory


def _host_ports(spec: JsonObject) -> tuple[HostPort, ...]:
    return tuple(
        (port.get("protocol") or "TCP", port.get("hostIP") or "0.0.0.0", port["hostPort"])
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )
