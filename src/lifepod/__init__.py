"""lifepod: the Kubernetes pod lifecycle without the cluster."""

from lifepod._version import __version__

__all__ = ["__version__"]
