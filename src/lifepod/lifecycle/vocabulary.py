"""Everything that goes into and comes out of the lifecycle core. Read this file first.

`Seen` is what the caller observed, `Step` what it must do. All values are immutable, comparable and made of plain data, so a
run can be recorded, replayed and stepped backwards. Nothing here decides; the rules are in the files beside it.
Times are aware datetimes in UTC; durations in whole seconds carry `_seconds`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject

if TYPE_CHECKING:
    from lifepod.lifecycle.memory import PodMemory

ContainerKind = Literal["init", "sidecar", "regular", "ephemeral"]
ProbeKind = Literal["startup", "liveness", "readiness"]
HookKind = Literal["postStart", "preStop"]
RestartPolicy = Literal["Always", "OnFailure", "Never"]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]

# ------------------------------------------------------------------------------------------------ what is wished: the pod's spec


class ExecHandler(NamedTuple):
    """Run a command in the container; exit code 0 is success."""

    command: tuple[str, ...]


class HttpGetHandler(NamedTuple):
    """GET a URL. `host` "" means the pod's IP; a string `port` names one of the container's ports."""

    port: int | str
    path: str = "/"
    scheme: str = "HTTP"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class TcpHandler(NamedTuple):
    """Open a TCP connection."""

    port: int | str
    host: str = ""


class GrpcHandler(NamedTuple):
    """Ask the gRPC health service."""

    port: int
    service: str = ""


class SleepHandler(NamedTuple):
    """Only wait (hooks)."""

    seconds: int


Handler: TypeAlias = ExecHandler | HttpGetHandler | TcpHandler | GrpcHandler | SleepHandler


class ProbeSpec(NamedTuple):
    """One probe, defaults filled in (lifecycle.md §6.1)."""

    handler: Handler
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class RestartRule(NamedTuple):
    """One of a container's own restartPolicyRules."""

    action: str
    operator: Literal["In", "NotIn"]
    values: tuple[int, ...]


class MountShown(NamedTuple):
    """A volume mount as the container status shows it."""

    name: str
    mount_path: str
    read_only: bool
    recursive_read_only: str | None


class ContainerSpec(NamedTuple):
    """A container of the pod's spec, as far as the lifecycle cares. What is in it to run is the node's affair."""

    name: str
    kind: ContainerKind
    image: str
    image_pull_policy: PullPolicy = "IfNotPresent"
    restart_policy: RestartPolicy | None = None
    restart_rules: tuple[RestartRule, ...] = ()
    startup_probe: ProbeSpec | None = None
    liveness_probe: ProbeSpec | None = None
    readiness_probe: ProbeSpec | None = None
    post_start: Handler | None = None
    pre_stop: Handler | None = None
    mounts: tuple[MountShown, ...] = ()
    resources: JsonObject = {}  # noqa: RUF012 - a NamedTuple default; never changed
    ports: tuple[tuple[str, int], ...] = ()


class PodSpec(NamedTuple):
    """The spec of a pod, as far as the lifecycle cares; made from the JSON once per generation (`pod_spec.py`)."""

    restart_policy: RestartPolicy
    containers: tuple[ContainerSpec, ...]
    init_containers: tuple[ContainerSpec, ...] = ()
    ephemeral_containers: tuple[ContainerSpec, ...] = ()
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    host_network: bool = False
    readiness_gates: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    image_pull_secrets: tuple[str, ...] = ()


class Deletion(NamedTuple):
    """The pod carries a deletionTimestamp."""

    timestamp: datetime
    grace_period_seconds: int


class Pod(NamedTuple):
    """A pod as the API server has it."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: PodSpec
    deletion: Deletion | None
    status: JsonObject
    finalizers: tuple[str, ...] = ()
    is_static: bool = False


# ------------------------------------------------------------------------------------------------ what is: the runtime's report

SandboxState = Literal["ready", "notready"]
RuntimeState = Literal["created", "running", "exited", "unknown"]


class SandboxReport(NamedTuple):
    """A pod sandbox that the runtime has. `ips` is empty until the network is up, and on the host's network."""

    id: str
    attempt: int
    state: SandboxState
    created_at: datetime
    ips: tuple[str, ...] = ()
    host_network: bool = False


