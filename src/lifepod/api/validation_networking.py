"""What is wrong with an Ingress, an IngressClass or a NetworkPolicy.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/networking/validation/validation.go
"""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, forbidden, invalid, not_supported, required, too_long
from lifepod.api.meta import immutable_errors, selector_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, domain_path_errors, named, new_object

_BAD_PARTS: Final = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS: Final = ("/..", "/.")
_CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_DIRECTIONS: Final = ("Ingress", "Egress")
_MOST_OF_CONTROLLER: Final = 250
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")


def _ingress_errors(ingress: JsonObject) -> list[FieldError]:
    """Source: ValidateIngressSpec"""
    spec: JsonObject = ingress.get("spec") or {}
    errors: list[FieldError] = []
    rules: list[JsonObject] = spec.get("rules") or []
    if not rules and spec.get("defaultBackend") is None:
        errors.append(invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend") is not None:
        errors += _backend_errors(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _host_errors(rule.get("host"), f"spec.rules[{index}].host", refuse_address=True)
        if rule.get("http") is not None:
            errors += _http_errors(rule["http"], f"spec.rules[{index}].http")
    for index, tls in enumerate(spec.get("tls") or []):
        for at, host in enumerate(tls.get("hosts") or []):
            errors += _host_errors(host, f"spec.tls[{index}].hosts[{at}]")
        if tls.get("secretName"):
            errors += named(tls["secretName"], names.dns_subdomain, f"spec.tls[{index}].secretName")
    if spec.get("ingressClassName") is not None:
        wanted = spec["ingressClassName"]
        errors += [invalid("spec.ingressClassName", wanted, c) for c in names.dns_subdomain(wanted)]
    return errors


def _new_ingress_errors(ingress: JsonObject) -> list[FieldError]:
    """The annotation of old and the field name the same class. Source: ValidateIngressCreate"""
    errors = _ingress_errors(ingress)
    marked = ((ingress.get("metadata") or {}).get("annotations") or {}).get(_CLASS_ANNOTATION)
    wanted = (ingress.get("spec") or {}).get("ingressClassName")
    if marked is not None and wanted is not None and marked != wanted:
        path = f"annotations.{_CLASS_ANNOTATION}"
        errors.append(invalid(path, marked, "must match `ingressClassName` when both are specified"))
    return errors


def _host_errors(host: str | None, path: str, *, refuse_address: bool = False) -> list[FieldError]:
    if not host:
        return []
    errors: list[FieldError] = []
    if refuse_address and _is_address(host):
        errors.append(invalid(path, host, "must be a DNS name, not an IP address"))
    rule = names.wildcard_subdomain if "*" in host else names.dns_subdomain
    return errors + [invalid(path, host, complaint) for complaint in rule(host)]


def _is_address(text: str) -> bool:
    from ipaddress import ip_address  # slow to import, and few objects name an address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _http_errors(http: JsonObject, path: str) -> list[FieldError]:
    """Source: validateHTTPIngressRuleValue, validateHTTPIngressPath"""
    paths: list[JsonObject] = http.get("paths") or []
    errors = [] if paths else [required(f"{path}.paths")]
    for index, entry in enumerate(paths):
        at, text, kind = f"{path}.paths[{index}]", entry.get("path") or "", entry.get("pathType")
        if kind is None:
            errors.append(required(f"{at}.pathType", "pathType must be specified"))
            continue
        errors += _path_errors(text, kind, at)
        errors += _backend_errors(entry.get("backend") or {}, f"{at}.backend")
    return errors


def _path_errors(text: str, kind: str, at: str) -> list[FieldError]:
    match kind:
        case "Exact" | "Prefix":
            errors = [] if text.startswith("/") else [invalid(f"{at}.path", text, "must be an absolute path")]
            errors += [invalid(f"{at}.path", text, f"must not contain '{part}'") for part in _BAD_PARTS if part in text]
            ends = [end for end in _BAD_ENDS if text.endswith(end)]
            return errors + [invalid(f"{at}.path", text, f"cannot end with '{end}'") for end in ends]
        case "ImplementationSpecific":
            is_fine = not text or text.startswith("/")
            return [] if is_fine else [invalid(f"{at}.path", text, "must be an absolute path")]
    return [not_supported(f"{at}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix"))]


def _backend_errors(backend: JsonObject, path: str) -> list[FieldError]:
    """Source: validateIngressBackend"""
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference_errors(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    errors = named(service.get("name"), names.dns1035_label, f"{path}.service.name")
    port: JsonObject = service.get("port") or {}
    name, number = port.get("name") or "", port.get("number") or 0
    if name and number:
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif name:
        errors += [invalid(f"{path}.service.port.name", name, c) for c in names.port_name(name)]
    elif number:
        errors += [invalid(f"{path}.service.port.number", number, c) for c in names.port_number(number)]
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _reference_errors(reference: JsonObject, path: str) -> list[FieldError]:
    """Source: validateIngressTypedLocalObjectReference"""
    group = reference.get("apiGroup")
    errors: list[FieldError] = []
    if group is not None:
        errors += [invalid(f"{path}.apiGroup", group, complaint) for complaint in names.dns_subdomain(group)]
    errors += named(reference.get("kind"), names.path_segment, f"{path}.kind")
    return errors + named(reference.get("name"), names.path_segment, f"{path}.name")


def _ingress_class_errors(ingress_class: JsonObject) -> list[FieldError]:
    """The controller is a path under a domain. Source: validateIngressClassSpec"""
    spec: JsonObject = ingress_class.get("spec") or {}
    controller: str = spec.get("controller") or ""
    errors = (
        [too_long("spec.controller", _MOST_OF_CONTROLLER)] if len(controller.encode()) > _MOST_OF_CONTROLLER else []
    )
    errors += domain_path_errors(controller, "spec.controller")
    parameters = spec.get("parameters")
    return errors if parameters is None else errors + _parameter_errors(parameters, "spec.parameters")


def _parameter_errors(parameters: JsonObject, path: str) -> list[FieldError]:
    """Of a namespace, or of the cluster. Source: validateIngressClassParametersReference"""
    errors = _reference_errors(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    match scope:
        case "Cluster":
            if namespace is not None:
                errors.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
        case "Namespace":
            if namespace is None:
                return [*errors, required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")]
            errors += [invalid(f"{path}.namespace", namespace, complaint) for complaint in names.dns_label(namespace)]
        case _:
            errors.append(not_supported(f"{path}.scope", scope, ("Cluster", "Namespace")))
    return errors


def _kept_controller_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    after, before = (new.get("spec") or {}).get("controller"), (old.get("spec") or {}).get("controller")
    return immutable_errors(after, before, "spec.controller")


def _network_policy_errors(policy: JsonObject) -> list[FieldError]:
    """Source: ValidateNetworkPolicySpec"""
    spec: JsonObject = policy.get("spec") or {}
    errors = selector_errors(spec.get("podSelector"), "spec.podSelector")
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(side) or []):
            path = f"spec.{side}[{index}]"
            for at, port in enumerate(rule.get("ports") or []):
                errors += _policy_port_errors(port, f"{path}.ports[{at}]")
            for at, peer in enumerate(rule.get(peers) or []):
                errors += _peer_errors(peer, f"{path}.{peers}[{at}]")
    types: list[str] = spec.get("policyTypes") or []
    if len(types) > len(_DIRECTIONS):
        return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    for index, kind in enumerate(types):
        if kind not in _DIRECTIONS:
            errors.append(not_supported(f"spec.policyTypes[{index}]", kind, _DIRECTIONS))
    return errors


def _policy_port_errors(entry: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateNetworkPolicyPort"""
    protocol, port, end = entry.get("protocol"), entry.get("port"), entry.get("endPort")
    errors: list[FieldError] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    if isinstance(port, int):
        errors += [invalid(f"{path}.port", port, complaint) for complaint in names.port_number(port)]
        if end is not None and end < port:
            errors.append(invalid(f"{path}.endPort", port, "must be greater than or equal to `port`"))
        if end is not None:
            errors += [invalid(f"{path}.endPort", end, complaint) for complaint in names.port_number(end)]
        return errors
    if end is not None:
        why = "non-numeric" if port is not None else "not specified"
        errors.append(invalid(f"{path}.endPort", end, f"may not be specified when `port` is {why}"))
    if port is not None:
        errors += [invalid(f"{path}.port", port, complaint) for complaint in names.port_name(port)]
    return errors


def _peer_errors(peer: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateNetworkPolicyPeer"""
    errors: list[FieldError] = []
    given = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None]
    for field in given:
        if field == "ipBlock":
            errors += _block_errors(peer[field], f"{path}.ipBlock")
        else:
            errors += selector_errors(peer[field], f"{path}.{field}")
    if not given:
        errors.append(required(path, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _block_errors(block: JsonObject, path: str) -> list[FieldError]:
    """Source: ValidateIPBlock"""
    from ipaddress import ip_network  # slow to import, and few policies name a block

    detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    text: str = block.get("cidr") or ""
    if not text:
        return [required(f"{path}.cidr")]
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        return [invalid(f"{path}.cidr", text, detail)]
    errors = [] if "/" in text else [invalid(f"{path}.cidr", text, detail)]
    for index, part in enumerate(block.get("except") or []):
        at = f"{path}.except[{index}]"
        try:
            hole = ip_network(part, strict=False)
        except ValueError:
            errors.append(invalid(at, part, detail))
            continue
        is_inside = hole.version == whole.version and hole.network_address in whole
        if not is_inside or hole.prefixlen <= whole.prefixlen:
            errors.append(invalid(at, part, "must be a strict subset of `cidr`"))
    return errors


ingress_errors = new_object(_new_ingress_errors, namespaced=True)
ingress_update_errors = changed_object(_ingress_errors)
ingress_class_errors = new_object(_ingress_class_errors, namespaced=False)
ingress_class_update_errors = changed_object(_ingress_class_errors, change=_kept_controller_errors)
network_policy_errors = new_object(_network_policy_errors, namespaced=True)
network_policy_update_errors = changed_object(_network_policy_errors)
