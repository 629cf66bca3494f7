"""What controllers read off a pod: finished, active, ready since when, available; and how one is made of a template.

Source: k8s.io/kubernetes v1.34.4 pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, parse_time
from lifepod.controllers.ownership import controller_reference, is_being_deleted, namespace_of

NAME_PREFIX_LENGTH = 58


def phase_of(pod: JsonObject) -> str:
    """`status.phase`, "" when it has none yet."""
    phase: str = (pod.get("status") or {}).get("phase") or ""
    return phase


def is_finished(pod: JsonObject) -> bool:
    """Whether the phase is terminal."""
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: JsonObject) -> bool:
    """Neither finished nor being deleted."""
    return not is_finished(pod) and not is_being_deleted(pod)


def is_terminating(pod: JsonObject) -> bool:
    """Being deleted, but not finished."""
    return is_being_deleted(pod) and not is_finished(pod)


def condition_of(obj: JsonObject, type_: str) -> JsonObject | None:
    """The condition of that type in `status.conditions`, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_:
            found: JsonObject = condition
            return found
    return None


def is_ready(pod: JsonObject) -> bool:
    """Whether the Ready condition is True."""
    condition = condition_of(pod, "Ready")
    return condition is not None and condition.get("status") == "True"


def ready_since(pod: JsonObject) -> datetime | None:
    """When Ready became True; None while it is not."""
    condition = condition_of(pod, "Ready")
    if condition is None or condition.get("status") != "True" or not condition.get("lastTransitionTime"):
        return None
    return parse_time(condition["lastTransitionTime"])


def available_at(pod: JsonObject, min_ready_seconds: int) -> datetime | None:
    """When the pod counts as available: ready for minReadySeconds without a break. None while it is not ready.

    Source: k8s.io/kubernetes v1.34.4 pkg/api/v1/pod/util.go: IsPodAvailable
    """
    since = ready_since(pod)
    return None if since is None else since + timedelta(seconds=min_ready_seconds)


def is_available(pod: JsonObject, min_ready_seconds: int, now: datetime) -> bool:
    """Whether the pod has been ready for minReadySeconds; with 0, as soon as it is Ready."""
    if not is_ready(pod):
        return False
    moment = available_at(pod, min_ready_seconds)
    return min_ready_seconds == 0 or (moment is not None and moment <= now)


def generated_name(prefix: str, suffix: str) -> str:
    """What generateName makes of a prefix: cut to 58 characters, then the suffix."""
    return prefix[:NAME_PREFIX_LENGTH] + suffix


def pod_from_template(owner: JsonObject, template: JsonObject, prefix: str, name: str) -> JsonObject:
    """A pod as controllers create it: the template's labels, annotations, finalizers and spec, controlled by the owner.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/controller_utils.go: GetPodFromTemplate
    """
    wanted = template.get("metadata") or {}
    metadata: JsonObject = {"name": name, "namespace": namespace_of(owner)}
    if prefix:
        metadata["generateName"] = prefix
    for member in ("labels", "annotations", "finalizers"):
        if wanted.get(member):
            metadata[member] = wanted[member]
    metadata["ownerReferences"] = [controller_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}
