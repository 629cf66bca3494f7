"""What a persistent runtime writes beside each sandbox and container, so that the next lifepod finds them again."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lifepod.runtime.base import ContainerConfig, Mount, Resources, SandboxConfig, SecurityConfig
from lifepod.runtime.process.records import ContainerRecord, PodRecord, SandboxRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = "record.json"


def save_sandbox(folder: str, pod_uid: str, sandbox: SandboxRecord) -> None:
    """Write what is needed to show the sandbox again."""
    os.makedirs(folder, exist_ok=True)
    _write(
        folder,
        {
            "pod": pod_uid,
            "id": sandbox.id,
            "config": sandbox.config._asdict(),
            "created_at": sandbox.created_at.isoformat(),
            "ready": sandbox.is_ready,
            "ips": sandbox.ips,
            "first_process": sandbox.first_process,
        },
    )


def save_container(pod_uid: str, container: ContainerRecord) -> None:
    """Write what is needed to show the container again; how it ended stands in the supervisor's own files."""
    config = container.config._asdict()
    config["resources"] = container.config.resources._asdict()
    config["security"] = container.config.security._asdict()
    _write(
        container.folder,
        {
            "pod": pod_uid,
            "id": container.id,
            "config": config,
            "attempt": container.attempt,
            "created_at": container.created_at.isoformat(),
            "log": container.log_path,
            "image": container.image,
            "image_root": container.image_root,
            "stop_signal": container.stop_signal,
        },
    )


def _write(folder: str, content: dict[str, Any]) -> None:
    path = os.path.join(folder, _FILE)
    with open(path + ".new", "w") as file:
        json.dump(content, file)
    os.replace(path + ".new", path)


def load_pods(root: str) -> list[PodRecord]:
    """Every pod that left records, sandboxes and containers in the order of their creation."""
    pods: dict[str, PodRecord] = {}
    for _, content in sorted(_records(os.path.join(root, "sandboxes")), key=lambda r: str(r[1]["created_at"])):
        sandbox = SandboxRecord(
            content["id"], SandboxConfig(**_tuples(content["config"])), datetime.fromisoformat(content["created_at"])
        )
        sandbox.is_ready, sandbox.ips = content["ready"], tuple(content["ips"])
        sandbox.first_process = content.get("first_process", 0)
        pods.setdefault(content["pod"], PodRecord(content["pod"])).sandboxes[sandbox.id] = sandbox
    for folder, content in sorted(_records(os.path.join(root, "containers")), key=lambda r: str(r[1]["created_at"])):
        container = _container(folder, content)
        pod = pods.setdefault(content["pod"], PodRecord(content["pod"]))
        pod.containers[container.id] = container
        pod.log_folders.add(os.path.dirname(os.path.dirname(container.log_path)))
    return list(pods.values())


def _container(folder: str, content: dict[str, Any]) -> ContainerRecord:
    raw = _tuples(content["config"])
    raw["mounts"] = tuple(Mount(*mount) for mount in raw["mounts"])
    raw["resources"] = Resources(**content["config"]["resources"])
    raw["security"] = SecurityConfig(**_tuples(content["config"]["security"]))
    container = ContainerRecord(
        content["id"],
        ContainerConfig(**raw),
        content["attempt"],
        datetime.fromisoformat(content["created_at"]),
        folder,
        content["log"],
        content["image"],
    )
    container.image_root, container.stop_signal = content.get("image_root", ""), content.get("stop_signal", "")
    return container


def _records(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        try:
            with open(os.path.join(folder, name, _FILE)) as file:
                yield os.path.join(folder, name), json.load(file)
        except (OSError, ValueError):
            continue  # a crash between making the folder and its record: nothing ran in it yet


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples that our values are made of."""

    def deep(value: Any) -> Any:
        return tuple(deep(item) for item in value) if isinstance(value, list) else value

    return {name: deep(value) for name, value in content.items()}
