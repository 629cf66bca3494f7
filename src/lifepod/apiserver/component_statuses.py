"""GET and LIST of componentstatuses: how the control plane is. Nothing of it is stored.

The controllers and the scheduler are in this program: they are well when it answers. `etcd-0` is the store, ill while it takes no
writes.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/componentstatus/rest.go; pkg/registry/core/rest/storage_core.go
"""

from __future__ import annotations

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.http_errors import not_acceptable
from lifepod.apiserver.list import check_list_options, selection_of
from lifepod.apiserver.negotiation import accepted_form, dressed, encoded
from lifepod.apiserver.request_options import list_options
from lifepod.apiserver.routes import ResourcePath
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.shapes import shaped
from lifepod.apiserver.status_errors import not_found
from lifepod.apiserver.table_response import Tables, included, only_metadata_list


def component_statuses(seams: Seams, request: Request, kind: Kind, path: ResourcePath) -> Response:
    """The answer. Raises ApiError."""
    problem = seams.api.problem()
    found = [_status("controller-manager"), _status("scheduler"), _status("etcd-0", problem or "")]
    form = accepted_form(request)
    if path.name:
        one = next((status for status in found if status["metadata"]["name"] == path.name), None)
        if one is None:
            raise not_found(kind._replace(plural="componentstatus"), path.name)
        return shaped(request, kind, {"kind": kind.kind, "apiVersion": kind.api_version, **one}, form, seams.now)
    options = list_options(request, path)
    check_list_options(options)
    wanted = selection_of(kind, options)
    items = [status for status in found if wanted.matches("", {}, status)]
    match form.convert:
        case "":
            body: JsonObject = {
                "kind": f"{kind.kind}List",
                "apiVersion": kind.api_version,
                "metadata": {},
                "items": items,
            }
        case "Table":
            head = {"kind": kind.kind, "apiVersion": kind.api_version}
            rows = [{**head, **item} for item in items]
            body = Tables(kind, included(request), form.version).table(rows, {}, seams.now())
        case "PartialObjectMetadataList":
            body = only_metadata_list(items, {}, form.version)
        case _:
            raise not_acceptable()
    return dressed(Response(200, encoded(body)), request, form)


def _status(name: str, problem: str = "") -> JsonObject:
    said = {"status": "False", "error": problem} if problem else {"status": "True", "message": "ok"}
    return {"metadata": {"name": name}, "conditions": [{"type": "Healthy", **said}]}
