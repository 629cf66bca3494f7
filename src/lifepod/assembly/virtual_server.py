"""A virtual cluster behind HTTPS, in a thread of this process: what clients in other threads and processes speak to.

One thread with one asyncio loop serves all virtual clusters of a process. A `Listener` is a socket with TLS that stays open for
the life of the process; the cluster behind it is swapped (`mount`, `unmount`), since opening and closing a socket costs more
than a whole cluster. Each mounting has a token of its own, so that a client left over from another test is refused, not served.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Coroutine, Hashable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.certificates import mint_credentials
from lifepod.apiserver.exchange import Answer, Request, Response, Sink, Stream, Whole
from lifepod.apiserver.routes import ResourcePath, resource_path
from lifepod.apiserver.server import Server, Tls, serve
from lifepod.assembly.clock_requests import ClockRequests
from lifepod.assembly.simulated import CREDENTIALS_SEED, SimulatedCluster, virtual_credentials
from lifepod.assembly.virtual_clock import TurnedClock
from lifepod.simulation.loop import START

CONTEXT = "lifepod"
_GONE = Response(503, b"lifepod: the cluster that was here is gone\n", "text/plain")
_READING = ("GET", "HEAD")
T = TypeVar("T")


class ServerThread:
    """A daemon thread with an asyncio loop, and a folder for the files of what is served."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.folder = Path(tempfile.mkdtemp(prefix="lifepod-"))
        self.loop = asyncio.new_event_loop()
        self.free: list[Listener] = []
        self._numbers = count(1)
        threading.Thread(target=self.loop.run_forever, name="lifepod", daemon=True).start()
        atexit.register(self._close)

    def new_folder(self) -> Path:
        """The path of a folder for one cluster's files; it is gone when this process is."""
        return self.folder / str(next(self._numbers))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop; returns its result. Not from the loop itself."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def _close(self) -> None:
        if os.getpid() == self.pid:
            shutil.rmtree(self.folder, ignore_errors=True)


_thread: ServerThread | None = None
_thread_lock = threading.Lock()


def server_thread() -> ServerThread:
    """This process's thread; a forked child gets one of its own."""
    global _thread
    with _thread_lock:
        if _thread is None or _thread.pid != os.getpid():
            _thread = ServerThread()
        return _thread


class Files(NamedTuple):
    """What clients find a cluster by. `folder` is what a pod has as its service account's."""

    kubeconfig: Path
    folder: Path


def written_files(folder: Path, config: JsonObject, token: str, ca_pem: bytes, namespace: str = "default") -> Files:
    """Write them into a new folder that only we can read."""
    folder.mkdir(mode=0o700)
    kubeconfig = folder / "kubeconfig"
    _write(kubeconfig, orjson.dumps(config, option=orjson.OPT_INDENT_2))
    _write(folder / "token", token.encode())
    _write(folder / "ca.crt", ca_pem)
    _write(folder / "namespace", namespace.encode())
    return Files(kubeconfig, folder)


class Listener:
    """A socket with TLS, and the cluster behind it at present."""

    def __init__(self, thread: ServerThread) -> None:
        self.thread = thread
        self.mounted: Mounted | None = None
        minted = mint_credentials(datetime.now(UTC), seed=CREDENTIALS_SEED, ca_from=START)
        self.server: Server = thread.run(serve(self._site, tls=Tls(minted.server, minted.ca.certificate)))

    def _site(self, request: Request) -> Answer:
        mounted = self.mounted
        return _GONE if mounted is None else mounted.site(request)


def mount(sim: SimulatedCluster, clock: TurnedClock, lock: threading.RLock) -> Mounted:
    """Put a cluster behind HTTPS."""
    thread = server_thread()
    listener = thread.free.pop() if thread.free else Listener(thread)
    mounted = Mounted(listener, sim, clock, lock)
    listener.mounted = mounted
    return mounted


