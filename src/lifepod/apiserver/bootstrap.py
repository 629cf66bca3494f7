"""What every cluster has before anybody asks: namespaces, the `kubernetes` Service, priority classes, roles, service accounts.

Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/controller/systemnamespaces, pkg/controlplane/controller/kubernetesservice
        k8s.io/kubernetes v1.34.4 pkg/registry/scheduling/rest/storage_scheduling.go: AddSystemPriorityClasses
        k8s.io/kubernetes v1.34.4 pkg/registry/rbac/rest/storage_rbac.go: PolicyData.EnsureRBACPolicy
        k8s.io/kubernetes v1.34.4 pkg/controller/{serviceaccount/serviceaccounts_controller,certificates/rootcacertpublisher}
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.rbac_policy import PolicyObject, bootstrap_policy
from lifepod.apiserver.create import create_stored
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.registrations import register_builtin
from lifepod.apiserver.service_addresses import address_of_api

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_CA_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


_STORAGE_CLASS: JsonObject = {
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "lifepod.dev/folder",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
}


def bootstrap(api: Api, now: datetime) -> None:
    """Make what is missing of a cluster's own objects."""
    options = WriteOptions(now)
    for name in SYSTEM_NAMESPACES:
        _ensure(api, "namespaces", {"metadata": {"name": name}}, options)
    for obj in _priority_classes():
        _ensure(api, "priorityclasses.scheduling.k8s.io", obj, options)
    _ensure(api, "storageclasses.storage.k8s.io", _STORAGE_CLASS, options)
    _ensure(api, "services", _kubernetes_service(api), options)
    _ensure_policy(api, now)
    register_builtin(api, options)


def _ensure(api: Api, resource: str, obj: JsonObject, options: WriteOptions) -> None:
    try:
        kind = api.kinds.of(resource)
    except KeyError:
        return
    metadata = obj["metadata"]
    if api.store.record(resource, metadata.get("namespace", ""), metadata["name"]) is None:
        create_stored(api, kind, {"kind": kind.kind, "apiVersion": kind.api_version, **obj}, options)


def _ensure_policy(api: Api, now: datetime) -> None:
    """The default roles and bindings that are missing.

    They are stored as they stand: each is known to be good, and a cluster for a test is made in two milliseconds. For the same
    reason their uids are the same in all clusters.
    """
    created = format_time(now)
    for resource, obj in _policy():
        metadata = obj["metadata"]
        if api.store.record(resource, metadata.get("namespace", ""), metadata["name"]) is None:
            api.store.create(resource, {**obj, "metadata": {**metadata, "creationTimestamp": created}}, now)


@cache
def _policy() -> tuple[PolicyObject, ...]:
    return tuple(PolicyObject(resource, _identified(resource, obj)) for resource, obj in bootstrap_policy())


def _identified(resource: str, obj: JsonObject) -> JsonObject:
    metadata = obj["metadata"]
    at = f"{resource}/{metadata.get('namespace', '')}/{metadata['name']}"
    digest = hashlib.sha256(at.encode()).hexdigest()
    uid = f"{digest[:8]}-{digest[8:12]}-5{digest[12:15]}-8{digest[15:18]}-{digest[18:30]}"
    return {**obj, "metadata": {**metadata, "uid": uid}}


def furnish_namespace(api: Api, namespace: str, now: datetime) -> None:
    """The service account `default` and the config map `kube-root-ca.crt` of a namespace."""
    options = WriteOptions(now)
    account = {"metadata": {"name": "default", "namespace": namespace}}
    _ensure(api, "serviceaccounts", account, options)
    metadata = {
        "name": "kube-root-ca.crt",
        "namespace": namespace,
        "annotations": {"kubernetes.io/description": _CA_NOTE},
    }
    _ensure(api, "configmaps", {"metadata": metadata, "data": {"ca.crt": api.settings.root_ca}}, options)


def _priority_classes() -> list[JsonObject]:
    text = {
        "system-node-critical": (
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
        "system-cluster-critical": (
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
    }
    return [
        {
            "metadata": {"name": name},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, (value, description) in text.items()
    ]


def _kubernetes_service(api: Api) -> JsonObject:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address_of_api(api.settings.service_cidr),
            "ports": [
                {"name": "https", "protocol": "TCP", "port": 443, "targetPort": api.settings.api_port},
            ],
            "type": "ClusterIP",
            "sessionAffinity": "None",
        },
    }