class ContainerReport(NamedTuple):
    """A container that the runtime has: one attempt of one name.

    `id` carries no scheme; `image` is the runtime's name of it, `image_id` its reference. `exit_code`, `reason` (`Completed`,
    `Error`, `OOMKilled`, `StartError`…), `message` (the termination message) and `finished_at` are set once exited.
    `asked_image` is what the spec said when it was created, "" when that is not known.
    """

    id: str
    name: str
    sandbox_id: str
    attempt: int
    state: RuntimeState
    image: str
    image_id: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    user: tuple[int, int, tuple[int, ...]] | None = None
    asked_image: str = ""


class RuntimeReport(NamedTuple):
    """All that the runtime has of one pod, dead ones included, newest first by creation."""

    sandboxes: tuple[SandboxReport, ...] = ()
    containers: tuple[ContainerReport, ...] = ()


# ------------------------------------------------------------------------------------------------ what was done: ended actions


class Done(NamedTuple):
    """The action succeeded. `value` is what it made: a sandbox id, a container id, an image reference."""

    value: str = ""


class Failed(NamedTuple):
    """The action failed. `reason` is the waiting reason it leads to (`ErrImagePull`, `CreateContainerConfigError`,
    `CreateContainerError`, `RunContainerError`, `InvalidImageName`…) or "", `message` the runtime's own words."""

    reason: str
    message: str


class ImageSeen(NamedTuple):
    """Answer to `InspectImage`. `ref` is None when the image is absent."""

    ref: str | None


class ImagePulled(NamedTuple):
    """Answer to a `PullImage` that succeeded."""

    ref: str
    size_bytes: int
    pull_seconds: float
    waited_seconds: float


class MountsFailed(NamedTuple):
    """Some volumes could not be set up: (volume, error text) each; the others stand."""

    errors: tuple[tuple[str, str], ...]


ProbeResult = Literal["success", "warning", "failure", "unknown"]


class Probed(NamedTuple):
    """Answer to `RunProbe`: `unknown` when the prober itself failed (`text` says how)."""

    result: ProbeResult
    text: str = ""


Outcome: TypeAlias = Done | Failed | ImageSeen | ImagePulled | MountsFailed | Probed


class Ended(NamedTuple):
    """An action that an earlier step asked for has ended. `at` is when it did, not when it was noticed."""

    number: int
    outcome: Outcome
    at: datetime


class KillRequest(NamedTuple):
    """Somebody on the node wants the pod gone: eviction, node shutdown. The pod becomes Failed with these words."""

    reason: str
    message: str
    grace_period_seconds: int | None = None
    condition: JsonObject | None = None


class Refusal(NamedTuple):
    """The node does not admit the pod (lifecycle.md §1.5)."""

    reason: str
    message: str


class NodeFacts(NamedTuple):
    """What the core needs to know of its node."""

    name: str
    host_ips: tuple[str, ...]
    version: str = "1.34"
    scheme: str = "sim"
    network_ready: bool = True


class Seen(NamedTuple):
    """The whole present picture of one pod. A lost or doubled notice changes nothing.

    `pod` None: the API server no longer has it (the core remembers the spec). `ended` may hold an action twice or one it
    forgot: it takes each once. `missing_pull_secrets`: those that the pod names and nobody has.
    """

    pod: Pod | None
    report: RuntimeReport
    node: NodeFacts
    ended: tuple[Ended, ...] = ()
    kill: KillRequest | None = None
    refusal: Refusal | None = None
    missing_pull_secrets: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------ what is to be done


