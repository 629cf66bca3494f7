"""Each row of docs/runtimes.md that says something else of each level: one test a row, played on every level."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lifepod.assembly.errors import StartError
from lifepod.assembly.local_cluster import LocalCluster, LocalOptions
from lifepod.lifecycle.vocabulary import Done, Failed
from lifepod.net import NodeNetwork, service_table
from lifepod.runtime.base import (
    CreateContainerOrder,
    LogOptions,
    Resources,
    SecurityConfig,
    StartContainerOrder,
    StopContainerOrder,
)
from lifepod.runtime.sandbox.cgroups import find_cgroups
from lifepod.runtime.sandbox.user_namespace import granted_ranges
from lifepod.runtime.sandbox.way_out import find_way_out

OnLevel = Callable[..., Any]
CONFIGURED = "configured:1"
IS_ROOT = os.getuid() == 0
HAS_RANGES = IS_ROOT or granted_ranges(os.getuid()) is not None


def own(name: str) -> str:
    """An entry of this process's /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


async def executed(node: Any, container: str, *command: str) -> tuple[int, bytes]:
    running = await node.runtime.exec("u1", container, command, stdin=False, tty=False)
    output = b"".join([data async for _, data in running.output()])
    return await running.exit_code(), output


def test_whose_files_are_seen(on_level: OnLevel, level: str) -> None:
    async def story(node: Any) -> None:
        ask = "test -e /usr/bin/env && echo machine; test -e /etc/of-image && echo image; true"
        code, output = await node.run(await node.pod(), "sh", "-c", ask)
        assert (code, output) == (0, b"image\n" if level == "image" else b"machine\n")

    on_level(story)


def test_the_images_own_words(on_level: OnLevel, level: str) -> None:
    """Entrypoint, command, environment, folder and user."""

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        ended = await node.do(CreateContainerOrder(node.config(sandbox, image=CONFIGURED)))
        if level == "image":
            assert await node.run(sandbox, image=CONFIGURED) == (0, b"entry command yes /var/www 33\n")
        else:
            assert ended == Failed("CreateContainerError", "no command specified")
        ask = ("sh", "-c", 'echo "${FROM_IMAGE-none} $(id -u) $PWD"')
        from_image, user, folder = (await node.run(sandbox, *ask, image=CONFIGURED))[1].decode().split()
        wanted = {"image": ("yes", "33"), "stand-in": ("none", "0"), "host": ("none", str(os.getuid()))}
        assert (from_image, user) == wanted[level]
        assert folder == {"image": "/var/www", "stand-in": "/"}.get(level, folder)
        assert level != "host" or folder.startswith(f"{node.runtime.root}/containers/")

    on_level(story)


def test_which_stop_signal_is_sent(on_level: OnLevel, level: str) -> None:
    async def story(node: Any) -> None:
        script = "trap 'exit 3' QUIT; trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done"
        container = await node.start(await node.pod(), "sh", "-c", script, image=CONFIGURED)
        await anext(aiter(node.runtime.log("u1", container, LogOptions(follow=True))))
        await node.made(StopContainerOrder(container, 10))
        assert (await node.exited(container)).exit_code == (3 if level == "image" else 4)

    on_level(story)


def test_where_writes_go(on_level: OnLevel, level: str, tmp_path: Path) -> None:
    """Into a layer that ends with the container, or onto this machine."""
    there = tmp_path / "there"

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        script = f"mkdir -p {there} && echo mine > {there}/f && cat {there}/f"
        assert await node.run(sandbox, "sh", "-c", script) == (0, b"mine\n")
        seen = await node.run(sandbox, "sh", "-c", f"cat {there}/f 2>/dev/null || echo gone", name="d")
        assert seen == (0, b"mine\n" if level == "host" else b"gone\n")

    on_level(story)
    assert there.exists() is (level == "host")


