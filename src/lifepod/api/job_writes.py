"""What the API makes of a new Job: the labels and the selector by which its pods are known.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/batch/job/strategy.go
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
LEGACY_CONTROLLER_UID = "controller-uid"
LEGACY_JOB_NAME = "job-name"


def prepared_job(job: JsonObject) -> JsonObject:
    """A new Job with an empty status, and, unless `manualSelector`, its generated labels and selector.

    Runs after the uid was given and after defaulting. Labels already there are kept, for validation to judge. A Job
    without labels of its own shows those of its template, the generated ones included.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/batch/job/strategy.go: generateSelector
            k8s.io/kubernetes v1.34.4 pkg/apis/batch/v1/defaults.go: SetDefaults_Job
    """
    metadata: JsonObject = job.get("metadata") or {}
    spec: JsonObject = job.get("spec") or {}
    if spec.get("manualSelector"):
        return {**job, "status": {}}
    uid, name = metadata.get("uid") or "", metadata.get("name") or ""
    template: JsonObject = spec.get("template") or {}
    template_metadata: JsonObject = template.get("metadata") or {}
    given = template_metadata.get("labels") or {}
    generated = {CONTROLLER_UID: uid, JOB_NAME: name, LEGACY_CONTROLLER_UID: uid, LEGACY_JOB_NAME: name}
    labels = {**given, **{key: value for key, value in generated.items() if key not in given}}
    selector: JsonObject = spec.get("selector") or {}
    match = {CONTROLLER_UID: uid, **(selector.get("matchLabels") or {})}
    own = metadata.get("labels")
    if not own or own == given:
        metadata = {**metadata, "labels": labels}
    return {
        **job,
        "metadata": metadata,
        "spec": {
            **spec,
            "selector": {**selector, "matchLabels": match},
            "template": {**template, "metadata": {**template_metadata, "labels": labels}},
        },
        "status": {},
    }
