"""`pods/<name>/attach`: the streams of a container's own process. The channels are `exec.py`'s."""

from __future__ import annotations

from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Request, Upgrade
from lifepod.apiserver.exec import exec_answer
from lifepod.runtime.base import NodeStreams


def attach_answer(pod: JsonObject, request: Request, streams: NodeStreams | None) -> Upgrade:
    """The upgrade to the container's streams. Raises ApiError."""
    return exec_answer(pod, request, streams, attach=True)
