"""Which node gets a pod: the nodes with what runs on them, and the choice among them.

`Placements` is the scheduler's picture, kept up to date pod by pod. Pods alike to all node rules share one candidate list
that is ordered by load, so choosing costs a logarithm, not a look at every node. Texts are in `scheduler_messages.py`.
Differs: no preemption; ties go to the emptier node, then by name, where upstream draws lots.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.scheduler_demand import Demand
from lifepod.controllers.scheduler_filters import (
    Load,
    NodeFacts,
    Refusal,
    facts_of,
    load_share,
    named_nodes,
    node_refusal,
    preference,
    room_refusal,
)
from lifepod.controllers.scheduler_messages import NO_NODES, fit_error
from lifepod.controllers.scheduler_neighbours import (
    Question,
    affinity_terms,
    counts_pod,
    neighbour_preference,
    neighbour_refusal,
    question_of,
    terms_of,
)

MAX_SHAPES = 16
"""How many candidate lists are kept; more shapes than that are chosen for by a look at every node."""

EMPTY = Load()


class Chosen(NamedTuple):
    """The node that gets the pod."""

    node: str


class Unschedulable(NamedTuple):
    """No node takes the pod; `message` in upstream's words."""

    message: str


class Placed(NamedTuple):
    """A pod that holds room on a node."""

    node: str
    demand: Demand


class _Candidates:
    """The nodes whose own facts allow one shape of pod, emptiest first; entries that are out of date are skipped."""

    __slots__ = ("bias", "heap", "refusals")

    def __init__(self) -> None:
        self.bias: dict[str, float] = {}
        self.refusals: list[Refusal] = []
        self.heap: list[tuple[float, int, str]] = []


