"""A ResourceQuota's status says what its namespace uses of each limit.

Key: (namespace, name) of the quota. Refusing is admission's (`apiserver/namespace_limits.py`); both count by `api/quota.py`.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/resourcequota/resource_quota_controller.go: syncResourceQuota
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api import quota
from lifepod.api.quantity import Quantity, format_quantity
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import name_of, namespace_of
from lifepod.controllers.view import Key

RESOURCE = "resourcequotas"
WATCHED = ("pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "replicationcontrollers")
COUNTED = ("jobs.batch", "cronjobs.batch", "deployments.apps", "replicasets.apps", "statefulsets.apps")


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return ((namespace_of(change.obj), name_of(change.obj)),)
    if change.type == "MODIFIED" and change.resource not in ("pods", "services", "persistentvolumeclaims"):
        return ()
    namespace = namespace_of(change.obj)
    return tuple((namespace, name_of(each)) for each in change.view.list(RESOURCE, namespace))


def reconcile(look: Look) -> Outcome:
    """Count what is used, and write it when it is not what stands there."""
    namespace, name = look.key
    found = look.view.get(RESOURCE, namespace, name)
    if found is None:
        return NOTHING
    limits = quota.hard(found)
    used = dict.fromkeys(limits, Quantity(0))
    for resource in sorted(quota.resources_of(limits)):
        present = [obj for obj in look.view.list(resource, namespace) if quota.covers(found, resource, obj)]
        used.update({key: n for key, n in quota.total_usage(resource, present).items() if key in limits})
    status = {
        "hard": {key: format_quantity(amount) for key, amount in limits.items()},
        "used": {key: format_quantity(used[key]) for key in limits},
    }
    if status == (found.get("status") or {}):
        return NOTHING
    body = {"metadata": {"uid": found["metadata"]["uid"]}, "status": status}
    return Outcome(((Wish(Write("update", RESOURCE, namespace, name, body, subresource="status")),),))


RESOURCE_QUOTA = Controller(
    "resource-quota", "resourcequota-controller", (RESOURCE, *WATCHED, *COUNTED), _keys, reconcile
)
