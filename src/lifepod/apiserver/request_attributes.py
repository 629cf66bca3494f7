"""What a request wants to do, in the words in which roles speak of it. Parses; looks nothing up, so that who may not is told nothing.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/request/requestinfo.go: NewRequestInfo
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from lifepod.api.rbac_rules import Attributes
from lifepod.api.selectors import SelectorError, parse_field_selector
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.routes import ResourcePath

_VERBS: Final = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def attributes_of(request: Request, path: ResourcePath | None) -> Attributes:
    """The wish of a request; `path` is what its path names, None for one that is no resource's."""
    if path is None:
        return Attributes(request.method.lower(), path=unquote(request.path))
    verb, name = _VERBS.get(request.method, ""), path.name
    if path.watch:
        verb = "watch"
    elif not name and verb == "get":
        verb, name = "watch" if request.flag("watch") else "list", _only_name(request)
    elif not name and verb == "delete":
        verb = "deletecollection"
    namespace = path.name if path.plural == "namespaces" and not path.group else path.namespace
    return Attributes(verb, path.group, path.plural, path.subresource, namespace, name)


def _only_name(request: Request) -> str:
    """The one object that a list is about: the name that its field selector asks for."""
    try:
        terms = parse_field_selector(request.param("fieldSelector"))
    except SelectorError:
        return ""
    name = next((term.value for term in terms if term.field == "metadata.name" and term.equal), "")
    return "" if name in (".", "..") or "/" in name or "%" in name else name
