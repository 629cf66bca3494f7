"""A scripted runtime and API server for one pod in virtual time: drives `step` the way a node agent does.

Deterministic: the heap is ordered by (time, number). Scripts say how long an action takes and how a container lives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lifepod.lifecycle.machine import new_memory, step
from lifepod.lifecycle.memory import PodMemory, memory_from_json, memory_to_json
from lifepod.lifecycle.pod_spec import pod_from_json
from lifepod.lifecycle.vocabulary import (
    Action,
    ContainerReport,
    CreateContainer,
    CreateSandbox,
    DeletePod,
    Done,
    Ended,
    Event,
    Failed,
    ImagePulled,
    ImageSeen,
    InspectImage,
    KillRequest,
    MountVolumes,
    NodeFacts,
    Outcome,
    PodSpec,
    Probed,
    PullImage,
    Refusal,
    RemoveContainer,
    RemoveSandbox,
    RunHook,
    RunProbe,
    RuntimeReport,
    SandboxReport,
    Seen,
    StartContainer,
    Step,
    StopContainer,
    StopSandbox,
    UnmountVolumes,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Life:
    """How one attempt of a container goes. `runs` None: until it is stopped; `on_term` None: it ignores SIGTERM."""

    runs: float | None = None
    code: int = 0
    on_term: int | None = 0
    term_takes: float = 0.0
    start_error: str = ""
    create_error: tuple[str, str] | None = None
    reason: str = ""
    message: str = ""


@dataclass
class Script:
    """What the world does. Functions get (container, attempt) or (container, seconds since T0)."""

    life: Callable[[str, int], Life] = lambda name, attempt: Life()
    image_present: bool = True
    pull: Callable[[str, int], Outcome] = lambda image, nth: ImagePulled("sha256:ref", 100, 0.5, 0.5)
    pull_seconds: float = 0.5
    probe: Callable[[str, str, float], Probed] = lambda name, kind, at: Probed("success")
    probe_seconds: float = 0.0
    hook: Callable[[str, str], Outcome] = lambda name, kind: Done()
    hook_seconds: Callable[[str, str], float] = lambda name, kind: 0.0
    mounts: Callable[[float], Outcome] = lambda at: Done()
    sandbox: Callable[[int], Outcome | None] = lambda nth: None
    action_seconds: float = 0.0


def pod_json(spec: dict[str, Any], name: str = "p", uid: str = "uid-1") -> dict[str, Any]:
    """A bound pod as the API server has it before its node looks at it."""
    spec = {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "nodeName": "n", **spec}
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        "metadata": {"namespace": "default", "name": name, "uid": uid, "generation": 1},
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": "BestEffort", "conditions": [scheduled]},
    }


def container(name: str = "c", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox:1.36", "imagePullPolicy": "IfNotPresent", **more}


@dataclass
class World:
    """One pod, its runtime, and the clock."""

    obj: dict[str, Any] | None
    script: Script = field(default_factory=Script)
    memory: PodMemory = field(default_factory=new_memory)
    node: NodeFacts = field(default_factory=lambda: NodeFacts("n", ("10.0.0.1",)))
    now: datetime = T0
    report: RuntimeReport = field(default_factory=RuntimeReport)
    kill: KillRequest | None = None
    refusal: Refusal | None = None
    statuses: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    events: list[tuple[float, Event]] = field(default_factory=list)
    actions: list[tuple[float, Action]] = field(default_factory=list)
    steps: list[tuple[Seen, Step, PodMemory]] = field(default_factory=list)
    step_moments: list[datetime] = field(default_factory=list)
    spec: PodSpec | None = None
    sandbox_was_lost: bool = False
    agent_restarted: bool = False
    agent: int = 0
    writes_were_lost: bool = False
    ended: list[Ended] = field(default_factory=list)
    heap: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    serial: int = 0
    pulls: int = 0
    sandboxes_made: int = 0
    finished: bool = False
    unmounted: bool = False
    json_round_trips: bool = False
    lose_writes: int = 0

    # -------------------------------------------------------------------------------- driving

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something at a moment since T0."""
        self._push(T0 + timedelta(seconds=seconds), do)

    def _push(self, when: datetime, do: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.heap, (when, self.serial, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self._push(self.now + timedelta(seconds=seconds), do)

    @property
    def step_times(self) -> list[float]:
        return [(m - T0).total_seconds() for m in self.step_moments]

    @property
    def seconds(self) -> float:
        return (self.now - T0).total_seconds()

    def run(self, until: float, limit: int = 20000) -> World:
        """Let time pass until that second; look whenever something happened or is due."""
        end = T0 + timedelta(seconds=until)
        wake = self._look()
        for _ in range(limit):
            moments = [m for m in (self.heap[0][0] if self.heap else None, wake) if m is not None]
            if not moments or min(moments) > end or self.finished:
                self.now = max(self.now, end)
                return self
            self.now = max(self.now, min(moments))
            if self.heap and self.heap[0][0] <= self.now:
                heapq.heappop(self.heap)[2]()
            wake = self._look()
        raise AssertionError(f"the pod never settles: {self.actions[-5:]}")

    def seen(self) -> Seen:
        pod = pod_from_json(self.obj, self.memory.pod) if self.obj is not None else None
        return Seen(pod, self.report, self.node, tuple(self.ended), self.kill, self.refusal)

    def _look(self) -> datetime | None:
        while True:
            seen, before = self.seen(), self.memory
            self.ended = []
            if self.json_round_trips:
                assert memory_from_json(memory_to_json(before)) == before
            out = step(before, seen, self.now)
            self.memory = out.memory
            self.steps.append((seen, out, before))
            self.step_moments.append(self.now)
            if seen.pod is not None:
                self.spec = seen.pod.spec
            if out.status is not None and self.obj is not None:
                if self.lose_writes > 0:
                    self.lose_writes -= 1
                    self.writes_were_lost = True
                else:
                    self.obj = {**self.obj, "status": out.status}
                    self.statuses.append((self.seconds, out.status))
            self.events += [(self.seconds, e) for e in out.events]
            for action in out.actions:
                self.actions.append((self.seconds, action))
                self._perform(action)
            self.finished = self.finished or out.finished
            again = out.status is not None or self.ended or (out.wake_at is not None and out.wake_at <= self.now)
            if not again or self.finished:
                return out.wake_at

    # -------------------------------------------------------------------------------- what tests do to the pod

    def delete(self, grace: int | None = None) -> None:
        assert self.obj is not None
        meta = self.obj["metadata"]
        grace = self.obj["spec"]["terminationGracePeriodSeconds"] if grace is None else grace
        if grace == 0:
            self.obj = None
            return
        stamp = (self.now + timedelta(seconds=grace)).strftime("%Y-%m-%dT%H:%M:%SZ")
        deleted = {
            "deletionTimestamp": stamp,
            "deletionGracePeriodSeconds": grace,
            "generation": meta["generation"] + 1,
        }
        self.obj = {**self.obj, "metadata": {**meta, **deleted}}

    def exit(self, name: str, code: int, reason: str = "") -> None:
        for c in self.report.containers:
            if c.name == name and c.state == "running":
                self._exit(c.id, code, reason)

    def lose_sandbox(self) -> None:
        self.sandbox_was_lost = True
        for c in self.report.containers:
            if c.state == "running":
                self._exit(c.id, 137, "Error")
        gone = tuple(s._replace(state="notready", ips=()) for s in self.report.sandboxes)
        self.report = self.report._replace(sandboxes=gone)

    def restart_agent(self) -> None:
        """The node agent starts again: it knows nothing, and what was under way is lost to it."""
        self.agent_restarted = True
        self.agent += 1
        self.memory, self.ended = new_memory(), []

    # -------------------------------------------------------------------------------- the runtime

    def _end(self, number: int, outcome: Outcome, seconds: float) -> None:
        agent = self.agent

        def end() -> None:
            if agent == self.agent:  # what an earlier agent asked for, the new one never hears of
                self.ended.append(Ended(number, outcome, self.now))

        if seconds <= 0:
            end()
        else:
            self.after(seconds, end)

    def _perform(self, action: Action) -> None:
        took = self.script.action_seconds
        number = action.number
        match action:
            case MountVolumes():
                self._end(number, self.script.mounts(self.seconds), took)
            case CreateSandbox():
                self.after(took, lambda: self._make_sandbox(action)) if took else self._make_sandbox(action)
            case StopSandbox():
                self._stop_sandbox(action.sandbox_id)
                self._end(number, Done(), took)
            case RemoveSandbox():
                left = tuple(s for s in self.report.sandboxes if s.id != action.sandbox_id)
                self.report = self.report._replace(sandboxes=left)
                self._end(number, Done(), took)
            case InspectImage():
                self._end(number, ImageSeen("sha256:ref" if self.script.image_present else None), took)
            case PullImage():
                outcome = self.script.pull(action.image, self.pulls)
                self.pulls += 1
                self._end(number, outcome, self.script.pull_seconds)
            case CreateContainer():
                self.after(took, lambda: self._create(action)) if took else self._create(action)
            case StartContainer():
                self.after(took, lambda: self._start(action)) if took else self._start(action)
            case RunHook():
                outcome = self.script.hook(action.container, action.hook)
                self._end(number, outcome, self.script.hook_seconds(action.container, action.hook))
            case RunProbe():
                outcome = self.script.probe(action.container, action.probe, self.seconds)
                self._end(number, outcome, self.script.probe_seconds)
            case StopContainer():
                self._stop(action)
            case RemoveContainer():
                left = tuple(c for c in self.report.containers if c.id != action.container_id)
                self.report = self.report._replace(containers=left)
                self._end(number, Done(), took)
            case UnmountVolumes():
                self.unmounted = True
                self._end(number, Done(), took)
            case DeletePod():
                if self.obj is not None and not self.obj["metadata"].get("finalizers"):
                    self.obj = None
                self._end(number, Done(), took)

    def _make_sandbox(self, action: CreateSandbox) -> None:
        wrong = self.script.sandbox(self.sandboxes_made)
        self.sandboxes_made += 1
        if wrong is not None:
            self._end(action.number, wrong, 0)
            return
        made = SandboxReport(f"sb{self.sandboxes_made}", action.attempt, "ready", self.now, ("10.1.0.5",))
        self.report = self.report._replace(sandboxes=(made, *self.report.sandboxes))
        self._end(action.number, Done(made.id), 0)

    def _stop_sandbox(self, sandbox_id: str) -> None:
        stopped = tuple(
            s._replace(state="notready", ips=()) if s.id == sandbox_id else s for s in self.report.sandboxes
        )
        self.report = self.report._replace(sandboxes=stopped)

    def _create(self, action: CreateContainer) -> None:
        life = self.script.life(action.container, action.attempt)
        if life.create_error is not None:
            self._end(action.number, Failed(*life.create_error), 0)
            return
        made = ContainerReport(
            f"{action.container}-{action.attempt}",
            action.container,
            action.sandbox_id,
            action.attempt,
            "created",
            "docker.io/library/busybox:1.36",
            "sha256:ref",
            self.now,
        )
        self.report = self.report._replace(containers=(made, *self.report.containers))
        self._end(action.number, Done(made.id), 0)

    def _change(self, container_id: str, **fields: Any) -> None:
        changed = tuple(c._replace(**fields) if c.id == container_id else c for c in self.report.containers)
        self.report = self.report._replace(containers=changed)

    def _find(self, container_id: str) -> ContainerReport | None:
        return next((c for c in self.report.containers if c.id == container_id), None)

    def _start(self, action: StartContainer) -> None:
        found = self._find(action.container_id)
        assert found is not None
        life = self.script.life(found.name, found.attempt)
        if life.start_error:
            self._change(
                found.id,
                state="exited",
                exit_code=128,
                reason="StartError",
                finished_at=self.now,
                message=life.start_error,
            )
            self._end(action.number, Failed("RunContainerError", life.start_error), 0)
            return
        self._change(found.id, state="running", started_at=self.now)
        if life.runs is not None:
            self.after(life.runs, lambda: self._exit(found.id, life.code, life.reason, life.message))
        self._end(action.number, Done(), 0)

    def _exit(self, container_id: str, code: int, reason: str = "", message: str = "") -> None:
        found = self._find(container_id)
        if found is not None and found.state == "running":
            reason = reason or ("Completed" if code == 0 else "Error")
            self._change(
                container_id, state="exited", exit_code=code, reason=reason, finished_at=self.now, message=message
            )

    def _stop(self, action: StopContainer) -> None:
        found = self._find(action.container_id)
        if found is None or found.state != "running":
            self._end(action.number, Done(), 0)
            return
        life = self.script.life(found.name, found.attempt)
        obeys = life.on_term is not None and life.term_takes <= action.grace_seconds
        takes, code = (life.term_takes, life.on_term or 0) if obeys else (float(action.grace_seconds), 137)

        def stopped() -> None:
            self._exit(action.container_id, code)
            self._end(action.number, Done(), 0)

        if takes <= 0:
            stopped()
        else:
            self.after(takes, stopped)

    # -------------------------------------------------------------------------------- what tests read

    def starts(self, name: str) -> list[float]:
        return [at for at, a in self.actions if isinstance(a, StartContainer) and a.container == name]

    def told(self, *reasons: str) -> list[tuple[str, str]]:
        return [(e.reason, e.message) for _, e in self.events if not reasons or e.reason in reasons]

    @property
    def status(self) -> dict[str, Any]:
        return self.statuses[-1][1]

    def story(self) -> list[str]:
        """Phase and states as a watcher sees them, equal neighbours folded."""
        out: list[str] = []
        for _, s in self.statuses:
            line = told_status(s)
            if not out or out[-1] != line:
                out.append(line)
        return out


def told_status(s: dict[str, Any]) -> str:
    """`Running/Ready c=running#0`."""
    is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in s["conditions"])
    parts = [s["phase"] + ("/Ready" if is_ready else "")]
    for member in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for c in s.get(member) or ():
            ((state, detail),) = c["state"].items()
            reason = (detail or {}).get("reason", "")
            parts.append(f"{c['name']}={reason or state}#{c['restartCount']}")
    return " ".join(parts)
