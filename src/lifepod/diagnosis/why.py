"""Why is this pod not running and ready? One cause per function; `why` asks them in turn.

Each function looks at one picture and returns what it finds. Causes that hide others come first: a pod that has no node has
no image problem. What the texts look like on a terminal is `ui/why_text.py`'s affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, JsonValue, dig, parse_time
from lifepod.diagnosis.findings import Finding, Picture

_INITIAL_DELAY, _MAX_DELAY = timedelta(seconds=10), timedelta(seconds=300)


def why(picture: Picture) -> tuple[Finding, ...]:
    """The causes, most telling first. A pod that is as it should be gets one finding that says so."""
    for rule in (_deleting, _refused_or_evicted, _not_scheduled):
        found = rule(picture)
        if found:
            return (found,)
    findings = [*_of_the_pod(picture), *_of_containers(picture)]
    return tuple(findings) if findings else (_as_it_should_be(picture),)


def _of_the_pod(picture: Picture) -> Iterator[Finding]:
    for rule in (_sandbox_failed, _volumes_missing):
        found = rule(picture)
        if found:
            yield found


def _of_containers(picture: Picture) -> Iterator[Finding]:
    for status in _statuses(picture.pod):
        for rule in _CONTAINER_RULES:
            found = rule(picture, status)
            if found:
                yield found
                break
    gate = _readiness_gate(picture)
    if gate:
        yield gate


def _statuses(pod: JsonObject) -> list[JsonObject]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _spec_of(pod: JsonObject, name: str) -> JsonObject:
    spec = pod.get("spec") or {}
    for part in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(part) or []:
            if container.get("name") == name:
                found: JsonObject = container
                return found
    return {}


def _condition(pod: JsonObject, kind: str) -> JsonObject:
    for condition in dig(pod, "status", "conditions") or []:
        if condition.get("type") == kind:
            found: JsonObject = condition
            return found
    return {}


def _newest_event(picture: Picture, *reasons: str, container: str = "") -> JsonObject | None:
    for event in reversed(picture.events):
        field = dig(event, "involvedObject", "fieldPath") or ""
        if event.get("reason") in reasons and (not container or f"{{{container}}}" in field):
            return event
    return None


def _said(event: JsonObject | None) -> tuple[str, ...]:
    if event is None:
        return ()
    count = event.get("count") or 1
    return (f"Event {event.get('reason')}{f' (x{count})' if count > 1 else ''}: {event.get('message', '')}",)


# ------------------------------------------------------------------------------------------------ the pod as a whole


def _deleting(picture: Picture) -> Finding | None:
    meta = picture.pod["metadata"]
    if not meta.get("deletionTimestamp"):
        return None
    deadline = parse_time(meta["deletionTimestamp"])
    finalizers = meta.get("finalizers") or []
    phase = dig(picture.pod, "status", "phase")
    if finalizers and phase in ("Succeeded", "Failed"):
        return Finding(
            "",
            f"It is deleted and has ended ({phase}), but its finalizers keep it: {', '.join(finalizers)}.",
            "It goes when whoever put them there takes them away.",
            remedy=("Look at the controller that owns the finalizer.",),
        )
    running = [s["name"] for s in _statuses(picture.pod) if "running" in (s.get("state") or {})]
    return Finding(
        "",
        f"It is being deleted; still running: {', '.join(running) or 'nothing'}.",
        "What does not end on its stop signal is killed" if running else "It goes as soon as the node has cleaned up",
        deadline if running else None,
        remedy=(f"kubectl delete pod {meta['name']} --grace-period=0 --force, if you need not wait",)
        if running
        else (),
    )


def _refused_or_evicted(picture: Picture) -> Finding | None:
    status = picture.pod.get("status") or {}
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    return Finding("", f"{status['reason']}: {str(status.get('message', '')).strip()}", "Nothing: the pod has ended.")


def _not_scheduled(picture: Picture) -> Finding | None:
    if dig(picture.pod, "spec", "nodeName"):
        return None
    condition = _condition(picture.pod, "PodScheduled")
    if condition.get("reason") == "SchedulingGated":
        gates = ", ".join(g["name"] for g in dig(picture.pod, "spec", "schedulingGates") or [])
        return Finding(
            "", f"Scheduling is held back by its scheduling gates: {gates}.", "It is scheduled once they are removed."
        )
    if condition.get("status") == "False":
        message = str(condition.get("message", ""))
        return Finding(
            "",
            f"No node takes it: {message}",
            "It is tried again when a node or a pod changes.",
            remedy=_scheduling_remedy(message),
        )
    scheduler = dig(picture.pod, "spec", "schedulerName") or "default-scheduler"
    if scheduler != "default-scheduler":
        return Finding("", f'It waits for the scheduler "{scheduler}", which is not part of lifepod.')
    return Finding("", "The scheduler has not looked at it yet.")


def _scheduling_remedy(message: str) -> tuple[str, ...]:
    if "Insufficient" in message:
        return ("Lower resources.requests, or free room on a node.",)
    if "node affinity/selector" in message:
        return ("Compare spec.nodeSelector and spec.affinity with `kubectl get nodes --show-labels`.",)
    if "untolerated taint" in message:
        return ("Add a toleration, or take the taint off the node (`kubectl describe node`).",)
    return ()


def _sandbox_failed(picture: Picture) -> Finding | None:
    if _condition(picture.pod, "PodReadyToStartContainers").get("status") == "True":
        return None
    event = _newest_event(picture, "FailedCreatePodSandBox")
    if event is None:
        return None
    return Finding("", "Its sandbox could not be made.", "It is tried again every 10 s.", evidence=_said(event))


def _volumes_missing(picture: Picture) -> Finding | None:
    waiting = [
        s
        for s in _statuses(picture.pod)
        if dig(s, "state", "waiting", "reason") in ("ContainerCreating", "PodInitializing")
    ]
    event = _newest_event(picture, "FailedMount")
    if event is None or not waiting or any("running" in (s.get("state") or {}) for s in _statuses(picture.pod)):
        return None
    message = str(event.get("message", ""))
    volume = re.search(r'for volume "([^"]+)"', message)
    missing = re.search(r'(configmap|secret) "([^"]+)" not found', message)
    namespace = picture.pod["metadata"].get("namespace", "default")
    cause = f'The volume "{volume[1]}" cannot be set up' if volume else "A volume cannot be set up"
    if missing:
        kind = {"configmap": "ConfigMap", "secret": "Secret"}[missing[1]]
        cause += f': {kind} "{missing[2]}" does not exist in namespace {namespace}'
    return Finding(
        "",
        cause + ".",
        "No container starts before all volumes stand; it is tried again by itself, at most 2 minutes apart.",
        remedy=(f"kubectl create {missing[1]} {missing[2]} …",) if missing else (),
        evidence=_said(event),
    )


def _readiness_gate(picture: Picture) -> Finding | None:
    ready = _condition(picture.pod, "Ready")
    if ready.get("reason") != "ReadinessGatesNotReady":
        return None
    return Finding(
        "",
        f"Its containers are ready, its readiness gates are not: {ready.get('message', '')}",
        "It becomes Ready when their owner sets the condition True.",
    )


# ------------------------------------------------------------------------------------------------ one container


def _image(picture: Picture, status: JsonObject) -> Finding | None:
    waiting = dig(status, "state", "waiting") or {}
    reason, image = waiting.get("reason"), str(status.get("image", ""))
    message = str(waiting.get("message", ""))
    if reason == "InvalidImageName":
        return Finding(
            status["name"],
            f'The image name "{image}" is not valid: {message.rpartition(": ")[2]}.',
            "It stays so until the name is corrected.",
            remedy=(_quote_hint(image),),
        )
    if reason == "ErrImageNeverPull":
        return Finding(
            status["name"],
            f'The image "{image}" is not here, and imagePullPolicy Never forbids pulling it.',
            remedy=(f"lifepod image pull {image}, or set imagePullPolicy: IfNotPresent",),
        )
    if reason in ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"):
        event = _newest_event(picture, "Failed", container=status["name"])
        return Finding(
            status["name"],
            f'The image "{image}" cannot be pulled.',
            "It is tried again, each time after a longer wait, at most 5 minutes apart",
            _until(picture, status["name"]),
            remedy=("Check the name, the tag and the registry's address; private ones need imagePullSecrets.",),
            evidence=_said(event) or (message,),
        )
    return None


def _quote_hint(image: str) -> str:
    if image.endswith(("'", '"')) or image.startswith(("'", '"')):
        return f"Take away the stray quote: image: {image.strip(chr(34) + chr(39))}"
    return "An image is written [registry/]name[:tag], the name in lower case."


def _config_error(picture: Picture, status: JsonObject) -> Finding | None:
    waiting = dig(status, "state", "waiting") or {}
    if waiting.get("reason") != "CreateContainerConfigError":
        return None
    message = str(waiting.get("message", ""))
    missing = re.fullmatch(r'(configmap|secret) "([^"]+)" not found', message)
    remedy = (f"kubectl create {missing[1]} {missing[2]} …, or mark the reference optional: true",) if missing else ()
    return Finding(
        status["name"],
        f"Its configuration cannot be put together: {message}.",
        "It is tried again every 10 s.",
        remedy=remedy,
    )


def _cannot_start(picture: Picture, status: JsonObject) -> Finding | None:
    waiting = dig(status, "state", "waiting") or {}
    if waiting.get("reason") not in ("CreateContainerError", "RunContainerError"):
        return None
    message = str(waiting.get("message", ""))
    remedy: tuple[str, ...] = ()
    if "no command specified" in message:
        remedy = (
            "This machine's own files stand in for the image, or it names no command, so nothing knows what to run: write "
            "`command:` under the container.",
        )
    return Finding(status["name"], f"It cannot be started: {message}.", "It is tried again by itself.", remedy=remedy)


def _crash_loop(picture: Picture, status: JsonObject) -> Finding | None:
    state = status.get("state") or {}
    ended = dig(status, "lastState", "terminated") if "waiting" in state else state.get("terminated")
    is_waiting = dig(state, "waiting", "reason") == "CrashLoopBackOff"
    if not ended or not (is_waiting or "terminated" in state):
        return None
    if "terminated" in state and (status.get("ready") or ended.get("exitCode") == 0):
        return None
    hook = _newest_event(picture, "FailedPostStartHook", container=status["name"])
    killed = _newest_event(picture, "Unhealthy", container=status["name"])
    cause = _ending(ended, status)
    if hook is not None:
        cause = f"Its postStart hook fails, so it is killed: {cause}"
    elif killed is not None and ended.get("exitCode") in (137, 143):
        cause = f"{str(killed.get('message', '')).split(':')[0]}, so it was killed: {cause}"
    happens, at = _next_start(picture, status, ended) if is_waiting else ("", None)
    return Finding(status["name"], cause, happens, at, _crash_remedy(picture, status, ended), _said(hook or killed))


def _ending(ended: JsonObject, status: JsonObject) -> str:
    reason, code = ended.get("reason"), ended.get("exitCode")
    times = status.get("restartCount", 0)
    often = f", {times} times restarted" if times > 1 else ", restarted once" if times == 1 else ""
    told = f'; it left the message "{str(ended["message"]).strip()[:200]}"' if ended.get("message") else ""
    if reason == "OOMKilled":
        return f"It used more memory than its limit and was killed (OOMKilled){often}."
    if reason == "StartError":
        return f"It cannot be started: {str(ended.get('message', '')).strip()}."
    if reason == "Completed":
        return f"It ends by itself with exit code 0, and restartPolicy Always starts it again{often}{told}."
    signal = f" (signal {code - 128})" if isinstance(code, int) and 128 < code < 160 else ""
    return f"It ends with exit code {code}{signal}{often}{told}."


def _next_start(picture: Picture, status: JsonObject, ended: JsonObject) -> tuple[str, datetime | None]:
    """The back-off counts from the container's end; its length stands in the waiting message."""
    known = _until(picture, status["name"])
    message = str(dig(status, "state", "waiting", "message") or "")
    delay = re.match(r"back-off (?:(\d+)m)?(?:(\d+)s)?", message)
    if known is None and delay and ended.get("finishedAt"):
        known = parse_time(ended["finishedAt"]) + timedelta(minutes=int(delay[1] or 0), seconds=int(delay[2] or 0))
    if known is None:
        return "It is started again.", None
    wait = known - parse_time(ended["finishedAt"]) if ended.get("finishedAt") else _INITIAL_DELAY
    longer = "" if wait >= _MAX_DELAY else "; if it fails again the wait doubles"
    return f"It is started again{longer}", known


