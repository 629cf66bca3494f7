"""What the server adds to an object, or refuses, for reasons outside the object itself.

One function per plug-in of upstream that is on by default and visible to users.

Source: k8s.io/kubernetes v1.34.4 pkg/kubeapiserver/options/plugins.go: DefaultOffAdmissionPlugins
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lifepod.api.field_errors import invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, dig, replaced
from lifepod.apiserver import signing_requests, webhooks
from lifepod.apiserver.account_secrets import fill_token_secret
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.admission_policies import check_policies
from lifepod.apiserver.escalation import check_escalation
from lifepod.apiserver.namespace_limits import check_limit_ranges, check_quotas, with_limit_range_defaults
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.pod_admission import admitted_pod
from lifepod.apiserver.pod_security import check_pod_security
from lifepod.apiserver.status_errors import forbidden, invalid_object, not_found
from lifepod.apiserver.webhook_session import nobody_asked

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io"
ALLOWED_WHILE_TERMINATING = ("localsubjectaccessreviews.authorization.k8s.io",)


def check_namespace(api: Api, kind: Kind, obj: JsonObject) -> None:
    """Nothing is created in a namespace that is missing or being terminated.

    Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/namespace/lifecycle/admission.go: Admit
    """
    if not kind.namespaced or kind.resource in ALLOWED_WHILE_TERMINATING:
        return
    name = obj["metadata"].get("namespace", "")
    namespace = api.store.get("namespaces", "", name)
    if namespace is None:
        raise not_found(api.kinds.of("namespaces"), name)
    if dig(namespace, "status", "phase") == "Terminating" or namespace["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {name} because it is being terminated"
        text = f"namespace {name} is being terminated"
        causes = [{"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}]
        raise forbidden(kind, obj["metadata"].get("name", ""), why, causes)


def as_read(kind: Kind, obj: JsonObject) -> JsonObject:
    """A new object with what upstream adds while it reads it, so that its writer owns that, too."""
    match kind.resource:
        case "namespaces":
            return _labelled_namespace(obj)
        case "daemonsets.apps":
            return replaced(obj, ("metadata", "annotations", _TEMPLATE_GENERATION), "1")
        case _:
            return obj


def admitted(api: Api, kind: Kind, obj: JsonObject, options: WriteOptions) -> JsonObject:
    """A new object after mutating admission. Raises 403."""
    check_escalation(api, kind, obj, options.user)
    match kind.resource:
        case "pods":
            return with_limit_range_defaults(api, admitted_pod(api, kind, obj))
        case "persistentvolumeclaims":
            return _protected(_with_storage_class(api, obj), "kubernetes.io/pvc-protection")
        case "persistentvolumes":
            return _protected(obj, "kubernetes.io/pv-protection")
        case signing_requests.RESOURCE:
            signing_requests.check_subject(kind, obj)
            return signing_requests.with_requester(obj, options)
        case _:
            return obj


def check_admission(
    api: Api, kind: Kind, obj: JsonObject, old: JsonObject | None, options: WriteOptions, *, asks: bool = True
) -> None:
    """Validating admission, after the object's own validation. `asks`: policies and webhooks, too. Raises ApiError, Unanswered."""
    if old is None:
        check_limit_ranges(api, kind, obj)
    check_pod_security(api, kind, obj, old)
    if asks and api.session is not None:
        agree(api, Call("CREATE" if old is None else "UPDATE", kind, obj, old, options))
    if old is None:
        check_quotas(api, kind, obj)
    elif kind.resource in ("services", "persistentvolumeclaims"):
        check_quotas(api, kind, obj, old)
    if kind.resource == "cronjobs.batch":
        _check_time_zone(kind, obj)
    elif kind.resource == PRIORITY_CLASSES:
        _check_only_default(api, kind, obj)


def as_webhooks_want(api: Api, call: Call, in_tree: Callable[[JsonObject], JsonObject] = lambda obj: obj) -> JsonObject:
    """The object after mutating webhooks; `in_tree` does again what the server adds. Raises ApiError, Unanswered."""
    assert call.obj is not None
    return webhooks.mutated(api, call, in_tree) if api.session is not None else call.obj


def agree(api: Api, call: Call) -> None:
    """Ask policies, then validating webhooks. Raises ApiError, Unanswered."""
    if api.session is not None:
        check_policies(api, call)
        webhooks.check(api, call)


def agree_without_object(api: Api, call: Call) -> None:
    """Ask about a deletion or a connection: no webhook can change it."""
    if api.session is not None:
        webhooks.check_without_object(api, call)
        check_policies(api, call)


