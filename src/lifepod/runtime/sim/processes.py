"""How the processes of simulated containers are started, run and ended: `SimPod` values in, `SimPod` values out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from lifepod.lifecycle.vocabulary import Done, ExecHandler, Failed, Outcome, Probed
from lifepod.runtime.base import ProbeOrder
from lifepod.runtime.probe_texts import exec_hook_failed, exec_timed_out
from lifepod.runtime.sim import files
from lifepod.runtime.sim.commands import COMMANDS
from lifepod.runtime.sim.files import View
from lifepod.runtime.sim.pods import Process, SimContainer, SimExec, SimPod, pid_of
from lifepod.runtime.sim.program import Container, Program, Programmed, start_program
from lifepod.runtime.sim.program import copied as copied_program
from lifepod.runtime.sim.script import ANNOTATION_PREFIX, Attempt, BadScript, Scripted, attempt_of
from lifepod.runtime.sim.shell import Files, Shell, Target, start_shell
from lifepod.runtime.sim.world import ContainerWorld, Lookup

__all__ = ["exec_timed_out"]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_PROBE_OUTPUT = 10 * 1024
_MAX_MESSAGE_FILE = 4096
_MAX_MESSAGE_LOG = (80, 2048)


class PodFacts(NamedTuple):
    """What processes may ask about their surroundings."""

    hostname: str
    lookup: Lookup


class StreamEnds(Protocol):
    """Who hears of an exec stream's output and end."""

    def wrote(self, output: tuple[bytes, bytes]) -> None:
        """All output so far, stdout and stderr."""
        ...

    def ended(self, code: int) -> None: ...


# ------------------------------------------------------------------------------------------------ starting


def script_of(pod: SimPod, container: str, attempt: int, image: str, scripts: Mapping[str, str]) -> Attempt | None:
    """What the pod's annotation, else the rule for its image, says about an attempt.

    A text that cannot be read is a start error.
    """
    annotations = dict(pod.config.annotations) if pod.config is not None else {}
    text = annotations.get(ANNOTATION_PREFIX + container)
    if text is None and scripts:
        text = scripts.get(image) or scripts.get(_short(image))
    if text is None:
        return None
    try:
        return attempt_of(text, attempt)
    except BadScript as exc:
        return Attempt(start_error=f"{ANNOTATION_PREFIX}{container}: {exc}")


def start(
    pod: SimPod, container: SimContainer, programs: Mapping[str, Program], scripts: Mapping[str, str]
) -> tuple[Process | None, str]:
    """The process of a container that starts, or why it cannot."""
    config = container.config
    script = script_of(pod, config.name, config.attempt, config.image, scripts)
    if script is not None:
        return (None, script.start_error) if script.start_error else (Scripted(script), "")
    program = programs.get(config.image) or programs.get(_short(config.image))
    command = config.command + config.args
    if program is not None:
        handle = Container(
            config.name, config.pod_name, config.pod_namespace, config.attempt, dict(config.env), command
        )
        return start_program(program, handle), ""
    is_init = pod.config is None or not (pod.config.share_process_namespace or pod.config.host_pid)
    files = Files(None if config.stdin else b"", Target("log", 1), Target("log", 1 if config.tty else 2))
    shell = start_shell(
        command or ("sleep", "infinity"), _environment(pod, container), config.working_dir, is_init, files
    )
    return shell._replace(input_open=config.stdin), ""


def _short(image: str) -> str:
    """`docker.io/library/worker:latest` as people write it: `worker`."""
    return image.removeprefix("docker.io/library/").removeprefix("docker.io/").removesuffix(":latest")


def _environment(pod: SimPod, container: SimContainer) -> dict[str, str]:
    hostname = pod.config.hostname if pod.config is not None else "localhost"
    return {"PATH": _PATH, "HOSTNAME": hostname, "HOME": "/root", **dict(container.config.env)}


def exec_process(
    container: SimContainer, command: tuple[str, ...], number: int, *, two_streams: bool = False, stdin: bool = False
) -> Process | None:
    """A further process in a container, its output gathered; with `stdin` it is `fed` what it reads. None: it is not simulated
    and counts as done well."""
    process = container.process
    if isinstance(process, Programmed) and process.respond is not None:
        code, output = process.respond(command)
        return Shell(None, {}, captures=(output.encode(), b""), exit_code=code)
    if not isinstance(process, Shell) or not command or command[0].rsplit("/", 1)[-1] not in COMMANDS:
        return None
    target = Files(None if stdin else b"", Target("capture", 0), Target("capture", 1 if two_streams else 0))
    environment = {"PATH": _PATH, "HOME": "/root", **dict(container.config.env), "$": str(pid_of(number))}
    shell = start_shell(command, environment, container.config.working_dir, False, target, (b"", b""))
    return shell._replace(input_open=stdin)


# ------------------------------------------------------------------------------------------------ running


