"""Where the OpenAPI documents are: `/openapi/v3` and one document per group version, under URLs that carry its hash.

What stands in a document is `api/openapi.py`'s; here they are made at first need, kept until the kinds change, and hashed by
content, because kubectl keeps what it once fetched under a hash for a long time.

Source: k8s.io/kube-openapi pkg/handler3/handler.go: HandleDiscovery, HandleGroupVersion
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from lifepod.api.kinds import Kind
from lifepod.apiserver.discovery import Discovery
from lifepod.apiserver.exchange import Headers, Request, Response
from lifepod.apiserver.negotiation import encoded


class _Document(NamedTuple):
    kinds: list[Kind]
    body: bytes
    hash: str


class OpenApiRoutes:
    """Answers `/openapi/v3…`."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._documents: dict[tuple[str, str], _Document] = {}

    def answer(self, request: Request, path: str) -> Response | None:
        """The document at `path`, or None."""
        match path.split("/")[2:]:
            case ["v2"]:
                return _empty_swagger(request)
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

    def _made(self, group: str, version: str) -> _Document:
        kinds = self._discovery.kinds_of(group, version)
        known = self._documents.get((group, version))
        if known is None or known.kinds is not kinds:
            from lifepod.api.openapi import document

            body = encoded(document(group, version, kinds))
            known = _Document(kinds, body, hashlib.sha512(body).hexdigest().upper())
            self._documents[group, version] = known
        return known


def _empty_swagger(request: Request) -> Response:
    """An OpenAPI v2 document that describes nothing: kubectl asks for one, as protobuf only, when it meets a `List` or a kind
    nobody serves, and leaves to the server what it does not find there."""
    if "protobuf" in request.headers.get("accept", ""):
        info = b"\x0a\x0aKubernetes\x12\x05v1.34"
        body = b"\x0a\x032.0\x12" + bytes((len(info),)) + info
        return Response(200, body, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    info_text = {"title": "Kubernetes", "version": "v1.34"}
    return Response(200, encoded({"swagger": "2.0", "info": info_text, "paths": {}, "definitions": {}}))


def _name(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"
