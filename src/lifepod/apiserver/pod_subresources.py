"""PUT and PATCH of `pods/x/ephemeralcontainers` and `pods/x/resize`: a part of the spec that the main resource keeps fixed.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: podEphemeralContainersStrategy, podResizeStrategy
        k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodEphemeralContainersUpdate
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lifepod.api.field_errors import FieldError
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.pod_writes import prepared_ephemeral_containers, prepared_resize
from lifepod.api.validation_pod import ephemeral_update_errors, resize_errors
from lifepod.apiserver.admission import agree, as_webhooks_want
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.metadata import has_changed_spec, kept_metadata, with_names
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.pod_security import check_pod_security
from lifepod.apiserver.status_errors import invalid_object, not_found
from lifepod.apiserver.update import write

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_Prepare = Callable[[JsonObject, JsonObject], JsonObject]
_Check = Callable[[JsonObject, JsonObject], list[FieldError]]


def update_ephemeral_containers(
    api: Api, kind: Kind, namespace: str, name: str, pod: JsonObject, options: WriteOptions
) -> JsonObject:
    """Add ephemeral containers to a pod; those there are stay as they are. Raises 422."""
    return _update_part(
        api,
        kind,
        namespace,
        name,
        pod,
        options,
        prepared_ephemeral_containers,
        ephemeral_update_errors,
        "ephemeralcontainers",
    )


def update_resize(
    api: Api, kind: Kind, namespace: str, name: str, pod: JsonObject, options: WriteOptions
) -> JsonObject:
    """Change the resources of a pod's containers. Raises 422."""
    return _update_part(api, kind, namespace, name, pod, options, prepared_resize, resize_errors, "resize")


def _update_part(
    api: Api,
    kind: Kind,
    namespace: str,
    name: str,
    pod: JsonObject,
    options: WriteOptions,
    prepare: _Prepare,
    check: _Check,
    subresource: str,
) -> JsonObject:
    old = api.store.get("pods", namespace, name)
    if old is None:
        raise not_found(kind, name)
    pod = with_names(kind, namespace, name, pod)
    kept = kept_metadata(kind, pod, old)
    new = kind.default(prepare({**pod, "metadata": kept}, old))
    if api.session is not None:
        new = prepare(as_webhooks_want(api, Call("UPDATE", kind, new, old, options, subresource)), old)
    new = {**new, "metadata": {**old["metadata"], "resourceVersion": kept["resourceVersion"]}}
    if errors := check(new, old):
        raise invalid_object(kind, name, errors)
    if has_changed_spec(kind, new, old):
        generation = old["metadata"].get("generation", 0) + 1
        new = {**new, "metadata": {**new["metadata"], "generation": generation}}
    new = api.managed(kind, new, old, options, subresource)
    check_pod_security(api, kind, new, old)
    if api.session is not None:
        agree(api, Call("UPDATE", kind, new, old, options, subresource))
    return write(api, kind, new, old, options)
