"""Which kinds the group `autoscaling` has; v2 is how they are stored."""

from __future__ import annotations

from lifepod.api.kinds import Kind, status_of

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
    ),
)
