"""Real images as a runtime's orders need them: present or not, pulled, and a container's configuration completed by them.

Which image to pull when, and how long to wait after a failure, the lifecycle core decides; here is only answered what is.
Work on disk and network happens in threads; a pull goes on even if the pod that wanted it first is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from lifepod.lifecycle.vocabulary import Failed, ImagePulled, ImageSeen
from lifepod.runtime.image_names import InvalidImageName, can_never_be_pulled, image_reference, pull_error
from lifepod.runtime.image_source import ContainerImage, ImageUnusable, non_root_problem
from lifepod.runtime.images.errors import BadImage, PullFailed
from lifepod.runtime.images.local_images import LocalImages
from lifepod.runtime.images.pull_reports import PullReports
from lifepod.runtime.images.users import user_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.api.image_reference import ImageReference
    from lifepod.lifecycle.vocabulary import Outcome
    from lifepod.runtime.base import ContainerConfig, PullImageOrder
    from lifepod.runtime.images.local_images import LocalImage, Progress
    from lifepod.runtime.images.store import ImageRecord

_WAYS_OUT = (
    "its registry cannot be reached: `lifepod image import FILE` brings in an image from a file, "
    "and `--images host` runs commands on this machine's own files"
)


class PodImages:
    """Image mode `auto`: images are this user's store and the registries.

    `on_progress` hears of every pull that fetches something, on the loop's thread (`pull_reports.py`).
    """

    def __init__(
        self,
        folder: str | None = None,
        *,
        insecure: tuple[str, ...] = (),
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._images = LocalImages(folder, insecure=insecure)
        self._on_progress = on_progress or (lambda progress: None)
        self._cancelled = threading.Event()
        self._pulling: dict[str, asyncio.Future[ImageRecord]] = {}
        self._held: dict[str, int] = {}
        self._open: dict[str, LocalImage] = {}

    def close(self) -> None:
        """Stop pulls and let go of the roots."""
        self._cancelled.set()
        for fd in self._held.values():
            os.close(fd)
        self._held.clear()

    def has(self, image: ImageReference) -> bool:
        """Whether the image can be run without asking any registry."""
        return self.here(image) is not None

    def here(self, image: ImageReference) -> ImagePulled | None:
        """The image as if it had just been pulled, when it is in the store."""
        record = self._images.find(image)
        return None if record is None else ImagePulled(record.ref, record.size_bytes, 0.0, 0.0)

    def stands_in(self, image: str) -> str:
        return ""

    # -------------------------------------------------------------------------------------------- orders

    async def inspect(self, image: str) -> Outcome:
        try:
            reference = image_reference(image)
        except InvalidImageName as exc:
            return Failed("InvalidImageName", str(exc))
        record = self._images.find(reference)
        return ImageSeen(None if record is None else record.ref)

    async def pull(self, order: PullImageOrder, warn: Callable[[str], None]) -> Outcome:
        try:
            reference = image_reference(order.image)
        except InvalidImageName as exc:
            return Failed("InvalidImageName", str(exc))
        if can_never_be_pulled(reference):
            # RFC 2606 promises that no resolver knows it: there is nobody to be asked.
            warn(f'image "{order.image}": {_WAYS_OUT}')
            return Failed("ErrImagePull", pull_error(reference))
        started = time.monotonic()
        try:
            record = await self._shared_pull(reference, tuple(text for _, text in order.registry_auth))
        except PullFailed as exc:
            if exc.is_unreachable:
                warn(f'image "{order.image}": {_WAYS_OUT}')
            return Failed("ErrImagePull", str(exc))
        seconds = time.monotonic() - started
        return ImagePulled(record.ref, record.size_bytes, seconds, seconds)

    async def _shared_pull(self, reference: ImageReference, secrets: tuple[str, ...]) -> ImageRecord:
        """One pull of a name at a time, whoever asks; a secret makes it another's business."""
        key = repr((str(reference), secrets))
        pulling = self._pulling.get(key)
        if pulling is None:
            reports = PullReports(self._on_progress, asyncio.get_running_loop())
            work = asyncio.to_thread(self._images.pull, reference, secrets, reports.take, self._cancelled)
            pulling = self._pulling[key] = asyncio.ensure_future(work)
            pulling.add_done_callback(lambda done: self._pulling.pop(key, None))
            pulling.add_done_callback(reports.end)
        return await asyncio.shield(pulling)

    # -------------------------------------------------------------------------------------------- containers

    async def complete(self, pod_uid: str, config: ContainerConfig, warn: Callable[[str], None]) -> ContainerImage:
        """Raises ImageUnusable."""
        try:
            image = self._open.get(config.image_ref) or await self._opened(config)
        except (BadImage, OSError) as exc:
            raise ImageUnusable("CreateContainerError", str(exc)) from exc
        for note in image.notes:
            warn(f'image "{config.image}": {note}')
        if problem := non_root_problem(image.config.user, config, pod_uid):
            raise ImageUnusable("CreateContainerConfigError", problem)
        completed = _completed(config, image)
        if not completed.command and not completed.args:
            raise ImageUnusable("CreateContainerError", "no command specified")
        return ContainerImage(completed, image.root, image.config.stop_signal)

    def adopt(self, root: str) -> None:
        """Keep a root from being pruned whose container outlived the lifepod that started it."""
        chain = os.path.basename(os.path.dirname(root))
        if chain not in self._held:
            with contextlib.suppress(OSError):
                self._held[chain] = self._images.store.hold_root(chain)

    async def _opened(self, config: ContainerConfig) -> LocalImage:
        """Open the image and keep its root from being pruned as long as this process lives."""
        reference = image_reference(config.image)
        image = await asyncio.to_thread(self._images.open, reference, config.image_ref)
        if image.chain not in self._held:
            self._held[image.chain] = self._images.store.hold_root(image.chain)
        self._open[config.image_ref] = image
        return image


def _completed(config: ContainerConfig, image: LocalImage) -> ContainerConfig:
    """The container's own words over the image's: a command replaces entrypoint and arguments, arguments only the latter.

    Source: k8s docs: define a command and arguments; containerd v1.7 pkg/cri/server/container_create.go: withProcessArgs
    """
    said = image.config
    command = config.command or said.entrypoint
    args = config.args or (() if config.command else said.command)
    user = user_of(image.root, said.user, config.security)
    env = dict(said.env) | dict(config.env)
    env.setdefault("HOME", user.home)
    return config._replace(
        command=command,
        args=args,
        env=tuple(env.items()),
        working_dir=config.working_dir or said.working_dir,
        security=config.security._replace(run_as_user=user.uid, run_as_group=user.gid),
    )
