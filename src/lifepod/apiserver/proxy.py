"""`…/proxy/…` of pods and services: an HTTP request carried to a port of a pod and its answer carried back.

The pod is reached like a forwarded port; one connection serves one request. Which pod a service means is decided by its
EndpointSlices. Request bodies are whole (the wire limits them), answers are streamed.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/rest/subresources.go: ProxyREST; pkg/registry/core/pod/strategy.go: ResourceLocation
        k8s.io/kubernetes v1.34.4 pkg/registry/core/service/storage/storage.go: ResourceLocation
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import httptools

from lifepod.api.integers import port_number
from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.exchange import Headers, Request, Response, Sink, Stream
from lifepod.apiserver.http_errors import bad_request, refusal, service_unavailable
from lifepod.runtime.base import ByteStream, NodeStreams, StreamRefused

_HOP_BY_HOP: Final = frozenset(
    (
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
        "content-length", "authorization", "host", "accept-encoding", "expect",
    )
)  # fmt: skip
_RESPONSE_ONLY_US: Final = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "content-length", "content-type", "date", "trailer")
)
MAX_HEAD_BYTES: Final = 64 * 1024


class Target(NamedTuple):
    """Where a proxied request goes."""

    pod_uid: str
    port: int
    streams: NodeStreams
    host: str = ""


def pod_port(pod: JsonObject, port: str) -> int:
    """The port that a pod's proxy path means: the one named, else the first that a container declares. Raises ApiError 400."""
    if (number := port_number(port)) is not None:
        return number
    declared = [each for container in dig(pod, "spec", "containers") or () for each in container.get("ports") or ()]
    for each in declared:
        if not port or each.get("name") == port:
            return int(each["containerPort"])
    if port:
        raise bad_request(f'invalid port "{port}" of pod {pod["metadata"]["name"]}')
    return 80


def service_target(service: JsonObject, port: str, slices: Iterable[JsonObject]) -> tuple[str, int]:
    """Name of a ready pod behind a service and its port number. Raises ApiError 503 when there is none, 400 for the port."""
    name = service["metadata"]["name"]
    ports = dig(service, "spec", "ports") or []
    if not port and len(ports) == 1:
        wanted = ports[0].get("name") or ""
    else:
        found = [each for each in ports if port in (each.get("name") or "", str(each.get("port")))]
        if not found:
            raise service_unavailable(f'no service port "{port}" found for service "{name}"')
        wanted = found[0].get("name") or ""
    for each in slices:
        numbers = [entry.get("port") for entry in each.get("ports") or () if (entry.get("name") or "") == wanted]
        for endpoint in each.get("endpoints") or ():
            if numbers and numbers[0] and dig(endpoint, "conditions", "ready") is not False:
                pod = dig(endpoint, "targetRef", "name")
                if pod:
                    return str(pod), int(numbers[0])
    raise service_unavailable(f'no endpoints available for service "{name}"')


async def proxy_answer(request: Request, target: Target, path: str) -> Response | Stream:
    """Send the request on and begin the answer. Raises ApiError 503 when the pod does not answer."""
    try:
        connection = await target.streams.dial(target.pod_uid, target.port)
    except (StreamRefused, OSError) as problem:
        why = f"dial tcp {target.host}:{target.port}: connect: {str(problem).rpartition('connect: ')[2]}"
        raise refusal(503, "ServiceUnavailable", f"error trying to reach service: {why}") from problem
    try:
        await connection.write(_request_bytes(request, path or "/", target.port))
        reader = _ResponseReader(connection)
        await reader.read_head()
    except (OSError, httptools.HttpParserError) as problem:
        await connection.close()
        raise refusal(
            503, "ServiceUnavailable", f"error trying to reach service: {problem or 'no answer'}"
        ) from problem
    except BaseException:
        await connection.close()
        raise
    return Stream(lambda sink: sink.spawn(reader.copy_body(sink)), reader.status, reader.content_type, reader.headers)


def _request_bytes(request: Request, path: str, port: int) -> bytes:
    query = f"?{request.raw_query}" if request.raw_query else ""
    lines = [f"{request.method} {path}{query} HTTP/1.1", f"Host: localhost:{port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name not in _HOP_BY_HOP]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body


class _ResponseReader:
    """The pod's answer as it comes."""

    def __init__(self, connection: ByteStream) -> None:
        self._connection = connection
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._has_head = self._ended = False
        self._found: list[tuple[str, str]] = []
        self.status = 0
        self.content_type = "application/octet-stream"

    @property
    def headers(self) -> Headers:
        """The pod's headers without those that belong to its own connection."""
        return tuple((name, value) for name, value in self._found if name.lower() not in _RESPONSE_ONLY_US)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._found.append((name.decode("latin-1"), value.decode("latin-1")))
        if name.lower() == b"content-type":
            self.content_type = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._has_head = True
        else:
            self._found = []

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self._ended = self._has_head

    async def read_head(self) -> None:
        """Read until the headers are whole. Raises OSError when the pod closes before."""
        read = 0
        while not self._has_head:
            data = await self._connection.read()
            read += len(data)
            if not data or read > MAX_HEAD_BYTES:
                raise ConnectionResetError(
                    "the pod closed the connection without an answer" if not data else "headers too large"
                )
            self._parser.feed_data(data)

    async def copy_body(self, sink: Sink) -> None:
        """The rest of the answer."""
        try:
            while True:
                for chunk in self._chunks:
                    sink.write(chunk)
                self._chunks.clear()
                await sink.drain()
                if self._ended:
                    return
                data = await self._connection.read()
                if not data:
                    return
                self._parser.feed_data(data)
        except httptools.HttpParserError:
            sink.abort()
        finally:
            await self._connection.close()
