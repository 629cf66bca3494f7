"""The scheduler's part: hears of nodes and pods, asks `controllers.scheduler` for a node, writes the binding.

Pods that no node takes wait in groups of equal demand. When room may have appeared one of each group is tried; if it still
does not fit, the others of its group need not be. A group that fails rests 1 s, 2 s, 4 s … 10 s before it is tried again.
Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/schedule_one.go, backend/queue/scheduling_queue.go
Differs: no preemption, one queue for all profiles, only `schedulerName: default-scheduler`.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject, format_time
from lifepod.api.writes import Write
from lifepod.controller_manager.recorder import Recorder
from lifepod.controllers.outcome import ObjectEvent, earliest
from lifepod.controllers.ownership import is_being_deleted, key_of, name_of, namespace_of, uid_of
from lifepod.controllers.pod_facts import condition_of, is_finished
from lifepod.controllers.scheduler import Placements, Unschedulable
from lifepod.controllers.scheduler_claims import claims_obstacle
from lifepod.controllers.scheduler_demand import Demand, demand_of
from lifepod.controllers.view import View
from lifepod.turn import Answered, Changed, Effect, Interest, News, Turned

NAME = "default-scheduler"
FIRST_BACKOFF = timedelta(seconds=1)
LAST_BACKOFF = timedelta(seconds=10)
MOST_AT_ONCE = 1000
MOST_TOLD_ANEW = 100
"""How many waiting pods of a group are told a new reason at once; the message of the others is that of their last try."""


class _Waiting(NamedTuple):
    """A pod without a node. `number` is its place in the line; `group` is set once no node took it."""

    pod: JsonObject
    demand: Demand
    number: int
    group: str = ""


class _Group(NamedTuple):
    """Pods alike in demand that found no node: when they may be tried again, and how often they failed in a row."""

    failures: int
    retry_at: datetime


class SchedulerState(NamedTuple):
    """Everything the scheduler remembers."""

    placements: Placements
    waiting: dict[str, _Waiting]
    groups: dict[str, dict[str, None]]
    resting: dict[str, _Group]
    active: list[tuple[int, int, str]]
    binding: dict[str, JsonObject]
    told: dict[str, str]
    number: int
    stirred: bool
    recorder: object


class SchedulerPart:
    """Binds pods to nodes. Implements `turn.Part`."""

    name = "scheduler"
    interests = tuple(
        Interest(resource) for resource in ("nodes", "pods", "persistentvolumeclaims", "persistentvolumes")
    )

    def __init__(self, view: View, host: str = "lifepod") -> None:
        self._view = view
        self._recorder = Recorder(NAME, view, instance=f"{NAME}-{host}", modern=True)
        self._placements = Placements()
        self._waiting: dict[str, _Waiting] = {}
        self._groups: dict[str, dict[str, None]] = {}
        self._resting: dict[str, _Group] = {}
        self._active: list[tuple[int, int, str]] = []
        self._binding: dict[str, JsonObject] = {}
        self._told: dict[str, str] = {}
        self._number = 0
        self._stirred = False

    # ------------------------------------------------------------------------------------------------ turn.Part

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """Take in what changed, then place as many waiting pods as there is room for."""
        effects: list[Effect] = []
        for item in news:
            if isinstance(item, Changed):
                self._take_in(item)
            elif isinstance(item, Answered):
                self._settle(item, now, effects)
        self._stir(now)
        placed = 0
        while self._active and placed < MOST_AT_ONCE:
            _, number, uid = heapq.heappop(self._active)
            waiting = self._waiting.get(uid)
            if waiting is not None and waiting.number == number and uid not in self._binding:
                self._try(uid, waiting, now, effects)
                placed += 1
        effects += self._recorder.sweep(now)
        return Turned(tuple(effects), now if self._active else earliest(self._next_retry(), self._recorder.sweep_at))

    def snapshot(self) -> object:
        """All state as one value."""
        return SchedulerState(
            self._placements.copy(),
            dict(self._waiting),
            {group: dict(uids) for group, uids in self._groups.items()},
            dict(self._resting),
            list(self._active),
            dict(self._binding),
            dict(self._told),
            self._number,
            self._stirred,
            self._recorder.snapshot(),
        )

    def restore(self, state: object) -> None:
        """Become what `snapshot` returned."""
        assert isinstance(state, SchedulerState)
        self._placements = state.placements.copy()
        self._waiting, self._resting = dict(state.waiting), dict(state.resting)
        self._groups = {group: dict(uids) for group, uids in state.groups.items()}
        self._active, self._binding, self._told = list(state.active), dict(state.binding), dict(state.told)
        self._number, self._stirred = state.number, state.stirred
        self._recorder.restore(state.recorder)

    # ------------------------------------------------------------------------------------------------ what changed

    def _take_in(self, change: Changed) -> None:
        if change.resource == "pods":
            self._take_in_pod(change)
        elif change.resource == "nodes":
            if change.type == "DELETED":
                self._placements.remove_node(name_of(change.obj))
                self._stirred = True
            elif self._placements.set_node(change.obj):
                self._stirred = True
        else:
            self._stirred = True

    def _take_in_pod(self, change: Changed) -> None:
        pod, uid = change.obj, uid_of(change.obj)
        if change.type == "DELETED" or is_finished(pod):
            self._forget(uid)
            if self._placements.remove(uid):
                self._stirred = True
            return
        node = pod["spec"].get("nodeName")
        if node:
            waiting = self._waiting.get(uid)
            self._forget(uid)
            if uid not in self._placements.pods:
                self._placements.place(uid, node, waiting.demand if waiting else demand_of(pod))
            elif change.old is not None and change.old["metadata"].get("labels") != pod["metadata"].get("labels"):
                self._placements.remove(uid)
                self._placements.place(uid, node, demand_of(pod))
                self._stirred = True
            return
        self._line_up(pod, uid, change.old)

    def _line_up(self, pod: JsonObject, uid: str, old: JsonObject | None) -> None:
        """A pod without a node: new, or changed in a way that may let it fit."""
        if not _is_ours(pod):
            self._forget(uid)
            return
        known = self._waiting.get(uid)
        same = known is not None and old is not None and _same_wishes(old, pod)
        if known is not None and same:
            self._waiting[uid] = known._replace(pod=pod)
            return
        self._forget(uid)
        self._number += 1
        self._waiting[uid] = _Waiting(pod, demand_of(pod), self._number)
        self._activate(uid)

    def _activate(self, uid: str) -> None:
        waiting = self._waiting[uid]
        heapq.heappush(self._active, (-int(waiting.pod["spec"].get("priority") or 0), waiting.number, uid))

    def _forget(self, uid: str) -> None:
        """The pod waits no longer; a binding under way keeps its room until it is answered."""
        waiting = self._waiting.pop(uid, None)
        if waiting is not None and waiting.group:
            self._leave_group(uid, waiting.group)
        self._told.pop(uid, None)

    def _leave_group(self, uid: str, group: str) -> None:
        members = self._groups.get(group)
        if members is not None:
            members.pop(uid, None)
            if not members:
                del self._groups[group]
                self._resting.pop(group, None)

    def _stir(self, now: datetime) -> None:
        """Try one pod of each group whose rest is over, if anything happened that may have made room."""
        if not self._stirred:
            return
        self._stirred = False
        for group, members in self._groups.items():
            if self._resting[group].retry_at <= now:
                self._activate(next(iter(members)))
            else:
                self._stirred = True

    def _next_retry(self) -> datetime | None:
        if not self._stirred or not self._resting:
            return None
        return min(group.retry_at for group in self._resting.values())

    # ------------------------------------------------------------------------------------------------ one try

    def _try(self, uid: str, waiting: _Waiting, now: datetime, effects: list[Effect]) -> None:
        obstacle = claims_obstacle(self._view, waiting.pod, len(self._placements.nodes))
        if obstacle is not None and obstacle.is_passing:
            self._rest_quietly(uid, waiting, now)
            return
        choice = Unschedulable(obstacle.message) if obstacle else self._placements.choose(waiting.demand)
        if isinstance(choice, Unschedulable):
            self._refuse(uid, waiting, choice.message, now, effects)
            return
        self._placements.place(uid, choice.node, waiting.demand)
        self._binding[uid] = waiting.pod
        if waiting.group:
            self._leave_group(uid, waiting.group)
            self._waiting[uid] = waiting._replace(group="")
            if waiting.group in self._groups:
                self._activate(next(iter(self._groups[waiting.group])))
        pod = waiting.pod
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid},
            "target": {"kind": "Node", "name": choice.node},
        }
        effects.append(Write("create", "pods", namespace_of(pod), name_of(pod), body, subresource="binding", tag=uid))

    def _rest_quietly(self, uid: str, waiting: _Waiting, now: datetime) -> None:
        """Wait for the next change of a claim, without an event and without a back-off."""
        group = waiting.group or _group_of(waiting.demand)
        self._waiting[uid] = waiting._replace(group=group)
        self._groups.setdefault(group, {})[uid] = None
        self._resting.setdefault(group, _Group(0, now))

    def _refuse(
        self,
        uid: str,
        waiting: _Waiting,
        message: str,
        now: datetime,
        effects: list[Effect],
        reason: str = "Unschedulable",
    ) -> None:
        group = waiting.group or _group_of(waiting.demand)
        self._waiting[uid] = waiting._replace(group=group)
        members = self._groups.setdefault(group, {})
        members[uid] = None
        before = self._resting.get(group)
        # A whole group that arrives together fails together: that is one failure, not one for each.
        if before is None or before.retry_at <= now:
            failures = before.failures + 1 if before else 1
            delay = min(FIRST_BACKOFF * 2 ** min(failures - 1, 8), LAST_BACKOFF)
            self._resting[group] = _Group(failures, now + delay)
        told = [uid]
        if self._told.get(uid) not in (None, message) and len(members) <= MOST_TOLD_ANEW:
            told = list(members)
        for each in told:
            self._tell(each, reason, message, now, effects)

    def _tell(self, uid: str, reason: str, message: str, now: datetime, effects: list[Effect]) -> None:
        """FailedScheduling, and the condition with that reason unless the pod already shows just that.

        Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/schedule_one.go: handleSchedulingFailure
        """
        pod = self._waiting[uid].pod
        event = ObjectEvent(pod, "Warning", "FailedScheduling", message)
        write = self._recorder.write(event, now, "Scheduling")
        if write is not None:
            effects.append(write)
        self._told[uid] = message
        patch = not_scheduled_patch(pod, reason, message, now)
        if patch is not None:
            effects.append(
                Write(
                    "patch",
                    "pods",
                    namespace_of(pod),
                    name_of(pod),
                    patch,
                    subresource="status",
                    patch_type="strategic",
                )
            )

    # ------------------------------------------------------------------------------------------------ answers

    def _settle(self, answer: Answered, now: datetime, effects: list[Effect]) -> None:
        if answer.write.subresource != "binding":
            return
        pod = self._binding.pop(answer.write.tag, None)
        if pod is None:
            return
        if answer.error is None:
            node = answer.write.body["target"]["name"]
            namespace, name = key_of(pod)
            event = ObjectEvent(pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {node}")
            write = self._recorder.write(event, now, "Binding")
            if write is not None:
                effects.append(write)
            return
        uid = answer.write.tag
        self._placements.remove(uid)
        waiting = self._waiting.get(uid)
        if answer.error.code not in (404, 409) and waiting is not None:
            message = f'running Bind plugin "DefaultBinder": {answer.error}'
            self._refuse(uid, waiting, message, now, effects, "SchedulerError")
            self._stirred = True


def _group_of(demand: Demand) -> str:
    """Pods of one group fit, or do not, for the same reasons; pods that look at others are alone with their likes."""
    own = repr((sorted(demand.labels.items()), demand.spec.get("affinity"))) if demand.looks_at_pods else ""
    claims = [v["persistentVolumeClaim"] for v in demand.spec.get("volumes") or () if v.get("persistentVolumeClaim")]
    return repr((demand.shape, demand.requests, demand.ports, demand.namespace if own or claims else "", own, claims))


def _is_ours(pod: JsonObject) -> bool:
    spec = pod["spec"]
    return (spec.get("schedulerName") or NAME) == NAME and not spec.get("schedulingGates") and not is_being_deleted(pod)


def _same_wishes(old: JsonObject, new: JsonObject) -> bool:
    """Whether a change cannot make the pod fit where it did not: only its status or annotations differ."""
    same_spec = old["spec"] is new["spec"] or old["spec"] == new["spec"]
    return bool(same_spec) and old["metadata"].get("labels") == new["metadata"].get("labels")


def not_scheduled_patch(pod: JsonObject, reason: str, message: str, now: datetime) -> JsonObject | None:
    """The status patch that says PodScheduled False; None when the pod says so already.

    Source: k8s.io/kubernetes v1.34.4 pkg/scheduler/schedule_one.go: updatePod; pkg/api/v1/pod/util.go: UpdatePodCondition
    """
    before = condition_of(pod, "PodScheduled")
    if (
        before is not None
        and before.get("status") == "False"
        and before.get("reason") == reason
        and before.get("message") == message
    ):
        return None
    since = before.get("lastTransitionTime") if before and before.get("status") == "False" else None
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": since or format_time(now),
        "observedGeneration": pod["metadata"].get("generation", 0),
    }
    return {"status": {"conditions": [condition]}}
