"""This machine's folders under a private layer, with and without mounts below them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lifepod.runtime.sandbox.host_folders import HostFolders, mount_points


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder `var` with files, links and folders."""
    var = tmp_path / "var"
    for name in ("lib/app/data", "lib/docker/layer", "log"):
        (var / name).mkdir(parents=True)
    (var / "note").write_text("hello")
    (var / "lib" / "state").write_text("x")
    (var / "run").symlink_to("/run")
    os.mkfifo(var / "pipe")
    return tmp_path


def _shown(words: list[str], machine: Path) -> list[tuple[str, ...]]:
    """Each mount as (how, what, layers…), short."""
    shown, layers = [], list[str]()
    at = iter(word.replace(str(machine), "").replace("/copies/", "copy:")[:40] for word in words)
    for word in at:
        if word == "--overlay-src":
            layers.append(next(at))
        elif word == "--ro-bind":
            shown.append(("bind", next(at), next(at)))
        else:
            shown.append((word, next(at), *layers))
            layers = []
    return shown


def test_a_folder_without_mounts_below_is_one_overlay(machine: Path) -> None:
    """One that is itself mounted too, and one whose neighbour's name begins alike."""
    var = str(machine / "var")
    folders = HostFolders(str(machine / "copies"), (var, f"{var}-other/x"))
    assert folders.missing((var,)) == []
    assert folders.options(var, "/none", read_only=False) == ["--overlay-src", var, "--tmp-overlay", var]


def test_a_folder_with_mounts_below_is_shown_piece_by_piece(machine: Path) -> None:
    var = str(machine / "var")
    folders = HostFolders(str(machine / "copies"), (f"{var}/lib/docker/layer",))
    assert folders.missing((var,)) == [var, f"{var}/lib"]
    folders.copy(folders.missing((var,)))
    assert folders.missing((var,)) == []
    shown = _shown(folders.options(var, "/none", read_only=False), machine)
    assert [(how, what) for how, what, *_ in shown] == [
        ("--tmp-overlay", "/var"),
        ("--tmp-overlay", "/var/lib"),
        ("--tmp-overlay", "/var/lib/app"),
        ("bind", "/var/lib/docker"),
        ("--tmp-overlay", "/var/log"),
    ]
    assert [layer.startswith("copy:") for layer in shown[0][2:]] == [True]
    assert shown[2][3] == "/var/lib/app", "the folder itself above its place in the copy"
    copy = next((machine / "copies").glob("*/note")).parent
    assert (copy / "note").read_text() == "hello"
    assert os.readlink(copy / "run") == "/run"
    assert sorted(path.name for path in copy.iterdir()) == ["lib", "log", "note", "run"], "no pipes"
    assert list((copy / "lib").iterdir()) == [], "only places of folders"


def test_what_cannot_be_listed_or_has_too_many_folders_is_shown_as_it_is(machine: Path) -> None:
    var = str(machine / "var")
    for number in range(100):
        (machine / "var" / "lib" / str(number)).mkdir()
    folders = HostFolders(str(machine / "copies"), (f"{var}/lib/docker", f"{var}/gone/x"))
    folders.copy(folders.missing((var,)))
    shown = _shown(folders.options(var, "/none", read_only=True), machine)
    assert ("bind", "/var/lib", "/var/lib") in shown
    gone = str(machine / "gone")
    folders = HostFolders(str(machine / "copies"), (f"{gone}/x",))
    assert folders.options(gone, "/none", read_only=True) == ["--ro-bind", gone, gone]


def test_mount_points_are_read_with_their_spaces(tmp_path: Path) -> None:
    text = "36 35 98:0 /a /mnt\\040two\\134x rw - ext4 /dev/a rw\n37 35 98:0 / /etc/hosts rw - ext4 /dev/a rw\n"
    (tmp_path / "mountinfo").write_text(text)
    assert mount_points(str(tmp_path / "mountinfo")) == ("/mnt two\\x", "/etc/hosts")


_POD = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  restartPolicy: Never
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - name: a
    image: busybox
    command: [sh, -ec, 'touch /etc/x /etc/ssl/x /var/log/x /var/lib/x /v/x; cat /var/lib/misc/below; getent passwd root']
    volumeMounts: [{name: v, mountPath: /var/lib/lifepod-volume}]
  - name: read-only
    image: busybox
    command: [sh, -c, 'touch /etc/x || cat /var/lib/misc/below']
    securityContext: {readOnlyRootFilesystem: true}
"""


@pytest.mark.sandbox
@pytest.mark.skipif(os.getuid() != 0 or not os.path.isdir("/var/lib/misc"), reason="needs root, to mount")
def test_containers_run_where_files_are_mounted_into_etc_and_var(tmp_path: Path) -> None:
    """As in every Docker container (/etc/resolv.conf, /etc/hosts) and beside many daemons."""
    (tmp_path / "pod.yaml").write_text(_POD.replace("/v/x", "/var/lib/lifepod-volume/x"))
    script = (
        "mount --make-rprivate / && mount --bind /etc/hosts /etc/hosts && mount -t tmpfs below /var/lib/misc"
        " && echo below > /var/lib/misc/below"
        f" && {sys.executable} -m lifepod run {tmp_path}/pod.yaml --images host --timeout 60s"
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| a a | below" in done.stdout
    assert "| a a | root:x:0:0" in done.stdout
    assert "| a read-only | below" in done.stdout
