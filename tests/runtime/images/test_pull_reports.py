"""What a loop hears of a pull that threads carry out."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from lifepod.lifecycle.vocabulary import Failed, ImagePulled
from lifepod.runtime.base import PullImageOrder
from lifepod.runtime.images.local_images import Progress
from lifepod.runtime.images.pod_images import PodImages
from lifepod.runtime.images.pull_reports import PullReports

from .conftest import Entry, Registry, image, layer


def test_the_beginning_and_the_end_are_told_and_four_times_a_second_between() -> None:
    heard: list[int] = []

    async def story() -> None:
        now = iter(n / 100 for n in range(1000))
        loop = asyncio.get_running_loop()
        reports = PullReports(lambda progress: heard.append(progress.done_bytes), loop, lambda: next(now))
        for done in range(101):
            reports.take(Progress("a", done, 100))
        await asyncio.sleep(0)

    asyncio.run(story())
    assert heard == [0, 25, 50, 75, 100]


def test_a_pull_is_heard_on_the_loop_to_its_end(tmp_path: Path, registry: Registry) -> None:
    heard: list[tuple[Progress, bool]] = []
    name = str(registry.add("a:1", image(layer(Entry("big", os.urandom(700_000))))))
    registry.add("damaged:1", image(layer(Entry("other", os.urandom(700_000)))))
    registry.fault = lambda path, body: body[:-9] if "/damaged/blobs/" in path and len(body) > 100_000 else body

    async def story() -> None:
        here = threading.get_ident()
        images = PodImages(
            str(tmp_path / "store"), on_progress=lambda p: heard.append((p, threading.get_ident() == here))
        )
        assert isinstance(await images.pull(PullImageOrder(name), print), ImagePulled)
        assert isinstance(await images.pull(PullImageOrder(name), print), ImagePulled)
        assert isinstance(await images.pull(PullImageOrder(f"{registry.host}/damaged:1"), print), Failed)
        images.close()

    asyncio.run(story())
    assert all(on_loop for _, on_loop in heard)
    mine = [p for p, _ in heard if p.image == name]
    assert (mine[0].done_bytes, mine[0].ended) == (0, "")
    assert [p.ended for p in mine if p.ended] == ["pulled"], "the second pull fetched nothing, so it says nothing"
    assert mine[-1] == Progress(name, mine[0].total_bytes, mine[0].total_bytes, "pulled")
    assert [p.ended for p, _ in heard if p.image != name][-1] == "failed"
