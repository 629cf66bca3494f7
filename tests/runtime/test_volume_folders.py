"""Volumes as folders: files switched at once, host paths checked, subPaths kept inside."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from lifepod.runtime.base import FileContent, VolumeConfig
from lifepod.runtime.volume_folders import (
    SubPathFailed,
    VolumeFailed,
    check_host_path,
    remove_tree,
    resolve_sub_path,
    set_up_volume,
    write_files,
)


def _shown(folder):
    return {name: (folder / name).read_text() for name in os.listdir(folder) if not name.startswith("..")}


def test_files_are_shown_through_one_link_and_replaced_at_once(tmp_path):
    folder = tmp_path / "v"
    volume = VolumeConfig("v", "files", files=(FileContent("a", b"1", 0o644), FileContent("b", b"2", 0o600)))
    assert set_up_volume(str(folder), volume) == str(folder)
    assert _shown(folder) == {"a": "1", "b": "2"}
    assert os.readlink(folder / "a") == os.path.join("..data", "a")
    assert stat.S_IMODE(os.stat(folder / "b").st_mode) == 0o600
    first = os.readlink(folder / "..data")
    assert write_files(str(folder), (FileContent("b", b"3", 0o600), FileContent("c/d", b"4", 0o644)))
    assert sorted(name for name in os.listdir(folder) if not name.startswith("..")) == ["b", "c"]
    assert ((folder / "b").read_text(), (folder / "c" / "d").read_text()) == ("3", "4")
    assert os.readlink(folder / "..data") != first
    assert not (folder / first).exists()


def test_files_that_did_not_change_are_left_alone(tmp_path):
    files = (FileContent("a", b"1", 0o644),)
    os.mkdir(tmp_path / "v")
    assert [write_files(str(tmp_path / "v"), files) for _ in range(2)] == [True, False]
    assert write_files(str(tmp_path / "v"), (FileContent("a", b"1", 0o600),))  # the mode counts too


def test_an_empty_volume_is_everybody_s_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        folder = set_up_volume(str(tmp_path / "v"), VolumeConfig("v", "empty"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o777


@pytest.mark.parametrize(
    ("name", "host_type", "problem"),
    [
        ("folder", "", ""),
        ("folder", "Directory", ""),
        ("file", "File", ""),
        ("socket", "Socket", ""),
        ("new", "DirectoryOrCreate", ""),
        ("new", "FileOrCreate", ""),
        ("new", "", ""),
        ("new", "Directory", "is not a directory"),
        ("file", "Directory", "is not a directory"),
        ("folder", "File", "is not a file"),
        ("file", "Socket", "is not a socket file"),
        ("file", "CharDevice", "is not a character device"),
        ("file", "BlockDevice", "is not a block device"),
    ],
)
def test_a_host_path_is_what_its_type_says(tmp_path, name, host_type, problem):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    at = os.getcwd()
    os.chdir(tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("socket")
    finally:
        os.chdir(at)
    path = str(tmp_path / name)
    if problem:
        with pytest.raises(VolumeFailed, match=f"hostPath type check failed: {path} {problem}"):
            check_host_path(path, host_type)
        return
    assert check_host_path(path, host_type) == path
    assert os.path.isfile(path) == (name == "file" or host_type == "FileOrCreate")


def test_a_sub_path_stays_inside_its_volume(tmp_path):
    root, outside = tmp_path / "v", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "real").mkdir()
    (root / "inside").symlink_to("real")
    (root / "out").symlink_to(outside)
    os.chmod(root, 0o777)
    assert resolve_sub_path(str(root), "inside") == str(root / "real")
    assert resolve_sub_path(str(root), "new/deep") == str(root / "new" / "deep")
    assert stat.S_IMODE(os.stat(root / "new" / "deep").st_mode) == 0o777
    for path in ("out", "out/x", "../outside", "new/../../outside"):
        with pytest.raises(SubPathFailed):
            resolve_sub_path(str(root), path)
    assert list(outside.iterdir()) == []


def test_removing_takes_folders_without_permissions_too(tmp_path):
    deep = tmp_path / "v" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").touch()
    os.chmod(deep, 0)
    os.chmod(deep.parent, 0o500)
    remove_tree(str(tmp_path / "v"))
    assert not (tmp_path / "v").exists()
