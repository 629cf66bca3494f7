"""lifepod: the Kubernetes pod lifecycle without the cluster.

    import lifepod

    with lifepod.cluster(nodes=3) as kube:
        kube.apply("pod.yaml")
        kube.advance("10m")
        kube.pod("web").went("Pending", "Running")

Importing this module costs next to nothing; what the names below stand for is loaded when they are used.
"""

from __future__ import annotations

from lifepod._version import __version__
from lifepod.errors import LifepodError

TYPE_CHECKING = False  # `typing` itself would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

    from lifepod.testing.kube import Kube
    from lifepod.testing.real import RealKube
    from lifepod.testing.snapshot import Snapshot

__all__ = ["Kube", "LifepodError", "RealKube", "Snapshot", "__version__", "cluster", "real_cluster"]

_HOMES = {"Kube": "lifepod.testing.kube", "Snapshot": "lifepod.testing.snapshot", "RealKube": "lifepod.testing.real"}


def cluster(**options: Any) -> Kube:
    """A cluster of scripted containers in virtual time, for `with`: while it is open, $KUBECONFIG names it.

    Options: `seed`, `nodes`, `faults`, `kubernetes`, `clock`, `start`, `images`; see `lifepod.testing.options.Options`.
    """
    from lifepod.testing.kube import Kube
    from lifepod.testing.options import options_of

    return Kube(options_of(**options))


def real_cluster(**options: Any) -> RealKube:
    """A cluster whose containers really run, in real time, for `with`. Options: `nodes`, `runtime` (`sandbox`, `host`)."""
    from lifepod.testing.real import RealKube

    return RealKube(**options)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lifepod' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
