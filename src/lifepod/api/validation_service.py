"""What is wrong with a Service.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: ValidateService
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from lifepod.api.meta import label_errors, metadata_errors, metadata_update_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_container import PROTOCOLS, one_of, port_errors
from lifepod.api.validation_pod import ip_errors

_SERVICE_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_POLICIES: Final = ("Cluster", "Local")
_FAMILY_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DAY_SECONDS: Final = 86_400


def service_errors(service: JsonObject) -> list[FieldError]:
    """What is wrong with a new Service. Source: ValidateService"""
    return metadata_errors(service["metadata"], namespaced=True, name_rule=names.dns1035_label) + _service_spec_errors(
        service.get("spec") or {}
    )


def _service_spec_errors(spec: JsonObject) -> list[FieldError]:
    errors: list[FieldError] = []
    kind = spec.get("type") or ""
    ports: list[JsonObject] = spec.get("ports") or []
    is_headless = spec.get("clusterIP") == "None"
    if not ports and not is_headless and kind != "ExternalName":
        errors.append(required("spec.ports"))
    if kind == "LoadBalancer" and is_headless:
        errors.append(invalid("spec.clusterIPs", ["None"], "may not be set to 'None' for LoadBalancer services"))
    if kind == "NodePort" and is_headless:
        errors.append(invalid("spec.clusterIPs", ["None"], "may not be set to 'None' for NodePort services"))
    errors += _external_name_errors(spec, kind)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        errors += _service_port_errors(port, seen, f"spec.ports[{index}]", is_named=len(ports) > 1)
    errors += _repeated_port_errors(ports)
    errors += label_errors(spec.get("selector") or {}, "spec.selector")
    errors += one_of(spec.get("sessionAffinity"), ("ClientIP", "None"), "spec.sessionAffinity")
    errors += one_of(kind, _SERVICE_TYPES, "spec.type")
    if kind == "ClusterIP":
        errors += [
            forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    for index, address in enumerate(spec.get("clusterIPs") or []):
        if address not in ("None", ""):
            errors += ip_errors(address, f"spec.clusterIPs[{index}]")
    for index, address in enumerate(spec.get("externalIPs") or []):
        errors += ip_errors(address, f"spec.externalIPs[{index}]")
    return (
        errors
        + _affinity_errors(spec)
        + _traffic_errors(spec, kind)
        + _balancer_errors(spec, kind)
        + _family_errors(spec)
    )


def _affinity_errors(spec: JsonObject) -> list[FieldError]:
    """Source: validateClientIPAffinityConfig"""
    config = spec.get("sessionAffinityConfig")
    seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    if seconds is None or 0 < seconds <= _DAY_SECONDS:
        return []
    detail = f"must be greater than 0 and less than {_DAY_SECONDS}"
    return [invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, detail)]


def _traffic_errors(spec: JsonObject, kind: str) -> list[FieldError]:
    """Source: validateServiceExternalTrafficPolicy, validateServiceInternalTrafficFieldsValue"""
    errors: list[FieldError] = []
    outside, port = spec.get("externalTrafficPolicy") or "", spec.get("healthCheckNodePort") or 0
    is_seen_outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if is_seen_outside:
        errors += one_of(outside, _POLICIES, "spec.externalTrafficPolicy")
    elif outside:
        detail = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", outside, detail))
    if port and not (kind == "LoadBalancer" and outside == "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid("spec.healthCheckNodePort", port, detail))
    inside = spec.get("internalTrafficPolicy")
    if inside is not None and inside not in _POLICIES:
        errors.append(not_supported("spec.internalTrafficPolicy", inside, _POLICIES))
    return errors


def _balancer_errors(spec: JsonObject, kind: str) -> list[FieldError]:
    """What only a load balancer has. Source: ValidateService"""
    if kind == "LoadBalancer":
        return []
    detail = "may only be used when `type` is 'LoadBalancer'"
    errors = [
        forbidden(f"spec.{field}", detail)
        for field in ("loadBalancerClass", "allocateLoadBalancerNodePorts")
        if spec.get(field) is not None
    ]
    ranges = spec.get("loadBalancerSourceRanges")
    return [*errors, forbidden("spec.LoadBalancerSourceRanges", detail)] if ranges else errors


def _family_errors(spec: JsonObject) -> list[FieldError]:
    """This is a cluster of IPv4 alone, except for a headless Service whose endpoints somebody else writes.

    Source: ValidateServiceClusterIPsRelatedFields; pkg/registry/core/service/storage/alloc.go: initIPFamilyFields
    """
    is_others = spec.get("clusterIP") == "None" and not spec.get("selector")
    families: list[str] = spec.get("ipFamilies") or []
    policy = spec.get("ipFamilyPolicy")
    errors = [
        not_supported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        for index, family in enumerate(families)
        if family not in ("IPv4", "IPv6")
    ]
    errors += [
        invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(families)
        if family == "IPv6" and not is_others
    ]
    errors += [
        duplicate(f"spec.ipFamilies[{index}]", family)
        for index, family in enumerate(families)
        if family in families[:index]
    ]
    if policy is not None and policy not in _FAMILY_POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    elif policy == "RequireDualStack" and not is_others:
        detail = "this cluster is not configured for dual-stack services"
        errors.append(invalid("spec.ipFamilyPolicy", policy, detail))
    return errors


def _external_name_errors(spec: JsonObject, kind: str) -> list[FieldError]:
    if kind != "ExternalName":
        return []
    errors: list[FieldError] = []
    if spec.get("clusterIP"):
        detail = "may not be set for ExternalName services"
        errors.append(forbidden("spec.clusterIP", detail))
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*errors, required("spec.externalName")]
    return errors + [invalid("spec.externalName", name, complaint) for complaint in names.dns_subdomain(name)]


def _service_port_errors(port: JsonObject, seen: set[str], path: str, *, is_named: bool) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateServicePort"""
    errors: list[FieldError] = []
    name: str = port.get("name") or ""
    if is_named and not name:
        errors.append(required(f"{path}.name"))
    elif name:
        errors += [invalid(f"{path}.name", name, complaint) for complaint in names.dns_label(name)]
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
    number: int = port.get("port") or 0
    errors += [invalid(f"{path}.port", number, complaint) for complaint in names.port_number(number)]
    errors += one_of(port.get("protocol"), PROTOCOLS, f"{path}.protocol")
    errors += port_errors(port.get("targetPort"), f"{path}.targetPort")
    protocol = port.get("appProtocol")
    if protocol is not None:
        errors += [invalid(f"{path}.appProtocol", protocol, c) for c in names.qualified_name(protocol)]
    return errors


