"""POST of `pods/x/binding`: the scheduler's decision.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/storage/storage.go: BindingREST.Create, setPodNodeAndMetadata
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.field_errors import FieldError, not_supported, required
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.api.writes import ApiError
from lifepod.apiserver.http_errors import bad_request, refusal
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import conflict, not_found, success_created

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def bind(api: Api, namespace: str, name: str, binding: JsonObject, options: WriteOptions) -> JsonObject:
    """Put a pod on a node: `spec.nodeName`, and the condition PodScheduled. Raises 404, 409, 422."""
    kind = api.kinds.of("pods")
    metadata = binding.get("metadata") or {}
    name = name or metadata.get("name", "")
    node = dig(binding, "target", "name") or ""
    if metadata.get("name", name) != name:
        raise bad_request("name in URL does not match name in Binding object")
    if errors := _binding_errors(binding):
        raise _unread(errors)
    pod = api.store.get("pods", namespace, name)
    if pod is None:
        raise not_found(kind, name)
    uid = metadata.get("uid")
    if uid and uid != pod["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod['metadata']['uid']}"
        raise conflict(kind, name, why, "binding")
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict(kind, name, f"pod {name} is being deleted, cannot be assigned to a host", "binding")
    if dig(pod, "spec", "nodeName"):
        why = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise conflict(kind, name, why, "binding")
    if dig(pod, "spec", "schedulingGates"):
        raise conflict(kind, name, f"pod {name} has non-empty .spec.schedulingGates", "binding")
    if not options.dry_run:
        api.store.update("pods", bound(pod, node, metadata, options), options.now)
    return success_created()


def _unread(errors: list[FieldError]) -> ApiError:
    """500: upstream lets these errors fall through as they are."""
    texts = [str(error) for error in errors]
    return refusal(500, "", texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]")


def _binding_errors(binding: JsonObject) -> list[FieldError]:
    errors = []
    target = binding.get("target") or {}
    if target.get("kind") not in (None, "", "Node"):
        errors.append(not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        errors.append(required("target.name"))
    return errors


def bound(pod: JsonObject, node: str, metadata: JsonObject, options: WriteOptions) -> JsonObject:
    """The pod on its node. Labels and annotations of the binding are added to the pod's."""
    own: JsonObject = dict(pod["metadata"])
    for member in ("annotations", "labels"):
        if metadata.get(member):
            own[member] = {**(own.get(member) or {}), **metadata[member]}
    status: JsonObject = pod.get("status") or {}
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": format_time(options.now),
    }
    generation = own.get("generation")
    if generation:
        scheduled["observedGeneration"] = generation
    conditions = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
    spec = {**pod["spec"], "nodeName": node}
    return {**pod, "metadata": own, "spec": spec, "status": {**status, "conditions": [*conditions, scheduled]}}
