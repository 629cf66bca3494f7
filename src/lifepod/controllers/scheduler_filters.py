"""Which nodes may run a pod, by the node's own facts: one function per filter plugin of upstream's scheduler.

Each answers None (it fits) or a `Refusal`: upstream's words, and whether evicting pods could ever help. Rules that look at
other pods (affinity between pods, topology spread) are in `scheduler_neighbours.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.label_selection import all_equal, meets
from lifepod.controllers.scheduler_demand import Amounts, Demand, HostPort, allocatable_of

UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Refusal(NamedTuple):
    """Why a node does not take the pod. `final`: no eviction of other pods would change it."""

    reasons: tuple[str, ...]
    final: bool = True


class NodeFacts(NamedTuple):
    """What the scheduler knows of a node by itself."""

    name: str
    labels: dict[str, str]
    taints: tuple[JsonObject, ...]
    unschedulable: bool
    allocatable: Amounts
    pods: int


class Load(NamedTuple):
    """What the pods on a node take."""

    requests: Amounts = Amounts()
    scored: tuple[int, int] = (0, 0)
    pods: int = 0
    ports: tuple[HostPort, ...] = ()

    def with_pod(self, demand: Demand) -> Load:
        """With one pod more."""
        return Load(
            self.requests.plus(demand.requests),
            (self.scored[0] + demand.scored[0], self.scored[1] + demand.scored[1]),
            self.pods + 1,
            self.ports + demand.ports,
        )

    def without_pod(self, demand: Demand) -> Load:
        """With that pod gone."""
        ports = list(self.ports)
        for port in demand.ports:
            if port in ports:
                ports.remove(port)
        return Load(
            self.requests.minus(demand.requests),
            (self.scored[0] - demand.scored[0], self.scored[1] - demand.scored[1]),
            self.pods - 1,
            tuple(ports),
        )


def facts_of(node: JsonObject) -> NodeFacts:
    """Read a node."""
    amounts, pods = allocatable_of(node)
    spec = node.get("spec") or {}
    return NodeFacts(
        name=node["metadata"]["name"],
        labels=node["metadata"].get("labels") or {},
        taints=tuple(spec.get("taints") or ()),
        unschedulable=bool(spec.get("unschedulable")),
        allocatable=amounts,
        pods=pods,
    )


def node_refusal(demand: Demand, node: NodeFacts) -> Refusal | None:
    """The first filter by the node's own facts that refuses, in upstream's order of plugins.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/apis/config/v1/default_plugins.go
    """
    return (
        _unschedulable(demand, node)
        or _other_name(demand, node)
        or _untolerated(demand, node)
        or _affinity_mismatch(demand, node)
    )


def room_refusal(demand: Demand, node: NodeFacts, load: Load) -> Refusal | None:
    """Ports and resources, in that order: what changes as pods come and go."""
    return _ports_taken(demand, load) or _lacks_resources(demand, node, load)


def _unschedulable(demand: Demand, node: NodeFacts) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/nodeunschedulable"""
    if node.unschedulable and not tolerates(demand.spec.get("tolerations") or (), UNSCHEDULABLE_TAINT):
        return Refusal(("node(s) were unschedulable",))
    return None


def _other_name(demand: Demand, node: NodeFacts) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/nodename"""
    wanted = demand.spec.get("nodeName")
    if wanted and wanted != node.name:
        return Refusal(("node(s) didn't match the requested node name",))
    return None


def _untolerated(demand: Demand, node: NodeFacts) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/tainttoleration"""
    tolerations = demand.spec.get("tolerations") or ()
    for taint in node.taints:
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint):
            return Refusal((f"node(s) had untolerated taint {{{taint.get('key', '')}: {taint.get('value') or ''}}}",))
    return None


def _affinity_mismatch(demand: Demand, node: NodeFacts) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/nodeaffinity"""
    if fits_node_affinity(demand.spec, node.name, node.labels):
        return None
    names = named_nodes(demand.spec)
    if names is not None and node.name not in names:
        return Refusal(("node(s) didn't satisfy plugin(s) [NodeAffinity]",))
    return Refusal(("node(s) didn't match Pod's node affinity/selector",))


def _ports_taken(demand: Demand, load: Load) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/nodeports"""
    if demand.ports and any(_conflict(a, b) for a in demand.ports for b in load.ports):
        return Refusal(("node(s) didn't have free ports for the requested pod ports",), final=False)
    return None


def _conflict(one: HostPort, other: HostPort) -> bool:
    """Same protocol and port on the same address; 0.0.0.0 is every address."""
    return one[0] == other[0] and one[2] == other[2] and (one[1] == other[1] or "0.0.0.0" in (one[1], other[1]))


