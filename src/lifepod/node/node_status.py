"""The Node object of one agent: how it registers, and the status that it keeps.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_node_status.go: initialNode, registerWithAPIServer;
        pkg/kubelet/nodestatus/setters.go: ReadyCondition, MemoryPressureCondition, DiskPressureCondition, PIDPressureCondition
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time

KUBELET_VERSION = "v1.34.4"
REPORT_EVERY = timedelta(minutes=5)
"""A status that has not changed is written this often. Source: pkg/kubelet/apis/config/v1beta1: NodeStatusReportFrequency."""


class NodeCondition(NamedTuple):
    """A condition that holds as long as the agent runs, with a status of `True` or `False`."""

    type: str
    status: str
    reason: str
    message: str


class NodeSettings(NamedTuple):
    """What a node is. Capacities as quantities; `labels` are put beside those every node has."""

    name: str
    addresses: tuple[str, ...] = ("127.0.0.1",)
    cpu: str = "8"
    memory: str = "16Gi"
    ephemeral_storage: str = "100Gi"
    pods: str = "110"
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[JsonObject, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    pod_cidr: str = "10.244.0.0/24"
    runtime_version: str = "sim://1.0.0"
    architecture: str = "amd64"
    operating_system: str = "linux"
    os_image: str = "lifepod"
    kernel_version: str = ""
    machine_id: str = ""
    conditions: tuple[NodeCondition, ...] = ()

    @property
    def allocatable(self) -> Mapping[str, str]:
        """What pods may ask for: all there is."""
        return {
            "cpu": self.cpu,
            "ephemeral-storage": self.ephemeral_storage,
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
            "memory": self.memory,
            "pods": self.pods,
            **dict(self.extra),
        }


class Pressures(NamedTuple):
    """What the node suffers from."""

    memory: bool = False
    disk: bool = False
    pid: bool = False
    runtime_down: str = ""


def new_node(settings: NodeSettings, now: datetime, pressures: Pressures = Pressures()) -> JsonObject:  # noqa: B008 - a value
    """The object that registers the node."""
    host = settings.name
    labels = {
        "beta.kubernetes.io/arch": settings.architecture,
        "beta.kubernetes.io/os": settings.operating_system,
        "kubernetes.io/arch": settings.architecture,
        "kubernetes.io/hostname": host,
        "kubernetes.io/os": settings.operating_system,
        **dict(settings.labels),
    }
    spec: JsonObject = {"podCIDR": settings.pod_cidr, "podCIDRs": [settings.pod_cidr]}
    if settings.taints:
        spec["taints"] = list(settings.taints)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": host, "labels": labels},
        "spec": spec,
        "status": node_status(settings, pressures, {}, now),
    }


def node_status(settings: NodeSettings, pressures: Pressures, old: JsonObject, now: datetime) -> JsonObject:
    """The node's status; transition times are kept where a condition's status is as it was."""
    addresses = [{"type": "InternalIP", "address": address} for address in settings.addresses]
    return {
        **old,
        "capacity": dict(settings.allocatable),
        "allocatable": dict(settings.allocatable),
        "conditions": _conditions(settings.conditions, pressures, old, now),
        "addresses": [*addresses, {"type": "Hostname", "address": settings.name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "machineID": settings.machine_id,
            "systemUUID": settings.machine_id,
            "bootID": settings.machine_id,
            "kernelVersion": settings.kernel_version,
            "osImage": settings.os_image,
            "containerRuntimeVersion": settings.runtime_version,
            "kubeletVersion": KUBELET_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": settings.operating_system,
            "architecture": settings.architecture,
        },
    }


def _conditions(
    lasting: tuple[NodeCondition, ...], pressures: Pressures, old: JsonObject, now: datetime
) -> list[JsonObject]:
    wanted = (
        (
            "MemoryPressure",
            pressures.memory,
            "Memory",
            "kubelet has insufficient memory available",
            "sufficient memory",
        ),
        ("DiskPressure", pressures.disk, "Disk", "kubelet has disk pressure", "no disk pressure"),
        ("PIDPressure", pressures.pid, "PID", "kubelet has insufficient PID available", "sufficient PID"),
    )
    out = [_condition(*condition, old, now) for condition in lasting]
    for kind, is_true, word, bad, good in wanted:
        if is_true:
            reason = f"KubeletHas{'DiskPressure' if word == 'Disk' else 'Insufficient' + word}"
        else:
            reason = "KubeletHasNoDiskPressure" if word == "Disk" else f"KubeletHasSufficient{word}"
        message = bad if is_true else f"kubelet has {good}{'' if word == 'Disk' else ' available'}"
        out.append(_condition(kind, "True" if is_true else "False", reason, message, old, now))
    if pressures.runtime_down:
        out.append(_condition("Ready", "False", "KubeletNotReady", pressures.runtime_down, old, now))
    else:
        out.append(_condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", old, now))
    return [*_foreign(old, out), *out]


def _foreign(old: JsonObject, own: list[JsonObject]) -> list[JsonObject]:
    types = {c["type"] for c in own}
    return [c for c in old.get("conditions") or () if c["type"] not in types]


def _condition(kind: str, status: str, reason: str, message: str, old: JsonObject, now: datetime) -> JsonObject:
    before = next((c for c in old.get("conditions") or () if c["type"] == kind), None)
    changed = before is None or before.get("status") != status
    moment = format_time(now)
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": moment,
        "lastTransitionTime": moment if changed or before is None else before.get("lastTransitionTime"),
        "reason": reason,
        "message": message,
    }
