"""Snapshots, forks and files of a cluster's state; how two clusters differ."""

from __future__ import annotations

import pickle
import zlib
from base64 import urlsafe_b64decode
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from lives import eventful, lived_again, told

from lifepod.assembly.cluster_difference import differences
from lifepod.assembly.simulated import SimulatedCluster
from lifepod.assembly.state_file import BadState, load_state, save_state
from lifepod.runtime.sim.streams import SimStreams


def without_revisions(lines: list[bytes]) -> list[bytes]:
    import re

    return [re.sub(rb'"resourceVersion":"\d+"', b"", line) for line in lines]


def test_a_fork_in_the_midst_of_faults_lives_the_same_future() -> None:
    sim, _ = eventful()
    fork = sim.fork()
    assert differences(sim.cluster, fork.cluster) == []
    one, other = told(sim), told(fork)
    sim.advance(timedelta(minutes=5))
    fork.advance(timedelta(minutes=5))
    assert len(one) > 20
    assert without_revisions(one) == without_revisions(other)


def test_a_saved_state_goes_on_as_the_cluster_did(tmp_path: Path) -> None:
    sim, _ = eventful()
    save_state(sim, tmp_path / "cluster.state")
    other = SimulatedCluster(sim.settings)
    load_state(other, tmp_path / "cluster.state")
    one, again = told(sim), told(other)
    sim.advance(timedelta(minutes=5))
    other.advance(timedelta(minutes=5))
    assert len(one) > 20
    assert without_revisions(one) == without_revisions(again)


def test_a_state_file_calls_no_code(tmp_path: Path) -> None:
    sim, _ = eventful()
    path = tmp_path / "cluster.state"
    save_state(sim, path)
    head = path.read_bytes().split(b"\n")[0] + b"\n"
    path.write_bytes(head + zlib.compress(pickle.dumps(print)))
    with pytest.raises(BadState, match=r"builtins\.print"):
        load_state(sim, path)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    sim, _ = eventful()
    path = tmp_path / "cluster.state"
    path.write_bytes(b"lifepod state 0.0.0-other\nxyz")
    with pytest.raises(BadState, match=r"0\.0\.0-other"):
        load_state(sim, path)


def test_two_forks_differ_by_what_was_done_to_them() -> None:
    sim, _ = eventful()
    one, other = sim.fork(), sim.fork()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "extra"},
        "spec": {"containers": [{"name": "a", "image": "b"}]},
    }
    other.request("POST", "/api/v1/namespaces/default/pods", pod)
    other.request(
        "PATCH", "/api/v1/nodes/node1", {"metadata": {"labels": {"zone": "a"}}}, "application/merge-patch+json"
    )
    found = differences(one.cluster, other.cluster, ("nodes", "pods"))
    assert "+ pods default/extra" in found
    assert 'nodes node1 metadata.labels.zone: (none) → "a"' in found


def test_a_recording_goes_on_after_the_cluster_was_set_back() -> None:
    sim, _ = eventful()
    early = sim.snapshot()
    sim.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "undone"}})
    sim.advance(timedelta(minutes=1))
    sim.restore(early)
    lines = told(sim)
    sim.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}})
    sim.advance(timedelta(minutes=1))
    assert lived_again(sim)[-len(lines) :] == lines


TOKEN = "cat /var/run/secrets/kubernetes.io/serviceaccount/token"


def token_of(sim: SimulatedCluster) -> bytes:
    pod = sim.get("pods", "p")
    assert pod is not None
    container = pod["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
    streams = sim.streams(pod["spec"]["nodeName"])
    assert isinstance(streams, SimStreams)
    return streams.exec_now(pod["metadata"]["uid"], container, tuple(TOKEN.split()))[1]


def test_a_token_is_signed_when_it_is_read_and_is_that_of_the_pods_start(tmp_path: Path) -> None:
    sim = SimulatedCluster()
    spec = {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "1d"]}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    sim.request("POST", "/api/v1/namespaces/default/pods", body)
    assert sim.run_until(lambda: (sim.get("pods", "p") or {})["status"].get("phase") == "Running", timedelta(minutes=1))
    began = int(sim.clock.now().timestamp())
    save_state(sim, tmp_path / "cluster.state")
    other, fork = SimulatedCluster(sim.settings), sim.fork()
    load_state(other, tmp_path / "cluster.state")
    sim.advance(timedelta(minutes=10))
    token = token_of(sim)
    claims = orjson.loads(urlsafe_b64decode(token.split(b".")[1] + b"=="))
    assert (claims["iat"], claims["kubernetes.io"]["pod"]["name"]) == (began, "p")
    assert token_of(fork) == token_of(other) == token
    user = sim.plane.tokens.user_of(token.decode())
    assert user is not None
    assert user.name == "system:serviceaccount:default:default"
