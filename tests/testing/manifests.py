"""Pods that the tests here share."""

from __future__ import annotations

from typing import Any


def pod(name: str = "web", *command: str, restart: str = "Never", **container: Any) -> dict[str, Any]:
    """A pod of one container `main` that runs `command` (for ever without one)."""
    main = {"name": "main", "image": "busybox", **({"command": list(command)} if command else {}), **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": restart, "containers": [main]},
    }
