"""One object as an answer: as JSON, a Table of one row, or its metadata alone.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/response.go: transformResponseObject
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.http_errors import not_acceptable
from lifepod.apiserver.negotiation import Form, dressed, encoded
from lifepod.apiserver.scale import SCALE
from lifepod.apiserver.table_response import Tables, go_type, included, only_metadata, scale_table_of


def shaped(
    request: Request, kind: Kind, obj: JsonObject, form: Form, now: Callable[[], datetime], status: int = 200
) -> Response:
    """An object in the form asked for; a Status stays what it is."""
    if form.convert == "Table" and obj.get("kind") == SCALE.kind != kind.kind:
        obj = scale_table_of(obj, included(request), form.version, now())
    elif form.convert and obj.get("kind") == kind.kind:
        if form.convert == "PartialObjectMetadataList":
            text = "you requested PartialObjectMetadataList, but the requested object is not a list"
            raise not_acceptable(f"{text} ({go_type(kind)})")
        if form.convert == "Table":
            obj = Tables(kind, included(request), form.version).one(kind.to_storage(obj), now())
        else:
            obj = only_metadata(obj, form.version)
    return dressed(Response(status, encoded(obj)), request, form)
