"""Debian's busybox-static as an image, in a file that any tool for images reads."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
PLAIN = "busybox:1.36"
CONFIGURED = "configured:1"
"""The same files, and an image's every word about how to run them."""
_CONFIGS: dict[str, dict[str, object]] = {
    PLAIN: {"Env": ["PATH=/bin"]},
    CONFIGURED: {
        "Env": ["PATH=/bin", "FROM_IMAGE=yes"],
        "WorkingDir": "/var/www",
        "User": "www",
        "Entrypoint": ["sh", "-c", 'echo "entry $0 $FROM_IMAGE $PWD $(id -u)"'],
        "Cmd": ["command"],
        "StopSignal": "SIGQUIT",
    },
}


def write_archive(path: Path) -> Path:
    """A docker-archive with both images."""
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    folders = ("bin", "etc", "root", "home", "usr", "var", "var/www")
    layer = _tar(
        {
            "bin/busybox": BUSYBOX.read_bytes(),
            "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/var/www:/bin/false\n",
            "etc/group": b"root:x:0:\nwww:x:33:\n",
            "etc/of-image": b"",
        },
        folders=folders,
        links={f"bin/{name}": "busybox" for name in names if name != "busybox"},
    )
    files = {"1/layer.tar": layer}
    manifest = []
    for number, (name, said) in enumerate(_CONFIGS.items()):
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": said,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        }
        files[f"{number}.json"] = json.dumps(config).encode()
        manifest.append({"Config": f"{number}.json", "RepoTags": [name], "Layers": ["1/layer.tar"]})
    path.write_bytes(_tar({**files, "manifest.json": json.dumps(manifest).encode()}))
    return path


def _tar(files: dict[str, bytes], folders: tuple[str, ...] = (), links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in folders:
            archive.addfile(_member(name, tarfile.DIRTYPE, 0o755))
        archive.addfile(_member("tmp", tarfile.DIRTYPE, 0o1777))
        for name, content in files.items():
            member = _member(name, tarfile.REGTYPE, 0o755 if name.startswith("bin/") else 0o644)
            member.size, member.uid = len(content), 7 if name == "etc/of-image" else 0
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = _member(name, tarfile.SYMTYPE, 0o777)
            member.linkname = target
            archive.addfile(member)
    return buffer.getvalue()


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member