@pytest.mark.parametrize("level", ["host", pytest.param("image", marks=pytest.mark.sandbox)], indirect=True)
def test_without_overlays_in_the_kernel(on_level: OnLevel, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image is copied for each container; a plain process needs none."""
    monkeypatch.setattr("lifepod.runtime.levels.overlays_work", lambda: False)
    folders: list[Path] = []

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        container = await node.start(sandbox, "sh", "-c", "echo x > /tmp/$HOSTNAME-x && rm /tmp/$HOSTNAME-x")
        assert (await node.exited(container)).exit_code == 0
        folders.append(Path(node.runtime._pods["u1"].containers[container].folder))
        assert (folders[0] / "root").is_dir() is (level == "image")

    on_level(story)


def test_a_read_only_root(on_level: OnLevel, level: str, tmp_path: Path) -> None:
    file = f"/tmp/{tmp_path.parent.name}-{os.getpid()}"

    async def story(node: Any) -> None:
        security = SecurityConfig(read_only_root=True)
        code, output = await node.run(await node.pod(), "sh", "-c", f"echo x > {file}", security=security)
        if level == "host":
            assert code == 0
            assert any("cannot make the root of container" in text for text in node.warnings)
        else:
            assert code != 0
            assert b"Read-only file system" in output

    try:
        on_level(story)
    finally:
        Path(file).unlink(missing_ok=True)


def test_a_user_that_is_asked_for(on_level: OnLevel, level: str) -> None:
    async def story(node: Any) -> None:
        sandbox, security = await node.pod(), SecurityConfig(run_as_user=1234, run_as_group=3000)
        config = node.config(sandbox, "sh", "-c", "echo $(id -u) $(id -g)", security=security)
        ended = await node.do(CreateContainerOrder(config))
        if level == "host" and not IS_ROOT:
            assert isinstance(ended, Failed)
            assert "level host cannot run as user 1234" in ended.message
            return
        assert isinstance(ended, Done)
        await node.made(StartContainerOrder(ended.value))
        assert await node.output(ended.value) == b"1234 3000\n"

    on_level(story)


def test_not_as_root(on_level: OnLevel, level: str) -> None:
    """Against the image's user; without an image that is root."""

    async def story(node: Any) -> None:
        sandbox, security = await node.pod(), SecurityConfig(run_as_non_root=True)

        async def refused(image: str) -> str:
            ended = await node.do(CreateContainerOrder(node.config(sandbox, "true", image=image, security=security)))
            assert isinstance(ended, Failed)
            assert ended.reason == "CreateContainerConfigError"
            message: str = ended.message
            return message

        assert "image will run as root" in await refused("busybox:1.36")
        wanted = "image has non-numeric user (www)" if level == "image" else "image will run as root"
        assert wanted in await refused(CONFIGURED)

    on_level(story)


def test_becoming_another_user_inside(on_level: OnLevel, level: str) -> None:
    may = {"image": HAS_RANGES, "stand-in": False, "host": IS_ROOT}[level]
    user = "www" if level == "image" else "nobody"

    async def story(node: Any) -> None:
        code, output = await node.run(await node.pod(), "sh", "-c", f"su -s /bin/sh {user} -c 'id -u' < /dev/null")
        assert (code == 0 and output.strip().isdigit() and output.strip() != b"0") is may

    on_level(story)


def test_changing_owners(on_level: OnLevel, level: str) -> None:
    """As `kubectl cp` and package managers do."""
    owner = {"image": "33" if HAS_RANGES else "0", "stand-in": "0", "host": "33" if IS_ROOT else str(os.getuid())}[
        level
    ]
    code = 0 if level != "host" or IS_ROOT else 1

    async def story(node: Any) -> None:
        ask = "touch f; chown 33:33 f 2>/dev/null; echo $? $(stat -c %u f)"
        assert await node.run(await node.pod(), "sh", "-c", ask) == (0, f"{code} {owner}\n".encode())

    on_level(story)


def test_whose_the_files_are(on_level: OnLevel, level: str) -> None:
    """Those of an image are root's, whatever its layers say; this machine's are whose they are, if that is anybody here."""
    file = "/etc/of-image" if level == "image" else "/etc/passwd"

    async def story(node: Any) -> None:
        owner = b"65534" if level == "stand-in" and not IS_ROOT else b"0"
        assert await node.run(await node.pod(), "stat", "-c", "%u", file) == (0, owner + b"\n")

    on_level(story)


def test_which_capabilities_there_are(on_level: OnLevel, level: str) -> None:
    async def story(node: Any) -> None:
        sandbox = await node.pod()

        async def bound(**security: Any) -> int:
            ask = ("grep", "CapBnd", "/proc/self/status")
            return int((await node.run(sandbox, *ask, security=SecurityConfig(**security)))[1].split()[1], 16)

        mine = int(own("CapBnd"), 16)
        assert await bound() == (mine if level == "host" else 0xA80425FB)
        changed = await bound(drop_capabilities=("ALL",), add_capabilities=("NET_BIND_SERVICE",))
        assert changed == (mine if level == "host" else 1 << 10)

    on_level(story)


def test_whether_a_seccomp_profile_is_in_force(on_level: OnLevel, level: str) -> None:
    async def story(node: Any) -> None:
        sandbox, ask = await node.pod(), ("grep", "^Seccomp:", "/proc/self/status")
        mine = own("Seccomp").encode()
        assert (await node.run(sandbox, *ask))[1].split()[1] == (mine if level == "host" else b"2")
        unconfined = SecurityConfig(seccomp_unconfined=True)
        assert await node.run(sandbox, "unshare", "-r", "true", security=unconfined) == (0, b"")

    on_level(story)


def test_what_the_profile_refuses(on_level: OnLevel, level: str) -> None:
    """On level host only what this user may not do anyway."""
    refused = True
    if level == "host":
        refused = subprocess.run(["unshare", "-r", "true"], capture_output=True, check=False).returncode != 0

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        code, _ = await node.run(sandbox, "unshare", "-r", "true")
        assert (code != 0) is refused
        container = await node.start(sandbox, "sleep", "100", name="d")
        code, _ = await executed(node, container, "unshare", "-r", "true")
        assert (code != 0) is refused

    on_level(story)


def test_too_much_memory(on_level: OnLevel, level: str) -> None:
    """Where control groups can be made, the sandbox's containers are OOMKilled; plain processes never are."""
    groups = find_cgroups()
    if level != "host" and groups is None:
        pytest.skip("this machine lets nobody here make control groups")

    async def story(node: Any) -> None:
        limits = Resources(memory_limit_bytes=32 * 1024**2, cpu_limit_millicores=500)
        script = "exec dd if=/dev/zero of=/dev/null bs=200M count=1"
        container = await node.start(await node.pod(), "sh", "-c", script, resources=limits)
        ended = await node.exited(container)
        killed = (ended.exit_code, ended.reason) == (137, "OOMKilled")
        assert killed is (level != "host")
        if level == "host":
            assert ended.exit_code == 0
            assert any("no control group can be made" in text for text in node.warnings)

    on_level(story)


@pytest.mark.levels("host")
@pytest.mark.parametrize("runtime", ["host", "sim"])
def test_only_the_sandbox_limits_processes(runtime: str, tmp_path: Path) -> None:
    cluster = LocalCluster(LocalOptions(runtime=runtime, work=tmp_path / "work", max_processes=5))
    with pytest.raises(StartError, match="--max-processes"):
        asyncio.run(cluster.start())


def test_where_limits_are_the_kernels(on_level: OnLevel, level: str) -> None:
    groups = find_cgroups()
    whole = level != "host" and groups is not None and {"memory", "cpu"} <= set(groups.parents)

    async def story(node: Any) -> None:
        assert node.runtime.enforcement().is_whole is whole

    on_level(story)


def test_whose_processes_are_seen(on_level: OnLevel, level: str) -> None:
    """Without a word about it: a container's own; on level host everybody's."""

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        other = await node.start(sandbox, "sleep", "100", name="other")
        assert node.shown(other).state == "running"
        ask = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 100'"
        seen = await node.run(sandbox, "sh", "-c", f"{ask}; echo $$")
        count, pid = seen[1].split()
        # `grep` and `sh` name it themselves
        assert (int(count) > 0, pid == b"1") == (True, level != "host")
        code, _ = await node.run(sandbox, "sh", "-c", f"test -e /proc/{os.getpid()}/cmdline", name="d")
        assert (code == 0) is (level == "host" or os.getpid() < 3)

    on_level(story)


def test_whose_network_it_is(on_level: OnLevel, level: str) -> None:
    async def story(node: Any) -> None:
        code, output = await node.run(await node.pod(), "readlink", "/proc/self/ns/net")
        assert code == 0
        assert (output.decode().strip() == own_network) is (level == "host")
        ips = node.latest["u1"].sandboxes[0].ips
        assert (ips == ("127.0.0.1",)) is (level == "host")

    own_network = os.readlink("/proc/self/ns/net")
    on_level(story)


def test_this_machines_loopback(on_level: OnLevel, level: str) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    ask: tuple[str, ...] = ("nc", "-w", "2", "127.0.0.1", str(port))
    if level != "image":
        python = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).close()"
        ask = ("/usr/bin/python3", "-c", python)

    async def story(node: Any) -> None:
        container = await node.start(await node.pod(), *ask)
        if level == "host":
            connection, _ = await asyncio.to_thread(server.accept)
            connection.close()
        assert ((await node.exited(container)).exit_code == 0) is (level == "host")

    options = {} if level == "host" else {"way_out": find_way_out()}
    try:
        on_level(story, **options)
    finally:
        server.close()


