"""A DaemonSet's pods: on which nodes they belong, and what the one of a node is made of.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/daemon/daemon_controller.go: NodeShouldRunDaemonPod, predicates;
        pkg/controller/daemon/util/daemonset_util.go: AddOrUpdateDaemonPodTolerations, ReplaceDaemonSetPodNodeNameNodeAffinity
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import annotations_of, labels_of, name_of
from lifepod.controllers.pod_facts import generated_name, pod_from_template
from lifepod.controllers.revision_history import HASH
from lifepod.controllers.scheduler_filters import fits_node_affinity, named_nodes, tolerates

GENERATION = "pod-template-generation"
GENERATION_NOTE = "deprecated.daemonset.template.generation"

TOLERATIONS: tuple[JsonObject, ...] = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
)
ON_THE_HOSTS_NETWORK: JsonObject = {
    "key": "node.kubernetes.io/network-unavailable",
    "operator": "Exists",
    "effect": "NoSchedule",
}


class Belongs(NamedTuple):
    """Whether a node should get a pod, and whether one that is there may stay."""

    should_run: bool
    may_stay: bool


def belongs(owner: JsonObject, node: JsonObject) -> Belongs:
    """By name, selector, affinity and taints; a pod that is there bears what only keeps new ones away."""
    spec = owner["spec"]["template"].get("spec") or {}
    name = name_of(node)
    named = spec.get("nodeName")
    if (named and named != name) or not fits_node_affinity(spec, name, labels_of(node)):
        return Belongs(False, False)
    tolerations = tolerations_of(spec)
    hostile = [taint for taint in (node.get("spec") or {}).get("taints") or () if not tolerates(tolerations, taint)]
    effects = {taint.get("effect") for taint in hostile}
    if effects & {"NoSchedule", "NoExecute"}:
        return Belongs(False, "NoExecute" not in effects)
    return Belongs(True, True)


def tolerations_of(spec: JsonObject) -> list[JsonObject]:
    """The template's tolerations and those that every daemon pod gets."""
    given: list[JsonObject] = list(spec.get("tolerations") or ())
    added = [*TOLERATIONS, *([ON_THE_HOSTS_NETWORK] if spec.get("hostNetwork") else ())]
    return given + [toleration for toleration in added if toleration not in given]


def new_pod(owner: JsonObject, node: str, digest: str, suffix: str) -> JsonObject:
    """The pod of one node; the scheduler binds it there because its affinity names nothing else."""
    template = owner["spec"]["template"]
    prefix = f"{name_of(owner)}-"
    pod = pod_from_template(owner, template, prefix, generated_name(prefix, suffix))
    labels = {**(pod["metadata"].get("labels") or {}), HASH: digest}
    generation = annotations_of(owner).get(GENERATION_NOTE)
    if generation is not None:
        labels[GENERATION] = generation
    pod["metadata"]["labels"] = labels
    spec = pod["spec"]
    affinity = _pinned(spec.get("affinity") or {}, node)
    return {**pod, "spec": {**spec, "affinity": affinity, "tolerations": tolerations_of(spec)}}


def _pinned(affinity: JsonObject, node: str) -> JsonObject:
    """The affinity with this node as the only one: every term keeps its labels' requirements no longer than that."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    node_affinity = affinity.get("nodeAffinity") or {}
    required = {"nodeSelectorTerms": [term]}
    member = "requiredDuringSchedulingIgnoredDuringExecution"
    return {**affinity, "nodeAffinity": {**node_affinity, member: required}}


def target_node(pod: JsonObject) -> str:
    """The node that the pod is on or was made for."""
    bound = pod["spec"].get("nodeName")
    if bound:
        return str(bound)
    return min(named_nodes(pod["spec"]) or (), default="")


def by_node(pods: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    """The pods of each node, oldest first, those with a node before those without."""
    found: dict[str, list[JsonObject]] = {}
    for pod in pods:
        found.setdefault(target_node(pod), []).append(pod)
    for own in found.values():
        own.sort(key=_age)
    return found


def _age(pod: JsonObject) -> tuple[bool, str, str]:
    return (not pod["spec"].get("nodeName"), pod["metadata"].get("creationTimestamp") or "", name_of(pod))


def is_updated(pod: JsonObject, digest: str) -> bool:
    """Whether the pod was made of the present template."""
    return labels_of(pod).get(HASH) == digest
