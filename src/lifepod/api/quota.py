"""What an object counts against a ResourceQuota, and which quotas it counts against.

Source: k8s.io/kubernetes v1.34.4 pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims}.go
        k8s.io/apiserver v0.34.4 pkg/quota/v1/generic/evaluator.go: objectCountEvaluator
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lifepod.api.objects import JsonObject, dig
from lifepod.api.pod_resources import Amounts, aggregate, qos_class
from lifepod.api.quantity import Quantity, format_quantity, parse_quantity

_ONE = Quantity(10**9)
_COUNTED_BY_NAME = frozenset(
    (
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
    )
)
"""Resources that a quota may name without `count/`."""
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_DEFAULT_CLASS = ".storageclass.storage.k8s.io/"


def usage(resource: str, obj: JsonObject) -> Amounts:
    """What one object uses, under every name by which a quota may limit it; nothing for a pod that has ended."""
    if resource == "pods" and dig(obj, "status", "phase") in ("Succeeded", "Failed"):
        return {f"count/{resource}": _ONE}
    used: Amounts = {f"count/{resource}": _ONE}
    if resource in _COUNTED_BY_NAME:
        used[resource] = _ONE
    match resource:
        case "pods":
            used.update(_pod_usage(obj.get("spec") or {}))
        case "services":
            used.update(_service_usage(obj.get("spec") or {}))
        case "persistentvolumeclaims":
            used.update(_claim_usage(obj.get("spec") or {}))
    return used


def _pod_usage(spec: JsonObject) -> Amounts:
    requests, limits = aggregate(spec, "requests"), aggregate(spec, "limits")
    used: Amounts = {}
    for name, amount in requests.items():
        used[f"requests.{name}"] = amount
        if name in _COMPUTE:
            used[name] = amount
    for name in _COMPUTE:
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    return used


def _service_usage(spec: JsonObject) -> Amounts:
    ports = len(spec.get("ports") or ())
    match spec.get("type"):
        case "NodePort":
            return {"services.nodeports": Quantity(ports * 10**9)}
        case "LoadBalancer":
            allots = spec.get("allocateLoadBalancerNodePorts") is not False
            nodes = {"services.nodeports": Quantity(ports * 10**9)} if allots else {}
            return {"services.loadbalancers": _ONE, **nodes}
        case _:
            return {}


def _claim_usage(spec: JsonObject) -> Amounts:
    text = dig(spec, "resources", "requests", "storage")
    size = {"requests.storage": parse_quantity(str(text))} if text else {}
    name = spec.get("storageClassName")
    if not name:
        return size
    prefix = f"{name}{_DEFAULT_CLASS}"
    return {**size, f"{prefix}persistentvolumeclaims": _ONE, **{f"{prefix}{k}": v for k, v in size.items()}}


def total_usage(resource: str, objects: Iterable[JsonObject]) -> Amounts:
    """What many objects of a resource use together."""
    total: Amounts = {}
    for obj in objects:
        for name, amount in usage(resource, obj).items():
            held = total.get(name)
            total[name] = amount if held is None else Quantity(held.nanos + amount.nanos, held.format)
    return total


def hard(quota: JsonObject) -> Amounts:
    """The limits that a quota sets."""
    return {name: parse_quantity(str(text)) for name, text in (dig(quota, "spec", "hard") or {}).items()}


def covers(quota: JsonObject, resource: str, obj: JsonObject) -> bool:
    """Whether an object falls under a quota's scopes. Quotas with scopes are about pods alone.

    Source: pkg/quota/v1/evaluator/core/pods.go: podMatchesScopeFunc
    """
    spec: JsonObject = quota.get("spec") or {}
    terms = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    terms += dig(spec, "scopeSelector", "matchExpressions") or []
    if not terms:
        return True
    return resource == "pods" and all(_in_scope(obj.get("spec") or {}, term) for term in terms)


def _in_scope(spec: JsonObject, term: JsonObject) -> bool:
    match term["scopeName"]:
        case "Terminating":
            return (spec.get("activeDeadlineSeconds") or -1) >= 0
        case "NotTerminating":
            return (spec.get("activeDeadlineSeconds") or -1) < 0
        case "BestEffort":
            return qos_class(spec) == "BestEffort"
        case "NotBestEffort":
            return qos_class(spec) != "BestEffort"
        case "PriorityClass":
            return _has_class(spec.get("priorityClassName") or "", term)
    return False


def _has_class(name: str, term: JsonObject) -> bool:
    match term.get("operator"):
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in (term.get("values") or ())
        case _:
            return bool(name) and name not in (term.get("values") or ())


def unspecified(quota: JsonObject, spec: JsonObject) -> dict[str, list[str]]:
    """Which containers do not say what a quota limits: `requests.cpu` → names. Source: pods.go: Constraints"""
    missing: dict[str, list[str]] = {}
    for name in sorted(hard(quota)):
        part, _, resource = name.rpartition(".") if "." in name else ("requests", "", name)
        if resource not in _COMPUTE[:2] or part not in ("requests", "limits"):
            continue
        lacking = [
            container["name"]
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
            if resource not in (dig(container, "resources", part) or {})
        ]
        if lacking:
            missing[name] = sorted(lacking)
    return missing


def excess(quota: JsonObject, used: Amounts, wanted: Amounts) -> str:
    """Why a quota has no room: `exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1`; "" when it has.

    Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/resourcequota/controller.go: CheckRequest
    """
    limits = hard(quota)
    zero = Quantity(0)
    over = sorted(
        name
        for name, limit in limits.items()
        if name in wanted and wanted[name].nanos > 0 and used.get(name, zero).nanos + wanted[name].nanos > limit.nanos
    )
    if not over:
        return ""
    return (
        f"exceeded quota: {quota['metadata']['name']}, requested: {_listed(over, wanted)}, "
        f"used: {_listed(over, used)}, limited: {_listed(over, limits)}"
    )


def _listed(names: list[str], amounts: Mapping[str, Quantity]) -> str:
    zero = Quantity(0)
    return ",".join(f"{name}={format_quantity(amounts.get(name, zero))}" for name in names)


def resources_of(names: Iterable[str]) -> set[str]:
    """The resources whose objects the names of a quota's limits are about."""
    found: set[str] = set()
    for name in names:
        if name.startswith("count/"):
            found.add(name.removeprefix("count/"))
        elif name.startswith("services"):
            found.add("services")
        elif name.endswith(("requests.storage", "persistentvolumeclaims")):
            found.add("persistentvolumeclaims")
        elif name in _COUNTED_BY_NAME:
            found.add(name)
        else:
            found.add("pods")
    return found
