"""lifepod's own version and the Kubernetes release whose behaviour it shows."""

__version__ = "0.1.0"
KUBERNETES_VERSION = "v1.34.4"
