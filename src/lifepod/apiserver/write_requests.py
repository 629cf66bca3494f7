"""Requests that write: the body read, the verb's function called under the lock, the answer held until it is durable.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go, update.go, patch.go, delete.go
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.admission_call import are_asked
from lifepod.apiserver.auth import User
from lifepod.apiserver.exchange import Answer, Request, Response, Whole
from lifepod.apiserver.negotiation import accepted_form
from lifepod.apiserver.request_body import delete_options_body, object_body, patch_type
from lifepod.apiserver.request_options import delete_options, list_options, write_options
from lifepod.apiserver.reviews import REVIEWS, Reviewer
from lifepod.apiserver.routes import ResourcePath
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.shapes import shaped
from lifepod.apiserver.webhook_rounds import with_answers
from lifepod.apiserver.webhook_session import Session

_MOST_WARNED: Final = 4 * 1024
_LONGEST_WARNING: Final = 256


class WriteRequests:
    """Answers writes from an `Api`."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._api = seams.api

    def answer(self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str) -> Answer:
        """The answer; an awaitable when it has to wait for webhooks or the disk. Raises ApiError."""
        now = self._seams.now()
        if are_asked(self._api):
            return self._asked(request, kind, path, user, verb, now)
        return self._told(*self._done(request, kind, path, user, verb, now))

    async def _asked(
        self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str, now: datetime
    ) -> Whole:
        """The answer of a write that webhooks and policies are asked about."""
        done = partial(self._done, request, kind, path, user, verb, now)
        answer = self._told(*await with_answers(self._api, self._seams.lock, Session(kind, now), done))
        return answer if isinstance(answer, tuple) else await answer

    def _done(
        self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str, now: datetime
    ) -> tuple[Response, int]:
        """The response, and the revision to which the write led; 0 when it changed nothing."""
        form = accepted_form(request)
        api = self._api
        with self._seams.lock:
            before = api.store.revision
            try:
                obj, status = self._written(request, kind, path, user, verb, now)
            finally:
                warnings = api.take_warnings()
            revision = api.store.revision
        response = shaped(request, kind, obj, form, self._seams.now, status)
        if warnings:
            response = response._replace(headers=(*response.headers, *warning_headers(warnings)))
        return response, revision if revision != before else 0

    def _told(self, response: Response, revision: int) -> Answer:
        """The response once everybody knows of the write and the disk has it."""
        if not revision:
            return response
        self._seams.on_written()
        waiting = self._seams.durable(revision)
        return response if waiting is None else _when_durable(waiting, response)

    def _written(
        self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str, now: datetime
    ) -> tuple[JsonObject, int]:
        """What the verb leads to, and the status code."""
        match verb:
            case "create":
                return self._create(request, kind, path, user, now)
            case "update":
                options = write_options(request, user, now, "UpdateOptions")
                body = object_body(request)
                obj, created = self._api.update(kind, path.namespace, path.name, body, options, path.subresource)
                return obj, 201 if created else 200
            case "patch":
                kind_of_patch = patch_type(request)
                options = write_options(request, user, now, "PatchOptions", apply=kind_of_patch == "apply")
                obj, created = self._api.patch(
                    kind, path.namespace, path.name, request.body, kind_of_patch, options, path.subresource
                )
                return obj, 201 if created else 200
            case _:
                return self._delete(request, kind, path, user, verb, now), 200

    def _create(
        self, request: Request, kind: Kind, path: ResourcePath, user: User, now: datetime
    ) -> tuple[JsonObject, int]:
        options = write_options(request, user, now, "CreateOptions")
        body = object_body(request)
        if kind.kind in REVIEWS:
            review = self._api.read_body(kind, body, options)
            reviewer = Reviewer(self._api.access, self._seams.verify)
            return reviewer.reviewed(kind, path.namespace, review, user), 201
        return self._api.create(kind, path.namespace, body, options, path.subresource, path.name), 201

    def _delete(
        self, request: Request, kind: Kind, path: ResourcePath, user: User, verb: str, now: datetime
    ) -> JsonObject:
        wanted, dry_run = delete_options(request, delete_options_body(request))
        options = write_options(request, user, now, "DeleteOptions")._replace(dry_run=bool(dry_run))
        if verb == "deletecollection":
            return self._api.delete_collection(kind, list_options(request, path), wanted, options)
        return self._api.delete(kind, path.namespace, path.name, wanted, options)


async def _when_durable(waiting: Awaitable[None], response: Response) -> Response:
    await waiting
    return response


def warning_headers(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Warnings as kubectl shows them: when they are more than 4,096 characters, each is cut off at 256 and what is over is left out.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/filters/warning.go: recorder.AddWarning
            k8s.io/apimachinery v0.34.4 pkg/util/net/http.go: NewWarningHeader
    """
    if sum(map(len, texts)) > _MOST_WARNED:
        texts = [text[:_LONGEST_WARNING] for text in texts]
    headers, written = [], 0
    for text in texts:
        if written >= _MOST_WARNED:
            break
        written += len(text)
        clean = "".join(each if each.isprintable() else " " for each in text)
        escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
        headers.append(("Warning", f'299 - "{escaped}"'))
    return headers
