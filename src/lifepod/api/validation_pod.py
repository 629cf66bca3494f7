"""What is wrong with a pod as a whole, new or changed; and with a pod template.

Pods come defaulted. One container's rules are in `validation_container.py`, the volumes' in `validation_volumes.py`.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

from lifepod.api import names
from lifepod.api.field_errors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    shown_value,
)
from lifepod.api.meta import annotation_errors, label_errors, metadata_errors, metadata_update_errors
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.pod_resources import qos_class
from lifepod.api.validation_container import (
    PodContext,
    container_errors,
    host_port_errors,
    lifecycle_and_probe_errors,
    one_of,
)
from lifepod.api.validation_os import os_errors
from lifepod.api.validation_resources import pod_resource_errors, resource_errors
from lifepod.api.validation_scheduling import (
    affinity_errors,
    gate_errors,
    node_selector_errors,
    spread_errors,
    toleration_errors,
)
from lifepod.api.validation_security import host_users_errors, pod_security_context_errors
from lifepod.api.validation_volumes import volumes_errors

_MAX_INT32 = 2147483647
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_ONLY_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_FOR_INIT = "may not be set for init containers without restartPolicy=Always"
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
_EPHEMERAL = "cannot be set for an Ephemeral Container"
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod_errors(pod: JsonObject) -> list[FieldError]:
    """What is wrong with a new pod. Source: validation.go: ValidatePodCreate"""
    spec: JsonObject = pod.get("spec") or {}
    errors = _metadata_and_spec_errors(pod)
    if spec.get("ephemeralContainers"):
        errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errors.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errors


def _metadata_and_spec_errors(pod: JsonObject) -> list[FieldError]:
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    errors = metadata_errors(metadata, namespaced=True)
    errors += pod_spec_errors(spec, "spec", pod_name=metadata.get("name") or "", is_pod=True)
    if not spec.get("serviceAccountName"):
        errors += _token_without_account_errors(spec)
    for name in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(name) or []):
            errors += _image_space_errors(container, f"spec.{name}[{index}]")
    return errors


def _token_without_account_errors(spec: JsonObject) -> list[FieldError]:
    detail = "must not be specified when serviceAccountName is not set"
    return [
        forbidden(f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken", detail)
        for index, volume in enumerate(spec.get("volumes") or [])
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or [])
        if source.get("serviceAccountToken") is not None
    ]


def _image_space_errors(container: JsonObject, path: str) -> list[FieldError]:
    image: str = container.get("image") or ""
    return (
        []
        if image == image.strip()
        else [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]
    )


def pod_template_errors(template: JsonObject, path: str) -> list[FieldError]:
    """What is wrong with the pod template of a workload. Source: validation.go: ValidatePodTemplateSpec"""
    metadata: JsonObject = template.get("metadata") or {}
    spec: JsonObject = template.get("spec") or {}
    errors = label_errors(metadata.get("labels") or {}, f"{path}.labels")
    errors += annotation_errors(metadata.get("annotations") or {}, f"{path}.annotations")
    errors += pod_spec_errors(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        errors.append(forbidden(f"{path}.spec.ephemeralContainers", detail))
    return errors


def pod_spec_errors(spec: JsonObject, path: str, *, pod_name: str = "", is_pod: bool = False) -> list[FieldError]:
    """What is wrong with the spec of a pod or template.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodSpec
    """
    errors: list[FieldError] = []
    if spec.get("terminationGracePeriodSeconds") is None:
        errors.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes, wrong = volumes_errors(spec.get("volumes") or [], pod_name, f"{path}.volumes")
    claims: list[JsonObject] = spec.get("resourceClaims") or []
    context = PodContext(
        volumes,
        spec.get("terminationGracePeriodSeconds"),
        spec.get("restartPolicy") or "",
        spec.get("hostUsers") is not False,
        frozenset(claim["name"] for claim in claims if claim.get("name")),
    )
    errors += wrong
    errors += _resource_claim_errors(claims, f"{path}.resourceClaims")
    errors += _containers_errors(spec.get("containers") or [], context, f"{path}.containers")
    errors += _init_errors(spec, context, f"{path}.initContainers")
    errors += _ephemeral_errors(spec, context, f"{path}.ephemeralContainers")
    errors += pod_resource_errors(spec, f"{path}.resources")
    errors += _host_network_errors(spec, f"{path}.containers", is_pod=is_pod)
    errors += one_of(spec.get("restartPolicy"), _RESTART_POLICIES, f"{path}.restartPolicy")
    errors += one_of(spec.get("dnsPolicy"), _DNS_POLICIES, f"{path}.dnsPolicy")
    errors += node_selector_errors(spec.get("nodeSelector"), f"{path}.nodeSelector")
    errors += pod_security_context_errors(spec.get("securityContext"), spec, f"{path}.securityContext")
    errors += affinity_errors(spec.get("affinity"), f"{path}.affinity")
    errors += _dns_config_errors(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or []):
        kind: str = gate.get("conditionType") or ""
        at = f"{path}.readinessGates[{index}].conditionType"
        errors += [invalid(at, kind, complaint) for complaint in names.qualified_name(kind)]
    errors += gate_errors(spec.get("schedulingGates") or [], f"{path}.schedulingGates")
    errors += spread_errors(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints")
    errors += host_users_errors(spec, path)
    errors += _name_errors(spec, ("serviceAccountName", "nodeName"), path)
    errors += _identity_errors(spec, path)
    errors += toleration_errors(spec.get("tolerations") or [], f"{path}.tolerations")
    errors += _host_alias_errors(spec.get("hostAliases") or [], f"{path}.hostAliases")
    errors += _name_errors(spec, ("priorityClassName", "runtimeClassName"), path)
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        errors += one_of(policy, ("PreemptLowerPriority", "Never"), f"{path}.preemptionPolicy")
    errors += resource_errors({"limits": spec.get("overhead")}, f"{path}.overhead")
    return errors + os_errors(spec, path)


def _resource_claim_errors(claims: list[JsonObject], path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validatePodResourceClaim"""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        name: str = claim.get("name") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        elif name in seen:
            errors.append(duplicate(f"{at}.name", name))
        else:
            errors += [invalid(f"{at}.name", name, complaint) for complaint in names.dns_label(name)]
            seen.add(name)
        given = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(field) is not None]
        if len(given) > 1:
            detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.append(invalid(at, claim, detail))
        if not given:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.append(invalid(at, claim, detail))
        for field in given:
            errors += [invalid(f"{at}.{field}", claim[field], c) for c in names.dns_subdomain(claim[field])]
    return errors


