"""GET and LIST of metrics.k8s.io: which pods and nodes have numbers, and how those are written.

Source: sigs.k8s.io/metrics-server v0.8 pkg/api/pod.go, node.go, table.go; pkg/storage/types.go: resourceUsage
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from lifepod.api.kinds import Kind
from lifepod.api.metrics_v1beta1 import GROUP, POD_METRICS
from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.api.quantity import Quantity, format_quantity, parse_quantity
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.http_errors import not_acceptable, refusal
from lifepod.apiserver.list import check_list_options, selection_of
from lifepod.apiserver.negotiation import Form, accepted_form, dressed, encoded
from lifepod.apiserver.options import ListOptions
from lifepod.apiserver.request_options import list_options
from lifepod.apiserver.routes import ResourcePath
from lifepod.apiserver.status_errors import not_found
from lifepod.apiserver.table_response import included, only_metadata, only_metadata_list

if TYPE_CHECKING:
    from lifepod.apiserver.seams import Seams
    from lifepod.runtime.base import MeasuredUsage, UsageSource

_SECOND_LOOK: Final = 1.0
_NANO: Final = 10**9


class MetricsRequests:
    """Answers what is asked of metrics.k8s.io. `pause` waits that many seconds."""

    def __init__(
        self, seams: Seams, usage: UsageSource, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._seams, self._usage, self._pause = seams, usage, pause

    async def answer(self, request: Request, kind: Kind, path: ResourcePath) -> Response:
        """The answer. Raises ApiError."""
        form = accepted_form(request)
        measured = self._pods if kind.plural == POD_METRICS.plural else self._nodes
        if not path.name:
            options = list_options(request, path)
            check_list_options(options)
            return self._list(request, kind, form, await measured(options))
        options = ListOptions(namespace=path.namespace, field_selector=f"metadata.name={path.name}")
        found = await measured(options)
        if not found:
            raise self._unknown(kind, path)
        return self._one(request, kind, form, found[0])

    # ------------------------------------------------------------------------------------------------ measuring

    async def _pods(self, options: ListOptions) -> list[JsonObject]:
        """Pods that run and whose containers are all known."""
        running = [pod for pod in self._stored("pods", options) if dig(pod, "status", "phase") == "Running"]
        uids = [pod["metadata"]["uid"] for pod in running]
        if self._usage.look_at_pods(uids, self._seams.now()):
            await self._pause(_SECOND_LOOK)
            self._usage.look_at_pods(uids, self._seams.now())
        found = []
        for pod in running:
            measured = self._usage.pod(pod["metadata"]["uid"])
            if measured is not None:
                used = [{"name": c.name, "usage": _usage(c.cpu_nanocores, c.memory_bytes)} for c in measured.containers]
                found.append({**self._head(pod, measured), "containers": used})
        return found

    async def _nodes(self, options: ListOptions) -> list[JsonObject]:
        """Every node is this machine."""
        nodes = self._stored("nodes", options)
        if nodes and self._usage.look_at_node(self._seams.now()):
            await self._pause(_SECOND_LOOK)
            self._usage.look_at_node(self._seams.now())
        measured = self._usage.node()
        if measured is None:
            return []
        used = measured.containers[0]
        usage = _usage(used.cpu_nanocores, used.memory_bytes)
        return [{**self._head(node, measured), "usage": usage} for node in nodes]

    def _stored(self, resource: str, options: ListOptions) -> list[JsonObject]:
        api = self._seams.api
        kind = api.kinds.of(f"{resource}.{GROUP}")
        with self._seams.lock:
            records = api.store.list(resource, selection_of(kind, options)).records
            return [api.store.decoded(record) for record in records]

    def _head(self, obj: JsonObject, measured: MeasuredUsage) -> JsonObject:
        of = obj["metadata"]
        metadata = {name: of[name] for name in ("name", "namespace", "labels") if of.get(name)}
        metadata["creationTimestamp"] = format_time(self._seams.now())
        return {"metadata": metadata, "timestamp": format_time(measured.at), "window": go_duration(measured.window)}

    def _unknown(self, kind: Kind, path: ResourcePath) -> Exception:
        """No such pod or node is one thing, one without numbers another."""
        api = self._seams.api
        stored = api.kinds.of(kind.plural)
        with self._seams.lock:
            if api.store.get(stored.resource, path.namespace, path.name) is None:
                return not_found(stored, path.name)
        resource = kind.kind.lower()
        name = f"{path.namespace}/{path.name}" if path.namespace else path.name
        details: JsonObject = {"name": name, "group": GROUP, "kind": resource}
        return refusal(404, "NotFound", f'{resource}.{GROUP} "{name}" not found', details)

    # ------------------------------------------------------------------------------------------------ writing

    def _one(self, request: Request, kind: Kind, form: Form, obj: JsonObject) -> Response:
        obj = {"kind": kind.kind, "apiVersion": kind.api_version, **obj}
        match form.convert:
            case "":
                found = obj
            case "Table":
                found = _table(request, form, [obj])
            case "PartialObjectMetadata":
                found = only_metadata(obj, form.version)
            case _:
                raise not_acceptable()
        return dressed(Response(200, encoded(found)), request, form)

    def _list(self, request: Request, kind: Kind, form: Form, items: list[JsonObject]) -> Response:
        match form.convert:
            case "":
                head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": {}}
                found = {**head, "items": items}
            case "Table":
                head = {"kind": kind.kind, "apiVersion": kind.api_version}
                found = _table(request, form, [{**head, **item} for item in items])
            case "PartialObjectMetadataList":
                found = only_metadata_list(items, {}, form.version)
            case _:
                raise not_acceptable()
        return dressed(Response(200, encoded(found)), request, form)


def _usage(cpu_nanocores: int, memory_bytes: int) -> JsonObject:
    return {
        "cpu": format_quantity(Quantity(cpu_nanocores)),
        "memory": format_quantity(Quantity(memory_bytes * _NANO, "BinarySI")),
    }


def _table(request: Request, form: Form, objects: list[JsonObject]) -> JsonObject:
    """A pod's containers are added up. Without rows there are no columns, as upstream has it."""
    columns: list[JsonObject] = [
        {"name": "Name", "type": "string", "format": "name", "description": "Name of the resource", "priority": 0},
        *(
            {"name": name, "type": "string", "format": kind, "description": "", "priority": 0}
            for name, kind in (("cpu", "quantity"), ("memory", "quantity"), ("Window", "duration"))
        ),
    ]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": {},
        "columnDefinitions": columns if objects else [],
        "rows": [_row(obj, included(request), form.version) for obj in objects],
    }


def _row(obj: JsonObject, include: str, version: str) -> JsonObject:
    used = [obj["usage"]] if "usage" in obj else [container["usage"] for container in obj["containers"]]
    cpu = sum(parse_quantity(usage["cpu"]).nanos for usage in used)
    memory = sum(parse_quantity(usage["memory"]).nanos for usage in used)
    sums = (format_quantity(Quantity(cpu)), format_quantity(Quantity(memory, "BinarySI")))
    row: JsonObject = {"cells": [obj["metadata"]["name"], *sums, obj["window"]]}
    if include == "Metadata":
        row["object"] = only_metadata(obj, version)
    elif include == "Object":
        row["object"] = obj
    return row


def go_duration(length: timedelta) -> str:
    """As Go writes a duration: `1.5s`, `1m0.25s`, `2h0m0s`; below a second `250ms`.

    Source: go1.24 src/time/time.go: Duration.String
    """
    micros = length // timedelta(microseconds=1)
    if micros == 0:
        return "0s"
    if micros < 1_000_000:
        return _decimal(micros, 1000) + "ms" if micros >= 1000 else f"{micros}µs"
    minutes, rest = divmod(micros, 60_000_000)
    seconds = _decimal(rest, 1_000_000) + "s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
