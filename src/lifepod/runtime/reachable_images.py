"""Image mode `if-reachable`, the default: is this name a real image here, or do this machine's own files stand in for it?

An image that is in the user's store is used; one whose registry answers is pulled, with all that Kubernetes does when that
fails. Where nobody answers, this machine's files stand in as in mode `host`. The answer is found once a name and holds as long
as the cluster lives (`kept`: also over restarts), so no two starts of one container differ. Registries are asked once each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING

from lifepod.runtime.image_names import InvalidImageName, can_never_be_pulled, image_reference
from lifepod.runtime.image_source import StandInImages
from lifepod.runtime.images.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.api.image_reference import ImageReference
    from lifepod.lifecycle.vocabulary import Outcome
    from lifepod.runtime.base import ContainerConfig, PullImageOrder
    from lifepod.runtime.image_source import ContainerImage, ImageSource
    from lifepod.runtime.images.local_images import Progress
    from lifepod.runtime.images.pod_images import PodImages

    Ask = Callable[[ImageReference], str]

_SECONDS = 2.0
"""How long a registry may take to say anything at all, everything included."""
_WAYS_OUT = "for the real ones: `lifepod image import FILE` and a new cluster, or `--images auto` to insist on pulling"


class ReachableImages:
    """Chooses for each name between real images and stand-ins; what is chosen does the rest.

    `kept`: the file that the choices are kept in, "" for none. `on_notice` hears once a registry that its images are stood
    in for, `on_progress` of pulls. `ask` says what keeps a registry from answering ("": it answers); it may block, and has `seconds` in all.
    """

    def __init__(
        self,
        folder: str | None = None,
        *,
        insecure: tuple[str, ...] = (),
        kept: str = "",
        on_notice: Callable[[str], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        ask: Ask | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        self._folder, self._insecure, self._kept = folder, insecure, kept
        self._on_notice = on_notice or (lambda text: None)
        self._on_progress = on_progress
        self._ask = ask or self._ask_registry
        self._seconds = seconds
        self._stand_ins = StandInImages()
        self._pod_images: PodImages | None = None
        self._no_store = ""
        self._is_real: dict[str, bool] = _read(kept) if kept else {}
        self._asked: dict[str, asyncio.Future[str]] = {}
        self._told: set[str] = set()

    # -------------------------------------------------------------------------------------------- as an image source

    async def inspect(self, image: str) -> Outcome:
        return await (await self._source(image)).inspect(image)

    async def pull(self, order: PullImageOrder, warn: Callable[[str], None]) -> Outcome:
        """An image that is here is as good as pulled where its registry does not answer, with policy Always too."""
        source = await self._source(order.image)
        if source is self._pod_images:
            reference = image_reference(order.image)
            here = source.here(reference)
            if here is not None and await self._problem(reference):
                return here
        return await source.pull(order, warn)

    async def complete(self, pod_uid: str, config: ContainerConfig, warn: Callable[[str], None]) -> ContainerImage:
        """Raises ImageUnusable."""
        return await (await self._source(config.image)).complete(pod_uid, config, warn)

    def stands_in(self, image: str) -> str:
        try:
            reference = image_reference(image)
        except InvalidImageName:
            return ""
        if self._is_real.get(str(reference), True):
            return ""
        return self._no_store or f"registry {reference.domain} did not answer"

    def adopt(self, root: str) -> None:
        self._real.adopt(root)

    def close(self) -> None:
        for asked in self._asked.values():
            asked.cancel()
        if self._pod_images is not None:
            self._pod_images.close()

    # -------------------------------------------------------------------------------------------- the choice

    @property
    def _real(self) -> PodImages:
        """Made when the first image is asked for: a cluster's start does not wait for what it imports."""
        if self._pod_images is None:
            from lifepod.runtime.images.pod_images import PodImages

            self._pod_images = PodImages(self._folder, insecure=self._insecure, on_progress=self._on_progress)
        return self._pod_images

    async def _source(self, image: str) -> ImageSource:
        try:
            reference = image_reference(image)
        except InvalidImageName:
            return self._stand_ins  # which says so
        name = str(reference)
        problem = ""
        if name not in self._is_real:
            has_store = self._has_store()
            if has_store and self._real.has(reference):
                self._choose(name, is_real=True)
            elif can_never_be_pulled(reference):
                return self._stand_ins  # which says that it cannot be pulled; an import may still bring it
            elif not has_store:
                self._choose(name, is_real=False)
            else:
                problem = await self._problem(reference)
                if name not in self._is_real:  # by another pod, meanwhile
                    self._choose(name, is_real=not problem)
        if self._is_real[name]:
            return self._real
        if not self._no_store:
            self._tell(reference.domain, problem)
        return self._stand_ins

    def _has_store(self) -> bool:
        """Whether images can be kept; where no folder for them can be made, none is real, and it is said once."""
        if not self._no_store:
            try:
                return self._real is not None
            except OSError as exc:
                self._no_store = f"no image can be kept in {exc.filename}: {(exc.strerror or '').lower()}"
                self._on_notice(f"images: {self._no_store}; this machine's own files stand in for all images")
        return False

    def _choose(self, name: str, *, is_real: bool) -> None:
        """From now on this is the answer. Raises OSError when it cannot be kept: it would not be sure to hold."""
        chosen = self._is_real | {name: is_real}
        if self._kept:
            _write(self._kept, chosen)
        self._is_real = chosen

    def _tell(self, registry: str, problem: str) -> None:
        if registry in self._told:
            return
        found = f" ({problem})" if problem else ""
        text = f"images: registry {registry} did not answer{found}; this machine's own files stand in for its images"
        self._on_notice(text if self._told else f"{text}\n{_WAYS_OUT}")
        self._told.add(registry)

    # -------------------------------------------------------------------------------------------- the question

    async def _problem(self, reference: ImageReference) -> str:
        """What keeps the image's registry from answering, "" when it does. Asked once; whoever waits shares the answer."""
        asked = self._asked.get(reference.domain)
        if asked is None:
            asked = self._asked[reference.domain] = asyncio.ensure_future(self._bounded(reference))
        return await asyncio.shield(asked)

    async def _bounded(self, reference: ImageReference) -> str:
        """Ask in a thread that nobody has to wait for: a resolver may block for much longer than the question may take."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def tell(said: str) -> None:
            if not answer.done():
                answer.set_result(said)

        def run() -> None:
            try:
                said = self._ask(reference)
            except Exception as exc:  # noqa: BLE001 - the outermost of its thread: whoever waits must get an answer
                said = str(exc) or type(exc).__name__
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, said)

        threading.Thread(target=run, name="lifepod-registry", daemon=True).start()
        await asyncio.wait((answer,), timeout=self._seconds)
        return answer.result() if answer.done() else f"no answer within {self._seconds:g} s"

    def _ask_registry(self, reference: ImageReference) -> str:
        from lifepod.runtime.images.registry_question import registry_problem

        return registry_problem(reference, self._insecure, self._seconds)


def _read(path: str) -> dict[str, bool]:
    """The choices of the cluster's earlier starts. Raises ImageError."""
    try:
        with open(path) as file:
            kept = json.load(file)
        return {str(name): bool(is_real) for name, is_real in kept["real"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ImageError(
            f"{path} cannot be read ({exc}). Remove it to have it found out anew which images are real."
        ) from exc


def _write(path: str, chosen: dict[str, bool]) -> None:
    with open(path + ".new", "w") as file:
        json.dump({"real": chosen}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
