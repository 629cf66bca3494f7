"""What Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs mean when fields are left out.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/v1/defaults.go, pkg/apis/batch/v1/defaults.go
"""

from __future__ import annotations

from lifepod.api.defaults_core import default_claim
from lifepod.api.defaults_pod import default_pod_template
from lifepod.api.objects import JsonObject, JsonValue

_MAX_INT32 = 2147483647


def _spec(obj: JsonObject, usual: dict[str, JsonValue]) -> JsonObject:
    """The spec with its pod template defaulted and `usual` filled in where a member is absent, null or empty."""
    given: JsonObject = obj.get("spec") or {}
    changed: JsonObject = {name: value for name, value in usual.items() if given.get(name) in (None, "")}
    template: JsonObject = given.get("template") or {}
    filled = default_pod_template(template)
    if filled is not template:
        changed["template"] = filled
    return {**given, **changed} if changed else given


def _with_spec(obj: JsonObject, spec: JsonObject) -> JsonObject:
    return obj if spec is obj.get("spec") else {**obj, "spec": spec}


def _with_labels_of_template(obj: JsonObject) -> JsonObject:
    """The template's labels on an object that has none of its own (batch and the replication controller do this)."""
    labels = ((obj["spec"].get("template") or {}).get("metadata") or {}).get("labels")
    metadata = obj.get("metadata") or {}
    if not labels or metadata.get("labels"):
        return obj
    return {**obj, "metadata": {**metadata, "labels": labels}}


