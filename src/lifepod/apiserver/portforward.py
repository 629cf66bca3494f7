"""`pods/<name>/portforward`: connections to a pod's ports through one tunnel, in the two ways clients speak.

kubectl speaks SPDY, bare or inside a WebSocket (`SPDY/3.1+portforward.k8s.io`): two streams per forwarded connection. The Python clients use
channels (`v4.channel.k8s.io`): channel 2i carries the i-th port's bytes, 2i+1 its error. What must stay true: no byte is lost
at either half-close, and a slow side slows the other down.

Source: k8s.io/kubelet v0.34.4 pkg/cri/streaming/portforward/httpstream.go: portForward; websocket.go: websocketPortForwardStreamHandler
        k8s.io/apimachinery v0.34.4 pkg/util/portforward/constants.go
"""

from __future__ import annotations

import asyncio
from typing import Final

from lifepod.api.integers import port_number
from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import SPDY, Request, Upgrade, WebSocketLike
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.spdy import (
    REFUSED_STREAM,
    DataArrived,
    GoneAway,
    Pinged,
    SpdyConnection,
    SpdyError,
    SpdyEvent,
    StreamOpened,
    StreamReset,
)
from lifepod.apiserver.upgrades import chosen_protocol
from lifepod.runtime.base import ByteStream, NodeStreams, StreamRefused

BARE: Final = "portforward.k8s.io"
TUNNEL: Final = f"SPDY/3.1+{BARE}"
CHANNELS: Final = ("v4.channel.k8s.io", BARE, "")
"""The same wire under each name; kr8s offers none."""
MAX_STREAMS: Final = 1024
MAX_PORT: Final = 65535
_LONGEST_NUMBER: Final = 20
_QUEUED_CHUNKS: Final = 64
_LOST: Final = (ConnectionError, OSError, StreamRefused)


def portforward_answer(pod: JsonObject, request: Request, streams: NodeStreams | None) -> Upgrade:
    """The upgrade to the pod's ports. Raises ApiError."""
    if streams is None:
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    ports = wanted_ports(request)
    wire, protocol = chosen_protocol(request, (TUNNEL, *CHANNELS), (BARE,))
    is_spdy = wire == SPDY or protocol == TUNNEL
    if not is_spdy and not ports:
        raise bad_request('query parameter "port" is required')
    ends = PodPorts(streams, pod)

    async def run(websocket: WebSocketLike) -> None:
        if is_spdy:
            await SpdyTunnel(websocket, ends).run()
        else:
            await forward_channels(websocket, ends, ports)

    return Upgrade(run, protocol, wire=wire)


def wanted_ports(request: Request) -> tuple[int, ...]:
    """The `ports` (or `port`) of the query, repeated or joined by commas. Raises ApiError 400.

    Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/conversion.go: Convert_Slice_string_To_Slice_int32
            k8s.io/kubelet v0.34.4 pkg/cri/streaming/portforward/websocket.go: NewV4Options
    """
    texts = [text for name in ("ports", "port") for value in request.query.get(name, ()) for text in value.split(",")]
    for text in texts:
        digits = text.isascii() and text.isdigit()
        if not digits or int(text[:_LONGEST_NUMBER]) > MAX_PORT:
            problem = "value out of range" if digits else "invalid syntax"
            raise bad_request(f'cannot convert to []int32: strconv.ParseUint: parsing "{text}": {problem}')
        if int(text) == 0:
            raise bad_request(f'port "{",".join(texts)}" must be > 0')
    return tuple(map(int, texts))


class PodPorts:
    """The ports of one pod."""

    def __init__(self, streams: NodeStreams, pod: JsonObject) -> None:
        self._streams = streams
        self._uid: str = pod["metadata"]["uid"]

    async def dial(self, port: int) -> ByteStream:
        """Connect. Raises StreamRefused with the text that kubectl shows."""
        try:
            return await self._streams.dial(self._uid, port)
        except (StreamRefused, OSError) as problem:
            raise StreamRefused(f"error forwarding port {port} to pod {self._uid}, uid : {problem}") from problem


# ------------------------------------------------------------------------------------------------ channels


