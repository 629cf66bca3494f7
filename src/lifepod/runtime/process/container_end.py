"""What a supervisor tells of its container, by word or by file, written into the container's record: started, ended and how.

Its words are enough while lifepod lives; the files (`--data` only) are for the lifepod that comes after a killed one.
"""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lifepod.runtime.cri_log import read_tail
from lifepod.runtime.process.node_client import connect_in_folder
from lifepod.runtime.process.order_failure import start_error_text
from lifepod.runtime.process.records import NEVER_STARTED
from lifepod.runtime.termination_message import termination_message

if TYPE_CHECKING:
    from lifepod.runtime.process.messages import Message
    from lifepod.runtime.process.records import ContainerRecord

_LOST_EXIT_CODE = 255
_START_ERROR_EXIT_CODE = 128


def message_file(container: ContainerRecord) -> str:
    """Where the container's termination message lies on this machine."""
    return os.path.join(container.folder, "termination-log")


def note_started(container: ContainerRecord, said: Message) -> None:
    """It runs, or did for a moment."""
    container.started_at, container.pid = epoch_time(int(said["started"])), int(said["pid"])
    container.supervisor = int(said["supervisor"])
    if container.state == "created":
        container.state = "running"


def note_never_started(container: ContainerRecord, text: str, now: datetime) -> None:
    """As containerd shows a container whose start failed: exit code 128, started at the epoch."""
    container.started_at = NEVER_STARTED
    container.end(_START_ERROR_EXIT_CODE, "StartError", text, now)


def note_ended(container: ContainerRecord, said: Message | None, now: datetime) -> None:
    """How it ended; None: nobody knows, its supervisor was killed."""
    if said is None:
        container.end(_LOST_EXIT_CODE, "Unknown", "", now)
        return
    if said.get("never_ran"):
        last_words = read_tail(container.log_path, 1, 2048).decode(errors="replace").strip()
        note_never_started(container, start_error_text(last_words), now)
        return
    code, config = int(said["code"]), container.config
    message = termination_message(
        message_file(container),
        config.termination_message_path,
        config.termination_message_policy,
        container.log_path,
        code,
    )
    reason = "OOMKilled" if said.get("oom") else "Completed" if code == 0 else "Error"
    container.end(code, reason, message, epoch_time(int(said["at"])))


def left_behind(container: ContainerRecord, name: str) -> Message | None:
    """What its supervisor wrote down: `started.json` or `exit.json`; None when it did not come so far."""
    try:
        with open(os.path.join(container.folder, name)) as file:
            content: Message = json.load(file)
            return content
    except (OSError, ValueError):
        return None


def reach_supervisor(container: ContainerRecord, started: Message) -> tuple[socket.socket, int] | None:
    """A connection to a supervisor that outlived its lifepod, and its pidfd; None when it is gone."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pidfd = os.pidfd_open(int(started["supervisor"]))
    except OSError:
        sock.close()
        return None
    try:
        connect_in_folder(sock, container.folder)
    except OSError:
        sock.close()
        os.close(pidfd)
        return None
    return sock, pidfd


def epoch_time(nanoseconds: int) -> datetime:
    """Nanoseconds since the epoch as a moment, without a float's rounding."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
