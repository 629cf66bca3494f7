"""One node's agent: hears of its pods, asks the lifecycle core what to do, and has it done.

Plain and synchronous, a `turn.Part`. All it knows of a pod is one frozen `Entry`; every decision is `lifecycle.machine.step`'s.
Orders are made in `orders.py`, events in `event_recorder.py`; the Node object and the heartbeat are `node_keeper.py`'s.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write
from lifepod.lifecycle import PodMemory, new_memory, pod_from_json, step
from lifepod.lifecycle.admission import refusal
from lifepod.lifecycle.eviction import Usage, has_disk_limits, over_own_limits, refusal_under_pressure
from lifepod.lifecycle.recording import Look
from lifepod.lifecycle.vocabulary import (
    Action,
    Because,
    DeletePod,
    Done,
    Ended,
    Event,
    Failed,
    KillRequest,
    NodeFacts,
    Pod,
    Refusal,
    RuntimeReport,
    Seen,
    Step,
)
from lifepod.node import lease, node_keeper, notices, orders
from lifepod.node.event_recorder import EventRecorder, field_path_of, node_reference, pod_reference
from lifepod.node.node_keeper import NodeKeeper, NodeKeeperState
from lifepod.node.node_names import node_names
from lifepod.node.node_status import NodeSettings, Pressures
from lifepod.node.orders import Setting, Subject
from lifepod.node.pod_volumes import MintToken
from lifepod.node.reader import Reader
from lifepod.node.references import Reference, References, volume_references
from lifepod.runtime.base import CreateContainerOrder, Order, SetUpVolumes
from lifepod.turn import ActionEnded, Answered, Changed, Effect, Interest, News, Perform, PodReported, Turned

DECISIONS_KEPT = 16
MEASURE_EVERY = timedelta(seconds=10)
"""How often pods with limits on disk are measured. Source: pkg/kubelet/kubelet.go: evictionMonitoringPeriod."""
_REFRESH = -1
"""The number of orders that are the agent's own; the core never hears of their end."""
Effects: TypeAlias = list[Effect]


class Entry(NamedTuple):
    """All the agent knows of one pod. `obj` stays when the object is gone; `is_gone` says so."""

    obj: JsonObject
    pod: Pod | None
    memory: PodMemory
    report: RuntimeReport = RuntimeReport()
    kill: KillRequest | None = None
    refusal: Refusal | None = None
    decisions: tuple[Because, ...] = ()
    is_gone: bool = False
    wake_at: datetime | None = None
    references: frozenset[Reference] = frozenset()

    @property
    def has_pull_secrets(self) -> bool:
        """Whether the pod names secrets for the pulling of its images."""
        return self.pod is not None and bool(self.pod.spec.image_pull_secrets)


class AgentState(NamedTuple):
    """A snapshot."""

    entries: Mapping[str, Entry]
    orphans: Mapping[str, RuntimeReport]
    events: object
    node: NodeKeeperState
    is_paused: bool
    held: tuple[News, ...]
    told: frozenset[str] = frozenset()
    measure_at: datetime | None = None


def _not_measured(uid: str) -> Usage | None:
    return None


def _no_token(pod: JsonObject, audience: str, seconds: int) -> bytes:
    return b""


def _no_stand_in(image: str) -> str:
    return ""