def _name_errors(spec: JsonObject, fields: tuple[str, ...], path: str) -> list[FieldError]:
    """The fields that name other things."""
    errors: list[FieldError] = []
    for field in fields:
        name: str = spec.get(field) or ""
        if name:
            errors += [invalid(f"{path}.{field}", name, complaint) for complaint in names.dns_subdomain(name)]
    return errors


def _identity_errors(spec: JsonObject, path: str) -> list[FieldError]:
    """The deadline, and what the pod is called by others."""
    errors: list[FieldError] = []
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_INT32:
        errors.append(invalid(f"{path}.activeDeadlineSeconds", deadline, names.within(1, _MAX_INT32)))
    for field in ("hostname", "subdomain"):
        label: str = spec.get(field) or ""
        if label:
            errors += [invalid(f"{path}.{field}", label, complaint) for complaint in names.dns_label(label)]
    return errors


def _containers_errors(containers: list[JsonObject], pod: PodContext, path: str) -> list[FieldError]:
    """Regular containers. Source: validation.go: validateContainers"""
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        errors += container_errors(container, pod, at)
        name: str = container.get("name") or ""
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        errors += lifecycle_and_probe_errors(container, pod, at)
        if container.get("restartPolicy") is not None:
            errors.append(forbidden(f"{at}.restartPolicy", "may not be set for non-init containers"))
    return errors + host_port_errors(containers, path)


def _init_errors(spec: JsonObject, pod: PodContext, path: str) -> list[FieldError]:
    """Init containers and sidecars. Source: validation.go: validateInitContainers"""
    errors: list[FieldError] = []
    seen = {container.get("name") for container in spec.get("containers") or []}
    for index, container in enumerate(spec.get("initContainers") or []):
        at = f"{path}[{index}]"
        errors += container_errors(container, pod, at)
        policy = container.get("restartPolicy")
        if policy is not None and policy != "Always":
            errors.append(not_supported(f"{at}.restartPolicy", policy, ("Always",)))
        name = container.get("name")
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        elif name:
            seen.add(name)
        errors += host_port_errors([container], path)
        if policy == "Always":
            errors += lifecycle_and_probe_errors(container, pod, at)
        else:
            given = [field for field in _ONLY_SIDECARS if container.get(field) is not None]
            errors += [forbidden(f"{at}.{field}", _NOT_FOR_INIT) for field in given]
    return errors