def _service(name: str, cluster_ip: str) -> Any:
    return {
        "metadata": {"namespace": "default", "name": name},
        "spec": {"clusterIP": cluster_ip, "ports": [{"name": "web", "port": 80, "protocol": "TCP"}]},
    }


def test_names_of_services(on_level: OnLevel, level: str) -> None:
    """By every resolver in the sandbox, by our `nslookup` on level host."""

    async def story(node: Any) -> None:
        network = NodeNetwork("10.96.0.0/16", None if level == "host" else node.runtime.node_socket)
        address = await network.start()
        if level == "host":
            node.runtime.dns_address = address
        await network.update(service_table([_service("mine", "10.96.7.7")], []))
        try:
            code, output = await node.run(await node.pod(), "nslookup", "mine.default.svc.cluster.local")
            assert (code, b"10.96.7.7" in output) == (0, True)
            if level == "stand-in":
                assert (
                    b"10.96.7.7" in (await node.run(await node.pod(uid="u2"), "getent", "hosts", "mine", uid="u2"))[1]
                )
        finally:
            await network.close()

    on_level(story)


def test_a_terminal_with_input_from_a_client(on_level: OnLevel) -> None:
    """As `kubectl run -it --image` has it: a size, input, an end that is told; `stdinOnce` ends the input with the client."""

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        script = "read line; stty size; echo got $line; exit 6"
        container = await node.start(sandbox, "sh", "-c", script, tty=True, stdin=True, stdin_once=True)
        attached = await node.runtime.attach("u1", container, stdin=True, tty=True)
        await attached.resize(101, 42)
        await attached.write(b"hello\n")
        output = b"".join([data async for _, data in attached.output()])
        assert b"42 101\r\ngot hello\r\n" in output
        assert (await node.exited(container)).exit_code == 6
        reads = await node.start(sandbox, "sh", "-c", "cat; echo end", stdin=True, stdin_once=True, name="d")
        attached = await node.runtime.attach("u1", reads, stdin=True, tty=False)
        await attached.write(b"last words\n")
        await attached.close()
        assert await node.output(reads) == b"last words\nend\n"

    on_level(story)
