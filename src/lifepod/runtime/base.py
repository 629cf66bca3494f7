"""What lifepod asks of whoever runs containers: CRI's verbs as values, and the streams of a node.

A runtime never decides: it does as told and says what is. `Runtime.perform` starts an `Order` and returns at once; the end
comes as `Ended` through the listener, and every change of what it has of a pod as a whole new `RuntimeReport`.
Implementations: `sandbox/` (namespaces), `host/` (plain processes), `sim/` (scripted, in virtual time).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol, TypeAlias

from lifepod.lifecycle.vocabulary import Ended, Handler, HookKind, ProbeKind, RuntimeReport
from lifepod.lifecycle.volumes import Content


class FileContent(NamedTuple):
    """One file of a volume that is made of API objects."""

    path: str
    content: Content
    mode: int


class VolumeConfig(NamedTuple):
    """One volume, resolved.

    kind `empty`: a folder of the pod's own (`medium` "Memory": tmpfs). kind `files`: exactly these files, replaced atomically
    by the `..data` link. kind `host`: the machine's own `host_path`, checked and made as `host_type` says. kind `claim`: a
    folder that outlives the pod.
    """

    name: str
    kind: Literal["empty", "files", "host", "claim"]
    medium: str = ""
    size_limit_bytes: int | None = None
    files: tuple[FileContent, ...] = ()
    host_path: str = ""
    host_type: str = ""


class SandboxConfig(NamedTuple):
    """A pod sandbox to be made. `hosts` is the text of /etc/hosts with `%POD_IP%` where the pod's address goes."""

    namespace: str
    name: str
    attempt: int
    hostname: str
    host_network: bool
    hosts: str
    resolv_conf: str
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    share_process_namespace: bool = False
    host_pid: bool = False
    host_ipc: bool = False


class Mount(NamedTuple):
    """A volume's place in a container."""

    volume: str
    mount_path: str
    read_only: bool
    sub_path: str = ""


class Resources(NamedTuple):
    """Limits and requests in base units; None: not set."""

    cpu_limit_millicores: int | None = None
    memory_limit_bytes: int | None = None
    cpu_request_millicores: int | None = None
    memory_request_bytes: int | None = None


class SecurityConfig(NamedTuple):
    """Who the container runs as and what it may."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool = False
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    allow_privilege_escalation: bool = True
    seccomp_unconfined: bool = False


class ContainerConfig(NamedTuple):
    """A container to be created. Everything is resolved: no references, no `$(NAME)`.

    `command` and `args` are the spec's (empty: the image's). `termination_message_path` is a fresh empty file per attempt.
    """

    pod_namespace: str
    pod_name: str
    name: str
    attempt: int
    sandbox_id: str
    image: str
    image_ref: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    working_dir: str
    mounts: tuple[Mount, ...]
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    resources: Resources = Resources()
    security: SecurityConfig = SecurityConfig()
    annotations: tuple[tuple[str, str], ...] = ()


class SetUpVolumes(NamedTuple):
    """Make or refresh the volumes. `failed` were already found impossible by the agent: (volume, text)."""

    volumes: tuple[VolumeConfig, ...]
    failed: tuple[tuple[str, str], ...] = ()


class RunSandbox(NamedTuple):
    config: SandboxConfig


class StopSandboxOrder(NamedTuple):
    sandbox_id: str


class RemoveSandboxOrder(NamedTuple):
    sandbox_id: str


class InspectImageOrder(NamedTuple):
    image: str
    container: str = ""


class PullImageOrder(NamedTuple):
    image: str
    registry_auth: tuple[tuple[str, str], ...] = ()
    container: str = ""


class CreateContainerOrder(NamedTuple):
    config: ContainerConfig


class StartContainerOrder(NamedTuple):
    container_id: str


class StopContainerOrder(NamedTuple):
    container_id: str
    grace_seconds: int
    signal: str = "TERM"


class RemoveContainerOrder(NamedTuple):
    container_id: str


class HookOrder(NamedTuple):
    """A hook; named ports are numbers by now, host "" is the pod's IP."""

    container_id: str
    hook: HookKind
    handler: Handler


