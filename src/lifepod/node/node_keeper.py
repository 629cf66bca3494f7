"""Keeping the node's own object: it registers, its status and its lease are written when they are due, again when that failed.

What stands in the object is `node_status.py`'s affair, what in the lease `lease.py`'s.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.writes import Write
from lifepod.node import lease
from lifepod.node.node_status import REPORT_EVERY, NodeSettings, Pressures, new_node, node_status
from lifepod.node.reader import Reader

TAG = "node"
"""Marks the writes whose answers are for `take_answer`."""
TRIES = 5
"""How often a refused status is sent at once. Source: pkg/kubelet/kubelet.go: nodeStatusUpdateRetry."""
UPDATE_EVERY = timedelta(seconds=10)
"""When it is tried again after that. Source: pkg/kubelet/apis/config/v1beta1: NodeStatusUpdateFrequency."""


class NodeKeeperState(NamedTuple):
    """A snapshot. `refused`: how often in a row the node's object could not be written."""

    started_at: datetime | None = None
    lease_at: datetime | None = None
    status_at: datetime | None = None
    pressures: Pressures = Pressures()
    refused: int = 0


class NodeKeeper:
    """The node's object and heartbeat. `heartbeat` None: written once and on changes, without a lease."""

    def __init__(self, settings: NodeSettings, reader: Reader, heartbeat: timedelta | None) -> None:
        self._settings, self._reader, self._heartbeat = settings, reader, heartbeat
        self.state = NodeKeeperState()
        """All that changes; assigned by `Agent.restore`."""

    @property
    def started_at(self) -> datetime | None:
        """When the agent first looked; None before, and after it forgot all."""
        return self.state.started_at

    @property
    def pressures(self) -> Pressures:
        """What the node suffers from."""
        return self.state.pressures

    def suffer(self, pressures: Pressures) -> None:
        """Change what the node suffers from; its conditions are told at the next look."""
        self.state = self.state._replace(pressures=pressures)
        self.tell_soon()

    def tell_soon(self) -> None:
        """Have the status written at the next look."""
        if self.started_at is not None:
            self.state = self.state._replace(status_at=self.started_at)

    def forget(self) -> None:
        """Begin anew, as after a restart; the pressures stay."""
        self.state = NodeKeeperState(pressures=self.pressures)

    def wake_at(self) -> datetime | None:
        """When something is due next."""
        return min((at for at in (self.state.lease_at, self.state.status_at) if at is not None), default=None)

    def due_writes(self, now: datetime) -> list[Write]:
        """Register at first, then renew the lease and the status when they are due."""
        started_at, lease_at, status_at, pressures, refused = self.state
        writes, name = [], self._settings.name
        if started_at is None or (status_at is not None and now >= status_at):
            writes.append(self._status_write(now))
            status_at = now + REPORT_EVERY if self._heartbeat is not None else None
        if self._heartbeat is not None and (lease_at is None or now >= lease_at):
            held = self._reader.get("leases.coordination.k8s.io", lease.NAMESPACE, name)
            node = self._reader.get("nodes", "", name) if held is None else None
            writes.append(lease.renewal(name, node["metadata"]["uid"] if node else "", held, now))
            lease_at = now + self._heartbeat
        if writes:
            self.state = NodeKeeperState(started_at or now, lease_at, status_at, pressures, refused)
        return writes

    def _status_write(self, now: datetime) -> Write:
        name = self._settings.name
        node = self._reader.get("nodes", "", name)
        if node is None:
            return Write("create", "nodes", "", name, new_node(self._settings, now, self.pressures), tag=TAG)
        status = node_status(self._settings, self.pressures, node.get("status") or {}, now)
        return Write("update", "nodes", "", name, {"status": status}, "status", tag=TAG)

    def take_answer(self, is_refused: bool, now: datetime) -> None:
        """The node's object was written, or not: then again at once, and after some tries in a row 10 s later.

        Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_node_status.go: updateNodeStatus
        """
        if not is_refused:
            self.state = self.state._replace(refused=0)
            return
        refused = self.state.refused + 1
        again_at = now if refused % TRIES else now + UPDATE_EVERY
        self.state = self.state._replace(refused=refused, status_at=again_at)
