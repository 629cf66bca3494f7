"""This process's own API without a socket: the ASGI application called directly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from lifepod.client.base import Response

Message: TypeAlias = MutableMapping[str, Any]
AsgiApp: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class InProcess:
    """A `Transport` into an ASGI application. `token` says who asks."""

    def __init__(self, app: AsgiApp, token: str = "") -> None:
        self._app = app
        self._headers = (("authorization", f"Bearer {token}"),) if token else ()
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Response:
        """Run the application on this request; returns when it has sent its status line."""
        path, _, query = target.partition("?")
        scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in (*self._headers, *headers)],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 443),
        }
        exchange = _Exchange(body)
        task = asyncio.create_task(exchange.run(self._app, scope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        start = await exchange.started
        response_headers = tuple((n.decode().lower(), v.decode("latin-1")) for n, v in start["headers"])
        return Response(start["status"], response_headers, exchange.chunks(task))

    async def close(self) -> None:
        """End what is still under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Exchange:
    """One request and its answer."""

    def __init__(self, body: bytes) -> None:
        self.started: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(64)
        self._gone = asyncio.Event()

    async def run(self, app: AsgiApp, scope: Message) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception as exc:
            if not self.started.done():
                self.started.set_exception(exc)
                return
            raise
        finally:
            if not self.started.done():
                self.started.cancel()
            await self._chunks.put(None)

    async def _receive(self) -> Message:
        if self._request:
            return self._request.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started.set_result(message)
        elif message["type"] == "http.response.body" and message.get("body"):
            await self._chunks.put(bytes(message["body"]))

    async def chunks(self, task: asyncio.Task[None]) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self._chunks.get()) is not None:
                yield chunk
        finally:
            self._gone.set()
            task.cancel()
