"""Images made by the tests themselves, and a registry of a hundred lines that serves them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lifepod.api.image_reference import ImageReference, parse
from lifepod.runtime.images.local_images import LocalImages

BUSYBOX = Path("/bin/busybox")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Entry(NamedTuple):
    """One entry of a layer, as the tests write it."""

    name: str
    content: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644
    uid: int = 0
    xattrs: tuple[tuple[str, str], ...] = ()
    mtime: int = 1_700_000_000


def folder(name: str, mode: int = 0o755) -> Entry:
    return Entry(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> Entry:
    return Entry(name, type=tarfile.SYMTYPE, link=target)


def layer(*entries: Entry) -> bytes:
    """A tar of these entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.name)
            member.type, member.linkname, member.mode = entry.type, entry.link, entry.mode
            member.uid, member.mtime, member.size = entry.uid, entry.mtime, len(entry.content)
            member.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in entry.xattrs}
            archive.addfile(member, io.BytesIO(entry.content))
    return buffer.getvalue()


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Image(NamedTuple):
    """An image as its blobs; `target` is what a name stands for."""

    target: str
    media_type: str
    blobs: dict[str, bytes]


def compressed(tar: bytes, kind: str) -> bytes:
    if kind == "gzip":
        return gzip.compress(tar, 1, mtime=0)
    if kind == "zstd":
        from lifepod.runtime.images.layer_stream import _zstd_module

        packed: bytes = _zstd_module().compress(tar)
        return packed
    return tar


def image(*layers: bytes, kind: str = "gzip", config: dict[str, Any] | None = None, **changes: Any) -> Image:
    """An image of these tars. `changes` go into its configuration's file as they are."""
    blobs: dict[str, bytes] = {}

    def add(content: bytes, media_type: str) -> dict[str, Any]:
        blobs[digest_of(content)] = content
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    described = {
        "architecture": "amd64",
        "os": "linux",
        "config": config or {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in layers]},
        **changes,
    }
    suffix = f"+{kind}" if kind else ""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": add(json.dumps(described).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [add(compressed(t, kind), f"application/vnd.oci.image.layer.v1.tar{suffix}") for t in layers],
    }
    return Image(add(json.dumps(manifest).encode(), MANIFEST)["digest"], MANIFEST, blobs)


def index(**by_platform: Image) -> Image:
    """An image index; keywords such as `linux_arm64`."""
    blobs: dict[str, bytes] = {}
    entries = []
    for platform, found in by_platform.items():
        system, architecture = platform.split("_", 1)
        blobs |= found.blobs
        content = found.blobs[found.target]
        entries.append(
            {
                "mediaType": MANIFEST,
                "digest": found.target,
                "size": len(content),
                "platform": {"os": system, "architecture": architecture},
            }
        )
    content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return Image(digest_of(content), INDEX, {**blobs, digest_of(content): content})


def busybox_layer() -> bytes:
    """Debian's static busybox with all of its names."""
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return layer(
        *(folder(f"{name}/") for name in ("bin", "etc", "root", "home", "usr", "usr/bin", "var", "var/www")),
        folder("tmp/", 0o1777),
        Entry("bin/busybox", BUSYBOX.read_bytes(), mode=0o755),
        *(link(f"bin/{name}", "busybox") for name in names if name != "busybox"),
        Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/var/www:/bin/false\n"),
        Entry("etc/group", b"root:x:0:\nwww:x:33:\n"),
    )


class Registry:
    """A registry on a free port of 127.0.0.1. `fault(path, body) -> body` may damage what is sent."""

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.basic = ""
        self.bearer = ""
        self.fault: Callable[[str, bytes], bytes] = lambda path, body: body
        self.hold: threading.Event | None = None
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry._answer(self)

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def add(self, name: str, added: Image) -> ImageReference:
        """Serve an image under `name:tag`; returns its full name here."""
        self.images[name] = added
        self.blobs |= added.blobs
        return parse(f"{self.host}/{name}")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path = handler.path
        self.requests.append(path)
        if path.startswith("/token"):
            self._token(handler)
            return
        if not self._may(handler):
            return
        status, media_type, body = 404, "application/json", b"{}"
        kind, _, wanted = path.rpartition("/")
        if path == "/v2/":
            status = 200
        elif kind.endswith("/blobs") and wanted in self.blobs:
            status, media_type, body = 200, "application/octet-stream", self.blobs[wanted]
        elif kind.endswith("/manifests"):
            name = kind.removeprefix("/v2/").removesuffix("/manifests")
            found = self.images.get(f"{name}:{wanted}")
            if found is not None:
                status, media_type, body = 200, found.media_type, found.blobs[found.target]
            elif wanted in self.blobs:
                status, media_type, body = 200, MANIFEST, self.blobs[wanted]
        self._send(handler, status, media_type, body, self.fault(path, body) if status == 200 else body)

    def _send(
        self, handler: http.server.BaseHTTPRequestHandler, status: int, media_type: str, body: bytes, sent: bytes
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", media_type)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.hold is not None and len(sent) > 100_000:
            handler.wfile.write(sent[:50_000])
            handler.wfile.flush()
            self.hold.wait(20)
            sent = sent[50_000:]
        handler.wfile.write(sent)
        handler.close_connection = len(sent) < len(body)

    def _may(self, handler: http.server.BaseHTTPRequestHandler) -> bool:
        said = handler.headers.get("Authorization", "")
        if self.bearer and said != f"Bearer {self.bearer}":
            challenge = f'Bearer realm="http://{self.host}/token",service="here",scope="repository:x:pull"'
        elif self.basic and not self.bearer and said != _basic(self.basic):
            challenge = 'Basic realm="here"'
        else:
            return True
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return False

    def _token(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        said = handler.headers.get("Authorization", "")
        fits = not self.basic or said == _basic(self.basic)
        body = json.dumps({"token": self.bearer if fits else "nothing"}).encode()
        self._send(handler, 200, "application/json", body, body)


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    found = Registry()
    yield found
    found.close()


@pytest.fixture
def images(tmp_path: Path) -> LocalImages:
    """An empty store."""
    return LocalImages(str(tmp_path / "store"))


@pytest.fixture(autouse=True)
def no_configuration_of_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
