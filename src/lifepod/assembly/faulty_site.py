"""The API server's site behind what goes wrong with requests: errors, conflicts, late answers, broken connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lifepod.apiserver.exchange import NO_ANSWER, Answer, Request, Response, Site, Stream, Upgrade, Whole
from lifepod.apiserver.http_errors import status_response
from lifepod.apiserver.routes import resource_path
from lifepod.simulation.api_faults import Asked, refusal_of

if TYPE_CHECKING:
    from lifepod.assembly.fault_injector import FaultInjector

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class FaultySite:
    """Answers as the site behind it unless a fault strikes the request."""

    def __init__(self, behind: Site, faults: FaultInjector) -> None:
        self._behind, self._faults = behind, faults

    def site(self, request: Request) -> Answer:
        """Answer one request."""
        if not self._faults.active:
            return self._behind(request)
        asked = asked_of(request)
        fault = self._faults.refusal(asked) if asked is not None else None
        if fault is None or asked is None:
            return self._behind(request)
        match fault.kind:
            case "api-drop":
                return NO_ANSWER
            case "api-slow":
                return self._late(request, fault.duration("by").total_seconds())
            case "api-timeout" if asked.verb not in ("get", "list", "watch"):
                self._behind(request)
        return status_response(refusal_of(fault, asked))

    async def _late(self, request: Request, seconds: float) -> Whole:
        """Late in the client's own time: its timeouts are what this is for."""
        await asyncio.sleep(seconds)
        answer = self._behind(request)
        return answer if isinstance(answer, Response | Stream | Upgrade) else await answer


def asked_of(request: Request) -> Asked | None:
    """What a request wants of which resource; None when its path is none."""
    path = resource_path(request.path)
    if path is None:
        return None
    resource = f"{path.plural}.{path.group}" if path.group else path.plural
    verb = _VERBS.get(request.method)
    if verb is None:
        verb = "get" if path.name else "watch" if path.watch or request.flag("watch") else "list"
    if request.flag("watch"):
        verb = "watch"
    return Asked("clients", verb, resource, path.namespace, path.name, path.subresource)
