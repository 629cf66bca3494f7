"""The functions that Kubernetes adds to CEL: quantities, addresses, networks, URLs, versions, named formats, regular expressions.

Source: k8s.io/apiserver v0.34.4 pkg/cel/library/{quantity,ip,cidr,urls,semverlib,format,regex}.go
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from lifepod.api import names
from lifepod.api.cel.patterns import find, find_all
from lifepod.api.cel.values import NONE, CelError, Opaque, Optional, Speaking, Value, no_overload
from lifepod.api.quantity import Quantity, QuantityError, format_quantity, parse_quantity

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
_NANO: Final = 10**9


def _needs(name: str, value: Value, kind: str) -> Opaque:
    if not isinstance(value, Opaque) or value.type_name != kind:
        raise no_overload(name, (value,))
    return value


def _reads(read: Callable[[str], Value]) -> Callable[[str], Value]:
    def check(text: str, *more: Value) -> Value:
        if not isinstance(text, str):
            raise no_overload("is", (text,))
        try:
            read(text, *more)
        except (CelError, ValueError):
            return False
        return True

    return check


# ---------------------------------------------------------------------------------------------------------------- quantities

_QUANTITY: Final = "kubernetes.Quantity"


def _quantity_of(nanos: int) -> Opaque:
    return Opaque(_QUANTITY, nanos, format_quantity(Quantity(nanos)))


def _quantity(text: str) -> Value:
    try:
        return Opaque(_QUANTITY, parse_quantity(text).nanos, text)
    except QuantityError as problem:
        raise CelError(str(problem)) from None


def _nanos(name: str, value: Value) -> int:
    key = _needs(name, value, _QUANTITY).key
    assert isinstance(key, int)
    return key


def _sign(value: Value) -> Value:
    nanos = _nanos("sign", value)
    return (nanos > 0) - (nanos < 0)


def _as_integer(value: Value) -> Value:
    whole, rest = divmod(_nanos("asInteger", value), _NANO)
    if rest:
        raise CelError("cannot convert value to integer")
    return whole


def _added(name: str, sign: int) -> Callable[[Value, Value], Value]:
    def add(value: Value, other: Value) -> Value:
        more = other * _NANO if isinstance(other, int) and not isinstance(other, bool) else _nanos(name, other)
        return _quantity_of(_nanos(name, value) + sign * more)

    return add


# ---------------------------------------------------------------------------------------------------------------- addresses

_IP: Final = "net.IP"
_CIDR: Final = "net.CIDR"


def _ip(value: Value) -> Value:
    if isinstance(value, Opaque) and value.type_name == _CIDR:
        address = _network("ip", value)[0]
        return Opaque(_IP, address, str(address))
    if not isinstance(value, str) or "%" in value:
        raise CelError(f"IP Address {value!r} parse error during conversion from string: unable to parse IP")
    try:
        address = ip_address(value)
    except ValueError:
        text = (
            f'IP Address "{value}" parse error during conversion from string: ParseAddr("{value}"): unable to parse IP'
        )
        raise CelError(text) from None
    return Opaque(_IP, address, str(address))


def _address(name: str, value: Value) -> Address:
    if isinstance(value, str):
        value = _ip(value)
    key = _needs(name, value, _IP).key
    assert isinstance(key, IPv4Address | IPv6Address)
    return key


def _asks_address(name: str, ask: Callable[[Address], Value]) -> Callable[[Value], Value]:
    return lambda value: ask(_address(name, value))


def _is_canonical(text: str) -> Value:
    return str(_address("ip.isCanonical", text)) == text


def _cidr(text: str) -> Value:
    address, _, length = text.partition("/")
    try:
        if not length.isdecimal() or (len(length) > 1 and length[0] == "0"):
            raise ValueError
        network = ip_network(text, strict=False)
    except ValueError:
        problem = f"network address parse error during conversion from string: netip.ParsePrefix(\"{text}\"): no '/'"
        raise CelError(problem) from None
    host = ip_address(address)
    return Opaque(_CIDR, (host, network), f"{host}/{network.prefixlen}")


def _network(name: str, value: Value) -> tuple[Address, Network]:
    if isinstance(value, str):
        value = _cidr(value)
    key = _needs(name, value, _CIDR).key
    assert isinstance(key, tuple)
    return key[0], key[1]


def _contains_ip(value: Value, address: Value) -> Value:
    return _address("containsIP", address) in _network("containsIP", value)[1]


def _contains_cidr(value: Value, other: Value) -> Value:
    outer, inner = _network("containsCIDR", value)[1], _network("containsCIDR", other)[1]
    return outer.version == inner.version and inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def _masked(value: Value) -> Value:
    return _cidr(str(_network("masked", value)[1]))


# ---------------------------------------------------------------------------------------------------------------- URLs

_URL: Final = "kubernetes.URL"
_URL_PARTS: Final = re.compile(
    r"(?:([A-Za-z][\w+.-]*):)?(?://(?:[^/?#@]*@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL
)


class _Parts(NamedTuple):
    scheme: str
    host: str
    path: str
    query: str


def _url(text: str) -> Value:
    """Source: RFC 3986 appendix B; net/url: ParseRequestURI"""
    found = _URL_PARTS.fullmatch(text)
    if found is None or not (found[1] or text.startswith("/")) or any(c.isspace() for c in found[2] or ""):
        raise CelError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    port = re.search(r"\]?:([^\]]*)$", found[2] or "")
    if port and not re.fullmatch(r"\d*", port[1]):
        raise CelError(
            f'URL parse error during conversion from string: parse "{text}": invalid port ":{port[1]}" after host'
        )
    return Opaque(_URL, _Parts(found[1] or "", found[2] or "", found[3] or "", found[4] or ""), text)


def _parts(name: str, value: Value) -> _Parts:
    key = _needs(name, value, _URL).key
    assert isinstance(key, _Parts)
    return key


def _host_port(host: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", host)
    return (found[1].strip("[]"), found[2] or "") if found else (host, "")


def _query(value: Value) -> Value:
    found: dict[str, list[str]] = {}
    for pair in filter(None, _parts("getQuery", value).query.split("&")):
        name, _, text = pair.partition("=")
        found.setdefault(_unquoted(name), []).append(_unquoted(text))
    return found


def _unquoted(text: str) -> str:
    raw = re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes((int(m[1], 16),)), text.replace("+", " ").encode())
    return raw.decode("utf-8", "replace")


# ---------------------------------------------------------------------------------------------------------------- versions

_SEMVER: Final = "kubernetes.Semver"
_SEMVER_PARTS: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)


def _semver(text: str, normalize: bool = False) -> Value:
    if normalize:
        core, rest = re.match(r"([^-+]*)(.*)", text.removeprefix("v"), re.DOTALL).groups()  # type: ignore[union-attr]  # matches all
        numbers = [part.lstrip("0") or "0" for part in core.split(".")]
        text = ".".join([*numbers, "0", "0"][: max(3, len(numbers))]) + rest
    found = _SEMVER_PARTS.fullmatch(text)
    if found is None:
        raise CelError(
            "No Major.Minor.Patch elements found" if text.count(".") < 2 else f"invalid semantic version: {text}"
        )
    release = found[4]
    order = (
        tuple((0, int(each), "") if each.isdecimal() else (1, 0, each) for each in release.split("."))
        if release
        else ()
    )
    return Opaque(_SEMVER, (int(found[1]), int(found[2]), int(found[3]), 0 if release else 1, order), text)


def _semver_part(name: str, at: int) -> Callable[[Value], Value]:
    def get(value: Value) -> Value:
        key = _needs(name, value, _SEMVER).key
        assert isinstance(key, tuple)
        number: Value = key[at]
        return number

    return get


# ---------------------------------------------------------------------------------------------------------------- order


def _order(name: str, value: Value, other: Value) -> int:
    """-1, 0, 1 of two quantities or two versions."""
    if not isinstance(value, Opaque) or value.type_name not in (_QUANTITY, _SEMVER):
        raise no_overload(name, (value, other))
    a, b = value.key, _needs(name, other, value.type_name).key
    return int(a > b) - int(a < b)  # type: ignore[operator]  # two numbers, or two tuples of them


# ---------------------------------------------------------------------------------------------------------------- formats

_FORMAT: Final = "kubernetes.NamedFormat"
_Check: TypeAlias = Callable[[str], Sequence[str]]


def _pattern_check(pattern: str, problem: str) -> _Check:
    compiled = re.compile(pattern)
    return lambda text: [] if compiled.fullmatch(text) else [problem]


def _by_reading(read: Callable[[str], Value]) -> _Check:
    def check(text: str) -> Sequence[str]:
        try:
            read(text)
        except (CelError, ValueError) as problem:
            return [str(problem)]
        return []

    return check


def _label_prefix(check: _Check) -> _Check:
    return lambda text: check(f"{text.removesuffix('-')}a" if text.endswith("-") else text)


_FORMATS: Final[Mapping[str, _Check]] = {
    "dns1123Label": names.dns_label,
    "dns1123Subdomain": names.dns_subdomain,
    "dns1035Label": names.dns1035_label,
    "dns1123LabelPrefix": _label_prefix(names.dns_label),
    "dns1123SubdomainPrefix": _label_prefix(names.dns_subdomain),
    "dns1035LabelPrefix": _label_prefix(names.dns1035_label),
    "qualifiedName": names.qualified_name,
    "labelValue": names.label_value,
    "uri": _by_reading(_url),
    "uuid": _pattern_check(
        r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "does not match the UUID format"
    ),
    "byte": _pattern_check(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "invalid base64"),
    "date": _pattern_check(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", "invalid date"),
    "datetime": _pattern_check(
        r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})", "invalid datetime"
    ),
}


def _format(name: str) -> Callable[[], Value]:
    return lambda: Opaque(_FORMAT, name, name)


def _named_format(name: str) -> Value:
    return Optional(True, Opaque(_FORMAT, name, name)) if name in _FORMATS else NONE


def _validate(value: Value, text: str) -> Value:
    if not isinstance(text, str):
        raise no_overload("validate", (value, text))
    problems = list(_FORMATS[_needs("validate", value, _FORMAT).text](text))
    return Optional(True, problems) if problems else NONE


# ---------------------------------------------------------------------------------------------------------------- authorizer

_TOLD: Final = (
    "group", "resource", "subresource", "namespace", "name", "path", "serviceAccount", "check", "allowed", "reason", "errored", "error",
)  # fmt: skip


def _telling(method: str) -> Callable[..., Value]:
    def tell(target: Value, *args: Value) -> Value:
        if not isinstance(target, Speaking):
            raise no_overload(method, (target, *args))
        return target.told(method, args)

    return tell


GLOBALS: Final[Mapping[str, Callable[..., Value]]] = {
    "quantity": _quantity,
    "isQuantity": _reads(_quantity),
    "ip": _ip,
    "isIP": _reads(_ip),
    "ip.isCanonical": _is_canonical,
    "cidr": _cidr,
    "isCIDR": _reads(_cidr),
    "url": _url,
    "isURL": _reads(_url),
    "semver": _semver,
    "isSemver": _reads(_semver),
    "format.named": _named_format,
    **{f"format.{name}": _format(name) for name in _FORMATS},
}
METHODS: Final[Mapping[str, Callable[..., Value]]] = {
    "sign": _sign,
    "isInteger": lambda value: _nanos("isInteger", value) % _NANO == 0,
    "asInteger": _as_integer,
    "asApproximateFloat": lambda value: _nanos("asApproximateFloat", value) / _NANO,
    "add": _added("add", 1),
    "sub": _added("sub", -1),
    "isGreaterThan": lambda value, other: _order("isGreaterThan", value, other) > 0,
    "isLessThan": lambda value, other: _order("isLessThan", value, other) < 0,
    "compareTo": lambda value, other: _order("compareTo", value, other),
    "major": _semver_part("major", 0),
    "minor": _semver_part("minor", 1),
    "patch": _semver_part("patch", 2),
    "family": _asks_address("family", lambda address: address.version),
    "isUnspecified": _asks_address("isUnspecified", lambda address: address.is_unspecified),
    "isLoopback": _asks_address("isLoopback", lambda address: address.is_loopback),
    "isLinkLocalMulticast": _asks_address(
        "isLinkLocalMulticast",
        lambda address: address in (ip_network("224.0.0.0/24") if address.version == 4 else ip_network("ff02::/16")),
    ),
    "isLinkLocalUnicast": _asks_address("isLinkLocalUnicast", lambda address: address.is_link_local),
    "isGlobalUnicast": _asks_address(
        "isGlobalUnicast",
        lambda address: (
            not (address.is_multicast or address.is_loopback or address.is_link_local or address.is_unspecified)
        ),
    ),
    "ip": _ip,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "masked": _masked,
    "prefixLength": lambda value: _network("prefixLength", value)[1].prefixlen,
    "getScheme": lambda value: _parts("getScheme", value).scheme,
    "getHost": lambda value: _parts("getHost", value).host,
    "getHostname": lambda value: _host_port(_parts("getHostname", value).host)[0],
    "getPort": lambda value: _host_port(_parts("getPort", value).host)[1],
    "getEscapedPath": lambda value: _parts("getEscapedPath", value).path,
    "getQuery": _query,
    "find": find,
    "findAll": find_all,
    "validate": _validate,
    **{method: _telling(method) for method in _TOLD},
}
