"""Logs, exec, attach and port-forward over a real socket: what kubectl and the Python clients send and expect."""

import asyncio
import base64
import json
import os
import struct
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.apiserver.attach import attach_answer
from lifepod.apiserver.container_choice import chosen_container, logged_run
from lifepod.apiserver.exchange import Answer, Request, Whole
from lifepod.apiserver.exec import exec_answer
from lifepod.apiserver.http_errors import status_response
from lifepod.apiserver.log import log_answer, log_options
from lifepod.apiserver.portforward import portforward_answer
from lifepod.apiserver.server import Server, serve
from lifepod.apiserver.spdy import SpdyConnection, SpdyError, StreamOpened, dictionary

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def container(name: str, state: JsonObject | None = None, last: JsonObject | None = None) -> JsonObject:
    return {"name": name, "containerID": f"process://{name}-1", "state": state or {}, "lastState": last or {}}


RUNNING = {"running": {"startedAt": "2025-01-01T00:00:00Z"}}
POD: JsonObject = {
    "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
    "spec": {"nodeName": "n1", "containers": [{"name": "main"}]},
    "status": {"containerStatuses": [container("main", RUNNING)]},
}


def pod_with(state: JsonObject, last: JsonObject | None = None) -> JsonObject:
    return {**POD, "status": {"containerStatuses": [container("main", state, last)]}}


# ------------------------------------------------------------------------------------------------ which container, which run

TWO = {
    "metadata": {"name": "two"},
    "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "c1"}, {"name": "c2"}]},
}


@pytest.mark.parametrize(
    ("pod", "wanted", "says"),
    [
        (TWO, "", "a container name must be specified for pod two, choose one of: [i c1 c2]"),
        (TWO, "zz", "container zz is not valid for pod two"),
    ],
)
def test_a_container_that_is_not_clear_is_refused(pod: JsonObject, wanted: str, says: str) -> None:
    with pytest.raises(ApiError) as refused:
        chosen_container(pod, wanted)
    assert (refused.value.code, str(refused.value)) == (400, says)


def test_the_only_regular_container_needs_no_name() -> None:
    assert chosen_container(POD, "") == "main"
    assert chosen_container(TWO, "i") == "i"


ENDED = {"terminated": {"exitCode": 1, "containerID": "process://old"}}
NO_ID = {"terminated": {"exitCode": 1}}


@pytest.mark.parametrize(
    ("state", "last", "previous", "run"),
    [
        (RUNNING, {}, False, "main-1"),
        (RUNNING, ENDED, False, "main-1"),
        (RUNNING, ENDED, True, "old"),
        (ENDED, {}, False, "old"),
        (NO_ID, ENDED, False, "old"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, ENDED, False, "old"),
    ],
)
def test_the_log_is_that_of_the_last_run(state: JsonObject, last: JsonObject, previous: bool, run: str) -> None:
    assert logged_run(pod_with(state, last), "main", previous) == run


