"""Pulling from a registry: names, digests, credentials, what a registry does wrong, and being killed in the middle."""

from __future__ import annotations

import base64
import glob
import json
import multiprocessing
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from lifepod.api.image_reference import parse
from lifepod.runtime.images.errors import PullFailed
from lifepod.runtime.images.local_images import LocalImages, Progress
from lifepod.runtime.images.manifests import Platform
from lifepod.runtime.images.pod_images import PodImages
from lifepod.runtime.images.store import Store, default_folder

from .conftest import Entry, Registry, digest_of, folder, image, index, layer

LAYERS = (
    layer(folder("etc"), Entry("etc/a", b"1"), Entry("etc/b", b"1")),
    layer(Entry("etc/.wh.a"), Entry("etc/c", b"2")),
    layer(Entry("etc/b", b"3")),
)


def text_of(images: LocalImages, name: str, path: str) -> str:
    return Path(images.open(parse(name)).root, path).read_text()


@pytest.mark.parametrize("kind", ["gzip", "zstd", ""])
def test_layers_of_every_kind_are_pulled_and_unpacked_in_order(
    kind: str, registry: Registry, images: LocalImages
) -> None:
    name = registry.add("several:1", image(*LAYERS, kind=kind, config={"Cmd": ["x"]}))
    record = images.pull(name)
    root = Path(images.open(name).root)
    assert {p.name: p.read_text() for p in (root / "etc").iterdir()} == {"b": "3", "c": "2"}
    assert record.ref == f"{registry.host}/several@{registry.images['several:1'].target}"
    assert images.open(name).config.command == ("x",)


def test_what_is_here_is_not_fetched_again(registry: Registry, images: LocalImages) -> None:
    first = registry.add("a:1", image(*LAYERS))
    second = registry.add("b:1", image(*LAYERS, layer(Entry("more"))))
    images.pull(first)
    registry.requests.clear()
    images.pull(first)
    assert [r for r in registry.requests if "/blobs/" in r] == []
    images.pull(second)
    assert len([r for r in registry.requests if "/blobs/" in r]) == 2


def test_a_name_that_moved_is_pulled_anew_and_the_old_one_still_opens_by_its_reference(
    registry: Registry, images: LocalImages
) -> None:
    name = registry.add("a:1", image(layer(Entry("v", b"1"))))
    images.pull(name)
    registry.add("a:1", image(layer(Entry("v", b"2"))))
    assert text_of(images, str(name), "v") == "1"
    images.pull(name)
    assert text_of(images, str(name), "v") == "2"


def test_an_index_gives_the_image_of_this_platform(registry: Registry, tmp_path: Path) -> None:
    found = index(
        linux_arm64=image(layer(Entry("v", b"arm")), architecture="arm64"),
        linux_amd64=image(layer(Entry("v", b"amd"))),
    )
    name = registry.add("multi:1", found)
    for architecture, text in (("arm64", "arm"), ("amd64", "amd")):
        images = LocalImages(str(tmp_path / architecture), platform=Platform("linux", architecture))
        assert images.pull(name).target == found.target
        assert text_of(images, str(name), "v") == text
    images = LocalImages(str(tmp_path / "none"), platform=Platform("linux", "s390x"))
    with pytest.raises(PullFailed, match="no match for platform in manifest"):
        images.pull(name)


def test_a_digest_names_an_image_and_is_checked(registry: Registry, images: LocalImages) -> None:
    found = image(*LAYERS)
    registry.add("a:1", found)
    name = parse(f"{registry.host}/a@{found.target}")
    assert images.find(name) is None
    images.pull(name)
    assert images.find(name) is not None
    assert images.find(parse(f"{registry.host}/a:1@{found.target}")) is not None


def _swap(path: str, body: bytes) -> bytes:
    return body[:-1] + b"X" if "/blobs/" in path and len(body) > 400 else body


FAULTS = {
    "a blob that was damaged on its way": (_swap, "has the digest .*: damaged"),
    "a blob that ends too early": (lambda path, body: body[:-9] if "/blobs/" in path else body, "blob sha256:"),
    "a manifest that is no JSON": (lambda path, body: b"x" * len(body) if "manifests" in path else body, "is no JSON"),
}


@pytest.mark.parametrize("case", FAULTS, ids=str)
def test_what_a_registry_sends_wrong_is_refused_and_the_next_pull_succeeds(
    case: str, registry: Registry, images: LocalImages
) -> None:
    registry.fault, text = FAULTS[case]
    name = registry.add("a:1", image(layer(Entry("x", os.urandom(3000)))))
    with pytest.raises(PullFailed, match=f'^failed to pull and unpack image "{name}": .*{text}'):
        images.pull(name)
    assert images.find(name) is None
    registry.fault = lambda path, body: body
    images.pull(name)
    assert Path(images.open(name).root, "x").stat().st_size == 3000


