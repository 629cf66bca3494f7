"""What admission makes of a new pod: its service account and token, tolerations, priority, runtime class.

Source: k8s.io/kubernetes v1.34.4 plugin/pkg/admission/{serviceaccount,defaulttolerationseconds,priority,runtimeclass}/admission.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.status_errors import forbidden

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""One hour and a little: the value by which upstream knows a token that was asked for by admission."""
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_EVICTION_SECONDS = 300


def admitted_pod(api: Api, kind: Kind, pod: JsonObject) -> JsonObject:
    """A new pod after mutating admission. Raises 403."""
    spec: JsonObject = pod.get("spec") or {}
    namespace = pod["metadata"]["namespace"]
    name = pod["metadata"].get("name", "")
    if "kubernetes.io/config.mirror" not in (pod["metadata"].get("annotations") or {}):
        spec = _with_service_account(api, kind, name, namespace, spec)
    spec = _with_runtime_class(api, kind, name, spec)
    spec = _with_priority(api, kind, name, spec)
    spec = _with_tolerations(spec)
    return {**pod, "spec": spec}


def _with_service_account(api: Api, kind: Kind, name: str, namespace: str, spec: JsonObject) -> JsonObject:
    """The pod runs as a service account that exists, with its token mounted unless somebody says no.

    Source: plugin/pkg/admission/serviceaccount/admission.go: Admit, mountServiceAccountToken
    """
    account_name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    account = api.store.get("serviceaccounts", namespace, account_name)
    if account is None:
        why = f'error looking up service account {namespace}/{account_name}: serviceaccount "{account_name}" not found'
        raise forbidden(kind, name, why)
    spec = {**spec, "serviceAccountName": account_name, "serviceAccount": account_name}
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken")
    if wanted is not False:
        spec = _with_token(api, spec)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]
    return spec


def _with_token(api: Api, spec: JsonObject) -> JsonObject:
    volume = _existing_token_volume(spec)
    needed = False
    made = volume or f"kube-api-access-{api.ids.suffix(5)}"
    mount = {"name": made, "readOnly": True, "mountPath": TOKEN_PATH}
    changed = dict(spec)
    for member in ("initContainers", "containers"):
        containers = spec.get(member)
        if not containers:
            continue
        filled = []
        for container in containers:
            mounts = container.get("volumeMounts") or []
            if any(m.get("mountPath") == TOKEN_PATH for m in mounts):
                filled.append(container)
            else:
                needed = True
                filled.append({**container, "volumeMounts": [*mounts, mount]})
        changed[member] = filled
    if needed and not volume:
        changed["volumes"] = [*(spec.get("volumes") or []), _token_volume(made)]
    return changed


def _existing_token_volume(spec: JsonObject) -> str:
    for volume in spec.get("volumes") or ():
        name: str = volume.get("name") or ""
        if name.startswith("kube-api-access-") and volume.get("projected"):
            return name
    return ""


def _token_volume(name: str) -> JsonObject:
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "namespace",
                                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                            }
                        ]
                    }
                },
            ],
            "defaultMode": 420,
        },
    }


def _with_runtime_class(api: Api, kind: Kind, name: str, spec: JsonObject) -> JsonObject:
    """A runtime class that a pod names must exist; its overhead and scheduling come along.

    Source: plugin/pkg/admission/runtimeclass/admission.go: Admit, Validate
    """
    wanted = spec.get("runtimeClassName")
    if not wanted:
        return spec
    found = api.store.get("runtimeclasses.node.k8s.io", "", wanted)
    if found is None:
        raise forbidden(kind, name, f'pod rejected: RuntimeClass "{wanted}" not found')
    overhead = dig(found, "overhead", "podFixed")
    if overhead:
        if spec.get("overhead") and spec["overhead"] != overhead:
            raise forbidden(kind, name, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec = {**spec, "overhead": overhead}
    selector = dig(found, "scheduling", "nodeSelector")
    if selector:
        spec = {**spec, "nodeSelector": {**(spec.get("nodeSelector") or {}), **selector}}
    tolerations = dig(found, "scheduling", "tolerations")
    if tolerations:
        have = spec.get("tolerations") or []
        spec = {**spec, "tolerations": [*have, *(t for t in tolerations if t not in have)]}
    return spec


def _with_priority(api: Api, kind: Kind, name: str, spec: JsonObject) -> JsonObject:
    """The number that a pod's priority class stands for; without a class, the global default's, else 0.

    Source: plugin/pkg/admission/priority/admission.go: admitPod
    """
    class_name = spec.get("priorityClassName")
    value, policy = 0, "PreemptLowerPriority"
    if class_name:
        found = api.store.get("priorityclasses.scheduling.k8s.io", "", class_name)
        if found is not None:
            value, policy = found.get("value", 0), found.get("preemptionPolicy") or policy
        elif class_name in SYSTEM_PRIORITIES:
            value = SYSTEM_PRIORITIES[class_name]
        else:
            raise forbidden(kind, name, f"no PriorityClass with name {class_name} was found")
    else:
        default = _default_priority(api)
        if default is not None:
            class_name = default["metadata"]["name"]
            value, policy = default.get("value", 0), default.get("preemptionPolicy") or policy
    given = spec.get("priority")
    if given is not None and given != value:
        why = "the integer value of priority ({}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name"
        raise forbidden(kind, name, why.format(given, value))
    changed = {**spec, "priority": value, "preemptionPolicy": spec.get("preemptionPolicy") or policy}
    if class_name:
        changed["priorityClassName"] = class_name
    return changed


def _default_priority(api: Api) -> JsonObject | None:
    best: JsonObject | None = None
    for record in api.store.list("priorityclasses.scheduling.k8s.io").records:
        found = api.store.decoded(record)
        if found.get("globalDefault") and (best is None or found.get("value", 0) < best.get("value", 0)):
            best = found
    return best


def _with_tolerations(spec: JsonObject) -> JsonObject:
    """A pod stays five minutes on a node that is not ready or unreachable, unless it says otherwise.

    Source: plugin/pkg/admission/defaulttolerationseconds/admission.go: Admit
    """
    tolerations: list[JsonObject] = list(spec.get("tolerations") or [])
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _EVICTION_SECONDS}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        if not any(t.get("key", "") in (key, "") and t.get("effect", "") in ("NoExecute", "") for t in tolerations)
    ]
    return {**spec, "tolerations": [*tolerations, *added]} if added else spec
