"""Open watches: who is woken by a change, and how one watch's lines reach its client.

A watch pulls: it takes from the store's history only what its client has room for, so a slow client costs no memory. One whose
client takes nothing for a minute is ended (and its connection, when that client goes on so), one that falls behind the history is told 410, as upstream does. Changes are
announced once per turn of the loop, however many there were. What a line looks like is the caller's affair (`LineMaker`).

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/watch.go: ServeHTTP, HandleHTTP (headers first, flush each event)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

import orjson

from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Sink
from lifepod.apiserver.status_errors import expired
from lifepod.store import Change, Seen, Store, TooOld, Watch

BOOKMARK_SECONDS: Final = 60.0
STALLED_SECONDS: Final = 60.0
HIGH_WATER: Final = 128 * 1024
_BATCH: Final = 100
_BATCH_BYTES: Final = 64 * 1024


class LineMaker(Protocol):
    """How a watch's events become the lines of its stream."""

    def line(self, seen: Seen) -> bytes: ...

    def bookmark(self, revision: int, *, initial_events_end: bool) -> bytes: ...


class Timer(Protocol):
    """Something that will be called back, unless it is cancelled."""

    def cancel(self) -> None: ...


class WatchHub:
    """All open watches of one server. `after` calls back later; a cluster with a clock of its own puts its own in place."""

    def __init__(self, store: Store, lock: AbstractContextManager[object]) -> None:
        self.store = store
        self.lock = lock
        self._streams: dict[str, set[WatchStream]] = {}
        self._changed: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._scheduled = False
        self._bookmarks: asyncio.TimerHandle | None = None
        self._forget: Callable[[], None] | None = None
        self.after: Callable[[float, Callable[[], None]], Timer] = lambda delay, call: self.loop.call_later(delay, call)

    def __len__(self) -> int:
        return sum(map(len, list(self._streams.values())))  # asked from other threads too

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all streams of this hub run in."""
        assert self._loop is not None
        return self._loop

    def add(self, stream: WatchStream) -> None:
        """A watch was opened."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.get_ident()
            self._forget = self.store.on_change(self._on_change)
        self._streams.setdefault(stream.resource, set()).add(stream)
        if stream.wants_bookmarks and self._bookmarks is None:
            self._bookmarks = self._loop.call_later(BOOKMARK_SECONDS, self._send_bookmarks)

    def remove(self, stream: WatchStream) -> None:
        """A watch ended."""
        streams = self._streams.get(stream.resource)
        if streams is not None:
            streams.discard(stream)
            if not streams:
                del self._streams[stream.resource]

    def close(self) -> None:
        """End every watch cleanly and hear of no more changes."""
        for streams in list(self._streams.values()):
            for stream in list(streams):
                stream.end()
        if self._bookmarks is not None:
            self._bookmarks.cancel()
            self._bookmarks = None
        if self._forget is not None:
            self._forget()
            self._forget = None
        self._loop = None

    def _on_change(self, change: Change) -> None:
        """Called by the store inside a write, possibly on another thread than the loop's."""
        resource = change.new.resource
        if resource not in self._streams:
            return
        self._changed.add(resource)
        self.wake()

    def wake(self) -> None:
        """Have the changed resources' streams look, once, after what is going on now."""
        if self._scheduled or self._loop is None:
            return
        self._scheduled = True
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self._pump)
        else:
            self._loop.call_soon_threadsafe(self._pump)

    def _pump(self) -> None:
        with self.lock:  # no write is under way on another thread meanwhile
            self._scheduled = False
            changed, self._changed = self._changed, set()
        for resource in changed:
            for stream in list(self._streams.get(resource, ())):
                stream.pump()

    @property
    def owes(self) -> bool:
        """Whether a watch has something that its client has not taken yet."""
        return self._scheduled or any(
            stream.owes for streams in list(self._streams.values()) for stream in list(streams)
        )

    def restored(self) -> None:
        """The store was set back: every watch has to be told."""
        self._changed.update(self._streams)
        self.wake()

    def _send_bookmarks(self) -> None:
        self._bookmarks = None
        wanting = [s for streams in self._streams.values() for s in streams if s.wants_bookmarks]
        for stream in wanting:
            stream.send_bookmark()
        if wanting and self._loop is not None:
            self._bookmarks = self._loop.call_later(BOOKMARK_SECONDS, self._send_bookmarks)


