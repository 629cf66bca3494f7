"""What a container sees on level sandbox: volumes, its own files, and nothing it could damage."""

from __future__ import annotations

import os

import pytest

from lifepod.runtime.base import FileContent, Mount, SecurityConfig, SetUpVolumes, VolumeConfig

pytestmark = pytest.mark.sandbox


def test_volumes_are_shared_updated_and_read_only_as_asked(on_sandbox):
    async def story(node):
        files = VolumeConfig("f", "files", files=(FileContent("a/b", b"one", 0o644),))
        sandbox = await node.pod(VolumeConfig("e", "empty"), VolumeConfig("m", "empty", medium="Memory"), files)
        mounts = (
            Mount("e", "/etc/deep/data", False),
            Mount("m", "/cache", False),
            Mount("f", "/var/run/secrets/x", True),
            Mount("e", "/sub", False, "inner/dir"),
        )
        code, _ = await node.run(sandbox, "sh", "-c", "echo hi > /etc/deep/data/f; echo m > /cache/f", mounts=mounts)
        assert code == 0
        script = "cat /etc/deep/data/f /cache/f /var/run/secrets/x/a/b; touch /var/run/secrets/x/c 2>/dev/null || echo ro; touch /sub/s"
        assert await node.run(sandbox, "sh", "-c", script, mounts=mounts) == (
            0,
            b"hi\nm\nonero\n",
        )
        await node.made(SetUpVolumes((files._replace(files=(FileContent("n", b"two", 0o600),)),)))
        assert await node.run(sandbox, "ls", "/var/run/secrets/x", mounts=mounts) == (0, b"n\n")

    on_sandbox(story)


def test_a_sub_path_of_a_volume_in_memory_is_made_in_the_volume(on_sandbox):
    async def story(node):
        sandbox = await node.pod(VolumeConfig("m", "empty", medium="Memory"))
        mounts = (Mount("m", "/all", False), Mount("m", "/part", False, "inner/dir"))
        code, output = await node.run(sandbox, "sh", "-c", "echo hi > /part/f; cat /all/inner/dir/f", mounts=mounts)
        assert (code, output) == (0, b"hi\n")

    on_sandbox(story)


def test_a_container_has_its_own_identity_and_a_writable_layer_that_ends_with_it(on_sandbox):
    async def story(node):
        sandbox = await node.pod(name="web")
        code, output = await node.run(
            sandbox,
            "sh",
            "-c",
            "hostname; cat /etc/hostname; echo $$; id -u; touch /usr/mine /mine; ls /etc/resolv.conf; grep web /etc/hosts",
        )
        assert (code, output.splitlines()[:4]) == (0, [b"web", b"web", b"1", b"0"])
        assert (await node.run(sandbox, "test", "-e", "/mine"))[0] == 1
        read_only = SecurityConfig(run_as_user=1000, read_only_root=True)
        code, output = await node.run(
            sandbox, "sh", "-c", "id -u; touch /usr/mine 2>/dev/null || echo refused", security=read_only
        )
        assert output == b"1000\nrefused\n"

    on_sandbox(story)
    assert not os.path.exists("/usr/mine")
