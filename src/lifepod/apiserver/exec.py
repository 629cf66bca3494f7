"""`pods/<name>/exec` and `attach`: a process's ends carried over a WebSocket's channels (over SPDY: `spdy_channels.py`).

Channels, the first byte of each binary message: 0 stdin, 1 stdout, 2 stderr, 3 the closing Status, 4 resize, and in v5 255
which half-closes the channel named by the next byte. What refuses after the handshake is told on channel 3, as upstream does.

Source: k8s.io/apimachinery v0.34.4 pkg/util/remotecommand/constants.go
        k8s.io/kubelet v0.34.4 pkg/cri/streaming/remotecommand/exec.go: ServeExec; attach.go: ServeAttach
        k8s.io/apiserver v0.34.4 pkg/util/proxy/streamtranslator.go: ServeHTTP
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple

import orjson

from lifepod.api.objects import JsonObject
from lifepod.apiserver.container_choice import chosen_container, container_status, running_id
from lifepod.apiserver.exchange import SPDY, Request, Upgrade, WebSocketLike
from lifepod.apiserver.http_errors import bad_request, internal_error
from lifepod.apiserver.spdy_channels import SpdyChannels
from lifepod.apiserver.upgrades import chosen_protocol
from lifepod.runtime.base import ExecStream, NodeStreams, StreamRefused

V5: Final = "v5.channel.k8s.io"
V4: Final = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
SUCCESS: Final = {"metadata": {}, "status": "Success"}


class Wanted(NamedTuple):
    """What the query asks for. `command` is empty for attach."""

    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def wanted_streams(request: Request, *, attach: bool) -> Wanted:
    """The query as options. Raises ApiError 400.

    Source: k8s.io/kubelet v0.34.4 pkg/cri/streaming/remotecommand/httpstream.go: NewOptions
    """
    tty = request.flag("tty")
    wanted = Wanted(
        () if attach else tuple(request.query.get("command", ())),
        request.flag("stdin"),
        request.flag("stdout"),
        request.flag("stderr") and not tty,
        tty,
    )
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    return wanted


def exec_answer(pod: JsonObject, request: Request, streams: NodeStreams | None, *, attach: bool = False) -> Upgrade:
    """The upgrade to a process's streams. Refuses before it with ApiError, later on the error channel."""
    container = chosen_container(pod, request.param("container"))
    if streams is None:
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    wire, protocol = chosen_protocol(request, (V5, V4), (V4, V5))
    wanted = wanted_streams(request, attach=attach)
    if not attach and not wanted.command:
        raise bad_request("you must specify a command for the container")
    reached = streams

    async def run(websocket: WebSocketLike) -> None:
        try:
            process = await _start(reached, pod, container, wanted, attach)
        except StreamRefused as problem:
            await websocket.send(_status(internal_error(str(problem)).status))
            return
        await websocket.send(bytes((_lowest_writable(wanted),)))
        await converse(websocket, process, wanted, half_close=wire == SPDY or protocol == V5)

    async def run_spdy(tunnel: WebSocketLike) -> None:
        channels = SpdyChannels(tunnel)
        if await channels.opened(_channels(wanted)):
            await run(channels)
            await channels.close()

    return Upgrade(run_spdy if wire == SPDY else run, protocol, wire=wire)


def _channels(wanted: Wanted) -> frozenset[int]:
    """The channels that a client of these wishes opens."""
    stdin, stdout, stderr, tty = wanted.stdin, wanted.stdout, wanted.stderr, wanted.tty
    asked = ((STDIN, stdin), (STDOUT, stdout), (STDERR, stderr), (ERROR, True), (RESIZE, tty))
    return frozenset(channel for channel, is_wanted in asked if is_wanted)


def _lowest_writable(wanted: Wanted) -> int:
    """The channel whose empty first message tells the client that it is connected.

    Source: k8s.io/apiserver v0.34.4 pkg/util/proxy/websocket.go: createWebSocketStreams
    """
    return STDOUT if wanted.stdout else STDERR if wanted.stderr else ERROR


async def _start(streams: NodeStreams, pod: JsonObject, container: str, wanted: Wanted, attach: bool) -> ExecStream:
    """Start the process or attach to the container's. Raises StreamRefused with the kubelet's text."""
    run = running_id(pod, container)
    if not run:
        known = container_status(pod, container) is not None
        if known and attach:
            raise StreamRefused(
                f"unable to upgrade connection: container {container} not found in pod {_full_name(pod)}"
            )
        raise StreamRefused(f'unable to upgrade connection: container not found ("{container}")')
    uid = pod["metadata"]["uid"]
    try:
        if attach:
            return await streams.attach(uid, run, stdin=wanted.stdin, tty=wanted.tty)
        return await streams.exec(uid, run, wanted.command, stdin=wanted.stdin, tty=wanted.tty)
    except StreamRefused as problem:
        what = "attaching to container" if attach else "executing command in container"
        raise StreamRefused(f"error {what}: {problem}") from problem


def _full_name(pod: JsonObject) -> str:
    return f"{pod['metadata']['name']}_{pod['metadata']['namespace']}"


async def converse(websocket: WebSocketLike, process: ExecStream, wanted: Wanted, *, half_close: bool) -> None:
    """Carry bytes both ways until the process ends (then say how) or the client goes (then close the process)."""
    feeding = asyncio.ensure_future(_feed(websocket, process, wanted, half_close))
    try:
        async for channel, chunk in process.output():
            if chunk and (wanted.stdout if channel == STDOUT else wanted.stderr):
                await websocket.send(bytes((channel,)) + chunk)
        code = await process.exit_code()
        await websocket.send(_status(ended_status(code)))
    except StreamRefused as problem:
        await websocket.send(_status(internal_error(str(problem)).status))
    finally:
        feeding.cancel()
        await process.close()


async def _feed(websocket: WebSocketLike, process: ExecStream, wanted: Wanted, half_close: bool) -> None:
    """The client's messages to the process. When the client is gone the process is closed, which ends `converse` too."""
    while (message := await websocket.receive()) is not None:
        data = message.encode() if isinstance(message, str) else message
        if not data:
            continue
        match data[0]:
            case 0 if wanted.stdin and len(data) > 1:
                await _write(process, data[1:])
            case 4 if wanted.tty:
                await _resize(process, data[1:])
            case 255 if half_close and data[1:] == b"\x00":
                with suppress(BrokenPipeError, ConnectionResetError):
                    await process.close_stdin()
            case _:
                pass
    await process.close()


async def _write(process: ExecStream, data: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError, StreamRefused):  # it reads no more; its output still matters
        await process.write(data)


async def _resize(process: ExecStream, text: bytes) -> None:
    try:
        size = orjson.loads(text)
        width, height = int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError):
        return
    if 0 < width < 65536 and 0 < height < 65536:
        await process.resize(width, height)


def ended_status(code: int) -> JsonObject:
    """The Status that closes the stream of a process that ended with `code`."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _status(status: JsonObject) -> bytes:
    return bytes((ERROR,)) + orjson.dumps(status)
