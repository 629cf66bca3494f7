"""What images cost: pull and unpack beside skopeo and umoci, and pods started from an image that is here.

    python benchmarks/images_bench.py [--runs 3] [--pods 50]

The pull is served by Debian's docker-registry on loopback (apt install docker-registry skopeo umoci busybox-static); without
them only the pods are measured. Every run has folders of its own and none is removed before the end: on ext4, a file made
within seconds after thousands were deleted costs several times as much.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FILES = 3659
_PODS = "/api/v1/namespaces/default/pods"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


# ------------------------------------------------------------------------------------------------ images made here


def big_layer() -> bytes:
    """3,659 files, about 50 MB, half of it incompressible."""
    numbers = random.Random(1)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(FILES):
            size = min(int(numbers.lognormvariate(8.6, 1.3)), 2_000_000)
            content = numbers.randbytes(size // 2) + b"the same again\n" * (size // 30)
            member = tarfile.TarInfo(f"usr/lib/d{number % 150}/f{number}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def busybox_layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        content = Path("/bin/busybox").read_bytes()
        member = tarfile.TarInfo("bin/busybox")
        member.size, member.mode = len(content), 0o755
        archive.addfile(member, io.BytesIO(content))
        for name in ("sh", "sleep"):
            member = tarfile.TarInfo(f"bin/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(member)
    return buffer.getvalue()


def write_layout(folder: Path, tar: bytes) -> None:
    """An OCI layout with one image of one gzip layer, tagged `it`."""
    import gzip

    (folder / "blobs/sha256").mkdir(parents=True)

    def add(content: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (folder / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    diff_ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}"]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": add(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [add(gzip.compress(tar, 6), "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    entry = add(json.dumps(manifest).encode(), MANIFEST)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "it"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


@contextmanager
def registry(work: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = work / "registry.yml"
    config.write_text(
        f'version: 0.1\nstorage: {{filesystem: {{rootdirectory: "{work}/registry"}}}}\nhttp: {{addr: "{host}"}}\n'
    )
    serving = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://{host}/v2/").close()
                break
            except OSError:
                time.sleep(0.05)
        yield host
    finally:
        serving.terminate()
        serving.wait()


# ------------------------------------------------------------------------------------------------ measured


def pull_beside_skopeo(work: Path, runs: int) -> None:
    layout = work / "layout"
    write_layout(layout, big_layer())
    source = "docker://{}/big:1"
    with registry(work) as host:
        name = source.format(host)
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:it", name], check=True)
        ours, theirs = [], []
        for run in range(runs):
            folder = work / f"run{run}"
            folder.mkdir()
            ours.append(_timed([sys.executable, "-c", _PULL.format(folder=folder / "store", name=f"{host}/big:1")]))
            copied = _timed(["skopeo", "copy", "-q", "--src-tls-verify=false", name, f"oci:{folder}/oci:it"])
            words = ["umoci", "unpack", *(["--rootless"] if os.getuid() else [])]
            theirs.append(copied + _timed([*words, "--image", f"{folder}/oci:it", f"{folder}/bundle"]))
    print(f"pull and unpack, {FILES} files: lifepod {_shown(ours)}, skopeo + umoci {_shown(theirs)}")
    print(f"  ratio of the medians {statistics.median(ours) / statistics.median(theirs):.2f} (goal: at most 1.10)")


_PULL = """
from lifepod.runtime.images.local_images import LocalImages
from lifepod.api.image_reference import parse
LocalImages("{folder}").pull(parse("{name}"))
"""


def _timed(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


async def pods(work: Path, count: int, images: str) -> None:
    """Pods of one container from creation to running, by what a watch of the API sees."""
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    from lifepod.api.image_reference import parse
    from lifepod.assembly.local_cluster import LocalCluster, LocalOptions
    from lifepod.runtime.images.local_images import LocalImages

    layout = work / "busybox"
    write_layout(layout, busybox_layer())
    with tarfile.open(work / "busybox.tar", "w") as archive:
        archive.add(layout, ".")
    LocalImages().import_file(str(work / "busybox.tar"), parse("busybox:1.36"))
    cluster = LocalCluster(LocalOptions(images=images))
    await cluster.start()
    try:
        one = [await _burst(cluster, 1, f"one{number}") for number in range(20)]
        burst = await _burst(cluster, count, "burst")
    finally:
        await cluster.stop()
    print(f"pod start, image here: p50 {1000 * statistics.median(one):.0f} ms (goal: at most 40)")
    print(f"burst of {count}: {count / burst:.0f} pods/s (goal: at least 40)")


async def _burst(cluster: Any, count: int, prefix: str) -> float:
    """Seconds until as many pods run; they are deleted after."""
    client = cluster.client()
    names = [f"{prefix}-{number}" for number in range(count)]
    pending, present = set(names), set(names)
    all_run, all_gone = asyncio.Event(), asyncio.Event()

    def on_change(change: Any) -> None:
        if change.new.resource != "pods" or all_gone.is_set():
            return
        name = change.new.name
        if change.type == "DELETED":
            present.discard(name)
        elif name in pending and b'"phase":"Running"' in change.new.encoded:
            pending.discard(name)
        if not pending:
            all_run.set()
        if not present:
            all_gone.set()

    cluster.plane.store.on_change(on_change)
    started = time.perf_counter()
    for name in names:
        container = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "1000"]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        await client.request("POST", _PODS, pod)
    await all_run.wait()
    took = time.perf_counter() - started
    for name in names:
        await client.request("DELETE", f"{_PODS}/{name}")
    await all_gone.wait()
    await client.close()
    return took


def _shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f}–{max(seconds):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pods", type=int, default=50)
    parser.add_argument("--images", default="auto")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="lifepod-images-"))
    try:
        if options.runs and all(shutil.which(name) for name in ("docker-registry", "skopeo", "umoci")):
            pull_beside_skopeo(work, options.runs)
        asyncio.run(pods(work, options.pods, options.images))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
