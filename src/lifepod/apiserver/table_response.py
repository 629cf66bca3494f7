"""Objects as a `Table` or as their metadata alone, when the Accept header asks for it.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/response.go: doTransformObject, asTable, asPartialObjectMetadata
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, cast

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import bad_request

Include = Literal["None", "Metadata", "Object"]


def included(request: Request) -> Include:
    """What of each object its row carries. Raises ApiError 400."""
    wanted = request.param("includeObject")
    if wanted not in ("", "None", "Metadata", "Object"):
        raise bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{wanted}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )
    return cast("Include", wanted or "Metadata")


def go_type(kind: Kind, suffix: str = "") -> str:
    """What Go calls the type of an object, or with the suffix `List` of a list of them: `*core.PodList`."""
    if kind.is_custom:
        return f"*unstructured.Unstructured{suffix}"
    return f"*{go_package(kind.stored_as)}.{kind.kind}{suffix}"


def go_package(resource: str) -> str:
    """Which package has a resource's internal type: `core` for pods, `rbac` for roles.rbac.authorization.k8s.io."""
    group = resource.partition(".")[2]
    return group.partition(".")[0] or "core"


def only_metadata(obj: JsonObject, version: str) -> JsonObject:
    """An object as `PartialObjectMetadata`."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj.get("metadata") or {},
    }


def only_metadata_list(objects: Iterable[JsonObject], metadata: JsonObject, version: str) -> JsonObject:
    """A list of objects as `PartialObjectMetadataList`."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "items": [{"metadata": obj["metadata"]} for obj in objects],
    }


def scale_table_of(scale: JsonObject, include: Include, version: str, now: datetime) -> JsonObject:
    """The Table of a `scale` subresource."""
    from lifepod.api.tables import column_definitions, scale_table

    columns, made = scale_table(scale, now)
    row: JsonObject = {"cells": made.cells}
    if include != "None":
        row["object"] = scale if include == "Object" else only_metadata(scale, version)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": {"resourceVersion": scale["metadata"].get("resourceVersion", "")},
        "columnDefinitions": column_definitions(columns),
        "rows": [row],
    }


class Tables:
    """Makes tables of one kind for one request. `objects` are given as they are stored."""

    def __init__(self, kind: Kind, include: Include, version: str) -> None:
        self._kind = kind
        self._include = include
        self._version = version

    def table(
        self, objects: Iterable[JsonObject], metadata: JsonObject, now: datetime, *, columns: bool = True
    ) -> JsonObject:
        """A Table. Without `columns`, `columnDefinitions` is null, as in a watch after its first event."""
        from lifepod.api.tables import column_definitions, table_columns

        return {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{self._version}",
            "metadata": metadata,
            "columnDefinitions": column_definitions(table_columns(self._kind)) if columns else None,
            "rows": [self._row(obj, now) for obj in objects],
        }

    def one(self, obj: JsonObject, now: datetime, *, columns: bool = True) -> JsonObject:
        """The Table of a single object."""
        metadata = obj.get("metadata") or {}
        return self.table((obj,), {"resourceVersion": metadata.get("resourceVersion", "")}, now, columns=columns)

    def _row(self, obj: JsonObject, now: datetime) -> JsonObject:
        from lifepod.api.tables import table_row

        cells, conditions = table_row(self._kind, obj, now)
        row: JsonObject = {"cells": cells}
        if conditions:
            row["conditions"] = conditions
        match self._include:
            case "Metadata":
                row["object"] = only_metadata(obj, self._version)
            case "Object":
                row["object"] = self._kind.from_storage(obj)
            case "None":
                pass
        return row
