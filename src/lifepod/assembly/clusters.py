"""The clusters that are up on this machine: one folder each under the user's state folder.

A folder holds `kubeconfig` (0600), `cluster.json` (pid, server, what it runs on) and, in the background, `log`. A cluster is up
as long as its process holds the lock on `lock`; what a killed one left behind is found and said, not trusted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

from lifepod.api.objects import JsonObject
from lifepod.assembly.errors import NameTaken, StartError


class Running(NamedTuple):
    """One cluster as `lifepod ls` shows it. `up` False: its process is gone, the folder was left behind."""

    name: str
    up: bool
    pid: int
    server: str
    runtime: str
    started: str
    kubeconfig: Path
    data: str


def state_home(env: Mapping[str, str]) -> Path:
    """`$LIFEPOD_HOME`, else `$XDG_STATE_HOME/lifepod`, else `~/.local/state/lifepod`."""
    if env.get("LIFEPOD_HOME"):
        return Path(env["LIFEPOD_HOME"])
    base = env.get("XDG_STATE_HOME")
    return (Path(base) if base else Path(env.get("HOME", "~")).expanduser() / ".local" / "state") / "lifepod"


class Place:
    """The folder of one named cluster, held by this process."""

    def __init__(self, home: Path, name: str) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
            raise StartError(
                f'"{name}" is no good name for a cluster: lower-case letters, digits and dashes, at most 63.'
            )
        self.name = name
        self.folder = home / name
        self.kubeconfig = self.folder / "kubeconfig"
        self._lock: int | None = None
        self.left_behind: JsonObject | None = None
        """What was here of a cluster that had been killed, as it described itself."""

    def take(self) -> None:
        """Make it ours. Raises NameTaken when a cluster of this name is up."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StartError(
                f"{self.folder} cannot be made: {exc.strerror}. Set LIFEPOD_HOME to a folder of yours."
            ) from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise NameTaken(
                f'A cluster called "{self.name}" is up already: `lifepod down {self.name}`, or give another --name.'
            ) from None
        self._lock = lock
        self.left_behind = _about(self.folder)
        for name in ("cluster.json", "kubeconfig"):
            (self.folder / name).unlink(missing_ok=True)

    def describe(self, server: str, runtime: str, started: str, data: str) -> None:
        """Write down what `lifepod ls` shows."""
        about = {"pid": os.getpid(), "server": server, "runtime": runtime, "started": started, "data": data}
        temporary = self.folder / "cluster.json.new"
        temporary.write_bytes(orjson.dumps(about))
        temporary.replace(self.folder / "cluster.json")

    def leave(self) -> None:
        """Give it up and remove the folder."""
        if self._lock is None:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def running(home: Path) -> list[Running]:
    """Every cluster with a folder, by name."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(home.iterdir()):
            about = _about(folder)
            if about is not None:
                found.append(
                    Running(folder.name, _is_held(folder), about.get("pid", 0), about.get("server", ""), about.get("runtime", ""),
                            about.get("started", ""), folder / "kubeconfig", about.get("data", ""))
                )  # fmt: skip
    return found


def forget(home: Path, name: str) -> None:
    """Remove what a killed cluster left behind."""
    shutil.rmtree(home / name, ignore_errors=True)


def stop(cluster: Running) -> None:
    """Ask a cluster's process to end, as Ctrl-C would."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(cluster.pid, signal.SIGTERM)


def _about(folder: Path) -> JsonObject | None:
    try:
        about = orjson.loads((folder / "cluster.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return about if isinstance(about, dict) else None


def _is_held(folder: Path) -> bool:
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
