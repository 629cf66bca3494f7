"""What a container leaves as its last words: the termination message of one attempt.

Source: lifecycle.md 7.7; k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go:
        getTerminationMessage, readLastStringFromContainerLogs
"""

from __future__ import annotations

import os

from lifepod.runtime.cri_log import read_tail

_MAX_FILE_BYTES = 4096
_MAX_LOG_LINES = 80
_MAX_LOG_BYTES = 2048


def termination_message(path: str, shown_path: str, policy: str, log_path: str, exit_code: int) -> str:
    """The last 4096 bytes of the file; with FallbackToLogsOnError the log's end when it is empty and the exit was bad.

    `shown_path` is the path as the container knows it, for the error text.
    """
    text, problem = _read_end(path, shown_path)
    if policy == "FallbackToLogsOnError" and not (text or problem) and exit_code != 0:
        return read_tail(log_path, _MAX_LOG_LINES, _MAX_LOG_BYTES).decode(errors="replace")
    return problem or text


def _read_end(path: str, shown_path: str) -> tuple[str, str]:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MAX_FILE_BYTES))
            return file.read().decode(errors="replace"), ""
    except FileNotFoundError:
        return "", ""
    except OSError as exc:
        return "", f"Error on reading termination log {shown_path}: {exc.strerror}"
