"""Trying a probe or a hook once on a real container: HTTP, TCP, gRPC, a command, or only waiting.

Thresholds, periods and what follows are the core's; the words in which a try fails are in `probe_texts.py`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple, Protocol, assert_never

from lifepod.lifecycle.vocabulary import (
    Done,
    ExecHandler,
    Failed,
    GrpcHandler,
    HttpGetHandler,
    Probed,
    SleepHandler,
    TcpHandler,
)
from lifepod.runtime import probe_texts as texts
from lifepod.runtime.process.grpc_health import HealthUnknown, NotGrpc, check_health, open_health
from lifepod.runtime.process.order_failure import rpc_error_text

if TYPE_CHECKING:
    from lifepod.lifecycle.vocabulary import Handler, HookKind

_MAX_BODY = 10 * 1024
_MAX_REDIRECTS = 10
_VERSION = "1.34"
_HOOK_TIMEOUT_SECONDS = 60


class CommandResult(NamedTuple):
    """How a command in a container ended. `problem`: it could not even be started."""

    exit_code: int
    output: bytes
    problem: str = ""
    timed_out: bool = False


class Reach(Protocol):
    """What a probe needs of the container it tries."""

    pod_ip: str

    async def run(self, command: tuple[str, ...], timeout_seconds: float | None) -> CommandResult: ...

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connected, non-blocking socket as the node sees the pod. Raises OSError."""
        ...


class TransportFailed(Exception):
    """No answer came; the text is what a Go client says."""


async def run_probe(reach: Reach, handler: Handler, timeout_seconds: int) -> Probed:
    """Try the handler once.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/prober/prober.go: runProbe; pkg/probe/{http,tcp,exec,grpc}
    """
    match handler:
        case ExecHandler(command):
            return _exec_result(command, timeout_seconds, await reach.run(command, timeout_seconds))
        case TcpHandler(port, host):
            return await _probe_tcp(reach, host or reach.pod_ip, int(port), timeout_seconds)
        case HttpGetHandler():
            return await _probe_http(reach, handler, timeout_seconds)
        case GrpcHandler(port, service):
            return await _probe_grpc(reach, port, service, timeout_seconds)
        case SleepHandler():
            return Probed("unknown", "missing probe handler")
        case _:
            assert_never(handler)


def _exec_result(command: tuple[str, ...], timeout_seconds: int, result: CommandResult) -> Probed:
    if result.timed_out:
        return Probed("failure", texts.exec_timed_out(command, timeout_seconds))
    if result.problem:
        return Probed("unknown", rpc_error_text(result.problem))
    text = result.output[:_MAX_BODY].decode(errors="replace")
    return Probed("success" if result.exit_code == 0 else "failure", text)


async def _probe_tcp(reach: Reach, host: str, port: int, timeout_seconds: int) -> Probed:
    try:
        sock = await asyncio.wait_for(reach.connect(host, port), timeout_seconds)
    except TimeoutError:
        return Probed("failure", texts.connection_timed_out(host, port))
    except OSError as exc:
        return Probed("failure", dial_error(host, port, exc))
    sock.close()
    return Probed("success")


def dial_error(host: str, port: int, exc: OSError) -> str:
    """What Go's `net.Dial` says."""
    if isinstance(exc, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    words = {
        errno.ECONNREFUSED: "connection refused",
        errno.EHOSTUNREACH: "no route to host",
        errno.ENETUNREACH: "network is unreachable",
        errno.ETIMEDOUT: "connection timed out",
    }
    return f"dial tcp {texts.host_port(host, port)}: connect: {words.get(exc.errno or 0, (exc.strerror or str(exc)).lower())}"


# ------------------------------------------------------------------------------------------------ HTTP


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def _probe_http(reach: Reach, handler: HttpGetHandler, timeout_seconds: int) -> Probed:
    try:
        answer, warning = await asyncio.wait_for(
            _get_following(reach, handler, f"kube-probe/{_VERSION}"), timeout_seconds
        )
    except TimeoutError:
        return Probed("failure", texts.http_timed_out(_url(reach, handler)))
    except TransportFailed as exc:
        return Probed("failure", str(exc))
    body = answer.body.decode(errors="replace")
    if warning:
        return Probed("warning", f"Probe terminated redirects, Response body: {body}")
    if 200 <= answer.status < 400:
        return Probed("success", body)
    return Probed("failure", texts.bad_status(answer.status))


def _url(reach: Reach, handler: HttpGetHandler) -> str:
    return texts.url_of(handler, handler.host or reach.pod_ip)


async def _get_following(reach: Reach, handler: HttpGetHandler, agent: str) -> tuple[_Answer, bool]:
    """The answer after redirects on the same host; True when one led to another host and was not followed.

    Source: k8s.io/kubernetes v1.34.4 pkg/probe/http/http.go: RedirectChecker
    """
    first = url = _url(reach, handler)
    for _ in range(_MAX_REDIRECTS):
        answer = await _get(reach, url, handler.headers, agent)
        location = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or location is None:
            return answer, False
        url = urllib.parse.urljoin(url, location)
        if urllib.parse.urlsplit(url).hostname != urllib.parse.urlsplit(first).hostname:
            return answer, True
    raise TransportFailed(texts.http_error(url, f"stopped after {_MAX_REDIRECTS} redirects"))


async def _get(reach: Reach, url: str, headers: tuple[tuple[str, str], ...], agent: str) -> _Answer:
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or reach.pod_ip
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        sock = await reach.connect(host, port)
    except OSError as exc:
        raise TransportFailed(texts.http_error(url, dial_error(host, port, exc))) from exc
    secure = _unverified() if parts.scheme == "https" else None
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=secure, server_hostname=host if secure is not None else None
        )
    except (OSError, ssl.SSLError) as exc:
        sock.close()
        if isinstance(exc, ssl.SSLError) and exc.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            raise TransportFailed(texts.http_error(url, "http: server gave HTTP response to HTTPS client")) from exc
        raise TransportFailed(texts.http_error(url, str(exc))) from exc
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(_request(target, parts.netloc, headers, agent))
        return await _read_answer(reader)
    except (asyncio.IncompleteReadError, ValueError, IndexError) as exc:
        raise TransportFailed(texts.http_error(url, "EOF")) from exc
    except OSError as exc:
        raise TransportFailed(texts.http_error(url, (exc.strerror or str(exc)).lower())) from exc
    finally:
        writer.close()


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request(target: str, netloc: str, headers: tuple[tuple[str, str], ...], agent: str) -> bytes:
    """The request's bytes; User-Agent and Accept are ours unless the headers say otherwise."""
    given = {name.lower() for name, _ in headers}
    lines = [f"GET {target} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {netloc}")
    if "user-agent" not in given:
        lines.append(f"User-Agent: {agent}")
    if "accept" not in given:
        lines.append("Accept: */*")
    lines += [f"{name}: {value}" for name, value in headers if not (name.lower() == "accept" and not value)]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", errors="replace")


