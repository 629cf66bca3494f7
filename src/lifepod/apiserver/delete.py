"""DELETE: at once, gracefully, or when the last finalizer is gone.

Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/delete.go: BeforeDelete
        k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: Delete, updateForGracefulDeletionAndFinalizers,
        deletionFinalizersForGarbageCollection, markAsDeleting
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, format_time, parse_time
from lifepod.apiserver.admission import agree_without_object
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.custom_kinds import DEFINITIONS, withdraw
from lifepod.apiserver.options import DeleteOptions, WriteOptions
from lifepod.apiserver.status_errors import forbidden, kind_conflict, not_found, success

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

LONGEST_GRACE = 10**9
"""Thirty years: what is longer counts as this, as its end could not be written as a time."""
PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
ORPHANING_KINDS = ("jobs.batch", "replicationcontrollers")
UNCOLLECTED_KINDS = ("events",)
RETURNED_KINDS = frozenset(
    (
        *("persistentvolumeclaims", "persistentvolumes", "pods", "podtemplates", "resourcequotas"),
        *("serviceaccounts", "services", "csidrivers.storage.k8s.io", "csinodes.storage.k8s.io"),
        *("storageclasses.storage.k8s.io", "volumeattachments.storage.k8s.io"),
        *("volumeattributesclasses.storage.k8s.io", "deviceclasses.resource.k8s.io"),
        *("resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"),
        "resourceslices.resource.k8s.io",
    )
)
"""The kinds of which a deletion that is complete answers with the object; of others with a `Status`. Typed clients
parse the answer by it.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/*/*/storage/storage.go: NewREST, NewStorage (ReturnDeletedObject)
"""
JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


class Mark(NamedTuple):
    """How an object is marked before it goes. `pending`: it is on its way already and nothing changes."""

    metadata: JsonObject
    graceful: bool
    pending: bool
    grace: int


def delete(api: Api, kind: Kind, namespace: str, name: str, wanted: DeleteOptions, options: WriteOptions) -> JsonObject:
    """Delete an object; returns it while it lingers (`RETURNED_KINDS`: always), else a `Status`."""
    storage = api.storage_kind(kind)
    old = api.store.get(storage.resource, namespace, name)
    if old is None:
        raise not_found(kind, name)
    if api.session is not None:
        check_preconditions(storage, old, wanted)
        agree_without_object(api, Call("DELETE", storage, None, old, options, wanted=wanted))
    result = delete_stored(api, storage, old, wanted, options)
    return kind.from_storage(result) if storage is not kind and result["kind"] == storage.kind else result


def delete_stored(api: Api, kind: Kind, old: JsonObject, wanted: DeleteOptions, options: WriteOptions) -> JsonObject:
    """Delete a stored object by the rules of its kind."""
    check_preconditions(kind, old, wanted)
    if kind.resource == "jobs.batch" and wanted.propagation is None:
        api.warn(JOB_WARNING)
    if kind.resource == "namespaces":
        return _delete_namespace(api, kind, old, wanted, options)
    mark = _graceful_mark(kind, old, wanted, options.now)
    if mark.pending:
        return old
    metadata = _with_collection_finalizers(kind, mark.metadata, wanted)
    if not mark.graceful and metadata.get("finalizers"):
        metadata = _marked_now(metadata, options.now)
    changed = {**old, "metadata": metadata}
    if metadata is not old["metadata"] and not options.dry_run and (mark.graceful or metadata.get("finalizers")):
        changed = api.store.update(kind.resource, changed, options.now)
    if metadata.get("finalizers") or (mark.graceful and mark.grace > 0):
        return changed
    final = changed
    if not options.dry_run:
        final = api.store.delete(kind.resource, metadata.get("namespace", ""), metadata["name"], options.now)
        if kind.resource == DEFINITIONS:
            withdraw(api, final, options)
    if kind.resource in RETURNED_KINDS:
        return final
    return success(kind, metadata["name"], metadata["uid"])


def check_preconditions(kind: Kind, old: JsonObject, wanted: DeleteOptions) -> None:
    """Refuse when the object is not the one that was meant.

    Source: k8s.io/apiserver v0.34.4 pkg/registry/rest/delete.go: BeforeDelete
    """
    metadata = old["metadata"]
    if wanted.uid is not None and wanted.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise kind_conflict(kind, metadata["name"], why)
    if wanted.resource_version is not None and wanted.resource_version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match the ResourceVersion in "
            f"record ({metadata['resourceVersion']}). The object might have been modified"
        )
        raise kind_conflict(kind, metadata["name"], why)


def _graceful_mark(kind: Kind, old: JsonObject, wanted: DeleteOptions, now: datetime) -> Mark:
    metadata: JsonObject = old["metadata"]
    if kind.resource != "pods":
        return Mark(metadata, graceful=False, pending=False, grace=0)
    if metadata.get("deletionTimestamp"):
        return _shortened(metadata, wanted)
    grace = pod_grace(old, wanted.grace)
    marked = {**metadata, "deletionTimestamp": format_time(now + timedelta(seconds=grace))}
    marked["deletionGracePeriodSeconds"] = grace
    return Mark(_next_generation(marked), graceful=True, pending=False, grace=grace)


def _shortened(metadata: JsonObject, wanted: DeleteOptions) -> Mark:
    """A second deletion can only shorten the grace period; it still counts from the first one."""
    old_grace = metadata.get("deletionGracePeriodSeconds")
    if old_grace is None:
        return Mark(metadata, graceful=False, pending=False, grace=0)
    if wanted.grace is None or wanted.grace >= old_grace:
        return Mark(metadata, graceful=False, pending=True, grace=old_grace)
    grace = max(wanted.grace, 0)
    started = parse_time(metadata["deletionTimestamp"]) - timedelta(seconds=old_grace)
    ends = format_time(started + timedelta(seconds=grace))
    marked = {**metadata, "deletionTimestamp": ends, "deletionGracePeriodSeconds": grace}
    return Mark(marked, graceful=True, pending=False, grace=grace)


def pod_grace(pod: JsonObject, wanted: int | None) -> int:
    """How many seconds a pod gets: 0 when it is on no node or has ended.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: CheckGracefulDelete
    """
    spec = pod.get("spec") or {}
    grace: int = wanted if wanted is not None else spec.get("terminationGracePeriodSeconds") or 0
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return 1 if grace < 0 else min(grace, LONGEST_GRACE)


def _next_generation(metadata: JsonObject) -> JsonObject:
    generation = metadata.get("generation")
    return {**metadata, "generation": generation + 1} if generation else metadata


def _marked_now(metadata: JsonObject, now: datetime) -> JsonObject:
    if metadata.get("deletionTimestamp") and metadata.get("deletionGracePeriodSeconds") == 0:
        return metadata
    marked = _next_generation(metadata) if metadata.get("deletionGracePeriodSeconds") is None else metadata
    at = metadata.get("deletionTimestamp")
    if not at or parse_time(at) > now:
        marked = {**marked, "deletionTimestamp": format_time(now)}
    return {**marked, "deletionGracePeriodSeconds": 0}


def _with_collection_finalizers(kind: Kind, metadata: JsonObject, wanted: DeleteOptions) -> JsonObject:
    """Add or take away the garbage collector's finalizers, as the propagation policy says.

    Without one, a finalizer that is there already decides, then the kind: Jobs of batch/v1 orphan their pods.
    """
    if kind.resource in UNCOLLECTED_KINDS:
        return metadata
    have: list[str] = metadata.get("finalizers") or []
    policy = wanted.propagation
    if policy is None:
        if ORPHAN in have:
            policy = "Orphan"
        elif FOREGROUND in have:
            policy = "Foreground"
        else:
            policy = "Orphan" if kind.resource in ORPHANING_KINDS else "Background"
    finalizers = [name for name in have if name not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        finalizers.append(ORPHAN)
    elif policy == "Foreground":
        finalizers.append(FOREGROUND)
    if sorted(finalizers) == sorted(have):
        return metadata
    rest = {k: v for k, v in metadata.items() if k != "finalizers"}
    return {**rest, "finalizers": finalizers} if finalizers else rest


def _delete_namespace(
    api: Api, kind: Kind, old: JsonObject, wanted: DeleteOptions, options: WriteOptions
) -> JsonObject:
    """A namespace becomes Terminating; it goes when its contents did and `/finalize` says so.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/namespace/storage/storage.go: Delete
            k8s.io/apiserver v0.34.4 pkg/admission/plugin/namespace/lifecycle/admission.go: Admit
    """
    metadata: JsonObject = old["metadata"]
    name = metadata["name"]
    if name in PROTECTED_NAMESPACES:
        raise forbidden(kind, name, "this namespace may not be deleted")
    marked = _with_collection_finalizers(kind, metadata, wanted)
    if not metadata.get("deletionTimestamp"):
        marked = {**marked, "deletionTimestamp": format_time(options.now)}
    status = {**(old.get("status") or {}), "phase": "Terminating"}
    changed = {**old, "metadata": marked, "status": status}
    holds = (old.get("spec") or {}).get("finalizers") or marked.get("finalizers")
    if options.dry_run:
        return changed if holds else success(kind, name, metadata["uid"])
    if holds:
        return api.store.update(kind.resource, changed, options.now)
    api.store.delete(kind.resource, "", name, options.now)
    return success(kind, name, metadata["uid"])
