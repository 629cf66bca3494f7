"""`nodes/<name>/proxy/…`: what a node's own server says, of which there are two pages here: its health and its pods.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/server/server.go: InstallAuthNotRequiredHandlers, getPods
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Response

_TEXT = "text/plain; charset=utf-8"


def node_page(path: str, pods: Iterable[JsonObject]) -> Response:
    """The page at a path of a node that has these pods."""
    match path.strip("/"):
        case "healthz" | "healthz/ping":
            return Response(200, b"ok", _TEXT)
        case "pods":
            return Response(
                200, orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods)})
            )
        case _:
            return Response(404, b"404 page not found\n", _TEXT)
