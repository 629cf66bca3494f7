"""Containers of real images in the sandbox: what the image says, what the spec says over it, and what is kept apart."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lifepod.lifecycle.vocabulary import Done, Failed, ImagePulled, ImageSeen
from lifepod.runtime.base import (
    ContainerConfig,
    CreateContainerOrder,
    InspectImageOrder,
    Mount,
    PullImageOrder,
    Resources,
    SecurityConfig,
    StartContainerOrder,
    StopContainerOrder,
    VolumeConfig,
)
from lifepod.runtime.images.pod_images import PodImages
from lifepod.runtime.sandbox.cgroups import find_cgroups
from lifepod.runtime.sandbox.user_namespace import granted_ranges

from .conftest import Entry, Image, Registry, busybox_layer, folder, image, layer, link

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not os.path.exists("/bin/busybox"), reason="needs Debian's busybox-static"),
]
BASE = busybox_layer() if os.path.exists("/bin/busybox") else b""
PATH = "PATH=/bin"


class Stage:
    """A node with one image, and short words for its containers."""

    def __init__(self, node: Any, name: str) -> None:
        self.node, self.name = node, name
        self.ref = ""

    async def pull(self) -> None:
        pulled = await self.node.do(PullImageOrder(self.name))
        assert isinstance(pulled, ImagePulled), pulled
        self.ref = pulled.ref
        self.sandbox = await self.node.pod(*self.volumes)

    volumes: tuple[VolumeConfig, ...] = ()

    def config(self, *command: str, args: tuple[str, ...] = (), **options: Any) -> ContainerConfig:
        options = {"env": (), "working_dir": "", "mounts": (), **options}
        return ContainerConfig("default", "p", "c", 0, self.sandbox, self.name, self.ref, command, args, **options)

    async def begin(self, *command: str, **options: Any) -> str:
        container: str = await self.node.made(CreateContainerOrder(self.config(*command, **options)))
        await self.node.made(StartContainerOrder(container))
        return container

    async def run(self, *command: str, **options: Any) -> str:
        """A container's whole output; it must end with exit code 0."""
        container = await self.begin(*command, **options)
        output: bytes = await self.node.output(container)
        report = await self.node.exited(container)
        assert report.exit_code == 0, (report, output)
        return output.decode().strip()


Play = Callable[..., None]


@pytest.fixture
def play(registry: Registry, tmp_path: Path, on_sandbox: Callable[..., Any]) -> Play:
    """Plays a story with an image on level sandbox; returns when nothing of it is left."""

    def whole(story: Callable[[Stage], Awaitable[None]], found: Image | None = None, **attributes: Any) -> None:
        name = str(registry.add("it:1", found or image(BASE, config={"Env": [PATH]})))

        async def on_node(node: Any) -> None:
            stage = Stage(node, name)
            for key, value in attributes.items():
                setattr(stage, key, value)
            await stage.pull()
            await story(stage)

        on_sandbox(on_node, images=PodImages(str(tmp_path / "store")))

    return whole


WORDS = {
    "entrypoint and command of the image": ((), (), "image entry|image command"),
    "arguments replace the image's command": ((), ("mine",), "image entry|mine"),
    "a command replaces both": (("/bin/echo", "own"), (), "own"),
    "a command with arguments": (("/bin/echo", "own"), ("mine",), "own mine"),
}


@pytest.mark.parametrize("case", WORDS, ids=str)
def test_what_is_executed(case: str, play: Play) -> None:
    command, args, wanted = WORDS[case]
    said = {"Entrypoint": ["/bin/sh", "-c", 'echo "image entry|$0"'], "Cmd": ["image command"], "Env": [PATH]}

    async def story(stage: Stage) -> None:
        assert await stage.run(*command, args=args) == wanted

    play(story, image(BASE, config=said))


def test_an_image_without_entrypoint_needs_a_command(play: Play) -> None:
    async def story(stage: Stage) -> None:
        ended = await stage.node.do(CreateContainerOrder(stage.config()))
        assert ended == Failed("CreateContainerError", "no command specified")
        assert await stage.run("echo", "x") == "x"

    play(story)


