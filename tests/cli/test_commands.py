"""The other commands, on clusters that are really up."""

from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.kubectl]


def test_version_says_lifepod_s_and_kubernetes(lifepod):
    done = lifepod("version")
    assert (done.returncode, done.stdout.startswith("lifepod "), "Kubernetes v1.34" in done.stdout) == (0, True, True)


def test_a_detached_cluster_lives_on_is_listed_and_goes_down(lifepod):
    done = lifepod("up", "--detach", "--name", "one")
    assert (done.returncode, " is up at https://127.0.0.1:" in done.stdout) == (0, True), done.stderr
    kubeconfig = lifepod.home / "one" / "kubeconfig"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    taken = lifepod("up", "--name", "one")
    assert (taken.returncode, "is up already" in taken.stderr) == (1, True)
    second = lifepod.up("--name", "two", "--runtime", "host")
    rows = {line.split()[0]: line.split() for line in lifepod("ls").stdout.splitlines()[1:]}
    assert set(rows) == {"one", "two"}
    assert (rows["one"][1], rows["two"][3], rows["two"][4]) == ("up", "host", str(second.process.pid))
    assert rows["one"][-1] == str(kubeconfig)
    names = lifepod("kubectl", "--name", "one", "get", "nodes", "-o", "name")
    assert names.stdout == "node/node1\n"
    assert "say --name" in lifepod("kubectl", "get", "nodes").stderr
    for name in rows:
        assert lifepod("down", name).returncode == 0
    second.process.wait(10)
    lifepod.wait_nothing_left()
    assert list(lifepod.home.iterdir()) == []
    gone = lifepod("down", "one")
    assert (gone.returncode, 'no cluster is called "one"; none is up' in gone.stderr) == (1, True)


def test_merge_adds_the_context_and_takes_it_away_again(lifepod):
    config = lifepod.folder / "config"
    lifepod.env["KUBECONFIG"] = str(config)
    cluster = lifepod.up("--merge")

    def kubectl(*words):
        return subprocess.run(["kubectl", *words], env=lifepod.env, capture_output=True, text=True, check=False)

    assert kubectl("get", "nodes", "-o", "name").stdout == "node/node1\n"
    cluster.process.terminate()
    assert cluster.process.wait(20) == 0
    assert kubectl("config", "get-contexts", "-o", "name").stdout == ""


def test_a_port_that_is_taken_is_said(lifepod):
    cluster = lifepod.up()
    port = cluster.said.partition("127.0.0.1:")[2].partition(":")[0]
    done = lifepod("up", "--name", "other", "--port", port)
    assert (done.returncode, f"port {port} of 127.0.0.1 cannot be had" in done.stderr) == (1, True)
    assert not (lifepod.home / "other").exists()


def test_doctor_tries_and_says_what_works(lifepod):
    done = lifepod("doctor")
    assert (done.returncode, "yes  sandbox" in done.stdout, "use: sandbox" in done.stdout) == (0, True, True)


def test_why_names_the_cause_of_a_pod_that_does_not_start(lifepod, tools):
    cluster = lifepod.up()
    cluster.apply(tools.pod("bad", "exit 1", container={"image": "registry.invalid/app:1"}))
    tools.wait_until(lambda: "ErrImagePull" in cluster.kubectl("get", "pod", "bad"), 10)
    done = lifepod("why", "bad")
    assert done.returncode == 1
    assert "registry.invalid/app:1" in done.stdout
    as_json = json.loads(lifepod("why", "bad", "-o", "json").stdout)
    assert as_json
    missing = lifepod("why", "absent")
    assert (missing.returncode, "absent" in missing.stderr) == (2, True)


def test_the_state_folder_says_when_it_cannot_be_made(lifepod):
    (lifepod.folder / "file").touch()
    lifepod.env["LIFEPOD_HOME"] = os.path.join(str(lifepod.folder), "file", "home")
    done = lifepod("up")
    assert (done.returncode, "Set LIFEPOD_HOME" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
