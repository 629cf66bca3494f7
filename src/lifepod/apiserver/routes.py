"""Which resource a path names, and what a method means there. Parses; looks nothing up.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/request/requestinfo.go: NewRequestInfo (the grammar of paths);
        pkg/endpoints/installer.go: registerResourceHandlers (which methods exist on which form)
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote

_NAMESPACE_SUBRESOURCES: Final = frozenset(("status", "finalize"))
PROXIED: Final = frozenset(("pods", "services", "nodes"))


class ResourcePath(NamedTuple):
    """`/apis/<group>/<version>[/namespaces/<namespace>]/<plural>[/<name>[/<subresource>[/<rest>]]]`, taken apart.

    `rest` keeps its leading slash, as a proxied path needs it. `watch`: the old `/watch/` form.
    """

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watch: bool = False


def resource_path(path: str) -> ResourcePath | None:
    """What `path` names below `/api/<version>` or `/apis/<group>/<version>`; None when it is no path of a resource."""
    parts = path.split("/")
    if len(parts) < 2:
        return None  # `*` and the like
    if parts[1] == "api":
        group, at = "", 2
    elif parts[1] == "apis" and len(parts) > 2:
        group, at = parts[2], 3
    else:
        return None
    tail = parts[at + 1 :]
    while tail and tail[-1] == "" and not _is_proxy(tail):
        tail.pop()
    if not tail:
        return None
    version = parts[at]
    watch = tail[0] == "watch" and len(tail) > 1
    if watch:
        tail = tail[1:]
    if "%" in path:
        version, tail = unquote(version), [unquote(part) for part in tail]
    if "" in tail[:3] or any(part in (".", "..") for part in tail[:4]):
        return None
    return _below(group, version, tail, watch)


def _is_proxy(tail: list[str]) -> bool:
    return "proxy" in tail[2:5]


def _below(group: str, version: str, tail: list[str], watch: bool) -> ResourcePath | None:
    namespace = ""
    is_in_namespace = len(tail) > 3 or (len(tail) > 2 and tail[2] not in _NAMESPACE_SUBRESOURCES)
    if tail[0] == "namespaces" and is_in_namespace:
        namespace, tail = tail[1], tail[2:]
    count = len(tail)
    if count > 3 and tail[2] != "proxy":
        return None
    return ResourcePath(
        group,
        version,
        tail[0],
        namespace,
        tail[1] if count > 1 else "",
        tail[2] if count > 2 else "",
        "/" + "/".join(tail[3:]) if count > 3 else "",
        watch,
    )


def proxied_name(name: str) -> tuple[str, str, str] | None:
    """Scheme, name and port of `[scheme:]name[:port]`, as proxy paths spell their target; None when malformed.

    Source: k8s.io/apimachinery v0.34.4 pkg/util/net/port_split.go: SplitSchemeNamePort
    """
    parts = name.split(":")
    match parts:
        case [only]:
            scheme, target, port = "", only, ""
        case [target, port]:
            scheme = ""
        case [scheme, target, port]:
            if scheme not in ("", "http", "https"):
                return None
        case _:
            return None
    return (scheme, target, port) if target else None
