"""A cluster's whole state at one moment, in memory or in a file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import NamedTuple

from lifepod._version import __version__
from lifepod.assembly.cluster import ClusterState
from lifepod.testing.errors import TestingError
from lifepod.testing.recorder import Stories

_MAGIC = b"lifepod snapshot "


class Snapshot(NamedTuple):
    """`kube.restore` goes back to it, as often as wanted; so does a cluster in another process that was made the same way."""

    state: ClusterState
    stories: Stories

    def __repr__(self) -> str:
        return f"<snapshot of {self.state.now:%Y-%m-%dT%H:%M:%SZ}>"

    def save(self, path: str | Path) -> None:
        """Write it to a file. Raises TestingError when containers follow programs that cannot be found again by name."""
        try:
            content = pickle.dumps((self.state, self.stories))
        except (pickle.PicklingError, AttributeError, TypeError) as exc:
            raise TestingError(
                f"this cannot be saved: {exc}. Programs of images must be functions of a module."
            ) from exc
        Path(path).write_bytes(_MAGIC + __version__.encode() + b"\n" + content)

    @classmethod
    def load(cls, path: str | Path) -> Snapshot:
        """Read it from a file of this version of lifepod. As with every pickle: only from those you trust."""
        head, _, content = Path(path).read_bytes().partition(b"\n")
        if head != _MAGIC + __version__.encode():
            raise TestingError(f"{path}: is no snapshot of lifepod {__version__}")
        state, stories = pickle.loads(content)
        return cls(state, stories)
