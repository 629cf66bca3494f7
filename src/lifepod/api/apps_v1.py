"""Which kinds the group `apps/v1` has."""

from __future__ import annotations

from lifepod.api.defaults_workloads import (
    default_daemon_set,
    default_deployment,
    default_replica_set,
    default_stateful_set,
)
from lifepod.api.first_status import starting_with
from lifepod.api.honoured_warnings import template_warnings
from lifepod.api.kinds import Kind, scale_of, status_of
from lifepod.api.validation_workloads import (
    daemon_set_errors,
    daemon_set_update_errors,
    deployment_errors,
    deployment_update_errors,
    replica_set_errors,
    replica_set_update_errors,
    stateful_set_errors,
    stateful_set_update_errors,
)

_DAEMON_SET = {
    "currentNumberScheduled": 0,
    "desiredNumberScheduled": 0,
    "numberMisscheduled": 0,
    "numberReady": 0,
}

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
        default=default_daemon_set,
        prepare_create=starting_with(_DAEMON_SET),
        validate=daemon_set_errors,
        warnings=template_warnings("spec", "template", "spec"),
        validate_update=daemon_set_update_errors,
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
        default=default_deployment,
        prepare_create=starting_with({}),
        validate=deployment_errors,
        warnings=template_warnings("spec", "template", "spec"),
        validate_update=deployment_update_errors,
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
        default=default_replica_set,
        prepare_create=starting_with({"replicas": 0}),
        validate=replica_set_errors,
        warnings=template_warnings("spec", "template", "spec"),
        validate_update=replica_set_update_errors,
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
        default=default_stateful_set,
        prepare_create=starting_with({"availableReplicas": 0, "replicas": 0}),
        validate=stateful_set_errors,
        warnings=template_warnings("spec", "template", "spec"),
        validate_update=stateful_set_update_errors,
    ),
)
