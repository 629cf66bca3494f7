"""What a LimitRange does to a pod or claim: fills in resources that are not written, refuses what is out of bounds.

Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/limitranger/admission.go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from lifepod.api.objects import JsonObject, dig
from lifepod.api.pod_resources import Amounts, aggregate, amounts
from lifepod.api.quantity import Quantity, format_quantity, parse_quantity

ANNOTATION = "kubernetes.io/limit-ranger"
Part = Literal["requests", "limits"]


def with_default_resources(pod: JsonObject, limit_range: JsonObject) -> JsonObject:
    """The pod with the default requests and limits of a LimitRange, and an annotation that tells of it."""
    requests, limits = _container_defaults(limit_range)
    if not requests and not limits:
        return pod
    spec = dict(pod["spec"])
    notes: list[str] = []
    for member, word in (("containers", "container"), ("initContainers", "init container")):
        if spec.get(member):
            spec[member] = [_filled(each, word, requests, limits, notes) for each in spec[member]]
    if not notes:
        return pod
    annotations = pod["metadata"].get("annotations") or {}
    told = {**annotations, ANNOTATION: "LimitRanger plugin set: " + "; ".join(notes)}
    return {**pod, "metadata": {**pod["metadata"], "annotations": told}, "spec": spec}


def _container_defaults(limit_range: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Default requests and limits for containers. Source: defaultContainerResourceRequirements"""
    requests: JsonObject = {}
    limits: JsonObject = {}
    for item in _items(limit_range, "Container"):
        requests.update(item.get("defaultRequest") or {})
        limits.update(item.get("default") or {})
    return requests, limits


def _items(limit_range: JsonObject, kind: str) -> Iterator[JsonObject]:
    return (item for item in dig(limit_range, "spec", "limits") or () if item.get("type") == kind)


def _filled(container: JsonObject, word: str, requests: JsonObject, limits: JsonObject, notes: list[str]) -> JsonObject:
    resources = dict(container.get("resources") or {})
    for part, defaults in (("limits", limits), ("requests", requests)):
        have = resources.get(part) or {}
        added = {name: text for name, text in defaults.items() if name not in have}
        if added:
            resources[part] = {**have, **added}
            shown = "limit" if part == "limits" else "request"
            names = ", ".join(sorted(added))
            notes.append(f"{names} {shown} for {word} {container.get('name', '')}")
    return {**container, "resources": resources} if resources else container


# -------------------------------------------------------------------------------------------------------------- bounds


def pod_complaints(pod: JsonObject, limit_range: JsonObject) -> list[str]:
    """What of a pod is out of a LimitRange's bounds. Source: PodValidateLimitFunc"""
    spec: JsonObject = pod["spec"]
    found: list[str] = []
    for item in _items(limit_range, "Container"):
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            resources = container.get("resources")
            found += _out_of_bounds(item, amounts(resources, "requests"), amounts(resources, "limits"))
    for item in _items(limit_range, "Pod"):
        found += _out_of_bounds(item, aggregate(spec, "requests"), aggregate(spec, "limits"))
    return found


def claim_complaints(claim: JsonObject, limit_range: JsonObject) -> list[str]:
    """What of a claim is out of bounds. Source: PersistentVolumeClaimValidateLimitFunc"""
    requests = amounts(dig(claim, "spec", "resources"), "requests")
    found: list[str] = []
    for item in _items(limit_range, "PersistentVolumeClaim"):
        least, most = _bound(item, "min"), _bound(item, "max")
        found += [text for name in sorted(least) if (text := _below(name, least[name], item, requests, {}))]
        found += [
            f"maximum {name} usage per {item['type']} is {format_quantity(most[name])}, "
            f"but request is {format_quantity(requests[name])}"
            for name in sorted(most)
            if name in requests and requests[name].nanos > most[name].nanos
        ]
    return found


def _bound(item: JsonObject, member: str) -> Amounts:
    return {name: parse_quantity(str(text)) for name, text in (item.get(member) or {}).items()}


def _out_of_bounds(item: JsonObject, requests: Amounts, limits: Amounts) -> list[str]:
    least, most, ratio = _bound(item, "min"), _bound(item, "max"), _bound(item, "maxLimitRequestRatio")
    found = [text for name in sorted(least) if (text := _below(name, least[name], item, requests, limits))]
    found += [text for name in sorted(most) if (text := _above(name, most[name], item, requests, limits))]
    return found + [text for name in sorted(ratio) if (text := _apart(name, ratio[name], item, requests, limits))]


def _below(name: str, bound: Quantity, item: JsonObject, requests: Amounts, limits: Amounts) -> str:
    start = f"minimum {name} usage per {item['type']} is {format_quantity(bound)}"
    if name not in requests:
        return f"{start}.  No request is specified"
    if requests[name].nanos < bound.nanos:
        return f"{start}, but request is {format_quantity(requests[name])}"
    if name in limits and limits[name].nanos < bound.nanos:
        return f"{start}, but limit is {format_quantity(limits[name])}"
    return ""


def _above(name: str, bound: Quantity, item: JsonObject, requests: Amounts, limits: Amounts) -> str:
    start = f"maximum {name} usage per {item['type']} is {format_quantity(bound)}"
    if name not in limits:
        return f"{start}.  No limit is specified"
    if limits[name].nanos > bound.nanos:
        return f"{start}, but limit is {format_quantity(limits[name])}"
    if name in requests and requests[name].nanos > bound.nanos:
        return f"{start}, but request is {format_quantity(requests[name])}"
    return ""


def _apart(name: str, bound: Quantity, item: JsonObject, requests: Amounts, limits: Amounts) -> str:
    start = f"{name} max limit to request ratio per {item['type']} is {format_quantity(bound)}"
    request, limit = requests.get(name), limits.get(name)
    if request is None or not request.nanos:
        return f"{start}, but no request is specified or request is 0"
    if limit is None or not limit.nanos:
        return f"{start}, but no limit is specified or limit is 0"
    ratio = limit.nanos / request.nanos
    return f"{start}, but provided ratio is {ratio:f}" if limit.nanos * 10**9 > bound.nanos * request.nanos else ""
