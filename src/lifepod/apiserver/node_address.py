"""What is said of a node whose logs and processes this server cannot reach: nobody in this process runs it.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/client/kubelet_client.go: GetConnectionInfo; pkg/util/node/node.go: GetPreferredNodeAddress
"""

from __future__ import annotations

from typing import Final

from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError
from lifepod.apiserver.http_errors import refusal

_PREFERRED: Final = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")
_DEFAULT_PORT: Final = 10250


def unreachable(node: JsonObject, page: str = "") -> ApiError:
    """500 in the words of a connection that is refused at the node's address, or of a node without one.

    `page`: what was to be fetched there; "" for a connection that was to be upgraded.
    """
    addresses = dig(node, "status", "addresses") or []
    by_type = {each.get("type"): each.get("address", "") for each in reversed(addresses)}
    host = next((by_type[kind] for kind in _PREFERRED if kind in by_type), "")
    if not host:
        shown = " ".join(f"{{{each.get('type', '')} {each.get('address', '')}}}" for each in addresses)
        return refusal(500, "", f"no preferred addresses found; known addresses: [{shown}]")
    port = dig(node, "status", "daemonEndpoints", "kubeletEndpoint", "Port") or _DEFAULT_PORT
    what = f'Get "https://{host}:{port}{page}"' if page else "error dialing backend"
    return refusal(500, "", f"{what}: dial tcp {host}:{port}: connect: connection refused")
