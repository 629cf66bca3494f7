"""`lifepod run`: how it ends, with which exit code, and what it prints."""

from __future__ import annotations

import json
from copy import copy

import pytest
import yaml

pytestmark = [pytest.mark.sandbox, pytest.mark.kubectl]


def _file(lifepod, *objects, name="it.yaml"):
    path = lifepod.folder / name
    path.write_text("\n---\n".join(yaml.safe_dump(obj) for obj in objects))
    return str(path)


def _once(tools, name, script, **spec):
    return tools.pod(name, script, restartPolicy="Never", **spec)


_DEAF = {"readinessProbe": {"tcpSocket": {"port": 9}}}


@pytest.mark.parametrize(
    ("script", "spec", "words", "code"),
    [
        ("exit 0", {"restartPolicy": "Never"}, (), 0),
        ("exit 7", {"restartPolicy": "Never"}, (), 7),
        ("kill -9 $$; sleep 9", {"restartPolicy": "Never", "activeDeadlineSeconds": 1}, (), 1),  # failed by its deadline
        ("sleep 600", {}, ("--until", "Ready"), 0),
        ("exit 0", {"restartPolicy": "Never"}, ("--until", "Complete"), 0),
        ("exit 4", {"restartPolicy": "Never"}, ("--until", "Complete"), 4),
        ("exit 0", {"restartPolicy": "Never"}, ("--until", "jsonpath={.status.phase}=Succeeded"), 0),
        ("exit 0", {"restartPolicy": "Never", "container": _DEAF}, ("--until", "Ready"), 1),  # it can never become ready any more
        ("sleep 600", {}, ("--timeout", "1s"), 124),
        ("sleep 600", {}, ("--until", "Complete", "--timeout", "0.5s"), 124),
    ],
)  # fmt: skip
def test_the_exit_code_says_how_it_ended(lifepod, tools, script, spec, words, code):
    done = lifepod("run", _file(lifepod, tools.pod("it", script, **copy(spec))), *words)
    assert done.returncode == code, done.stdout + done.stderr
    lifepod.wait_nothing_left(1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no object in it"),
        ("kind: Pod\n  a: 1\n", "it.yaml:2"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containners: []}\n", "containers"),
        ("apiVersion: v1\nkind: Pood\nmetadata: {name: a}\n", "Pood"),
        ("a: &a [*a]\n", "it.yaml"),
        ("[" * 100_000, "it.yaml:1"),
        ("\t- a\n", "it.yaml:1"),
    ],
)
@pytest.mark.parametrize("output", ["plain", "json"])
def test_bad_input_ends_2_and_says_where(lifepod, text, said, output):
    path = lifepod.folder / "it.yaml"
    path.write_text(text)
    done = lifepod("run", str(path), "-o", output)
    assert done.returncode == 2
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_and_garbage_end_2(lifepod):
    (lifepod.folder / "garbage.yaml").write_bytes(bytes(range(256)))
    for name in ("garbage.yaml", "absent.yaml"):
        done = lifepod("run", str(lifepod.folder / name))
        assert (done.returncode, name in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_one_bad_object_of_several_files_keeps_all_from_being_applied(lifepod, tools):
    good = _file(lifepod, _once(tools, "good", "touch /proof"), name="good.yaml")
    bad = _file(lifepod, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad"}, "spec": {}}, name="bad.yaml")
    done = lifepod("run", good, bad)
    assert (done.returncode, "bad" in done.stderr, "pod/good" in done.stdout) == (2, True, False)


def test_manifests_come_from_standard_input(lifepod, tools):
    done = lifepod("run", "-", stdin=yaml.safe_dump(_once(tools, "it", "echo hello there; exit 3")))
    assert done.returncode == 3
    assert "hello there" in done.stdout
    assert "exit" in done.stdout.splitlines()[-1].lower() or "3" in done.stdout


def test_json_carries_the_cause_as_one_object_a_line(lifepod, tools):
    done = lifepod("run", _file(lifepod, _once(tools, "it", "echo why; exit 9")), "-o", "json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 9
    assert lines[-1]["exitCode"] == 9
    assert "9" in lines[-1]["cause"]
    assert any("why" in json.dumps(line) for line in lines[:-1])


def test_the_namespace_of_objects_that_name_none(lifepod, tools):
    done = lifepod(
        "run",
        _file(lifepod, _once(tools, "it", "cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo")),
        "-n",
        "mine",
    )
    assert (done.returncode, "mine" in done.stdout) == (0, True)


def test_a_job_decides_and_its_pods_are_seen(lifepod):
    job = {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": "c", "image": "x", "command": ["sh", "-c", "echo working; exit 6"]}]}}},
    }  # fmt: skip
    done = lifepod("run", _file(lifepod, job))
    assert (done.returncode, "working" in done.stdout) == (6, True)


def test_keep_stays_until_ctrl_c_and_another_terminal_joins_in(lifepod, tools):
    import signal
    import subprocess

    process = lifepod.start("run", _file(lifepod, tools.pod("it", "sleep 600")), "--until", "Ready", "--keep")
    lines = []
    for line in iter(process.stdout.readline, ""):
        lines.append(line)
        if "until Ctrl-C" in line:
            break
    kubeconfig = next(line.partition("KUBECONFIG=")[2].strip() for line in lines if "KUBECONFIG=" in line)
    pods = subprocess.run(
        ["kubectl", "get", "pods", "-o", "name"],
        env={**lifepod.env, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        check=True,
    )
    assert pods.stdout == "pod/it\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    lifepod.wait_nothing_left()


def test_run_on_a_cluster_that_is_up_cleans_up_after_itself(lifepod, tools):
    cluster = lifepod.up()
    context = cluster.kubectl("config", "current-context").strip()
    words = ("--kubeconfig", str(cluster.kubeconfig), "--context", context)
    done = lifepod("run", _file(lifepod, _once(tools, "it", "echo here; exit 5")), *words)
    assert (done.returncode, "here" in done.stdout) == (5, True)
    assert cluster.json("pods")["items"] == []
    kept = lifepod("run", _file(lifepod, _once(tools, "it", "exit 5")), "--keep", *words)
    assert kept.returncode == 5
    assert len(cluster.json("pods")["items"]) == 1
    again = lifepod("run", _file(lifepod, _once(tools, "it", "exit 5")), *words)
    assert (again.returncode, "already exists" in again.stderr) == (2, True)
