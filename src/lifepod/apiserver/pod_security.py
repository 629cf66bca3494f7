"""Pod Security admission at the API: pods are refused, their authors and those of templates warned, labels checked.

Source: k8s.io/pod-security-admission v0.34.4 admission/admission.go: ValidateNamespace, ValidatePod, ValidatePodController
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.pod_security import (
    MAX_PODS,
    Policy,
    is_significant,
    is_stricter,
    policy_of,
    refusal_of,
    template_of,
    warning_of,
    warnings_of_present,
)
from lifepod.apiserver.status_errors import forbidden, invalid_object
from lifepod.store import Selection

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_FREE = Policy()


def check_pod_security(api: Api, kind: Kind, obj: JsonObject, old: JsonObject | None) -> None:
    """Judge a written object by the Pod Security labels of its namespace. Raises 403; 422 for the labels themselves."""
    if kind.resource == "namespaces":
        _check_labels(api, kind, obj, old)
        return
    is_pod = kind.resource == "pods"
    template = obj if is_pod else template_of(kind.kind, obj)
    if template is None or (policy := _policy(api, obj)) == _FREE:
        return
    if is_pod and old is not None and not is_significant(obj, old):
        return
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    if is_pod and (why := refusal_of(policy, metadata, spec)):
        raise forbidden(kind, obj["metadata"].get("name", ""), why)
    if warning := warning_of(policy, metadata, spec):
        api.warn(warning)


def _policy(api: Api, obj: JsonObject) -> Policy:
    namespace = api.store.get("namespaces", "", obj["metadata"].get("namespace", ""))
    labels = namespace["metadata"].get("labels") if namespace is not None else None
    return policy_of(labels)[0] if labels else _FREE


def _check_labels(api: Api, kind: Kind, namespace: JsonObject, old: JsonObject | None) -> None:
    """Labels must be right when they are new; pods that a stricter level would not let in are told."""
    name = namespace["metadata"].get("name", "")
    policy, errors = policy_of(namespace["metadata"].get("labels") or {})
    before, known_errors = policy_of(old["metadata"].get("labels") or {}) if old is not None else (_FREE, [])
    if errors and errors != known_errors:
        raise invalid_object(kind, name, errors)
    if old is not None and is_stricter(policy.enforce, before.enforce):
        records = api.store.list("pods", Selection(name)).records[:MAX_PODS]
        api.warn(*warnings_of_present(name, policy.enforce, map(api.store.decoded, records)))
