"""What holds on every level that runs real processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from datetime import UTC, datetime

import pytest

from lifepod.lifecycle.vocabulary import (
    Done,
    ExecHandler,
    Failed,
    HttpGetHandler,
    ImagePulled,
    ImageSeen,
    Probed,
    RuntimeReport,
    TcpHandler,
)
from lifepod.runtime.base import (
    CreateContainerOrder,
    HookOrder,
    InspectImageOrder,
    LogOptions,
    Mount,
    ProbeOrder,
    PullImageOrder,
    RemoveContainerOrder,
    RemoveSandboxOrder,
    StartContainerOrder,
    StopContainerOrder,
    StopSandboxOrder,
    StreamRefused,
    TearDownVolumes,
    VolumeConfig,
)


@pytest.mark.parametrize(
    ("script", "code", "reason", "message"),
    [
        ("exit 0", 0, "Completed", ""),
        ("exit 3", 3, "Error", ""),
        ("echo last > /dev/termination-log; exit 1", 1, "Error", "last\n"),
        ("echo fine > /dev/termination-log", 0, "Completed", "fine\n"),
    ],
)
def test_an_exit_is_reported_with_code_reason_and_message(on_level, script, code, reason, message):
    async def story(node):
        container = await node.start(await node.pod(), "sh", "-c", script)
        report = await node.exited(container)
        assert (report.exit_code, report.reason, report.message) == (code, reason, message)
        assert report.started_at <= report.finished_at <= datetime.now(UTC)
        assert len(container) == 64
        assert report.image == "docker.io/library/busybox:1.36"

    on_level(story)


def test_output_is_logged_by_stream_and_can_be_followed(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sh", "-c", "echo out; echo err >&2; sleep 0.05; printf rest")
        lines = (await node.output(container)).splitlines()
        assert sorted(lines) == [b"err", b"out", b"rest"]
        assert lines[-1] == b"rest"
        assert await node.output(container, tail_lines=1) == b"rest"
        assert await node.output(container, limit_bytes=2) in (b"ou", b"er")
        stamped = await node.output(container, tail_lines=1, timestamps=True)
        assert stamped.split(b" ")[0].endswith(b"Z")
        assert await node.output(container, since_epoch=time.time() + 60) == b""

    on_level(story)


def test_fallback_to_logs_gives_the_log_s_end_when_the_exit_was_bad(on_level):
    async def story(node):
        sandbox = await node.pod()
        for script, message in (("echo words; exit 1", "words\n"), ("echo words", "")):
            container = await node.start(
                sandbox, "sh", "-c", script, termination_message_policy="FallbackToLogsOnError"
            )
            assert (await node.exited(container)).message == message

    on_level(story)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("nosuch",), 'exec: "nosuch": executable file not found in $PATH'),
        (("/no/such",), 'exec: "/no/such": stat /no/such: no such file or directory'),
        (("/etc/passwd",), 'exec: "/etc/passwd": permission denied'),
        (("/etc",), 'exec: "/etc": is a directory'),
    ],
)
def test_a_command_that_cannot_be_executed_is_a_start_error(on_level, command, problem):
    async def story(node):
        container = await node.create(await node.pod(), *command)
        outcome = await node.do(StartContainerOrder(container))
        assert isinstance(outcome, Failed)
        assert outcome.reason == "RunContainerError"
        assert outcome.message.endswith(f"unable to start container process: {problem}: unknown")
        report = node.shown(container)
        assert (report.exit_code, report.reason, report.message) == (128, "StartError", outcome.message)
        assert report.started_at == datetime(1970, 1, 1, tzinfo=UTC)

    on_level(story)


def test_no_command_is_refused_at_creation(on_level):
    async def story(node):
        sandbox = await node.pod()
        container = await node.create(sandbox, "true")
        config = node.runtime._pods["u1"].containers[container].config._replace(command=(), args=())
        assert await node.do(CreateContainerOrder(config)) == Failed("CreateContainerError", "no command specified")

    on_level(story)


def test_a_handled_stop_signal_ends_the_container_in_its_own_way(on_level):
    async def story(node):
        container = await node.start(
            await node.pod(), "sh", "-c", 'trap "exit 7" TERM; echo ready; while :; do sleep 0.02; done'
        )
        await anext(aiter(node.runtime.log("u1", container, LogOptions(follow=True))))
        assert await node.do(StopContainerOrder(container, 10)) == Done()
        assert node.shown(container).exit_code == 7

    on_level(story)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_signal_that_lifepod_was_started_to_ignore_is_not_ignored_by_containers(on_level, number):
    """As after `nohup lifepod up &`."""

    async def story(node):
        code, output = await node.run(await node.pod(), "grep", "SigIgn", "/proc/self/status")
        # Python may ignore one of the two signals above 31 that belong to the C library.
        assert (code, int(output.split()[1], 16) & 0x7FFFFFFF) == (0, 0)

    before = signal.signal(number, signal.SIG_IGN)
    try:
        on_level(story)
    finally:
        signal.signal(number, before)


def test_an_unhandled_stop_signal_is_ignored_by_pid_1_until_the_grace_period_ends(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        begun = time.monotonic()
        await node.do(StopContainerOrder(container, 1))
        assert 0.9 < time.monotonic() - begun < 5
        assert node.shown(container).exit_code == 137

    on_level(story)


def test_a_second_stop_with_less_grace_counts_and_both_orders_end(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        first = node.begin(StopContainerOrder(container, 60))
        assert await node.do(StopContainerOrder(container, 0)) == Done()
        assert (await asyncio.wait_for(first, 5)).outcome == Done()

    on_level(story)


def test_nothing_of_a_container_survives_its_first_process(on_level):
    async def story(node):
        marker = f"98{os.getpid() % 10000}.5"
        container = await node.start(await node.pod(), "sh", "-c", f"setsid sleep {marker} & sleep 0.1; exit 4")
        assert (await node.exited(container)).exit_code == 4
        assert marker not in _all_commands()

    on_level(story)


def _all_commands() -> str:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                found.append(file.read())
        except OSError:
            continue
    return "\n".join(found)


def test_exec_runs_beside_the_container_with_its_environment_and_tells_the_exit_code(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60", env=(("WHO", "me"),))
        running = await node.runtime.exec(
            "u1", container, ("sh", "-c", "cat; echo $WHO >&2; exit 5"), stdin=True, tty=False
        )
        await running.write(b"in")
        await running.close_stdin()
        output = {channel: data async for channel, data in running.output()}
        assert output == {1: b"in", 2: b"me\n"}
        assert await running.exit_code() == 5

    on_level(story)


def test_exec_with_a_terminal_has_its_size(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        running = await node.runtime.exec("u1", container, ("sh", "-c", "read x; stty size"), stdin=True, tty=True)
        await running.resize(100, 40)
        await running.write(b"go\n")
        output = b"".join([data async for _, data in running.output()])
        assert output.endswith(b"40 100\r\n")

    on_level(story)


def test_exec_of_a_missing_command_is_refused(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        with pytest.raises(StreamRefused, match='exec: "nosuch": executable file not found'):
            await node.runtime.exec("u1", container, ("nosuch",), stdin=False, tty=False)

    on_level(story)


def test_attach_feeds_stdin_and_shows_output(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "cat", stdin=True, stdin_once=True)
        attached = await node.runtime.attach("u1", container, stdin=True, tty=False)
        await attached.write(b"hello\n")
        await attached.close_stdin()
        assert [chunk async for chunk in attached.output()] == [(1, b"hello\n")]
        assert await attached.exit_code() == 0
        assert (await node.exited(container)).exit_code == 0
        assert await node.output(container) == b"hello\n"

    on_level(story)


@pytest.mark.parametrize("tty", [False, True])
def test_the_end_of_a_clients_input_ends_only_its_visit(on_level, tty):
    async def story(node):
        once = {"stdin_once": True} if tty else {}
        container = await node.start(
            await node.pod(), "sh", "-c", "while read l; do echo got $l; done", stdin=True, tty=tty, **once
        )
        for word in (b"one", b"two"):
            attached = await node.runtime.attach("u1", container, stdin=True, tty=tty)
            await attached.write(word + b"\n")
            output = attached.output()
            seen = b""
            while b"got " + word not in seen:
                seen += (await anext(output))[1]
            await attached.close_stdin()
            assert [chunk async for chunk in output if chunk[1].strip()] == []
            assert await attached.exit_code() == 0

    on_level(story)


def test_a_container_with_a_terminal_is_one(on_level):
    async def story(node):
        sandbox = await node.pod()
        assert (await node.run(sandbox, "sh", "-c", "test -t 0 && test -t 1 && echo yes", tty=True, stdin=True))[
            1
        ] == b"yes\r\n"

    on_level(story)


_SERVER = """
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/away":
            self.send_response(302); self.send_header("Location", "http://other.invalid/"); self.end_headers(); return
        if self.path == "/hop":
            self.send_response(302); self.send_header("Location", "/ok"); self.end_headers(); return
        self.send_response(200 if self.path == "/ok" else 500); self.end_headers()
        self.wfile.write(self.headers["User-Agent"].encode())
    def log_message(self, *_): pass