class WatchStream:
    """One watch on its way to one client. Begins with `initial` lines, made as the client takes them."""

    __slots__ = (
        "__weakref__",
        "_blocked_since",
        "_hub",
        "_initial",
        "_lines",
        "_sink",
        "_timeout",
        "_timer",
        "_watch",
        "resource",
        "wants_bookmarks",
    )

    def __init__(
        self,
        hub: WatchHub,
        watch: Watch,
        lines: LineMaker,
        *,
        initial: Iterator[bytes] | None = None,
        wants_bookmarks: bool = False,
        timeout_seconds: float = 0.0,
    ) -> None:
        self.resource = watch.resource
        self.wants_bookmarks = wants_bookmarks
        self._hub = hub
        self._watch = watch
        self._lines = lines
        self._initial = initial
        self._timeout = timeout_seconds
        self._sink: Sink | None = None
        self._timer: Timer | None = None
        self._blocked_since = 0.0

    def start(self, sink: Sink) -> None:
        """The head is sent: begin."""
        self._sink = sink
        self._hub.add(self)
        sink.on_close(self._gone)
        sink.on_writable(self.pump)
        if self._timeout > 0:
            self._timer = self._hub.after(self._timeout, self._time_is_up)
        self.pump()

    def pump(self) -> None:
        """Send what there is, as far as the client has room."""
        sink = self._sink
        while sink is not None:
            if sink.buffered() > HIGH_WATER:
                self._wait_for_client(sink)
                return
            self._blocked_since = 0.0
            try:
                with self._hub.lock:
                    data = self._next_lines()
            except TooOld as problem:
                sink.write(error_line(expired(str(problem)).status))
                self.end()
                return
            if not data:
                return
            sink.write(data)
            if self._initial is None and not self._watch.is_behind:
                return
            sink = self._sink

    def _next_lines(self) -> bytes:
        if self._initial is not None:
            lines, size = [], 0
            for each in self._initial:
                lines.append(each)
                size += len(each)
                if size > _BATCH_BYTES:
                    break
            if lines:
                return b"".join(lines)
            self._initial = None
        line = self._lines.line
        seen: list[Seen] = []
        while self._watch.is_behind and not seen:
            seen = self._watch.take(_BATCH, _BATCH_BYTES)
        return line(seen[0]) if len(seen) == 1 else b"".join(map(line, seen))

    def _wait_for_client(self, sink: Sink) -> None:
        now = self._hub.loop.time()
        if not self._blocked_since:
            self._blocked_since = now
        elif now - self._blocked_since > STALLED_SECONDS:
            self.end()

    @property
    def owes(self) -> bool:
        """Whether there is something that the client has not taken yet."""
        sink = self._sink
        return sink is not None and (self._initial is not None or self._watch.is_behind or sink.buffered() > 0)

    def send_bookmark(self) -> None:
        """Say how far this watch has seen, when it has seen everything."""
        if self._sink is None or self._initial is not None or self._watch.is_behind:
            return
        if self._sink.buffered() <= HIGH_WATER:
            self._sink.write(self._lines.bookmark(self.seen_revision(), initial_events_end=False))

    def seen_revision(self) -> int:
        """The revision from which a client may go on without losing anything."""
        return max(self._watch.revision, self._hub.store.revision)

    def _time_is_up(self) -> None:
        self.pump()
        if self.wants_bookmarks:
            self.send_bookmark()
        self.end()

    def end(self) -> None:
        """The clean end: the client comes back from where it is."""
        sink = self._sink
        self._gone()
        if sink is not None:
            sink.finish()

    def _gone(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sink = None
        self._initial = None
        self._hub.remove(self)


def error_line(status: JsonObject) -> bytes:
    """A Status as the last line of a watch."""
    return orjson.dumps({"type": "ERROR", "object": status}) + b"\n"
