"""The command as a stranger meets it: real processes, real containers, in a state folder of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

PROGRAM = (sys.executable, "-c", "from lifepod.cli import main; main(prog_name='lifepod')")


class Command:
    """Runs `lifepod` with its own LIFEPOD_HOME; everything it leaves can be found by that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.env = {**os.environ, "LIFEPOD_HOME": str(self.home), "TMPDIR": str(self.temporary), "COLUMNS": "120"}
        self.env.pop("KUBECONFIG", None)
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self, *words: str, stdin: str | None = None, timeout: float = 40) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [*PROGRAM, *words],
            env=self.env,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=self.folder,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Run as in a terminal, which is where Ctrl-C comes from; ended with the test."""
        # Tests that run in the background of a shell ignore it, and would hand that down.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [*PROGRAM, *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )
        signal.signal(signal.SIGINT, before)
        self._started.append(process)
        return process

    def up(self, *words: str) -> Cluster:
        """A cluster in the foreground that is ready."""
        process = self.start("up", "--kubeconfig", str(self.folder / "kubeconfig"), *words)
        assert process.stdout is not None
        return Cluster(self, process, process.stdout.readline())

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
            if process.stdout is not None:
                process.stdout.close()

    def processes(self) -> list[str]:
        """Every process on this machine that was started with our state folder, and what runs below it."""
        mark = f"LIFEPOD_HOME={self.home}".encode()
        found = {}
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                folder = Path("/proc", str(int(entry)))
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if line and (mark in (folder / "environ").read_bytes() or str(self.folder) in line):
                    found[int(entry)] = line
        return [line for pid, line in found.items() if pid != os.getpid()]

    def wait_nothing_left(self, seconds: float = 10) -> None:
        """No process, no mount, no folder is left of a cluster that was killed."""
        wait_until(lambda: not self.processes(), seconds, lambda: f"still running: {self.processes()}")
        assert str(self.folder) not in Path("/proc/self/mounts").read_text()
        assert list(self.temporary.iterdir()) == []


class Cluster:
    """A cluster that is up, and kubectl on it."""

    def __init__(self, command: Command, process: subprocess.Popen[str], said: str) -> None:
        self.command, self.process, self.said = command, process, said
        self.kubeconfig = command.folder / "kubeconfig"

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True, timeout: float = 40) -> str:
        done = subprocess.run(
            ["kubectl", *words],
            env={**self.command.env, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.command.folder)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + ("" if check else done.stderr)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(yaml.safe_dump(o) for o in objects))

    def wait(self, pod: str, what: str = "condition=Ready") -> None:
        self.kubectl("wait", f"--for={what}", f"pod/{pod}", "--timeout=20s")

    def json(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))


def wait_until(holds: Any, seconds: float, problem: Any = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, problem()
        time.sleep(0.02)


def pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """A pod whose one container runs a shell script."""
    container = {"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script], **spec.pop("container", {})}
    labels = spec.pop("labels", {"app": name})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, **spec, "containers": [container]},
    }


@pytest.fixture
def lifepod(tmp_path: Path) -> Any:
    command = Command(tmp_path)
    yield command
    command.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One cluster on the sandbox for all tests of a file."""
    command = Command(tmp_path_factory.mktemp("shared"))
    cluster = command.up("--runtime", "sandbox", "--images", "host")
    assert " is up at " in cluster.said, cluster.said
    yield cluster
    command.end()


@pytest.fixture
def tools() -> Any:
    """What tests write pods with."""

    class Tools:
        pod = staticmethod(pod)
        wait_until = staticmethod(wait_until)

    return Tools
