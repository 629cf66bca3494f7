"""What the API makes of a pod on each way in: create, update, and the subresources that change only a part of it.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject
from lifepod.api.pod_resources import qos_class

_GATED: JsonObject = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "lastTransitionTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def prepared_pod(pod: JsonObject) -> JsonObject:
    """A new pod: pending, with its quality of service; gated pods say so; match label keys become selectors.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: podStrategy.PrepareForCreate
    """
    spec: JsonObject = pod.get("spec") or {}
    status: JsonObject = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        status["conditions"] = [_GATED]
    labels = (pod.get("metadata") or {}).get("labels") or {}
    affinity = spec.get("affinity")
    if affinity:
        filled = _affinity_with_label_keys(affinity, labels)
        if filled is not affinity:
            spec = {**spec, "affinity": filled}
    spread = spec.get("topologySpreadConstraints")
    if spread:
        spec = {**spec, "topologySpreadConstraints": [_with_keys(constraint, labels) for constraint in spread]}
    return {**pod, "spec": spec, "status": status}


def _affinity_with_label_keys(affinity: JsonObject, labels: JsonObject) -> JsonObject:
    """Every pod affinity term with its (mis)match label keys written into its selector.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: mutatePodAffinity
    """
    changed: JsonObject = {}
    for side in ("podAffinity", "podAntiAffinity"):
        held = affinity.get(side)
        if not held:
            continue
        required = held.get("requiredDuringSchedulingIgnoredDuringExecution")
        preferred = held.get("preferredDuringSchedulingIgnoredDuringExecution")
        filled = dict(held)
        if required:
            filled["requiredDuringSchedulingIgnoredDuringExecution"] = [_with_keys(term, labels) for term in required]
        if preferred:
            filled["preferredDuringSchedulingIgnoredDuringExecution"] = [
                {**weighted, "podAffinityTerm": _with_keys(weighted.get("podAffinityTerm") or {}, labels)}
                for weighted in preferred
            ]
        if filled != held:
            changed[side] = filled
    return {**affinity, **changed} if changed else affinity


def _with_keys(term: JsonObject, labels: JsonObject) -> JsonObject:
    selector = term.get("labelSelector")
    wanted = [(key, "In") for key in term.get("matchLabelKeys") or []]
    wanted += [(key, "NotIn") for key in term.get("mismatchLabelKeys") or []]
    more = [{"key": key, "operator": operator, "values": [labels[key]]} for key, operator in wanted if key in labels]
    if selector is None or not more:
        return term
    expressions = [*(selector.get("matchExpressions") or []), *more]
    return {**term, "labelSelector": {**selector, "matchExpressions": expressions}}


def prepared_ephemeral_containers(pod: JsonObject, old: JsonObject) -> JsonObject:
    """A write to `ephemeralcontainers`: the pod as it was, with the new list of ephemeral containers.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: dropNonEphemeralContainerUpdates
    """
    wanted = (pod.get("spec") or {}).get("ephemeralContainers")
    spec = {name: value for name, value in old["spec"].items() if name != "ephemeralContainers"}
    if wanted:
        spec["ephemeralContainers"] = wanted
    return {**old, "metadata": _metadata_of_subresource(pod, old), "spec": spec}


def prepared_resize(pod: JsonObject, old: JsonObject) -> JsonObject:
    """A write to `resize`: the pod as it was, with the new resources and resize policies of its containers.

    When containers were added, renamed or reordered the pod comes back as asked, for validation to refuse.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: dropNonResizeUpdates
    """
    spec = dict(old["spec"])
    for name in ("containers", "initContainers"):
        wanted: list[JsonObject] = (pod.get("spec") or {}).get(name) or []
        held: list[JsonObject] = spec.get(name) or []
        if [c.get("name") for c in wanted] != [c.get("name") for c in held]:
            return {**pod, "status": old.get("status")}
        if held:
            spec[name] = [_resized(container, new) for container, new in zip(held, wanted, strict=True)]
    return {**old, "metadata": _metadata_of_subresource(pod, old), "spec": spec}


def _resized(container: JsonObject, wanted: JsonObject) -> JsonObject:
    rest = {name: value for name, value in container.items() if name not in ("resources", "resizePolicy")}
    kept = {name: wanted[name] for name in ("resources", "resizePolicy") if wanted.get(name) is not None}
    return {**rest, **kept}


def _metadata_of_subresource(pod: JsonObject, old: JsonObject) -> JsonObject:
    """What of the metadata a subresource write decides: its resource version and managed fields; the rest stays."""
    given = pod.get("metadata") or {}
    passed = {name: given[name] for name in ("resourceVersion", "managedFields") if name in given}
    return {**old["metadata"], **passed}
