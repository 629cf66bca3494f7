"""The whole site: one request in, one answer out. Identity, refusals, the paths that are no resource, headers, hooks.

Requests for resources are `resource_requests.py`'s; wires are `protocol.py` and `asgi.py`. What must stay true: nothing raises
out of `site`; what can be answered at once is answered without a task.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Iterable
from os import urandom
from typing import Final, Protocol

from lifepod.api.kinds import KindRegistry
from lifepod.api.writes import ApiError
from lifepod.apiserver.auth import MASTERS, Authenticator, Authorizer, User
from lifepod.apiserver.discovery import Discovery
from lifepod.apiserver.exchange import Answer, Headers, Request, Response, Stream, Upgrade, Whole
from lifepod.apiserver.health import Health, version_response
from lifepod.apiserver.http_errors import (
    forbidden,
    internal_error,
    method_not_allowed,
    status_response,
)
from lifepod.apiserver.impersonation import acting_user
from lifepod.apiserver.negotiation import accepted_form, dressed, encoded
from lifepod.apiserver.openapi_routes import OpenApiRoutes
from lifepod.apiserver.request_attributes import attributes_of
from lifepod.apiserver.routes import ResourcePath, resource_path

_log = logging.getLogger("lifepod.apiserver")
_NOT_FOUND: Final = Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
CLIENT_GONE: Final = 499
"""The status told to hooks when the client did not wait for its answer."""
_PRIVATE: Final = ("Cache-Control", "no-cache, private")


class ResourceHandler(Protocol):
    """Who answers requests for resources. May raise ApiError."""

    def answer(self, request: Request, path: ResourcePath, user: User) -> Answer: ...


class Hooks(Protocol):
    """Who wants to know of every request: simulation counts and records them."""

    def began(self, number: int, request: Request) -> None: ...

    def ended(self, number: int, status: int) -> None: ...


class ExtraPath(Protocol):
    """Answers paths of other parts (`/openid/v1/jwks`), whatever the method; None when the path is not theirs."""

    def __call__(self, request: Request) -> Answer | None: ...


class App:
    """The API server's site. `site` answers a request."""

    def __init__(
        self,
        kinds: KindRegistry,
        resources: ResourceHandler,
        authenticator: Authenticator,
        authorize: Authorizer,
        *,
        health: Health | None = None,
        hooks: Hooks | None = None,
        extra_paths: Iterable[ExtraPath] = (),
    ) -> None:
        self.discovery = Discovery(kinds)
        self._resources = resources
        self._authenticator = authenticator
        self._authorize = authorize
        self._health = health or Health()
        self._openapi = OpenApiRoutes(self.discovery)
        self._hooks = hooks
        self._extra_paths = tuple(extra_paths)
        self._number = 0
        self._audit_prefix = urandom(10).hex()

    # -------------------------------------------------------------------------------------------- one request

    def site(self, request: Request) -> Answer:
        """Answer one request. Never raises; what has to wait comes as an awaitable."""
        self._number = number = self._number + 1
        if self._hooks is not None:
            self._hooks.began(number, request)
        try:
            answer = self._answer(request)
        except ApiError as error:
            answer = self._refused(request, error)
        except Exception as problem:  # noqa: BLE001 - the outermost edge: one bad request must not end the server
            answer = self._broken(request, problem)
        if isinstance(answer, tuple):
            return self._finished(request, answer, number)
        return self._later(request, answer, number)

    async def _later(self, request: Request, waiting: Awaitable[Whole], number: int) -> Whole:
        try:
            answer = await waiting
        except CancelledError:
            if self._hooks is not None:
                self._hooks.ended(number, CLIENT_GONE)
            raise
        except ApiError as error:
            answer = self._refused(request, error)
        except Exception as problem:  # noqa: BLE001 - as above
            answer = self._broken(request, problem)
        return self._finished(request, answer, number)

    def _refused(self, request: Request, error: ApiError) -> Response:
        response = status_response(error)
        try:
            return dressed(response, request, accepted_form(request))
        except ApiError:
            return response

    def _broken(self, request: Request, problem: Exception) -> Response:
        _log.exception("%s %s: our own mistake, answered with 500", request.method, request.path, exc_info=problem)
        return status_response(internal_error(f"{type(problem).__name__}: {problem}"))

    def _finished(self, request: Request, answer: Whole, number: int) -> Whole:
        """The answer with the headers that every one carries."""
        audit_id = f"{self._audit_prefix[:8]}-{self._audit_prefix[8:12]}-4{self._audit_prefix[12:15]}-8{self._audit_prefix[15:18]}-{number:012x}"
        headers: Headers = answer.headers
        if request.answer_headers:
            headers = (*request.answer_headers, *headers)
        if any(name == "Cache-Control" for name, _ in headers):
            headers = (("Audit-Id", audit_id), *headers)
        else:
            headers = (("Audit-Id", audit_id), _PRIVATE, *headers)
        if self._hooks is not None:
            self._hooks.ended(number, 101 if isinstance(answer, Upgrade) else answer.status)
        if type(answer) is Response:
            return Response(answer.status, answer.body, answer.content_type, headers)
        if isinstance(answer, Stream):
            return Stream(answer.start, answer.status, answer.content_type, headers)
        return answer._replace(headers=headers)

    # -------------------------------------------------------------------------------------------- where it goes

    def _answer(self, request: Request) -> Answer:
        user = acting_user(request, self._authenticator.user_of(request), self._authorize)
        path = resource_path(request.path)
        if MASTERS not in user.groups:
            wish = attributes_of(request, path)
            decision = self._authorize(user, wish)
            if not decision.allowed:
                raise forbidden(user.name, wish, decision.why)
        if path is not None and self.discovery.serves(path.group, path.version):
            return self._resources.answer(request, path, user)
        response = self._no_resource(request, request.path.rstrip("/") or "/")
        if response is not None:
            return response
        extra = next((found for each in self._extra_paths if (found := each(request)) is not None), None)
        return extra if extra is not None else _NOT_FOUND

    def _no_resource(self, request: Request, path: str) -> Response | None:
        root = path.split("/", 2)[1] if path.startswith("/") else "*"
        match root:
            case "api" | "apis":
                response = self.discovery.answer(request, path)
            case "healthz" | "livez" | "readyz":
                response = self._health.answer(request, path)
            case "version" if path == "/version":
                response = version_response()
            case "openapi":
                response = self._openapi.answer(request, path)
            case "" if path == "/":
                response = self._index()
            case _:
                response = None
        if response is None:
            return None
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        return (
            dressed(response, request, accepted_form(request, discovery=True))
            if root in ("api", "apis", "")
            else response
        )

    def _index(self) -> Response:
        paths = ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
        for group, version in self.discovery.group_versions():
            paths.extend([f"/apis/{group}", f"/apis/{group}/{version}"] if group else [f"/api/{version}"])
        return Response(200, encoded({"paths": sorted(set(paths))}))