def _repeated_port_errors(ports: list[JsonObject]) -> list[FieldError]:
    """A port and a node port can be used once per protocol."""
    errors: list[FieldError] = []
    taken: set[tuple[str, int, str]] = set()
    for index, port in enumerate(ports):
        protocol: str = port.get("protocol") or ""
        key = ("port", port.get("port") or 0, protocol)
        if key in taken:
            errors.append(duplicate(f"spec.ports[{index}]", {"port": key[1], "protocol": protocol}))
        taken.add(key)
        node_key = ("node", port.get("nodePort") or 0, protocol)
        if node_key[1] and node_key in taken:
            errors.append(duplicate(f"spec.ports[{index}].nodePort", node_key[1]))
        taken.add(node_key)
    return errors


def service_update_errors(service: JsonObject, old: JsonObject) -> list[FieldError]:
    """The primary cluster IP stays unless the type leaves or becomes ExternalName. Source: ValidateServiceUpdate"""
    errors = metadata_update_errors(service["metadata"], old["metadata"])
    spec, before = service.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        wanted, held = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
        for index in range(len(held)):
            if index < len(wanted) and wanted[index] != held[index]:
                errors.append(invalid(f"spec.clusterIPs[{index}]", wanted, "may not change once set"))
        if held and not wanted:
            errors.append(invalid("spec.clusterIPs[0]", wanted, "primary clusterIP can not be unset"))
    return errors + _service_spec_errors(spec)