server = socketserver.TCPServer(("", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_probes_and_hooks_reach_the_container(on_level):
    """The server is this machine's Python, which an image has to be given."""

    async def story(node):
        volumes = [VolumeConfig(path[1:], "host", host_path=path) for path in ("/usr", "/lib", "/lib64")]
        mounts = tuple(Mount(volume.name, volume.host_path, True) for volume in volumes)
        sandbox = await node.pod(*volumes)
        container = await node.start(sandbox, "/usr/bin/python3", "-c", _SERVER, mounts=mounts)
        log = node.runtime.log("u1", container, LogOptions(follow=True))
        port = int(await anext(log))

        async def probe(handler, seconds=5):
            return await node.do(ProbeOrder(container, "readiness", handler, seconds))

        assert await probe(TcpHandler(port)) == Probed("success")
        assert await probe(HttpGetHandler(port, "/ok")) == Probed("success", "kube-probe/1.34")
        assert await probe(HttpGetHandler(port, "/hop")) == Probed("success", "kube-probe/1.34")
        assert await probe(HttpGetHandler(port, "/bad")) == Probed("failure", "HTTP probe failed with statuscode: 500")
        assert (await probe(HttpGetHandler(port, "/away"))).result == "warning"
        refused = await probe(TcpHandler(1))
        assert refused.result == "failure"
        assert refused.text.endswith(":1: connect: connection refused")
        assert await probe(ExecHandler(("sh", "-c", "echo no; exit 1"))) == Probed("failure", "no\n")
        assert await probe(ExecHandler(("true",))) == Probed("success")
        assert (await probe(ExecHandler(("nosuch",)))).result == "unknown"
        assert await probe(ExecHandler(("sleep", "9")), 1) == Probed(
            "failure", 'command timed out: "sleep 9" timed out after 1s'
        )
        assert await node.do(HookOrder(container, "postStart", HttpGetHandler(port, "/bad"))) == Done()
        assert await node.do(
            HookOrder(container, "postStart", ExecHandler(("sh", "-c", "echo bad; exit 9")))
        ) == Failed("", "command 'sh -c echo bad; exit 9' exited with 9: , message: \"bad\\n\"")
        stream = await node.runtime.dial("u1", port)
        await stream.write(b"GET /ok HTTP/1.0\r\nUser-Agent: me\r\n\r\n")
        await stream.close_write()
        answer = b""
        while piece := await stream.read():
            answer += piece
        assert answer.endswith(b"me")
        await stream.close()

    on_level(story)


_RPC = r'rpc error: code = Unknown desc = failed to exec in container: failed to start exec "[0-9a-f]{64}": '
_OCI = r'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not '


def test_a_command_that_is_not_there_is_an_error_of_the_runtime(on_level):
    """lifecycle.md §13.30: the words of containerd, with gRPC's before them."""

    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        missing = ExecHandler(("nosuch",))
        tried = await node.do(ProbeOrder(container, "liveness", missing, 1))
        assert tried.result == "unknown"
        assert re.match(_RPC + _OCI, tried.text)
        hook = await node.do(HookOrder(container, "postStart", missing))
        assert re.match(_RPC + _OCI, hook.message)
        assert hook.message.endswith(': unknown, message: ""')
        await node.do(StopContainerOrder(container, 0))
        late = await node.do(ProbeOrder(container, "liveness", ExecHandler(("true",)), 1))
        assert late.text == (
            "rpc error: code = Unknown desc = failed to exec in container: container is in CONTAINER_EXITED state"
        )

    on_level(story)


@pytest.mark.parametrize("level", ["host", pytest.param("stand-in", marks=pytest.mark.sandbox)], indirect=True)
def test_images_of_mode_host(on_level):
    async def story(node):
        seen = await node.do(InspectImageOrder("busybox:1.36"))
        assert isinstance(seen, ImageSeen)
        assert seen == await node.do(InspectImageOrder("docker.io/library/busybox:1.36"))
        assert await node.do(InspectImageOrder("registry.invalid/absent:1")) == ImageSeen(None)
        pulled = await node.do(PullImageOrder("busybox:1.36"))
        assert isinstance(pulled, ImagePulled)
        assert pulled.ref == seen.ref
        failed = await node.do(PullImageOrder("registry.invalid/absent:1"))
        assert isinstance(failed, Failed)
        assert failed.reason == "ErrImagePull"
        assert failed.message.startswith(
            'failed to pull and unpack image "registry.invalid/absent:1": failed to resolve'
        )
        assert await node.do(InspectImageOrder("Bad//Name:::x")) == Failed(
            "InvalidImageName",
            'Failed to apply default image tag "Bad//Name:::x": couldn\'t parse image name "Bad//Name:::x": '
            "invalid reference format: repository name (/Name) must be lowercase",
        )

    on_level(story)


def test_a_forgotten_attempt_is_still_counted_by_its_log(on_level):
    async def story(node):
        sandbox = await node.pod()
        container = await node.start(sandbox, "true", attempt=4)
        await node.exited(container)
        await node.do(RemoveContainerOrder(container))
        assert node.latest["u1"].containers == ()
        again = await node.create(sandbox, "true", attempt=0)
        assert node.shown(again).attempt == 5

    on_level(story)


def test_stopping_a_sandbox_kills_what_runs_in_it_and_removing_forgets_it(on_level):
    async def story(node):
        sandbox = await node.pod()
        container = await node.start(sandbox, "sleep", "60")
        assert node.latest["u1"].sandboxes[0].state == "ready"
        assert node.latest["u1"].sandboxes[0].ips
        assert await node.do(StopSandboxOrder(sandbox)) == Done()
        assert node.shown(container).exit_code == 137
        assert node.latest["u1"].sandboxes[0].state == "notready"
        assert await node.do(RemoveSandboxOrder(sandbox)) == Done()
        assert node.latest["u1"] == RuntimeReport()

    on_level(story)


def test_tearing_down_leaves_no_file_of_the_pod(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        assert await node.do(TearDownVolumes()) == Done()
        assert node.latest["u1"] == RuntimeReport()
        left = [name for _, folders, files in os.walk(node.runtime.root) for name in (*folders, *files)]
        assert container not in left
        assert "u1" not in "".join(left)
        assert node.runtime.reports() == {}

    on_level(story)


def test_a_supervisor_that_is_killed_takes_its_container_along_and_is_reported(on_level):
    async def story(node):
        container = await node.start(await node.pod(), "sleep", "60")
        record = node.runtime._pods["u1"].containers[container]
        supervisor = record.link.started["supervisor"]
        os.kill(supervisor, signal.SIGKILL)
        report = await node.exited(container)
        assert (report.exit_code, report.reason) == (255, "Unknown")

    on_level(story)