@pytest.mark.parametrize(
    ("state", "last", "previous", "says"),
    [
        (RUNNING, {}, True, 'previous terminated container "main" in pod "web" not found'),
        (NO_ID, {}, False, 'container "main" in pod "web" is terminated'),
        ({"waiting": {"reason": "PodInitializing"}}, {}, False, 'container "main" in pod "web" is waiting to start: PodInitializing'),
        ({"waiting": {"reason": "ErrImagePull"}}, {}, False, "container \"main\" in pod \"web\" is waiting to start: image can't be pulled"),
        ({"waiting": {"reason": "ImagePullBackOff"}}, {}, False, 'container "main" in pod "web" is waiting to start: trying and failing to pull image'),
    ],
)  # fmt: skip
def test_a_log_that_is_not_there_is_refused_in_the_kubelets_words(
    state: JsonObject, last: JsonObject, previous: bool, says: str
) -> None:
    with pytest.raises(ApiError) as refused:
        logged_run(pod_with(state, last), "main", previous)
    assert (refused.value.code, str(refused.value)) == (400, says)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "tailLines=-1",
            'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
        ),
        ("limitBytes=0", 'PodLogOptions "web" is invalid: limitBytes: Invalid value: 0: must be greater than 0'),
        ("sinceSeconds=0", 'PodLogOptions "web" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'),
        (
            "sinceSeconds=1&sinceTime=2025-01-01T00:00:00Z",
            'PodLogOptions "web" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
        ),
    ],
)
def test_log_options_out_of_range_are_refused_as_upstream_words_it(query: str, says: str) -> None:
    with pytest.raises(ApiError) as refused:
        log_options(Request("GET", "/", query), "web", NOW)
    assert (refused.value.code, str(refused.value)) == (422, says)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("tailLines=", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("limitBytes=1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ("sinceTime=bad", 'parsing time "bad" as "2006-01-02T15:04:05Z07:00": cannot parse "bad" as "2006"'),
        ("sinceTime=2020-01-01", 'parsing time "2020-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
    ],
)
def test_what_is_no_number_or_time_is_refused_before_anything_else(query: str, says: str) -> None:
    with pytest.raises(ApiError) as refused:
        log_options(Request("GET", "/", query + "&stream=All"), "web", NOW)
    assert (refused.value.code, str(refused.value)) == (400, says)


@pytest.mark.parametrize(
    ("query", "since"),
    [
        ("sinceTime=2025-01-01T00:00:05.9Z", NOW.timestamp() + 5),
        ("sinceTime=2025-01-01T01:00:05%2B01:00", NOW.timestamp() + 5),
        ("sinceTime=", 0.0),
        ("sinceTime=0300-01-01T00:00:00Z", 0.0),
        ("sinceSeconds=99999999999", 0.0),
    ],
)
def test_the_time_since_is_in_whole_seconds_and_never_before_the_epoch(query: str, since: float) -> None:
    assert log_options(Request("GET", "/", query), "web", NOW).since_epoch == since


def test_a_flag_without_a_value_is_set() -> None:
    options = log_options(Request("GET", "/", "follow=&timestamps=0&previous=False"), "web", NOW)
    assert (options.follow, options.timestamps, options.previous) == (True, False, False)


def test_log_options_are_read_and_times_are_counted_from_now() -> None:
    options = log_options(Request("GET", "/", "follow=bogus&previous=false&tailLines=3&sinceSeconds=10"), "web", NOW)
    assert (options.follow, options.previous, options.tail_lines) == (True, False, 3)
    assert options.since_epoch == NOW.timestamp() - 10


# ------------------------------------------------------------------------------------------------ over the wire


def site_of(pod: JsonObject, streams: Any) -> Callable[[Request], Answer]:
    """A site with one pod, addressed by the last part of the path only."""

    async def log(request: Request) -> Whole:
        try:
            node = streams if "nodeName" in pod["spec"] else None
            chosen = chosen_container(pod, request.param("container"))
            return await log_answer(pod, chosen, log_options(request, "web", NOW), node)
        except ApiError as error:
            return status_response(error)

    def site(request: Request) -> Answer:
        try:
            match request.path:
                case "/log":
                    return log(request)
                case "/exec":
                    return exec_answer(pod, request, streams)
                case "/attach":
                    return attach_answer(pod, request, streams)
                case _:
                    return portforward_answer(pod, request, streams)
        except ApiError as error:
            return status_response(error)

    return site


def against(pod: JsonObject, streams: Any, test: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = await serve(site_of(pod, streams))
        try:
            await asyncio.wait_for(test(server), 20)
        finally:
            await server.stop(0.2)

    asyncio.run(main())


class Socket:
    """A WebSocket client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader, self._writer, self.head = reader, writer, head
        self._frames = Connection(ConnectionType.CLIENT)
        self.code = 0

    @classmethod
    async def open(cls, server: Server, target: str, *protocols: str, method: str = "GET") -> "Socket":
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {', '.join(protocols)}\r\n\r\n".encode()
        )
        return cls(reader, writer, await reader.readuntil(b"\r\n\r\n"))

    async def send(self, data: bytes) -> None:
        self._writer.write(self._frames.send(BytesMessage(data)))
        await self._writer.drain()

    async def ping(self) -> None:
        self._writer.write(self._frames.send(Ping(b"hi")))

    async def close(self) -> None:
        self._writer.write(self._frames.send(CloseConnection(1000)))

    async def messages(self) -> list[bytes]:
        """Everything until the close."""
        found: list[bytes] = []
        part = b""
        while data := await self._reader.read(65536):
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, BytesMessage):
                    part += event.data
                    if event.message_finished:
                        found.append(part)
                        part = b""
                elif isinstance(event, Pong):
                    found.append(b"pong")
                elif isinstance(event, CloseConnection):
                    self.code = event.code
                    if self._frames.state.name == "REMOTE_CLOSING":
                        self._writer.write(self._frames.send(event.response()))
        self._writer.close()
        return found

    async def next(self) -> bytes:
        """What came in the next messages, joined."""
        found = b""
        while not found:
            self._frames.receive_data(await self._reader.read(65536))
            found = b"".join(bytes(event.data) for event in self._frames.events() if isinstance(event, BytesMessage))
        return found


def joined(messages: list[bytes], channel: int) -> bytes:
    return b"".join(message[1:] for message in messages if message[:1] == bytes((channel,)))


def test_exec_brings_output_and_success_and_closes_with_1000(local_streams: Any) -> None:
    async def check(server: Server) -> None:
        target = "/exec?command=sh&command=-c&command=echo+out%3B+echo+err+%3E%262&stdout=true&stderr=true"
        socket = await Socket.open(server, target, "v5.channel.k8s.io")
        assert b"HTTP/1.1 101 " in socket.head
        assert b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n" in socket.head
        messages = await socket.messages()
        assert messages[0] == b"\x01"
        assert (joined(messages, 1), joined(messages, 2)) == (b"out\n", b"err\n")
        assert json.loads(joined(messages, 3)) == {"metadata": {}, "status": "Success"}
        assert socket.code == 1000

    against(POD, local_streams, check)


def test_exec_tells_the_exit_code_as_a_cause(local_streams: Any) -> None:
    async def check(server: Server) -> None:
        socket = await Socket.open(
            server, "/exec?command=sh&command=-c&command=exit+3&stdout=true", "v5.channel.k8s.io", "v4.channel.k8s.io"
        )
        status = json.loads(joined(await socket.messages(), 3))
        assert status == {
            "metadata": {},
            "status": "Failure",
            "message": "command terminated with non-zero exit code: exit status 3",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
        }

    against(POD, local_streams, check)


def test_stdin_is_carried_whole_and_ff_00_half_closes_it(local_streams: Any) -> None:
    payload = os.urandom(3_000_000)

    async def check(server: Server) -> None:
        socket = await Socket.open(server, "/exec?command=cat&stdin=true&stdout=true", "v5.channel.k8s.io")

        async def feed() -> None:
            for at in range(0, len(payload), 100_000):
                await socket.send(b"\x00" + payload[at : at + 100_000])
            await socket.ping()
            await socket.send(b"\xff\x00")

        messages, _ = await asyncio.gather(socket.messages(), feed())
        assert joined(messages, 1) == payload
        assert b"pong" in messages
        assert json.loads(joined(messages, 3))["status"] == "Success"

    against(POD, local_streams, check)


def test_a_client_that_goes_away_takes_its_process_with_it(local_streams: Any) -> None:
    async def check(server: Server) -> None:
        started = asyncio.get_running_loop().time()
        socket = await Socket.open(server, "/exec?command=sleep&command=600&stdout=true", "v5.channel.k8s.io")
        await socket.close()
        await socket.messages()
        assert asyncio.get_running_loop().time() - started < 10

    against(POD, local_streams, check)


@pytest.mark.parametrize(
    ("pod", "target", "says"),
    [
        (
            pod_with(ENDED),
            "/exec?command=ls&stdout=true",
            'Internal error occurred: unable to upgrade connection: container not found ("main")',
        ),
        (
            POD,
            "/exec?command=nosuchprogram&stdout=true",
            'Internal error occurred: error executing command in container: exec: "nosuchprogram": executable file not found in $PATH',
        ),
    ],
)
def test_what_cannot_be_run_is_told_on_the_error_channel(
    local_streams: Any, pod: JsonObject, target: str, says: str
) -> None:
    async def check(server: Server) -> None:
        socket = await Socket.open(server, target, "v5.channel.k8s.io")
        status = json.loads(joined(await socket.messages(), 3))
        assert (status["message"], status["reason"]) == (says, "InternalError")

    against(pod, local_streams, check)


@pytest.mark.parametrize(
    ("target", "protocol", "says"),
    [
        ("/exec?command=ls&container=zz", "v5.channel.k8s.io", "container zz is not valid for pod web"),
        ("/exec?command=ls", "v9.channel.k8s.io", "unable to upgrade"),
        (
            "/exec?command=ls",
            "v5.channel.k8s.io",
            "you must specify at least 1 of stdin, stdout, stderr",
        ),
        (
            "/exec?command=ls&stderr=true&tty=true",
            "v5.channel.k8s.io",
            "you must specify at least 1 of stdin, stdout, stderr",
        ),
        ("/exec?stdout=true", "v5.channel.k8s.io", "you must specify a command"),
        ("/portforward", "v4.channel.k8s.io", 'query parameter "port" is required'),
        ("/portforward?ports=80,0", "v4.channel.k8s.io", 'port "80,0" must be > 0'),
        (
            "/portforward?ports=http",
            "v4.channel.k8s.io",
            'cannot convert to []int32: strconv.ParseUint: parsing "http": invalid syntax',
        ),
        (
            "/portforward?ports=65536",
            "v4.channel.k8s.io",
            'cannot convert to []int32: strconv.ParseUint: parsing "65536": value out of range',
        ),
    ],
)
def test_what_is_refused_before_the_upgrade_is_a_plain_status(
    local_streams: Any, target: str, protocol: str, says: str
) -> None:
    async def check(server: Server) -> None:
        socket = await Socket.open(server, target, protocol)
        assert socket.head.startswith(b"HTTP/1.1 400 ")
        body = json.loads(await socket._reader.readuntil(b"\n"))
        assert body["message"].startswith(says)

    against(POD, local_streams, check)


# ------------------------------------------------------------------------------------------------ bare SPDY


class BareSpdy:
    """A client that leaves HTTP for SPDY/3.1 at once, as older kubectl and programs in Go do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader, self._writer, self.head = reader, writer, head
        self._packer = SpdyClient()

    @classmethod
    async def open(cls, server: Server, target: str, *protocols: str) -> "BareSpdy":
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        offers = "".join(f"X-Stream-Protocol-Version: {name}\r\n" for name in protocols)
        writer.write(
            f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n{offers}\r\n".encode()
        )
        return cls(reader, writer, await reader.readuntil(b"\r\n\r\n"))

    def stream(self, number: int, **headers: str) -> None:
        self._writer.write(self._packer.open(number, **headers))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until_finished(self, streams: set[int]) -> dict[int, bytes]:
        """What came on each stream until all of these were finished; -1: other frames, by type."""
        found: dict[int, bytes] = {}
        while streams:
            head, flags_length = struct.unpack(">II", await self._reader.readexactly(8))
            body = await self._reader.readexactly(flags_length & 0xFFFFFF)
            if head >> 31:
                found[-1] = found.get(-1, b"") + bytes((head & 0xFF,))
                continue
            found[head] = found.get(head, b"") + body
            if flags_length >> 24 & 1:
                streams.discard(head)
        self._writer.close()
        return found


def test_exec_over_spdy_has_a_stream_for_each_end(local_streams: Any) -> None:
    payload = os.urandom(1_000_000)

    async def check(server: Server) -> None:
        target = (
            "/exec?command=sh&command=-c&command=cat%3B+echo+end+%3E%262%3B+exit+3&stdin=true&stdout=true&stderr=true"
        )
        client = await BareSpdy.open(server, target, "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
        assert b"HTTP/1.1 101 " in client.head
        assert b"Upgrade: SPDY/3.1\r\n" in client.head
        assert b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in client.head
        for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")):
            client.stream(number, streamType=kind)

        async def feed() -> None:
            for at in range(0, len(payload), 50_000):
                await client.send(SpdyConnection.data(3, payload[at : at + 50_000]))
            await client.send(struct.pack(">III", 0x80030006, 4, 7))
            await client.send(SpdyConnection.data(3, b"", finished=True))

        found, _ = await asyncio.gather(client.until_finished({1, 3, 5, 7}), feed())
        assert (found[5], found[7]) == (payload, b"end\n")
        status = json.loads(found[1])
        assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
        assert found[-1] == b"\x02\x02\x02\x02\x06"  # a reply to each stream, and the ping's

    against(POD, local_streams, check)


def test_a_process_starts_once_every_stream_is_open(local_streams: Any) -> None:
    async def check(server: Server) -> None:
        client = await BareSpdy.open(server, "/exec?command=echo&command=hi&stdout=true", "v4.channel.k8s.io")
        client.stream(1, streamType="stdout")
        client.stream(3, streamType="bogus")
        client.stream(5, streamType="error")
        found = await client.until_finished({1, 5})
        assert found[1] == b"hi\n"
        assert json.loads(found[5])["status"] == "Success"
        assert found[-1] == b"\x02\x03\x02"

    against(POD, local_streams, check)


def test_port_forward_over_bare_spdy(local_streams: Any) -> None:
    async def check(server: Server) -> None:
        listener = await asyncio.start_server(_shouter, "127.0.0.1", 0)
        port = str(listener.sockets[0].getsockname()[1])
        client = await BareSpdy.open(server, "/portforward", "portforward.k8s.io")
        assert b"X-Stream-Protocol-Version: portforward.k8s.io\r\n" in client.head
        client.stream(1, streamType="error", port=port, requestID="0")
        client.stream(3, streamType="data", port=port, requestID="0")
        await client.send(SpdyConnection.data(3, b"hello") + SpdyConnection.data(3, b"", finished=True))
        found = await client.until_finished({1, 3})
        assert (found[1], found[3]) == (b"", b"HELLO")
        listener.close()

    against(POD, local_streams, check)


@pytest.mark.parametrize(
    ("upgrade", "offers", "code", "says"),
    [
        ("SPDY/3.1", "channel.k8s.io", 403, "unable to upgrade: unable to negotiate protocol: client supports [channel.k8s.io], server accepts [v4.channel.k8s.io v5.channel.k8s.io]"),
        ("h2c", "", 400, "the server streams over WebSocket and SPDY/3.1 only, not H2C"),
    ],
)  # fmt: skip
def test_a_wire_or_protocol_that_is_not_spoken_is_refused(
    local_streams: Any, upgrade: str, offers: str, code: int, says: str
) -> None:
    async def check(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"POST /exec?command=ls HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
        writer.write(f"{head}X-Stream-Protocol-Version: {offers}\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 %d " % code)
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"] == says
        writer.close()

    against(POD, local_streams, check)


def test_a_followed_log_is_sent_as_it_comes_and_ends_with_the_container(local_streams: Any) -> None:
    local_streams.logs["main-1"] = [b"one\n"]

    async def check(server: Server) -> None:
        local_streams.more = asyncio.Queue()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /log?follow=true HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"one\n\r\n")
        assert b"HTTP/1.1 200 OK" in head
        assert b"Content-Type: text/plain\r\n" in head
        local_streams.more.put_nowait(b"two\n")
        assert await reader.readuntil(b"two\n\r\n") == b"4\r\ntwo\n\r\n"
        local_streams.more.put_nowait(None)
        assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
        writer.close()

    against(POD, local_streams, check)


@pytest.mark.parametrize(
    ("pod", "status", "says"),
    [
        ({**POD, "spec": {"containers": [{"name": "main"}]}}, 204, b""),
        (POD, 400, b'"message":"no log of main-1"'),
    ],
)
def test_a_log_without_lines(local_streams: Any, pod: JsonObject, status: int, says: bytes) -> None:
    async def check(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /log HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert says in answer
        writer.close()

    against(pod, local_streams, check)


# ------------------------------------------------------------------------------------------------ port-forward


async def _shouter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads to the end, then answers in capitals: only right half-closes get the answer through."""
    text = await reader.read()
    writer.write(text.upper())
    await writer.drain()
    writer.close()


class SpdyClient:
    """kubectl's side of the tunnel."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=dictionary())

    def open(self, stream: int, *, finished: bool = False, **headers: str) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            block += struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
        packed = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIBB", stream, 0, 0, 0) + packed
        return struct.pack(">II", 0x80030001, finished << 24 | len(body)) + body


def frames(data: bytes) -> list[tuple[int, int, bytes]]:
    """(head, flags, body) of each frame."""
    found = []
    while data:
        head, flags_length = struct.unpack_from(">II", data)
        length = flags_length & 0xFFFFFF
        found.append((head, flags_length >> 24, data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def test_the_dictionary_is_the_one_that_compressed_headers_name() -> None:
    assert len(dictionary()) == 1423
    assert zlib.adler32(dictionary()) == 0xE3C6A7C2


def test_spdy_frames_may_come_in_any_pieces() -> None:
    data = SpdyClient().open(1, streamtype="data", port="80", requestid="0")
    connection = SpdyConnection()
    events = [event for byte in data for event in connection.receive(bytes((byte,)))]
    assert events == [StreamOpened(1, {"streamtype": "data", "port": "80", "requestid": "0"}, False)]


@pytest.mark.parametrize(
    "data", [b"\x80\x02\x00\x01\x00\x00\x00\x00", b"\x80\x03\x00\x01\x00\x00\x00\x0c" + b"\x00" * 12]
)
def test_what_is_no_spdy_is_an_error(data: bytes) -> None:
    with pytest.raises(SpdyError):
        SpdyConnection().receive(data)


def test_kubectls_tunnel_carries_every_byte_past_the_half_close(local_streams: Any) -> None:
    payload = os.urandom(500_000)

    async def check(server: Server) -> None:
        listener = await asyncio.start_server(_shouter, "127.0.0.1", 0)
        port = str(listener.sockets[0].getsockname()[1])
        socket = await Socket.open(server, "/portforward", "SPDY/3.1+portforward.k8s.io")
        assert b"Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n" in socket.head
        spdy = SpdyClient()
        await socket.send(spdy.open(1, finished=True, streamtype="error", port=port, requestid="0"))
        await socket.send(spdy.open(3, streamtype="data", port=port, requestid="0"))
        for at in range(0, len(payload), 50_000):
            await socket.send(SpdyConnection.data(3, payload[at : at + 50_000]))
        await socket.send(SpdyConnection.data(3, b"", finished=True))
        received = b""
        while not received.endswith(SpdyConnection.data(1, b"", finished=True)):
            received += await socket.next()
        await socket.close()
        assert b"".join(body for head, _, body in frames(received) if head == 3) == payload.upper()
        assert [head for head, _, _ in frames(received)][:2] == [0x80030002, 0x80030002]
        listener.close()

    against(POD, local_streams, check)


def test_a_refused_port_is_told_on_the_error_stream(local_streams: Any) -> None:
    async def check(server: Server) -> None:
        socket = await Socket.open(server, "/portforward", "SPDY/3.1+portforward.k8s.io")
        spdy = SpdyClient()
        await socket.send(spdy.open(1, finished=True, streamtype="error", port="1", requestid="0"))
        await socket.send(spdy.open(3, streamtype="data", port="1", requestid="0"))
        received = b""
        while not received.endswith(SpdyConnection.data(1, b"", finished=True)):
            received += await socket.next()
        await socket.close()
        errors = [body for head, _, body in frames(received) if head == 1 and body]
        assert errors == [
            b"error forwarding port 1 to pod u1, uid : failed to connect to localhost:1: connection refused"
        ]

    against(POD, local_streams, check)


def test_the_python_clients_channels_begin_with_the_port(local_streams: Any) -> None:
    async def greeter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello " + await reader.readexactly(4))
        await writer.drain()
        writer.close()

    async def check(server: Server) -> None:
        listener = await asyncio.start_server(greeter, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        socket = await Socket.open(server, f"/portforward?ports={port}", "v4.channel.k8s.io")
        await socket.send(b"\x00pods")
        messages = await socket.messages()
        announced = port.to_bytes(2, "little")
        assert messages[:2] == [b"\x00" + announced, b"\x01" + announced]
        assert joined(messages[2:], 0) == b"hello pods"
        listener.close()

    against(POD, local_streams, check)