class MountVolumes(NamedTuple):
    """Set up what is not yet set up of the pod's volumes, so that containers can be created. Ends Done or MountsFailed."""

    number: int


class CreateSandbox(NamedTuple):
    """Make and start a pod sandbox. Ends Done(sandbox id) or Failed."""

    number: int
    attempt: int


class StopSandbox(NamedTuple):
    """Stop a sandbox, its network included; it stays in the report as notready."""

    number: int
    sandbox_id: str


class RemoveSandbox(NamedTuple):
    """Forget a stopped sandbox."""

    number: int
    sandbox_id: str


class InspectImage(NamedTuple):
    """Ask whether the image is present. Ends ImageSeen, or Failed (InvalidImageName, ImageInspectError)."""

    number: int
    container: str
    image: str


class PullImage(NamedTuple):
    """Pull the image. Ends ImagePulled or Failed (ErrImagePull, RegistryUnavailable…)."""

    number: int
    container: str
    image: str


class CreateContainer(NamedTuple):
    """Resolve environment and mounts and create the container. Ends Done(container id) or Failed
    (CreateContainerConfigError, CreateContainerError)."""

    number: int
    container: str
    attempt: int
    sandbox_id: str
    image_ref: str


class StartContainer(NamedTuple):
    """Start a created container. Ends Done or Failed (RunContainerError)."""

    number: int
    container: str
    container_id: str


class RunHook(NamedTuple):
    """Run a lifecycle hook. Ends Done or Failed (message: what went wrong)."""

    number: int
    container: str
    container_id: str
    hook: HookKind
    handler: Handler


class RunProbe(NamedTuple):
    """Try a probe once. Ends Probed."""

    number: int
    container: str
    container_id: str
    probe: ProbeKind
    handler: Handler
    timeout_seconds: int


class StopContainer(NamedTuple):
    """Send the stop signal, and SIGKILL after `grace_seconds`. Ends Done when it no longer runs. Asked again with less
    grace while under way: the earlier end counts."""

    number: int
    container: str
    container_id: str
    grace_seconds: int


class RemoveContainer(NamedTuple):
    """Forget a container that does not run; its logs may go."""

    number: int
    container: str
    container_id: str


class UnmountVolumes(NamedTuple):
    """Take down the pod's volumes and folders; nothing of it runs any more. Ends Done."""

    number: int


class DeletePod(NamedTuple):
    """DELETE the pod with grace 0 and its UID as precondition. Ends Done, also when it is already gone."""

    number: int


Action: TypeAlias = (
    MountVolumes
    | CreateSandbox
    | StopSandbox
    | RemoveSandbox
    | InspectImage
    | PullImage
    | CreateContainer
    | StartContainer
    | RunHook
    | RunProbe
    | StopContainer
    | RemoveContainer
    | UnmountVolumes
    | DeletePod
)


class Event(NamedTuple):
    """A Kubernetes Event about the pod. `container` sets involvedObject.fieldPath; correlation is the node's affair."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    container: str | None = None


class Because(NamedTuple):
    """Why something was decided (or not): the rule, on which inputs, and when it will be looked at again.

    `rule` is `file.function` inside `lifecycle/`; `subject` a container's name or "" for the pod; `facts` what the rule saw,
    as (name, text) pairs; `until` when it looks again by itself.
    """

    rule: str
    subject: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    until: datetime | None = None


class Step(NamedTuple):
    """What one look at a pod leads to.

    The caller carries the parts out in this order: write `status`; post `events` (losing one is allowed); start `actions`
    without waiting for them, each ends as an `Ended` in a later `Seen`; call `step` again when something changes, and no
    later than `wake_at` (None: nothing is due). `finished`: nothing of the pod is left, the caller may forget it.
    """

    memory: PodMemory
    status: JsonObject | None
    events: tuple[Event, ...]
    actions: tuple[Action, ...]
    wake_at: datetime | None
    because: tuple[Because, ...] = ()
    finished: bool = False
