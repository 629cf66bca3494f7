"""Requests that write: the body read, the verb's function called under the lock, the answer held until it is durable.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go, update.go, patch.go, delete.go
"""

from __future__ import annotations

from collections.abc import Awaitable

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.auth import User
from lifepod.apiserver.exchange import Answer, Request, Response
from lifepod.apiserver.negotiation import accepted_form
from lifepod.apiserver.request_body import delete_options_body, object_body, patch_type, yaml_value
from lifepod.apiserver.request_options import delete_options, list_options, write_options
from lifepod.apiserver.reviews import REVIEWS, reviewed
from lifepod.apiserver.routes import ResourcePath
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.shapes import shaped


class WriteRequests:
    """Answers writes from an `Api`."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._api = seams.api

    def answer(self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str) -> Answer:
        """The answer; an awaitable when it has to wait for the disk. Raises ApiError."""
        form = accepted_form(request)
        api = self._api
        with self._seams.lock:
            before = api.store.revision
            try:
                obj, status = self._written(request, kind, path, user, verb)
            finally:
                warnings = api.take_warnings()
            revision = api.store.revision
        response = shaped(request, kind, obj, form, self._seams.now, status)
        if warnings:
            response = response._replace(headers=(*response.headers, *map(warning_header, warnings)))
        if revision == before:
            return response
        self._seams.on_written()
        waiting = self._seams.durable(revision)
        return response if waiting is None else _when_durable(waiting, response)

    def _written(
        self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str
    ) -> tuple[JsonObject, int]:
        """What the verb leads to, and the status code."""
        match verb:
            case "create":
                return self._create(request, kind, path, user)
            case "update":
                options = write_options(request, user, self._seams.now(), "UpdateOptions")
                body = object_body(request)
                obj, created = self._api.update(kind, path.namespace, path.name, body, options, path.subresource)
                return obj, 201 if created else 200
            case "patch":
                kind_of_patch = patch_type(request)
                options = write_options(
                    request, user, self._seams.now(), "PatchOptions", apply=kind_of_patch == "apply"
                )
                change = yaml_value(request.body) if kind_of_patch == "apply" else request.body
                obj, created = self._api.patch(
                    kind, path.namespace, path.name, change, kind_of_patch, options, path.subresource
                )
                return obj, 201 if created else 200
            case _:
                return self._delete(request, kind, path, user, verb), 200

    def _create(self, request: Request, kind: Kind, path: ResourcePath, user: User) -> tuple[JsonObject, int]:
        options = write_options(request, user, self._seams.now(), "CreateOptions")
        body = object_body(request)
        if kind.kind in REVIEWS:
            review = self._api.read_body(kind, body, options)
            return reviewed(kind, review, user, self._seams.authorize, self._seams.verify), 201
        return self._api.create(kind, path.namespace, body, options, path.subresource, path.name), 201

    def _delete(self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str) -> JsonObject:
        wanted, dry_run = delete_options(request, delete_options_body(request))
        options = write_options(request, user, self._seams.now(), "DeleteOptions")._replace(dry_run=bool(dry_run))
        if verb == "deletecollection":
            return self._api.delete_collection(kind, list_options(request, path), wanted, options)
        return self._api.delete(kind, path.namespace, path.name, wanted, options)


async def _when_durable(waiting: Awaitable[None], response: Response) -> Response:
    await waiting
    return response


def warning_header(text: str) -> tuple[str, str]:
    """A warning as kubectl shows it.

    Source: k8s.io/apimachinery v0.34.4 pkg/util/net/http.go: NewWarningHeader
    """
    clean = "".join(each if each.isprintable() else " " for each in text)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return "Warning", f'299 - "{escaped}"'
