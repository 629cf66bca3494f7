"""The whole state of a simulated cluster in a file, and back: exact, at once, for the same lifepod.

The file is a pickle read by an unpickler that knows lifepod's own value types and a few of Python's, and calls nothing else: a
file that asks for more is refused. A recording (`replay.py`) is the other way to keep a cluster; it lives the time again.
"""

from __future__ import annotations

import io
import pickle
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lifepod._version import __version__
from lifepod.errors import LifepodError

if TYPE_CHECKING:
    from lifepod.assembly.cluster import ClusterState
    from lifepod.assembly.simulated import SimulatedCluster

_HEAD = b"lifepod state "
_PLAIN = {
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("datetime", "date"),
    ("collections", "deque"),
    ("collections", "OrderedDict"),
    ("builtins", "frozenset"),
    ("builtins", "set"),
    ("builtins", "bytearray"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
}


class BadState(LifepodError):
    """The state cannot be written, or the file is none of this lifepod's."""


class Saved(NamedTuple):
    """What the file holds beside its head line."""

    nodes: tuple[str, ...]
    state: ClusterState


def save_state(sim: SimulatedCluster, path: Path) -> None:
    """Write the cluster's whole state. Raises BadState for containers that are Python generators."""
    buffer = io.BytesIO()
    try:
        pickle.dump(Saved(sim.cluster.nodes, sim.snapshot()), buffer, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as exc:
        raise BadState(
            f"this cluster cannot be written to a file: {exc}. Containers written as Python generators cannot; "
            "give them scripts, or keep a recording instead."
        ) from exc
    path.write_bytes(_head() + zlib.compress(buffer.getvalue(), 1))


def load_state(sim: SimulatedCluster, path: Path) -> None:
    """Let a cluster with the same nodes become what `save_state` wrote. Raises BadState."""
    content = path.read_bytes()
    if not content.startswith(_head()):
        found = content[: len(_head()) + 8].split(b"\n")[0].decode(errors="replace")
        raise BadState(f"{path} is no state of lifepod {__version__} (it begins with {found!r})")
    try:
        saved = _Unpickler(io.BytesIO(zlib.decompress(content[len(_head()) :]))).load()
    except (pickle.UnpicklingError, zlib.error, EOFError, AttributeError, ImportError) as exc:
        raise BadState(f"{path} cannot be read: {exc}") from exc
    if not isinstance(saved, Saved) or saved.nodes != sim.cluster.nodes:
        raise BadState(f"{path} is of a cluster with other nodes; make one with the same")
    sim.restore(saved.state)


def _head() -> bytes:
    return _HEAD + __version__.encode() + b"\n"


class _Unpickler(pickle.Unpickler):
    """Knows values only: no function, and no class of another package."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.split(".")[0] == "lifepod":
            found = super().find_class(module, name)
            if isinstance(found, type) and not issubclass(found, BaseException):
                return found
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no value of lifepod's")
