"""What a probe or an HTTP hook finds at a simulated container: its listeners, its script's word, or nobody."""

from __future__ import annotations

from datetime import datetime

from lifepod.lifecycle.vocabulary import (
    Done,
    ExecHandler,
    Failed,
    GrpcHandler,
    Handler,
    HttpGetHandler,
    Outcome,
    Probed,
    SleepHandler,
    TcpHandler,
)
from lifepod.runtime import probe_texts as texts
from lifepod.runtime.base import ProbeOrder
from lifepod.runtime.sim import files
from lifepod.runtime.sim.files import View
from lifepod.runtime.sim.pods import SimContainer, SimPod
from lifepod.runtime.sim.program import Programmed
from lifepod.runtime.sim.script import Scripted


def scripted_answer(order: ProbeOrder, container: SimContainer, host: str, now: datetime) -> Probed | None:
    """The verdict that the container's script or program gives whatever is asked; None: it gives none."""
    process = container.process
    if isinstance(process, Scripted):
        passes: bool | None = process.probe(order.probe, now)
    else:
        passes = process.probe(order.probe) if isinstance(process, Programmed) else None
    if passes is None:
        return None
    return Probed("success") if passes else Probed("failure", _failure(order.handler, host))


def flapped(order: ProbeOrder, host: str) -> Probed:
    """A probe that fails although the container is well."""
    return Probed("failure", _failure(order.handler, host))


def _failure(handler: Handler, host: str) -> str:
    match handler:
        case HttpGetHandler():
            return texts.bad_status(503)
        case TcpHandler(port, _):
            return texts.connection_refused(host, port)
        case GrpcHandler():
            return 'service unhealthy (responded with "NOT_SERVING")'
        case _:
            return ""


def asked_over_network(order: ProbeOrder, pod: SimPod, host: str) -> Probed:
    """How an HTTP, TCP or gRPC probe ends."""
    handler = order.handler
    match handler:
        case HttpGetHandler():
            status = http_status(pod, handler.port, handler.path)
            url = texts.url_of(handler, handler.host or host)
            if status is None:
                return Probed(
                    "failure", texts.http_error(url, texts.connection_refused(handler.host or host, handler.port))
                )
            return Probed("success", "") if 200 <= status < 400 else Probed("failure", texts.bad_status(status))
        case TcpHandler(port, other):
            if listens(pod, port):
                return Probed("success", "")
            return Probed("failure", texts.connection_refused(other or host, port))
        case GrpcHandler(port, _):
            if listens(pod, port):
                return Probed("success", "service healthy")
            return Probed("failure", texts.grpc_not_reached(host, port, order.timeout_seconds))
        case ExecHandler() | SleepHandler():
            raise AssertionError(handler)


def http_hook(handler: HttpGetHandler, pod: SimPod, host: str) -> Outcome:
    """How an HTTP hook ends: any answer is good."""
    if http_status(pod, handler.port, handler.path) is not None:
        return Done()
    host = handler.host or host
    refused = texts.connection_refused(host, handler.port)
    return Failed("", texts.http_error(texts.url_of(handler, host), refused))


def _running(pod: SimPod) -> list[SimContainer]:
    return [c for c in pod.containers if c.state == "running" and c.process is not None]


def listens(pod: SimPod, port: int | str) -> bool:
    """Whether somebody accepts connections at a port of the pod."""
    return any(p.port == port for c in _running(pod) if c.process for p in c.process.ports())


def http_status(pod: SimPod, port: int | str, path: str) -> int | None:
    """The status that whoever listens on `port` answers with; None: nobody does."""
    for container in _running(pod):
        process = container.process
        if isinstance(process, Programmed):
            statuses = [status for number, status in process.listeners if number == port]
            if statuses:
                return statuses[-1]
        elif process is not None:
            for listening in process.ports():
                if listening.port == port:
                    return _served(pod, container, listening.root, path)
    return None


def _served(pod: SimPod, container: SimContainer, root: str | None, path: str) -> int:
    """What a server of the files below `root` answers."""
    if root is None:
        return 200
    view = View(container.id, container.config.mounts)
    place = (root.rstrip("/") + "/" + path.split("?")[0].strip("/")).rstrip("/") or "/"
    there = files.read(pod.tree, view, place) is not None or files.is_directory(pod.tree, view, place)
    return 200 if there else 404
