"""The scripted runtime: containers that follow scripts, in whatever time the cluster's clock shows.

`SimRuntime` is a `Runtime` (orders in, ends and reports out) and a `Part` (its timers lie in the cluster's heap). All it has is
one `SimPod` value a pod, so that it is copied in a moment. How processes run is in `processes.py`; how a shell reads, in `shell.py`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple, assert_never

from lifepod.clock import Ids
from lifepod.lifecycle.eviction import Usage
from lifepod.lifecycle.vocabulary import (
    Done,
    Ended,
    ExecHandler,
    Failed,
    HttpGetHandler,
    MountsFailed,
    Outcome,
    Probed,
    RuntimeReport,
    SandboxReport,
    SleepHandler,
)
from lifepod.runtime.base import (
    CreateContainerOrder,
    HookOrder,
    InspectImageOrder,
    Listener,
    Order,
    ProbeOrder,
    PullImageOrder,
    RemoveContainerOrder,
    RemoveSandboxOrder,
    RunSandbox,
    SetUpVolumes,
    StartContainerOrder,
    StopContainerOrder,
    StopSandboxOrder,
    TearDownVolumes,
)
from lifepod.runtime.image_source import non_root_problem
from lifepod.runtime.sim import faults, files, images, probing, processes
from lifepod.runtime.sim.pods import SimContainer, SimExec, SimPod, report_of
from lifepod.runtime.sim.program import Program
from lifepod.runtime.sim.script import Attempt
from lifepod.runtime.sim.shell import Shell
from lifepod.runtime.sim.world import Lookup
from lifepod.turn import Interest, News, Turned

START_SECONDS = timedelta(milliseconds=10)
"""What it takes to start a container. Not nothing: a prober's tick at the moment of the order comes before the container."""
FIRST_BREATH = timedelta(milliseconds=2)
"""From a container's start to the first thing its process does, so that even the shortest life is seen to run."""


class SimState(NamedTuple):
    """A snapshot."""

    pods: Mapping[str, SimPod]
    timers: tuple[tuple[datetime, int, str], ...]
    inbox: tuple[Order, ...]
    number: int
    addresses: int
    faults: faults.SimFaults = faults.NOTHING
    missed: frozenset[str] = frozenset()


def _no_addresses(namespace: str, name: str) -> tuple[str, ...]:
    return ()


