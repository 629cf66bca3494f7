"""Which kinds the group `scheduling.k8s.io` has."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_priority_class
from lifepod.api.kinds import Kind
from lifepod.api.validation_policy import priority_class_errors, priority_class_update_errors

KINDS = (
    Kind(
        group="scheduling.k8s.io",
        version="v1",
        kind="PriorityClass",
        plural="priorityclasses",
        singular="priorityclass",
        namespaced=False,
        schema="io.k8s.api.scheduling.v1.PriorityClass",
        short_names=("pc",),
        has_generation=True,
        default=default_priority_class,
        validate=priority_class_errors,
        validate_update=priority_class_update_errors,
    ),
)
