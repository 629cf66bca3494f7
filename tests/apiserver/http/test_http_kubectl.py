"""Real kubectl against the HTTP edge: the commands of everyday, each as it is typed."""

import os
import re
import shutil
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH"),
]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: "busybox:1.36", command: [sleep, "600"]}]
"""

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Kubectl:
    """Runs kubectl with its cache in a folder of its own."""
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path), "KUBECACHEDIR": str(tmp_path / "cache")}

    def run(*args: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *args], env=env | more, input=stdin, text=True, capture_output=True, timeout=30, check=False
        )

    return run


@pytest.fixture
def pod(kubectl: Kubectl) -> str:
    """A running pod."""
    applied = kubectl("apply", "-f", "-", stdin=POD)
    assert applied.stdout == "pod/web created\n", applied.stderr
    waited = kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=10s")
    assert waited.stdout == "pod/web condition met\n", waited.stderr
    return "web"


def test_get_prints_the_servers_columns(kubectl: Kubectl, pod: str) -> None:
    shown = kubectl("get", "pods", "-o", "wide")
    assert (
        shown.stdout.splitlines()[0].split()
        == "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES".split()
    )
    assert re.match(r"web +1/1 +Running +0 ", shown.stdout.splitlines()[1])
    assert kubectl("get", "pod", "web", "-o", "jsonpath={.status.phase}").stdout == "Running"
    assert kubectl("get", "pods", "-l", "app=none").stderr == "No resources found in default namespace.\n"


def test_what_is_missing_is_told_as_upstream_does(kubectl: Kubectl) -> None:
    missing = kubectl("get", "pod", "nosuch")
    assert (missing.returncode, missing.stderr) == (1, 'Error from server (NotFound): pods "nosuch" not found\n')
    assert "the server doesn't have a resource type" in kubectl("get", "nosuch").stderr
    refused = kubectl("create", "-f", "-", stdin=POD.replace("containers:", "containners:"))
    assert 'strict decoding error: unknown field "spec.containners"' in refused.stderr


def test_objects_are_changed_and_described(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("apply", "-f", "-", stdin=POD).stdout == "pod/web unchanged\n"
    assert kubectl("label", "pod", "web", "tier=front").stdout == "pod/web labeled\n"
    assert kubectl("annotate", "pod", "web", "note=x").stdout == "pod/web annotated\n"
    assert kubectl("edit", "pod", "web", EDITOR="sed -i s/front/back/").stdout == "pod/web edited\n"
    described = kubectl("describe", "pod", "web").stdout
    assert "tier=back" in described
    assert "note: x" in described


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("create", "configmap", "c", "--from-literal=a=b"), "configmap/c created\n"),
        (("create", "secret", "generic", "s", "--from-literal=a=b"), "secret/s created\n"),
        (("create", "namespace", "t"), "namespace/t created\n"),
        (("create", "job", "j", "--image=busybox", "--", "true"), "job.batch/j created\n"),
        (("create", "deployment", "d", "--image=nginx"), "deployment.apps/d created\n"),
        (("auth", "can-i", "create", "pods"), "yes\n"),
    ],
)
def test_typed_clients_send_protobuf_and_are_understood(kubectl: Kubectl, args: tuple[str, ...], says: str) -> None:
    done = kubectl(*args)
    assert done.stdout == says, done.stderr


def test_discovery_and_documentation_are_there(kubectl: Kubectl) -> None:
    assert "deployments" in kubectl("api-resources").stdout
    assert "batch/v1" in kubectl("api-versions").stdout.splitlines()
    assert "FIELD: nodeName <string>" in kubectl("explain", "pod.spec.nodeName").stdout
    assert re.search(r"Server Version: v1\.34\.\d+\+lifepod", kubectl("version").stdout)
    assert re.search(r"Username +kubernetes-admin", kubectl("auth", "whoami").stdout)


def test_logs_exec_and_copies_reach_the_node(kubectl: Kubectl, pod: str, cluster: Any, tmp_path: Path) -> None:
    cluster.streams.logs["main"] = [b"one\n", b"two\n"]
    assert kubectl("logs", "web").stdout == "one\ntwo\n"
    assert kubectl("logs", "-f", "web", "--tail=5").stdout == "one\ntwo\n"
    assert cluster.streams.asked[-1][2].tail_lines == 5
    ended = kubectl("exec", "web", "--", "sh", "-c", "echo out; exit 3")
    assert (ended.returncode, ended.stdout) == (3, "out\n")
    assert kubectl("exec", "-i", "web", "--", "cat", stdin="through").stdout == "through"
    source, there, back = tmp_path / "source", tmp_path / "there", tmp_path / "back"
    source.write_bytes(os.urandom(400_000))
    for args in ((str(source), f"web:{there}"), (f"web:{there}", str(back))):
        copied = kubectl("cp", *args)
        assert copied.returncode == 0, copied.stderr
    assert back.read_bytes() == source.read_bytes()


def test_a_forwarded_port_carries_requests(kubectl: Kubectl, pod: str, kubeconfig: Path, tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    body = b"x" * 300_000

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.close()

    server = threading.Thread(target=answer)
    server.start()
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)}
    port = listener.getsockname()[1]
    command = ["kubectl", "port-forward", "pod/web", f"0:{port}"]
    forward = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert forward.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=10) as response:
            assert response.read() == body
    finally:
        forward.terminate()
        forward.wait()
        assert forward.stdout is not None
        forward.stdout.close()
        server.join(5)
        listener.close()


def test_delete_waits_until_the_pod_is_gone(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("delete", "pod", "web").stdout.startswith('pod "web" deleted')
    assert kubectl("wait", "--for=delete", "pod/web", "--timeout=5s").returncode == 0
