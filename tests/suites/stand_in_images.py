"""The images that the suites name, made of this machine's busybox into one archive: `python stand_in_images.py FILE`.

What a suite asks of them: nginx answers with its welcome page at port 80, pause waits, the others have a shell; all end at once when told to.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile

PAGE = b"<html><body><h1>Welcome to nginx!</h1></body></html>\n"
PAGES = "usr/share/nginx/html"
FOLDERS = ("bin", "etc", "root", "tmp", "usr", "usr/share", "usr/share/nginx", PAGES)


def _until_told(command: str) -> list[str]:
    return ["sh", "-c", f"trap 'exit 0' TERM; {command} & wait"]


IMAGES = (
    (("nginx:latest", "nginx:1.21.4"), _until_told(f"httpd -f -p 80 -h /{PAGES}")),
    (("registry.k8s.io/pause:3.9", "gcr.io/google_containers/pause:latest"), _until_told("sleep 2147483647")),
    (("busybox:latest", "ubuntu:latest"), ["sh"]),
)


def _add(
    archive: tarfile.TarFile, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size, member.mode = kind, link, len(content), 0o755
    archive.addfile(member, io.BytesIO(content))


def root_layer(busybox: str) -> bytes:
    """A root folder with busybox under all its names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in FOLDERS:
            _add(archive, folder, kind=tarfile.DIRTYPE)
        with open(busybox, "rb") as file:
            _add(archive, "bin/busybox", file.read())
        for name in subprocess.check_output([busybox, "--list"], text=True).split():
            if name != "busybox":
                _add(archive, f"bin/{name}", kind=tarfile.SYMTYPE, link="busybox")
        _add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        _add(archive, f"{PAGES}/index.html", PAGE)
    return out.getvalue()


def docker_archive(layer: bytes) -> dict[str, bytes]:
    """The files of an archive as `docker save` writes it."""
    digest = hashlib.sha256(layer).hexdigest()
    files, manifest = {f"{digest}.tar": layer}, []
    for names, command in IMAGES:
        root = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
        words = {"Env": ["PATH=/bin"], "Cmd": command}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": words, "rootfs": root}).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        files[name] = config
        manifest.append({"Config": name, "RepoTags": list(names), "Layers": [f"{digest}.tar"]})
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def main(path: str) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("busybox is not to be had here: install busybox-static")
    with tarfile.open(path, "w") as archive:
        for name, content in docker_archive(root_layer(busybox)).items():
            _add(archive, name, content)


if __name__ == "__main__":
    main(sys.argv[1])