def test_an_image_whose_layer_is_truncated_though_its_digest_fits_is_refused(
    registry: Registry, images: LocalImages
) -> None:
    name = registry.add("a:1", image(LAYERS[0], layer(Entry("x", b"1" * 5000))[:2048]))
    with pytest.raises(PullFailed, match=r"layer 2 of 2 \(sha256:.*truncated"):
        images.pull(name)
    assert images.find(name) is None
    assert os.listdir(Path(images.store.folder, "roots")) == []


def test_a_layer_that_is_not_what_the_configuration_says_is_refused(registry: Registry, images: LocalImages) -> None:
    name = registry.add("a:1", image(LAYERS[0], rootfs={"type": "layers", "diff_ids": [digest_of(b"other")]}))
    with pytest.raises(PullFailed, match=r"layer 1 of 1 .*damaged"):
        images.pull(name)


# ------------------------------------------------------------------------------------------------ who may, and texts


def test_containerds_words_for_what_is_not_there(registry: Registry, images: LocalImages) -> None:
    name = parse(f"{registry.host}/nothing:1")
    with pytest.raises(PullFailed) as failed:
        images.pull(name)
    shown = str(name)
    assert str(failed.value) == (
        f'failed to pull and unpack image "{shown}": failed to resolve reference "{shown}": {shown}: not found'
    )
    assert not failed.value.is_unreachable


def test_containerds_words_for_a_registry_that_does_not_answer(images: LocalImages) -> None:
    with pytest.raises(PullFailed) as failed:
        images.pull(parse("127.0.0.1:1/x:1"))
    assert str(failed.value) == (
        'failed to pull and unpack image "127.0.0.1:1/x:1": failed to resolve reference "127.0.0.1:1/x:1": '
        'failed to do request: Head "http://127.0.0.1:1/v2/x/manifests/1": '
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )
    assert failed.value.is_unreachable


