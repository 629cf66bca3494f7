"""The kinds of metrics.k8s.io: what pods and nodes use, measured when asked and never stored.

No built-in kinds: a cluster serves them where its runtime measures, as one does that has metrics-server.

Source: k8s.io/metrics v0.34 pkg/apis/metrics/v1beta1/types.go; sigs.k8s.io/metrics-server v0.8 pkg/api/install.go, table.go
"""

from __future__ import annotations

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject

GROUP = "metrics.k8s.io"
_READ = ("get", "list")
_USAGE: JsonObject = {
    "type": "object",
    "description": "The memory usage is the memory working set.",
    "additionalProperties": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
_WHEN: JsonObject = {
    "timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "The following fields define time interval from which metrics were collected from the interval "
        "[Timestamp-Window, Timestamp].",
    },
    "window": {"type": "string"},
}
_CONTAINER: JsonObject = {
    "type": "object",
    "description": "ContainerMetrics sets resource usage metrics of a container.",
    "required": ["name", "usage"],
    "properties": {
        "name": {"type": "string", "description": "Container name corresponding to the one from pod.spec.containers."},
        "usage": _USAGE,
    },
}


def _kind(name: str, plural: str, *, namespaced: bool, schema: JsonObject) -> Kind:
    return Kind(
        group=GROUP,
        version="v1beta1",
        kind=name,
        plural=plural,
        singular="",
        namespaced=namespaced,
        schema=f"io.k8s.metrics.pkg.apis.metrics.v1beta1.{name}",
        verbs=_READ,
        custom_schema=schema,
    )


POD_METRICS = _kind(
    "PodMetrics",
    "pods",
    namespaced=True,
    schema={
        "type": "object",
        "description": "PodMetrics sets resource usage metrics of a pod.",
        "required": ["timestamp", "window", "containers"],
        "properties": {
            **_WHEN,
            "containers": {
                "type": "array",
                "description": "Metrics for all containers are collected within the same time window.",
                "items": _CONTAINER,
            },
        },
    },
)
NODE_METRICS = _kind(
    "NodeMetrics",
    "nodes",
    namespaced=False,
    schema={
        "type": "object",
        "description": "NodeMetrics sets resource usage metrics of a node.",
        "required": ["timestamp", "window", "usage"],
        "properties": {**_WHEN, "usage": _USAGE},
    },
)
KINDS = (NODE_METRICS, POD_METRICS)
