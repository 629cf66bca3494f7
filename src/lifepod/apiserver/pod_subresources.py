"""PUT and PATCH of `pods/x/ephemeralcontainers` and `pods/x/resize`: a part of the spec that the main resource keeps fixed.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: podEphemeralContainersStrategy, podResizeStrategy
        k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodEphemeralContainersUpdate
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lifepod.api.field_errors import FieldError, forbidden, invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.pod_resources import qos_class
from lifepod.api.pod_writes import prepared_ephemeral_containers, prepared_resize
from lifepod.apiserver.metadata import has_changed_spec, kept_metadata, with_names
from lifepod.apiserver.options import WriteOptions
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
        _ephemeral_errors,
        "ephemeralcontainers",
    )


def update_resize(
    api: Api, kind: Kind, namespace: str, name: str, pod: JsonObject, options: WriteOptions
) -> JsonObject:
    """Change the resources of a pod's containers. Raises 422."""
    return _update_part(api, kind, namespace, name, pod, options, prepared_resize, _resize_errors, "resize")


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
    new = {**new, "metadata": {**old["metadata"], "resourceVersion": kept["resourceVersion"]}}
    if errors := check(new, old):
        raise invalid_object(kind, name, errors)
    if has_changed_spec(kind, new, old):
        generation = old["metadata"].get("generation", 0) + 1
        new = {**new, "metadata": {**new["metadata"], "generation": generation}}
    new = api.managed(kind, new, old, options, subresource)
    return write(api, kind, new, old, options)


def _ephemeral_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    wanted = (new.get("spec") or {}).get("ephemeralContainers") or []
    held = (old.get("spec") or {}).get("ephemeralContainers") or []
    errors = []
    by_name = {container.get("name"): container for container in wanted}
    for container in held:
        found = by_name.get(container.get("name"))
        if found is None:
            text = f'existing ephemeral containers "{container.get("name")}" may not be removed\n'
            errors.append(forbidden("spec.ephemeralContainers", text))
        elif found != container:
            text = f'existing ephemeral containers "{container.get("name")}" may not be changed\n'
            errors.append(forbidden("spec.ephemeralContainers", text))
    others = {
        c.get("name") for member in ("containers", "initContainers") for c in (new.get("spec") or {}).get(member) or ()
    }
    seen: set[str] = set()
    for index, container in enumerate(wanted):
        path = f"spec.ephemeralContainers[{index}]"
        name = container.get("name") or ""
        if name in others or name in seen:
            errors.append(FieldError("FieldValueDuplicate", f"{path}.name", name, ""))
        seen.add(name)
        if not container.get("image"):
            errors.append(FieldError("FieldValueRequired", f"{path}.image", "", ""))
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(FieldError("FieldValueNotFound", f"{path}.targetContainerName", target, ""))
        errors += [
            forbidden(f"{path}.{member}", "cannot be set for an Ephemeral Container")
            for member in _NOT_EPHEMERAL
            if container.get(member)
        ]
    return errors


_NOT_EPHEMERAL = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
)


def _resize_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """Containers stay the same; only cpu and memory change; the quality of service stays.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodResize
    """
    errors: list[FieldError] = []
    for member in ("containers", "initContainers"):
        wanted, held = (new["spec"].get(member) or []), (old["spec"].get(member) or [])
        if [c.get("name") for c in wanted] != [c.get("name") for c in held]:
            text = "only cpu and memory resources are mutable"
            return [forbidden("spec", text)]
        for index, (container, before) in enumerate(zip(wanted, held, strict=True)):
            if _fixed_resources(container) != _fixed_resources(before):
                path = f"spec.{member}[{index}].resources"
                errors.append(forbidden(path, "only cpu and memory resources are mutable"))
    if not errors and qos_class(new["spec"]) != qos_class(old["spec"]):
        errors.append(
            invalid("metadata", qos_class(new["spec"]), "Pod QOS Class may not change as a result of resizing")
        )
    return errors


def _fixed_resources(container: JsonObject) -> JsonObject:
    resources = container.get("resources") or {}
    return {
        part: {name: amount for name, amount in (resources.get(part) or {}).items() if name not in ("cpu", "memory")}
        for part in ("requests", "limits")
    }
