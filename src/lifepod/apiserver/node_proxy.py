"""`nodes/<name>/proxy/…`: the pages of a node's own server that are served here: its health, its pods, what they use.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/server/server.go: InstallAuthNotRequiredHandlers, getPods; server/stats/summary.go
        k8s.io/kubelet v0.34.4 pkg/apis/stats/v1alpha1/types.go: Summary
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import orjson

from lifepod.api.objects import JsonObject, dig, format_time
from lifepod.apiserver.exchange import Response
from lifepod.runtime.base import ContainerUsage, MeasuredUsage, UsageSource

_TEXT: Final = "text/plain; charset=utf-8"
_SECOND_LOOK: Final = 1.0
SUMMARY: Final = "stats/summary"


def node_page(path: str, pods: Sequence[JsonObject]) -> Response:
    """The page at a path of a node that has these pods."""
    match path.strip("/"):
        case "healthz" | "healthz/ping":
            return Response(200, b"ok", _TEXT)
        case "pods":
            return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods)})
        case _:
            return Response(404, b"404 page not found\n", _TEXT)


async def summary_page(
    node: JsonObject,
    pods: Sequence[JsonObject],
    usage: UsageSource,
    now: Callable[[], datetime],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Response:
    """What the node and its running pods use, measured now. `pause` waits that many seconds."""
    running = [pod for pod in pods if dig(pod, "status", "phase") == "Running"]
    uids = [pod["metadata"]["uid"] for pod in running]
    looked = [usage.look_at_pods(uids, now()), usage.look_at_node(now())]
    if any(looked):
        await pause(_SECOND_LOOK)
        usage.look_at_pods(uids, now())
        usage.look_at_node(now())
    found: JsonObject = {"nodeName": node["metadata"]["name"], "startTime": node["metadata"].get("creationTimestamp")}
    if (measured := usage.node()) is not None:
        found |= _used(measured.at, measured.containers)
    told = [_of_pod(pod, seen) for pod, uid in zip(running, uids, strict=True) if (seen := usage.pod(uid)) is not None]
    return _json({"node": found, "pods": told})


def _of_pod(pod: JsonObject, measured: MeasuredUsage) -> JsonObject:
    meta = pod["metadata"]
    containers = [{"name": each.name, **_used(measured.at, [each])} for each in measured.containers]
    return {
        "podRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "startTime": dig(pod, "status", "startTime"),
        "containers": containers,
        **_used(measured.at, measured.containers),
    }


def _used(at: datetime, containers: Sequence[ContainerUsage]) -> JsonObject:
    time = format_time(at)
    return {
        "cpu": {"time": time, "usageNanoCores": sum(each.cpu_nanocores for each in containers)},
        "memory": {"time": time, "workingSetBytes": sum(each.memory_bytes for each in containers)},
    }


def _json(page: JsonObject) -> Response:
    return Response(200, orjson.dumps(page))
