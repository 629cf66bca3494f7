"""The pod that the clients make, and the cluster they reach by its kubeconfig as a user's program would."""

import socket
from typing import Any

import pytest


def pod_of(name: str, port: int = 0, **labels: str) -> dict[str, Any]:
    """A pod that prints a line and goes on; with a port it answers HTTP there."""
    then = f"exec python3 -m http.server {port} --bind 127.0.0.1" if port else "exec sleep 600"
    container: dict[str, Any] = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", f"echo hello; {then}"],
    }
    if port:
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name, **labels}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    """The port of a pod that answers HTTP: pods of level host share this machine's."""
    return free_port()


@pytest.fixture(scope="module")
def served(served_to_all: Any) -> Any:
    """One cluster for the tests of a file."""
    return served_to_all
