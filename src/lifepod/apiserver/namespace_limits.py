"""Admission by a namespace's LimitRanges and ResourceQuotas. Both cost a look into an empty table where there are none.

Differs: what is used is counted at each request, not taken from the quota's status, so that nothing lags behind.

Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/limitranger/admission.go: Admit, Validate
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/resourcequota/controller.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api import quota
from lifepod.api.kinds import Kind
from lifepod.api.limit_range import claim_complaints, pod_complaints, with_default_resources
from lifepod.api.objects import JsonObject
from lifepod.api.quantity import Quantity
from lifepod.apiserver.status_errors import forbidden
from lifepod.store import Selection

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def _of_namespace(api: Api, resource: str, namespace: str) -> list[JsonObject]:
    if not api.store.count(resource):
        return []
    return [api.store.decoded(record) for record in api.store.list(resource, Selection(namespace)).records]


def with_limit_range_defaults(api: Api, pod: JsonObject) -> JsonObject:
    """A new pod with the resources that its namespace gives by default."""
    for limit_range in _of_namespace(api, "limitranges", pod["metadata"]["namespace"]):
        pod = with_default_resources(pod, limit_range)
    return pod


def check_limit_ranges(api: Api, kind: Kind, obj: JsonObject) -> None:
    """Refuse a pod or claim that is out of bounds. Raises 403."""
    if kind.resource not in ("pods", "persistentvolumeclaims"):
        return
    complaints = pod_complaints if kind.resource == "pods" else claim_complaints
    for limit_range in _of_namespace(api, "limitranges", obj["metadata"]["namespace"]):
        if found := list(dict.fromkeys(complaints(obj, limit_range))):
            text = found[0] if len(found) == 1 else "[" + ", ".join(found) + "]"
            raise forbidden(kind, obj["metadata"].get("name", ""), text)


def check_quotas(api: Api, kind: Kind, obj: JsonObject, old: JsonObject | None = None) -> None:
    """Refuse an object for which a quota has no room. Raises 403."""
    if not kind.namespaced:
        return
    namespace, name = obj["metadata"]["namespace"], obj["metadata"].get("name", "")
    for each in _of_namespace(api, "resourcequotas", namespace):
        limits = quota.hard(each)
        wanted = {key: amount for key, amount in quota.usage(kind.resource, obj).items() if key in limits}
        if kind.resource not in quota.resources_of(limits) or not quota.covers(each, kind.resource, obj):
            continue
        if kind.resource == "pods" and old is None:
            _check_specified(kind, name, each, obj)
        if not wanted:
            continue
        if old is not None:
            before = quota.usage(kind.resource, old)
            wanted = {
                key: Quantity(amount.nanos - before.get(key, Quantity(0)).nanos, amount.format)
                for key, amount in wanted.items()
            }
        present = [o for o in _of_namespace(api, kind.resource, namespace) if quota.covers(each, kind.resource, o)]
        if why := quota.excess(each, quota.total_usage(kind.resource, present), wanted):
            raise forbidden(kind, name, why)


def _check_specified(kind: Kind, name: str, each: JsonObject, pod: JsonObject) -> None:
    missing = quota.unspecified(each, pod["spec"])
    if missing:
        told = "; ".join(f"{resource} for: {','.join(names)}" for resource, names in missing.items())
        raise forbidden(kind, name, f"failed quota: {each['metadata']['name']}: must specify {told}")
