"""What goes wrong below the pods of a simulated node, as one value: pulls that fail or take long, slow starts, failing probes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from lifepod.lifecycle.vocabulary import Failed
from lifepod.runtime.image_names import InvalidImageName, image_reference

PullError = Literal["", "not-found", "unauthorised", "registry-down"]


class PullFault(NamedTuple):
    """Images of this name pattern cannot be pulled, or (`error` "") only slowly."""

    image: str
    error: PullError = ""
    takes: timedelta = timedelta(0)


class StartFault(NamedTuple):
    """Containers of these pods take longer to start."""

    pod: str
    takes: timedelta


class ProbeFault(NamedTuple):
    """A share of these pods' probes fails. `probe` "*": of every kind."""

    pod: str
    probe: str
    rate: float


class SimFaults(NamedTuple):
    """All that goes wrong at present."""

    pulls: tuple[PullFault, ...] = ()
    starts: tuple[StartFault, ...] = ()
    probes: tuple[ProbeFault, ...] = ()


NOTHING = SimFaults()


def pull_fault(faults: SimFaults, image: str) -> PullFault | None:
    """What stands in the way of an image; an error before slowness."""
    found = [f for f in faults.pulls if _names(f.image, image)]
    return min(found, key=lambda f: not f.error, default=None)


def _names(pattern: str, image: str) -> bool:
    short = image.removeprefix("docker.io/").removeprefix("library/")
    return any(fnmatchcase(name, pattern) for name in (image, short, short.rpartition(":")[0] or short))


def pull_failed(fault: PullFault, image: str) -> Failed:
    """How the runtime words it.

    Source: containerd v1.6 remotes/docker/{resolver,fetcher}.go, errcode; as recorded from a kubelet v1.34.4
    """
    try:
        name = image_reference(image)
    except InvalidImageName as exc:
        return Failed("InvalidImageName", str(exc))
    shown = str(name)
    head = f'failed to pull and unpack image "{shown}": failed to resolve reference "{shown}": '
    match fault.error:
        case "unauthorised":
            why = "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
        case "registry-down":
            url = f"https://{name.domain}/v2/{name.path}/manifests/{name.digest or name.tag}"
            return Failed(
                "ErrImagePull",
                f'{head}failed to do request: Head "{url}": dial tcp {name.domain}:443: connect: connection refused',
            )
        case _:
            return Failed("ErrImagePull", f"{head}{shown}: not found")
    return Failed("ErrImagePull", f"{head}{why}")


def start_delay(faults: SimFaults, pod: str) -> timedelta:
    """How much longer a container of this pod takes to start."""
    return max((f.takes for f in faults.starts if fnmatchcase(pod, f.pod)), default=timedelta(0))


def probe_fails(faults: SimFaults, pod: str, probe: str, draw: Callable[[], float]) -> bool:
    """Whether a probe fails although nothing is wrong."""
    for fault in faults.probes:
        if fault.probe in ("*", probe) and fnmatchcase(pod, fault.pod):
            return draw() < fault.rate
    return False