def _lacks_resources(demand: Demand, node: NodeFacts, load: Load) -> Refusal | None:
    """Too many pods, then cpu, memory and the others; hopeless when the node could not hold the pod even if empty.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/noderesources/fit.go: fitsRequest
    """
    asked, used, has = demand.requests, load.requests, node.allocatable
    if (
        load.pods < node.pods
        and not asked.named
        and asked.cpu_millicores <= max(0, has.cpu_millicores - used.cpu_millicores)
        and asked.memory_bytes <= max(0, has.memory_bytes - used.memory_bytes)
    ):
        return None
    reasons: list[str] = []
    hopeless = False
    if load.pods + 1 > node.pods:
        reasons.append("Too many pods")
    taken, given = dict(used.named), dict(has.named)
    rows = [
        ("cpu", asked.cpu_millicores, used.cpu_millicores, has.cpu_millicores),
        ("memory", asked.memory_bytes, used.memory_bytes, has.memory_bytes),
        *((name, amount, taken.get(name, 0), given.get(name, 0)) for name, amount in asked.named),
    ]
    for name, wanted, gone, whole_ in rows:
        if wanted > 0 and wanted > whole_ - gone:
            reasons.append(f"Insufficient {name}")
            hopeless = hopeless or wanted > whole_
    return Refusal(tuple(reasons), final=hopeless) if reasons else None


# ------------------------------------------------------------------------------------------------ taints, node affinity


def tolerates(tolerations: Iterable[JsonObject], taint: Mapping[str, str]) -> bool:
    """Whether one of the tolerations matches the taint.

    Source: k8s.io/api v0.34.4 core/v1/toleration.go: ToleratesTaint
    """
    return any(toleration_matches(toleration, taint) for toleration in tolerations)


def toleration_matches(toleration: JsonObject, taint: Mapping[str, str]) -> bool:
    """An empty effect matches every effect, an empty key with Exists every key."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")


def fits_node_affinity(spec: JsonObject, name: str, labels: Mapping[str, str]) -> bool:
    """nodeSelector and the required node affinity: every label of the one, any term of the other.

    Source: k8s.io/component-helpers v0.34.4 scheduling/corev1/nodeaffinity/nodeaffinity.go: GetRequiredNodeAffinity
    """
    if not all_equal(spec.get("nodeSelector"), labels):
        return False
    required = _required(spec)
    if required is None:
        return True
    return any(term_matches(term, name, labels) for term in required.get("nodeSelectorTerms") or ())


def term_matches(term: JsonObject, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a node selector term matches; an empty one matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(meets(r, labels) for r in expressions) and all(meets(r, {"metadata.name": name}) for r in fields)


def named_nodes(spec: JsonObject) -> frozenset[str] | None:
    """The nodes that the required affinity names one by one (as daemon pods do); None when it does not.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go: PreFilter
    """
    required = _required(spec)
    if required is None or not required.get("nodeSelectorTerms"):
        return None
    names: set[str] = set()
    for term in required["nodeSelectorTerms"]:
        named = [
            set(r.get("values") or ())
            for r in term.get("matchFields") or ()
            if r.get("key") == "metadata.name" and r.get("operator") == "In"
        ]
        if not named:
            return None
        names |= set.intersection(*named)
    return frozenset(names)


def _required(spec: JsonObject) -> JsonObject | None:
    affinity = spec.get("affinity")
    if not affinity:
        return None
    node_affinity = affinity.get("nodeAffinity") or {}
    required: JsonObject | None = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required


def preference(demand: Demand, node: NodeFacts) -> float:
    """How much the node's own facts speak for it, on the scale of `load`: preferred affinity for, PreferNoSchedule against.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/{nodeaffinity,tainttoleration}: Score
    """
    score = 0.0
    affinity = (demand.spec.get("affinity") or {}).get("nodeAffinity") or {}
    for preferred in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        if term_matches(preferred.get("preference") or {}, node.name, node.labels):
            score += 2.0 * preferred.get("weight", 0) / 100
    tolerations = demand.spec.get("tolerations") or ()
    for taint in node.taints:
        if taint.get("effect") == "PreferNoSchedule" and not tolerates(tolerations, taint):
            score -= 3.0
    return score


def load_share(node: NodeFacts, load: Load) -> float:
    """How full a node is, 0 to 2 (cpu and memory); the emptier the better.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/noderesources/least_allocated.go
    """
    cpu, memory = node.allocatable.cpu_millicores, node.allocatable.memory_bytes
    return (load.scored[0] / cpu if cpu else 1.0) + (load.scored[1] / memory if memory else 1.0)
