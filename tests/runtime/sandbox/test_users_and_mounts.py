"""Who a container runs as, and what it may do with what is mounted."""

from __future__ import annotations

import pytest

from lifepod.runtime.base import FileContent, Mount, SecurityConfig, VolumeConfig

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize(
    ("security", "said"),
    [
        (SecurityConfig(), b"0 0"),
        (SecurityConfig(run_as_user=1000), b"1000 0"),
        (SecurityConfig(run_as_user=1000, run_as_group=3000), b"1000 3000"),
        (SecurityConfig(run_as_group=3000), b"0 3000"),
    ],
)
def test_a_container_runs_as_the_user_it_asks_for(on_sandbox, security, said):
    async def story(node):
        code, output = await node.run(await node.pod(), "sh", "-c", "echo $(id -u) $(id -g)", security=security)
        assert (code, output.strip()) == (0, said)

    on_sandbox(story)


CHANGE_OWNER = (
    "touch /tmp/f && chown 1234:1234 /tmp/f && tar -C /tmp -cf /tmp/t f --owner=77 && tar -C /tmp -xpf /tmp/t; echo $?"
)


@pytest.mark.parametrize(
    ("security", "succeeds"),
    [
        (SecurityConfig(), True),
        (SecurityConfig(seccomp_unconfined=True), True),
        (SecurityConfig(drop_capabilities=("ALL",)), False),
        (SecurityConfig(run_as_user=1000), False),
    ],
    ids=["root", "root without the profile", "root that may not", "another user"],
)
def test_where_only_one_user_exists_root_changes_owners_without_effect(on_sandbox, security, succeeds):
    """As `kubectl cp` needs it, whose tar asks for the owner that a file had where it came from."""

    async def story(node):
        sandbox = await node.pod()
        _, output = await node.run(sandbox, "sh", "-c", CHANGE_OWNER + "; stat -c %u /tmp/f", security=security)
        assert (output.split()[-2:] == [b"0", b"0"]) is succeeds
        container = await node.start(sandbox, "sleep", "100", security=security)
        running = await node.runtime.exec("u1", container, ("sh", "-c", CHANGE_OWNER), stdin=False, tty=False)
        said = b"".join([data async for _, data in running.output()])
        assert (said.split()[-1] == b"0") is succeeds

    on_sandbox(story)


def test_a_user_other_than_root_writes_its_volumes_and_reads_its_files(on_sandbox):
    async def story(node):
        files = VolumeConfig("f", "files", files=(FileContent("a", b"text\n", 0o644),))
        sandbox = await node.pod(VolumeConfig("e", "empty"), files)
        mounts = (Mount("e", "/data", False), Mount("f", "/files", True))
        script = "touch /data/x && cat /files/a && cat /etc/hosts >/dev/null && echo done > /dev/termination-log"
        container = await node.start(
            sandbox, "sh", "-c", script, mounts=mounts, security=SecurityConfig(run_as_user=1000)
        )
        report = await node.exited(container)
        assert (report.exit_code, report.message) == (0, "done\n")

    on_sandbox(story)


def test_host_paths_show_this_machine_s_files_read_only_where_asked(on_sandbox, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "in").write_text("from outside\n")

    async def story(node):
        sandbox = await node.pod(VolumeConfig("h", "host", host_path=str(there), host_type="Directory"))
        mounts = (Mount("h", "/rw", False), Mount("h", "/ro", True), Mount("h", "/one", True, "in"))
        script = "cat /one; echo back > /rw/out; (echo x > /ro/no) 2>/dev/null || echo refused; ls /ro"
        assert await node.run(sandbox, "sh", "-c", script, mounts=mounts) == (0, b"from outside\nrefused\nin\nout\n")

    on_sandbox(story)
    assert (there / "out").read_text() == "back\n"


def test_a_volume_in_memory_ends_at_its_limit(on_sandbox):
    async def story(node):
        sandbox = await node.pod(VolumeConfig("m", "empty", medium="Memory", size_limit_bytes=1 << 20))
        script = (
            "head -c 500000 /dev/zero > /m/a && echo fits; head -c 900000 /dev/zero > /m/b 2>/dev/null || echo full"
        )
        assert await node.run(sandbox, "sh", "-c", script, mounts=(Mount("m", "/m", False),)) == (0, b"fits\nfull\n")

    on_sandbox(story)


def test_what_one_container_writes_over_this_machine_s_files_another_does_not_see(on_sandbox):
    async def story(node):
        sandbox = await node.pod()
        assert (await node.run(sandbox, "sh", "-c", "echo mine > /etc/passwd; echo 1 > /var/lib/x", name="a"))[0] == 0
        code, output = await node.run(sandbox, "sh", "-c", "head -c 4 /etc/passwd; ls /var/lib/x 2>/dev/null", name="b")
        assert (code != 0, output[:4]) == (True, b"root")

    on_sandbox(story)


def test_capabilities_are_those_of_a_container_runtime_unless_told_otherwise(on_sandbox):
    async def story(node):
        sandbox = await node.pod()
        script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status"

        async def effective(**security):
            _, output = await node.run(sandbox, "sh", "-c", script, security=SecurityConfig(**security))
            return output.split()[1]

        assert await effective() == b"00000000a80425fb"
        assert await effective(drop_capabilities=("ALL",)) == b"0000000000000000"
        assert (
            await effective(drop_capabilities=("ALL",), add_capabilities=("NET_BIND_SERVICE",)) == b"0000000000000400"
        )
        assert await effective(run_as_user=1000) == b"0000000000000000"

    on_sandbox(story)
