"""How far an image's pull is, on the board, in plain lines and in JSON."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from rich.console import Console

from lifepod.runtime.images.local_images import Progress
from lifepod.ui.board import Header, render
from lifepod.ui.plain import size
from lifepod.ui.screens import JsonScreen, PlainScreen
from lifepod.ui.story import Story

NAME = "docker.io/library/nginx:latest"


def told_of(*done: int, total: int = 50_300_000) -> list[Progress]:
    return [Progress(NAME, count, total) for count in done]


@pytest.fixture
def story(parts):
    """A pod with a container that waits for nginx, and one that waits for another image."""
    waiting = [parts.waiting("web", "ContainerCreating"), parts.waiting("other", "ContainerCreating")]
    waiting[0]["image"], waiting[1]["image"] = "nginx", "Bad Name"
    story = Story()
    story.pods["default/p"] = parts.pod("p", "Pending", [], waiting)
    return story


def shown(story: Story, now) -> dict[str, str]:
    out = io.StringIO()
    Console(file=out, width=100, height=40).print(render(story, Header("t"), {}, now, 100, 40))
    lines = [line.split(maxsplit=1) for line in out.getvalue().splitlines() if line.startswith("    ")]
    return {words[0]: " ".join(words[1].split()) for words in lines}


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (0, "━━━━━━━━━━━━ pulling 0 % of 50.3 MB"),
        (29_174_000, "━━━━━━━━━━━━ pulling 58 % of 50.3 MB"),
        (50_299_999, "━━━━━━━━━━━━ pulling 99 % of 50.3 MB"),
        (50_300_000, "━━━━━━━━━━━━ unpacking 50.3 MB"),
    ],
)
def test_the_board_shows_it_where_the_container_waits(story, told, done, words):
    for progress in told_of(done):
        story.on_pull(progress)
    assert shown(story, told.now) == {
        "web": f"Waiting ContainerCreating {words}",
        "other": "Waiting ContainerCreating",
    }


def test_a_pull_that_ended_and_a_container_that_runs_show_none(story, told, parts):
    (progress,) = told_of(7)
    story.on_pull(progress)
    story.on_pull(progress._replace(ended="failed"))
    assert shown(story, told.now)["web"] == "Waiting ContainerCreating"
    story.on_pull(progress)
    running = {**parts.running("web"), "image": NAME}
    assert story.pull_of(running) is None
    assert story.pull_of({**parts.waiting("web", "ErrImagePull"), "image": NAME}) is None
    assert story.pull_of({**parts.waiting("web", "ContainerCreating"), "image": "nginx"}) == progress


def test_plain_lines_say_its_begin_and_its_end(told):
    out, times = io.StringIO(), iter([told.now + timedelta(seconds=n / 10) for n in range(100)])
    screen = PlainScreen("t", (), lambda: next(times), out)
    for progress in told_of(0, 1000, 50_300_000):
        screen.pull(progress)
    screen.pull(progress._replace(ended="pulled"))
    screen.pull(progress._replace(done_bytes=0))
    screen.pull(progress._replace(ended="failed"))
    begun, pulled, again, failed = [line.split("  ", 2)[1:] for line in out.getvalue().replace("   ", "").splitlines()]
    assert begun == [f"image {NAME}", "pulling 50.3 MB"]
    assert pulled[1].startswith("pulled 50.3 MB in 0.")
    assert again == begun
    assert failed[1] == "not pulled"


def test_json_has_every_report(told):
    out = io.BytesIO()
    screen = JsonScreen(lambda: told.now, out)
    for progress in told_of(0, 1000):
        screen.pull(progress)
    screen.pull(progress._replace(ended="pulled"))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["type"], line["state"], line["doneBytes"]) for line in lines] == [
        ("pull", "pulling", 0),
        ("pull", "pulling", 1000),
        ("pull", "pulled", 1000),
    ]
    assert {(line["image"], line["totalBytes"]) for line in lines} == {(NAME, 50_300_000)}


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_150_000, "2.1 MB"), (7_300_000_000_000, "7300.0 GB")],
)
def test_sizes_are_short(count, words):
    assert size(count) == words
