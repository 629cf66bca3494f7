"""Where a pod may go because of other pods: affinity, anti-affinity, topology spread; as counts per topology domain.

A `Tally` counts placed pods that one selector means, per value of one node label. `scheduler.py` keeps tallies up to date
as pods come and go, so that one more pod costs no look at all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import orjson

from lifepod.api.objects import JsonObject
from lifepod.controllers.label_selection import selects
from lifepod.controllers.scheduler_demand import Demand
from lifepod.controllers.scheduler_filters import NodeFacts, Refusal, fits_node_affinity, tolerates

AFFINITY = Refusal(("node(s) didn't match pod affinity rules",))
ANTI_AFFINITY = Refusal(("node(s) didn't match pod anti-affinity rules",), final=False)
OTHERS_ANTI_AFFINITY = Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",), final=False)
SPREAD = Refusal(("node(s) didn't match pod topology spread constraints",), final=False)
SPREAD_LABEL = Refusal(("node(s) didn't match pod topology spread constraints (missing required label)",))


class Question(NamedTuple):
    """Which pods a tally counts: those of `namespaces` (empty: all) that `selector` (JSON text) matches, per `topology_key`."""

    topology_key: str
    namespaces: frozenset[str]
    selector: bytes


Count = Callable[[Question], dict[str, int]]
"""How many such pods each domain has."""


def counts_pod(question: Question, demand: Demand) -> bool:
    """Whether a tally counts this pod."""
    if question.namespaces and demand.namespace not in question.namespaces:
        return False
    return selects(orjson.loads(question.selector), demand.labels)


def affinity_terms(spec: JsonObject, kind: str) -> tuple[JsonObject, ...]:
    """The required terms of `podAffinity` or `podAntiAffinity`."""
    affinity = (spec.get("affinity") or {}).get(kind) or {}
    return tuple(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())


def preferred_terms(spec: JsonObject, kind: str) -> tuple[JsonObject, ...]:
    """The preferred, weighted terms of `podAffinity` or `podAntiAffinity`."""
    affinity = (spec.get("affinity") or {}).get(kind) or {}
    return tuple(affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ())


def question_of(term: JsonObject, demand: Demand) -> Question:
    """The tally that an affinity term asks for. No namespaces: the pod's own; an empty namespaceSelector: all.

    Differs: a namespaceSelector with content is read as all namespaces.
    """
    namespaces = frozenset(term.get("namespaces") or ())
    if not namespaces and term.get("namespaceSelector") is None:
        namespaces = frozenset((demand.namespace,))
    selector = dict(term.get("labelSelector") or {}) if term.get("labelSelector") is not None else None
    if selector is not None and term.get("matchLabelKeys"):
        wanted = {k: demand.labels[k] for k in term["matchLabelKeys"] if k in demand.labels}
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **wanted}
    return Question(term.get("topologyKey", ""), namespaces, orjson.dumps(selector, option=orjson.OPT_SORT_KEYS))


class Terms(NamedTuple):
    """One pod's rules about other pods, with the counts they need."""

    affinity: tuple[tuple[Question, dict[str, int], bool], ...]
    anti_affinity: tuple[tuple[Question, dict[str, int]], ...]
    refused_domains: frozenset[tuple[str, str]]
    spread: tuple[tuple[JsonObject, dict[str, int], int], ...]
    preferred: tuple[tuple[str, dict[str, int], float], ...]


def terms_of(
    demand: Demand, count: Count, refused_domains: frozenset[tuple[str, str]], nodes: Iterable[NodeFacts]
) -> Terms:
    """Read the pod's rules about other pods and look up their counts once."""
    affinity = []
    for term in affinity_terms(demand.spec, "podAffinity"):
        question = question_of(term, demand)
        affinity.append((question, count(question), counts_pod(question, demand)))
    anti = [question_of(term, demand) for term in affinity_terms(demand.spec, "podAntiAffinity")]
    preferred: list[tuple[str, dict[str, int], float]] = []
    for kind, sign in (("podAffinity", 1.0), ("podAntiAffinity", -1.0)):
        for weighted in preferred_terms(demand.spec, kind):
            question = question_of(weighted.get("podAffinityTerm") or {}, demand)
            preferred.append((question.topology_key, count(question), sign * weighted.get("weight", 0) / 100))
    return Terms(
        tuple(affinity),
        tuple((question, count(question)) for question in anti),
        refused_domains,
        tuple(_spread(demand, count, tuple(nodes))),
        tuple(preferred),
    )


