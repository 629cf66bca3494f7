"""`kube`: a cluster of scripted containers in virtual time, as a test sees it.

In process it is called directly; clients in other threads and processes reach it by `kube.kubeconfig`. Both meet the same API.
`Objects` is what every cluster for tests can do with objects; `Kube` adds what only virtual time can. Which options there are
stands in `options.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.container_choice import chosen_container, logged_run, running_id
from lifepod.assembly.simulated import SimulatedCluster
from lifepod.assembly.virtual_clock import DEFAULT_LIMIT, LengthOfTime, TurnedClock
from lifepod.assembly.virtual_server import Mounted, mount
from lifepod.runtime.sim import Program
from lifepod.runtime.sim.streams import SimStreams
from lifepod.testing.differences import differences
from lifepod.testing.environment import Environment
from lifepod.testing.errors import TestingError
from lifepod.testing.objects import Inside, required_pod
from lifepod.testing.options import Options, settings_of
from lifepod.testing.recorder import Recorder
from lifepod.testing.server_tls import ServerTls, server_tls
from lifepod.testing.service_account import Accounts
from lifepod.testing.snapshot import Snapshot

T = TypeVar("T")
P = TypeVar("P", bound=Callable[..., Any])


class Kube(Accounts):
    """A cluster in virtual time. Use it as a context manager, or `close` it."""

    def __init__(self, options: Options | None = None, sim: SimulatedCluster | None = None) -> None:
        self.options = options or Options()
        self._lock = threading.RLock()
        self._programs: dict[str, Program] = dict(self.options.images)
        self.sim = sim if sim is not None else self._made()
        self.clock = TurnedClock(self.sim, self._lock, self.options.clock)
        self._mounted: Mounted | None = None
        self._environment: Environment | None = None
        self._forks: list[Kube] = []
        self._recorder = Recorder(self.sim.store)
        for text in (self.options.faults,) if isinstance(self.options.faults, str) else self.options.faults:
            self.fault(text)
        self._first = self.snapshot()

    def _made(self) -> SimulatedCluster:
        return SimulatedCluster(settings_of(self.options, self._programs), self._lock)

    def __repr__(self) -> str:
        return f"<kube seed={self.options.seed} {self.clock!r}>"

    def __enter__(self) -> Kube:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Kube:
        """Have KUBECONFIG and the in-cluster configuration of this process name this cluster until `close`."""
        served = self._served()
        self._environment = Environment(served.url, served.files)
        return self

    def close(self) -> None:
        """End every client's streams; let go of the listener and the environment; close its forks."""
        for fork in self._forks:
            fork.close()
        if self._environment is not None:
            self._environment.restore()
            self._environment = None
        if self._mounted is not None:
            self._mounted.unmount()
            self._mounted = None

    # ------------------------------------------------------------------------------------------------ how it is reached

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of this cluster; $KUBECONFIG names it while the test runs."""
        return self._served().files.kubeconfig

    @property
    def url(self) -> str:
        """Where its API listens."""
        return self._served().url

    @property
    def token(self) -> str:
        """The administrator's bearer token."""
        return self._served().token

    @property
    def ca_pem(self) -> bytes:
        """The CA that signed the server's certificate."""
        return self._served().ca_pem

    def server_tls(self, *names: str) -> ServerTls:
        """A certificate for a server of the test's own, a webhook above all, that this cluster trusts by its `ca_bundle`.

        It is good for `127.0.0.1`, `localhost` and `names`, such as a Service's `hook.default.svc`.
        """
        return server_tls(self._served().files.folder, names)

    def _served(self) -> Mounted:
        if self._mounted is None:
            self._mounted = mount(self.sim, self.clock, self._lock)
        return self._mounted

    # ------------------------------------------------------------------------------------------------ time

    def advance(self, length: LengthOfTime) -> None:
        """Let exactly that much time pass: `"24h"`, `"1m30s"`, seconds or a timedelta."""
        self.clock.advance(length)

    def step(self) -> bool:
        """Go on to the next moment at which something happens; False when nothing ever will."""
        return self.clock.step() is not None

    def run_until(self, predicate: Callable[[], object], timeout: LengthOfTime = DEFAULT_LIMIT) -> bool:
        """Let time pass until `predicate()` is true; False when it is not after `timeout` of virtual time."""
        return self.clock.run_until(predicate, timeout)

    # ------------------------------------------------------------------------------------------------ containers

    def image(self, name: str) -> Callable[[P], P]:
        """Have containers of this image follow a Python generator:

        @kube.image("worker")
        def worker(c):
            yield c.log("up")
            yield c.sleep(3)
            yield c.exit(1)
        """

        def register(program: P) -> P:
            self._programs[name] = program
            return program

        return register

    def fault(self, text: str) -> str:
        """Let something go wrong from now on, as docs/faults.md lists it: `kube.fault("node-gone node2 for=5m")`; answers what
        it struck, "" when there was nothing to strike."""
        with self._lock:
            struck = self.sim.faults.inject(text)
            self.sim.loop.settle()
        self.clock.poke()
        return struck

    # ------------------------------------------------------------------------------------------------ inside pods

    def logs(self, pod: str, container: str = "", namespace: str = "default", previous: bool = False) -> str:
        """What a container has written. Raises ApiError as `kubectl logs` fails."""

        def look(sim: SimulatedCluster) -> str:
            obj = required_pod(sim, namespace, pod)
            run = logged_run(obj, chosen_container(obj, container), previous)
            return _streams(sim, obj).log_now(obj["metadata"]["uid"], run).decode(errors="replace")

        return self._look(look)

    def exec(self, pod: str, *command: str, container: str = "", namespace: str = "default") -> tuple[int, str]:
        """Run a command in a container; its exit code and what it wrote. It must end without time passing."""

        def look(sim: SimulatedCluster) -> tuple[int, str]:
            obj = required_pod(sim, namespace, pod)
            name = chosen_container(obj, container)
            run = running_id(obj, name)
            if not run:
                raise TestingError(f"container {name} of pod {pod} does not run")
            code, output = _streams(sim, obj).exec_now(obj["metadata"]["uid"], run, command)
            if code is None:
                raise TestingError(f"{' '.join(command)} takes time. Run it by a client, and let time pass meanwhile.")
            return code, output.decode(errors="replace")

        return self._look(look)

    # ------------------------------------------------------------------------------------------------ copies

    def snapshot(self) -> Snapshot:
        """The whole state of the cluster, its clock and its stories, as a value."""
        with self._lock:
            return Snapshot(self.sim.snapshot(), self._recorder.snapshot())

    def restore(self, snapshot: Snapshot) -> None:
        """Be again as at the snapshot, this cluster's own or one that was loaded. Open watches end with 410, resourceVersions
        never go back."""
        with self._lock:
            if set(snapshot.state.parts) != set(self.sim.snapshot().parts):
                raise TestingError("that snapshot is of a cluster with other nodes: make this one as that was made")
            self.sim.restore(snapshot.state)
            self._recorder.restore(snapshot.stories)
            self.clock.restored()

    def reset(self) -> None:
        """Be again as at the beginning."""
        self.restore(self._first)

    def fork(self) -> Kube:
        """A second cluster that is as this one is now and goes its own way: a clock, a store and, once it is asked for its
        `kubeconfig`, `url` or a client, a listener of its own."""
        with self._lock:
            state, programs = self.sim.snapshot(), dict(self._programs)
            options = self.options._replace(images=programs)
            other = Kube(options)
            other.sim.restore(state)
            other.clock.follow(self.clock)
            other._recorder.restore(self._recorder.snapshot())
            other._first = other.snapshot()
        self._forks.append(other)
        return other

    def differences(self, other: Kube) -> list[str]:
        """What another cluster has otherwise, a line for each object: `+ pods default/web` is only in the other, `-` only here,
        `~` in both with these fields different. Revisions and managedFields do not count."""
        return differences(self._objects_by_name(), other._objects_by_name())

    def _objects_by_name(self) -> dict[str, JsonObject]:
        def look(sim: Inside) -> dict[str, JsonObject]:
            store = sim.store
            return {
                f"{resource} {record.key}": store.decoded(record)
                for resource in store.resources()
                for record in store.list(resource).records
            }

        return self._look(look)

    # ------------------------------------------------------------------------------------------------ for Objects

    def _request(self, method: str, path: str, body: JsonObject | None = None, content_type: str = "") -> JsonObject:
        self.clock.begin_move()
        try:
            with self._lock:
                self.clock.sync()
                if method != "GET":
                    self.clock.rules.touched(self.sim.clock.now())
            # without the lock: a webhook may want it
            return self.sim.request(method, path, body, content_type or "application/json")
        finally:
            self.clock.end_move()

    def _look(self, look: Callable[[SimulatedCluster], T]) -> T:
        with self._lock:
            self.clock.sync()
            return look(self.sim)


def _streams(sim: SimulatedCluster, pod: JsonObject) -> SimStreams:
    streams = sim.streams(str(dig(pod, "spec", "nodeName")))
    assert isinstance(streams, SimStreams)
    return streams
