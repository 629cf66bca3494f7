"""`pods/<name>/log`: a container's output as text, whole or followed.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/rest/log.go; pkg/apis/core/validation/validation.go: ValidatePodLogOptions
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from lifepod.api.decode import DecodeError, read_time
from lifepod.api.field_errors import FieldError, forbidden, invalid
from lifepod.api.objects import JsonObject
from lifepod.apiserver.container_choice import logged_run
from lifepod.apiserver.exchange import Request, Response, Sink, Stream
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.request_options import whole_number
from lifepod.apiserver.status_errors import invalid as invalid_named
from lifepod.runtime.base import LogOptions, NodeStreams, StreamRefused

_TEXT: Final = "text/plain"
FIRST_BYTES_SECONDS: Final = 0.05
"""How long a followed log may stay silent before its head is sent without knowing that the node really has it."""


def log_options(request: Request, pod_name: str, now: datetime) -> LogOptions:
    """The query as options. Raises ApiError 422 as upstream's validation does, 400 for what is no number or time."""
    tail, limit = _number(request, "tailLines"), _number(request, "limitBytes")
    since_seconds, since_time = _number(request, "sinceSeconds"), _time(request, "sinceTime")
    errors: list[FieldError] = []
    if tail is not None and tail < 0:
        errors.append(invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        errors.append(invalid("limitBytes", limit, "must be greater than 0"))
    if since_seconds is not None and since_time is not None:
        errors.append(forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif since_seconds is not None and since_seconds < 1:
        errors.append(invalid("sinceSeconds", since_seconds, "must be greater than 0"))
    if "stream" in request.query:
        errors.append(forbidden("stream", "may not be specified"))
    if errors:
        raise invalid_named("", "PodLogOptions", pod_name, errors)
    return LogOptions(
        follow=request.flag("follow"),
        previous=request.flag("previous"),
        timestamps=request.flag("timestamps"),
        since_epoch=since_time if since_seconds is None else max(0.0, now.timestamp() - since_seconds),
        tail_lines=tail,
        limit_bytes=limit,
    )


def _number(request: Request, name: str) -> int | None:
    values = request.query.get(name)
    return whole_number(values[0]) if values else None


def _time(request: Request, name: str) -> float | None:
    """A time of the query in whole seconds, as upstream hands it on to the node; "" is the beginning of time.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: LogLocation
            k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/time.go: UnmarshalQueryParameter
    """
    values = request.query.get(name)
    if not values:
        return None
    if values[0] in ("", "null"):
        return 0.0
    try:
        return max(0.0, read_time(values[0]).timestamp() // 1)
    except DecodeError as problem:
        raise bad_request(str(problem)) from None


async def log_answer(
    pod: JsonObject, container: str, options: LogOptions, streams: NodeStreams | None
) -> Response | Stream:
    """The log of a container of the pod. `streams` is None for a pod on no node. Raises ApiError."""
    if streams is None:
        return Response(204)
    run = logged_run(pod, container, options.previous)
    lines = streams.log(pod["metadata"]["uid"], run, options).__aiter__()
    first = asyncio.ensure_future(_next(lines))
    try:
        await asyncio.wait((first,), timeout=FIRST_BYTES_SECONDS if options.follow else None)
    except asyncio.CancelledError:
        first.cancel()
        raise
    if first.done() and isinstance(problem := first.exception(), StreamRefused):
        raise bad_request(str(problem))
    return Stream(lambda sink: _start(sink, first, lines), 200, _TEXT)


async def _next(lines: AsyncIterator[bytes]) -> bytes | None:
    return await anext(lines, None)


def _start(sink: Sink, first: asyncio.Future[bytes | None], lines: AsyncIterator[bytes]) -> None:
    sink.spawn(_copy(sink, first, lines))


async def _copy(sink: Sink, first: asyncio.Future[bytes | None], lines: AsyncIterator[bytes]) -> None:
    try:
        chunk = await first
        while chunk is not None:
            sink.write(chunk)
            await sink.drain()
            chunk = await anext(lines, None)
    except StreamRefused as problem:
        sink.write(f"{problem}\n".encode())  # the head is gone: what remains is to say so in the text
    finally:
        first.cancel()
        close = getattr(lines, "aclose", None)
        if close is not None:
            await close()