class Mounted:
    """A cluster while it stands behind a listener. Counts requests and streams for the clock's sake."""

    def __init__(self, listener: Listener, sim: SimulatedCluster, clock: TurnedClock, lock: threading.RLock) -> None:
        self._listener, self._sim, self.clock, self._lock = listener, sim, clock, lock
        self.token = secrets.token_hex(16)
        self.url = listener.server.url
        self.ca_pem = virtual_credentials().ca.certificate
        self._numbers = count(1)
        self.files = self._write_files()
        clock.seen_now = self._seen_now
        clock.attach(listener.thread.loop)
        sim.add_path(ClockRequests(clock, sim).answer)

    # ------------------------------------------------------------------------------------------------ files

    def _write_files(self) -> Files:
        cluster = {"server": self.url, "certificate-authority-data": base64.b64encode(self.ca_pem).decode()}
        config: JsonObject = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": CONTEXT, "user": {"token": self.token}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
            "current-context": CONTEXT,
        }
        return written_files(self._listener.thread.new_folder(), config, self.token, self.ca_pem)

    def unmount(self) -> None:
        """Take the cluster away: open streams end, its token is good no longer, the listener is free again."""
        self._listener.mounted = None
        self.clock.detach()
        loop = self._listener.thread.loop
        if self._listener.thread.pid == os.getpid() and not loop.is_closed():
            loop.call_soon_threadsafe(self._sim.plane.resources.hub.close)
            loop.call_soon_threadsafe(self._listener.server.drop_clients)
        self._sim.end_streams()
        shutil.rmtree(self.files.folder, ignore_errors=True)
        self._listener.thread.free.append(self._listener)

    # ------------------------------------------------------------------------------------------------ requests

    def site(self, request: Request) -> Answer:
        """Answer a request; in the loop."""
        self._recognise(request)
        if request.path.startswith("/lifepod/"):
            return self._sim.site(request)
        number, clock = next(self._numbers), self.clock
        with self._lock:
            clock.sync()
            clock.rules.request_began(number)
        answer = self._sim.site(request)
        if isinstance(answer, tuple):
            return self._answered(number, request, answer)
        return self._later(number, request, answer)

    def _recognise(self, request: Request) -> None:
        """Put the API's own token for that of this mounting; the API's own, which equal seeds make equal, is not taken."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return
        if token.strip() == self.token:
            request.headers["authorization"] = f"Bearer {self._sim.plane.token}"
        elif token.strip() == self._sim.plane.token:
            del request.headers["authorization"]

    async def _later(self, number: int, request: Request, waiting: Awaitable[Whole]) -> Whole:
        answer: Whole = Response(499)
        try:
            answer = await waiting
        finally:
            answer = self._answered(number, request, answer)
        return answer

    def _answered(self, number: int, request: Request, answer: Whole) -> Whole:
        wall, rules = time.monotonic(), self.clock.rules
        path = resource_path(request.path)
        told_nothing_new = False
        with self._lock:
            if isinstance(answer, Stream):
                if self._is_waited_on(request, path):
                    answer = self._waiting(answer)
            elif request.method not in _READING:
                rules.touched(self._sim.clock.now())
            elif path is not None and isinstance(answer, Response) and answer.status in (200, 404):
                what = (request.path, request.raw_query)
                told_nothing_new = rules.read(what, self._seen_now(what), wall)
                self.clock.polled(request.path, rules.asked_in_vain(what, wall))
            rules.request_ended(number, wall, told_nothing_new=told_nothing_new)
        self.clock.look()
        return answer

    def _waiting(self, answer: Stream) -> Stream:
        """The stream, counted as somebody who waits for as long as it is open."""
        rules, start = self.clock.rules, answer.start

        def gone() -> None:
            with self._lock:
                rules.waiting_ends()

        def counted(sink: Sink) -> None:
            with self._lock:
                rules.waiting_begins(time.monotonic())
            sink.on_close(gone)
            start(sink)
            self.clock.look()

        return answer._replace(start=counted)

    def _is_waited_on(self, request: Request, path: ResourcePath | None) -> bool:
        """Whether whoever opened a stream waits for it: a watch with `timeoutSeconds`, a watch of one object by its name (so
        `kubectl wait` and its like in other libraries do), the log of a pod that is meant to end. Not a watch of many objects
        that asks for bookmarks: so do informers, which are there all the time."""
        if path is None:
            return False
        if path.subresource == "log":
            pod = self._sim.get("pods", path.name, path.namespace)
            return dig(pod or {}, "spec", "restartPolicy") in ("Never", "OnFailure")
        if path.name or "metadata.name=" in request.param("fieldSelector"):
            return True
        return bool(request.param("timeoutSeconds")) and not request.flag("allowWatchBookmarks")

    def _seen_now(self, what: Hashable) -> Hashable:
        """What a GET would be answered with, in short: the object's revision, or how often its kind has changed."""
        assert isinstance(what, tuple)
        path = resource_path(what[0])
        kind = self._sim.api.kinds.at(path.group, path.version, path.plural) if path is not None else None
        if path is None or kind is None:
            return None
        store = self._sim.store
        if path.name:
            record = store.record(kind.stored_as, path.namespace, path.name)
            return (store.epoch, record.revision if record is not None else 0)
        return (store.epoch, store.history.of(kind.stored_as).end)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
