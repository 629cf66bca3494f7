"""The one loop that drives a cluster: news to parts, effects to the API and the runtimes, timers in one heap.

`Cluster.turn(now)` lets every part that has news or a due timer decide, until nothing is left to do at this moment, and says when
the next timer is due. It does no IO and reads no clock; `assembly/up.py` calls it from asyncio, `simulation/loop.py` by setting
the clock. Everything happens in one order, first come first served, so that equal inputs give equal runs.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError, Write
from lifepod.assembly.asked_writes import AskedWrites, Waiting
from lifepod.lifecycle.vocabulary import Because, Ended, RuntimeReport
from lifepod.node.references import References
from lifepod.store.selection import FieldTerm, Selection
from lifepod.turn import ActionEnded, Answered, Changed, Effect, Interest, News, Part, Perform, PodReported

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api
    from lifepod.node.agent import Agent
    from lifepod.runtime.base import Runtime
    from lifepod.store.objects import StoreState
    from lifepod.store.record import Change

MAX_LOOKS_PER_TURN = 20_000_000
"""Parts that keep each other busy without time passing are a bug; this ends it with a message."""


class ClusterState(NamedTuple):
    """Everything of a cluster at one moment, as values that share what is equal."""

    now: datetime | None
    store: StoreState
    parts: Mapping[str, object]
    inboxes: Mapping[str, tuple[News, ...]]
    due: tuple[str, ...]
    wakes: Mapping[str, datetime]
    ids: object
    inputs: object = None
    held: tuple[Waiting, ...] = ()
    """What a recorder of inputs had, if there is one."""


class NodeListener:
    """Hears of one node's runtime and passes it on as news for its agent."""

    def __init__(self, cluster: Cluster, agent: str) -> None:
        self._cluster, self._agent = cluster, agent

    def on_ended(self, pod_uid: str, ended: Ended) -> None:
        self._cluster.tell(self._agent, ActionEnded(pod_uid, ended))

    def on_report(self, pod_uid: str, report: RuntimeReport) -> None:
        self._cluster.tell(self._agent, PodReported(pod_uid, report))


