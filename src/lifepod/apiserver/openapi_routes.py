"""Where the OpenAPI documents are: `/openapi/v3` and one document per group version, under URLs that carry its hash; `/openapi/v2`.

What stands in a document is `api/openapi.py`'s; here they are made at first need, kept until the kinds change, and hashed by
content, because kubectl keeps what it once fetched under a hash for a long time.

Source: k8s.io/kube-openapi pkg/handler3/handler.go: HandleDiscovery, HandleGroupVersion
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from lifepod.api.kinds import Kind
from lifepod.apiserver.discovery import Discovery
from lifepod.apiserver.exchange import Headers, Request, Response
from lifepod.apiserver.negotiation import encoded

_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class _Document(NamedTuple):
    kinds: list[Kind]
    body: bytes
    hash: str


class OpenApiRoutes:
    """Answers `/openapi/v2` and `/openapi/v3…`."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._documents: dict[tuple[str, str], _Document] = {}
        self._of_all: tuple[list[list[Kind]], dict[str, tuple[bytes, str]]] = [], {}

    def answer(self, request: Request, path: str) -> Response | None:
        """The document at `path`, or None."""
        match path.split("/")[2:]:
            case ["v2"]:
                return self._swagger(request)
            case ["v3"]:
                return self._index()
            case ["v3", "api", version]:
                return self._document(request, "", version)
            case ["v3", "apis", group, version]:
                return self._document(request, group, version)
            case _:
                return None

    def _index(self) -> Response:
        paths = {}
        for group, version in self._discovery.group_versions():
            name = _name(group, version)
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={self._made(group, version).hash}"}
        return Response(200, encoded({"paths": paths}))

    def _document(self, request: Request, group: str, version: str) -> Response | None:
        if not self._discovery.serves(group, version):
            return None
        document = self._made(group, version)
        asked = request.param("hash")
        if asked and asked != document.hash:
            location = f"/openapi/v3/{_name(group, version)}?hash={document.hash}"
            return Response(301, b"", headers=(("Location", location),))
        headers: Headers = (("ETag", f'"{document.hash}"'), ("Vary", "Accept"))
        if asked:
            headers = (*headers, ("Cache-Control", "public, immutable"), ("Expires", "Fri, 31 Dec 2100 23:59:59 GMT"))
        if request.headers.get("if-none-match") == f'"{document.hash}"':
            return Response(304, b"", headers=headers)
        return Response(200, document.body, "application/json", headers)

    def _swagger(self, request: Request) -> Response:
        """The OpenAPI v2 document, as JSON or as protobuf."""
        served = [(*each, self._discovery.kinds_of(*each)) for each in self._discovery.group_versions()]
        kinds, made = self._of_all
        if len(kinds) != len(served) or any(old is not new for old, (_, _, new) in zip(kinds, served, strict=True)):
            made = {}
            self._of_all = [each for _, _, each in served], made
        form = _PROTOBUF if "protobuf" in request.headers.get("accept", "") else "application/json"
        if form not in made:
            from lifepod.api.openapi_v2 import swagger

            document = swagger(served)
            if form == _PROTOBUF:
                from lifepod.api.openapi_proto import encoded_swagger

                body = encoded_swagger(document)
            else:
                body = encoded(document)
            made[form] = body, f'"{hashlib.sha512(body).hexdigest().upper()}"'
        body, etag = made[form]
        headers: Headers = (("ETag", etag), ("Vary", "Accept"))
        if request.headers.get("if-none-match") == etag:
            return Response(304, b"", headers=headers)
        return Response(200, body, form, headers)

    def _made(self, group: str, version: str) -> _Document:
        kinds = self._discovery.kinds_of(group, version)
        known = self._documents.get((group, version))
        if known is None or known.kinds is not kinds:
            from lifepod.api.openapi import document

            body = encoded(document(group, version, kinds))
            known = _Document(kinds, body, hashlib.sha512(body).hexdigest().upper())
            self._documents[group, version] = known
        return known


def _name(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"