def _crash_remedy(picture: Picture, status: JsonObject, ended: JsonObject) -> tuple[str, ...]:
    meta = picture.pod["metadata"]
    if ended.get("reason") == "StartError":
        return ("Check `command:`; the file must exist in the image and be executable.",)
    last = dict(picture.last_lines).get(status["name"])
    logs = f"kubectl logs {meta['name']} -c {status['name']}"
    return (f"{logs}   (last line: {last})" if last else logs,)


def _until(picture: Picture, container: str) -> datetime | None:
    """When the core looks again, as it noted itself."""
    for because in reversed(picture.decisions):
        if because.subject == container and because.until is not None:
            return because.until if because.until > picture.now else None
    return None


def _waits_for_a_name(picture: Picture, status: JsonObject) -> Finding | None:
    """A running init container that polls a Service which is not there."""
    spec = _spec_of(picture.pod, status["name"])
    is_init = any(c.get("name") == status["name"] for c in dig(picture.pod, "spec", "initContainers") or [])
    if not is_init or spec.get("restartPolicy") == "Always" or "running" not in (status.get("state") or {}):
        return None
    words = " ".join([*(spec.get("command") or []), *(spec.get("args") or [])])
    last = dict(picture.last_lines).get(status["name"])
    evidence = (f"Its last log line: {last}",) if last else ()
    namespace = picture.pod["metadata"].get("namespace", "default")
    for name in re.findall(r"(?:nslookup|nc -z|wget|curl)\s+(?:-\S+\s+)*(?:https?://)?([a-z][a-z0-9-]*)", words):
        if picture.find("services", namespace, name) is None:
            return Finding(
                status["name"],
                f'It waits for the Service "{name}", which does not exist in namespace {namespace}.',
                "The next container starts when this one ends.",
                remedy=(f'Create a Service "{name}".',),
                evidence=evidence,
            )
    return Finding(
        status["name"],
        "This init container still runs.",
        "The next container starts when this one ends.",
        evidence=evidence,
    )


