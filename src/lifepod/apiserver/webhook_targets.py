"""Where a webhook is to be found: its URL, or a Service of the cluster and behind it a pod or an address.

Source: k8s.io/apiserver v0.34.4 pkg/util/webhook/client.go: HookClient
        k8s.io/apiserver v0.34.4 pkg/util/proxy/proxy.go: ResolveEndpoint
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.webhook_session import HostTarget, PodTarget
from lifepod.store import Selection

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_SERVICE_LABEL: Final = "kubernetes.io/service-name"
_HTTPS: Final = 443


def target_of(api: Api, client: JsonObject) -> tuple[str, PodTarget | HostTarget | str]:
    """The URL as messages show it, and where it leads; in words why it leads nowhere."""
    service = client.get("service")
    if not service:
        url = str(client["url"])
        parts = urlsplit(url)
        return url, HostTarget(parts.hostname or "", parts.port or _HTTPS)
    namespace, name, port = service["namespace"], service["name"], int(service.get("port") or _HTTPS)
    path = str(service.get("path") or "/")
    url = f"https://{name}.{namespace}.svc:{port}{path if path.startswith('/') else '/' + path}"
    return url, _behind(api, namespace, name, port)


def _behind(api: Api, namespace: str, name: str, port: int) -> PodTarget | HostTarget | str:
    service = api.store.get("services", namespace, name)
    if service is None:
        return f'service "{name}" not found'
    if dig(service, "spec", "type") == "ExternalName":
        return HostTarget(str(dig(service, "spec", "externalName")), port)
    named = [each.get("name") or "" for each in dig(service, "spec", "ports") or () if each.get("port") == port]
    if not named:
        return f'no service port {port} found for service "{name}"'
    records = api.store.list("endpointslices.discovery.k8s.io", Selection(namespace)).records
    for record in records:
        if record.labels.get(_SERVICE_LABEL) == name:
            found = _ready_endpoint(api, namespace, api.store.decoded(record), named[0])
            if found is not None:
                return found
    return f'no endpoints available for service "{name}"'


def _ready_endpoint(api: Api, namespace: str, piece: JsonObject, port_name: str) -> PodTarget | HostTarget | None:
    ports = [each.get("port") for each in piece.get("ports") or () if (each.get("name") or "") == port_name]
    if not ports or not ports[0]:
        return None
    for endpoint in piece.get("endpoints") or ():
        if dig(endpoint, "conditions", "ready") is False:
            continue
        reference = endpoint.get("targetRef") or {}
        if reference.get("kind") != "Pod":
            return HostTarget(endpoint["addresses"][0], ports[0])
        pod = api.store.get("pods", reference.get("namespace") or namespace, reference["name"])
        node = dig(pod or {}, "spec", "nodeName")
        if pod is not None and node:
            return PodTarget(node, pod["metadata"]["uid"], ports[0])
    return None
