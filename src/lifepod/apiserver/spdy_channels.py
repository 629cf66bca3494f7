"""An exec or attach over SPDY/3.1, what most programs in Go speak, shown as the channels of a WebSocket.

The client opens a stream per channel; its header `streamType` says which. `SpdyChannels` gives and takes the messages that
`exec.py` knows: the channel's byte, then the data; 255 and the channel when the client half-closes it.

Source: k8s.io/kubelet v0.34.4 pkg/cri/streaming/remotecommand/httpstream.go: createHTTPStreamStreams, v4ProtocolHandler
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from lifepod.apiserver.exchange import WebSocketLike
from lifepod.apiserver.spdy import (
    REFUSED_STREAM,
    DataArrived,
    Pinged,
    SpdyConnection,
    SpdyError,
    SpdyEvent,
    StreamOpened,
    StreamReset,
)

CREATION_SECONDS: Final = 30.0
_CHANNELS: Final = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
_CLOSE: Final = 255


class SpdyChannels:
    """The streams of one exec as one WebSocket's messages (a `WebSocketLike`)."""

    def __init__(self, tunnel: WebSocketLike) -> None:
        self._tunnel = tunnel
        self._spdy = SpdyConnection()
        self._streams: dict[int, int] = {}
        self._channel_of: dict[int, int] = {}
        self._messages: deque[bytes] = deque()

    async def opened(self, wanted: frozenset[int]) -> bool:
        """Wait until the client has opened these channels; False when it goes, speaks no SPDY or takes too long."""
        try:
            async with asyncio.timeout(CREATION_SECONDS):
                while not wanted <= self._streams.keys():
                    if not await self._hear():
                        return False
        except TimeoutError:
            return False
        return True

    async def receive(self) -> bytes | None:
        """The next message; None when the client is gone."""
        while not self._messages:
            if not await self._hear():
                return None
        return self._messages.popleft()

    async def send(self, data: bytes) -> None:
        """Send one message of a channel. What the client opened no stream for is dropped."""
        stream = self._streams.get(data[0])
        if stream is not None and len(data) > 1:
            await self._tunnel.send(self._spdy.data(stream, data[1:]))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Nothing more comes on any stream."""
        for stream in self._streams.values():
            await self._tunnel.send(self._spdy.data(stream, b"", finished=True))
        self._streams.clear()

    async def _hear(self) -> bool:
        """Take what the client sends next; False when it is gone."""
        data = await self._tunnel.receive()
        if data is None:
            return False
        try:
            for event in self._spdy.receive(data.encode() if isinstance(data, str) else data):
                await self._take(event)
        except SpdyError:
            return False
        return True

    async def _take(self, event: SpdyEvent) -> None:
        match event:
            case StreamOpened(stream, headers, finished):
                await self._open(stream, headers.get("streamtype", ""))
                if finished:
                    self._half_close(stream)
            case DataArrived(stream, data, finished):
                channel = self._channel_of.get(stream)
                if channel is not None and data:
                    self._messages.append(bytes((channel,)) + data)
                if finished:
                    self._half_close(stream)
            case StreamReset(stream):
                channel = self._channel_of.pop(stream, None)
                if channel is not None:
                    self._streams.pop(channel, None)
            case Pinged(reply):
                await self._tunnel.send(reply)
            case _:
                pass

    async def _open(self, stream: int, kind: str) -> None:
        channel = _CHANNELS.get(kind)
        if channel is None or channel in self._streams:
            await self._tunnel.send(self._spdy.reset(stream, REFUSED_STREAM))
            return
        self._streams[channel] = stream
        self._channel_of[stream] = channel
        await self._tunnel.send(self._spdy.reply(stream))

    def _half_close(self, stream: int) -> None:
        channel = self._channel_of.get(stream)
        if channel is not None:
            self._messages.append(bytes((_CLOSE, channel)))