def test_environment_folder_and_user_are_the_images_unless_the_spec_says_otherwise(play: Play) -> None:
    said = {"Env": [PATH, "A=image", "B=image"], "WorkingDir": "/var/www", "User": "www"}

    async def story(stage: Stage) -> None:
        ask = ("sh", "-c", 'echo "$A $B $HOME $PWD $(id -u):$(id -g)"')
        assert await stage.run(*ask, env=(("B", "spec"),)) == "image spec /var/www /var/www 33:33"
        security = SecurityConfig(run_as_user=1234, run_as_group=4321)
        assert await stage.run(*ask, working_dir="/made/new", security=security) == "image image / /made/new 1234:4321"
        assert await stage.run(*ask, security=SecurityConfig(run_as_user=33)) == "image image /var/www /var/www 33:33"

    play(story, image(BASE, config=said))


NON_ROOT = {
    "an image that runs as root": ({}, "image will run as root"),
    "an image of user 0": ({"User": "0:5"}, "image will run as root"),
    "an image whose user is a name": ({"User": "www"}, r"image has non-numeric user (www), cannot verify"),
    "an image of a number": ({"User": "33"}, ""),
}


@pytest.mark.parametrize("case", NON_ROOT, ids=str)
def test_run_as_non_root_is_checked_against_the_image(case: str, play: Play) -> None:
    said, text = NON_ROOT[case]

    async def story(stage: Stage) -> None:
        config = stage.config("id", security=SecurityConfig(run_as_non_root=True))
        ended = await stage.node.do(CreateContainerOrder(config))
        if text:
            assert isinstance(ended, Failed)
            assert ended.reason == "CreateContainerConfigError"
            assert text in ended.message
            assert ended.message.endswith('(pod: "p_default(u1)", container: c)')
        else:
            assert isinstance(ended, Done)

    play(story, image(BASE, config={"Env": [PATH], **said}))


def test_a_user_that_the_image_does_not_know_is_an_error(play: Play) -> None:
    async def story(stage: Stage) -> None:
        ended = await stage.node.do(CreateContainerOrder(stage.config("id")))
        text = "unable to find user nobodyhere: no matching entries in passwd file"
        assert ended == Failed("CreateContainerError", text)

    play(story, image(BASE, config={"Env": [PATH], "User": "nobodyhere"}))


def test_only_the_images_files_are_seen_and_writes_are_the_containers_own(play: Play) -> None:
    async def story(stage: Stage) -> None:
        seen = await stage.run("sh", "-c", "ls / && echo mine > /bin/new && rm /etc/passwd && ls /bin/new")
        assert seen.split() == "bin dev etc home proc root sys tmp usr var /bin/new".split()
        assert await stage.run("sh", "-c", "ls /bin/new 2>/dev/null; ls /etc/passwd") == "/etc/passwd"

    play(story)


def test_kubernetes_own_files_lie_over_the_images_even_where_it_has_links(play: Play) -> None:
    linked = layer(link("etc/hosts", "../var/hosts"), link("etc/resolv.conf", "/run/x/resolv.conf"))

    async def story(stage: Stage) -> None:
        seen = await stage.run("sh", "-c", "tail -1 /etc/hosts; head -1 /etc/resolv.conf; cat /etc/hostname")
        address, name, server, host = seen.split("\n", 3)[0].split() + seen.split("\n")[1:]
        assert (name, server, host) == ("p", "nameserver 10.96.0.10", "p")
        assert address.startswith("10.244.")

    play(story, image(BASE, linked, config={"Env": [PATH]}))


def test_volumes_lie_where_the_images_links_lead(play: Play) -> None:
    """/var/run is a link to /run in most images, and a service account's token is mounted below it."""

    async def story(stage: Stage) -> None:
        mounts = (Mount("v", "/var/run/secrets/token", False), Mount("v", "/tmp/deep/er", True))
        ask = "echo x > /run/secrets/token/f; cat /tmp/deep/er/f; readlink /var/run; stat -c %a /tmp; ! touch /tmp/deep/er/g"
        assert (await stage.run("sh", "-c", f"({ask}) 2>/dev/null", mounts=mounts)).split() == ["x", "/run", "1777"]

    play(
        story,
        image(BASE, layer(folder("run"), link("var/run", "/run")), config={"Env": [PATH]}),
        volumes=(VolumeConfig("v", "empty"),),
    )


