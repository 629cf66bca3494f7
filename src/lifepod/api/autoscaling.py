"""Which kinds the group `autoscaling` has; v2 is how they are stored."""

from __future__ import annotations

from lifepod.api.autoscaler_versions import autoscaler_v1, autoscaler_v2
from lifepod.api.defaults_cluster import default_autoscaler, default_autoscaler_v1
from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_autoscaling import autoscaler_errors, autoscaler_update_errors
from lifepod.api.validation_status import autoscaler_status_errors

_STATUS = {"currentReplicas": 0, "desiredReplicas": 0}

KINDS = (
    Kind(
        group="autoscaling",
        version="v2",
        kind="HorizontalPodAutoscaler",
        plural="horizontalpodautoscalers",
        singular="horizontalpodautoscaler",
        namespaced=True,
        schema="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
        short_names=("hpa",),
        categories=("all",),
        subresources=(status_of("HorizontalPodAutoscaler"),),
        has_status=True,
        default=default_autoscaler,
        prepare_create=starting_with(_STATUS),
        validate=autoscaler_errors,
        validate_update=autoscaler_update_errors,
        validate_status=autoscaler_status_errors,
    ),
    Kind(
        group="autoscaling",
        version="v1",
        kind="HorizontalPodAutoscaler",
        plural="horizontalpodautoscalers",
        singular="horizontalpodautoscaler",
        namespaced=True,
        schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
        short_names=("hpa",),
        categories=("all",),
        subresources=(status_of("HorizontalPodAutoscaler"),),
        has_status=True,
        default=default_autoscaler_v1,
        prepare_create=starting_with(_STATUS),
        storage="horizontalpodautoscalers.autoscaling",
        to_storage=autoscaler_v2,
        from_storage=autoscaler_v1,
    ),
)