def is_due(container: SimContainer, now: datetime) -> bool:
    """Whether something of a running container's is to happen."""
    wake = _wake(container)
    return wake is not None and wake <= now


def _wake(container: SimContainer) -> datetime | None:
    if container.resume_at is not None:
        return container.resume_at if container.kill_at is None else min(container.resume_at, container.kill_at)
    wake = container.process.wake_at if container.process is not None else None
    if container.kill_at is None:
        return wake
    return container.kill_at if wake is None else min(wake, container.kill_at)


def next_wake(pod: SimPod) -> datetime | None:
    """When something of the pod is due next."""
    moments = [at for c in pod.containers if c.state == "running" and (at := _wake(c)) is not None]
    for exec_ in pod.execs:
        wake = exec_.process.wake_at if exec_.process is not None else None
        moments += [at for at in (exec_.deadline, wake) if at is not None]
    if pod.delayed or pod.starts:
        moments += [at for at, _, _ in (*pod.delayed, *pod.starts)]
    return min(moments) if moments else None


def _world(pod: SimPod, container: SimContainer, facts: PodFacts, now: datetime) -> ContainerWorld:
    further = tuple((pid_of(e.number), e.command) for e in pod.execs if e.container_id == container.id and e.command)
    return ContainerWorld(
        container.config, container.id, pod.tree, container.log, facts.hostname, facts.lookup, now, further
    )


def run(pod: SimPod, container: SimContainer, facts: PodFacts, now: datetime) -> tuple[SimPod, SimContainer]:
    """Let the container's process go on."""
    assert container.process is not None
    world = _world(pod, container, facts, now)
    process = container.process.run(world)
    return _after(pod, container._replace(process=process, resume_at=None), world)


def signal(
    pod: SimPod, container: SimContainer, name: str, facts: PodFacts, now: datetime
) -> tuple[SimPod, SimContainer]:
    """Send the container's process a signal."""
    assert container.process is not None
    world = _world(pod, container, facts, now)
    process = container.process.signal(world, name)
    return _after(pod, container._replace(process=process), world)


def _after(pod: SimPod, container: SimContainer, world: ContainerWorld) -> tuple[SimPod, SimContainer]:
    """The pod as the run left it; what the first process was sent by the others reaches it."""
    while world.signals and container.process is not None:
        container = container._replace(process=container.process.signal(world, world.signals.pop(0)))
    container = container._replace(log=world.logged)
    return pod._replace(tree=world.tree).with_container(container), container


def run_exec(
    pod: SimPod, exec_: SimExec, container: SimContainer, facts: PodFacts, now: datetime
) -> tuple[SimPod, SimExec]:
    """Let a further process go on."""
    if exec_.process is None or exec_.process.exit_code is not None:
        return pod, exec_
    world = _world(pod, container, facts, now)
    exec_ = exec_._replace(process=exec_.process.run(world))
    pod, _ = _after(pod, container, world)
    return pod.with_exec(exec_), exec_


def was_oom(process: Process) -> bool:
    """Whether the process was killed for want of memory."""
    return not isinstance(process, Shell) and process.oom


# ------------------------------------------------------------------------------------------------ ends


def exec_output(exec_: SimExec) -> tuple[bytes, bytes]:
    """What a further process has written so far: stdout, stderr."""
    captures = exec_.process.captures if isinstance(exec_.process, Shell) else ()
    return (captures[0], captures[1]) if len(captures) > 1 else (b"", b"")


def exec_outcome(exec_: SimExec, code: int) -> Outcome:
    """What becomes of the probe or hook that the process was run for."""
    output = exec_output(exec_)[0].decode(errors="replace")
    order = exec_.order
    if isinstance(order, ProbeOrder):
        return Probed("success" if code == 0 else "failure", output[:_MAX_PROBE_OUTPUT])
    if code == 0:
        return Done()
    command = order.handler.command if order is not None and isinstance(order.handler, ExecHandler) else ()
    return Failed("", exec_hook_failed(command, code, output))


def last_words(pod: SimPod, container: SimContainer, code: int) -> str:
    """The termination message (lifecycle.md §7.7).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: getTerminationMessage
    """
    config, process = container.config, container.process
    if isinstance(process, Scripted) and process.attempt.message:
        return process.attempt.message
    view = View(container.id, config.mounts)
    content = files.read(pod.tree, view, config.termination_message_path) or b""
    if not content and code != 0 and config.termination_message_policy == "FallbackToLogsOnError":
        return container.log.tail(*_MAX_MESSAGE_LOG).decode(errors="replace")
    return content[-_MAX_MESSAGE_FILE:].decode(errors="replace")


def copied(pod: SimPod) -> SimPod:
    """The pod with processes of its own, where a process is more than a value."""
    for container in pod.containers:
        if isinstance(container.process, Programmed):
            pod = pod.with_container(container._replace(process=copied_program(container.process)))
    return pod
