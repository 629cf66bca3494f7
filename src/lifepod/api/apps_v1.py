"""Which kinds the group `apps/v1` has."""

from __future__ import annotations

from lifepod.api.kinds import Kind, scale_of, status_of

KINDS = (
    Kind(
        group="apps",
        version="v1",
        kind="ControllerRevision",
        plural="controllerrevisions",
        singular="controllerrevision",
        namespaced=True,
        schema="io.k8s.api.apps.v1.ControllerRevision",
    ),
    Kind(
        group="apps",
        version="v1",
        kind="DaemonSet",
        plural="daemonsets",
        singular="daemonset",
        namespaced=True,
        schema="io.k8s.api.apps.v1.DaemonSet",
        short_names=("ds",),
        categories=("all",),
        subresources=(status_of("DaemonSet"),),
        has_generation=True,
        has_status=True,
    ),
    Kind(
        group="apps",
        version="v1",
        kind="Deployment",
        plural="deployments",
        singular="deployment",
        namespaced=True,
        schema="io.k8s.api.apps.v1.Deployment",
        short_names=("deploy",),
        categories=("all",),
        subresources=(
            scale_of(),
            status_of("Deployment"),
        ),
        has_generation=True,
        has_status=True,
    ),
    Kind(
        group="apps",
        version="v1",
        kind="ReplicaSet",
        plural="replicasets",
        singular="replicaset",
        namespaced=True,
        schema="io.k8s.api.apps.v1.ReplicaSet",
        short_names=("rs",),
        categories=("all",),
        subresources=(
            scale_of(),
            status_of("ReplicaSet"),
        ),
        has_generation=True,
        has_status=True,
        fields={"status.replicas": ("status", "replicas")},
    ),
    Kind(
        group="apps",
        version="v1",
        kind="StatefulSet",
        plural="statefulsets",
        singular="statefulset",
        namespaced=True,
        schema="io.k8s.api.apps.v1.StatefulSet",
        short_names=("sts",),
        categories=("all",),
        subresources=(
            scale_of(),
            status_of("StatefulSet"),
        ),
        has_generation=True,
        has_status=True,
    ),
)