class SimRuntime:
    """Runs the scripted containers of one node. `pod_network`: the first two or three numbers of its pods' addresses."""

    scheme = "sim"
    interests: tuple[Interest, ...] = ()

    def __init__(
        self,
        node: str,
        listener: Listener,
        ids: Ids,
        lookup: Lookup = _no_addresses,
        host_ip: str = "127.0.0.1",
        pod_network: str = "10.244",
        programs: Mapping[str, Program] | None = None,
        scripts: Mapping[str, str] | None = None,
    ) -> None:
        self.name = f"sim/{node}"
        self.faults = faults.NOTHING
        self.skew = timedelta(0)
        """How far the machine's clock is ahead. Moments come in by the cluster's clock and are kept by the machine's."""
        self._missed: frozenset[str] = frozenset()
        """Images whose pull failed: they are not here until one succeeds."""
        self.scripts: Mapping[str, str] = scripts or {}
        self.lookup = lookup
        self.host_ip = host_ip
        self.programs: Mapping[str, Program] = programs if programs is not None else {}
        self.streams: dict[int, processes.StreamEnds] = {}
        self._listener, self._ids, self._pod_network = listener, ids, pod_network
        self._pods: dict[str, SimPod] = {}
        self._reported: dict[str, RuntimeReport] = {}
        self._inbox: list[Order] = []
        self._timers: list[tuple[datetime, int, str]] = []
        self._wakes: dict[str, datetime] = {}
        self._number = count(1)
        self._addresses = 0
        self._followers: dict[str, list[Callable[[], None]]] = {}
        self.epoch = 0
        """Counts restores: streams of an earlier epoch have ended."""

    # -------------------------------------------------------------------------------- Runtime

    def perform(self, order: Order) -> None:
        """Take an order; it is carried out when the cluster next calls `on_news`."""
        self._inbox.append(order)

    def reports(self) -> dict[str, RuntimeReport]:
        return {uid: report_of(pod) for uid, pod in self._pods.items()}

    def usage(self, uid: str) -> Usage | None:
        """What the pod has on disk."""
        pod = self._pods.get(uid)
        if pod is None:
            return None
        volumes = {key.split("/", 2)[1] for key in pod.tree if key.startswith("v/")}
        return Usage(
            tuple((name, files.bytes_below(pod.tree, f"v/{name}")) for name in sorted(volumes)),
            tuple((c.config.name, files.bytes_below(pod.tree, f"c/{c.id}")) for c in pod.containers),
        )

    def pod(self, uid: str) -> SimPod | None:
        """What there is of a pod."""
        return self._pods.get(uid)

    # -------------------------------------------------------------------------------- Part

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """Carry out what was ordered and let every process go on whose time has come."""
        now += self.skew
        inbox, self._inbox = self._inbox, []
        for order in inbox:
            self._put(self._carry_out(self._pods.get(order.pod_uid) or SimPod(order.pod_uid), order, now), now)
        timers = self._timers
        while timers and timers[0][0] <= now:
            at, _, uid = heapq.heappop(timers)
            if self._wakes.get(uid) != at:
                continue
            del self._wakes[uid]
            self._put(self._pods[uid], now)
        due = self._next_timer()
        return Turned((), due - self.skew if due is not None else None)

    def _next_timer(self) -> datetime | None:
        timers = self._timers
        while timers and self._wakes.get(timers[0][2]) != timers[0][0]:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def snapshot(self) -> SimState:
        last = next(self._number)
        self._number = count(last)
        return SimState(
            dict(self._pods), tuple(self._timers), tuple(self._inbox), last, self._addresses, self.faults, self._missed
        )

    def restore(self, state: object) -> None:
        assert isinstance(state, SimState)
        self._pods = {uid: processes.copied(pod) for uid, pod in state.pods.items()}
        self._reported = {uid: report_of(pod) for uid, pod in self._pods.items()}
        self._timers, self._inbox = [], list(state.inbox)
        self._wakes = {}
        self._number, self._addresses = count(state.number), state.addresses
        self.faults, self._missed = state.faults, state.missed
        self.end_streams()
        for uid, pod in self._pods.items():
            self._set_timer(uid, processes.next_wake(pod))

    def end_streams(self) -> None:
        """Whoever follows a log or a process of before is let go."""
        self.epoch += 1
        ended, self.streams = self.streams, {}
        for ends in ended.values():
            ends.ended(137)
        for tell in [tell for followers in self._followers.values() for tell in followers]:
            tell()

    # -------------------------------------------------------------------------------- faults and streams

    def kill(self, uid: str, container: str, now: datetime, exit_code: int = 137, reason: str = "") -> bool:
        """End a running container from outside, as the system's OOM killer or an operator would."""
        now += self.skew
        pod = self._pods.get(uid)
        for c in pod.containers if pod else ():
            if pod is not None and c.config.name == container and c.state == "running":
                self._put(self._finish(pod, c, exit_code, reason, now), now)
                return True
        return False

    def power_off(self) -> None:
        """The machine is gone and all on it; nobody is told."""
        self._pods.clear()
        self._reported.clear()
        self._wakes.clear()
        self._timers.clear()
        self._inbox.clear()

    def reboot(self, now: datetime) -> None:
        """The machine restarts: what ran has ended, what was under way is forgotten and never ends."""
        self._inbox.clear()
        for uid, pod in list(self._pods.items()):
            stopless = tuple(c._replace(stops=()) for c in pod.containers)
            self._pods[uid] = pod._replace(delayed=(), starts=(), execs=(), containers=stopless)
            self.lose_sandbox(uid, now)

    def lose_sandbox(self, uid: str, now: datetime) -> None:
        """The pod's sandbox and all in it die, as when a machine restarts."""
        now += self.skew
        pod = self._pods.get(uid)
        for sandbox in pod.sandboxes if pod else ():
            pod = self._stop_sandbox(pod or SimPod(uid), sandbox.id, now)
        if pod is not None:
            self._put(pod, now)

    def start_exec(
        self,
        uid: str,
        container_id: str,
        command: tuple[str, ...],
        ends: processes.StreamEnds,
        now: datetime,
        stdin: bool = False,
    ) -> int | None:
        """Run a command for a stream; answers its number, None when the container does not run. Its input comes by `feed`."""
        pod = self._pods.get(uid)
        container = pod.container(container_id) if pod else None
        if pod is None or container is None or container.state != "running":
            return None
        now += self.skew
        number = -next(self._number)
        self.streams[number] = ends
        process = processes.exec_process(container, command, number, two_streams=True, stdin=stdin)
        exec_ = SimExec(number, container_id, None, process, command=command)
        self._put(pod._replace(execs=(*pod.execs, exec_)), now)
        return number

    def feed(self, uid: str, number: int, data: bytes, is_end: bool, now: datetime) -> None:
        """Put more on the standard input of a process that `start_exec` made; one that has ended reads nothing."""
        pod = self._pods.get(uid)
        for exec_ in pod.execs if pod else ():
            if pod is not None and exec_.number == number and isinstance(exec_.process, Shell):
                self._put(pod.with_exec(exec_._replace(process=exec_.process.fed(data, is_end))), now + self.skew)

    def feed_container(self, uid: str, container_id: str, data: bytes, is_end: bool, now: datetime) -> bool:
        """Put more on the standard input of a container. Its end is handed on by `stdinOnce` without a terminal; says whether."""
        pod = self._pods.get(uid)
        container = pod.container(container_id) if pod is not None else None
        if pod is None or container is None or not container.config.stdin:
            return False
        is_end = is_end and container.config.stdin_once and not container.config.tty
        if isinstance(container.process, Shell) and container.state == "running":
            now += self.skew
            fed = container._replace(process=container.process.fed(data, is_end), resume_at=container.resume_at or now)
            self._put(pod.with_container(fed), now)
        return is_end

    def follow(self, uid: str, tell: Callable[[], None]) -> None:
        """Call `tell` each time something of the pod may have moved on: a line written, a process ended."""
        self._followers.setdefault(uid, []).append(tell)

    def unfollow(self, uid: str, tell: Callable[[], None]) -> None:
        """Call it no longer."""
        followers = self._followers.get(uid, [])
        followers.remove(tell)
        if not followers:
            self._followers.pop(uid, None)

    # -------------------------------------------------------------------------------- putting back

    def _put(self, pod: SimPod, now: datetime) -> None:
        """Let the pod's processes run as far as they can, keep it, tell what changed, set its timer."""
        uid = pod.uid
        pod = self._settle(pod, now)
        known = self._pods.get(uid)
        if known is not None and known.containers is pod.containers and known.sandboxes is pod.sandboxes:
            report = self._reported[uid]
        else:
            report = report_of(pod)
        if not (pod.sandboxes or pod.containers or pod.tree or pod.delayed):
            self._pods.pop(uid, None)
            self._wakes.pop(uid, None)
            told = self._reported.pop(uid, None)
        else:
            self._pods[uid] = pod
            told = self._reported.get(uid)
            self._reported[uid] = report
            self._set_timer(uid, processes.next_wake(pod))
        for tell in self._followers.get(uid, ()):
            tell()
        if told is not report and told != report and (told is not None or report != RuntimeReport()):
            self._listener.on_report(uid, report)

    def _set_timer(self, uid: str, wake: datetime | None) -> None:
        if wake is None:
            self._wakes.pop(uid, None)
        elif self._wakes.get(uid) != wake:
            self._wakes[uid] = wake
            heapq.heappush(self._timers, (wake, next(self._number), uid))

    def _end(self, pod: SimPod, number: int, outcome: Outcome, now: datetime) -> SimPod:
        self._listener.on_ended(pod.uid, Ended(number, outcome, now))
        return pod

    # -------------------------------------------------------------------------------- time

    def _settle(self, pod: SimPod, now: datetime) -> SimPod:
        """Everything of the pod whose time has come."""
        for at, number, outcome in pod.delayed:
            if at <= now:
                self._end(pod, number, outcome, now)
        if pod.delayed:
            pod = pod._replace(delayed=tuple(d for d in pod.delayed if d[0] > now))
        if pod.starts:
            due = [s for s in pod.starts if s[0] <= now]
            pod = pod._replace(starts=tuple(s for s in pod.starts if s[0] > now))
            for _, number, container_id in due:
                pod = self._start(pod, number, container_id, now)
        for container in pod.containers:
            if container.state == "running" and processes.is_due(container, now):
                pod = self._run(pod, container, now)
        for exec_ in pod.execs:
            pod = self._run_exec(pod, exec_, now)
        return pod

    def _run(self, pod: SimPod, container: SimContainer, now: datetime) -> SimPod:
        if container.resume_at is not None and container.resume_at > now:
            return pod
        pod, container = processes.run(pod, container, self._facts(pod), now)
        process = container.process
        if process is not None and process.exit_code is not None:
            return self._finish(
                pod, container, process.exit_code, "OOMKilled" if processes.was_oom(process) else "", now
            )
        if container.kill_at is not None and container.kill_at <= now:
            return self._finish(pod, container, 137, "", now)
        return pod

    def _facts(self, pod: SimPod) -> processes.PodFacts:
        hostname = pod.config.hostname if pod.config is not None else "localhost"
        return processes.PodFacts(hostname, self.lookup)

    def _finish(self, pod: SimPod, container: SimContainer, code: int, reason: str, now: datetime) -> SimPod:
        """The container's process has ended."""
        ended = container._replace(
            state="exited",
            finished_at=now,
            exit_code=code,
            reason=reason or ("Completed" if code == 0 else "Error"),
            process=None,
            stops=(),
            kill_at=None,
            resume_at=None,
        )
        ended = ended._replace(message=processes.last_words(pod, container, code))
        pod = pod.with_container(ended)
        for number in container.stops:
            self._end(pod, number, Done(), now)
        for exec_ in pod.execs:
            if exec_.container_id == container.id:
                pod = self._finish_exec(pod, exec_, 137, now)
        return pod

    # -------------------------------------------------------------------------------- further processes

    def _run_exec(self, pod: SimPod, exec_: SimExec, now: datetime) -> SimPod:
        container = pod.container(exec_.container_id)
        if exec_ not in pod.execs or container is None:
            return pod
        pod, exec_ = processes.run_exec(pod, exec_, container, self._facts(pod), now)
        self._tell_stream(exec_)
        container = pod.container(exec_.container_id)
        if container is not None and container.process is not None and container.process.exit_code is not None:
            return self._finish(pod, container, container.process.exit_code, "", now)
        code = exec_.process.exit_code if exec_.process is not None else 0
        if code is not None:
            return self._finish_exec(pod, exec_, code, now)
        if exec_.deadline is not None and exec_.deadline <= now:
            order = exec_.order
            assert isinstance(order, ProbeOrder)
            assert isinstance(order.handler, ExecHandler)
            text = processes.exec_timed_out(order.handler.command, order.timeout_seconds)
            return self._end(pod, exec_.number, Probed("failure", text), now).without_exec(exec_.number)
        return pod

    def _finish_exec(self, pod: SimPod, exec_: SimExec, code: int, now: datetime) -> SimPod:
        pod = pod.without_exec(exec_.number)
        if exec_.order is None:
            ends = self.streams.pop(exec_.number, None)
            if ends is not None:
                ends.ended(code)
            return pod
        return self._end(pod, exec_.number, processes.exec_outcome(exec_, code), now)

    def _tell_stream(self, exec_: SimExec) -> None:
        ends = self.streams.get(exec_.number)
        if ends is not None:
            ends.wrote(processes.exec_output(exec_))

    # -------------------------------------------------------------------------------- orders

    def _carry_out(self, pod: SimPod, order: Order, now: datetime) -> SimPod:
        verb, number = order.verb, order.number
        match verb:
            case SetUpVolumes(volumes, failed):
                of_files = frozenset(v.name for v in volumes if v.kind == "files")
                pod = pod._replace(tree=files.with_volumes(pod.tree, volumes), file_volumes=pod.file_volumes | of_files)
                return self._end(pod, number, MountsFailed(failed) if failed else Done(), now)
            case RunSandbox():
                return self._run_sandbox(pod, number, verb, now)
            case StopSandboxOrder(sandbox_id):
                return self._end(self._stop_sandbox(pod, sandbox_id, now), number, Done(), now)
            case RemoveSandboxOrder(sandbox_id):
                pod = pod._replace(sandboxes=tuple(s for s in pod.sandboxes if s.id != sandbox_id))
                return self._end(pod, number, Done(), now)
            case InspectImageOrder(image):
                script = self._script(pod, verb.container, image)
                absent = script is not None and (script.pull_fails or script.pull_seconds is not None)
                absent = absent or image in self._missed or faults.pull_fault(self.faults, image) is not None
                return self._end(pod, number, images.inspect(image, absent), now)
            case PullImageOrder(image):
                return self._pull(pod, number, verb, now)
            case CreateContainerOrder(config):
                if problem := non_root_problem("", config, pod.uid):
                    return self._end(pod, number, Failed("CreateContainerConfigError", problem), now)
                shown = config._replace(image=images.shown_name(config.image))
                container_id = self._ids.hexadecimal(64)
                tree, mounts = files.with_sub_paths(pod.tree, container_id, shown.mounts, pod.file_volumes)
                shown = shown._replace(mounts=mounts)
                container = SimContainer(container_id, shown, now, asked_image=config.image)
                pod = pod._replace(containers=(container, *pod.containers), tree=tree)
                return self._end(pod, number, Done(container.id), now)
            case StartContainerOrder(container_id):
                delay = START_SECONDS
                if self.faults.starts and pod.config is not None:
                    delay += faults.start_delay(self.faults, pod.config.name)
                return pod._replace(starts=(*pod.starts, (now + delay, number, container_id)))
            case StopContainerOrder():
                return self._stop(pod, number, verb, now)
            case RemoveContainerOrder(container_id):
                tree = files.without(pod.tree, f"c/{container_id}")
                pod = pod._replace(containers=tuple(c for c in pod.containers if c.id != container_id), tree=tree)
                return self._end(pod, number, Done(), now)
            case HookOrder():
                return self._hook(pod, number, verb, now)
            case ProbeOrder():
                return self._probe(pod, number, verb, now)
            case TearDownVolumes():
                for container in pod.containers:
                    if container.state == "running":
                        pod = self._finish(pod, container, 137, "", now)
                return self._end(SimPod(pod.uid), number, Done(), now)
        assert_never(verb)

    def _run_sandbox(self, pod: SimPod, number: int, verb: RunSandbox, now: datetime) -> SimPod:
        config = verb.config
        ips: tuple[str, ...] = ()
        if not config.host_network:
            self._addresses += 1
            ips = (_address(self._pod_network, self._addresses),)
        sandbox = SandboxReport(self._ids.hexadecimal(64), config.attempt, "ready", now, ips, config.host_network)
        pod = pod._replace(sandboxes=(sandbox, *pod.sandboxes), config=config)
        return self._end(pod, number, Done(sandbox.id), now)

    def _stop_sandbox(self, pod: SimPod, sandbox_id: str, now: datetime) -> SimPod:
        for container in pod.containers:
            if container.config.sandbox_id == sandbox_id and container.state == "running":
                pod = self._finish(pod, container, 137, "", now)
        stopped = tuple(s._replace(state="notready") if s.id == sandbox_id else s for s in pod.sandboxes)
        return pod._replace(sandboxes=stopped)

    def _script(self, pod: SimPod, container: str, image: str) -> Attempt | None:
        return processes.script_of(pod, container, 0, image, self.scripts)

    def _pull(self, pod: SimPod, number: int, verb: PullImageOrder, now: datetime) -> SimPod:
        script = self._script(pod, verb.container, verb.image)
        seconds = (script.pull_seconds if script else None) or 0.0
        fault = faults.pull_fault(self.faults, verb.image)
        if fault is not None and fault.error:
            self._missed |= {verb.image}
            return self._end(pod, number, faults.pull_failed(fault, verb.image), now)
        self._missed -= {verb.image}
        if fault is not None:
            seconds = max(seconds, fault.takes.total_seconds())
        outcome = images.pull(verb.image, script is not None and script.pull_fails, seconds)
        if not seconds:
            return self._end(pod, number, outcome, now)
        return pod._replace(delayed=(*pod.delayed, (now + timedelta(seconds=seconds), number, outcome)))

    def _start(self, pod: SimPod, number: int, container_id: str, now: datetime) -> SimPod:
        container = pod.container(container_id)
        if container is None or container.state != "created":
            return self._end(
                pod, number, Failed("RunContainerError", f'container "{container_id}" is not to be started'), now
            )
        process, error = processes.start(pod, container, self.programs, self.scripts)
        if error:
            text = f"failed to start container: {error}"
            failed = container._replace(
                state="exited", started_at=_EPOCH, finished_at=now, exit_code=128, reason="StartError", message=text
            )
            return self._end(pod.with_container(failed), number, Failed("RunContainerError", text), now)
        running = container._replace(state="running", started_at=now, process=process, resume_at=now + FIRST_BREATH)
        return self._end(pod.with_container(running), number, Done(), now)

    def _stop(self, pod: SimPod, number: int, verb: StopContainerOrder, now: datetime) -> SimPod:
        container = pod.container(verb.container_id)
        if container is None or container.state != "running":
            return self._end(pod, number, Done(), now)
        kill_at = now + timedelta(seconds=verb.grace_seconds)
        if container.kill_at is not None:
            kill_at = min(kill_at, container.kill_at)
        first = not container.stops
        container = container._replace(stops=(*container.stops, number), kill_at=kill_at)
        pod = pod.with_container(container)
        if verb.signal == "KILL" or kill_at <= now:
            return self._finish(pod, container, 137, "", now)
        if first:
            pod, container = processes.signal(pod, container, verb.signal, self._facts(pod), now)
            if container.process is not None and container.process.exit_code is not None:
                return self._finish(pod, container, container.process.exit_code, "", now)
        return pod

    def _hook(self, pod: SimPod, number: int, verb: HookOrder, now: datetime) -> SimPod:
        container = pod.container(verb.container_id)
        handler = verb.handler
        if isinstance(handler, SleepHandler):
            return pod._replace(delayed=(*pod.delayed, (now + timedelta(seconds=handler.seconds), number, Done())))
        if isinstance(handler, HttpGetHandler):
            return self._end(pod, number, probing.http_hook(handler, pod, pod.ip or self.host_ip), now)
        if container is None or container.state != "running" or not isinstance(handler, ExecHandler):
            return self._end(pod, number, Failed("", "container is not running"), now)
        process = processes.exec_process(container, handler.command, number)
        exec_ = SimExec(number, container.id, verb, process, command=handler.command)
        return pod._replace(execs=(*pod.execs, exec_))

    def _probe(self, pod: SimPod, number: int, verb: ProbeOrder, now: datetime) -> SimPod:
        container = pod.container(verb.container_id)
        host = pod.ip or self.host_ip
        if container is None or container.state != "running":
            return self._end(pod, number, Probed("unknown", "container is not running"), now)
        said = probing.scripted_answer(verb, container, host, now)
        if self.faults.probes and faults.probe_fails(
            self.faults, container.config.pod_name, verb.probe, self._ids.fraction
        ):
            said = probing.flapped(verb, host)
        if said is not None:
            return self._end(pod, number, said, now)
        if not isinstance(verb.handler, ExecHandler):
            return self._end(pod, number, probing.asked_over_network(verb, pod, host), now)
        process = processes.exec_process(container, verb.handler.command, number)
        deadline = now + timedelta(seconds=verb.timeout_seconds)
        exec_ = SimExec(number, container.id, verb, process, deadline, verb.handler.command)
        return pod._replace(execs=(*pod.execs, exec_))


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _address(network: str, number: int) -> str:
    """The n-th address below `10.244` or `10.244.3`; .0 and .1 are the network's own."""
    missing = 4 - len(network.split("."))
    number += 1
    digits = [str(number >> (8 * place) & 255) for place in reversed(range(missing))]
    return ".".join([network, *digits])
