"""What is wrong with an IPAddress or a ServiceCIDR.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/networking/validation/validation.go
"""

from __future__ import annotations

from lifepod.api import names
from lifepod.api.field_errors import FieldError, go_struct, invalid, required
from lifepod.api.meta import immutable_errors
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, named, new_object

_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def _address_name(name: str) -> names.Complaints:
    """Source: ValidateIPAddressName"""
    from ipaddress import ip_address  # slow to import, and few objects are addresses

    try:
        address = ip_address(name)
    except ValueError:
        return (f'ParseAddr("{name}"): unable to parse IP',)
    return () if str(address) == name else ("must be a canonical format IP address",)


def _address_errors(address: JsonObject) -> list[FieldError]:
    """Source: validateIPAddressParentReference"""
    parent = (address.get("spec") or {}).get("parentRef")
    path = "spec.parentRef"
    if parent is None:
        return [required(path)]
    group: str = parent.get("group") or ""
    errors = [invalid(f"{path}.group", group, complaint) for complaint in names.dns_subdomain(group)] if group else []
    errors += named(parent.get("resource"), names.path_segment, f"{path}.resource")
    errors += named(parent.get("name"), names.path_segment, f"{path}.name")
    namespace = parent.get("namespace")
    return errors + (named(namespace, names.path_segment, f"{path}.namespace") if namespace else [])


def _kept_address_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    return immutable_errors(after.get("parentRef"), before.get("parentRef"), "spec.parentRef")


def _range_errors(cidr: JsonObject) -> list[FieldError]:
    """Source: validateServiceCIDRSpec"""
    from ipaddress import ip_network  # as above

    ranges: list[str] = (cidr.get("spec") or {}).get("cidrs") or []
    if not ranges:
        return [required("spec.cidrs", "at least one CIDR required")]
    if len(ranges) > 2:
        return [invalid("spec.cidrs", go_struct(("CIDRs", ranges)), "may only hold up to 2 values")]
    errors: list[FieldError] = []
    families = []
    for index, text in enumerate(ranges):
        try:
            families.append(ip_network(text).version)
        except ValueError:
            errors.append(invalid(f"spec.cidrs[{index}]", text, _CIDR))
    if len(families) == 2 and len(set(families)) == 1:
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        errors.append(invalid("spec.cidrs", ranges, detail))
    return errors


def _kept_range_errors(new: JsonObject, old: JsonObject) -> list[FieldError]:
    """A range can get a second family, and else stays. Source: ValidateServiceCIDRUpdate"""
    after, before = (obj.get("spec", {}).get("cidrs") or [] for obj in (new, old))
    if len(after) != len(before) and (len(before), len(after)) != (1, 2):
        return immutable_errors(after, before, "spec.cidrs")
    pairs = zip(after, before, strict=False)
    errors = [e for at, pair in enumerate(pairs) for e in immutable_errors(*pair, f"spec.cidrs[{at}]")]
    return errors if len(after) == len(before) else errors + _range_errors(new)


ip_address_errors = new_object(_address_errors, namespaced=False, name_rule=_address_name)
ip_address_update_errors = changed_object(lambda _: [], change=_kept_address_errors)
service_cidr_errors = new_object(_range_errors, namespaced=False)
service_cidr_update_errors = changed_object(lambda _: [], change=_kept_range_errors)
