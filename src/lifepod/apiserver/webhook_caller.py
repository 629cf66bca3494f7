"""Puts questions to webhooks: HTTPS from a thread each, so that neither the loop nor a cluster in virtual time waits for them.

A pod's port is reached like a forwarded one: the loop carries bytes between it and a pair of sockets, whose other end the thread
speaks TLS on. What goes wrong is told in the words of upstream's Go client. `ssl` and `http.client` are loaded with the first call.

Source: k8s.io/apiserver v0.34.4 pkg/util/webhook/client.go: HookClient; k8s.io/client-go v0.34.4 rest/request.go: Do
        k8s.io/apimachinery v0.34.4 pkg/api/errors/errors.go: NewGenericServerResponse
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lifepod.apiserver.webhook_failures import answer_problem, connection_problem, tls_problem
from lifepod.apiserver.webhook_session import PodTarget, Question, Reply
from lifepod.runtime.base import ByteStream, NodeStreams, StreamRefused

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger("lifepod.apiserver")
MOST_AT_ONCE: Final = 64
MOST_BYTES: Final = 16 * 1024 * 1024
_TOO_LATE: Final = "context deadline exceeded"


class WebhookCaller:
    """`ask` is an `Asker`. `streams_for` gives a node's streams by its name."""

    def __init__(self, streams_for: Callable[[str], NodeStreams | None]) -> None:
        self._streams_for = streams_for
        self._turns = BoundedSemaphore(MOST_AT_ONCE)
        self._carriers: set[asyncio.Task[None]] = set()

    def ask(self, question: Question) -> Future[Reply]:
        """Ask; the reply comes when it comes. Of the loop that runs here, pods are reached."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        future: Future[Reply] = Future()

        def work() -> None:
            with self._turns:
                future.set_result(self._reply(question, loop))

        Thread(target=work, name="lifepod-webhook", daemon=True).start()  # an end of the process waits for no webhook
        return future

    def _reply(self, question: Question, loop: asyncio.AbstractEventLoop | None) -> Reply:
        head = f'Post "{question.url}": '
        try:
            return self._asked(question, loop, time.monotonic() + question.seconds)
        except TimeoutError:
            return Reply(problem=head + _TOO_LATE)
        except _Failed as problem:
            return Reply(problem=head + str(problem))
        except OSError as problem:
            return Reply(problem=head + tls_problem(problem, urlsplit(question.url).hostname or ""))
        except Exception as problem:  # noqa: BLE001 - the outermost edge of a thread; a reply must come
            _log.debug("a webhook's answer was none", exc_info=True)
            return Reply(problem=f"{head}{type(problem).__name__}: {problem}")

    def _asked(self, question: Question, loop: asyncio.AbstractEventLoop | None, until: float) -> Reply:
        from http.client import HTTPException

        host = urlsplit(question.url).hostname
        context = _context(question.ca_bundle)
        plain = self._connected(question, loop, until)
        try:
            plain.settimeout(_left(until))
            with context.wrap_socket(plain, server_hostname=host) as secure:
                status, body = _exchanged(secure, question, until)
        except HTTPException as problem:
            text = str(problem)
            raise _Failed("EOF" if not text or "closed" in text else f"malformed HTTP response: {text}") from None
        finally:
            plain.close()
        told = answer_problem(status, body)
        return Reply(problem=told) if told else Reply(body)

    # ------------------------------------------------------------------------------------------------ connections

    def _connected(self, question: Question, loop: asyncio.AbstractEventLoop | None, until: float) -> socket.socket:
        target = question.target
        if isinstance(target, str):
            raise _Failed(target)
        if isinstance(target, PodTarget):
            return self._to_pod(target, loop, until)
        try:
            return socket.create_connection((target.host, target.port), timeout=_left(until))
        except TimeoutError:
            raise
        except OSError as problem:
            raise _Failed(connection_problem(problem, target.host, target.port)) from None

    def _to_pod(self, target: PodTarget, loop: asyncio.AbstractEventLoop | None, until: float) -> socket.socket:
        streams = self._streams_for(target.node)
        if streams is None or loop is None:
            raise _Failed(f"dial tcp: pod's port {target.port}: connect: connection refused")
        opening = asyncio.run_coroutine_threadsafe(self._opened(streams, target), loop)
        try:
            return opening.result(_left(until))
        except StreamRefused as problem:
            raise _Failed(str(problem)) from None

    async def _opened(self, streams: NodeStreams, target: PodTarget) -> socket.socket:
        """Our end of a connection to a pod's port; in the loop."""
        stream = await streams.dial(target.pod_uid, target.port)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        task = asyncio.create_task(_carry(theirs, stream))
        self._carriers.add(task)
        task.add_done_callback(self._carriers.discard)
        return ours


def _exchanged(secure: ssl.SSLSocket, question: Question, until: float) -> tuple[int, bytes]:
    """Send the question and read the answer: its status code and body."""
    from http.client import HTTPResponse

    parts = urlsplit(question.url)
    head = (
        f"POST {parts.path or '/'}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: kube-apiserver-admission\r\n"
        f"Content-Type: application/json\r\nAccept: application/json, */*\r\nContent-Length: {len(question.body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    secure.settimeout(_left(until))
    secure.sendall(head.encode("latin-1") + question.body)
    secure.settimeout(_left(until))
    answer = HTTPResponse(secure, method="POST")
    answer.begin()
    body = bytearray()
    while chunk := answer.read1(65536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise _Failed("http: response body too large")
        secure.settimeout(_left(until))
    return answer.status, bytes(body)


class _Failed(Exception):
    """No answer came; the text says why."""


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _context(ca_bundle: bytes) -> ssl.SSLContext:
    """Trust in a bundle's certificates, be they an authority's or the server's own; in this machine's without a bundle."""
    import ssl

    if not ca_bundle:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cadata=ca_bundle.decode("ascii", "replace"))
    except ssl.SSLError:
        raise _Failed("unable to load root certificates: unable to parse bytes as PEM block") from None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def _carry(sock: socket.socket, stream: ByteStream) -> None:
    """Carry bytes both ways until both sides have ended."""
    loop = asyncio.get_running_loop()

    async def out() -> None:
        while data := await loop.sock_recv(sock, 65536):
            await stream.write(data)
        await stream.close_write()

    async def back() -> None:
        while data := await stream.read():
            await loop.sock_sendall(sock, data)
        sock.shutdown(socket.SHUT_WR)

    try:
        await asyncio.gather(out(), back())
    except OSError:
        pass
    finally:
        sock.close()
        await stream.close()
