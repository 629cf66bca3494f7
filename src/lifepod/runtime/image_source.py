"""Where a container's files come from: what a process runtime asks, and the answer of image mode `host`.

In mode `host` nothing is pulled: every name that parses counts as present and stands for this machine's own files, but for
those under `.invalid`. Real images are `images/pod_images.py`, the choice between both is `reachable_images.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from lifepod.lifecycle.vocabulary import Failed, ImagePulled, ImageSeen
from lifepod.runtime.image_names import (
    InvalidImageName,
    can_never_be_pulled,
    image_reference,
    pull_error,
    stand_in_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.lifecycle.vocabulary import Outcome
    from lifepod.runtime.base import ContainerConfig, PullImageOrder


class ContainerImage(NamedTuple):
    """A container's configuration completed by what its image says, and where the image's files lie ("": this machine's)."""

    config: ContainerConfig
    root: str = ""
    stop_signal: str = ""


class ImageUnusable(Exception):
    """The container cannot be created from the image: the waiting reason it leads to, and the text."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ImageSource(Protocol):
    """Images as pods need them. `warn` says once what a pod does not get."""

    async def inspect(self, image: str) -> Outcome: ...

    async def pull(self, order: PullImageOrder, warn: Callable[[str], None]) -> Outcome: ...

    async def complete(self, pod_uid: str, config: ContainerConfig, warn: Callable[[str], None]) -> ContainerImage:
        """Raises ImageUnusable."""
        ...

    def stands_in(self, image: str) -> str:
        """Why this machine's own files stand in for an image that was asked for; "" when they do not."""
        ...

    def adopt(self, root: str) -> None:
        """A container with the image's files at `root` outlived the lifepod that started it."""
        ...

    def close(self) -> None: ...


class StandInImages:
    """Image mode `host`."""

    async def inspect(self, image: str) -> Outcome:
        try:
            reference = image_reference(image)
        except InvalidImageName as exc:
            return Failed("InvalidImageName", str(exc))
        return ImageSeen(None if can_never_be_pulled(reference) else stand_in_reference(reference))

    async def pull(self, order: PullImageOrder, warn: Callable[[str], None]) -> Outcome:
        try:
            reference = image_reference(order.image)
        except InvalidImageName as exc:
            return Failed("InvalidImageName", str(exc))
        if can_never_be_pulled(reference):
            return Failed("ErrImagePull", pull_error(reference))
        return ImagePulled(stand_in_reference(reference), 0, 0.0, 0.0)

    async def complete(self, pod_uid: str, config: ContainerConfig, warn: Callable[[str], None]) -> ContainerImage:
        if problem := non_root_problem("", config, pod_uid):
            raise ImageUnusable("CreateContainerConfigError", problem)
        if not config.command and not config.args:
            raise ImageUnusable("CreateContainerError", "no command specified")
        return ContainerImage(config)

    def stands_in(self, image: str) -> str:
        return "image mode host"

    def adopt(self, root: str) -> None:
        return

    def close(self) -> None:
        return


def non_root_problem(image_user: str, config: ContainerConfig, pod_uid: str) -> str:
    """What stands against the image's user when `runAsNonRoot` is asked for, "" for nothing.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/security_context_others.go: verifyRunAsNonRoot
    """
    if not config.security.run_as_non_root or config.security.run_as_user is not None:
        return ""
    where = f'(pod: "{config.pod_name}_{config.pod_namespace}({pod_uid})", container: {config.name})'
    name = image_user.partition(":")[0]
    if not name or (name.isdigit() and int(name) == 0):
        return f"container has runAsNonRoot and image will run as root {where}"
    if not name.isdigit():
        return f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {where}"
    return ""
