"""The words: event reasons, messages and waiting reasons, as upstream spells them. Texts only, no decisions.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/events/event.go, pkg/kubelet/images/types.go, pkg/kubelet/container/sync_result.go
"""

from __future__ import annotations

from lifepod.lifecycle.vocabulary import Event, ExecHandler, Handler, HttpGetHandler, Pod, SleepHandler

CONTAINER_STATUS_UNKNOWN = "ContainerStatusUnknown"
LOST_RUNNING = "The container could not be located when the pod was deleted.  The container used to be Running"
LOST_TERMINATED = "The container could not be located when the pod was terminated"
CRASH_LOOP = "CrashLoopBackOff"
DEADLINE_EXCEEDED = "DeadlineExceeded"
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def pod_words(pod: Pod) -> str:
    """`name_namespace(uid)`, as messages name a pod."""
    return f"{pod.name}_{pod.namespace}({pod.uid})"


def crash_loop_message(delay: str, container: str, pod: Pod) -> str:
    return f"back-off {delay} restarting failed container={container} pod={pod_words(pod)}"


def crash_loop_event(container: str, pod: Pod) -> Event:
    return Event(
        "Warning", "BackOff", f"Back-off restarting failed container {container} in pod {pod_words(pod)}", container
    )


def image_backoff_event(container: str, image: str) -> Event:
    return Event("Normal", "BackOff", f'Back-off pulling image "{image}"', container)


def pulling(container: str, image: str) -> Event:
    return Event("Normal", "Pulling", f'Pulling image "{image}"', container)


def present(container: str, image: str) -> Event:
    return Event("Normal", "Pulled", f'Container image "{image}" already present on machine', container)


def pulled(container: str, image: str, pull: str, waited: str, size_bytes: int) -> Event:
    text = (
        f'Successfully pulled image "{image}" in {pull} ({waited} including waiting). Image size: {size_bytes} bytes.'
    )
    return Event("Normal", "Pulled", text, container)


def pull_secrets_missing(names: tuple[str, ...]) -> Event:
    text = f"Unable to retrieve some image pull secrets ({', '.join(names)}); attempting to pull the image may not succeed."
    return Event("Warning", "FailedToRetrieveImagePullSecret", text)


def pull_failed(container: str, image: str, error: str) -> Event:
    return Event("Warning", "Failed", f'Failed to pull image "{image}": {error}', container)


def start_failed(container: str, text: str) -> Event:
    return Event("Warning", "Failed", f"Error: {text}", container)


def inspect_failed(container: str, text: str) -> Event:
    return Event("Warning", "InspectFailed", text, container)


def never_pulled_message(image: str) -> str:
    return f'Container image "{image}" is not present with pull policy of Never'


def never_pulled(container: str, image: str) -> Event:
    return Event("Warning", "ErrImageNeverPull", never_pulled_message(image), container)


def created(container: str) -> Event:
    return Event("Normal", "Created", f"Created container: {container}", container)


def started(container: str) -> Event:
    return Event("Normal", "Started", f"Started container {container}", container)


def killing(container: str, message: str = "") -> Event:
    return Event("Normal", "Killing", message or f"Stopping container {container}", container)


def hook_failed(container: str, hook: str) -> Event:
    if hook == "postStart":
        return Event("Warning", "FailedPostStartHook", "PostStartHook failed", container)
    return Event("Warning", "FailedPreStopHook", "PreStopHook failed", container)


def hook_message(handler: Handler, container: str, pod: Pod, error: str) -> str:
    """The words of a failed postStart hook. `error`: what follows `error: `, the runtime's part.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/lifecycle/handlers.go: Run
    """
    if " lifecycle hook (" in error:
        return error
    where = f'for Container "{container}" in Pod "{pod_words(pod)}" failed - error: {error}'
    match handler:
        case ExecHandler(command=command):
            return f"Exec lifecycle hook ([{' '.join(command)}]) {where}"
        case HttpGetHandler(path=path):
            return f"HTTP lifecycle hook ({path}) {where}"
        case SleepHandler(seconds=seconds):
            return f"Sleep lifecycle hook ({seconds}) {where}"
        case _:
            return f"Lifecycle hook {where}"


def sandbox_changed() -> Event:
    return Event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")


def sandbox_failed(error: str) -> Event:
    return Event("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")


def mount_failed(volume: str, error: str) -> Event:
    return Event("Warning", "FailedMount", f'MountVolume.SetUp failed for volume "{volume}" : {error}')


def deadline_exceeded() -> Event:
    return Event("Normal", DEADLINE_EXCEEDED, DEADLINE_MESSAGE)


def network_not_ready() -> Event:
    text = (
        "network is not ready: container runtime network not ready: NetworkReady=false "
        "reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
    )
    return Event("Warning", "NetworkNotReady", text)


def kill_failed(error: str) -> Event:
    return Event("Warning", "FailedKillPod", f"error killing pod: {error}")


def unhealthy(container: str, kind: str, text: str) -> Event:
    return Event("Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {text}", container)


def probe_errored(container: str, kind: str, text: str) -> Event:
    return Event(
        "Warning", "Unhealthy", f"{kind.capitalize()} probe errored and resulted in unknown state: {text}", container
    )


def probe_warning(container: str, kind: str, text: str) -> Event:
    return Event("Warning", "ProbeWarning", f"{kind.capitalize()} probe warning: {text}", container)
