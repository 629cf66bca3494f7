"""How lifepod talks to an API: one small interface, whoever is at the other end.

`Transport` carries a request; `client/in_process.py` hands it to this process's own server without a socket,
`client/http.py` to a cluster of the kubeconfig. `Client` adds what both need: JSON, Status errors, watch lines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode

import orjson

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.client.errors import ClientError


class Response(NamedTuple):
    """An answer whose body may still be on its way. `headers` names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes]


class Transport(Protocol):
    """Carries one request. Raises ClientError when the server cannot be reached."""

    async def send(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Response: ...

    async def close(self) -> None: ...


class WatchEvent(NamedTuple):
    """One line of a watch."""

    type: str
    object: JsonObject


class Client:
    """Requests on a Kubernetes API. Paths are the API's own (`/api/v1/namespaces/default/pods`)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.warnings: list[str] = []

    async def request(
        self,
        method: str,
        path: str,
        body: JsonObject | list[JsonObject] | None = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        """Send and return the decoded answer. Raises ApiError for a Status failure; Warning headers are collected."""
        headers = (("accept", "application/json"), ("user-agent", "lifepod"), ("content-type", content_type))
        data = orjson.dumps(body) if body is not None else b""
        response = await self._transport.send(method, _target(path, query), headers, data)
        content = b"".join([chunk async for chunk in response.body])
        self.warnings += [value for name, value in response.headers if name == "warning"]
        return _decoded(response.status, content)

    async def get(self, path: str, query: dict[str, str] | None = None) -> JsonObject:
        """GET one object or a list."""
        return await self.request("GET", path, query=query)

    async def watch(self, path: str, query: dict[str, str]) -> AsyncIterator[WatchEvent]:
        """The events of a watch as they come, until the server ends it. Raises ApiError when it is refused."""
        headers = (("accept", "application/json"), ("user-agent", "lifepod"))
        response = await self._transport.send("GET", _target(path, {**query, "watch": "true"}), headers)
        rest = b""
        if response.status != 200:
            _decoded(response.status, b"".join([chunk async for chunk in response.body]))
        async for chunk in response.body:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    event = orjson.loads(line)
                    yield WatchEvent(event["type"], event["object"])

    async def stream(self, path: str, query: dict[str, str]) -> AsyncIterator[bytes]:
        """The bytes of an answer as they come (logs). Raises ApiError when refused."""
        response = await self._transport.send("GET", _target(path, query), (("user-agent", "lifepod"),))
        if response.status >= 300:
            _decoded(response.status, b"".join([chunk async for chunk in response.body]))
        async for chunk in response.body:
            yield chunk

    async def close(self) -> None:
        """Let go of connections."""
        await self._transport.close()


def _target(path: str, query: dict[str, str] | None) -> str:
    safe = quote(path, safe="/:@!$&'()*+,;=~-._")
    return f"{safe}?{urlencode(query)}" if query else safe


def _decoded(status: int, content: bytes) -> JsonObject:
    try:
        answer = orjson.loads(content) if content else {}
    except orjson.JSONDecodeError:
        text = content[:200].decode(errors="replace").strip()
        if status >= 300:
            raise ApiError({"kind": "Status", "status": "Failure", "message": text, "code": status}) from None
        raise ClientError(f"the server answered {status} with something that is no JSON: {text}") from None
    if status >= 300:
        raise ApiError(answer if answer.get("kind") == "Status" else {"message": str(answer)[:200], "code": status})
    assert isinstance(answer, dict)
    return answer
