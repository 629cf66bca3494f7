"""What `kubectl get` prints of the kinds that make pods.

Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from datetime import datetime

from lifepod.api.human_duration import human_duration
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.selectors import label_terms, selector_text
from lifepod.api.table_times import age, parsed_time, since

NONE = "<none>"
UNSET = "<unset>"


def labels_text(labels: JsonObject | None) -> str:
    """`a=b,c=d`, sorted; `<none>` when there are none."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def label_selector_text(selector: JsonObject | None) -> str:
    """A `LabelSelector` object as text; `<none>` when it is empty or absent.

    Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/helpers.go: FormatLabelSelector
    """
    try:
        return selector_text(label_terms(selector)) or NONE
    except KeyError:
        return "<error>"


def containers_and_images(template: JsonObject | None) -> list[JsonValue]:
    """The names and the images of a pod template's containers, comma-joined."""
    containers = ((template or {}).get("spec") or {}).get("containers") or []
    return [",".join(c.get("name", "") for c in containers), ",".join(c.get("image") or "" for c in containers)]


def _parts(obj: JsonObject) -> tuple[JsonObject, JsonObject, JsonObject]:
    return obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}


def deployment_cells(deployment: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME READY UP-TO-DATE AVAILABLE AGE, wide CONTAINERS IMAGES SELECTOR."""
    metadata, spec, status = _parts(deployment)
    return [
        metadata.get("name", ""),
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age(metadata, now),
        *containers_and_images(spec.get("template")),
        selector_text(label_terms(spec.get("selector"))),
    ]


def replica_set_cells(replica_set: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DESIRED CURRENT READY AGE, wide CONTAINERS IMAGES SELECTOR."""
    spec = replica_set.get("spec") or {}
    return [*_replicas(replica_set, now), label_selector_text(spec.get("selector"))]


def replication_controller_cells(controller: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DESIRED CURRENT READY AGE, wide CONTAINERS IMAGES SELECTOR."""
    return [*_replicas(controller, now), labels_text((controller.get("spec") or {}).get("selector"))]


def _replicas(obj: JsonObject, now: datetime) -> list[JsonValue]:
    metadata, spec, status = _parts(obj)
    return [
        metadata.get("name", ""),
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age(metadata, now),
        *containers_and_images(spec.get("template")),
    ]


def stateful_set_cells(stateful_set: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME READY AGE, wide CONTAINERS IMAGES."""
    metadata, spec, status = _parts(stateful_set)
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    return [metadata.get("name", ""), ready, age(metadata, now), *containers_and_images(spec.get("template"))]


_DAEMONS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)


def daemon_set_cells(daemon_set: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE, wide CONTAINERS IMAGES SELECTOR."""
    metadata, spec, status = _parts(daemon_set)
    template = spec.get("template") or {}
    return [
        metadata.get("name", ""),
        *(status.get(name) or 0 for name in _DAEMONS),
        labels_text((template.get("spec") or {}).get("nodeSelector")),
        age(metadata, now),
        *containers_and_images(template),
        label_selector_text(spec.get("selector")),
    ]


def job_cells(job: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STATUS COMPLETIONS DURATION AGE, wide CONTAINERS IMAGES SELECTOR.

    Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go: printJob
    """
    metadata, spec, status = _parts(job)
    return [
        metadata.get("name", ""),
        job_status_text(job),
        _completions(spec, status),
        _job_duration(status, now),
        age(metadata, now),
        *containers_and_images(spec.get("template")),
        label_selector_text(spec.get("selector")),
    ]


def job_status_text(job: JsonObject) -> str:
    """The first of the job's conditions that is true, by weight; else `Running`."""
    conditions: list[JsonObject] = (job.get("status") or {}).get("conditions") or []
    true = {c.get("type") for c in conditions if c.get("status") == "True"}
    for condition, text in (("Complete", "Complete"), ("Failed", "Failed")):
        if condition in true:
            return text
    if (job.get("metadata") or {}).get("deletionTimestamp") is not None:
        return "Terminating"
    return next((name for name in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if name in true), "Running")


def _completions(spec: JsonObject, status: JsonObject) -> str:
    succeeded = status.get("succeeded") or 0
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(status: JsonObject, now: datetime) -> str:
    started = parsed_time(status.get("startTime"))
    if started is None:
        return ""
    return human_duration((parsed_time(status.get("completionTime")) or now) - started)


def cron_job_cells(cron_job: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE, wide CONTAINERS IMAGES SELECTOR."""
    metadata, spec, status = _parts(cron_job)
    job: JsonObject = (spec.get("jobTemplate") or {}).get("spec") or {}
    suspend = spec.get("suspend")
    last = status.get("lastScheduleTime")
    return [
        metadata.get("name", ""),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        UNSET if suspend is None else str(bool(suspend)),
        len(status.get("active") or []),
        NONE if last is None else since(last, now),
        age(metadata, now),
        *containers_and_images(job.get("template")),
        label_selector_text(job.get("selector")),
    ]


def pod_template_cells(template: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME CONTAINERS IMAGES POD LABELS."""
    held: JsonObject = template.get("template") or {}
    labels = (held.get("metadata") or {}).get("labels")
    return [(template.get("metadata") or {}).get("name", ""), *containers_and_images(held), labels_text(labels)]


def controller_revision_cells(revision: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME CONTROLLER REVISION AGE."""
    metadata: JsonObject = revision.get("metadata") or {}
    owner = next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)
    controller = NONE
    if owner is not None:
        group = owner.get("apiVersion", "").rpartition("/")[0]
        kind = f"{owner['kind']}.{group}" if group else owner["kind"]
        controller = f"{kind.lower()}/{owner['name']}"
    return [metadata.get("name", ""), controller, revision.get("revision") or 0, age(metadata, now)]


def disruption_budget_cells(budget: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE."""
    metadata, spec, status = _parts(budget)
    bounds = [str(spec[name]) if spec.get(name) is not None else "N/A" for name in ("minAvailable", "maxUnavailable")]
    return [metadata.get("name", ""), *bounds, status.get("disruptionsAllowed") or 0, age(metadata, now)]


def autoscaler_cells(autoscaler: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE, of a v2 object."""
    metadata, spec, status = _parts(autoscaler)
    target: JsonObject = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        metadata.get("name", ""),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics_text(spec.get("metrics") or [], status.get("currentMetrics") or []),
        UNSET if least is None else str(least),
        spec.get("maxReplicas") or 0,
        status.get("currentReplicas") or 0,
        age(metadata, now),
    ]


_METRIC_MEMBERS = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def _metrics_text(metrics: list[JsonObject], current: list[JsonObject]) -> str:
    """`cpu: 10%/80%, <unknown>/5 + 1 more...`. Source: printers.go: formatHPAMetrics"""
    shown = [
        _metric_text(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(metrics)
    ]
    if not shown:
        return NONE
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more


def _metric_text(metric: JsonObject, current: JsonObject) -> str:
    member = _METRIC_MEMBERS.get(metric.get("type", ""))
    if member is None:
        return "<unknown type>"
    source: JsonObject = metric.get(member) or {}
    target: JsonObject = source.get("target") or {}
    held = current.get(member)
    now: JsonObject = (held or {}).get("current") or {}
    missing = "<unknown>" if held is None else "<nil>"  # what Go writes of a quantity that is not there
    average = target.get("averageValue")
    if member in ("resource", "containerResource"):
        if average is not None:
            return f"{source.get('name')}: {now.get('averageValue', missing)}/{average}"
        return f"{source.get('name')}: {_percent(now, '<unknown>')}/{_percent(target, '<auto>')}"
    if member == "pods":
        return f"{now.get('averageValue', missing)}/{average}"
    if average is not None:
        return f"{now.get('averageValue', '<unknown>')}/{average} (avg)"
    return f"{now.get('value', missing)}/{target.get('value')}"


def _percent(amounts: JsonObject, otherwise: str) -> str:
    used = amounts.get("averageUtilization")
    return otherwise if used is None else f"{used}%"