async def forward_channels(websocket: WebSocketLike, ends: PodPorts, ports: tuple[int, ...]) -> None:
    """Serve the channel form until every port's connection has ended or the client goes."""
    for i, port in enumerate(ports):
        announced = port.to_bytes(2, "little")
        await websocket.send(bytes((2 * i,)) + announced)
        await websocket.send(bytes((2 * i + 1,)) + announced)
    connections: dict[int, ByteStream] = {}
    try:
        for i, port in enumerate(ports):
            try:
                connections[i] = await ends.dial(port)
            except StreamRefused as problem:
                await websocket.send(bytes((2 * i + 1,)) + str(problem).encode())
        feeding = asyncio.ensure_future(_feed_channels(websocket, connections))
        copying = asyncio.gather(
            *(_copy_channel(websocket, 2 * i, connection) for i, connection in connections.items())
        )
        try:
            await asyncio.wait((feeding, copying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            feeding.cancel()
            copying.cancel()
            await asyncio.gather(feeding, copying, return_exceptions=True)
    finally:
        for connection in connections.values():
            await connection.close()


async def _copy_channel(websocket: WebSocketLike, channel: int, connection: ByteStream) -> None:
    try:
        while data := await connection.read():
            await websocket.send(bytes((channel,)) + data)
    except _LOST as problem:
        await websocket.send(bytes((channel + 1,)) + str(problem).encode())


async def _feed_channels(websocket: WebSocketLike, connections: dict[int, ByteStream]) -> None:
    while (message := await websocket.receive()) is not None:
        data = message.encode("latin-1", "replace") if isinstance(message, str) else message
        if len(data) < 2 or data[0] % 2:
            continue
        connection = connections.get(data[0] // 2)
        if connection is not None:
            try:
                await connection.write(data[1:])
            except _LOST:
                connections.pop(data[0] // 2)


# ------------------------------------------------------------------------------------------------ SPDY


class _Pair:
    """One forwarded connection: kubectl's data stream and its error stream."""

    def __init__(self, port: int, error_stream: int) -> None:
        self.port = port
        self.error_stream = error_stream
        self.data_stream = 0
        self.incoming: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED_CHUNKS)
        self.task: asyncio.Task[None] | None = None
        self.is_reset = False
        self.is_finishing = False

    def reset(self) -> None:
        """The client reads no more of the data; it still waits for the end of the error stream."""
        self.is_reset = True
        if self.task is not None and not self.is_finishing:
            self.task.cancel()


class SpdyTunnel:
    """kubectl's SPDY connection, bare or inside a WebSocket."""

    def __init__(self, websocket: WebSocketLike, ends: PodPorts) -> None:
        self._websocket = websocket
        self._ends = ends
        self._spdy = SpdyConnection()
        self._pairs: dict[str, _Pair] = {}
        self._by_stream: dict[int, _Pair] = {}

    async def run(self) -> None:
        """Serve until the client goes."""
        try:
            while (message := await self._websocket.receive()) is not None:
                data = message.encode("latin-1", "replace") if isinstance(message, str) else message
                for event in self._spdy.receive(data):
                    await self._take(event)
        except SpdyError as problem:
            await self._websocket.close(1002, str(problem))
        finally:
            tasks = [pair.task for pair in self._pairs.values() if pair.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, event: SpdyEvent) -> None:
        match event:
            case StreamOpened():
                await self._open(event)
            case DataArrived(stream, data, finished):
                pair = self._by_stream.get(stream)
                if pair is not None and pair.data_stream == stream:
                    if data:
                        await pair.incoming.put(data)
                    if finished:
                        await pair.incoming.put(None)
            case StreamReset(stream):
                pair = self._by_stream.get(stream)
                if pair is not None and pair.data_stream == stream:
                    pair.reset()
            case Pinged(reply):
                await self._websocket.send(reply)
            case GoneAway():
                pass

    async def _open(self, opened: StreamOpened) -> None:
        """A new stream: the error stream of a request comes first, its data stream starts the connection."""
        kind, port, request = (opened.headers.get(name, "") for name in ("streamtype", "port", "requestid"))
        number = port_number(port)
        pair = self._pairs.get(request)
        if (
            number is None
            or kind not in ("error", "data")
            or len(self._pairs) >= MAX_STREAMS
            or (kind == "data" and (pair is None or pair.data_stream))
            or (kind == "error" and pair is not None)
        ):
            await self._websocket.send(self._spdy.reset(opened.stream, REFUSED_STREAM))
            return
        await self._websocket.send(self._spdy.reply(opened.stream))
        if pair is None:
            pair = self._pairs[request] = _Pair(number, opened.stream)
        else:
            pair.data_stream = opened.stream
            pair.task = asyncio.ensure_future(self._forward(request, pair))
            if opened.finished:
                await pair.incoming.put(None)
        self._by_stream[opened.stream] = pair

    async def _forward(self, request: str, pair: _Pair) -> None:
        """Connect and copy both ways; then finish both streams, with the error's text if there is one."""
        error = b""
        try:
            connection = await self._ends.dial(pair.port)
            try:
                await self._copy_both_ways(pair, connection)
            finally:
                await connection.close()
        except _LOST as problem:
            error = str(problem).encode()
        except asyncio.CancelledError:
            if not pair.is_reset:
                raise
        finally:
            pair.is_finishing = True
            self._forget(request, pair)
            while not pair.incoming.empty():
                pair.incoming.get_nowait()  # whoever waits to put must not wait for us any more
        send = self._websocket.send
        try:
            if error:
                await send(self._spdy.data(pair.error_stream, error))
                await send(self._spdy.data(pair.data_stream, b"", finished=True))
            await send(self._spdy.data(pair.error_stream, b"", finished=True))
        except ConnectionResetError:
            pass  # the client is gone, and with it whom to tell

    def _forget(self, request: str, pair: _Pair) -> None:
        self._pairs.pop(request, None)
        self._by_stream.pop(pair.data_stream, None)
        self._by_stream.pop(pair.error_stream, None)

    async def _copy_both_ways(self, pair: _Pair, connection: ByteStream) -> None:
        """Until the pod's side has ended: what the client still sends then has no reader."""
        feeding = asyncio.ensure_future(_feed(pair, connection))
        try:
            while data := await connection.read():
                await self._websocket.send(self._spdy.data(pair.data_stream, data))
            await self._websocket.send(self._spdy.data(pair.data_stream, b"", finished=True))
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


async def _feed(pair: _Pair, connection: ByteStream) -> None:
    while (data := await pair.incoming.get()) is not None:
        try:
            await connection.write(data)
        except _LOST:
            break  # the pod's side closed; its last bytes are still to be read
    else:
        await connection.close_write()
        return
    while await pair.incoming.get() is not None:
        pass
