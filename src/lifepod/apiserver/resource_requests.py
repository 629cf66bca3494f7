"""Requests for resources: which verb a method is here, and the reading verbs' answers. Whether the user may was asked before.

Writing is `write_requests.py`'s, streams to nodes are `stream_requests.py`'s. A GET or LIST of JSON is cut from what the store
keeps encoded; nothing is decoded for it.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/installer.go: registerResourceHandlers; pkg/endpoints/handlers/get.go
"""

from __future__ import annotations

from functools import partial
from typing import Final

from lifepod.api.field_errors import FieldError, forbidden, not_supported
from lifepod.api.kinds import Kind
from lifepod.api.metrics_v1beta1 import GROUP as METRICS
from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.apiserver.admission import agree_without_object
from lifepod.apiserver.admission_call import are_asked
from lifepod.apiserver.auth import User
from lifepod.apiserver.connect_options import connect_call
from lifepod.apiserver.exchange import Answer, Request, Response, Sink, Stream, Whole
from lifepod.apiserver.get import get, get_encoded
from lifepod.apiserver.http_errors import (
    method_not_allowed,
    no_such_resource,
    not_acceptable,
)
from lifepod.apiserver.list import ListPage, list_page, parse_revision, selection_of
from lifepod.apiserver.negotiation import Form, accepted_form, dressed, encoded
from lifepod.apiserver.options import ListOptions
from lifepod.apiserver.request_options import list_options, timeout_seconds
from lifepod.apiserver.routes import ResourcePath
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.shapes import shaped
from lifepod.apiserver.status_errors import expired, invalid_options
from lifepod.apiserver.stream_requests import STREAMED, StreamRequests
from lifepod.apiserver.table_response import Tables, go_type, included, only_metadata_list
from lifepod.apiserver.watch_lines import (
    RecordLines,
    ShapedLines,
    StoredLines,
    initial_lines,
    metadata_shape,
    table_shape,
)
from lifepod.apiserver.watch_stream import WatchHub, WatchStream, error_line
from lifepod.apiserver.webhook_rounds import with_answers
from lifepod.apiserver.webhook_session import Session
from lifepod.apiserver.write_requests import WriteRequests, warning_headers
from lifepod.store import TooOld, Watch

_ITEM_VERBS: Final = {"GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS: Final = {"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}
_SUBRESOURCE_VERBS: Final = {**_ITEM_VERBS, "POST": "create"}


