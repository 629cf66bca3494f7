"""How much a pod asks for as a whole, and which quality of service follows from it."""

from __future__ import annotations

from typing import Literal

from lifepod.api.objects import JsonObject
from lifepod.api.quantity import Quantity, format_quantity, parse_quantity

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]
Amounts = dict[str, Quantity]

_QOS_RESOURCES = ("cpu", "memory")


def amounts(resources: JsonObject | None, which: Literal["requests", "limits"]) -> Amounts:
    """The quantities under `requests` or `limits` of a container's `resources`."""
    return {name: parse_quantity(str(text)) for name, text in ((resources or {}).get(which) or {}).items()}


def pod_requests_of_containers(spec: JsonObject, which: Literal["requests", "limits"] = "requests") -> dict[str, str]:
    """What the containers of a pod need at most at one time, per resource, as text.

    Regular containers and sidecars run together; an init container runs with the sidecars started before it. Each
    resource takes the larger of the two.

    Source: k8s.io/component-helpers v0.34.4 resource/helpers.go: AggregateContainerRequests
    """
    return {name: format_quantity(amount) for name, amount in aggregate(spec, which).items()}


def aggregate(spec: JsonObject, which: Literal["requests", "limits"] = "requests") -> Amounts:
    """As `pod_requests_of_containers`, as quantities."""
    together: Amounts = {}
    for container in spec.get("containers") or []:
        _add(together, amounts(container.get("resources"), which))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or []:
        wanted = amounts(container.get("resources"), which)
        if container.get("restartPolicy") == "Always":
            _add(together, wanted)
            _add(sidecars, wanted)
            wanted = dict(sidecars)
        else:
            wanted = _added(sidecars, wanted)
        _raise(peak, wanted)
    _raise(together, peak)
    return together


def pod_requests(spec: JsonObject) -> Amounts:
    """What the scheduler counts a pod as: its containers' or its own pod-level requests, plus the overhead.

    Source: k8s.io/component-helpers v0.34.4 resource/helpers.go: PodRequests
    """
    total = aggregate(spec)
    total.update(amounts(spec.get("resources"), "requests"))
    _add(total, {name: parse_quantity(str(text)) for name, text in (spec.get("overhead") or {}).items()})
    return total


def _added(left: Amounts, right: Amounts) -> Amounts:
    total = dict(left)
    _add(total, right)
    return total


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        held = total.get(name)
        total[name] = amount if held is None else Quantity(held.nanos + amount.nanos, held.format)


def _raise(total: Amounts, other: Amounts) -> None:
    for name, amount in other.items():
        held = total.get(name)
        if held is None or held.nanos < amount.nanos:
            total[name] = amount


def qos_class(spec: JsonObject) -> QosClass:
    """`BestEffort`: nothing asked; `Guaranteed`: cpu and memory limits on every container equal to requests; else `Burstable`.

    Pod-level resources, when set, decide alone.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/helper/qos/qos.go: ComputePodQOS
    """
    pod_level = spec.get("resources")
    if pod_level is not None:
        return _qos([pod_level])
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return _qos([container.get("resources") or {} for container in containers])


def _qos(all_resources: list[JsonObject]) -> QosClass:
    asked, guaranteed = False, True
    requests: Amounts = {}
    limits: Amounts = {}
    for resources in all_resources:
        wanted = _positive(amounts(resources, "requests"))
        bound = _positive(amounts(resources, "limits"))
        asked = asked or bool(wanted) or bool(bound)
        guaranteed = guaranteed and bound.keys() >= set(_QOS_RESOURCES)
        _add(requests, wanted)
        _add(limits, bound)
    if not asked:
        return "BestEffort"
    equal = requests.keys() == limits.keys() and all(limits[name].nanos == q.nanos for name, q in requests.items())
    return "Guaranteed" if guaranteed and equal else "Burstable"


def _positive(held: Amounts) -> Amounts:
    return {name: amount for name, amount in held.items() if name in _QOS_RESOURCES and amount.nanos > 0}
