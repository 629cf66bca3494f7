"""One real runtime under several nodes: orders of any node go to it, what it tells goes to the node whose pod it is about."""

from __future__ import annotations

from lifepod.lifecycle.eviction import Usage
from lifepod.lifecycle.vocabulary import Ended, RuntimeReport
from lifepod.runtime.base import Listener, NodeStreams, Order, Runtime


class SharedRuntime:
    """Routes between nodes and the one runtime. Is the runtime's listener."""

    def __init__(self) -> None:
        self.streams: NodeStreams | None = None
        self._listeners: dict[str, Listener] = {}
        self._node_of: dict[str, str] = {}

    def add_node(self, node: str, listener: Listener, runtime: Runtime) -> Runtime:
        """The runtime as this node sees it."""
        self._listeners[node] = listener
        return _NodeShare(self, node, runtime)

    def streams_for(self, node: str) -> NodeStreams | None:
        """The logs, processes and ports of a node's pods."""
        return self.streams if node in self._listeners else None

    def belongs(self, pod_uid: str, node: str) -> None:
        """From now on, what the runtime tells of this pod goes to that node."""
        self._node_of[pod_uid] = node

    def node_of(self, pod_uid: str) -> str | None:
        """The node that a pod belongs to, if that is known."""
        return self._node_of.get(pod_uid)

    def on_ended(self, pod_uid: str, ended: Ended) -> None:
        listener = self._listener(pod_uid)
        if listener is not None:
            listener.on_ended(pod_uid, ended)

    def on_report(self, pod_uid: str, report: RuntimeReport) -> None:
        listener = self._listener(pod_uid)
        if listener is not None:
            listener.on_report(pod_uid, report)
        if not report.sandboxes and not report.containers:
            self._node_of.pop(pod_uid, None)

    def _listener(self, pod_uid: str) -> Listener | None:
        node = self._node_of.get(pod_uid)
        if node is None and len(self._listeners) == 1:
            return next(iter(self._listeners.values()))
        return self._listeners.get(node) if node else None


class _NodeShare:
    """The shared runtime, as one node's `Runtime`."""

    def __init__(self, shared: SharedRuntime, node: str, runtime: Runtime) -> None:
        self._shared, self._node, self._runtime = shared, node, runtime
        self.scheme = runtime.scheme

    def perform(self, order: Order) -> None:
        self._shared.belongs(order.pod_uid, self._node)
        self._runtime.perform(order)

    def reports(self) -> dict[str, RuntimeReport]:
        found = self._runtime.reports()
        return {uid: report for uid, report in found.items() if self._shared.node_of(uid) == self._node}

    def usage(self, uid: str) -> Usage | None:
        """What a pod has on disk, where the runtime can tell."""
        measure = getattr(self._runtime, "usage", None)
        return measure(uid) if measure is not None else None
