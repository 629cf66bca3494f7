"""Must the node stop a pod for what it has on disk beyond its own limits? Does a node under pressure take a new pod?

The node agent measures and asks; what follows from a `KillRequest` is the machine's affair (lifecycle.md §1.5).

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/eviction/eviction_manager.go, helpers.go
"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.api.objects import JsonObject, dig
from lifepod.api.pod_resources import aggregate, qos_class
from lifepod.api.quantity import Quantity, parse_quantity
from lifepod.lifecycle.vocabulary import KillRequest, Refusal

IMMEDIATE_GRACE_SECONDS = 1
SYSTEM_CRITICAL_PRIORITY = 2_000_000_000
EVICTED = "Evicted"
DISK = "ephemeral-storage"


class Usage(NamedTuple):
    """The bytes that a pod has on disk: (volume, bytes) of its own folders, (container, bytes) of layers and logs."""

    volumes: tuple[tuple[str, int], ...] = ()
    containers: tuple[tuple[str, int], ...] = ()


def has_disk_limits(pod: JsonObject) -> bool:
    """Whether there is anything to measure."""
    spec = pod["spec"]
    volumes = any(dig(v, "emptyDir", "sizeLimit") for v in spec.get("volumes") or ())
    return volumes or any(_limit(c) is not None for c in _containers(spec))


def over_own_limits(pod: JsonObject, usage: Usage) -> KillRequest | None:
    """An emptyDir over its sizeLimit, the pod over its containers' limits, a container over its own: the first counts.

    A critical pod stays.

    Source: eviction_manager.go: localStorageEviction, evictPod
    """
    if is_critical(pod):
        return None
    text = _empty_dir_over(pod, usage) or _pod_over(pod, usage) or _container_over(pod, usage)
    return KillRequest(EVICTED, text, IMMEDIATE_GRACE_SECONDS) if text else None


def _containers(spec: JsonObject) -> list[JsonObject]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _limit(container: JsonObject) -> Quantity | None:
    found = dig(container, "resources", "limits", DISK)
    return parse_quantity(str(found)) if found is not None else None


def _empty_dir_over(pod: JsonObject, usage: Usage) -> str:
    used = dict(usage.volumes)
    for volume in pod["spec"].get("volumes") or ():
        limit = dig(volume, "emptyDir", "sizeLimit")
        if limit and 0 < parse_quantity(str(limit)).value < used.get(volume["name"], 0):
            return f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
    return ""


def _pod_over(pod: JsonObject, usage: Usage) -> str:
    total = aggregate(pod["spec"], "limits").get(DISK)
    if total is None:
        return ""
    local = {v["name"] for v in pod["spec"].get("volumes") or () if dig(v, "emptyDir", "medium") != "Memory"}
    used = sum(n for _, n in usage.containers) + sum(n for name, n in usage.volumes if name in local)
    if used <= total.value:
        return ""
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {total}. "


def _container_over(pod: JsonObject, usage: Usage) -> str:
    used = dict(usage.containers)
    for container in pod["spec"].get("containers") or ():
        limit = _limit(container)
        if limit is not None and 0 < limit.value < used.get(container["name"], 0):
            shown = dig(container, "resources", "limits", DISK)
            return f'Container {container["name"]} exceeded its local ephemeral storage limit "{shown}". '
    return ""


# ------------------------------------------------------------------------------------------------ pressure


def is_critical(pod: JsonObject) -> bool:
    """Static and mirror pods aside: a priority reserved for the system. Source: pkg/kubelet/types/pod_update.go: IsCriticalPod."""
    return (pod["spec"].get("priority") or 0) >= SYSTEM_CRITICAL_PRIORITY


def refusal_under_pressure(pod: JsonObject, memory: bool, disk: bool, pid: bool) -> Refusal | None:
    """A node under pressure takes critical pods; under memory pressure alone also those that are not best effort.

    Source: eviction_manager.go: Admit
    """
    names = ["MemoryPressure"] * memory + ["DiskPressure"] * disk + ["PIDPressure"] * pid
    if not names or is_critical(pod):
        return None
    if memory and not (disk or pid) and (qos_class(pod["spec"]) != "BestEffort" or _tolerates_memory_pressure(pod)):
        return None
    return Refusal(EVICTED, f"The node had condition: [{' '.join(names)}]. ")


def _tolerates_memory_pressure(pod: JsonObject) -> bool:
    return any(
        toleration.get("operator") == "Exists"
        and toleration.get("effect") in (None, "", "NoSchedule")
        and toleration.get("key") in (None, "", "node.kubernetes.io/memory-pressure")
        for toleration in pod["spec"].get("tolerations") or ()
    )
