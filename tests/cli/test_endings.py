"""However a cluster ends, nothing of it stays: no process, no mount, no folder; what --data is to keep is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.kubectl]


def _sleeper(lifepod):
    """A script that can be found among this machine's processes."""
    return f"while true; do sleep 1; done # {lifepod.folder}"


def _write(lifepod, tools, *pods):
    import json

    path = lifepod.folder / "pods.yaml"
    path.write_text("\n---\n".join(json.dumps(pod) for pod in pods))
    return str(path)


@pytest.mark.parametrize("runtime", ["sandbox", "host"])
def test_a_killed_lifepod_without_data_takes_everything_along(lifepod, tools, runtime):
    cluster = lifepod.up("--runtime", runtime)
    volumes = [{"name": "m", "emptyDir": {"medium": "Memory"}}]
    container = {"volumeMounts": [{"name": "m", "mountPath": "/m"}]} if runtime == "sandbox" else {}
    cluster.apply(
        tools.pod("a", _sleeper(lifepod), volumes=volumes, container=container), tools.pod("b", _sleeper(lifepod))
    )
    cluster.wait("a")
    cluster.wait("b")
    assert len(lifepod.processes()) > 4
    os.kill(cluster.process.pid, signal.SIGKILL)
    cluster.process.wait()
    lifepod.wait_nothing_left()
    assert not (lifepod.home / "default" / "work").exists()
    assert "gone" in lifepod("ls").stdout
    again = lifepod.up("--runtime", runtime)
    assert f"(process {cluster.process.pid}) had been killed" in again.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_up_cleanly(lifepod, tools, number):
    cluster = lifepod.up()
    cluster.apply(tools.pod("a", _sleeper(lifepod)))
    cluster.wait("a")
    cluster.process.send_signal(number)
    assert cluster.process.wait(20) == 0
    lifepod.wait_nothing_left(0.5)
    assert list(lifepod.home.iterdir()) == []


@pytest.mark.parametrize("after", [0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("words", [("up",), ("run",)])
def test_ctrl_c_at_any_moment_of_a_start_leaves_nothing(lifepod, tools, words, after):
    files = (_write(lifepod, tools, tools.pod("a", _sleeper(lifepod))),) if words == ("run",) else ()
    process = lifepod.start(*words, *files)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(after)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    # Before a command listens for it, Ctrl-C is Python's: `up` then ends 130 instead of 0, at the very start by the signal.
    assert process.returncode in ((0, 130, -2) if words == ("up",) else (130, -2)), said
    lifepod.wait_nothing_left()
    assert not lifepod.home.exists() or list(lifepod.home.iterdir()) == []


def test_a_killed_run_leaves_nothing(lifepod, tools):
    process = lifepod.start("run", _write(lifepod, tools, tools.pod("a", "echo here; sleep 100")))
    lines = iter(process.stdout.readline, "")
    assert any("here" in line for line in lines)
    process.kill()
    process.wait()
    lifepod.wait_nothing_left()


def test_pods_outlive_a_killed_lifepod_with_data_and_down_clears_all(lifepod, tools):
    data = lifepod.folder / "data"
    cluster = lifepod.up("--data", str(data))
    cluster.apply(
        tools.pod("stays", "i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.2; done"),
        tools.pod("ends", "while [ ! -e /m/go ]; do sleep 0.05; done; exit 7", restartPolicy="Never",
                  volumes=[{"name": "m", "hostPath": {"path": str(lifepod.folder)}}],
                  container={"volumeMounts": [{"name": "m", "mountPath": "/m"}]}),
    )  # fmt: skip
    cluster.wait("stays")
    cluster.wait("ends")
    before = cluster.json("pod", "stays")["status"]["containerStatuses"][0]
    cluster.process.kill()
    cluster.process.wait()
    (lifepod.folder / "go").touch()
    tools.wait_until(lambda: list(data.glob("node/containers/*/exit.json")), 10)
    again = lifepod.up("--data", str(data))
    assert "2 pods were found and taken over" in again.said
    again.wait("ends", "jsonpath={.status.phase}=Failed")
    ended = again.json("pod", "ends")["status"]["containerStatuses"][0]["state"]["terminated"]
    after = again.json("pod", "stays")["status"]["containerStatuses"][0]
    assert ended["exitCode"] == 7
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    assert again.kubectl("logs", "stays").startswith("tick 0\n")
    refused = lifepod("up", "--name", "second", "--data", str(data))
    assert (refused.returncode, "is in use by another lifepod" in refused.stderr) == (1, True)
    assert lifepod("down").returncode == 0
    again.process.wait(10)
    lifepod.wait_nothing_left()


def test_deleting_everything_leaves_an_empty_node(lifepod, tools):
    cluster = lifepod.up()
    cluster.apply(*(tools.pod(f"p{n}", _sleeper(lifepod)) for n in range(5)))
    for n in range(5):
        cluster.wait(f"p{n}")
    started = time.monotonic()
    cluster.kubectl("delete", "pod", "--all", "--wait=true")
    assert time.monotonic() - started < 15
    node = lifepod.home / "default" / "work" / "node"
    for name in ("containers", "pods", "volumes", "sandboxes"):
        assert list(node.glob(f"{name}/*")) == []
    assert not [line for line in lifepod.processes() if line.startswith("sh ")]
