"""What came in from outside is enough to live the same life again, to the byte, to any moment."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from lives import eventful, lived_again, told

from lifepod.assembly.replay import read_recording, replay
from lifepod.simulation.recording import BadRecording

CLIENT = """
import sys, time
from kubernetes import client, config
config.load_kube_config(sys.argv[1])
api = client.CoreV1Api()
body = {"metadata": {"generateName": "p-", "annotations": {"sim.lifepod.dev/app": "run=20s exit=1; run=forever"}},
        "spec": {"containers": [{"name": "app", "image": "busybox"}]}}
names = [api.create_namespaced_pod("default", body).metadata.name for _ in range(5)]
while not all(api.read_namespaced_pod(n, "default").status.container_statuses for n in names):
    time.sleep(0.01)
api.delete_namespaced_pod(names[0], "default", grace_period_seconds=1)
"""


def test_a_replay_is_equal_to_the_byte() -> None:
    sim, lines = eventful()
    assert len(lines) > 300
    assert lived_again(sim) == lines


def test_a_replay_stops_at_any_moment() -> None:
    sim, lines = eventful()
    part = lived_again(sim, timedelta(minutes=2))
    assert 0 < len(part) < len(lines)
    assert lines[: len(part)] == part


def test_a_recording_is_a_file_that_simulate_plays(tmp_path: Path) -> None:
    sim, _ = eventful()
    path = tmp_path / "lived.rec"
    command = sim.inputs.save(path).split()
    assert command[:2] == ["lifepod", "simulate"]
    assert read_recording(path) == sim.inputs.recording()
    run = [sys.executable, "-m", *command, "-o", "json"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"fault": "fault ' in done.stdout


def test_what_is_no_recording_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "broken.rec"
    path.write_bytes(b'{"lifepodRecording":1}\n')
    with pytest.raises(BadRecording, match="no recording"):
        read_recording(path)


def test_what_a_client_in_another_process_did_is_lived_again(tmp_path: Path) -> None:
    pytest.importorskip("kubernetes")
    import lifepod

    with lifepod.cluster(seed=11) as kube:
        lines = told(kube.sim)
        kube.sim.inputs.begin_anew()
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, str(kube.kubeconfig)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        kube.advance("5m")
        live, recording = list(lines), kube.sim.inputs.recording()
    again: list[list[bytes]] = []
    replay(recording, watch=lambda other: again.append(told(other)))
    assert len(live) > 50
    assert again[0] == live
