"""Records what comes into a simulated cluster, and lives a recording again: to its end or to any moment.

What must hold: nothing outside a recording leads to a change of the cluster's state. Time moves from timer to timer only, and
what a request leads to happens before the next one is taken, so a request's virtual time says exactly when it came.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lifepod.apiserver.exchange import Peer, Request
from lifepod.apiserver.webhook_rounds import answered_in_place
from lifepod.apiserver.webhook_session import Asker, Question, Reply
from lifepod.node.node_status import NodeSettings
from lifepod.simulation.durations import shown
from lifepod.simulation.faults import random_faults_of
from lifepod.simulation.recording import KEPT_HEADERS, Asked, BadRecording, Faulted, Input, Recording, Replied, decoded
from lifepod.simulation.scenario import NodeLine

if TYPE_CHECKING:
    from lifepod.assembly.simulated import SimulatedCluster
    from lifepod.runtime.sim import Program

READS = ("GET", "HEAD", "OPTIONS")


class InputRecorder:
    """Hears of every request (`apiserver.app.Hooks`) and fault of a cluster, and keeps those that may change something."""

    def __init__(self, sim: SimulatedCluster) -> None:
        self._sim = sim
        self._inputs: list[Input] = []
        self._revision = sim.store.revision
        self._start = sim.clock.now()

    def began(self, number: int, request: Request) -> None:
        """A request came."""
        if request.method in READS:
            return
        headers = tuple((name, request.headers[name]) for name in KEPT_HEADERS if name in request.headers)
        peer = (request.peer.name, request.peer.groups) if request.peer is not None else None
        at = self._sim.clock.now() - self._start
        self._inputs.append(
            Asked(number, at, request.method, request.path, request.raw_query, headers, request.body, peer)
        )

    def ended(self, number: int, status: int) -> None:
        """Its answer is not part of a recording: it follows."""

    def faulted(self, what: str) -> None:
        """A fault was asked for from outside."""
        self._inputs.append(Faulted(self._sim.clock.now() - self._start, what))

    def recorded(self, ask: Asker) -> Asker:
        """Who asks webhooks, with an ear to what they answer."""

        def asked(question: Question) -> Future[Reply]:
            future = ask(question)
            future.add_done_callback(lambda done: self._replied(question.key, done.result()))
            return future

        return asked

    def _replied(self, key: str, reply: Reply) -> None:
        at = self._sim.clock.now() - self._start
        self._inputs.append(Replied(at, key, reply.body, reply.problem))

    def snapshot(self) -> object:
        """All inputs so far, as a value."""
        return tuple(self._inputs), self._revision

    def restore(self, state: object) -> None:
        """Have only the inputs of a snapshot; the store's revision went on, which a replay must know."""
        assert isinstance(state, tuple)
        self._inputs, self._revision = list(state[0]), int(state[1])
        if self._inputs or self._sim.clock.now() > self._start:
            self.faulted(f"revision {self._sim.store.revision}")
        else:
            self._revision = self._sim.store.revision

    def begin_anew(self) -> None:
        """Forget all: the cluster is as at its start again, but for the store's revision, which never goes back."""
        self._inputs.clear()
        self._revision = self._sim.store.revision

    def recording(self) -> Recording:
        """All that came in so far."""
        settings = self._sim.settings
        return Recording(
            settings.seed,
            settings.start,
            tuple(_node_line(node) for node in settings.nodes),
            tuple(settings.scripts.items()),
            self._revision,
            tuple(self._inputs),
            self._sim.clock.now() - self._start,
        )

    def save(self, path: Path) -> str:
        """Write the recording to a file; answers the command that plays it."""
        recording = self.recording()
        path.write_bytes(recording.encoded())
        return f"lifepod simulate {path} --until {shown(recording.end)}"


class Replayed(NamedTuple):
    """A cluster that lived a recording again."""

    cluster: SimulatedCluster
    at: timedelta


def read_recording(path: Path) -> Recording:
    """The recording of a file. Raises BadRecording."""
    try:
        return decoded(path.read_bytes())
    except OSError as exc:
        raise BadRecording(f"{path} cannot be read: {exc.strerror}") from exc


def replay(
    recording: Recording,
    until: timedelta | None = None,
    programs: Mapping[str, Program] | None = None,
    watch: Callable[[SimulatedCluster], None] = lambda cluster: None,
) -> Replayed:
    """Live a recording again, to its end or to the moment `until`. `watch` is called with the fresh cluster at first.

    Containers that are Python generators are not in a recording: hand the same `programs` in.
    """
    from lifepod.assembly.simulated import SimSettings, SimulatedCluster

    nodes = tuple(node_settings_of(line, number) for number, line in enumerate(recording.nodes, 1))
    settings = SimSettings(recording.seed, nodes, recording.start, programs or {}, scripts=dict(recording.scripts))
    sim = SimulatedCluster(settings)
    sim.store.revision = max(sim.store.revision, recording.revision)
    sim.api.ask = _asker_of(recording)
    watch(sim)
    end = recording.end if until is None else min(until, recording.end)
    for each in recording.inputs:
        if each.at > end:
            break
        sim.advance(recording.start + each.at - sim.clock.now())
        if isinstance(each, Replied):
            continue
        if isinstance(each, Faulted):
            _fault_again(sim, each.what)
        else:
            _ask_again(sim, each)
    sim.advance(recording.start + end - sim.clock.now())
    return Replayed(sim, end)


def _asker_of(recording: Recording) -> Asker:
    """Answers what webhooks were asked as they did then."""
    replies: dict[str, deque[Reply]] = {}
    for each in recording.inputs:
        if isinstance(each, Replied):
            replies.setdefault(each.key, deque()).append(Reply(each.body, each.problem))

    def ask(question: Question) -> Future[Reply]:
        known, future = replies.get(question.key), Future[Reply]()
        future.set_result(known.popleft() if known else Reply(problem=f'Post "{question.url}": not in the recording'))
        return future

    return ask


def _ask_again(sim: SimulatedCluster, each: Asked) -> None:
    peer = Peer(*each.peer) if each.peer is not None else None
    answer = sim.plane.app.site(Request(each.method, each.path, each.query, dict(each.headers), each.body, peer))
    if not isinstance(answer, tuple):
        with contextlib.suppress(RuntimeError):  # an exec or a port-forward: nobody is there to take its stream
            answered_in_place(answer)
    sim.loop.settle()


def _fault_again(sim: SimulatedCluster, what: str) -> None:
    verb, _, rest = what.partition(" ")
    match verb:
        case "end":
            kind, _, target = rest.partition(" ")
            sim.faults.end(kind, target)
        case "revision":
            sim.store.revision = max(sim.store.revision, int(rest))
        case "random":
            sim.faults.draw(random_faults_of(rest))
        case _:
            sim.faults.inject(what)
    sim.loop.settle()


def _node_line(node: NodeSettings) -> NodeLine:
    return NodeLine(
        node.name,
        node.cpu,
        node.memory,
        node.pods,
        node.ephemeral_storage,
        node.labels,
        node.taints,
        addresses=node.addresses,
    )


def node_settings_of(line: NodeLine, number: int) -> NodeSettings:
    """What a scenario's or recording's node is to the cluster; the n-th has the n-th address."""
    return NodeSettings(
        line.name,
        addresses=line.addresses or (f"10.0.{number >> 8}.{number & 255}",),
        cpu=line.cpu,
        memory=line.memory,
        pods=line.pods,
        ephemeral_storage=line.ephemeral_storage,
        labels=line.labels,
        taints=line.taints,
    )
