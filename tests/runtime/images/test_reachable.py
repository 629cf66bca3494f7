"""Image mode `if-reachable`: which names are real images, who is asked, and that an answer holds."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifepod.api.image_reference import ImageReference, parse
from lifepod.lifecycle.vocabulary import Failed, ImagePulled, ImageSeen
from lifepod.runtime.base import PullImageOrder
from lifepod.runtime.image_names import image_reference, stand_in_reference
from lifepod.runtime.images.errors import ImageError
from lifepod.runtime.images.local_images import LocalImages
from lifepod.runtime.images.registry_question import registry_problem
from lifepod.runtime.reachable_images import ReachableImages

from .conftest import BUSYBOX, Entry, Registry, busybox_layer, image, layer

NAME = "registry.example/shop/web:1"


class Asked:
    """Who is asked, and what is said: `said` by registry, else that it answers."""

    def __init__(self, **said: str) -> None:
        self.said, self.domains = said, list[str]()

    def __call__(self, reference: ImageReference) -> str:
        self.domains.append(reference.domain)
        return self.said.get(reference.domain.replace(".", "_"), "")


NOBODY = {"registry_example": "no such host: registry.example"}


def stand_in(name: str) -> ImageSeen:
    return ImageSeen(stand_in_reference(image_reference(name)))


def reachable(tmp_path: Path, asked: Any, notices: list[str] | None = None, **options: Any) -> ReachableImages:
    hear = (lambda text: None) if notices is None else notices.append
    return ReachableImages(str(tmp_path / "store"), ask=asked, on_notice=hear, **options)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def answering() -> Iterator[Any]:
    """A server that answers everything with one status; call it with that status for its address."""
    servers = []

    def start(status: int) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "http://nobody.invalid/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


# ------------------------------------------------------------------------------------------------ the question


@pytest.mark.parametrize("status", [200, 307, 401, 404, 429, 503])
def test_any_answer_is_an_answer(answering: Any, status: int) -> None:
    assert registry_problem(parse(f"{answering(status)}/a:1"), (), 2.0) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no-such-name.invalid/a:1", "no such host: no-such-name.invalid"),
        ("127.0.0.1:{port}/a:1", "127.0.0.1:{port}: connection refused"),
    ],
)
def test_nobody_there_is_no_answer(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    port = free_port()
    assert registry_problem(parse(name.format(port=port)), (), 2.0) == said.format(port=port)


def test_who_takes_the_connection_and_hangs_up_is_no_registry() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        assert registry_problem(parse(f"127.0.0.1:{server.getsockname()[1]}/a:1"), (), 2.0) != ""
        server.shutdown(socket.SHUT_RDWR)


def test_all_that_wait_share_one_question_for_each_registry(tmp_path: Path) -> None:
    asked = Asked(**NOBODY)
    names = [NAME, "registry.example/shop/web:2", "registry.example/other", "other.example/a", NAME]

    async def story() -> None:
        images = reachable(tmp_path, asked)
        await asyncio.gather(*(images.inspect(name) for name in names))
        await images.inspect("registry.example/later")
        images.close()

    asyncio.run(story())
    assert sorted(asked.domains) == ["other.example", "registry.example"]


def test_who_does_not_answer_in_time_is_not_waited_for(tmp_path: Path) -> None:
    never, notices = threading.Event(), list[str]()

    async def story() -> None:
        images = reachable(tmp_path, lambda reference: str(never.wait()), notices, seconds=0.01)
        assert await images.inspect(NAME) == stand_in(NAME)
        images.close()

    try:
        asyncio.run(asyncio.wait_for(story(), 20))
    finally:
        never.set()
    assert "registry.example did not answer (no answer within 0.01 s)" in notices[0]


# ------------------------------------------------------------------------------------------------ the choice


def test_an_image_that_is_here_is_used_and_nobody_asked(tmp_path: Path, registry: Registry) -> None:
    name = str(registry.add("web:1", image(layer(Entry("a", b"1")))))
    record = LocalImages(str(tmp_path / "store")).pull(parse(name))
    registry.close()
    asked = Asked()

    async def story() -> None:
        images = reachable(tmp_path, asked)
        assert await images.inspect(name) == ImageSeen(record.ref)
        assert images.stands_in(name) == ""
        images.close()

    asyncio.run(story())
    assert asked.domains == []


def test_an_image_that_is_here_is_as_good_as_pulled_where_its_registry_is_not(
    tmp_path: Path, registry: Registry
) -> None:
    name = str(registry.add("web:1", image(layer(Entry("a", b"1")))))
    record = LocalImages(str(tmp_path / "store")).pull(parse(name))
    registry.close()

    async def story(problem: str) -> object:
        images = reachable(tmp_path, lambda reference: problem)
        outcome = await images.pull(PullImageOrder(name), lambda text: None)
        images.close()
        return outcome

    assert asyncio.run(story("no such host")) == ImagePulled(record.ref, record.size_bytes, 0.0, 0.0)
    assert isinstance(asyncio.run(story("")), Failed)  # who answers is asked for the newest


def test_a_registry_that_answers_is_pulled_from_with_its_refusals(tmp_path: Path, registry: Registry) -> None:
    name = str(registry.add("web:1", image(layer(Entry("a", b"1")))))
    missing = f"{registry.host}/missing:1"

    async def story() -> None:
        images = ReachableImages(str(tmp_path / "store"))
        assert await images.inspect(name) == ImageSeen(None)
        assert isinstance(await images.pull(PullImageOrder(name), print), ImagePulled)
        refused = await images.pull(PullImageOrder(missing), print)
        assert isinstance(refused, Failed)
        assert refused.reason == "ErrImagePull"
        assert "not found" in refused.message
        images.close()

    asyncio.run(story())


def test_where_nobody_answers_the_machines_files_stand_in_and_it_is_said_once(tmp_path: Path) -> None:
    notices: list[str] = []

    async def story() -> None:
        images = reachable(tmp_path, Asked(**NOBODY, other_example="timeout"), notices)
        assert images.stands_in(NAME) == ""
        assert await images.inspect(NAME) == stand_in(NAME)
        assert images.stands_in(NAME) == "registry registry.example did not answer"
        assert isinstance(await images.pull(PullImageOrder(NAME), print), ImagePulled)
        await images.inspect("registry.example/second:1")
        await images.inspect("other.example/a")
        images.close()

    asyncio.run(story())
    first, second = notices
    assert "registry.example did not answer (no such host: registry.example)" in first
    assert "`lifepod image import FILE`" in first
    assert "`--images auto`" in first
    assert "other.example did not answer (timeout)" in second


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("registry.invalid/a:1", ImageSeen(None)), ("Bad:Name:", "InvalidImageName")],
)
def test_names_that_can_never_be_are_nobodys_question(tmp_path: Path, name: str, outcome: object) -> None:
    asked = Asked()

    async def story() -> None:
        images = reachable(tmp_path, asked)
        seen = await images.inspect(name)
        assert (seen.reason if isinstance(seen, Failed) else seen) == outcome
        assert isinstance(await images.pull(PullImageOrder(name), print), Failed)
        assert images.stands_in(name) == ""
        images.close()

    asyncio.run(story())
    assert asked.domains == []


def test_where_no_image_can_be_kept_none_is_real_and_nobody_is_asked(tmp_path: Path) -> None:
    """A home that cannot be written, as services and hardened containers have it."""
    (tmp_path / "store").write_text("in the way")
    asked, notices = Asked(), list[str]()

    async def story() -> None:
        images = reachable(tmp_path, asked, notices)
        for name in (NAME, "other.example/a"):
            assert await images.inspect(name) == stand_in(name)
        assert images.stands_in(NAME).startswith("no image can be kept in ")
        assert await images.inspect("registry.invalid/a:1") == ImageSeen(None)
        images.close()

    asyncio.run(story())
    assert asked.domains == []
    (notice,) = notices
    assert str(tmp_path / "store") in notice


# ------------------------------------------------------------------------------------------------ that it holds


def test_the_answer_holds_when_the_image_or_the_registry_comes_later(tmp_path: Path, registry: Registry) -> None:
    """Two starts of one container never differ, whoever fills the store meanwhile."""
    name = str(registry.add("web:1", image(layer(Entry("a", b"1")))))

    async def story() -> None:
        images = reachable(tmp_path, lambda reference: "connection refused")
        assert await images.inspect(name) == stand_in(name)
        LocalImages(str(tmp_path / "store")).pull(parse(name))
        assert await images.inspect(name) == stand_in(name)
        images.close()

    asyncio.run(story())


@pytest.mark.parametrize("is_there", [True, False])
def test_the_answer_holds_over_restarts(tmp_path: Path, is_there: bool) -> None:
    kept, notices = str(tmp_path / "images.json"), list[str]()

    async def look(asked: Asked) -> object:
        images = reachable(tmp_path, asked, notices, kept=kept)
        seen = await images.inspect(NAME)
        images.close()
        return seen

    first = asyncio.run(look(Asked(**({} if is_there else NOBODY))))
    again = Asked(**(NOBODY if is_there else {}))
    assert asyncio.run(look(again)) == first == (ImageSeen(None) if is_there else stand_in(NAME))
    assert again.domains == []
    assert len(notices) == (0 if is_there else 2), "each start says it once"


def test_an_answer_that_cannot_be_kept_is_none(tmp_path: Path) -> None:
    async def story() -> None:
        images = reachable(tmp_path, Asked(**NOBODY), kept=str(tmp_path / "no such folder" / "images.json"))
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                await images.inspect(NAME)
        images.close()

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "[]", '{"real": 1}'])
def test_a_damaged_file_of_answers_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "images.json"
    path.write_text(text)
    with pytest.raises(ImageError, match=str(path)):
        ReachableImages(kept=str(path))


# ------------------------------------------------------------------------------------------------ the whole run


@pytest.mark.sandbox
@pytest.mark.skipif(not BUSYBOX.exists(), reason="needs Debian's busybox-static")
def test_a_run_with_no_words_pulls_what_can_be_had_and_stands_in_for_the_rest(
    tmp_path: Path, registry: Registry
) -> None:
    """Both in one pod; where files stand in, the pod's events are those of mode `host`."""
    real = str(registry.add("tools:1", image(busybox_layer(), config={"Cmd": ["ls", "/"], "Env": ["PATH=/bin"]})))
    nobody = f"127.0.0.1:{free_port()}/tools:1"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "both"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {"name": "real", "image": real},
                {"name": "files", "image": nobody, "command": ["ls", "/"]},
            ],
        },
    }
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    words = [sys.executable, "-m", "lifepod", "run", str(tmp_path / "pod.json"), "-o", "json", "--timeout", "60s"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=90)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    shown = {
        name: [t["line"] for t in told if t["type"] == "log" and t["container"] == name] for name in ("real", "files")
    }
    assert "usr" in shown["real"]
    assert "opt" not in shown["real"], "the image has none"
    assert "opt" in shown["files"]
    messages = [t["event"]["message"] for t in told if t["type"] == "event"]
    assert f'Container image "{nobody}" already present on machine' in messages
    assert f'Pulling image "{real}"' in messages
    pulls = [(t["image"], t["state"]) for t in told if t["type"] == "pull"]
    assert (pulls[0], pulls[-1]) == ((real, "pulling"), (real, "pulled"))
    (note,) = [t["text"] for t in told if t["type"] == "note"]
    assert nobody.partition("/")[0] in note