class Agent:
    """The agent of one node. `skew`: how far its clock is ahead of the API server's. `heartbeat` None: it sends none.

    `stands_in` says of an image name why containers run the machine's own files instead, "" when they do not.
    """

    def __init__(
        self,
        settings: NodeSettings,
        reader: Reader,
        references: References,
        scheme: str = "sim",
        mint: MintToken = _no_token,
        heartbeat: timedelta | None = lease.RENEW_EVERY,
        skew: timedelta = timedelta(0),
        cluster_dns: str = "10.96.0.10",
        node_resolv_conf: str = "",
        stands_in: Callable[[str], str] = _no_stand_in,
    ) -> None:
        self.node = settings.name
        self.name = f"node/{settings.name}"
        self.interests: tuple[Interest, ...] = (Interest("pods", settings.name),)
        self.settings, self.skew = settings, skew
        self._reader, self._references = reader, references
        self._keeper = NodeKeeper(settings, reader, heartbeat)
        names = node_names(settings.name, cluster_dns, node_resolv_conf)
        self._setting = Setting(settings.name, settings.addresses, reader, mint, settings.allocatable, names)
        self._stands_in = stands_in
        self._events = EventRecorder(settings.name, self._has_event)
        self._told: frozenset[str] = frozenset()
        self.measure: Callable[[str], Usage | None] = _not_measured
        """What a pod has on disk; the runtime's answer."""
        self.on_look: Callable[[Look], None] | None = None
        """Hears of everything that the core is shown, so that a run can be replayed (`lifecycle/recording.py`)."""
        self._measured: dict[str, None] = {}
        self._measure_at: datetime | None = None
        self._entries: dict[str, Entry] = {}
        self._orphans: dict[str, RuntimeReport] = {}
        self._dirty: dict[str, None] = {}
        self._ended: dict[str, list[Ended]] = {}
        """Ends of actions that came in this look."""
        self._written: set[str] = set()
        """Pods whose status was written in this look, so that the revision known of them is no longer the last."""
        self._timers: list[tuple[datetime, int, str]] = []
        self._number = 0
        self._facts = NodeFacts(settings.name, settings.addresses, scheme=scheme)
        self._is_paused = False
        self._held: list[News] = []

    # -------------------------------------------------------------------------------- Part

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """Take in what happened, look at every pod that it concerns or whose time has come."""
        if self._is_paused:
            self._held += news
            return Turned()
        if self._held:
            news, self._held = (*self._held, *news), []
        now += self.skew
        effects: Effects = []
        self._written.clear()
        effects += self._keeper.due_writes(now)
        for each in news:
            self._take(each, effects, now)
        if self._orphans:
            self._take_orphans()
        self._evict_over_limits(now)
        timers = self._timers
        while timers and timers[0][0] <= now:
            at, _, uid = heapq.heappop(timers)
            entry = self._entries.get(uid)
            if entry is not None and entry.wake_at == at:
                self._dirty[uid] = None
        dirty, self._dirty = self._dirty, {}
        for uid in dirty:
            self._look(uid, effects, now)
        return Turned(tuple(effects), self._wake_at())

    def _wake_at(self) -> datetime | None:
        timers = self._timers
        while timers:
            entry = self._entries.get(timers[0][2])
            if entry is not None and entry.wake_at == timers[0][0]:
                break
            heapq.heappop(timers)
        first = timers[0][0] if timers else None
        for at in (self._keeper.wake_at(), self._measure_at):
            if at is not None and (first is None or at < first):
                first = at
        return first - self.skew if first is not None else None

    def snapshot(self) -> AgentState:
        return AgentState(
            dict(self._entries),
            dict(self._orphans),
            self._events.snapshot(),
            self._keeper.state,
            self._is_paused,
            tuple(self._held),
            self._told,
            self._measure_at,
        )

    def restore(self, state: object) -> None:
        assert isinstance(state, AgentState)
        self._references.forget(self.name)
        self._entries, self._orphans = dict(state.entries), dict(state.orphans)
        self._events.restore(state.events)  # type: ignore[arg-type]  # what this recorder's snapshot returned
        self._keeper.state = state.node
        self._is_paused, self._held = state.is_paused, list(state.held)
        self._told, self._measure_at = state.told, state.measure_at
        self._measured = {uid: None for uid, entry in self._entries.items() if has_disk_limits(entry.obj)}
        self._timers, self._dirty = [], {}
        for uid, entry in self._entries.items():
            self._references.add(self.name, entry.references)
            if entry.wake_at is not None:
                self._set_timer(uid, entry.wake_at)

    # -------------------------------------------------------------------------------- from outside

    def pause(self) -> None:
        """Fall silent, as a node whose network or kubelet is gone; what happens meanwhile is caught up with later."""
        self._is_paused = True

    def resume(self) -> None:
        """Speak again, the node's status first; tell the cluster's loop that the agent is due."""
        self._is_paused = False
        self._keeper.tell_soon()

    def forget_all(self) -> None:
        """Know nothing, as after a restart; the cluster's loop must tell it everything again."""
        for entry in self._entries.values():
            self._references.remove(self.name, entry.references)
        self._entries, self._orphans, self._dirty, self._timers, self._held = {}, {}, {}, [], []
        self._measured, self._measure_at = {}, None
        self._events = EventRecorder(self.node, self._has_event)
        self._told = frozenset()
        self._keeper.forget()

    @property
    def pressures(self) -> Pressures:
        """What the node suffers from."""
        return self._keeper.pressures

    @property
    def is_paused(self) -> bool:
        """Whether the agent is silent."""
        return self._is_paused

    def evict(self, uid: str, request: KillRequest) -> None:
        """Have a pod killed by the node: pressure, shutdown."""
        entry = self._entries.get(uid)
        if entry is not None:
            self._entries[uid] = entry._replace(kill=request)
            self._dirty[uid] = None

    def suffer(self, pressures: Pressures) -> None:
        """Change what the node suffers from; its conditions are told at its next look."""
        self._keeper.suffer(pressures)

    @property
    def pods(self) -> tuple[str, ...]:
        """The UIDs of the pods that the agent looks after."""
        return tuple(self._entries)

    def decisions(self, uid: str) -> tuple[Because, ...]:
        """Why the last things were decided about a pod, oldest first."""
        entry = self._entries.get(uid)
        return entry.decisions if entry is not None else ()

    def _evict_over_limits(self, now: datetime) -> None:
        """Every 10 s the pods with limits on disk are measured, and those over them are killed."""
        if self._measure_at is None or now < self._measure_at:
            return
        for uid in self._measured:
            entry = self._entries[uid]
            usage = self.measure(uid) if entry.kill is None and entry.memory.worker == "syncing" else None
            request = over_own_limits(entry.obj, usage) if usage is not None else None
            if request is not None:
                self.evict(uid, request)
        self._measure_at = now + MEASURE_EVERY if self._measured else None

    # -------------------------------------------------------------------------------- news

    def _take(self, news: News, effects: Effects, now: datetime) -> None:
        match news:
            case Changed("DELETED", "pods", obj):
                self._take_gone(obj)
            case Changed(_, "pods", obj):
                self._take_pod(obj, effects, now)
            case Changed(_, resource, obj):
                self._refresh((resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]), effects)
            case PodReported(uid, report):
                self._take_report(uid, report)
            case ActionEnded(uid, ended):
                if ended.number != _REFRESH:
                    self._take_ended(uid, ended)
            case Answered(write, _, error):
                self._take_answer(write, error, now)

    def _take_pod(self, obj: JsonObject, effects: Effects, now: datetime) -> None:
        uid = obj["metadata"]["uid"]
        entry = self._entries.get(uid)
        if entry is None:
            self._notify(notices.unhonoured_fields(obj, self._told), effects, now)
            report = self._orphans.pop(uid, RuntimeReport())
            references = volume_references(obj)
            self._references.add(self.name, references)
            refused = self._refusal(obj)
            entry = Entry(obj, pod_from_json(obj), new_memory(), report, refusal=refused, references=references)
            if has_disk_limits(obj):
                self._measured[uid] = None
                self._measure_at = self._measure_at or now + MEASURE_EVERY
        else:
            is_echo = _is_echo(entry, obj)
            entry = entry._replace(obj=obj, pod=pod_from_json(obj, entry.pod))
            if is_echo:
                self._entries[uid] = entry
                return
        self._entries[uid] = entry
        self._dirty[uid] = None

    def _refusal(self, obj: JsonObject) -> Refusal | None:
        """Whether the node takes a pod that it has not seen before.

        Differs: a pod that a scheduler has bound is not weighed a second time; the answer would be the same.
        """
        status = obj.get("status") or {}
        pressures = self._keeper.pressures
        if not status.get("startTime") and (pressures.memory or pressures.disk or pressures.pid):
            strained = refusal_under_pressure(obj, pressures.memory, pressures.disk, pressures.pid)
            if strained is not None:
                return strained
        bound = any(c["type"] == "PodScheduled" and c["status"] == "True" for c in status.get("conditions") or ())
        node = None if bound or status.get("startTime") else self._reader.get("nodes", "", self.node)
        if node is None:
            return None
        uid = obj["metadata"]["uid"]
        others = [e.obj for u, e in self._entries.items() if u != uid and not e.is_gone]
        return refusal(obj, node, others)

    def _take_gone(self, obj: JsonObject) -> None:
        uid = obj["metadata"]["uid"]
        entry = self._entries.get(uid)
        if entry is not None:
            self._entries[uid] = entry._replace(is_gone=True)
            self._dirty[uid] = None

    def _take_report(self, uid: str, report: RuntimeReport) -> None:
        entry = self._entries.get(uid)
        if entry is not None:
            self._entries[uid] = entry._replace(report=report)
            self._dirty[uid] = None
        elif report.sandboxes or report.containers:
            self._orphans[uid] = report
        else:
            self._orphans.pop(uid, None)

    def _take_orphans(self) -> None:
        """What the runtime has of pods that the API does not know, when all its news is in, is stopped and removed.

        Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: HandlePodCleanups
        """
        orphans, self._orphans = self._orphans, {}
        for uid, report in orphans.items():
            obj: JsonObject = {"metadata": {"name": "", "namespace": "", "uid": uid}, "spec": {}, "status": {}}
            self._entries[uid] = Entry(obj, None, new_memory(), report, is_gone=True)
            self._dirty[uid] = None

    def _take_ended(self, uid: str, ended: Ended) -> None:
        if uid in self._entries:
            self._ended.setdefault(uid, []).append(ended)
            self._dirty[uid] = None

    def _take_answer(self, write: Write, error: ApiError | None, now: datetime) -> None:
        """What became of a deletion or of the node; a pod's status that was refused is decided anew with its next news."""
        kind, _, rest = write.tag.partition(" ")
        if kind == "delete":
            uid, _, number = rest.partition(" ")
            gone = error is None or error.code in (404, 409)
            outcome = Done() if gone else Failed("", str(error))
            self._take_ended(uid, Ended(int(number), outcome, now))
        elif kind == node_keeper.TAG:
            self._keeper.take_answer(error is not None, now)

    def _refresh(self, reference: Reference, effects: Effects) -> None:
        """An object that volumes are made of changed: make their files anew.

        Differs: at once; a kubelet takes up to its sync period and cache delay.
        """
        for uid, entry in self._entries.items():
            if reference in entry.references and entry.memory.mounted:
                effects.append(self._refreshed(uid, entry))

    def _refreshed(self, uid: str, entry: Entry) -> Perform:
        from lifepod.lifecycle.vocabulary import MountVolumes

        verb = orders.order_for(MountVolumes(_REFRESH), Subject(entry.obj, entry.report), self._setting)
        assert isinstance(verb, SetUpVolumes)
        return Perform(self.node, Order(uid, _REFRESH, verb._replace(failed=())))

    # -------------------------------------------------------------------------------- one pod

    def _look(self, uid: str, effects: Effects, now: datetime) -> None:
        """Let the core decide about one pod, as often as what it asked for ends at once."""
        entry = self._entries.get(uid)
        if entry is None:
            return
        obj, pod, memory, report, kill, refusal, decisions, is_gone, _, references = entry
        ended = tuple(self._ended.pop(uid, ()))
        missing = orders.missing_pull_secrets(obj, self._reader) if entry.has_pull_secrets else ()
        while True:
            seen = Seen(None if is_gone else pod, report, self._facts, ended, kill, refusal, missing)
            if self.on_look is not None:
                self.on_look(Look(uid, now, seen))
            done = step(memory, seen, now)
            memory = done.memory
            if done.because:
                decisions = (*decisions, *done.because)[-DECISIONS_KEPT:]
            ended = self._carry_out(uid, entry, done, effects, now)
            if done.finished:
                self._forget(uid)
                return
            if not ended:
                break
        wake_at = done.wake_at
        if wake_at is not None and wake_at != entry.wake_at:
            self._set_timer(uid, wake_at)
        self._entries[uid] = Entry(obj, pod, memory, report, kill, refusal, decisions, is_gone, wake_at, references)

    def _carry_out(self, uid: str, entry: Entry, done: Step, effects: Effects, now: datetime) -> tuple[Ended, ...]:
        """Status, events, actions, in that order; the actions that ended at once."""
        if done.status is not None:
            effects.append(status_write(entry.obj, done.status, guarded=uid not in self._written))
            self._written.add(uid)
        for event in done.events:
            self._post(event, entry, effects, now)
        ends = [self._act(uid, entry, action, effects, now) for action in done.actions]
        return tuple(end for end in ends if end is not None)

    def _post(self, event: Event, entry: Entry, effects: Effects, now: datetime) -> None:
        about = pod_reference(entry.obj)
        write = self._events.write(event, about, field_path_of(entry.obj, event.container), now)
        if write is not None:
            effects.append(write)

    def _notify(self, events: tuple[Event, ...], effects: Effects, now: datetime) -> None:
        """Say something about the node itself, once."""
        for event in events:
            write = self._events.write(event, node_reference(self.node), "", now)
            if write is not None:
                effects.append(write)
        if events:
            self._told |= {event.message for event in events}

    def _has_event(self, namespace: str, name: str) -> bool:
        return self._reader.get("events", namespace, name) is not None

    def _act(self, uid: str, entry: Entry, action: Action, effects: Effects, now: datetime) -> Ended | None:
        if isinstance(action, DeletePod):
            effects.append(deletion(entry.obj, f"delete {uid} {action.number}"))
            return None
        asked = orders.order_for(action, Subject(entry.obj, entry.report), self._setting)
        if isinstance(asked, Failed):
            return Ended(action.number, asked, now)
        if isinstance(asked, CreateContainerOrder) and (why := self._stands_in(asked.config.image)):
            self._notify(notices.image_substituted(asked.config.image, why, self._told), effects, now)
        effects.append(Perform(self.node, Order(uid, action.number, asked)))  # type: ignore[arg-type]  # no other outcome
        return None

    def _forget(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        self._measured.pop(uid, None)
        if entry is not None:
            self._references.remove(self.name, entry.references)
            self._events.forget("Pod", uid, entry.obj["metadata"]["name"])

    def _set_timer(self, uid: str, at: datetime) -> None:
        self._number += 1
        heapq.heappush(self._timers, (at, self._number, uid))


def _is_echo(entry: Entry, obj: JsonObject) -> bool:
    """Whether a change is nothing but the status that the agent itself wrote, and the pod goes on living.

    The very object comes back when the write was carried out in this process; then there is nothing to decide.
    """
    metadata = obj["metadata"]
    return (
        obj.get("status") is entry.memory.sent
        and entry.memory.worker == "syncing"
        and metadata.get("generation") == entry.obj["metadata"].get("generation")
        and "deletionTimestamp" not in metadata
    )


def status_write(pod: JsonObject, status: JsonObject, guarded: bool = True) -> Write:
    """The write of a pod's status, guarded by its UID: never onto another pod of the same name.

    `guarded` by the revision as well: what somebody else wrote meanwhile (a readiness gate's condition) must not be lost. Such a
    write is refused, and the newer object, which is on its way, leads to the next one.
    """
    metadata = pod["metadata"]
    guard = {"uid": metadata["uid"]}
    if guarded and "resourceVersion" in metadata:
        guard["resourceVersion"] = metadata["resourceVersion"]
    body = {"metadata": guard, "status": status}
    return Write("update", "pods", metadata["namespace"], metadata["name"], body, "status", tag="")


def deletion(pod: JsonObject, tag: str) -> Write:
    """The final DELETE of a pod: no grace, this UID only.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/status/status_manager.go: syncPod
    """
    metadata = pod["metadata"]
    body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
    return Write("delete", "pods", metadata["namespace"], metadata["name"], body, tag=tag)
