"""Which pods stand behind a Service, and on which ports: what Endpoints and EndpointSlices have in common.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/endpoint/endpoints_controller.go, pkg/controller/util/endpoint
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.label_selection import all_equal
from lifepod.controllers.outcome import Change
from lifepod.controllers.ownership import key_of, labels_of, name_of, namespace_of, uid_of
from lifepod.controllers.pod_facts import is_finished, is_ready
from lifepod.controllers.view import Key, View

MANY_PODS = 100
BATCH_PERIOD = timedelta(seconds=1)
"""With more pods than that behind it, a Service is looked at once a second at most."""


class Backend(NamedTuple):
    """One pod behind a Service."""

    pod: JsonObject
    ips: tuple[str, ...]
    node: str
    ready: bool
    terminating: bool
    hostname: str


def service_keys(change: Change, own: str) -> Iterable[Key]:
    """The Services that a change of a Service, of a pod or of our own object `own` concerns."""
    if change.resource == "services":
        return (key_of(change.obj),)
    if change.resource == own:
        service = labels_of(change.obj).get("kubernetes.io/service-name") if own.startswith("endpointslices") else None
        return ((namespace_of(change.obj), service or name_of(change.obj)),)
    seen = [labels_of(change.obj)]
    if change.old is not None and labels_of(change.old) != seen[0]:
        seen.append(labels_of(change.old))
    if not any(seen):
        return ()  # a selector asks for a label at least
    if change.old is not None and change.type == "MODIFIED" and _looks_same(change.old, change.obj):
        return ()
    return [
        key_of(service)
        for service in change.view.list("services", namespace_of(change.obj))
        if any(_selects(service, labels) for labels in seen)
    ]


def _looks_same(old: JsonObject, new: JsonObject) -> bool:
    """Whether nothing that endpoints show of a pod differs."""
    return _shown(old) == _shown(new) and labels_of(old) == labels_of(new)


def _shown(pod: JsonObject) -> tuple[object, ...]:
    status = pod.get("status") or {}
    deleted = pod["metadata"].get("deletionTimestamp") is not None
    return (
        status.get("podIPs") or status.get("podIP"),
        pod["spec"].get("nodeName"),
        deleted,
        is_ready(pod),
        is_finished(pod),
    )


def _selects(service: JsonObject, labels: Mapping[str, str]) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and all_equal(selector, labels)


def backends_of(view: View, service: JsonObject) -> list[Backend]:
    """The pods that the Service selects and that have an address; finished ones never count.

    Source: k8s.io/endpointslice v0.34.4 util/controller_utils.go: ShouldPodBeInEndpoints
    """
    found = []
    for pod in view.labelled("pods", namespace_of(service), service["spec"]["selector"]):
        status = pod.get("status") or {}
        ips = tuple(entry.get("ip", "") for entry in status.get("podIPs") or ()) or ((status.get("podIP") or ""),)
        if is_finished(pod) or not ips[0]:
            continue
        terminating = pod["metadata"].get("deletionTimestamp") is not None
        found.append(
            Backend(pod, ips, pod["spec"].get("nodeName", ""), is_ready(pod), terminating, _hostname(pod, service))
        )
    return found


def _hostname(pod: JsonObject, service: JsonObject) -> str:
    """A pod is addressed by hostname below its Service when its `subdomain` is that Service's name."""
    if pod["spec"].get("subdomain") != name_of(service):
        return ""
    hostname: str = pod["spec"].get("hostname") or ""
    return hostname


def publishes_unready(service: JsonObject) -> bool:
    """Whether addresses count as ready whatever their pods say."""
    return bool(service["spec"].get("publishNotReadyAddresses"))


def port_number(pod: JsonObject, port: JsonObject) -> int | None:
    """The container port that a Service port means for this pod; None when the pod has no port of that name.

    Source: k8s.io/kubernetes v1.34.4 pkg/api/v1/pod/util.go: FindPort
    """
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, int):
        return target or port.get("port")
    sidecars = [c for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in (*(pod["spec"].get("containers") or ()), *sidecars):
        for declared in container.get("ports") or ():
            if declared.get("name") == target and (declared.get("protocol") or "TCP") == (
                port.get("protocol") or "TCP"
            ):
                number: int = declared["containerPort"]
                return number
    return None


def ports_of(service: JsonObject, pod: JsonObject) -> tuple[JsonObject, ...]:
    """The Service's ports as this pod has them."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = port_number(pod, port)
        if number is None:
            continue
        shown: JsonObject = {"name": port.get("name") or "", "port": number, "protocol": port.get("protocol") or "TCP"}
        if port.get("appProtocol"):
            shown["appProtocol"] = port["appProtocol"]
        found.append(shown)
    return tuple(found)


def target_reference(pod: JsonObject) -> JsonObject:
    """How an address names its pod."""
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}