def _secret(host: str, pair: str) -> str:
    return json.dumps({"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}})


@pytest.mark.parametrize("bearer", ["", "t0ken"], ids=["basic", "token"])
def test_a_private_image_needs_the_right_pull_secret(bearer: str, registry: Registry, images: LocalImages) -> None:
    name = registry.add("private:1", image(*LAYERS))
    registry.basic, registry.bearer = "me:secret", bearer
    for secrets in ((), (_secret(registry.host, "me:wrong"),), (_secret("other.example", "me:secret"),), ("no json",)):
        with pytest.raises(PullFailed, match="pull access denied"):
            images.pull(name, secrets)
    images.pull(name, (_secret(registry.host, "me:wrong"), _secret(registry.host, "me:secret")))
    assert images.find(name) is not None


def test_the_users_docker_configuration_and_its_helpers_are_asked(
    registry: Registry, images: LocalImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = registry.add("private:1", image(*LAYERS))
    registry.basic = "me:secret"
    (tmp_path / "docker").mkdir()
    config = tmp_path / "docker/config.json"
    config.write_text(_secret(f"http://{registry.host}/v1/", "me:secret"))
    images.pull(name)
    images.store.forget(str(name))
    images.prune()
    helper = tmp_path / "docker-credential-test"
    answer = json.dumps({"Username": "me", "Secret": "secret"})
    helper.write_text(f"#!/bin/sh\nread server\n[ \"$1 $server\" = 'get {registry.host}' ] && echo '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    config.write_text(json.dumps({"credHelpers": {registry.host: "test"}}))
    images.pull(name)
    assert images.find(name) is not None


# ------------------------------------------------------------------------------------------------ at once, and killed


def test_progress_is_told_to_the_last_byte(registry: Registry, images: LocalImages) -> None:
    seen: list[Progress] = []
    images.pull(registry.add("a:1", image(*LAYERS)), on_progress=seen.append)
    assert seen[-1].done_bytes == seen[-1].total_bytes > 0


def test_two_at_once_make_one_image(registry: Registry, images: LocalImages) -> None:
    name = registry.add("a:1", image(*LAYERS, layer(Entry("big", os.urandom(500_000)))))
    others = [LocalImages(images.store.folder) for _ in range(3)]
    threads = [threading.Thread(target=other.pull, args=(name,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images.find(name) is not None
    assert Path(images.open(name).root, "big").stat().st_size == 500_000
    assert len([r for r in registry.requests if "/blobs/" in r]) == 5


def _pull(folder: str, name: str) -> None:
    LocalImages(folder).pull(parse(name))


def _unpack_slowly(folder: str, name: str) -> None:
    from lifepod.runtime.images import unpack

    plain = unpack.RootBuilder._add

    def slow(self: unpack.RootBuilder, *args: object) -> None:
        plain(self, *args)  # type: ignore[arg-type]
        time.sleep(0.05)

    unpack.RootBuilder._add = slow  # type: ignore[method-assign]
    _pull(folder, name)


def _killed_when(there: Path, target: object, *args: str) -> None:
    """Run `target` in a process of its own and kill it as soon as something matching is on disk."""
    child = multiprocessing.get_context("fork").Process(target=target, args=args)  # type: ignore[arg-type]
    child.start()
    deadline = time.monotonic() + 20
    while not glob.glob(str(there)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()


def test_after_kill_9_in_the_middle_of_a_pull_the_next_one_completes(registry: Registry, images: LocalImages) -> None:
    big = layer(Entry("big", os.urandom(400_000)))
    name = registry.add("a:1", image(*LAYERS, big))
    registry.hold = threading.Event()
    folder = images.store.folder
    _killed_when(Path(folder, "tmp/sha256-*"), _pull, folder, str(name))
    registry.hold.set()
    registry.hold = None
    assert images.find(name) is None
    images.pull(name)
    assert Path(images.open(name).root, "big").stat().st_size == 400_000
    assert images.prune() == (0, 0)
    assert os.listdir(Path(folder, "tmp")) == []


def test_after_kill_9_in_the_middle_of_unpacking_the_next_pull_completes(
    registry: Registry, images: LocalImages
) -> None:
    name = registry.add("a:1", image(layer(*(Entry(f"f{n}", b"x") for n in range(100)))))
    folder = images.store.folder
    _killed_when(Path(folder, "tmp/root-*/root/f5"), _unpack_slowly, folder, str(name))
    assert images.find(name) is None
    assert os.listdir(Path(folder, "roots")) == []
    images.pull(name)
    assert len(os.listdir(images.open(name).root)) == 100


# ------------------------------------------------------------------------------------------------ the store


def test_prune_keeps_what_a_name_needs_or_a_container_uses(registry: Registry, images: LocalImages) -> None:
    first, second = registry.add("a:1", image(LAYERS[0])), registry.add("b:1", image(LAYERS[0], LAYERS[1]))
    images.pull(first)
    images.pull(second)
    held = images.store.hold_root(images.open(second).chain)
    root = images.open(second).root
    images.store.forget(str(second))
    assert images.prune() == (3, 0)
    assert os.path.isdir(root)
    os.close(held)
    assert images.prune() == (0, 1)
    assert not os.path.exists(root)
    assert text_of(images, str(first), "etc/a") == "1"


def test_a_root_that_was_removed_is_made_again_from_the_blobs(registry: Registry, images: LocalImages) -> None:
    name = registry.add("a:1", image(*LAYERS))
    images.pull(name)
    images.store._remove_root(images.open(name).chain)
    assert text_of(images, str(name), "etc/c") == "2"


def test_the_store_lies_in_the_users_cache_folder_and_nobody_else_may_enter(tmp_path: Path) -> None:
    assert default_folder({"XDG_CACHE_HOME": "/c"}) == "/c/lifepod/images"
    (tmp_path / "s").mkdir(mode=0o755)
    Store(str(tmp_path / "s"))
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


def test_an_image_that_lost_its_blobs_or_has_a_damaged_one_counts_as_absent(
    registry: Registry, images: LocalImages
) -> None:
    name = registry.add("a:1", image(*LAYERS))
    record = images.pull(name)
    chain = images.open(name).chain
    images.store.drop_blob(record.layers[0])
    assert images.find(name) is not None, "its root is unpacked: nothing more is needed"
    images.store._remove_root(chain)
    assert images.find(name) is None
    images.pull(name)
    Path(images.store.blob_path(record.config)).write_bytes(b"{}")
    assert images.find(name) is None
    images.pull(name)
    assert text_of(images, str(name), "etc/c") == "2"


def test_a_container_that_outlived_its_lifepod_keeps_its_image_from_being_pruned(
    registry: Registry, images: LocalImages
) -> None:
    name = registry.add("a:1", image(*LAYERS))
    images.pull(name)
    root = images.open(name).root
    adopting = PodImages(images.store.folder)
    adopting.adopt(root)
    images.store.forget(str(name))
    assert images.prune()[1] == 0
    adopting.close()
    assert images.prune()[1] == 1