class Placements:
    """The nodes, and the pods that hold room on them. Plain data; the owner decides what to do with an answer."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeFacts] = {}
        self.loads: dict[str, Load] = {}
        self.pods: dict[str, Placed] = {}
        self.version = 0
        self._anti: dict[str, Placed] = {}
        self._shapes: dict[bytes, _Candidates] = {}
        self._tallies: dict[Question, dict[str, int]] = {}
        self._refused: dict[bytes, tuple[int, Unschedulable]] = {}

    # ------------------------------------------------------------------------------------------------ keeping up

    def set_node(self, node: JsonObject) -> bool:
        """Take in a node's state; whether anything of it matters to scheduling."""
        facts = facts_of(node)
        if self.nodes.get(facts.name) == facts:
            return False
        self.nodes[facts.name] = facts
        self._forget_lists()
        return True

    def remove_node(self, name: str) -> None:
        """The node is gone; its pods still count as placed until they go."""
        if self.nodes.pop(name, None) is not None:
            self._forget_lists()

    def _forget_lists(self) -> None:
        self.version += 1
        self._shapes.clear()
        self._tallies.clear()
        self._refused.clear()

    def place(self, uid: str, node: str, demand: Demand) -> None:
        """The pod takes room on the node (again: no change)."""
        before = self.pods.get(uid)
        if before is not None:
            if before.node == node:
                return
            self.remove(uid)
        placed = Placed(node, demand)
        self.pods[uid] = placed
        if affinity_terms(demand.spec, "podAntiAffinity"):
            self._anti[uid] = placed
        self._changed(node, self.loads.get(node, EMPTY).with_pod(demand), demand, 1)

    def remove(self, uid: str) -> bool:
        """The pod gives its room back; whether it had any."""
        placed = self.pods.pop(uid, None)
        if placed is None:
            return False
        self._anti.pop(uid, None)
        self._changed(placed.node, self.loads[placed.node].without_pod(placed.demand), placed.demand, -1)
        return True

    def _changed(self, node: str, load: Load, demand: Demand, step: int) -> None:
        self.version += 1
        self.loads[node] = load
        facts = self.nodes.get(node)
        if facts is None:
            return
        share = load_share(facts, load)
        for candidates in self._shapes.values():
            bias = candidates.bias.get(node)
            if bias is not None:
                heapq.heappush(candidates.heap, (share - bias, load.pods, node))
                if len(candidates.heap) > 4 * len(candidates.bias) + 64:
                    self._order(candidates)
        for question, counts in self._tallies.items():
            domain = facts.labels.get(question.topology_key)
            if domain is not None and counts_pod(question, demand):
                counts[domain] = counts.get(domain, 0) + step

    # ------------------------------------------------------------------------------------------------ choosing

    def choose(self, demand: Demand) -> Chosen | Unschedulable:
        """The node for a pod of this demand."""
        if not self.nodes:
            return Unschedulable(NO_NODES)
        if demand.looks_at_pods or self._anti:
            return self._choose_among_neighbours(demand)
        names = named_nodes(demand.spec)
        if names is not None:
            return self._choose_among_named(demand, names)
        known = (
            self._refused.get(demand.shape + repr((demand.requests, demand.ports)).encode()) if self._refused else None
        )
        if known is not None and known[0] == self.version:
            return known[1]
        node = self._emptiest(demand)
        if node is not None:
            return Chosen(node)
        refused = self._unschedulable(demand, self._candidates(demand).refusals, self._candidates(demand).bias)
        self._refused[demand.shape + repr((demand.requests, demand.ports)).encode()] = (self.version, refused)
        return refused

    def _unschedulable(self, demand: Demand, refusals: list[Refusal], others: dict[str, float]) -> Unschedulable:
        full = [room_refusal(demand, self.nodes[n], self.loads.get(n, EMPTY)) for n in others]
        may_preempt = demand.spec.get("preemptionPolicy") != "Never"
        return Unschedulable(fit_error([*refusals, *(r for r in full if r)], may_preempt=may_preempt))

    def _candidates(self, demand: Demand) -> _Candidates:
        found = self._shapes.get(demand.shape)
        if found is None:
            found = _Candidates()
            for node in self.nodes.values():
                refusal = node_refusal(demand, node)
                if refusal is not None:
                    found.refusals.append(refusal)
                else:
                    found.bias[node.name] = preference(demand, node)
            self._order(found)
            if len(self._shapes) >= MAX_SHAPES:
                del self._shapes[next(iter(self._shapes))]
            self._shapes[demand.shape] = found
        return found

    def _order(self, candidates: _Candidates) -> None:
        candidates.heap = [self._entry(name, bias) for name, bias in candidates.bias.items()]
        heapq.heapify(candidates.heap)

    def _entry(self, name: str, bias: float) -> tuple[float, int, str]:
        load = self.loads.get(name, EMPTY)
        return (load_share(self.nodes[name], load) - bias, load.pods, name)

    def _emptiest(self, demand: Demand) -> str | None:
        candidates = self._candidates(demand)
        heap, passed = candidates.heap, []
        chosen = None
        seen: set[str] = set()
        while heap:
            entry = heap[0]
            name = entry[2]
            if name in seen or entry != self._entry(name, candidates.bias[name]):
                heapq.heappop(heap)
                continue
            if room_refusal(demand, self.nodes[name], self.loads.get(name, EMPTY)) is None:
                chosen = name
                break
            seen.add(name)
            passed.append(heapq.heappop(heap))
        for entry in passed:
            heapq.heappush(heap, entry)
        return chosen

    def _choose_among_named(self, demand: Demand, names: frozenset[str]) -> Chosen | Unschedulable:
        for name in sorted(names):
            node = self.nodes.get(name)
            if node and not node_refusal(demand, node) and not room_refusal(demand, node, self.loads.get(name, EMPTY)):
                return Chosen(name)
        refusals = [
            node_refusal(demand, node) or room_refusal(demand, node, self.loads.get(node.name, EMPTY))
            for node in self.nodes.values()
        ]
        may_preempt = demand.spec.get("preemptionPolicy") != "Never"
        return Unschedulable(fit_error([r for r in refusals if r], may_preempt=may_preempt))

    def _choose_among_neighbours(self, demand: Demand) -> Chosen | Unschedulable:
        terms = terms_of(demand, self._count, self._refused_domains(demand), self.nodes.values())
        best: tuple[float, int, str] | None = None
        refusals: list[Refusal] = []
        for node in self.nodes.values():
            load = self.loads.get(node.name, EMPTY)
            refusal = node_refusal(demand, node) or room_refusal(demand, node, load) or neighbour_refusal(terms, node)
            if refusal is not None:
                refusals.append(refusal)
                continue
            bias = preference(demand, node) + neighbour_preference(terms, node)
            entry = (load_share(node, load) - bias, load.pods, node.name)
            best = entry if best is None or entry < best else best
        if best is not None:
            return Chosen(best[2])
        may_preempt = demand.spec.get("preemptionPolicy") != "Never"
        return Unschedulable(fit_error(refusals, may_preempt=may_preempt))

    def _count(self, question: Question) -> dict[str, int]:
        counts = self._tallies.get(question)
        if counts is None:
            counts = {}
            for placed in self.pods.values():
                facts = self.nodes.get(placed.node)
                domain = facts.labels.get(question.topology_key) if facts else None
                if domain is not None and counts_pod(question, placed.demand):
                    counts[domain] = counts.get(domain, 0) + 1
            if len(self._tallies) >= MAX_SHAPES:
                del self._tallies[next(iter(self._tallies))]
            self._tallies[question] = counts
        return {domain: number for domain, number in counts.items() if number}

    def _refused_domains(self, demand: Demand) -> frozenset[tuple[str, str]]:
        """The (label, value) pairs that anti-affinity of pods already placed forbids to this one."""
        refused = set()
        for placed in self._anti.values():
            facts = self.nodes.get(placed.node)
            for term in affinity_terms(placed.demand.spec, "podAntiAffinity"):
                question = question_of(term, placed.demand)
                domain = facts.labels.get(question.topology_key) if facts else None
                if domain is not None and counts_pod(question, demand):
                    refused.add((question.topology_key, domain))
        return frozenset(refused)

    # ------------------------------------------------------------------------------------------------ copying

    def copy(self) -> Placements:
        """An independent picture; shares every value, rebuilds the lists when asked."""
        other = Placements()
        other.nodes, other.loads = dict(self.nodes), dict(self.loads)
        other.pods, other._anti = dict(self.pods), dict(self._anti)
        other.version = self.version
        return other