def _spread(
    demand: Demand, count: Count, nodes: tuple[NodeFacts, ...]
) -> Iterable[tuple[JsonObject, dict[str, int], int]]:
    """Each constraint with the counts of its eligible domains and the least of them.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/podtopologyspread/filtering.go
    """
    for constraint in demand.spec.get("topologySpreadConstraints") or ():
        key = constraint.get("topologyKey", "")
        selector = constraint.get("labelSelector")
        if selector is not None and constraint.get("matchLabelKeys"):
            wanted = {k: demand.labels[k] for k in constraint["matchLabelKeys"] if k in demand.labels}
            selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **wanted}}
        text = orjson.dumps(selector, option=orjson.OPT_SORT_KEYS)
        counted = count(Question(key, frozenset((demand.namespace,)), text))
        domains = {n.labels[key]: 0 for n in nodes if key in n.labels and _counts_for_spread(constraint, demand, n)}
        for domain in domains:
            domains[domain] = counted.get(domain, 0)
        least = min(domains.values(), default=0)
        if len(domains) < (constraint.get("minDomains") or 1):
            least = 0
        own = 1 if selects(selector, demand.labels) else 0
        yield constraint, domains, least - own


def _counts_for_spread(constraint: JsonObject, demand: Demand, node: NodeFacts) -> bool:
    """Nodes that the pod's own node affinity excludes do not count (policy Honor); tainted ones do (policy Ignore)."""
    if (constraint.get("nodeAffinityPolicy") or "Honor") == "Honor" and not fits_node_affinity(
        demand.spec, node.name, node.labels
    ):
        return False
    if constraint.get("nodeTaintsPolicy") == "Honor":
        tolerations = demand.spec.get("tolerations") or ()
        return all(tolerates(tolerations, t) for t in node.taints if t.get("effect") != "PreferNoSchedule")
    return True


def neighbour_refusal(terms: Terms, node: NodeFacts) -> Refusal | None:
    """Topology spread first, then affinity, anti-affinity, and the anti-affinity of pods already there."""
    return _spread_refusal(terms, node) or _affinity_refusal(terms, node)


def _spread_refusal(terms: Terms, node: NodeFacts) -> Refusal | None:
    for constraint, domains, floor in terms.spread:
        if constraint.get("whenUnsatisfiable") == "ScheduleAnyway":
            continue
        domain = node.labels.get(constraint.get("topologyKey", ""))
        if domain is None:
            return SPREAD_LABEL
        if domains.get(domain, 0) - floor > constraint.get("maxSkew", 1):
            return SPREAD
    return None


def _affinity_refusal(terms: Terms, node: NodeFacts) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/interpodaffinity/filtering.go: Filter"""
    nobody_yet = all(not counts for _, counts, _ in terms.affinity)
    for question, counts, matches_itself in terms.affinity:
        domain = node.labels.get(question.topology_key)
        if domain is None:
            return AFFINITY
        # The first pod of a group that wants its own kind near may go anywhere.
        if not counts.get(domain) and not (nobody_yet and matches_itself):
            return AFFINITY
    for question, counts in terms.anti_affinity:
        domain = node.labels.get(question.topology_key)
        if domain is not None and counts.get(domain):
            return ANTI_AFFINITY
    if any(node.labels.get(key) == value for key, value in terms.refused_domains):
        return OTHERS_ANTI_AFFINITY
    return None


def neighbour_preference(terms: Terms, node: NodeFacts) -> float:
    """How much other pods speak for the node: preferred affinities, and ScheduleAnyway spread against crowded domains."""
    score = 0.0
    for key, counts, weight in terms.preferred:
        domain = node.labels.get(key)
        if domain is not None:
            score += weight * min(2, counts.get(domain, 0))
    for constraint, domains, _ in terms.spread:
        domain = node.labels.get(constraint.get("topologyKey", ""))
        most = max(domains.values(), default=0)
        if constraint.get("whenUnsatisfiable") == "ScheduleAnyway" and domain is not None and most:
            score -= 2.0 * domains.get(domain, 0) / most
    return score
