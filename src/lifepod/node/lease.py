"""A node's heartbeat: its Lease in `kube-node-lease`, renewed every 10 s.

Source: k8s.io/kubernetes v1.34.4 staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go: newLease;
        pkg/kubelet/kubelet.go: nodeLeaseRenewIntervalFraction
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, format_micro_time
from lifepod.api.writes import Write

NAMESPACE = "kube-node-lease"
DURATION_SECONDS = 40
RENEW_EVERY = timedelta(seconds=10)


def renewal(node: str, node_uid: str, lease: JsonObject | None, now: datetime) -> Write:
    """The write that renews the lease, or makes it."""
    renewed = format_micro_time(now)
    if lease is None:
        owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": node, "namespace": NAMESPACE, "ownerReferences": [owner] if node_uid else []},
            "spec": {"holderIdentity": node, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": renewed},
        }
        return Write("create", "leases.coordination.k8s.io", NAMESPACE, node, body)
    body = {"spec": {"renewTime": renewed}}
    return Write("patch", "leases.coordination.k8s.io", NAMESPACE, node, body, patch_type="merge")