def _unready(picture: Picture, status: JsonObject) -> Finding | None:
    if "running" not in (status.get("state") or {}) or status.get("ready"):
        return None
    spec = _spec_of(picture.pod, status["name"])
    event = _newest_event(picture, "Unhealthy", container=status["name"])
    if spec.get("startupProbe") and not status.get("started"):
        return Finding(
            status["name"],
            "It runs, but its startup probe has not passed yet.",
            "It is killed when the probe fails too often.",
            evidence=_said(event),
        )
    if not spec.get("readinessProbe"):
        return None
    period = dig(spec, "readinessProbe", "periodSeconds") or 10
    return Finding(
        status["name"],
        "It runs, but its readiness probe does not pass.",
        f"The probe is tried again every {period} s.",
        evidence=_said(event),
    )


_CONTAINER_RULES: tuple[Callable[[Picture, JsonObject], Finding | None], ...] = (
    _image,
    _config_error,
    _cannot_start,
    _crash_loop,
    _waits_for_a_name,
    _unready,
)


def _as_it_should_be(picture: Picture) -> Finding:
    phase: JsonValue = dig(picture.pod, "status", "phase") or "Pending"
    if phase == "Running" and _condition(picture.pod, "Ready").get("status") == "True":
        return Finding("", "Nothing is wrong: it is Running and Ready.")
    if phase == "Succeeded":
        return Finding("", "Nothing is wrong: every container ended with exit code 0.")
    if phase == "Failed":
        return Finding("", "It has failed.")
    return Finding("", "It is on its way: nothing holds it back that can be seen.")