async def _read_answer(reader: asyncio.StreamReader) -> _Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ", 2)[1])
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", _MAX_BODY))
    body = b""
    while len(body) < min(length, _MAX_BODY):
        piece = await reader.read(_MAX_BODY - len(body))
        if not piece:
            break
        body += piece
    return _Answer(status, headers, body[:_MAX_BODY])


# ------------------------------------------------------------------------------------------------ gRPC


async def _probe_grpc(reach: Reach, port: int, service: str, timeout_seconds: int) -> Probed:
    """Source: k8s.io/kubernetes v1.34.4 pkg/probe/grpc/grpc.go: Probe."""
    address = texts.host_port(reach.pod_ip, port)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    try:
        sock = await asyncio.wait_for(reach.connect(reach.pod_ip, port), timeout_seconds)
        link = await asyncio.wait_for(open_health(sock), max(0.0, deadline - loop.time()))
    except (OSError, TimeoutError, NotGrpc):
        return Probed("failure", texts.grpc_not_reached(reach.pod_ip, port, timeout_seconds))
    try:
        left = max(0.0, deadline - loop.time())
        status = await asyncio.wait_for(check_health(link, address, service, f"kube-probe/{_VERSION}"), left)
    except TimeoutError:
        return Probed("failure", f"timeout: health rpc did not complete within {timeout_seconds}s")
    except HealthUnknown as exc:
        return Probed("failure", str(exc))
    if status == "SERVING":
        return Probed("success", "service healthy")
    return Probed("failure", f'service unhealthy (responded with "{status}")')


# ------------------------------------------------------------------------------------------------ hooks


async def run_hook(reach: Reach, hook: HookKind, handler: Handler) -> Done | Failed:
    """Run a lifecycle hook to its end; any HTTP status is success. The message is the part after `failed - error: `.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/lifecycle/handlers.go: Run, runHTTPHandler
    """
    match handler:
        case ExecHandler(command):
            return _hook_result(command, await reach.run(command, None))
        case HttpGetHandler():
            return await _http_hook(reach, handler)
        case SleepHandler(seconds):
            await asyncio.sleep(seconds)
            return Done()
        case TcpHandler() | GrpcHandler():
            return Failed("", f"cannot run handler: {hook} knows exec, httpGet and sleep")
        case _:
            assert_never(handler)


def _hook_result(command: tuple[str, ...], result: CommandResult) -> Done | Failed:
    output = result.output[:_MAX_BODY].decode(errors="replace")
    if result.problem:
        return Failed("", texts.exec_hook_not_run(rpc_error_text(result.problem), output))
    return Done() if result.exit_code == 0 else Failed("", texts.exec_hook_failed(command, result.exit_code, output))


async def _http_hook(reach: Reach, handler: HttpGetHandler) -> Done | Failed:
    agent = f"kube-lifecycle/{_VERSION}"
    try:
        await asyncio.wait_for(_get(reach, _url(reach, handler), handler.headers, agent), _HOOK_TIMEOUT_SECONDS)
    except TransportFailed as exc:
        if "HTTP response to HTTPS client" in str(exc):
            return await _http_hook(reach, handler._replace(scheme="HTTP"))
        return Failed("", str(exc))
    except TimeoutError:
        return Failed("", texts.http_error(_url(reach, handler), "context deadline exceeded"))
    return Done()
