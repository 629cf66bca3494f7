"""kubectl's streams on the sandbox: exec with a terminal, attach, cp, run -it; and containers that overdo it."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import time
from fcntl import ioctl
from termios import TIOCSWINSZ

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.kubectl]


class Terminal:
    """kubectl on a terminal, as a person has it."""

    def __init__(self, cluster, *words, size=(40, 120)):
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.process = subprocess.Popen(
            ["kubectl", *words],
            env={**cluster.command.env, "KUBECONFIG": str(cluster.kubeconfig), "TERM": "xterm"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: ioctl(0, 0x540E, 0),  # TIOCSCTTY: signals of a resize need a controlling terminal
        )  # fmt: skip
        os.close(slave)
        self.said = ""

    def resize(self, rows, columns):
        ioctl(self.master, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=15):
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.said!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.said += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    deadline = 0
        self.said = self.said[found.end() :]
        return found

    def end(self):
        code = self.process.wait(15)
        os.close(self.master)
        return code


@pytest.fixture(scope="module")
def box(shared):
    shared.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"},
         "spec": {"terminationGracePeriodSeconds": 1,
                  "containers": [{"name": "c", "image": "x", "command": ["sleep", "600"]}]}},
    )  # fmt: skip
    shared.wait("box")
    return shared


def test_exec_on_a_terminal_knows_its_size_and_follows_a_resize(box):
    terminal = Terminal(box, "exec", "-it", "box", "--", "sh")
    terminal.expect(r"[#$] ")
    terminal.type("stty size\n")
    terminal.expect(r"40 120")
    terminal.resize(20, 60)
    terminal.process.send_signal(28)  # SIGWINCH
    terminal.type("until [ \"$(stty size)\" = '20 60' ]; do sleep 0.05; done; echo re''sized\n")
    terminal.expect("resized")
    terminal.type("exit 7\n")
    terminal.expect("exit code 7")
    assert terminal.end() == 7


def test_exec_carries_binary_input_and_output_whole(box):
    data = os.urandom(3_000_000)
    done = subprocess.run(
        ["kubectl", "exec", "-i", "box", "--", "cat"],
        env={**box.command.env, "KUBECONFIG": str(box.kubeconfig)}, input=data, capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == data


def test_cp_goes_both_ways(box, tmp_path):
    source = tmp_path / "there"
    source.mkdir()
    (source / "a").write_text("one")
    (source / "b").write_bytes(bytes(range(256)) * 1000)
    box.kubectl("cp", str(source), "box:/tmp/there")
    box.kubectl("cp", "box:/tmp/there", str(tmp_path / "back"))
    assert (tmp_path / "back" / "a").read_text() == "one"
    assert (tmp_path / "back" / "b").read_bytes() == (source / "b").read_bytes()


def test_run_it_rm_is_a_shell_that_is_gone_afterwards(shared):
    terminal = Terminal(
        shared, "run", "shell", "-it", "--rm", "--restart=Never", "--image=x", "--command", "--", "sh",
    )  # fmt: skip
    time.sleep(0.5)
    terminal.type("echo number $((6*7))\n")
    terminal.expect("number 42")
    terminal.type("exit 3\n")
    terminal.expect('pod "shell" deleted')
    terminal.end()
    assert "NotFound" in shared.kubectl("get", "pod", "shell", check=False)


def test_attach_feeds_stdin_and_shows_what_follows(shared, tools):
    shared.apply(tools.pod("echo", "while read -r line; do echo got $line; done; exit 5", restartPolicy="Never",
                           container={"stdin": True, "stdinOnce": True}))  # fmt: skip
    shared.wait("echo")
    said = shared.kubectl("attach", "-i", "echo", stdin="a\nb\n", check=False)
    assert "got a\ngot b\n" in said
    shared.wait("echo", "jsonpath={.status.phase}=Failed")
    assert shared.kubectl("logs", "echo") == "got a\ngot b\n"


def test_a_log_of_many_megabytes_is_read_and_followed_in_bounded_memory(shared, tools):
    shared.apply(
        tools.pod(
            "loud",
            "yes 0123456789012345678901234567890123456789 | head -c 60000000; echo; echo end",
            restartPolicy="Never",
        )
    )
    shared.wait("loud", "jsonpath={.status.phase}=Succeeded")
    before = _peak(shared)
    done = subprocess.run(
        ["kubectl", "logs", "-f", "loud"],
        env={**shared.command.env, "KUBECONFIG": str(shared.kubeconfig)}, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert len(done.stdout) == 60_000_000 + 5
    assert shared.kubectl("logs", "loud", "--tail=1") == "end\n"
    assert _peak(shared) - before < 40_000


def _peak(cluster):
    with open(f"/proc/{cluster.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_probes_and_hooks_that_misbehave_cost_neither_memory_nor_others(shared, tools):
    before = _peak(shared)
    flood = {"exec": {"command": ["sh", "-c", "head -c 50000000 /dev/urandom"]}}
    never = {"exec": {"command": ["sh", "-c", "sleep 1000"]}}
    deaf = {"tcpSocket": {"port": 9}}
    probe = {"periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 100}
    shared.apply(
        tools.pod("flood", "sleep 600", container={"readinessProbe": {**flood, **probe, "timeoutSeconds": 20}}),
        tools.pod("never", "sleep 600", container={"readinessProbe": {**never, **probe}}),
        tools.pod("deaf", "sleep 600", container={"livenessProbe": {**deaf, **probe}}),
        tools.pod("hook", "sleep 600", container={"lifecycle": {"postStart": flood, "preStop": never}}),
    )
    shared.wait("flood")
    shared.wait("deaf")
    shared.wait("hook")
    tools.wait_until(
        lambda: "timed out" in shared.kubectl("get", "events", "--field-selector=involvedObject.name=never"), 15
    )
    assert "False" in shared.kubectl(
        "get", "pod", "never", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    )
    started = time.monotonic()
    shared.kubectl("delete", "pod", "hook", "flood", "never", "deaf")
    assert time.monotonic() - started < 10
    assert _peak(shared) - before < 40_000


def test_a_pod_with_many_processes_ends_with_all_of_them(shared, tools):
    shared.apply(
        tools.pod(
            "bomb", f"for i in $(seq 200); do (setsid sleep 4{shared.process.pid} &) ; done; echo made; sleep 600"
        )
    )
    tools.wait_until(lambda: "made" in shared.kubectl("logs", "bomb", check=False), 15)
    mark = f"4{shared.process.pid}"
    tools.wait_until(lambda: _count(mark) == 200, 15)  # a child may not be `sleep` yet when its parent has gone on
    shared.kubectl("delete", "pod", "bomb")
    assert _count(mark) == 0


def _count(mark):
    found = 0
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(entry)}/cmdline", "rb") as file:
                found += file.read() == f"sleep\0{mark}\0".encode()
        except (OSError, ValueError):
            continue
    return found


def test_a_hundred_pods_at_once(shared, tools):
    shared.apply(*(tools.pod(f"many{n}", "sleep 600", labels={"many": "yes"}) for n in range(100)))
    # Not `kubectl wait`: it asks for one pod after the other, five a second.
    ready = "{.items[*].status.containerStatuses[*].ready}"
    tools.wait_until(
        lambda: shared.kubectl("get", "pod", "-l", "many=yes", "-o", f"jsonpath={ready}").count("true") == 100, 30
    )
    shared.kubectl("delete", "pod", "-l", "many=yes", "--wait=false")
    tools.wait_until(lambda: not shared.json("pod", "-l", "many=yes")["items"], 30)