def default_deployment(deployment: JsonObject) -> JsonObject:
    """One replica, rolling by a quarter, ten old revisions, ten minutes to make progress.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/v1/defaults.go: SetDefaults_Deployment
    """
    spec = _spec(deployment, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy: JsonObject = spec.get("strategy") or {}
    kind = strategy.get("type") or "RollingUpdate"
    filled: JsonObject = {**strategy, "type": kind}
    if kind == "RollingUpdate":
        filled["rollingUpdate"] = _steps(strategy, {"maxUnavailable": "25%", "maxSurge": "25%"})
    return _with_spec(deployment, spec if filled == strategy else {**spec, "strategy": filled})


def default_daemon_set(daemon_set: JsonObject) -> JsonObject:
    """Rolling one node at a time, never two pods on a node, ten old revisions.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/v1/defaults.go: SetDefaults_DaemonSet
    """
    spec = _spec(daemon_set, {"revisionHistoryLimit": 10})
    strategy: JsonObject = spec.get("updateStrategy") or {}
    kind = strategy.get("type") or "RollingUpdate"
    filled: JsonObject = {**strategy, "type": kind}
    if kind == "RollingUpdate":
        filled["rollingUpdate"] = _steps(strategy, {"maxUnavailable": 1, "maxSurge": 0})
    return _with_spec(daemon_set, spec if filled == strategy else {**spec, "updateStrategy": filled})


def default_stateful_set(stateful_set: JsonObject) -> JsonObject:
    """One replica, one after the other, claims kept.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/v1/defaults.go: SetDefaults_StatefulSet
    """
    spec = _spec(stateful_set, {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"})
    changed: JsonObject = {}
    strategy: JsonObject = spec.get("updateStrategy") or {}
    filled = dict(strategy)
    if not strategy.get("type"):
        filled = {**strategy, "type": "RollingUpdate", "rollingUpdate": strategy.get("rollingUpdate") or {}}
    if filled["type"] == "RollingUpdate" and filled.get("rollingUpdate") is not None:
        filled["rollingUpdate"] = _steps(filled, {"partition": 0})
    if filled != strategy:
        changed["updateStrategy"] = filled
    retention: JsonObject = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    kept = {name: retention.get(name) or "Retain" for name in ("whenDeleted", "whenScaled")}
    if kept != retention:
        changed["persistentVolumeClaimRetentionPolicy"] = kept
    claims = spec.get("volumeClaimTemplates")
    if claims:
        filled_claims = [default_claim({"apiVersion": "v1", "kind": "PersistentVolumeClaim", **c}) for c in claims]
        if filled_claims != claims:
            changed["volumeClaimTemplates"] = filled_claims
    return _with_spec(stateful_set, {**spec, **changed} if changed else spec)


def default_replica_set(replica_set: JsonObject) -> JsonObject:
    """One replica. Source: k8s.io/kubernetes v1.34.4 pkg/apis/apps/v1/defaults.go: SetDefaults_ReplicaSet"""
    return _with_spec(replica_set, _spec(replica_set, {"replicas": 1}))


def default_template_object(template: JsonObject) -> JsonObject:
    """A PodTemplate object: its template's defaults."""
    given: JsonObject = template.get("template") or {}
    filled = default_pod_template(given)
    return template if filled is given else {**template, "template": filled}


def default_replication_controller(controller: JsonObject) -> JsonObject:
    """One replica; selector and labels are the template's.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_ReplicationController
    """
    spec = _spec(controller, {"replicas": 1})
    if (controller.get("spec") or {}).get("template") is None:
        return _with_spec(controller, {name: value for name, value in spec.items() if name != "template"})
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not spec.get("selector"):
        spec = {**spec, "selector": labels}
    return _with_labels_of_template(_with_spec(controller, spec))


def default_job(job: JsonObject) -> JsonObject:
    """One pod to completion, six retries; labels are the template's.

    `completions` alone unset means a work queue, both unset means one of each. With a limit per index the overall one is
    as good as none. With a failure policy a pod is replaced only when it has ended.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/batch/v1/defaults.go: SetDefaults_Job
    """
    spec = default_job_spec(_spec(job, {}))
    return _with_labels_of_template(_with_spec(job, spec))


def default_job_spec(spec: JsonObject) -> JsonObject:
    """The job's own fields, without its template."""
    usual: dict[str, JsonValue] = {
        "parallelism": 1,
        "backoffLimit": 6 if spec.get("backoffLimitPerIndex") is None else _MAX_INT32,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed" if spec.get("podFailurePolicy") is None else "Failed",
        "manualSelector": False,
    }
    if spec.get("parallelism") is None:
        usual["completions"] = 1
    missing = {name: value for name, value in usual.items() if spec.get(name) is None}
    return _with_failure_policy({**spec, **missing} if missing else spec)


def _with_failure_policy(spec: JsonObject) -> JsonObject:
    """A pattern on a pod condition that names no status means `True`; of a CronJob's template too.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/batch/v1/defaults.go: SetDefaults_PodFailurePolicyOnPodConditionsPattern
    """
    policy = spec.get("podFailurePolicy")
    if not policy:
        return spec
    rules = []
    for rule in policy.get("rules") or []:
        patterns = rule.get("onPodConditions")
        if patterns:
            rule = {**rule, "onPodConditions": [p if p.get("status") else {**p, "status": "True"} for p in patterns]}
        rules.append(rule)
    return spec if rules == policy.get("rules") else {**spec, "podFailurePolicy": {**policy, "rules": rules}}


def default_cron_job(cron_job: JsonObject) -> JsonObject:
    """Runs may overlap; three successes and one failure are kept.

    The job template gets its pod template's defaults, not the job's own: those come when the job is made.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/batch/v1/defaults.go: SetDefaults_CronJob
    """
    given: JsonObject = cron_job.get("spec") or {}
    usual = {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    changed: JsonObject = {name: value for name, value in usual.items() if given.get(name) in (None, "")}
    template: JsonObject = given.get("jobTemplate") or {}
    spec = _with_failure_policy(_spec(template, {}))
    if spec is not template.get("spec") or "metadata" not in template:
        changed["jobTemplate"] = {**template, "metadata": template.get("metadata") or {}, "spec": spec}
    return _with_spec(cron_job, {**given, **changed} if changed else given)


def _steps(strategy: JsonObject, usual: dict[str, JsonValue]) -> JsonObject:
    rolling: JsonObject = strategy.get("rollingUpdate") or {}
    return {**usual, **{name: value for name, value in rolling.items() if value is not None}}
