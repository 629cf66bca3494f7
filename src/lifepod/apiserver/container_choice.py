"""Which container of a pod a log, exec or attach means, and which of its runs. Pure.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/strategy.go: validateContainer
        k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: validateContainerLogStatus
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.http_errors import bad_request

_LISTS = ("initContainers", "containers", "ephemeralContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def chosen_container(pod: JsonObject, wanted: str) -> str:
    """The container's name: the one asked for, or the only regular one. Raises ApiError 400."""
    name = pod["metadata"]["name"]
    names = [container["name"] for each in _LISTS for container in dig(pod, "spec", each) or ()]
    if wanted:
        if wanted not in names:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    regular = dig(pod, "spec", "containers") or []
    if len(regular) == 1:
        return str(next(iter(regular))["name"])
    if not regular:
        raise bad_request(f"a container name must be specified for pod {name}")
    raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")


def container_status(pod: JsonObject, container: str) -> JsonObject | None:
    """The status entry of a container, whatever its kind."""
    for each in _STATUSES:
        for status in dig(pod, "status", each) or ():
            if status.get("name") == container:
                return dict(status)
    return None


def logged_run(pod: JsonObject, container: str, previous: bool) -> str:
    """The id (without scheme) of the run whose log is shown. Raises ApiError 400 in the kubelet's words.

    The running one, else the last that ended: a container in CrashLoopBackOff shows its last attempt without `previous`.
    """
    status = container_status(pod, container)
    of = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    if status is None:
        raise bad_request(f"{of} is not available")
    last = dig(status, "lastState", "terminated")
    last_id = (last or {}).get("containerID") or ""
    state = status.get("state") or {}
    if previous:
        if not last_id:
            raise bad_request(f"previous terminated {of} not found")
        return bare_id(last_id)
    if state.get("running") is not None:
        return bare_id(status.get("containerID") or "")
    terminated = state.get("terminated")
    if terminated is not None or last is not None:
        found = (terminated or {}).get("containerID") or last_id
        if not found:
            raise bad_request(f"{of} is terminated")
        return bare_id(found)
    raise bad_request(f"{of} {_why_waiting(state.get('waiting'))}")


def _why_waiting(waiting: JsonObject | None) -> str:
    if waiting is None:
        return "is waiting to start - no logs yet"
    match waiting.get("reason", ""):
        case "ErrImagePull":
            return "is waiting to start: image can't be pulled"
        case "ImagePullBackOff":
            return "is waiting to start: trying and failing to pull image"
        case reason:
            return f"is waiting to start: {reason}"


def running_id(pod: JsonObject, container: str) -> str:
    """The id (without scheme) of the container if it runs, else ""."""
    status = container_status(pod, container)
    if status is None or dig(status, "state", "running") is None:
        return ""
    return bare_id(status.get("containerID") or "")


def bare_id(container_id: str) -> str:
    """`process://abc` → `abc`."""
    return container_id.partition("://")[2] or container_id
