"""Does the node take a pod that was bound to it? If not, it becomes Failed at once (lifecycle.md §1.5).

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/lifecycle/predicate.go: Admit, generalFilter
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lifepod.api.objects import JsonObject, dig
from lifepod.api.pod_resources import Amounts, pod_requests
from lifepod.api.quantity import parse_quantity
from lifepod.lifecycle.vocabulary import Refusal

AFFINITY_WORDS = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"


def refusal(pod: JsonObject, node: JsonObject, others: Iterable[JsonObject]) -> Refusal | None:
    """Why the node refuses the pod, None when it takes it. `others`: the pods already on the node, this one left out."""
    spec = pod["spec"]
    live = [p for p in others if dig(p, "status", "phase") not in ("Succeeded", "Failed")]
    if spec.get("nodeName") and spec["nodeName"] != node["metadata"]["name"]:
        return Refusal("NodeName", "Predicate NodeName failed: node(s) didn't match the requested node name")
    return _lacks(pod, node, live) or _elsewhere(pod, node) or _ports_taken(pod, live) or _untolerated(pod, node)


def _lacks(pod: JsonObject, node: JsonObject, others: list[JsonObject]) -> Refusal | None:
    """Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/framework/plugins/noderesources/fit.go: fitsRequest."""
    allocatable = {k: parse_quantity(str(v)) for k, v in (dig(node, "status", "allocatable") or {}).items()}
    if "pods" in allocatable and len(others) + 1 > allocatable["pods"].value:
        return _out_of("pods", 1, len(others), allocatable["pods"].value)
    wanted = pod_requests(pod["spec"])
    used: Amounts = {}
    for other in others:
        for name, amount in pod_requests(other["spec"]).items():
            used[name] = amount._replace(nanos=amount.nanos + (used[name].nanos if name in used else 0))
    for name in ("cpu", "memory", "ephemeral-storage", *sorted(set(wanted) - {"cpu", "memory", "ephemeral-storage"})):
        if name not in wanted or wanted[name].nanos <= 0:
            continue
        amount = wanted[name]
        room, taken = allocatable.get(name), used.get(name)
        in_use = taken.nanos if taken else 0
        if in_use + amount.nanos > (room.nanos if room else 0):
            unit = 10**6 if name == "cpu" else 10**9
            return _out_of(name, amount.nanos // unit, in_use // unit, (room.nanos if room else 0) // unit)
    return None


def _out_of(name: str, requested: int, used: int, capacity: int) -> Refusal:
    text = f"Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
    return Refusal(f"OutOf{name}", text)


def _elsewhere(pod: JsonObject, node: JsonObject) -> Refusal | None:
    labels: Mapping[str, str] = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(k) != v for k, v in selector.items()):
        return Refusal("NodeAffinity", AFFINITY_WORDS)
    path = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    terms = dig(pod["spec"], *path)
    if terms is not None and not any(_term_matches(t, node["metadata"]["name"], labels) for t in terms):
        return Refusal("NodeAffinity", AFFINITY_WORDS)
    return None


def _term_matches(term: JsonObject, name: str, labels: Mapping[str, str]) -> bool:
    """An empty term matches nothing."""
    by_label, by_field = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not by_label and not by_field:
        return False
    return all(_matches(r, labels) for r in by_label) and all(_matches(r, {"metadata.name": name}) for r in by_field)


def _matches(requirement: JsonObject, values: Mapping[str, str]) -> bool:
    """Source: k8s.io/apimachinery v0.34.4 pkg/labels/selector.go: Requirement.Matches."""
    value, wanted = values.get(requirement["key"]), requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return value is not None and value in wanted
        case "NotIn":
            return value is None or value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            try:
                left, right = int(value or ""), int(wanted[0])
            except (ValueError, IndexError):
                return False
            return left > right if operator == "Gt" else left < right
        case _:
            return False


def _host_ports(pod: JsonObject) -> list[tuple[str, str, int]]:
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [
        (p.get("hostIP") or "0.0.0.0", p.get("protocol") or "TCP", p["hostPort"])
        for c in (*(spec.get("containers") or ()), *sidecars)
        for p in c.get("ports") or ()
        if p.get("hostPort")
    ]


def _ports_taken(pod: JsonObject, others: list[JsonObject]) -> Refusal | None:
    taken = [port for other in others for port in _host_ports(other)]
    for ip, protocol, number in _host_ports(pod):
        for other_ip, other_protocol, other_number in taken:
            same_ip = ip == other_ip or "0.0.0.0" in (ip, other_ip)
            if same_ip and protocol == other_protocol and number == other_number:
                return Refusal(
                    "NodePorts",
                    "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
                )
    return None


def _untolerated(pod: JsonObject, node: JsonObject) -> Refusal | None:
    """Only NoExecute taints count here."""
    tolerations = pod["spec"].get("tolerations") or []
    for taint in dig(node, "spec", "taints") or ():
        if taint.get("effect") == "NoExecute" and not any(_tolerates(t, taint) for t in tolerations):
            return Refusal(
                "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
            )
    return None


def _tolerates(toleration: JsonObject, taint: JsonObject) -> bool:
    """Source: k8s.io/api v0.34.4 core/v1/toleration.go: ToleratesTaint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return (
        operator == "Equal"
        and bool(toleration.get("key"))
        and (toleration.get("value") or "") == (taint.get("value") or "")
    )
