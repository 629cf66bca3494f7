"""What is wrong with Endpoints or an EndpointSlice."""

from __future__ import annotations

from typing import Final

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, invalid, not_supported, required, too_many
from lifepod.api.meta import immutable_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, new_object

_FAMILIES: Final = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_MAX_ADDRESSES, _MAX_ENDPOINTS = 100, 1000
_NO_ADDRESS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def _endpoints_errors(endpoints: JsonObject) -> list[FieldError]:
    """Differs: loopback addresses are taken, since pods of the runtime `host` listen there.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/validation/validation.go: validateEndpointSubsets
    """
    errors: list[FieldError] = []
    for index, subset in enumerate(endpoints.get("subsets") or []):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(field) or []):
                errors += _address_errors(address.get("ip") or "", "", f"{path}.{field}[{at}].ip")
        ports: list[JsonObject] = subset.get("ports") or []
        for at, port in enumerate(ports):
            errors += _port_errors(port, f"{path}.ports[{at}]", is_named=len(ports) > 1)
    return errors


def _port_errors(port: JsonObject, path: str, *, is_named: bool) -> list[FieldError]:
    name, number, protocol = port.get("name") or "", port.get("port") or 0, port.get("protocol") or ""
    errors = [required(f"{path}.name")] if is_named and not name else []
    if name:
        errors += [invalid(f"{path}.name", name, complaint) for complaint in names.dns_label(name)]
    errors += [invalid(f"{path}.port", number, complaint) for complaint in names.port_number(number)]
    return errors + _protocol_errors(protocol, path)


def _protocol_errors(protocol: str, path: str) -> list[FieldError]:
    if not protocol:
        return [required(f"{path}.protocol")]
    return [] if protocol in _PROTOCOLS else [not_supported(f"{path}.protocol", protocol, _PROTOCOLS)]


def _address_errors(text: str, family: str, path: str) -> list[FieldError]:
    """`family` "" takes both. Source: pkg/apis/core/validation/validation.go: ValidateEndpointIP"""
    from ipaddress import ip_address  # slow to import

    try:
        address = ip_address(text)
    except ValueError:
        return [invalid(path, text, _NO_ADDRESS)]
    if family and f"IPv{address.version}" != family:
        article = "an" if family.startswith("I") else "a"
        return [invalid(path, text, f"must be {article} {family} address")]
    if address.is_unspecified:
        return [invalid(path, text, f"may not be unspecified ({text})")]
    if address.is_link_local:
        return [invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    if address.is_multicast:
        return [invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")]
    return []


def _slice_errors(endpoint_slice: JsonObject) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/discovery/validation/validation.go: ValidateEndpointSlice"""
    family: str = endpoint_slice.get("addressType") or ""
    errors: list[FieldError] = []
    if not family:
        errors.append(required("addressType"))
    elif family not in _FAMILIES:
        errors.append(not_supported("addressType", family, _FAMILIES))
    endpoints: list[JsonObject] = endpoint_slice.get("endpoints") or []
    if len(endpoints) > _MAX_ENDPOINTS:
        return [*errors, too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
    for index, endpoint in enumerate(endpoints):
        errors += _endpoint_errors(endpoint, family, f"endpoints[{index}]")
    return errors + _slice_port_errors(endpoint_slice.get("ports") or [])


def _endpoint_errors(endpoint: JsonObject, family: str, path: str) -> list[FieldError]:
    addresses: list[str] = endpoint.get("addresses") or []
    errors: list[FieldError] = []
    if not addresses:
        errors.append(required(f"{path}.addresses", "must contain at least 1 address"))
    if len(addresses) > _MAX_ADDRESSES:
        errors.append(too_many(f"{path}.addresses", len(addresses), _MAX_ADDRESSES))
    for at, address in enumerate(addresses):
        where = f"{path}.addresses[{at}]"
        if family in ("IPv4", "IPv6"):
            errors += _address_errors(address, family, where)
        elif family == "FQDN":
            errors += [invalid(where, address, complaint) for complaint in names.dns_subdomain(address)]
    return errors


def _slice_port_errors(ports: list[JsonObject]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name") or ""
        if name:
            errors += [invalid(f"{path}.name", name, complaint) for complaint in names.dns_label(name)]
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
        errors += _protocol_errors(port.get("protocol") or "", path)
    return errors


def _kept_family_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    return immutable_errors(new.get("addressType"), old.get("addressType"), "addressType")


endpoints_errors = new_object(_endpoints_errors, namespaced=True)
endpoints_update_errors = changed_object(_endpoints_errors)
endpoint_slice_errors = new_object(_slice_errors, namespaced=True)
endpoint_slice_update_errors = changed_object(_slice_errors, change=_kept_family_errors)
