"""A web server's image in a whole cluster: behind a Service, reached by another pod, by exec, logs and port-forward."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import Entry, Registry, busybox_layer, folder, image, layer

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.kubectl,
    pytest.mark.skipif(not os.path.exists("/bin/busybox"), reason="needs Debian's busybox-static"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl"),
]
Kubectl = Callable[..., str]


@pytest.fixture
def kubectl(tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl on a cluster of its own, with an empty image store."""
    kubeconfig = tmp_path / "kubeconfig"
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
        "KUBECONFIG": str(kubeconfig),
    }
    words = [sys.executable, "-m", "lifepod", "up", "--name", "images", "--images", "auto"]
    up = subprocess.Popen([*words, "--kubeconfig", str(kubeconfig)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        assert "up at" in up.stdout.readline()

        def run(*arguments: str, given: str = "") -> str:
            done = subprocess.run(
                ["kubectl", *arguments], env=environment, input=given, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(20)


def _until(kubectl: Kubectl, wanted: str, *arguments: str) -> str:
    deadline = time.monotonic() + 30
    while wanted not in (output := kubectl(*arguments)):
        assert time.monotonic() < deadline, output
        time.sleep(0.1)
    return output


WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: web
    image: IMAGE
    ports: [{containerPort: 8080}]
    securityContext: {runAsNonRoot: true}
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: asks}
spec:
  restartPolicy: OnFailure
  containers: [{name: asks, image: BUSYBOX, command: [wget, -q, -O, '-', 'http://web/']}]
"""


@pytest.mark.levels("image")
def test_a_web_servers_image_behind_a_service(kubectl: Kubectl, registry: Registry, tmp_path: Path) -> None:
    base = busybox_layer()
    site = layer(folder("var/www"), Entry("var/www/index.html", b"hello from the image\n"))
    said = {
        "Entrypoint": ["httpd", "-f", "-v", "-p", "8080"],
        "Cmd": ["-h", "/var/www"],
        "Env": ["PATH=/bin"],
        "User": "33",
        "ExposedPorts": {"8080/tcp": {}},
    }
    web = str(registry.add("web:1", image(base, site, config=said)))
    busybox = str(registry.add("busybox:1.36", image(base, config={"Env": ["PATH=/bin"]})))
    kubectl("apply", "-f", "-", given=WEB.replace("IMAGE", web).replace("BUSYBOX", busybox))
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    _until(kubectl, "Succeeded", "get", "pod", "asks", "-o", "jsonpath={.status.phase}")
    assert kubectl("logs", "asks") == "hello from the image\n"
    assert kubectl("exec", "web", "--", "sh", "-c", "id -u; cat /var/www/index.html") == "33\nhello from the image\n"
    assert "response:200" in kubectl("logs", "web")
    status = json.loads(kubectl("get", "pod", "web", "-o", "json"))["status"]["containerStatuses"][0]
    assert status["image"] == web
    assert status["imageID"] == f"{registry.host}/web@{registry.images['web:1'].target}"
    events = _until(kubectl, "Successfully pulled", "get", "events", "--field-selector=involvedObject.name=web")
    assert f'Pulling image "{web}"' in events
    assert f"Image size: {sum(len(b) for b in _blobs(registry, 'web:1'))} bytes." in events
    _forwarded(tmp_path / "kubeconfig")


def _blobs(registry: Registry, name: str) -> list[bytes]:
    found = registry.images[name]
    return [content for digest, content in found.blobs.items() if digest != found.target]


def _forwarded(kubeconfig: Path) -> None:
    words = ["kubectl", "--kubeconfig", str(kubeconfig), "port-forward", "pod/web", ":8080"]
    forward = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert forward.stdout is not None
        port = forward.stdout.readline().split("->")[0].rsplit(":", 1)[1].strip()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read() == b"hello from the image\n"
    finally:
        forward.terminate()
        forward.wait(10)


@pytest.mark.levels("image")
def test_a_private_image_is_pulled_with_the_pods_secret(kubectl: Kubectl, registry: Registry) -> None:
    name = str(registry.add("private:1", image(busybox_layer(), config={"Env": ["PATH=/bin"]})))
    registry.basic = "me:secret"
    words = ["--docker-username=me", "--docker-password=secret", f"--docker-server={registry.host}"]
    kubectl("create", "secret", "docker-registry", "mine", *words)
    overrides = json.dumps({"spec": {"imagePullSecrets": [{"name": "mine"}]}})
    kubectl("run", "without", f"--image={name}", "--restart=Never", "--", "true")
    kubectl("run", "with", f"--image={name}", "--restart=Never", f"--overrides={overrides}", "--", "true")
    _until(kubectl, "Succeeded", "get", "pod", "with", "-o", "jsonpath={.status.phase}")
    shown = "jsonpath={.status.containerStatuses[0].state.waiting.message}"
    assert "pull access denied" in _until(kubectl, "denied", "get", "pod", "without", "-o", shown)


def test_kubectl_run_it_with_a_real_image(kubectl: Kubectl, registry: Registry, tmp_path: Path) -> None:
    """A terminal whose size follows the client's, input, the exit code; and `-i`, whose input ends with the client's."""
    name = str(registry.add("busybox:1.36", image(busybox_layer(), config={"Env": ["PATH=/bin"]})))
    words = ["kubectl", "--kubeconfig", str(tmp_path / "kubeconfig"), "run", "--restart=Never", f"--image={name}"]
    script = 'while read word; do stty size; [ "$word" = end ] && exit 3; done'
    terminal, end = os.openpty()
    _set_size(terminal, 30, 91)
    run = subprocess.Popen([*words, "-it", "t", "--", "sh", "-c", script], stdin=end, stdout=end, stderr=end)
    os.close(end)
    try:
        _asked_until(terminal, b"30 91")
        _set_size(terminal, 41, 102)
        run.send_signal(signal.SIGWINCH)
        _asked_until(terminal, b"41 102")
        os.write(terminal, b"end\n")
        assert run.wait(30) == 3
    finally:
        run.kill()
        os.close(terminal)
    piped = [*words, "-i", "--rm", "--quiet", "u", "--", "cat"]
    done = subprocess.run(piped, input="one\ntwo\n", capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("one\ntwo\n")


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _asked_until(terminal: int, wanted: bytes) -> None:
    """Ask for the size until it is the one wanted: a resize takes its own way."""
    said, deadline = b"", time.monotonic() + 40
    while wanted not in said:
        assert time.monotonic() < deadline, said
        os.write(terminal, b"size\n")
        while select.select([terminal], [], [], 0.3)[0]:
            said += os.read(terminal, 4096)
