"""Where a container's log lies: one file an attempt, the attempt's number being its name."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from lifepod.runtime.volume_folders import remove_tree

if TYPE_CHECKING:
    from lifepod.runtime.process.records import ContainerRecord


def attempt_of(log_name: str) -> int:
    """The attempt that a log file's name tells, -1 for other files."""
    stem = log_name.split(".", 1)[0]
    return int(stem) if stem.isdigit() else -1


def next_attempt(log_folder: str, asked: int) -> int:
    """The attempt's number: as asked, but above every attempt that left a log, were it forgotten.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: calcRestartCountByLogDir
    """
    newest = max((attempt_of(name) for name in os.listdir(log_folder)), default=-1)
    return max(asked, newest + 1)


def remove_container_files(container: ContainerRecord) -> None:
    """The folder, and the log unless it is the newest: that one tells the next attempt's number."""
    remove_tree(container.folder)
    folder = os.path.dirname(container.log_path)
    with contextlib.suppress(FileNotFoundError):
        if any(attempt_of(name) > container.attempt for name in os.listdir(folder)):
            os.unlink(container.log_path)
