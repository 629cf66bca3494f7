"""Events are forgotten an hour after they were last written, as etcd's lease does it for the API server.

Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/apiserver/options/options.go: EventTTL; pkg/registry/core/event/storage/storage.go
Differs: the hour counts from the write that this part saw, which for a store loaded from disk is its start.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.writes import Write
from lifepod.turn import Changed, Interest, News, Turned

TTL = timedelta(hours=1)
_Key = tuple[str, str]


class ExpiryState(NamedTuple):
    """A snapshot."""

    written: dict[_Key, datetime]
    queue: tuple[tuple[datetime, _Key], ...]


class EventExpiry:
    """Deletes what is older than its hour. The wait is the same for all, so that a queue holds them in order."""

    name = "event-expiry"
    interests: tuple[Interest, ...] = (Interest("events"),)

    def __init__(self) -> None:
        self._written: dict[_Key, datetime] = {}
        self._queue: deque[tuple[datetime, _Key]] = deque()

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """Note what was written, delete what is due."""
        for item in news:
            if isinstance(item, Changed):
                metadata = item.obj["metadata"]
                key = (metadata.get("namespace", ""), metadata["name"])
                if item.type == "DELETED":
                    self._written.pop(key, None)
                else:
                    self._written[key] = now
                    self._queue.append((now, key))
        effects = []
        queue, oldest = self._queue, now - TTL
        while queue and (queue[0][0] <= oldest or self._written.get(queue[0][1]) != queue[0][0]):
            moment, (namespace, name) = queue.popleft()
            if self._written.get((namespace, name)) == moment:
                del self._written[namespace, name]
                effects.append(Write("delete", "events", namespace, name, {}))
        return Turned(tuple(effects), queue[0][0] + TTL if queue else None)

    def snapshot(self) -> object:
        return ExpiryState(dict(self._written), tuple(self._queue))

    def restore(self, state: object) -> None:
        assert isinstance(state, ExpiryState)
        self._written, self._queue = dict(state.written), deque(state.queue)
