"""The functions that Kubernetes adds to CEL, for rules of custom resources: lists, texts, quantities, addresses, URLs.

Quantities are numbers here, addresses and URLs texts; a method's first argument is what it is called on.

Source: k8s.io/apiserver v0.34.4 pkg/cel/library/{lists,regex,urls,quantity,ip,cidr}.go; cel-go ext/strings.go
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import NamedTuple

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.quantity import parse_quantity


def _accepts(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _is_sorted(items: list[JsonValue]) -> bool:
    return all(a <= b for a, b in pairwise(items))


def _index_of(items: list[JsonValue] | str, wanted: JsonValue) -> int:
    if isinstance(items, str):
        return items.find(str(wanted))
    return items.index(wanted) if wanted in items else -1


def _last_index_of(items: list[JsonValue] | str, wanted: JsonValue) -> int:
    if isinstance(items, str):
        return items.rfind(str(wanted))
    return len(items) - 1 - items[::-1].index(wanted) if wanted in items else -1


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(pattern, text)]
    return found[:limit] if limit >= 0 else found


def _substring(text: str, start: int, end: int = -1) -> str:
    return text[start:] if end < 0 else text[start:end]


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    return text.split(separator, limit - 1) if limit > 0 else text.split(separator)


def _join(items: list[str], separator: str = "") -> str:
    return separator.join(items)


def _format(text: str, arguments: list[JsonValue]) -> str:
    return text % tuple(arguments)


def _quantity(text: str) -> float:
    return parse_quantity(text).nanos / 1e9


def _compare(a: float, b: float) -> int:
    return (a > b) - (a < b)


class _Url(NamedTuple):
    scheme: str
    host: str
    path: str
    query: str

    @property
    def port(self) -> str:
        found = re.search(r":(\d+)$", self.host)
        return found[1] if found else ""


_URL = re.compile(r"(?:([A-Za-z][\w+.-]*):)?(?://(?:[^/?#@]*@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)


def _parts(text: str) -> _Url:
    """A URL's parts; Source: RFC 3986 appendix B. Raises ValueError when it is neither absolute nor a path from the root."""
    found = _URL.fullmatch(text)
    if found is None or not (found[1] or text.startswith("/")):
        raise ValueError(f"URL parse error during conversion from string: {text}")
    return _Url(found[1] or "", found[2] or "", found[3] or "", found[4] or "")


def _url(text: str) -> str:
    _parts(text)
    return text


def _query(text: str) -> JsonObject:
    found: JsonObject = {}
    for pair in filter(None, _parts(text).query.split("&")):
        name, _, value = pair.partition("=")
        found.setdefault(name, []).append(value)
    return found


def _contains_ip(network: str, address: str) -> bool:
    return ip_address(address) in ip_network(network, strict=False)


FUNCTIONS: Mapping[str, Callable[..., JsonValue]] = {
    "isSorted": _is_sorted,
    "sum": sum,
    "min": lambda items, *more: min((items, *more)) if more else min(items),
    "max": lambda items, *more: max((items, *more)) if more else max(items),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "find": _find,
    "findAll": _find_all,
    "lowerAscii": lambda text: text.lower(),
    "upperAscii": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "charAt": lambda text, at: text[at : at + 1],
    "substring": _substring,
    "replace": _replace,
    "split": _split,
    "join": _join,
    "format": _format,
    "quantity": _quantity,
    "isQuantity": _accepts(parse_quantity),
    "isInteger": lambda number: float(number).is_integer(),
    "asInteger": int,
    "asApproximateFloat": float,
    "sign": lambda number: _compare(number, 0),
    "isGreaterThan": lambda a, b: a > b,
    "isLessThan": lambda a, b: a < b,
    "compareTo": _compare,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "url": _url,
    "isURL": _accepts(_url),
    "getScheme": lambda text: _parts(text).scheme,
    "getHost": lambda text: _parts(text).host,
    "getHostname": lambda text: re.sub(r":\d+$", "", _parts(text).host).strip("[]"),
    "getPort": lambda text: _parts(text).port,
    "getEscapedPath": lambda text: _parts(text).path,
    "getQuery": _query,
    "ip": lambda text: str(ip_address(text)),
    "isIP": _accepts(ip_address),
    "family": lambda text: ip_address(text).version,
    "isLoopback": lambda text: ip_address(text).is_loopback,
    "cidr": lambda text: str(ip_network(text, strict=False)),
    "isCIDR": _accepts(lambda text: ip_network(text, strict=False)),
    "containsIP": _contains_ip,
    "prefixLength": lambda text: ip_network(text, strict=False).prefixlen,
}
