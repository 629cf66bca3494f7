"""How a HorizontalPodAutoscaler of `autoscaling/v1` is kept as v2, and shown as v1 again.

v1 knows one metric, CPU utilization. The others of a v2 object go to an annotation there, so that nothing is lost.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/autoscaling/v1/conversion.go
"""

from __future__ import annotations

import orjson

from lifepod.api.objects import JsonObject

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"


def autoscaler_v2(v1: JsonObject) -> JsonObject:
    """The v2 object that a v1 object means."""
    given: JsonObject = v1.get("spec") or {}
    spec = {name: value for name, value in given.items() if name != "targetCPUUtilizationPercentage"}
    metadata: JsonObject = v1.get("metadata") or {}
    annotations: JsonObject = metadata.get("annotations") or {}
    metrics = orjson.loads(annotations[_METRICS]) if _METRICS in annotations else []
    target = given.get("targetCPUUtilizationPercentage")
    if target is not None:
        metrics = [_cpu_metric(target), *metrics]
    if metrics:
        spec["metrics"] = metrics
    if _BEHAVIOR in annotations:
        spec["behavior"] = orjson.loads(annotations[_BEHAVIOR])
    rest = {name: value for name, value in annotations.items() if name not in (_METRICS, _BEHAVIOR)}
    status: JsonObject = v1.get("status") or {}
    shown = {name: value for name, value in status.items() if name != "currentCPUUtilizationPercentage"}
    if "currentCPUUtilizationPercentage" in status:
        current = {"averageUtilization": status["currentCPUUtilizationPercentage"]}
        shown["currentMetrics"] = [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
    return {**v1, "apiVersion": "autoscaling/v2", "metadata": _annotated(metadata, rest), "spec": spec, "status": shown}


def autoscaler_v1(v2: JsonObject) -> JsonObject:
    """A v2 object as v1 shows it."""
    given: JsonObject = v2.get("spec") or {}
    spec = {name: value for name, value in given.items() if name not in ("metrics", "behavior")}
    metadata: JsonObject = v2.get("metadata") or {}
    annotations = dict(metadata.get("annotations") or {})
    metrics = given.get("metrics") or []
    cpu = next((metric for metric in metrics if _cpu_target(metric) is not None), None)
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = _cpu_target(cpu)
    others = [metric for metric in metrics if metric is not cpu]
    if others:
        annotations[_METRICS] = orjson.dumps(others).decode()
    if given.get("behavior") is not None:
        annotations[_BEHAVIOR] = orjson.dumps(given["behavior"]).decode()
    status = {n: v for n, v in (v2.get("status") or {}).items() if n not in ("currentMetrics", "conditions")}
    for metric in (v2.get("status") or {}).get("currentMetrics") or []:
        resource = metric.get("resource") or {}
        used = (resource.get("current") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and used is not None:
            status["currentCPUUtilizationPercentage"] = used
    metadata = _annotated(metadata, annotations)
    return {**v2, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _cpu_metric(percent: int) -> JsonObject:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _cpu_target(metric: JsonObject) -> int | None:
    resource: JsonObject = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    percent = (resource.get("target") or {}).get("averageUtilization")
    return percent if isinstance(percent, int) else None


def _annotated(metadata: JsonObject, annotations: JsonObject) -> JsonObject:
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**rest, "annotations": annotations} if annotations else rest