def test_a_read_only_root_is_read_only_and_volumes_in_it_are_not(play: Play) -> None:
    async def story(stage: Stage) -> None:
        ask = "touch /x /tmp/x /etc/x; ls /new; cd /own && touch /new/f && ls /new"
        security = SecurityConfig(read_only_root=True)
        mounts = (Mount("v", "/new", False),)
        output = await stage.run("sh", "-c", ask, security=security, mounts=mounts, working_dir="/own")
        assert output.count("Read-only file system") == 3
        assert "f" in output.splitlines()

    play(story, volumes=(VolumeConfig("v", "empty"),))


def test_the_images_stop_signal_is_sent(play: Play) -> None:
    async def story(stage: Stage) -> None:
        container = await stage.begin("sh", "-c", "trap 'echo quit; exit 3' QUIT; echo up; while :; do sleep 0.1; done")
        while b"up" not in b"".join([c async for c in stage.node.runtime.log("u1", container, _no_options())]):
            pass
        await stage.node.made(StopContainerOrder(container, 10))
        assert (await stage.node.exited(container)).exit_code == 3

    play(story, image(BASE, config={"Env": [PATH], "StopSignal": "SIGQUIT"}))


def _no_options() -> Any:
    from lifepod.runtime.base import LogOptions

    return LogOptions()


def test_a_command_that_the_image_does_not_have(play: Play) -> None:
    async def story(stage: Stage) -> None:
        container = await stage.node.made(CreateContainerOrder(stage.config("python3")))
        ended = await stage.node.do(StartContainerOrder(container))
        assert isinstance(ended, Failed)
        assert 'exec: "python3": executable file not found in $PATH' in ended.message

    play(story)


def test_a_link_of_the_image_that_leads_out_shows_nothing_of_this_machine(play: Play) -> None:
    """`/evil` would be this machine's /usr if lifepod followed it; inside it is the image's own."""

    async def story(stage: Stage) -> None:
        container = await stage.node.made(CreateContainerOrder(stage.config("/evil/bin/env")))
        ended = await stage.node.do(StartContainerOrder(container))
        assert isinstance(ended, Failed)
        assert "no such file or directory" in ended.message

    play(story, image(BASE, layer(link("evil", "../../../../../../usr")), config={"Env": [PATH]}))


