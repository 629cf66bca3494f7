"""A cluster of this process in real time: control plane, nodes with real containers, network, TLS. `up` and `run` both start one.

Everything it makes is taken down by `stop`; with `data` the objects, and the pods if this process is killed, outlive it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.apiserver.asgi import AsgiApp
from lifepod.apiserver.certificates import Credentials, mint_credentials, mint_server
from lifepod.apiserver.own_endpoints import publish_address
from lifepod.apiserver.server import Server, Tls, serve
from lifepod.apiserver.token import TokenOrder
from lifepod.assembly.bind_address import LOOPBACK, names_of
from lifepod.assembly.cluster import Cluster
from lifepod.assembly.control_plane import Around, ControlPlane, control_plane
from lifepod.assembly.decision_pages import DecisionPages
from lifepod.assembly.errors import StartError
from lifepod.assembly.real_time import RandomIds, RealClock, RealDriver
from lifepod.assembly.shared_runtime import SharedRuntime
from lifepod.assembly.this_machine import node_settings, resolv_conf
from lifepod.client.base import Client
from lifepod.client.in_process import InProcess
from lifepod.client.kubeconfig import Credentials as KubeconfigCredentials
from lifepod.client.kubeconfig import rendered
from lifepod.controller_manager.builtin import builtin_parts
from lifepod.controller_manager.store_view import StoreView
from lifepod.lifecycle.vocabulary import Because
from lifepod.lifecycle.volumes import Content, Late
from lifepod.net.node_network import NodeNetwork, cluster_dns_ip
from lifepod.net.service_table import service_table
from lifepod.node.agent import Agent
from lifepod.node.node_status import NodeCondition
from lifepod.node.resource_usage import ResourceUsage
from lifepod.runtime.base import NodeStreams, UsageSample
from lifepod.runtime.image_source import ImageSource
from lifepod.runtime.process.loose_limits import CONDITION as LIMITS_ENFORCED
from lifepod.runtime.process.runtime import ProcessRuntime
from lifepod.runtime.process.usage import can_measure, machine_sample
from lifepod.runtime.volume_folders import remove_tree
from lifepod.store import Selection, Store
from lifepod.store.record import Change

if TYPE_CHECKING:
    from lifepod.runtime.images.local_images import Progress

_log = logging.getLogger("lifepod")
SERVICE_CIDR = "10.96.0.0/16"
_NETWORKED = frozenset(("services", "endpointslices.discovery.k8s.io"))


class LocalOptions(NamedTuple):
    """What a cluster of this process is made of. `runtime` is `sandbox`, `host` or `sim`; `work` a folder of its own.

    `images`, in the sandbox: `auto` (real ones), `host` (this machine's files stand in for every image) or `if-reachable`
    (real ones where they are here or their registry answers, else stand-ins). `way_out`: pods of the sandbox reach what is outside
    of the cluster, where this machine has a program for it. `max_processes`: of each container in the sandbox; None: any number.
    `host`: the address at which the API listens.
    """

    runtime: str = "sandbox"
    nodes: int = 1
    port: int = 0
    data: Path | None = None
    work: Path | None = None
    images: str = "host"
    insecure_registries: tuple[str, ...] = ()
    way_out: bool = False
    max_processes: int | None = None
    host: str = LOOPBACK


class LocalCluster:
    """One cluster: `start`, then everything else, `stop` at the end."""

    plane: ControlPlane
    cluster: Cluster
    server: Server

    def __init__(self, options: LocalOptions) -> None:
        self.options = options
        self.clock = RealClock()
        self.warnings: list[tuple[str, str]] = []
        self.kept = 0
        """How many objects came back from `data`."""
        self.adopted = 0
        """How many pods had outlived the last lifepod."""
        self._no_way_out = ""
        self.on_notice: Callable[[str], None] = _log.warning
        """Hears once of what people should know of the whole cluster."""
        self.on_pull: Callable[[Progress], None] = lambda progress: None
        """Hears how far pulls are, a few times a second."""
        self._ids = RandomIds()
        self._shared = SharedRuntime()
        self._scripted: dict[str, NodeStreams] = {}
        self._work = options.work or Path(tempfile.mkdtemp(prefix="lifepod-"))
        self._volumes = (options.data or self._work).absolute() / "volumes"
        self._driver: RealDriver | None = None
        self._runtime: ProcessRuntime | None = None
        self._network: NodeNetwork | None = None
        self._network_changed = asyncio.Event()
        self._network_task: asyncio.Task[None] | None = None
        if options.data is None:
            self._data = None
        else:
            from lifepod.assembly.data_folder import DataFolder

            self._data = DataFolder(options.data)

    # ------------------------------------------------------------------------------------------------ start and stop

    async def start(self) -> None:
        """Bring everything up; returns when the API answers and the nodes are registered. Raises StartError."""
        if self.options.max_processes is not None and self.options.runtime != "sandbox":
            raise StartError("--max-processes is the sandbox's: leave it out, or --runtime")
        store, credentials = Store(), self._credentials()
        if self._data is not None:
            self.kept = self._data.attach(store)
        durable = self._data.durable if self._data else lambda revision: None
        pages = (DecisionPages(self.decisions),)
        around = Around(
            self.clock.now,
            self._ids,
            self.streams_for,
            self._wake,
            durable=durable,
            extra_paths=pages,
            usage=self._usage(),
        )
        self.plane = control_plane(around, credentials, store)
        if self._data is not None:
            self._data.serve(self.plane.api)
        self.cluster = Cluster(self.plane.api, self._wake, lambda name, problem: _report(problem))
        self._driver = RealDriver(self.cluster, self.clock.now, _report)
        loop = asyncio.get_running_loop()
        self.cluster.asked.on_answer = partial(loop.call_soon_threadsafe, self._wake)  # type: ignore[assignment]  # its handle is of no use
        view = StoreView(self.plane.store, self.plane.api.kinds)
        for part in builtin_parts(
            view, self._ids, self.plane.api.settings.root_ca, socket.gethostname(), str(self._volumes)
        ):
            self.cluster.add_part(part)
        self.server = await self._listening(credentials)
        if self._data is not None:
            self._data.listen_to(lambda: self.server.turns)
        publish_address(self.plane.api, self.server.host, self.server.port, self.clock.now())
        await self._start_nodes()
        self.plane.store.on_change(self._on_change)
        self._network_changed.set()
        self.cluster.turn(self.clock.now())
        self._wake()

    def _usage(self) -> ResourceUsage | None:
        """Who measures; nobody where containers are scripted, nor where there is no /proc to read."""
        if self.options.runtime == "sim" or not can_measure():
            return None

        def samples(uid: str) -> tuple[UsageSample, ...]:
            return self._runtime.samples(uid) if self._runtime is not None else ()

        return ResourceUsage(samples, machine_sample)

    def _credentials(self) -> Credentials:
        """Those of the data folder, or new ones; the server's is made for the address at which it listens now."""
        now = self.clock.now()
        known = self._data.credentials(now) if self._data else mint_credentials(now)
        if not (names := names_of(self.options.host)):
            return known
        return known._replace(server=mint_server(known.ca, names, now))

    async def _listening(self, credentials: Credentials) -> Server:
        tls = Tls(credentials.server, credentials.ca.certificate)
        try:
            return await serve(self.plane.app.site, host=self.options.host, port=self.options.port, tls=tls)
        except OSError as exc:
            text = exc.strerror or str(exc)
            raise StartError(
                f"port {self.options.port} of {self.options.host} cannot be had: {text}. Give another --port or --bind."
            ) from exc

    async def _start_nodes(self) -> None:
        if self.options.runtime == "sim":
            from lifepod.assembly.scripted_nodes import add_scripted_nodes

            self._scripted = add_scripted_nodes(self.cluster, self.options.nodes, self._ids, self.clock.now, self._mint)
            return
        runtime, address = await self._started_runtime()
        self.adopted = len(runtime.reports())
        self._give_back(runtime.reports())
        self._shared.streams = runtime
        enforced, reason, message = runtime.enforcement()
        limits = NodeCondition(LIMITS_ENFORCED, "True" if enforced else "False", reason, message)
        for number in range(1, self.options.nodes + 1):
            settings = node_settings(f"node{number}", address, runtime.scheme)._replace(conditions=(limits,))
            agent = Agent(
                settings,
                self.cluster,
                self.cluster.references,
                runtime.scheme,
                self._mint,
                cluster_dns=cluster_dns_ip(SERVICE_CIDR),
                node_resolv_conf=resolv_conf(),
                stands_in=runtime.images.stands_in,
            )
            share = self._shared.add_node(settings.name, self.cluster.listener(settings.name), runtime)
            self.cluster.add_node(agent, share)
        self._network_task = asyncio.create_task(self._keep_network())

    def _give_back(self, lived_on: Iterable[str]) -> None:
        """Each pod that lived on without us belongs to its node; one that the API does not know, to the first, which stops it."""
        for uid in lived_on:
            record = self.plane.store.with_uid(uid)
            self._shared.belongs(uid, (record.field if record is not None else "") or "node1")

    async def _started_runtime(self) -> tuple[ProcessRuntime, str]:
        """The runtime that all nodes share, and the nodes' address."""
        folder = (self.options.data or self._work) / "node"
        persistent = self.options.data is not None
        runtime: ProcessRuntime
        if self.options.runtime == "host":
            from lifepod.runtime.host.runtime import HostRuntime

            self._network = NodeNetwork(SERVICE_CIDR)
            dns = await self._network.start()
            runtime = HostRuntime(
                "node1",
                folder,
                self._shared,
                self.clock,
                dns_address=dns,
                persistent=persistent,
                on_warning=self._warn,
                scratch=(str(self._work),),
            )
            self._runtime = runtime
            await runtime.start()
            return runtime, runtime.node_address
        from lifepod.runtime.sandbox.runtime import POD_CIDR, SandboxRuntime
        from lifepod.runtime.sandbox.way_out import find_way_out

        way_out = find_way_out() if self.options.way_out else ""
        sandbox = SandboxRuntime(
            "node1",
            folder,
            self._shared,
            self.clock,
            service_cidr=SERVICE_CIDR,
            persistent=persistent,
            on_warning=self._warn,
            images=self._images(),
            max_processes=self.options.max_processes,
            scratch=(str(self._work),),
            way_out=way_out,
            on_no_way_out=self._on_no_way_out,
        )
        self._runtime = sandbox
        await sandbox.start()
        if self.options.way_out and not way_out:
            self._on_no_way_out("`lifepod doctor` says what to install")
        self._network = NodeNetwork(SERVICE_CIDR, sandbox.node_socket, self._on_outside)
        await self._network.start()
        return sandbox, str(IPv4Network(POD_CIDR)[1])

    def _images(self) -> ImageSource | None:
        insecure = self.options.insecure_registries
        if self.options.images == "host":
            return None
        if self.options.images == "auto":
            from lifepod.runtime.images.pod_images import PodImages

            return PodImages(insecure=insecure, on_progress=self._pulling)
        from lifepod.runtime.reachable_images import ReachableImages

        kept = str(self.options.data.absolute() / "images.json") if self.options.data else ""
        return ReachableImages(insecure=insecure, kept=kept, on_notice=self._notice, on_progress=self._pulling)

    async def stop(self) -> None:
        """Take everything down: watches end, containers are killed, folders go. What `data` keeps stays."""
        if self._driver is not None:
            self._driver.stop()
        if self._network_task is not None:
            self._network_task.cancel()
            await asyncio.gather(self._network_task, return_exceptions=True)
        if hasattr(self, "server"):
            await self.server.stop()
        if self._network is not None:
            await self._network.close()
        if self._runtime is not None:
            await self._runtime.close()
        try:
            if self._data is not None:
                self._data.close()
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------ while it is up

    @property
    def work(self) -> Path:
        """A folder that ends with the cluster, even if this process is killed."""
        return self._work

    def client(self) -> Client:
        """The administrator's way in without a socket."""
        return Client(InProcess(AsgiApp(self.plane.app.site), self.plane.token))

    def kubeconfig(self, name: str) -> JsonObject:
        """A kubeconfig of this cluster under `name`."""
        known = self.plane.credentials
        return rendered(
            name, KubeconfigCredentials(self.server.url, known.ca.certificate, known.admin.certificate, known.admin.key)
        )

    def streams_for(self, node: str) -> NodeStreams | None:
        """The logs, processes and ports of a node's pods."""
        return self._scripted.get(node) or self._shared.streams_for(node)

    def decisions(self, pod_uid: str) -> tuple[Because, ...]:
        """What the core noted of a pod, newest last."""
        return self.cluster.decisions(pod_uid)

    def _wake(self) -> None:
        if self._driver is not None:
            self._driver.wake()

    def _mint(self, pod: JsonObject, audience: str, seconds: int) -> Content:
        meta, spec = pod["metadata"], pod["spec"]
        account = self.plane.store.get("serviceaccounts", meta["namespace"], spec.get("serviceAccountName", "default"))
        if account is None:
            return b""
        audiences = (audience,) if audience else (self.plane.api.settings.issuer,)
        sign, _ = self.plane.tokens.issue_later(TokenOrder(account, audiences, seconds, self._ids.uid(), pod))
        return Late(lambda: sign().encode())

    def _on_no_way_out(self, problem: str) -> None:
        self._no_way_out = problem

    def _on_outside(self, name: str) -> None:
        """A pod looked up something that it then cannot reach; that is worth one line."""
        if self._no_way_out:
            self._notice(
                f"network: a pod looked up {name}, but pods reach nothing outside of their cluster here: {self._no_way_out}"
            )
            self._no_way_out = ""

    def _pulling(self, progress: Progress) -> None:
        self.on_pull(progress)

    def _notice(self, text: str) -> None:
        self.on_notice(text)

    def _warn(self, pod_uid: str, text: str) -> None:
        self.warnings.append((pod_uid, text))
        _log.warning("pod %s: %s", pod_uid, text)

    # ------------------------------------------------------------------------------------------------ network

    def _on_change(self, change: Change) -> None:
        if change.new.resource in _NETWORKED:
            self._network_changed.set()
        if change.new.resource == "persistentvolumes" and change.type == "DELETED":
            self._remove_folder(self.plane.store.decoded(change.new))

    def _remove_folder(self, volume: JsonObject) -> None:
        """The folder of a volume that was provisioned here goes with the volume."""
        path = Path((volume["spec"].get("hostPath") or {}).get("path", ""))
        if path.parent == self._volumes:
            asyncio.get_running_loop().run_in_executor(None, remove_tree, str(path))

    async def _keep_network(self) -> None:
        """Names and Service addresses follow the API's objects."""
        while True:
            await self._network_changed.wait()
            self._network_changed.clear()
            services, slices = (self._all(resource) for resource in ("services", "endpointslices.discovery.k8s.io"))
            table = service_table(services, slices, api_server=(self.server.host, self.server.port))
            with contextlib.suppress(OSError):
                assert self._network is not None
                await self._network.update(table)

    def _all(self, resource: str) -> list[JsonObject]:
        store = self.plane.store
        return [store.decoded(record) for record in store.list(resource, Selection()).records]


def _report(problem: BaseException) -> None:
    _log.error("a look failed; this is a bug of lifepod: please report it", exc_info=problem)
    if os.environ.get("LIFEPOD_DEBUG"):
        raise problem