class Cluster:
    """The parts of a cluster and what flows between them.

    `wake` is called when something becomes due outside of a turn (a runtime's report, a client's write); `on_failure` hears of
    a part that raised, which must not take the others down (None: let it rise).
    """

    def __init__(
        self,
        api: Api,
        wake: Callable[[], None] = lambda: None,
        on_failure: Callable[[str, Exception], None] | None = None,
    ) -> None:
        self.api, self.store = api, api.store
        self.references = References()
        self.now: datetime | None = None
        self.wake = wake
        self.carry_out: Callable[[str, Write, Callable[[], JsonObject]], JsonObject] = lambda part, write, do: do()
        """Stands between a part's write and the API; faults get in between here."""
        self._on_failure = on_failure
        self.asked = AskedWrites(api, self._answer)
        """Writes that webhooks must be asked about first."""
        self._parts: dict[str, Part] = {}
        self._agents: dict[str, Agent] = {}
        self._runtimes: dict[str, Runtime] = {}
        self._inboxes: dict[str, list[News]] = {}
        self._due: deque[str] = deque()
        self._is_due: set[str] = set()
        self._timers: list[tuple[datetime, int, str]] = []
        self._wakes: dict[str, datetime] = {}
        self._number = 0
        self._by_resource: dict[str, list[str]] = {}
        self._by_status: dict[str, list[str]] = {}
        """Of those in `_by_resource`, who hear of changes of nothing but the status; only where that is not all of them."""
        self._by_node: dict[tuple[str, str], list[str]] = {}
        self._is_turning = False
        self.store.on_change(self._on_change)

    # -------------------------------------------------------------------------------- putting together

    def add_part(self, part: Part) -> None:
        """Take a part in; its first look brings every existing object of its interests."""
        assert part.name not in self._parts, part.name
        self._parts[part.name] = part
        self._inboxes[part.name] = []
        for interest in part.interests:
            if interest.node is None:
                self._by_resource.setdefault(interest.resource, []).append(part.name)
                self._sort_out_statuses(interest.resource)
            else:
                self._by_node.setdefault((interest.resource, interest.node), []).append(part.name)
            for resource in self.store.resources() if interest.resource == "*" else (interest.resource,):
                existing = self._existing(interest._replace(resource=resource))
                self._inboxes[part.name] += [Changed("ADDED", resource, obj, None) for obj in existing]
        self.poke(part.name)

    def add_node(self, agent: Agent, runtime: Runtime) -> None:
        """Take a node in: its agent, and the runtime (a part too when it keeps its own timers)."""
        self._agents[agent.node] = agent
        self._runtimes[agent.node] = runtime
        agent.measure = getattr(runtime, "usage", agent.measure)
        self.add_part(agent)
        for uid, report in runtime.reports().items():
            self.tell(agent.name, PodReported(uid, report))
        if _is_part(runtime):
            self.add_part(runtime)  # type: ignore[arg-type]  # a runtime that is a part as well

    def remove_node(self, node: str) -> None:
        """Forget a node's agent and runtime, as when the machine is gone; its objects stay."""
        agent, runtime = self._agents.pop(node), self._runtimes.pop(node)
        self.references.forget(agent.name)
        self.remove_part(agent.name)
        if _is_part(runtime):
            self.remove_part(runtime.name)  # type: ignore[attr-defined]  # a runtime that is a part as well

    def begin_anew(self, node: str) -> None:
        """Tell a node's agent, which knows nothing any more, all there is: its pods, and what its runtime has of them."""
        agent, runtime = self._agents[node], self._runtimes[node]
        inbox: list[News] = []
        for interest in agent.interests:
            inbox += [Changed("ADDED", interest.resource, obj, None) for obj in self._existing(interest)]
        inbox += [PodReported(uid, report) for uid, report in runtime.reports().items()]
        self._inboxes[agent.name] = inbox
        self.poke(agent.name)

    def remove_part(self, name: str) -> None:
        """Forget a part."""
        part = self._parts.pop(name)
        del self._inboxes[name]
        self._wakes.pop(name, None)
        for interest in part.interests:
            if interest.node is None:
                self._by_resource[interest.resource].remove(name)
                self._sort_out_statuses(interest.resource)
            else:
                self._by_node[interest.resource, interest.node].remove(name)

    def _sort_out_statuses(self, resource: str) -> None:
        names = self._by_resource[resource]
        blind = {n for n in names for i in self._parts[n].interests if i.resource == resource and not i.statuses}
        if blind:
            self._by_status[resource] = [name for name in names if name not in blind]
        else:
            self._by_status.pop(resource, None)

    def listener(self, node: str) -> NodeListener:
        """Who the runtime of `node` is to tell."""
        return NodeListener(self, f"node/{node}")

    def agent(self, node: str) -> Agent | None:
        """The agent of a node."""
        return self._agents.get(node)

    def runtime(self, node: str) -> Runtime | None:
        """The runtime of a node."""
        return self._runtimes.get(node)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that have an agent here."""
        return tuple(self._agents)

    def _existing(self, interest: Interest) -> list[JsonObject]:
        selection = Selection()
        if interest.node is not None:
            selection = Selection(fields=(FieldTerm(("spec", "nodeName"), interest.node),))
        return [self.store.decoded(r) for r in self.store.list(interest.resource, selection).records]

    # -------------------------------------------------------------------------------- the loop

    def turn(self, now: datetime) -> datetime | None:
        """Let every part that has news or a due timer decide; returns when the next timer is due (None: none is)."""
        assert self.now is None or now >= self.now, "time went backwards"
        self.now = now
        self._is_turning = True
        looks = 0
        try:
            if self.asked.holds_any():
                self.asked.take()
            while (name := self._next_due(now)) is not None:
                looks += 1
                assert looks < MAX_LOOKS_PER_TURN, f"{name} keeps being due without time passing"
                self._look(name, now)
        finally:
            self._is_turning = False
        return self.next_timer()

    def next_timer(self) -> datetime | None:
        """When the next timer is due; the present when something is due already."""
        if self._due:
            return self.now
        timers = self._timers
        while timers and self._wakes.get(timers[0][2]) != timers[0][0]:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    @property
    def has_news(self) -> bool:
        """Whether a part is due without time passing."""
        return bool(self._due)

    def _next_due(self, now: datetime) -> str | None:
        if self._due:
            name = self._due.popleft()
            self._is_due.discard(name)
            return name
        timers = self._timers
        while timers and timers[0][0] <= now:
            at, _, name = heapq.heappop(timers)
            if self._wakes.get(name) == at:
                return name
        return None

    def _look(self, name: str, now: datetime) -> None:
        part = self._parts.get(name)
        if part is None:
            return
        news = self._inboxes[name]
        if news:
            self._inboxes[name] = []
        try:
            turned = part.on_news(tuple(news), now)
        except Exception as exc:
            if self._on_failure is None:
                raise
            self._wakes.pop(name, None)
            self._on_failure(name, exc)
            return
        self._set_timer(name, turned.wake_at)
        for effect in turned.effects:
            self._carry_out(name, effect, now)

    def _set_timer(self, name: str, wake_at: datetime | None) -> None:
        if wake_at is None:
            self._wakes.pop(name, None)
        elif self._wakes.get(name) != wake_at or wake_at <= (self.now or wake_at):
            self._number += 1
            self._wakes[name] = wake_at
            heapq.heappush(self._timers, (wake_at, self._number, name))

    def _carry_out(self, name: str, effect: Effect, now: datetime) -> None:
        """A write's answer comes back as news; one without a tag is answered only when it was refused."""
        if isinstance(effect, Perform):
            runtime = self._runtimes.get(effect.node)
            if runtime is not None:
                runtime.perform(effect.order)
                if _is_part(runtime):
                    self.poke(runtime.name)  # type: ignore[attr-defined]  # a runtime that is a part as well
            return
        write = effect
        self.asked.do(name, write, lambda: self.carry_out(name, write, lambda: self.api.carry_out(write, now)), now)

    def _answer(self, name: str, write: Write, obj: JsonObject | None, error: ApiError | None) -> None:
        if error is not None or write.tag:
            self.tell(name, Answered(write, obj, error))

    # -------------------------------------------------------------------------------- news

    def tell(self, name: str, news: News) -> None:
        """Put news into a part's inbox; it looks at them in its turn."""
        inbox = self._inboxes.get(name)
        if inbox is not None:
            inbox.append(news)
            self.poke(name)

    def poke(self, name: str) -> None:
        """Have a part look again, news or not."""
        if name in self._parts and name not in self._is_due:
            self._is_due.add(name)
            self._due.append(name)
            if not self._is_turning:
                self.wake()

    def _on_change(self, change: Change) -> None:
        """A revision of the store: to those who asked for the resource, the node, or this very object."""
        resource = change.new.resource
        names: Sequence[str] = self._by_resource.get(resource, ())
        if resource in self._by_status and _is_of_status_only(change):
            names = self._by_status[resource]
        if "*" in self._by_resource and _concerns_all(change):
            names = [*names, *self._by_resource["*"]]
        special = self.references.parts_of(resource, change.new.namespace, change.new.name)
        if not (names or special or resource == "pods"):
            return
        obj, old = self.store.objects_of(change)
        node = dig(obj, "spec", "nodeName") if resource == "pods" else None
        at_node = self._by_node.get((resource, node), ()) if node else ()
        if names or special or at_node:
            news = Changed(change.type, resource, obj, old)
            inboxes, is_due = self._inboxes, self._is_due
            for name in (*names, *at_node):
                inboxes[name].append(news)
                if name not in is_due:
                    self.poke(name)
            for name in special:
                self.tell(name, news)

    # -------------------------------------------------------------------------------- reading, copying

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None:
        """One object of the API as it is now."""
        return self.store.get(resource, namespace, name)

    def list(self, resource: str, namespace: str = "") -> list[JsonObject]:
        """All objects of a resource, of one namespace or of all."""
        return [self.store.decoded(r) for r in self.store.list(resource, Selection(namespace=namespace)).records]

    def write(self, write: Write, now: datetime) -> JsonObject:
        """Do something from outside. Raises ApiError."""
        return self.api.carry_out(write, now)

    def decisions(self, pod_uid: str) -> tuple[Because, ...]:
        """Why the last things were decided about a pod, oldest first; () when no agent here knows it."""
        for agent in self._agents.values():
            found = agent.decisions(pod_uid)
            if found:
                return found
        return ()

    def snapshot(self) -> ClusterState:
        """All state as one value; the cluster goes on unharmed."""
        ids = self.api.ids
        return ClusterState(
            self.now,
            self.store.snapshot(),
            {name: part.snapshot() for name, part in self._parts.items()},
            {name: tuple(news) for name, news in self._inboxes.items() if news},
            tuple(self._due),
            dict(self._wakes),
            ids.snapshot() if hasattr(ids, "snapshot") else None,
            held=self.asked.snapshot(),
        )

    def restore(self, state: ClusterState) -> None:
        """Become what `snapshot` returned; the parts must be the same, by name."""
        assert set(state.parts) == set(self._parts), "a snapshot is restored into a cluster of the same parts"
        self.now = state.now
        self.asked.clear()
        self.store.restore(state.store)
        if state.ids is not None and hasattr(self.api.ids, "restore"):
            self.api.ids.restore(state.ids)
        for name, part in self._parts.items():
            part.restore(state.parts[name])
            self._inboxes[name] = list(state.inboxes.get(name, ()))
        self._due, self._is_due = deque(state.due), set(state.due)
        self._timers, self._wakes = [], {}
        for name, at in state.wakes.items():
            self._set_timer(name, at)
        if state.now is not None:
            for name, write in state.held:
                self._carry_out(name, write, state.now)


