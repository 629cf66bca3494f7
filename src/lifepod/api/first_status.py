"""With which status a new object starts, whatever the client sent, and which empty members Go prints always.

Numbers that upstream always writes are there from the start: typed clients refuse objects without them.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/<group>/<kind>/strategy.go: PrepareForCreate
"""

from __future__ import annotations

from collections.abc import Callable

from lifepod.api.objects import JsonObject
from lifepod.api.zero_values import zero_members


def starting_with(status: JsonObject) -> Callable[[JsonObject], JsonObject]:
    """A `prepare_create` that sets the status to `status`."""
    return lambda obj: {**obj, "status": status}


def prepared_namespace(namespace: JsonObject) -> JsonObject:
    """Active, and guarded by the finalizer that the namespace controller removes last.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/namespace/strategy.go: PrepareForCreate
    """
    spec: JsonObject = namespace.get("spec") or {}
    finalizers = spec.get("finalizers") or []
    if "kubernetes" not in finalizers:
        spec = {**spec, "finalizers": [*finalizers, "kubernetes"]}
    return {**namespace, "spec": spec, "status": {"phase": "Active"}}


def kept_namespace(namespace: JsonObject, old: JsonObject) -> JsonObject:
    """An update leaves the finalizers in `spec` alone: only `/finalize` changes them.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/namespace/strategy.go: PrepareForUpdate
    """
    return {**namespace, "spec": old.get("spec") or {}}


def with_spec(obj: JsonObject) -> JsonObject:
    """Go writes a struct even when nothing is in it. Source: k8s.io/api v0.34.4 coordination/v1/types.go: Lease"""
    return obj if obj.get("spec") is not None else {**obj, "spec": {}}


def prepared_event(event: JsonObject) -> JsonObject:
    """An Event says of these members also that they are empty. Source: k8s.io/api v0.34.4 core/v1/types.go: Event"""
    unset = zero_members("io.k8s.api.core.v1.Event")
    missing = {name: value for name, value in unset.items() if event.get(name) is None}
    return {**event, **missing} if missing else event


def kept_event(event: JsonObject, old: JsonObject) -> JsonObject:
    """As of a new one."""
    return prepared_event(event)