class ResourceRequests:
    """Answers requests for resources from an `Api`."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._api = seams.api
        self.hub = WatchHub(seams.api.store, seams.lock)
        self._writes = WriteRequests(seams)
        self._streams = StreamRequests(seams)

    def answer(self, request: Request, path: ResourcePath, user: User) -> Answer:
        """The answer. Raises ApiError."""
        kind = self._api.kinds.at(path.group, path.version, path.plural)
        if kind is None or not _has_right_place(kind, path):
            raise no_such_resource()
        verb = _verb(kind, request, path)
        if kind.deprecation:
            request.answer_headers = tuple(warning_headers((kind.deprecation,)))
        if path.subresource in STREAMED:
            if path.subresource != "log" and are_asked(self._api):
                return self._connected(request, kind, path, user)
            return self._streams.answer(request, path)
        if path.group == METRICS and self._seams.usage is not None:
            from lifepod.apiserver.metrics_requests import MetricsRequests

            return MetricsRequests(self._seams, self._seams.usage).answer(request, kind, path)
        if not kind.is_stored and verb in ("get", "list"):
            from lifepod.apiserver.component_statuses import component_statuses

            return component_statuses(self._seams, request, kind, path)
        match verb:
            case "get":
                return self._get(request, kind, path)
            case "list":
                return self._list(request, kind, list_options(request, path))
            case "watch":
                return self._watch(request, kind, path)
            case _:
                return self._writes.answer(request, kind, path, user, verb)

    async def _connected(self, request: Request, kind: Kind, path: ResourcePath, user: User) -> Whole:
        """A connection to a node that webhooks and policies are asked about."""
        now = self._seams.now()
        call = connect_call(request, kind, path, user, now)
        asking = partial(agree_without_object, self._api, call)
        await with_answers(self._api, self._seams.lock, Session(kind, now), asking)
        answer = self._streams.answer(request, path)
        return answer if isinstance(answer, tuple) else await answer

    # ---------------------------------------------------------------------------------------------------- one object

    def _get(self, request: Request, kind: Kind, path: ResourcePath) -> Response:
        form = accepted_form(request)
        version = request.param("resourceVersion")
        with self._seams.lock:
            if path.subresource not in ("", "status") and path.subresource not in _SAME_OBJECT:
                return shaped(
                    request,
                    kind,
                    self._api.subresource(kind, path.namespace, path.name, path.subresource),
                    form,
                    self._seams.now,
                )
            if not form.convert:
                body = get_encoded(self._api, kind, path.namespace, path.name, version)
                return dressed(Response(200, body + b"\n"), request, form)
            obj = get(self._api, kind, path.namespace, path.name, version)
            return shaped(request, kind, obj, form, self._seams.now)

    # ---------------------------------------------------------------------------------------------------- lists

    def _list(self, request: Request, kind: Kind, options: ListOptions) -> Response:
        form = accepted_form(request)
        if form.convert == "PartialObjectMetadata":
            text = "you requested PartialObjectMetadata, but the requested object is a list"
            raise not_acceptable(f"{text} ({go_type(kind, 'List')})")
        include = included(request) if form.convert == "Table" else "Metadata"
        with self._seams.lock:
            page = list_page(self._api, kind, options)
            if not form.convert:
                body = page.encoded(self._api) + b"\n"
            else:
                body = encoded(self._converted(page, kind, form, Tables(kind, include, form.version)))
        return dressed(Response(200, body), request, form)

    def _converted(self, page: ListPage, kind: Kind, form: Form, tables: Tables) -> JsonObject:
        decoded = self._api.store.decoded
        if form.convert == "Table":
            return tables.table(map(decoded, page.records), page.metadata, self._seams.now())
        return only_metadata_list(map(decoded, page.records), page.metadata, form.version)

    # ---------------------------------------------------------------------------------------------------- watches

    def _watch(self, request: Request, kind: Kind, path: ResourcePath) -> Stream:
        form = accepted_form(request)
        options = list_options(request, path)
        if path.name:
            only = f"metadata.name={path.name}"
            fields = f"{options.field_selector},{only}" if options.field_selector else only
            options = options._replace(field_selector=fields)
        check_watch_options(options)
        lines = self._lines(request, kind, form)
        with self._seams.lock:
            try:
                stream = self._opened(kind, options, lines, timeout_seconds(request))
            except ApiError as error:
                if error.code != 410:
                    raise
                return Stream(partial(_say_and_end, error_line(error.status)))  # told in the stream, as upstream does
        return Stream(stream.start)

    def _opened(self, kind: Kind, options: ListOptions, lines: RecordLines, timeout: float) -> WatchStream:
        store = self._api.store
        selection = selection_of(kind, options)
        start = options.resource_version
        revision = parse_revision(start) if start else 0
        if revision > store.revision:
            raise expired(f"too old resource version: {revision} ({store.revision})")  # of another server: list again
        whole = options.send_initial_events
        if (
            whole is None
        ):  # k8s.io/apimachinery v0.34.4 pkg/apis/meta/internalversion/defaults.go: SetListOptionsDefaults
            whole = not revision
        initial = None
        if whole:
            records = store.list(kind.stored_as, selection).records
            revision = store.revision
            initial = initial_lines(lines, records, revision, end_bookmark=options.watch_bookmarks)
        try:
            watch = Watch(store, kind.stored_as, selection, revision or store.revision)
        except TooOld as problem:
            raise expired(str(problem)) from None
        bookmarks = options.watch_bookmarks
        return WatchStream(self.hub, watch, lines, initial=initial, wants_bookmarks=bookmarks, timeout_seconds=timeout)

    def _lines(self, request: Request, kind: Kind, form: Form) -> RecordLines:
        store = self._api.store
        match form.convert:
            case "Table":
                return ShapedLines(
                    kind, store, table_shape(Tables(kind, included(request), form.version), self._seams.now)
                )
            case "PartialObjectMetadata":
                return ShapedLines(kind, store, metadata_shape(form.version))
            case "":
                return ShapedLines(kind, store, kind.from_storage) if kind.storage else StoredLines(kind)
            case _:
                raise not_acceptable()


_SAME_OBJECT: Final = frozenset(("ephemeralcontainers", "resize", "finalize", "approval"))
"""Subresources that show the object itself."""


def _has_right_place(kind: Kind, path: ResourcePath) -> bool:
    """Whether the path gives a namespace where the kind needs one, and none where it has none."""
    if kind.namespaced:
        return bool(path.namespace) or not path.name
    return not path.namespace


def _verb(kind: Kind, request: Request, path: ResourcePath) -> str:
    """What the request does, in the words of discovery and RBAC. Raises ApiError 404, 405."""
    if path.subresource:
        sub = next((sub for sub in kind.subresources if sub.name == path.subresource), None)
        if sub is None or (path.rest and path.subresource != "proxy"):
            raise no_such_resource()
        verb = _SUBRESOURCE_VERBS.get(request.method, "")
        if path.subresource in ("exec", "attach", "portforward", "proxy"):
            return verb if request.method in ("GET", "POST") or path.subresource == "proxy" else _refuse()
        return verb if verb in sub.verbs else _refuse()
    if path.name:
        verb = _ITEM_VERBS.get(request.method, "")
        if verb == "get" and path.watch:
            verb = "watch"
    else:
        verb = _COLLECTION_VERBS.get(request.method, "")
        if verb == "list" and (path.watch or (request.raw_query and request.flag("watch"))):
            verb = "watch"
    if verb not in kind.verbs:
        _refuse()
    if verb in ("create", "deletecollection") and kind.namespaced and not path.namespace:
        _refuse()
    return verb


def _refuse() -> str:
    raise method_not_allowed()


def check_watch_options(options: ListOptions) -> None:
    """Refuse parameters that exclude each other.

    Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/internalversion/validation/validation.go: validateWatchOptions
    """
    errors: list[FieldError] = []
    match, initial = options.resource_version_match, options.send_initial_events
    if initial is not None and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(forbidden("resourceVersionMatch", text))
    if match:
        if initial is None:
            text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            errors.append(forbidden("resourceVersionMatch", text))
        if match != "NotOlderThan":
            errors.append(not_supported("resourceVersionMatch", match, ("NotOlderThan",)))
        if options.continue_token:
            text = "resourceVersionMatch is forbidden when continue is provided"
            errors.append(forbidden("resourceVersionMatch", text))
    if errors:
        raise invalid_options("ListOptions", errors)


def _say_and_end(line: bytes, sink: Sink) -> None:
    sink.write(line)
    sink.finish()
