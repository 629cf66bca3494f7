"""What the scripted runtime has of one pod, as frozen values, and the report it makes of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, TypeAlias

from lifepod.lifecycle.vocabulary import ContainerReport, Outcome, RuntimeReport, RuntimeState, SandboxReport
from lifepod.runtime.base import ContainerConfig, HookOrder, ProbeOrder, SandboxConfig
from lifepod.runtime.sim.files import Tree
from lifepod.runtime.sim.log import Log
from lifepod.runtime.sim.program import Programmed
from lifepod.runtime.sim.script import Scripted
from lifepod.runtime.sim.shell import Shell

Process: TypeAlias = Shell | Scripted | Programmed

_DEFAULT_USER = (0, 0, (0, 10))


class SimContainer(NamedTuple):
    """One attempt of a container. `stops` are the numbers of the orders that wait for its end, `kill_at` when it is
    killed, `resume_at` when its process first runs."""

    id: str
    config: ContainerConfig
    created_at: datetime
    state: RuntimeState = "created"
    process: Process | None = None
    log: Log = Log()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    stops: tuple[int, ...] = ()
    kill_at: datetime | None = None
    resume_at: datetime | None = None
    asked_image: str = ""


class SimExec(NamedTuple):
    """A further process in a container, for a probe or hook (`order`, numbered so) or a stream (numbered below 0). It is given up
    at `deadline`."""

    number: int
    container_id: str
    order: ProbeOrder | HookOrder | None
    process: Process | None
    deadline: datetime | None = None
    command: tuple[str, ...] = ()


def pid_of(number: int) -> int:
    """The process id, in its container, of the further process with that number."""
    return 2 * abs(number) + (1 if number < 0 else 2)


class SimPod(NamedTuple):
    """All that there is of one pod. `delayed`: orders that end at a known moment; `starts`: containers that start then."""

    uid: str
    sandboxes: tuple[SandboxReport, ...] = ()
    config: SandboxConfig | None = None
    containers: tuple[SimContainer, ...] = ()
    execs: tuple[SimExec, ...] = ()
    tree: Tree = {}  # noqa: RUF012 - never changed
    file_volumes: frozenset[str] = frozenset()
    delayed: tuple[tuple[datetime, int, Outcome], ...] = ()
    starts: tuple[tuple[datetime, int, str], ...] = ()

    def container(self, container_id: str) -> SimContainer | None:
        """The container with that id."""
        return next((c for c in self.containers if c.id == container_id), None)

    def with_container(self, container: SimContainer) -> SimPod:
        """The pod with `container` in place of the one with its id."""
        return self._replace(containers=tuple(container if c.id == container.id else c for c in self.containers))

    def without_exec(self, number: int) -> SimPod:
        """The pod without one of the further processes."""
        return self._replace(execs=tuple(e for e in self.execs if e.number != number))

    def with_exec(self, exec_: SimExec) -> SimPod:
        """The pod with `exec_` in place of the one with its number."""
        return self._replace(execs=tuple(exec_ if e.number == exec_.number else e for e in self.execs))

    @property
    def ip(self) -> str:
        """The address of its ready sandbox; "" when there is none."""
        ready = next((s for s in self.sandboxes if s.state == "ready"), None)
        return ready.ips[0] if ready is not None and ready.ips else ""


def report_of(pod: SimPod) -> RuntimeReport:
    """The whole picture, newest first."""
    return RuntimeReport(pod.sandboxes, tuple(_container_report(c) for c in pod.containers))


def _container_report(c: SimContainer) -> ContainerReport:
    config = c.config
    return ContainerReport(
        c.id,
        config.name,
        config.sandbox_id,
        config.attempt,
        c.state,
        config.image,
        config.image_ref,
        c.created_at,
        c.started_at,
        c.finished_at,
        c.exit_code,
        c.reason,
        c.message,
        _DEFAULT_USER,
        c.asked_image,
    )