def test_where_the_kernel_has_no_overlays_each_container_gets_a_copy(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lifepod.runtime.levels.overlays_work", lambda: False)

    async def story(stage: Stage) -> None:
        assert await stage.run("sh", "-c", "echo 1 > /bin/new; cat /bin/new; tail -1 /etc/hosts | cut -f2") == "1\np"
        assert await stage.run("sh", "-c", "ls /bin/new || echo none") != "/bin/new"

    play(story)


def test_what_was_left_out_is_said_once_a_pod(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.run("true")
        await stage.run("true")
        assert len([w for w in stage.node.warnings if "owners other than root" in w]) == 1

    play(story, image(BASE, layer(Entry("home/f", uid=7)), config={"Env": [PATH]}))


def test_presence_is_by_name_and_the_reference_is_the_registrys_digest(play: Play, registry: Registry) -> None:
    async def story(stage: Stage) -> None:
        digest = registry.images["it:1"].target
        assert stage.ref == f"{registry.host}/it@{digest}"
        assert await stage.node.do(InspectImageOrder(stage.name)) == ImageSeen(stage.ref)
        assert await stage.node.do(InspectImageOrder(f"{registry.host}/it:2")) == ImageSeen(None)
        bad = await stage.node.do(InspectImageOrder("Bad//Name"))
        assert isinstance(bad, Failed)
        assert bad.reason == "InvalidImageName"

    play(story)


def test_a_registry_that_cannot_be_reached_names_both_ways_out(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for name in ("127.0.0.1:1/x:1", "registry.invalid/x:1"):
            ended = await stage.node.do(PullImageOrder(name))
            assert isinstance(ended, Failed)
            assert ended.reason == "ErrImagePull"
            assert name in ended.message
            (said,) = (w for w in stage.node.warnings if name in w)
            assert "lifepod image import FILE" in said
            assert "--images host" in said

    play(story)


_RANGES = os.getuid() == 0 or granted_ranges(os.getuid()) is not None


@pytest.mark.skipif(not _RANGES, reason="needs ranges in /etc/subuid")
def test_what_other_users_of_a_container_own_in_volumes_goes_with_the_pod(play: Play) -> None:
    """The stage itself asserts that nothing is left."""

    async def story(stage: Stage) -> None:
        ask = "mkdir -p /data/own/deep && touch /data/own/deep/f && chown -R www:www /data/own && chmod 700 /data/own"
        await stage.run("sh", "-c", ask, mounts=(Mount("v", "/data", False),))

    play(story, volumes=(VolumeConfig("v", "empty"),))


@pytest.mark.skipif(not _RANGES, reason="needs ranges in /etc/subuid")
def test_root_in_a_container_may_become_any_user_of_the_image(play: Play) -> None:
    """As nginx and many others do. An ordinary user needs ranges in /etc/subuid for it; root has them."""

    async def story(stage: Stage) -> None:
        ask = "touch /tmp/f && chown www:www /tmp/f && ls -ln /tmp/f | cut -c1-40 && su -s /bin/sh www -c 'id -u; touch /x'"
        output = await stage.run("sh", "-c", f"{ask}; true")
        assert "33       33" in output
        assert "\n33\n" in output
        assert "Permission denied" in output

    play(story)


REFUSED = {
    "unshare -r true": "Operation not permitted",
    "mount -t tmpfs x /tmp": "Operation not permitted|Permission denied|permission denied",
    "swapoff /x": "Operation not permitted",
    "hostname other": "Operation not permitted",
}


@pytest.mark.parametrize("command", REFUSED, ids=str)
def test_what_a_container_may_not_do_in_its_command_and_in_exec(command: str, play: Play) -> None:
    async def story(stage: Stage) -> None:
        assert re.search(REFUSED[command], await stage.run("sh", "-c", f"{command} 2>&1; true"))
        container = await stage.begin("sleep", "100")
        running = await stage.node.runtime.exec(
            "u1", container, ("sh", "-c", f"{command} 2>&1"), stdin=False, tty=False
        )
        output = b"".join([data async for _, data in running.output()])
        assert re.search(REFUSED[command], output.decode())
        assert await running.exit_code() != 0

    play(story)


def test_seccomp_is_in_force_unless_the_spec_says_unconfined(play: Play) -> None:
    async def story(stage: Stage) -> None:
        ask = ("sh", "-c", "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status")
        assert (await stage.run(*ask)).split() == ["NoNewPrivs:", "1", "Seccomp:", "2"]
        for wish in ({"seccomp_unconfined": True}, {"privileged": True}):
            security = SecurityConfig(**wish, run_as_user=1000)  # root may have the filter of a container with one user
            assert (await stage.run(*ask, security=security)).split()[-1] == "0"

    play(story)


def test_a_container_has_the_capabilities_of_a_container_and_those_it_asks_for(play: Play) -> None:
    async def story(stage: Stage) -> None:
        async def bits(**options: Any) -> int:
            output = await stage.run("grep", "CapBnd", "/proc/self/status", security=SecurityConfig(**options))
            return int(output.split()[1], 16)

        assert await bits() == 0xA80425FB
        assert await bits(drop_capabilities=("ALL",), add_capabilities=("NET_BIND_SERVICE",)) == 1 << 10
        assert await bits(add_capabilities=("SYS_TIME",)) == 0xA80425FB | 1 << 25

    play(story)


@pytest.mark.skipif(find_cgroups() is None, reason="this machine lets nobody here make control groups")
def test_limits_are_the_kernels_and_too_much_memory_is_oom_killed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        limits = Resources(cpu_limit_millicores=250, memory_limit_bytes=32 * 1024**2)
        eats = "dd if=/dev/zero of=/dev/null bs=200M count=1"
        container = await stage.begin("sh", "-c", f"{eats}; echo $?; exec {eats}", resources=limits)
        report = await stage.node.exited(container)
        assert (report.exit_code, report.reason) == (137, "OOMKilled")
        assert b"137\n" in await stage.node.output(container)
        container = await stage.begin("sleep", "100", resources=limits)
        running = await stage.node.runtime.exec("u1", container, ("sh", "-c", eats), stdin=False, tty=False)
        assert await running.exit_code() == 137
        groups = find_cgroups()
        assert groups is not None
        made = groups.group(container, limits)
        assert _there(made.folders) == len(made.folders) > 0
        await stage.node.made(StopContainerOrder(container, 0))
        assert (await stage.node.exited(container)).reason == "OOMKilled"
        async with asyncio.timeout(5):
            while _there(made.folders):  # noqa: ASYNC110 - the kernel tells nobody when it is done
                await asyncio.sleep(0.01)

    play(story)


def _there(folders: tuple[str, ...]) -> int:
    return sum(os.path.isdir(folder) for folder in folders)