def _ephemeral_errors(spec: JsonObject, pod: PodContext, path: str) -> list[FieldError]:
    """Ephemeral containers. Source: validation.go: validateEphemeralContainers"""
    errors: list[FieldError] = []
    others = {c.get("name") for name in ("containers", "initContainers") for c in spec.get(name) or []}
    seen = set(others)
    for index, container in enumerate(spec.get("ephemeralContainers") or []):
        at = f"{path}[{index}]"
        errors += container_errors(container, pod, at) + _image_space_errors(container, at)
        name = container.get("name")
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(not_found(f"{at}.targetContainerName", target))
        given = [field for field in _NOT_EPHEMERAL if container.get(field)]
        errors += [forbidden(f"{at}.{field}", _EPHEMERAL) for field in given]
        for number, mount in enumerate(container.get("volumeMounts") or []):
            used = [field for field in ("subPath", "subPathExpr") if mount.get(field)]
            errors += [forbidden(f"{at}.volumeMounts[{number}].{field}", _EPHEMERAL) for field in used]
    return errors


def _host_network_errors(spec: JsonObject, path: str, *, is_pod: bool) -> list[FieldError]:
    """On the host network a host port is the container's port. Source: validation.go: validatePodHostNetworkDeps"""
    if not spec.get("hostNetwork"):
        return []
    detail = "must match `containerPort` when `hostNetwork` is true"
    return [
        invalid(f"{path}[{index}].ports[{number}].hostPort", port.get("hostPort") or 0, detail)
        for index, container in enumerate(spec.get("containers") or [])
        for number, port in enumerate(container.get("ports") or [])
        if (is_pod or port.get("hostPort")) and port.get("hostPort") != port.get("containerPort")
    ]


