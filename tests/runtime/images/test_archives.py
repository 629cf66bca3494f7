"""Images from files, and from Debian's docker-registry: what other tools write is read here."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lifepod.api.image_reference import parse
from lifepod.runtime.images.errors import ImportFailed
from lifepod.runtime.images.local_images import LocalImages

from .conftest import MANIFEST, Entry, Image, compressed, digest_of, folder, image, layer

LAYERS = (layer(folder("d"), Entry("d/a", b"1")), layer(Entry("d/.wh.a"), Entry("d/b", b"2")))
FOUND = image(*LAYERS, config={"Cmd": ["x"]})


def write_tar(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return path


def oci_files(found: Image, **annotations: str) -> dict[str, bytes]:
    entry = {"mediaType": found.media_type, "digest": found.target, "size": len(found.blobs[found.target])}
    index = {"schemaVersion": 2, "manifests": [{**entry, "annotations": annotations}]}
    blobs = {f"blobs/{digest.replace(':', '/')}": content for digest, content in found.blobs.items()}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}


def docker_files(*tags: str, **changes: Any) -> dict[str, bytes]:
    config = json.dumps({"config": {"Cmd": ["x"]}, "rootfs": {"diff_ids": [digest_of(tar) for tar in LAYERS]}}).encode()
    entry = {"Config": "config.json", "RepoTags": list(tags), "Layers": ["1/layer.tar", "2/layer.tar"], **changes}
    return {
        "config.json": config,
        "manifest.json": json.dumps([entry]).encode(),
        "1/layer.tar": LAYERS[0],
        "2/layer.tar": LAYERS[1],
    }


def check(images: LocalImages, name: str) -> None:
    found = images.open(parse(name).with_default_tag)
    assert [p.name for p in Path(found.root, "d").iterdir()] == ["b"]
    assert found.config.command == ("x",)


ARCHIVES: dict[str, Callable[[], dict[str, bytes]]] = {
    "oci-archive": lambda: oci_files(FOUND, **{"org.opencontainers.image.ref.name": "docker.io/library/it:1"}),
    "oci-archive of containerd": lambda: oci_files(
        FOUND, **{"io.containerd.image.name": "docker.io/library/it:1", "org.opencontainers.image.ref.name": "1"}
    ),
    "docker-archive": lambda: docker_files("it:1"),
}


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", ARCHIVES, ids=str)
def test_archives_are_imported_under_their_own_names(
    kind: str, is_compressed: bool, images: LocalImages, tmp_path: Path
) -> None:
    path = write_tar(tmp_path / "a.tar", ARCHIVES[kind]())
    if is_compressed:
        path.write_bytes(compressed(path.read_bytes(), "gzip"))
    (record,) = images.import_file(str(path))
    assert record.name == "docker.io/library/it:1"
    assert record.ref == record.config
    check(images, "it:1")


def test_an_image_without_a_name_needs_one(images: LocalImages, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", oci_files(FOUND, **{"org.opencontainers.image.ref.name": "latest"}))
    with pytest.raises(ImportFailed, match="has no name: give one with --name"):
        images.import_file(str(path))
    images.import_file(str(path), parse("mine/it:2"))
    check(images, "mine/it:2")


def test_docker_saves_equal_layers_as_links(images: LocalImages, tmp_path: Path) -> None:
    files = docker_files("it:1")
    files["shared.tar"] = files.pop("1/layer.tar")
    images.import_file(str(write_tar(tmp_path / "a.tar", files, {"1/layer.tar": "../shared.tar"})))
    check(images, "it:1")


def _without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: content for key, content in files.items() if key != name}


def _damaged() -> dict[str, bytes]:
    files = ARCHIVES["oci-archive"]()
    name = next(name for name, content in files.items() if content == FOUND.blobs[FOUND.target])
    return {**files, name: files[name].replace(MANIFEST.encode(), MANIFEST.upper().encode())}


REFUSED = {
    "neither form": ({"x": b""}, "neither index.json"),
    "a missing layer": (_without(docker_files("it:1"), "2/layer.tar"), "'2/layer.tar' is missing in the archive"),
    "a layer too few": (docker_files("it:1", Layers=["1/layer.tar"]), "disagree about the layers"),
    "layers in the wrong order": (
        docker_files("it:1", Layers=["2/layer.tar", "1/layer.tar"]),
        "layer 1 of 2 .*damaged",
    ),
    "a manifest that was changed": (_damaged(), "damaged"),
    "a name that is none": (docker_files("Bad//Name"), "must be lowercase"),
    "a path out of the archive": (docker_files("it:1", Config="../../etc/passwd"), "is missing in the archive"),
    "a manifest that is no list": ({"manifest.json": b"{}"}, "no list of images"),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_archives_that_are_refused(case: str, images: LocalImages, tmp_path: Path) -> None:
    files, text = REFUSED[case]
    with pytest.raises(ImportFailed, match=text):
        images.import_file(str(write_tar(tmp_path / "a.tar", files)))
    assert images.store.records() == []


def test_a_file_that_is_no_archive_or_not_there(images: LocalImages, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello" * 500)
    with pytest.raises(ImportFailed, match="no image archive"):
        images.import_file(str(tmp_path / "a"))
    with pytest.raises(ImportFailed, match="cannot be read: No such file"):
        images.import_file(str(tmp_path / "b"))


# ------------------------------------------------------------------------------------------------ other people's tools


@pytest.fixture
def docker_registry(tmp_path: Path) -> Iterator[str]:
    """Debian's docker-registry on loopback."""
    if not all(shutil.which(name) for name in ("docker-registry", "skopeo")):
        pytest.skip("needs docker-registry and skopeo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    config.write_text(
        f'version: 0.1\nstorage: {{filesystem: {{rootdirectory: "{tmp_path}/data"}}}}\nhttp: {{addr: "{host}"}}\n'
    )
    serving = subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://{host}/v2/").close()
                break
            except OSError:
                time.sleep(0.05)
        yield host
    finally:
        serving.terminate()
        serving.wait()


def test_what_skopeo_pushed_and_wrote_is_read(docker_registry: str, images: LocalImages, tmp_path: Path) -> None:
    source = tmp_path / "source"  # a folder: skopeo unpacks archives only as root
    for path, content in ARCHIVES["oci-archive"]().items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
    pushed = f"docker://{docker_registry}/it:1"
    copy = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"]
    subprocess.run([*copy, f"oci:{source}", pushed], check=True)
    name = f"{docker_registry}/it:1"
    images.pull(parse(name))
    check(images, name)
    for kind in ("oci-archive", "docker-archive"):
        written = tmp_path / f"{kind}.tar"
        subprocess.run([*copy, pushed, f"{kind}:{written}:docker.io/library/{kind}:2"], check=True)
        images.import_file(str(written))
        check(images, f"{kind}:2")