def _concerns_all(change: Change) -> bool:
    """Whether those who hear of everything hear of this: not of what comes without owners and finalizers, nor of changes that leave
    owners, finalizers and deletion alone."""
    old, obj, old_obj = change.old, change.obj, change.old_obj
    if change.type == "DELETED" or obj is None or change.new.resource == "namespaces":
        return True
    metadata = obj["metadata"]
    if old is None:
        return bool(change.new.owners or metadata.get("finalizers"))
    if old_obj is None:
        return True
    before = old_obj["metadata"]
    return (
        change.new.owners != old.owners
        or metadata.get("deletionTimestamp") != before.get("deletionTimestamp")
        or metadata.get("finalizers") != before.get("finalizers")
    )


def _is_of_status_only(change: Change) -> bool:
    """Whether an object is the same as before but for its status (and what the store notes of a write)."""
    obj, old = change.obj, change.old_obj
    if change.type != "MODIFIED" or obj is None or old is None or obj.keys() != old.keys():
        return False
    if any(obj[name] is not old[name] and obj[name] != old[name] for name in obj if name not in ("status", "metadata")):
        return False
    metadata, before = obj["metadata"], old["metadata"]
    notes = ("resourceVersion", "managedFields")
    return all(metadata.get(name) == before.get(name) for name in {**metadata, **before} if name not in notes)


def _is_part(runtime: object) -> bool:
    return hasattr(runtime, "on_news")
