"""A whole cluster in virtual time: API, control plane and nodes of scripted containers, put together.

Everything random comes from one seed, everything timed from one clock; `SimulatedCluster.fork` gives a second cluster that goes
its own way from here. Requests are answered by `site`, with or without a socket before it (`virtual_server.py`), so that there
is one API and not two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import orjson

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.apiserver.app import Hooks
from lifepod.apiserver.certificates import Credentials, mint_credentials
from lifepod.apiserver.exchange import Answer, Request, Response
from lifepod.apiserver.token import TokenOrder
from lifepod.apiserver.webhook_rounds import answered_in_place
from lifepod.assembly.cluster import Cluster, ClusterState
from lifepod.assembly.control_plane import Around, control_plane
from lifepod.assembly.fault_injector import FaultInjector
from lifepod.assembly.faulty_site import FaultySite
from lifepod.assembly.replay import InputRecorder
from lifepod.controller_manager.builtin import builtin_parts
from lifepod.controller_manager.store_view import StoreView
from lifepod.lifecycle.volumes import Content, Late
from lifepod.node.agent import Agent
from lifepod.node.node_status import NodeSettings
from lifepod.runtime.base import NodeStreams
from lifepod.runtime.sim import Program, SimRuntime, service_names
from lifepod.runtime.sim.streams import SimStreams
from lifepod.simulation.loop import START, SeededIds, VirtualClock, VirtualLoop

CREDENTIALS_SEED = b"lifepod virtual cluster"
"""All virtual clusters have the same CA, so that equal runs are equal to the byte. It protects nothing, nor need it."""


class SimSettings(NamedTuple):
    """What a simulated cluster is made of. `scripts`: what containers of an image do, as the annotation would say it."""

    seed: int = 0
    nodes: tuple[NodeSettings, ...] = (NodeSettings("node1", addresses=("10.0.0.1",)),)
    start: datetime = START
    programs: Mapping[str, Program] = {}
    heartbeat: timedelta | None = timedelta(seconds=10)
    scripts: Mapping[str, str] = {}


@cache
def virtual_credentials() -> Credentials:
    """Whom service account tokens and root certificates name."""
    return mint_credentials(START, seed=CREDENTIALS_SEED)


class HookList:
    """Tells several `Hooks` of each request."""

    def __init__(self) -> None:
        self.each: list[Hooks] = []

    def began(self, number: int, request: Request) -> None:
        for hooks in self.each:
            hooks.began(number, request)

    def ended(self, number: int, status: int) -> None:
        for hooks in self.each:
            hooks.ended(number, status)


class SimulatedCluster:
    """A cluster, its clock and the loop that drives both.

    `lock` is held around each look at the API when several threads share the cluster. `site` answers HTTP requests; whoever
    wants to get in between (faults) puts a site of its own in its place. Hooks appended to `hooks` hear of every request.
    """

    def __init__(self, settings: SimSettings | None = None, lock: AbstractContextManager[object] | None = None) -> None:
        self.settings = settings or SimSettings()
        self.lock: AbstractContextManager[object] = lock if lock is not None else nullcontext()
        self.clock = VirtualClock(self.settings.start)
        self.ids = SeededIds(self.settings.seed)
        self._hooks = HookList()
        self.hooks = self._hooks.each
        self._streams: dict[str, NodeStreams] = {}
        self._extra: list[Callable[[Request], Answer | None]] = []
        around = Around(
            self.clock.now,
            self.ids,
            self._streams.get,
            on_written=self._on_written,
            lock=self.lock,
            hooks=self._hooks,
            extra_paths=(self._extra_path,),
        )
        self.plane = control_plane(around, virtual_credentials())
        self.store, self.api = self.plane.store, self.plane.api
        self.cluster = Cluster(self.api)
        self.cluster.asked.in_order = True
        self.cluster.asked.share(self.lock)
        self.serving_loop: asyncio.AbstractEventLoop | None = None
        """The loop that serves this cluster's clients, if one does: whoever is asked for something may be one of them."""
        self.loop = VirtualLoop(self.cluster, self.clock)
        self.loop.wait_outside = self._wait_for_webhooks
        view = StoreView(self.store, self.api.kinds)
        for part in builtin_parts(view, self.ids, self.api.settings.root_ca):
            self.cluster.add_part(part)
        self.runtimes: dict[str, SimRuntime] = {}
        for number, node in enumerate(self.settings.nodes):
            self._add_node(node, number)
        self.faults = FaultInjector(self, self.settings.seed)
        self.cluster.add_part(self.faults)
        self.cluster.carry_out = self.faults.refuse_part
        self.site = FaultySite(self.plane.app.site, self.faults).site
        self.loop.settle()
        self.inputs = InputRecorder(self)
        self.hooks.append(self.inputs)
        self.api.ask = self.inputs.recorded(self.api.ask)
        self.faults.asked = self.inputs.faulted

    def _add_node(self, node: NodeSettings, number: int) -> None:
        agent = Agent(node, self.cluster, self.cluster.references, mint=self._mint, heartbeat=self.settings.heartbeat)
        runtime = SimRuntime(
            node.name,
            self.cluster.listener(node.name),
            self.ids,
            lookup=service_names(self.cluster),
            host_ip=node.addresses[0],
            pod_network=f"10.{244 + number // 250 % 11}.{number % 250}" if len(self.settings.nodes) > 1 else "10.244",
            programs=self.settings.programs,
            scripts=self.settings.scripts,
        )
        self.runtimes[node.name] = runtime
        self.cluster.add_node(agent, runtime)
        self._streams[node.name] = SimStreams(runtime, self.clock.now, self.lock, lambda: self._poke(runtime.name))

    def _mint(self, pod: JsonObject, audience: str, seconds: int) -> Content:
        meta, spec = pod["metadata"], pod["spec"]
        account = self.store.get("serviceaccounts", meta["namespace"], spec.get("serviceAccountName", "default"))
        if account is None:
            return b""
        audiences = (audience or self.api.settings.issuer,)
        sign, _ = self.plane.tokens.issue_later(TokenOrder(account, audiences, seconds, self.ids.uid(), pod))
        return Late(lambda: sign().encode())

    # ------------------------------------------------------------------------------------------------ requests

    def request(
        self, method: str, path: str, body: JsonObject | None = None, content_type: str = "application/json"
    ) -> JsonObject:
        """The administrator's request, past whatever stands before `site`. Raises ApiError."""
        target, _, query = path.partition("?")
        headers = {"authorization": f"Bearer {self.plane.token}", "content-type": content_type}
        data = orjson.dumps(body) if body is not None else b""
        answer = self.plane.app.site(Request(method, target, query, headers, data))
        if not isinstance(answer, tuple):
            answer = answered_in_place(answer)
        assert isinstance(answer, Response), f"{method} {path} is not answered at once"
        content: JsonObject = orjson.loads(answer.body)
        if answer.status >= 300:
            raise ApiError(content)
        return content

    def add_path(self, answer: Callable[[Request], Answer | None]) -> None:
        """Have `answer` asked about paths that are no resource's."""
        self._extra.append(answer)

    def streams(self, node: str) -> NodeStreams | None:
        """A node's logs, processes and ports."""
        return self._streams.get(node)

    def end_streams(self) -> None:
        """Let go of whoever follows a log or a process."""
        for node in self.cluster.nodes:
            runtime = self.cluster.runtime(node)
            if isinstance(runtime, SimRuntime):
                runtime.end_streams()

    def _wait_for_webhooks(self) -> bool:
        """Time stands still while a webhook thinks about what a part of the cluster writes. The loop that serves clients does not
        wait: the webhook may be one of them, so it goes on when the answer is there."""
        if not self.cluster.asked.holds_any() or (
            self.serving_loop is not None and asyncio._get_running_loop() is self.serving_loop
        ):
            return False
        self.cluster.asked.wait()
        return True

    def _extra_path(self, request: Request) -> Answer | None:
        return next((found for each in self._extra if (found := each(request)) is not None), None)

    def _on_written(self) -> None:
        """A client wrote: what that leads to at this moment happens before it is answered."""
        with self.lock:
            self.loop.settle()

    def _poke(self, part: str) -> None:
        with self.lock:
            self.cluster.poke(part)
            self.loop.settle()

    # ------------------------------------------------------------------------------------------------ faults

    def set_skew(self, node: str, skew: timedelta) -> None:
        """Let a machine's clock be ahead of the cluster's by `skew`, or behind."""
        agent = self.cluster.agent(node)
        assert agent is not None
        agent.skew = self.runtimes[node].skew = skew
        self.cluster.poke(agent.name)
        self.cluster.poke(self.runtimes[node].name)

    def remove_machine(self, node: str) -> None:
        """The machine is gone with all on it; its Node object is another matter."""
        agent = self.cluster.agent(node)
        assert agent is not None
        agent.forget_all()
        agent.pause()
        self.runtimes[node].power_off()

    def add_machine(self, node: str) -> None:
        """A fresh machine joins under the name of one that was removed."""
        agent = self.cluster.agent(node)
        assert agent is not None
        agent.resume()
        agent.forget_all()
        self.cluster.begin_anew(node)

    def forget_history(self) -> None:
        """Open watches end with 410, and none can begin at an older revision."""
        self.store.forget_history()
        self.plane.resources.hub.restored()

    # ------------------------------------------------------------------------------------------------ time

    def get(self, resource: str, name: str, namespace: str = "default") -> JsonObject | None:
        """One object as it is now."""
        return self.cluster.get(resource, namespace, name)

    def run_until(self, predicate: Callable[[], bool], limit: timedelta) -> bool:
        """Let virtual time pass until `predicate` holds; False after `limit`."""
        return self.loop.run_until(predicate, limit)

    def advance(self, delta: timedelta) -> None:
        """Let exactly `delta` pass."""
        self.loop.advance(delta)

    # ------------------------------------------------------------------------------------------------ copies

    def snapshot(self) -> ClusterState:
        """The whole state as a value."""
        return self.cluster.snapshot()._replace(inputs=self.inputs.snapshot())

    def restore(self, state: ClusterState) -> None:
        """Be again as at the moment of the snapshot; open watches end with 410."""
        self.cluster.restore(state)
        if state.now is not None:
            self.clock.restore(state.now)
        self.inputs.restore(state.inputs)
        self.plane.resources.hub.restored()

    def fork(self, lock: AbstractContextManager[object] | None = None) -> SimulatedCluster:
        """A second cluster with the same state and a life of its own."""
        other = SimulatedCluster(self.settings, lock)
        other.restore(self.snapshot())
        return other