class ProbeOrder(NamedTuple):
    """A probe; named ports are numbers by now, host "" is the pod's IP."""

    container_id: str
    probe: ProbeKind
    handler: Handler
    timeout_seconds: int


class TearDownVolumes(NamedTuple):
    """Remove everything of the pod: volumes, sandboxes, containers, logs."""


Verb: TypeAlias = (
    SetUpVolumes
    | RunSandbox
    | StopSandboxOrder
    | RemoveSandboxOrder
    | InspectImageOrder
    | PullImageOrder
    | CreateContainerOrder
    | StartContainerOrder
    | StopContainerOrder
    | RemoveContainerOrder
    | HookOrder
    | ProbeOrder
    | TearDownVolumes
)


class Order(NamedTuple):
    """A verb for one pod; `number` is the core's action number, given back in `Ended`."""

    pod_uid: str
    number: int
    verb: Verb


class Listener(Protocol):
    """Who hears of ends and reports. Called on the thread that drives the cluster."""

    def on_ended(self, pod_uid: str, ended: Ended) -> None: ...

    def on_report(self, pod_uid: str, report: RuntimeReport) -> None: ...


class Runtime(Protocol):
    """Runs the containers of one node."""

    scheme: str
    """What stands before `://` in a container id: `process`, `sim`…"""

    def perform(self, order: Order) -> None:
        """Start carrying the order out. Does not wait and does not raise; ends as exactly one `Ended`."""
        ...

    def reports(self) -> dict[str, RuntimeReport]:
        """What is here now by pod UID; after a restart with `--data`, the pods that lived on."""
        ...


# ------------------------------------------------------------------------------------------------ usage


class UsageSample(NamedTuple):
    """What a running container has used since its start, and the memory it has now. `id` tells its attempts apart."""

    id: str
    name: str
    started_at: datetime
    cpu_nanoseconds: int
    memory_bytes: int


class ContainerUsage(NamedTuple):
    """What a container uses: CPU in billionths of a core, memory as its working set."""

    name: str
    cpu_nanocores: int
    memory_bytes: int


class MeasuredUsage(NamedTuple):
    """What all containers of a pod used between `at - window` and `at`."""

    at: datetime
    window: timedelta
    containers: tuple[ContainerUsage, ...]


class UsageSource(Protocol):
    """Who measures for metrics.k8s.io. `look_…` measures and says whether to look again in a second."""

    def look_at_pods(self, uids: Iterable[str], now: datetime) -> bool: ...

    def look_at_node(self, now: datetime) -> bool: ...

    def pod(self, uid: str) -> MeasuredUsage | None: ...

    def node(self) -> MeasuredUsage | None: ...


# ------------------------------------------------------------------------------------------------ streams


class LogOptions(NamedTuple):
    """Which part of a log. Times in seconds since the epoch."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since_epoch: float | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None


class ExecStream(Protocol):
    """A process in a container with its ends. Channels: 1 stdout, 2 stderr."""

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    def output(self) -> AsyncIterator[tuple[int, bytes]]: ...

    async def exit_code(self) -> int:
        """Waits for the end. For attach: 0 once the container ended."""
        ...

    async def close(self) -> None: ...


class ByteStream(Protocol):
    """A connection to a port of a pod."""

    async def read(self, limit: int = 65536) -> bytes:
        """b"" at the end."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close_write(self) -> None: ...

    async def close(self) -> None: ...


class StreamRefused(Exception):
    """The node cannot give that stream; the text is the runtime's."""


class NodeStreams(Protocol):
    """What the API server reaches on a node: in process here, the kubelet's HTTPS API on a real node.

    `container_id` is the container whose log or process is meant; the caller chose it by the status.
    """

    def log(self, pod_uid: str, container_id: str, options: LogOptions) -> AsyncIterator[bytes]: ...

    async def exec(
        self, pod_uid: str, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> ExecStream: ...

    async def attach(self, pod_uid: str, container_id: str, *, stdin: bool, tty: bool) -> ExecStream: ...

    async def dial(self, pod_uid: str, port: int) -> ByteStream: ...
