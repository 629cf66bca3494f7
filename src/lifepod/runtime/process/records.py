"""What a process runtime has, by pod: sandboxes and containers, and the report made of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lifepod.lifecycle.vocabulary import ContainerReport, RuntimeReport, SandboxReport

if TYPE_CHECKING:
    from lifepod.lifecycle.vocabulary import RuntimeState
    from lifepod.runtime.base import ContainerConfig, SandboxConfig
    from lifepod.runtime.process.container_link import ContainerLink
    from lifepod.runtime.process.exec_stream import Exec

NEVER_STARTED = datetime(1970, 1, 1, tzinfo=UTC)


class SandboxRecord:
    """A pod sandbox: its configuration, addresses and whether it still stands."""

    def __init__(self, sandbox_id: str, config: SandboxConfig, created_at: datetime) -> None:
        self.id = sandbox_id
        self.config = config
        self.created_at = created_at
        self.is_ready = False
        self.ips: tuple[str, ...] = ()
        self.first_process = 0
        """Process 1 of the namespace that the pod's containers share; 0: each has its own."""

    def report(self) -> SandboxReport:
        return SandboxReport(
            self.id,
            self.config.attempt,
            "ready" if self.is_ready else "notready",
            self.created_at,
            self.ips,
            self.config.host_network,
        )


class ContainerRecord:
    """One attempt of one container, from created to exited."""

    def __init__(
        self,
        container_id: str,
        config: ContainerConfig,
        attempt: int,
        created_at: datetime,
        folder: str,
        log_path: str,
        image: str,
    ) -> None:
        self.id = container_id
        self.config = config
        self.attempt = attempt
        self.created_at = created_at
        self.folder = folder
        self.log_path = log_path
        self.image = image
        self.image_root = ""
        """Where the image's files lie; "": this machine's own files are shown."""
        self.stop_signal = ""
        self.state: RuntimeState = "created"
        self.link: ContainerLink | None = None
        self.execs: set[Exec] = set()
        self.pid = 0
        self.supervisor = 0
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.exit_code: int | None = None
        self.reason = ""
        self.message = ""
        self.ended = asyncio.Event()

    def end(self, code: int, reason: str, message: str, finished_at: datetime) -> None:
        """It does not run any more, whatever it was."""
        self.state = "exited"
        self.exit_code, self.reason, self.message, self.finished_at = code, reason, message, finished_at
        self.ended.set()

    def report(self) -> ContainerReport:
        return ContainerReport(
            id=self.id,
            name=self.config.name,
            sandbox_id=self.config.sandbox_id,
            attempt=self.attempt,
            state=self.state,
            image=self.image,
            image_id=self.config.image_ref,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            exit_code=self.exit_code,
            reason=self.reason,
            message=self.message,
            asked_image=self.config.image,
        )


class PodRecord:
    """Everything of one pod."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.sandboxes: dict[str, SandboxRecord] = {}
        self.containers: dict[str, ContainerRecord] = {}
        self.volumes: dict[str, str] = {}
        self.log_folders: set[str] = set()
        self.tmpfs: set[str] = set()
        self.last_report: RuntimeReport | None = None

    def report(self) -> RuntimeReport:
        """The whole present picture, newest first."""
        return RuntimeReport(
            tuple(s.report() for s in reversed(self.sandboxes.values())),
            tuple(c.report() for c in reversed(self.containers.values())),
        )
