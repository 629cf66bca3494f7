"""How the scheduler words that no node takes a pod.

Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/types.go: FitError.Error;
        plugins/defaultpreemption, framework/preemption/preemption.go; plugins/dynamicresources: PostFilter
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lifepod.controllers.scheduler_filters import Refusal

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def fit_error(refusals: Iterable[Refusal], *, may_preempt: bool = True) -> str:
    """`0/3 nodes are available: 1 …, 2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: …`.

    Differs: no pod is ever preempted, so nodes where that could help say that no victims were found.
    """
    counted: Counter[str] = Counter()
    helpless: Counter[str] = Counter()
    nodes = 0
    for refusal in refusals:
        nodes += 1
        counted.update(refusal.reasons)
        helpless[NOT_HELPFUL if refusal.final else NO_VICTIMS] += 1
    return f"{_sentence(nodes, counted)} {_preemption(nodes, helpless, may_preempt)}"


def pod_error(nodes: int, reason: str, *, may_preempt: bool = True) -> str:
    """The same where the pod itself is the obstacle, before any node was asked (a missing or unbound claim)."""
    helpless = Counter({NOT_HELPFUL: nodes})
    return f"0/{nodes} nodes are available: {reason}. {_preemption(nodes, helpless, may_preempt)}"


def _preemption(nodes: int, helpless: Counter[str], may_preempt: bool) -> str:
    verdict = _sentence(nodes, helpless) if may_preempt else "not eligible due to preemptionPolicy=Never."
    return f"no new claims to deallocate, preemption: {verdict}"


def _sentence(nodes: int, counted: Counter[str]) -> str:
    """Reasons are sorted as the strings they are, count first."""
    rows = sorted(f"{count} {reason}" for reason, count in counted.items())
    return f"0/{nodes} nodes are available: {', '.join(rows)}."