def _check_time_zone(kind: Kind, cron_job: JsonObject) -> None:
    """The time zone exists. Here and not in `api/`, since the zones are files. Raises 422.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/batch/validation/validation.go: validateTimeZone
    """
    zone = dig(cron_job, "spec", "timeZone")
    if not zone or _is_zone(zone) or not _is_zone("UTC"):  # the last: this machine knows no zones at all
        return
    problem = invalid("spec.timeZone", zone, f"unknown time zone {zone}")
    raise invalid_object(kind, cron_job["metadata"].get("name", ""), [problem])


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo  # slow to import, and few schedules name a zone

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _check_only_default(api: Api, kind: Kind, priority_class: JsonObject) -> None:
    """There is one default priority class at most. Raises 403.

    Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/priority/admission.go: validatePriorityClass
    """
    if not priority_class.get("globalDefault"):
        return
    name = priority_class["metadata"].get("name", "")
    for record in api.store.list(kind.resource).records:
        other = api.store.decoded(record)
        if other.get("globalDefault") and other["metadata"]["name"] != name:
            marked = (
                f"PriorityClass {other['metadata']['name']} is already marked as default. Only one default can exist"
            )
            raise forbidden(kind, name, marked)


def admitted_update(api: Api, kind: Kind, obj: JsonObject, old: JsonObject, options: WriteOptions) -> JsonObject:
    """A changed object after mutating admission. Raises 403."""
    check_escalation(api, kind, obj, options.user, old)
    if kind.resource == "namespaces":
        return _labelled_namespace(obj)
    if kind.resource == "daemonsets.apps":
        return _counted_template(obj, old)
    return obj


def _protected(obj: JsonObject, finalizer: str) -> JsonObject:
    """Claims and volumes in use are deleted only once they are free.

    Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go: Admit
    """
    finalizers = obj["metadata"].get("finalizers") or []
    return obj if finalizer in finalizers else replaced(obj, ("metadata", "finalizers"), [*finalizers, finalizer])


_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _counted_template(daemon_set: JsonObject, old: JsonObject) -> JsonObject:
    """A DaemonSet's template is counted in an annotation; its pods carry the number as a label.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/apps/daemonset/strategy.go: PrepareForUpdate
    """
    before = (old["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION, "0")
    same = dig(daemon_set, "spec", "template") == dig(old, "spec", "template")
    number = before if same else str(int(before if before.isdigit() else 0) + 1)
    return replaced(daemon_set, ("metadata", "annotations", _TEMPLATE_GENERATION), number)


def _labelled_namespace(obj: JsonObject) -> JsonObject:
    """Every namespace carries its name as a label.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Namespace
    """
    name = obj["metadata"].get("name", "")
    labels = obj["metadata"].get("labels") or {}
    if not name or labels.get("kubernetes.io/metadata.name") == name:
        return obj
    return replaced(obj, ("metadata", "labels"), {**labels, "kubernetes.io/metadata.name": name})


def _with_storage_class(api: Api, claim: JsonObject) -> JsonObject:
    """A claim without a class gets the default one, the newest if there are several.

    Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/storage/storageclass/setdefault/admission.go: Admit
    """
    if dig(claim, "spec", "storageClassName") is not None:
        return claim
    marks = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
    found = []
    for record in api.store.list("storageclasses.storage.k8s.io").records:
        storage_class = api.store.decoded(record)
        annotations = storage_class["metadata"].get("annotations") or {}
        if any(annotations.get(mark) == "true" for mark in marks):
            found.append(storage_class)
    if not found:
        return claim
    newest_first = sorted(found, key=lambda c: c["metadata"]["name"])
    newest_first.sort(key=lambda c: c["metadata"]["creationTimestamp"], reverse=True)
    return replaced(claim, ("spec", "storageClassName"), newest_first[0]["metadata"]["name"])


def settle_created(api: Api, kind: Kind, stored: JsonObject, options: WriteOptions) -> None:
    """What must be there as soon as a new object is: a namespace's service account and root certificate.

    Differs: upstream's controllers make these within a second, and pods created before are refused.
    """
    if kind.resource == "namespaces":
        with nobody_asked(api):  # the namespace is there already: its verb cannot be run again
            api.furnish_namespace(stored["metadata"]["name"], options.now)
    elif kind.resource == "secrets":
        fill_token_secret(api, stored, options)
    elif kind.resource == "customresourcedefinitions.apiextensions.k8s.io":
        api.serve_custom(stored, options)


def settle_updated(api: Api, kind: Kind, stored: JsonObject, old: JsonObject, options: WriteOptions) -> None:
    """What follows from a change at once: a changed definition is served as it now is."""
    if kind.resource == "customresourcedefinitions.apiextensions.k8s.io" and stored.get("spec") != old.get("spec"):
        api.serve_custom(stored, options)
