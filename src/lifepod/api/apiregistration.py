"""Which kinds the group `apiregistration.k8s.io` has, and what the API tells there of the groups that it serves itself."""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, invalid, required
from lifepod.api.kinds import Kind, status_of
from lifepod.api.metrics_v1beta1 import GROUP as METRICS
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, new_object

RESOURCE: Final = "apiservices.apiregistration.k8s.io"
AUTOMANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
_LOCAL: Final = {
    "type": "Available",
    "status": "True",
    "reason": "Local",
    "message": "Local APIServices are always available",
}
_PRIORITIES: Final = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "resource.k8s.io": 15900,
    METRICS: 100,
}
"""Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/apiserver/aggregator.go: DefaultGenericAPIServicePriorities;
for metrics sigs.k8s.io/metrics-server manifests/base/apiservice.yaml"""


def local_service(group: str, version: str, now: str, *, is_custom: bool) -> JsonObject:
    """The object that says: this server itself serves that group and version.

    Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/apiserver/aggregator.go: makeAPIService
            k8s.io/kubernetes v1.34.4 pkg/controlplane/controller/crdregistration/crdregistration_controller.go
    """
    managed = "true" if is_custom else "onstart"
    priority = (
        100
        if is_custom or group == METRICS
        else 1
        if not group
        else 30
        if (group, version) == ("autoscaling", "v2")
        else 15
    )
    return {
        "metadata": {
            "name": f"{version}.{group}",
            "labels": {AUTOMANAGED: managed},
        },
        "spec": {
            **({"group": group} if group else {}),
            "version": version,
            "groupPriorityMinimum": 1000 if is_custom else _PRIORITIES.get(group, 1000),
            "versionPriority": priority,
        },
        "status": {"conditions": [{**_LOCAL, "lastTransitionTime": now}]},
    }


def _service_errors(service: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kube-aggregator v0.34.4 pkg/apis/apiregistration/validation/validation.go: ValidateAPIService"""
    spec: JsonObject = service.get("spec") or {}
    version, group = spec.get("version") or "", spec.get("group") or ""
    name = (service.get("metadata") or {}).get("name") or ""
    errors: list[FieldError] = []
    if name != f"{version}.{group}":
        detail = f'must be `spec.version+"."+spec.group`: "{version}.{group}"'
        errors.append(invalid("metadata.name", name, detail))
    errors += [invalid("spec.version", version, complaint) for complaint in names.dns1035_label(version)]
    for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field) or 0
        if not 0 < value <= most:
            errors.append(invalid(f"spec.{field}", value, f"must be positive and less than {most}"))
    backend = spec.get("service")
    if backend is None:
        if spec.get("caBundle"):
            errors.append(invalid("spec.caBundle", "", "local APIServices may not have a caBundle"))
        if spec.get("insecureSkipTLSVerify"):
            errors.append(
                invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify")
            )
        return errors
    return errors + [required(f"spec.service.{field}") for field in ("namespace", "name") if not backend.get(field)]


KINDS = (
    Kind(
        group="apiregistration.k8s.io",
        version="v1",
        kind="APIService",
        plural="apiservices",
        singular="apiservice",
        namespaced=False,
        schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
        categories=("api-extensions",),
        subresources=(status_of("APIService"),),
        has_status=True,
        unconditional_update=False,
        validate=new_object(_service_errors, namespaced=False, name_rule=names.path_segment),
        validate_update=changed_object(_service_errors),
    ),
)