def _dns_config_errors(spec: JsonObject, path: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validatePodDNSConfig"""
    config = spec.get("dnsConfig")
    servers: list[str] = (config or {}).get("nameservers") or []
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not servers:
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", detail)]
    if not config:
        return []
    errors: list[FieldError] = []
    if len(servers) > 3:
        errors.append(invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for index, server in enumerate(servers):
        errors += ip_errors(server, f"{path}.nameservers[{index}]")
    searches: list[str] = config.get("searches") or []
    if len(searches) > 32:
        errors.append(invalid(f"{path}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        detail = "must not have more than 2048 characters (including spaces) in the search list"
        errors.append(invalid(f"{path}.searches", searches, detail))
    for index, search in enumerate(searches):
        if search != ".":
            complaints = names.dns_subdomain_with_underscore(search.removesuffix("."))
            errors += [invalid(f"{path}.searches[{index}]", search.removesuffix("."), c) for c in complaints]
    for index, option in enumerate(config.get("options") or []):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{index}]", "must not be empty"))
    return errors


def _host_alias_errors(aliases: list[JsonObject], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, alias in enumerate(aliases):
        errors += ip_errors(alias.get("ip") or "", f"{path}[{index}].ip")
        for number, host in enumerate(alias.get("hostnames") or []):
            at = f"{path}[{index}].hostnames[{number}]"
            errors += [invalid(at, host, complaint) for complaint in names.dns_subdomain(host)]
    return errors


def ip_errors(text: str, path: str) -> list[FieldError]:
    """An IPv4 or IPv6 address."""
    from ipaddress import ip_address  # slow to import, and few pods name an address

    try:
        ip_address(text)
    except ValueError:
        return [invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    return []


# ------------------------------------------------------------------------------------------------------------- changes


def pod_update_errors(pod: JsonObject, old: JsonObject) -> list[FieldError]:
    """What is wrong with a change of a pod: nearly all of its spec stays as it was.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodUpdate
    """
    errors = metadata_update_errors(pod["metadata"], old["metadata"])
    spec, before = pod.get("spec") or {}, old.get("spec") or {}
    if spec == before:
        return errors
    errors += _metadata_and_spec_errors(pod)
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or []) != len(before.get(name) or []):
            return [*errors, forbidden(f"spec.{name}", "pod updates may not add or remove containers")]
    deadline_errors = _deadline_errors(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    errors += deadline_errors
    if deadline_errors:
        return errors
    errors += _only_more_tolerations(spec.get("tolerations") or [], before.get("tolerations") or [])
    known = {gate.get("name") for gate in before.get("schedulingGates") or []}
    for index, gate in enumerate(spec.get("schedulingGates") or []):
        if gate.get("name") not in known:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            errors.append(forbidden(f"spec.schedulingGates[{index}].name", detail))
    munged = _as_before_where_allowed(spec, before)
    if known:
        munged, gated_errors = _gated_changes(munged, before)
        errors += gated_errors
    if _without_nothing(munged) != _without_nothing(before):
        errors.append(forbidden("spec", f"{_UPDATABLE}\n{_difference(munged, before)}"))
    return errors


def _deadline_errors(deadline: int | None, before: int | None) -> list[FieldError]:
    """A deadline may be set once and then only shortened."""
    path = "spec.activeDeadlineSeconds"
    if deadline is None:
        return [] if before is None else [invalid(path, None, "must not update from a positive integer to nil value")]
    if not 0 <= deadline <= _MAX_INT32:
        return [invalid(path, deadline, names.within(0, _MAX_INT32))]
    if before is not None and before < deadline:
        return [invalid(path, deadline, "must be less than or equal to previous value")]
    return []


def _only_more_tolerations(tolerations: list[JsonObject], before: list[JsonObject]) -> list[FieldError]:
    held = [{**toleration, "tolerationSeconds": None} for toleration in tolerations]
    if all({**toleration, "tolerationSeconds": None} in held for toleration in before):
        return []
    detail = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", detail)]


def _as_before_where_allowed(spec: JsonObject, before: JsonObject) -> JsonObject:
    """The spec with the fields that may change put back as they were."""
    munged = dict(spec)
    for name in ("containers", "initContainers"):
        if spec.get(name):
            pairs = zip(spec[name], before[name], strict=True)
            munged[name] = [{**container, "image": held.get("image")} for container, held in pairs]
    for name in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged[name] = before.get(name)
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    return munged


def _gated_changes(munged: JsonObject, before: JsonObject) -> tuple[JsonObject, list[FieldError]]:
    """While a pod is gated its node selector may grow. Source: validation.go: validateNodeSelectorMutation"""
    selector, held = munged.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in held.items()):
        detail = "only additions are allowed (no mutations or deletions)"
        return munged, [invalid("spec.nodeSelector", selector, detail)]
    return {**munged, "nodeSelector": before.get("nodeSelector")}, []


def _without_nothing(spec: JsonObject) -> JsonObject:
    return {name: value for name, value in spec.items() if value is not None and value != [] and value != {}}


def _difference(new: JsonValue, old: JsonValue, path: str = "spec") -> str:
    """What changed, a line for each value before and after.

    Differs: upstream prints the Go structs around them, too.
    """
    if isinstance(new, dict) and isinstance(old, dict):
        names = [name for name in {**old, **new} if new.get(name) != old.get(name)]
        return "\n".join(_difference(new.get(name), old.get(name), f"{path}.{name}") for name in names)
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        places = [at for at, value in enumerate(new) if value != old[at]]
        return "\n".join(_difference(new[at], old[at], f"{path}[{at}]") for at in places)
    lines = [f"{sign} {path}: {shown_value(value)}" for sign, value in (("-", old), ("+", new)) if value is not None]
    return "\n".join(lines)


def ephemeral_update_errors(pod: JsonObject, old: JsonObject) -> list[FieldError]:
    """A write to `ephemeralcontainers`: those there stay as they are. Source: ValidatePodEphemeralContainersUpdate"""
    errors = _metadata_and_spec_errors(pod)
    path = "spec.ephemeralContainers"
    wanted = {c.get("name"): c for c in (pod.get("spec") or {}).get("ephemeralContainers") or []}
    for container in (old.get("spec") or {}).get("ephemeralContainers") or []:
        name = container.get("name")
        if name not in wanted:
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif wanted[name] != container:
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n'))
    return errors


def resize_errors(pod: JsonObject, old: JsonObject) -> list[FieldError]:
    """A write to `resize`: only cpu and memory, and the quality of service stays.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidatePodResize
    """
    errors = _metadata_and_spec_errors(pod)
    spec, before = pod.get("spec") or {}, old.get("spec") or {}
    if spec.get("resources") or before.get("resources"):
        return [forbidden("[]", "pods with pod-level resources cannot be resized")]
    if qos_class(spec) != qos_class(before):
        shown = (pod.get("status") or {}).get("qosClass") or ""
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    for name in ("containers", "initContainers"):
        wanted, held = spec.get(name) or [], before.get(name) or []
        if [c.get("name") for c in wanted] != [c.get("name") for c in held]:
            return [*errors, forbidden("spec", f"{name} may not be added, removed, renamed or reordered on resize")]
        for index, (new, container) in enumerate(zip(wanted, held, strict=True)):
            is_init = name == "initContainers" and container.get("restartPolicy") != "Always"
            errors += _resized_errors(new, container, f"spec.{name}[{index}].resources", is_init=is_init)
    return errors


def _resized_errors(new: JsonObject, old: JsonObject, path: str, *, is_init: bool) -> list[FieldError]:
    wanted, held = new.get("resources") or {}, old.get("resources") or {}
    if is_init:
        detail = "resources for non-sidecar init containers are immutable"
        return [] if wanted == held else [forbidden("spec", detail)]
    errors: list[FieldError] = []
    for which in ("limits", "requests"):
        after, before = wanted.get(which) or {}, held.get(which) or {}
        errors += [
            forbidden(f"{path}.{which}", f"resource {which} cannot be removed") for name in before if name not in after
        ]
        if any(after.get(n) != before.get(n) for n in after.keys() | before.keys() if n not in ("cpu", "memory")):
            errors.append(forbidden("spec", "only cpu and memory resources are mutable"))
    return errors
